"""Recurrent layers: `layers.LSTM` and its kin, in both directions `layers.Bidirectional`.

Keras stores the gates of a GRU as z, r, h, and both its biases as the rows of one variable; an LSTM and a simple layer
have one bias. `stacks` has made one layer of each node; what stays a stack is taken apart into loops.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from converter.exporters.code import stmt as s
from converter.exporters.code.expr import Expr, Lst, Name, Tup, Var, hole, lift
from converter.exporters.keras.context import OPS, Context
from converter.exporters.keras.table import form, form_of, rule
from converter.exporters.outline.instances import Form
from ir.core import Node, Value

KINDS = {"lstm": 4, "gru": 3, "rnn": 1}
"""Recurrent ops, and how many gates they have."""
_LAYERS = {"lstm": "LSTM", "gru": "GRU", "rnn": "SimpleRNN"}
GRU_GATES = (1, 0, 2)
"""For each gate of Keras (z, r, h) its place in the IR (r, z, n)."""


class NoLayer(Exception):
    """A recurrent node that found no place as a layer: the model is written again, with loops."""


def layer_reason(node: Node) -> str | None:
    """Why a recurrent node is no layer of Keras, nor a stack of them, whatever its weights are; None where it is one."""
    a, x = node.attrs, node.operand("x").type
    if node.graph is None or node.graph.parent is not None:
        return "inside control flow there is no layer of Keras"
    if a.get("projection"):
        return "Keras' layers project no states"
    if x.dtype.name != "float32":
        return "Keras' layers round each step of half types, and on JAX and PyTorch steps of float64 to float32"
    if 0 in x.shape or not isinstance(x.shape[2], int):
        return "Keras' layers take no empty sequences"
    return None


def two_rows(node: Node) -> bool:
    """Whether Keras keeps both biases, as the rows of one variable."""
    return bool(node.op.name == "gru" and node.attrs["bias"] and node.attrs["linear_before_reset"])


# -- the layer ---------------------------------------------------------------------------------------------------------
def _cells(node: Node) -> list[tuple[Value, ...]]:
    """The weights of each direction."""
    weights = node.operands["weights"]
    count = 2 + 2 * node.attrs["bias"]
    return [weights[i : i + count] for i in range(0, len(weights), count)]


def _is_zero(value: Value) -> bool:
    """Whether a bias is a constant of zeros, which `stacks` puts in the place of one that never trains."""
    node = value.producer
    return node is not None and node.op.name == "constant" and not np.any(node.attrs["value"].value)


def _two_biases(node: Node) -> bool:
    return node.attrs["bias"] and not two_rows(node) and not all(_is_zero(cell[3]) for cell in _cells(node))


def _weights(node: Node) -> dict[str, Value] | None:
    """The weights under Keras' names; None where they are no weights."""
    found: dict[str, Value] = {}
    both = _two_biases(node)
    places = ("forward_layer.", "backward_layer.") if node.attrs["direction"] == "bidirectional" else ("",)
    for place, cell in zip(places, _cells(node), strict=True):
        found |= {f"{place}cell.kernel": cell[0], f"{place}cell.recurrent_kernel": cell[1]}
        if not node.attrs["bias"]:
            continue
        found[f"{place}cell.{'input_bias' if both else 'bias'}"] = cell[2]
        if both:
            found[f"{place}cell.recurrent_bias"] = cell[3]
    return found if all(v.is_weight for v in found.values()) else None


def _wanted(node: Node) -> tuple[bool, bool]:
    """Whether any call of the layer reads the outputs of all steps, and whether any needs the states told apart."""
    calls = [n for n in node.operands["weights"][0].users if n.op is node.op]
    steps = any(n.outputs[0].uses for n in calls)
    ends = any(v.uses for n in calls for v in n.outputs[1:])
    more = any(v.uses for n in calls for v in n.outputs[2:]) or any(n.operands["lengths"] is not None for n in calls)
    return steps or not ends, ends and (steps or more)


