"""What a loop's condition and body say of it: loop variables that no trip changes, and a number of trips that is a size."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from converter.importers.tensorflow.attributes import flag
from converter.importers.tensorflow.wiring import Body, Key, Wired
from ir.core import Graph, Value
from ir.types import Dim, dim_max, dim_min, floordiv

SizeOf = Callable[[int], "Dim | None"]
"""The size that a carried value is before the first trip; None where that is not known."""


def unchanged(body: Body) -> list[int]:
    """Places of loop variables that a body hands on as they are."""
    found = []
    for place, (argument, key) in enumerate(zip(body.arguments, body.outputs, strict=True)):
        if _source(body, key) == (argument, 0):
            found.append(place)
    return found


def filled_in_order(body: Body, test: Body) -> dict[int, int]:
    """Places of lists that grow among the loop variables, each with that of a loop variable: every trip writes the list once, at the
    place that the variable names, and neither it nor the condition does anything else with it."""
    found = {}
    for place, argument in enumerate(body.arguments):
        writer = _only_reader(body, (argument, 0))
        if writer is None or writer.node.op != "TensorListSetItem" or _readers(test, (test.arguments[place], 0)):
            continue
        if not flag(writer.node, "resize_if_index_out_of_bounds"):
            continue
        into, index = (_source(body, key) for key in writer.inputs[:2])
        handed_on = [k for k, key in enumerate(body.outputs) if _source(body, key) in ((writer.name, 0), (argument, 0))]
        unread = not _readers(body, (writer.name, 0))
        if into == (argument, 0) and index[0] in body.arguments and handed_on == [place] and unread:
            found[place] = body.arguments.index(index[0])
    return found


def _source(body: Body, key: Key) -> Key:
    """What a tensor is a copy of."""
    while key[0] in body.nodes and body.nodes[key[0]].node.op == "Identity":
        key = body.nodes[key[0]].inputs[0]
    return key


def _readers(body: Body, key: Key) -> list[Wired]:
    """The nodes that read a tensor, itself or a copy."""
    return [w for w in body.nodes.values() if w.node.op != "Identity" and key in [_source(body, k) for k in w.inputs]]


def _only_reader(body: Body, key: Key) -> Wired | None:
    readers = _readers(body, key)
    return readers[0] if len(readers) == 1 else None


def trips_of(test: Graph, body: Graph, start: SizeOf) -> Dim | None:
    """How often a loop runs whose test does nothing but compare counters with sizes; None for any other.

    A counter is a carried value that every trip moves up by one constant step.
    """
    limits: list[Dim] = []
    waiting = [test.outputs[0]]
    while waiting:
        node = waiting.pop().producer
        if node is not None and node.op.name == "and":
            waiting += node.inputs
            continue
        limit = None if node is None else _limit(node.op.name, node.inputs, test, body, start)
        if limit is None:
            return None
        limits.append(limit)
    least = limits[0]
    for other in limits[1:]:
        least = dim_min(least, other)
    return least


def _limit(op: str, operands: Sequence[Value], test: Graph, body: Graph, start: SizeOf) -> Dim | None:
    """The number of trips after which one comparison fails."""
    if op in ("greater", "greater_equal"):
        op, operands = {"greater": "less", "greater_equal": "less_equal"}[op], operands[::-1]
    if op not in ("less", "less_equal") or operands[0] not in test.inputs:
        return None
    place = test.inputs.index(operands[0])
    first, bound, step = start(place), size_of(operands[1]), step_of(body, place)
    if first is None or bound is None or step is None:
        return None
    room = bound - first + (1 if op == "less_equal" else 0)
    return dim_max(room if step == 1 else floordiv(room + (step - 1), step), 0)


def step_of(body: Graph, place: int) -> int | None:
    """The constant by which every trip moves a carried value up; None where it does anything else."""
    if place >= len(body.outputs):
        return None
    node = body.outputs[place].producer
    if node is None or node.op.name != "add" or body.inputs[place] not in node.inputs:
        return None
    step = size_of(next((v for v in node.inputs if v is not body.inputs[place]), node.inputs[0]))
    return step if isinstance(step, int) and step > 0 else None


def size_of(value: Value) -> Dim | None:
    """The size that a 0-d value in a body is: a constant, or a size of the surroundings; None where the run decides."""
    node = value.producer
    if node is None or value.type.rank or not value.type.dtype.is_integer:
        return None
    if node.op.name == "constant":
        return int(node.attrs["value"].value)
    if node.op.name == "cast":
        return size_of(node.inputs[0])
    return node.attrs["size"] if node.op.name == "dim" else None


def is_only_counter(body: Graph, place: int) -> bool:
    """Whether a carried value does nothing but count."""
    after = body.outputs[place]
    node = after.producer
    own = node is not None and all(u.user is node for u in body.inputs[place].uses)
    return own and step_of(body, place) is not None and len(after.uses) == 1
