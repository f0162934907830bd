"""State: which entries modules update by themselves, which the root must assign, and what must be copied before."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping

from converter.exporters.outline.instances import Instance
from ir.core import Model, Node, Value


def kept_state(model: Model, leaves: Mapping[Node, Instance], updates: Callable[[Node], bool]) -> set[str]:
    """Names of the entries that a module of the library, or the code of a node, updates by itself in training."""
    updating = (i for i in leaves.values() if i.form is not None and i.form.updates)
    names = {name for instance in updating for name in instance.weights.values()}
    names |= {v.name for node in model.graph if updates(node) for v in node.inputs if v.is_weight}
    return names & set(model.state)


def open_state(model: Model, leaves: Mapping[Node, Instance], updates: Callable[[Node], bool]) -> dict[str, Value]:
    """Weight name -> next value, for all other entries."""
    kept = kept_state(model, leaves, updates)
    return {name: value for name, value in model.state.items() if name not in kept}


def moves_in_training(weight: Value, following: Value) -> bool:
    """Whether inference hands the state on as it was: the next value is that of a `by_mode` which only training changes."""
    node = following.producer
    if node is None or node.op.name != "by_mode":
        return False
    infer = node.bodies["infer"]
    passed = dict(zip(infer.inputs, node.operands["captures"], strict=True))
    kept = infer.outputs[node.outputs.index(following)]
    return passed.get(kept, kept) is weight


def drop_unread(model: Model) -> None:
    """Remove buffers that nothing reads, such as PyTorch's count of batches: they mean nothing to another framework."""
    for name, weight in list(model.weights.items()):
        if weight.kind != "parameter" and not model.weight_value(name).uses and name not in model.state:
            model.remove_weight(name)


# -- memory shared with state -----------------------------------------------------------------------------------------
_FRESH = {
    "activation", "arithmetic", "attention", "comparison", "conv", "creation", "elementwise", "embedding", "linalg", "logic",
    "norm", "pool", "recurrent", "scatter",
}  # fmt: skip
"""Families whose results frameworks put into memory of their own."""
_NOT_FRESH = {"clip", "real", "imag", "conj", "floor", "ceil", "round", "trunc", "einsum"}
"""Their members that may give back an operand, or a view of it."""
_IN_PLACE = {"by_mode", "identity", "stop_gradient", "batch_norm"}
"""What may give back an operand with every element where it was."""


def exposed(model: Model, entries: Mapping[str, Value]) -> list[Value]:
    """Results and next states that may lie in the memory of a state that the root assigns.

    Assigning it would change them: they are copied before. (A next state that may be its own memory, unmoved, is not.)
    """
    shared = {v: _memory(v, set(entries)) for v in dict.fromkeys([*model.graph.outputs, *entries.values()])}
    found = [v for v in model.graph.outputs if shared[v]]
    for name, value in entries.items():
        if any(other != name or moved for other, moved in shared[value]):
            found.append(value)
    return list(dict.fromkeys(found))


def _memory(value: Value, names: set[str]) -> set[tuple[str, bool]]:
    """The states in whose memory a value may lie, each with whether its elements may have moved."""
    found: set[tuple[str, bool]] = set()
    seen: set[tuple[Value, bool]] = set()
    stack = [(value, False)]
    while stack:
        here, moved = step = stack.pop()
        if step in seen:
            continue
        seen.add(step)
        if here.is_weight and here.name in names:
            found.add((here.name, moved))
        node = here.producer
        if node is not None and not _is_fresh(node, here):
            stack += [(v, moved or node.op.name not in _IN_PLACE) for v in _read(node)]
    return found


def _is_fresh(node: Node, value: Value) -> bool:
    if node.op.name == "batch_norm" and value is not node.outputs[0]:
        return False
    return node.op.family in _FRESH and node.op.name not in _NOT_FRESH


def _read(node: Node) -> Iterable[Value]:
    """Operands, and the weights that bodies read from outside."""
    inner = [v for body in node.bodies.values() for n in body for v in _read(n) if v.is_weight]
    outs = [v for body in node.bodies.values() for v in body.outputs if v.is_weight]
    return [*node.inputs, *inner, *outs]


def updates_own_state(node: Node) -> bool:
    """Whether the next statistics of a batch norm go nowhere but into the running ones, which nothing else reads."""
    running = [node.operand(k) for k in ("mean", "var")]
    for value, kept in zip(node.outputs[1:], running):
        for use in value.uses:
            if not isinstance(use.user, Model) or use.key != kept.name:
                return False
    return all(use.user is node for value in running for use in value.uses)