@form("lstm", "gru", "rnn")
def recurrent_layer(node: Node) -> Form | None:
    """`layers.LSTM(8, return_sequences=True)`."""
    a = node.attrs
    if a["layers"] != 1 or layer_reason(node) is not None:
        return None
    weights = _weights(node)
    if weights is None:
        return None
    steps, states = _wanted(node)
    kind = _LAYERS[node.op.name]
    both = _two_biases(node)
    settings: dict[str, Expr] = {"use_bias": hole(bool(a["bias"]), "use_bias", True)}
    if node.op.name == "rnn":
        settings["activation"] = hole(a["nonlinearity"], "activation", "tanh")
    if node.op.name == "gru":
        settings["reset_after"] = hole(bool(a["linear_before_reset"]), "reset_after", True)
    settings |= {
        "return_sequences": hole(steps, "return_sequences", False),
        "return_state": hole(states, "return_state", False),
        "go_backwards": hole(a["direction"] == "reverse", "go_backwards", False),
    }
    if node.operands["lengths"] is not None:
        settings["zero_output_for_mask"] = lift(True)
    if _steps_alone(node):
        settings["use_cudnn"] = lift(False)
    helper = f"TwoBias{kind}" if both else ""
    ctor = Name(helper or f"layers.{kind}")(hole(a["hidden_size"], "units"), **settings)
    if a["direction"] == "bidirectional":
        merge = "concat" if steps or states else None
        ctor = Name("layers.Bidirectional")(ctor, merge_mode=hole(merge, "merge_mode", "concat"))

    def call(c: Context, layer: Expr) -> tuple[Expr | None, ...]:
        if helper:
            c.helper(helper)
        return _results(c, node, _called(c, node, layer), steps, states)

    x = node.operand("x").type
    shape = (None, None, int(x.shape[2]))
    return Form(ctor, weights, call=call, axes=_axes(weights), shape=shape)


def _steps_alone(node: Node) -> bool:
    """Whether a layer must go step by step: Keras' own kernels may turn a padded sequence otherwise than the op does, and
    on JAX give a GRU without biases one of 64 bits where there are any."""
    a = node.attrs
    turned = node.operands["lengths"] is not None and a["direction"] != "forward"
    return node.op.name != "rnn" and (turned or (node.op.name == "gru" and a["linear_before_reset"] and not a["bias"]))


def _axes(weights: dict[str, Value]) -> dict[str, tuple[int, ...]]:
    return {attr: (1, 0) for attr in weights if attr.endswith("kernel")}


# -- the call ------------------------------------------------------------------------------------------------------------
def _called(c: Context, node: Node, layer: Expr) -> Expr:
    x = node.operand("x")
    value = c.x(x) if node.attrs["batch_first"] else OPS.swapaxes(c.x(x), 0, 1)
    settings: dict[str, Expr] = {}
    states = _initial(c, node)
    if states is not None:
        settings["initial_state"] = Lst(tuple(states))
    lengths = node.operands["lengths"]
    if lengths is not None:
        steps = c.dim(x.type.shape[1 if node.attrs["batch_first"] else 0], "steps")
        places = OPS.arange(steps, dtype=c.dtype(lengths.type.dtype))
        settings["mask"] = places < OPS.expand_dims(c.x(lengths), 1)
    return layer(value, **settings)


def _initial(c: Context, node: Node) -> list[Expr] | None:
    """The initial states in the order of Keras, direction by direction; None where all are zero."""
    keys = ("initial_h", "initial_c")[: len(node.outputs) - 1]
    given = {key: node.operands[key] for key in keys}
    if all(v is None for v in given.values()):
        return None
    count = len(_cells(node))
    parts = {key: _parts(c, value, count) for key, value in given.items() if value is not None}
    like = next(iter(parts.values()))
    parts |= {key: [OPS.zeros_like(p) for p in like] for key in keys if key not in parts}
    return [parts[key][i] for i in range(count) for key in keys]


def _parts(c: Context, value: Value, count: int) -> list[Expr]:
    """A state [directions, batch, units] by direction: what it was stacked of, where it was stacked for this layer."""
    expr, node = c.x(value), value.producer
    stacked = node is not None and node.op.name == "stack" and node.attrs["axis"] == 0 and len(value.uses) == 1
    made = [i for i, stmt in enumerate(c.body) if isinstance(stmt, s.Assign) and stmt.target is expr]
    if stacked and node is not None and len(made) == 1:
        del c.body[made[0]]
        return [c.name_once(c.x(v), "state") for v in node.operands[node.op.operands[0].name]]
    expr = c.name_once(expr, "state")
    return [expr[i] for i in range(count)]


def _results(c: Context, node: Node, call: Expr, steps: bool, states: bool) -> tuple[Expr | None, ...]:
    """The results as the op has them: all steps in the order of the input, states by direction."""
    names = ("h", "c")[: len(node.outputs) - 1]
    nothing: tuple[Expr | None, ...] = (None,) * len(names)
    if steps and not states:
        return (_in_order(c, node, call), *nothing)
    sides = ("forward", "backward") if len(_cells(node)) == 2 else ("",)
    if not states:
        ends = [c.assign(call, "last")] if len(sides) == 1 else _unpacked(c, call, [f"{side}_last" for side in sides])
        return (None, _ends(c, node.outputs[1], ends), *nothing[1:])
    used = [bool(node.outputs[1 + i].uses) for i in range(len(names))]
    wanted = [node.outputs[0].uses and "states", *(
        used[i] and (f"{side}_{name}" if side else {"h": "last", "c": "cell"}[name]) for side in sides for i, name in enumerate(names)
    )]  # fmt: skip
    first, *rest = _unpacked(c, call, [name or "" for name in wanted])
    columns = [rest[i :: len(names)] for i in range(len(names))]
    shown = _in_order(c, node, first) if first is not None else None
    return (shown, *(_ends(c, v, column) for v, column in zip(node.outputs[1:], columns, strict=True)))


def _unpacked(c: Context, call: Expr, hints: Sequence[str]) -> list[Expr | None]:
    """Bind the parts of what a layer gives; None for those without a hint."""
    parts = [Var(hint) if hint else None for hint in hints]
    c.body.append(s.Assign(Tup(tuple(p or Name("_") for p in parts)), call))
    return list(parts)


def _in_order(c: Context, node: Node, steps: Expr) -> Expr:
    """Outputs of all steps as the op has them: a layer that goes backwards gives the last step first."""
    y = OPS.flip(steps, axis=1) if node.attrs["direction"] == "reverse" else steps
    return y if node.attrs["batch_first"] else OPS.swapaxes(y, 0, 1)


def _ends(c: Context, value: Value, parts: Sequence[Expr | None]) -> Expr | None:
    """Final states [directions, batch, units]; those who read one direction get it as it is."""
    rest = [use for use in value.uses if not _takes_part(c, use.user, value, parts)]
    known = [p for p in parts if p is not None]
    if not rest or len(known) < len(parts):
        return None
    return OPS.stack(Lst(tuple(known))) if len(known) > 1 else OPS.expand_dims(known[0], 0)


def _takes_part(c: Context, user: object, value: Value, parts: Sequence[Expr | None]) -> bool:
    if not isinstance(user, Node) or user not in c.region.items:
        return False
    one = user.op.name == "squeeze" and user.attrs["axes"] == (0,) and len(parts) == 1
    index = user.attrs.get("index") if user.op.name == "select" and user.attrs["axis"] in (0, -3) else None
    part = parts[0] if one else parts[index % len(parts)] if isinstance(index, int) else None
    if part is None:
        return False
    c.know(user.output, part)
    return True


def _only_layer(node: Node) -> str | None:
    return None if form_of(node) is not None else layer_reason(node) or "it is a stack, or its weights are computed"


@rule("lstm", "gru", "rnn", accepts=_only_layer)
def recurrent(c: Context, node: Node) -> Expr:
    """Reached where the layer found no place of its own."""
    raise NoLayer(node.op.name)


__all__ = ["GRU_GATES", "KINDS", "NoLayer", "layer_reason", "two_rows"]
