"""Loops that go through lists element by element: what every trip reads at its number is scanned, what it writes there is
stacked."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

from ir.core import Graph, Model, Value
from ir.core.graph import Node
from ir.core.walk import copy_node, walk
from ir.ops.bodies import is_always
from ir.passes.base import Rewriter
from ir.passes.patterns import either, is_number
from ir.passes.simplify_rules import made_by, same_type
from ir.types import Dim, DType, same


def settle_loops(model: Model) -> None:
    """Loops of a known number of trips over lists become scans; every step computes the same."""
    found = True
    while found:  # a loop inside one that was rewritten is another one now
        rewriter = Rewriter(model, "scans")
        for node in walk(model.graph):
            if node.graph is not None and node.op.name == "while":
                _only_element(node, rewriter)
                _scan(node, rewriter)
        found = rewriter.changed


# -- lists of one element -----------------------------------------------------------------------------------------------
def _only_element(node: Node, rewriter: Rewriter) -> None:
    """A list of one element is that element after it was written."""
    for writer in list(node.bodies["body"]):
        if writer.op.name != "scatter_nd" or writer.operand("data").type.shape[:1] != (1,):
            continue
        index, update = writer.operand("indices"), writer.operand("updates")
        plain = index
        while (inner := made_by(plain, "reshape", "cast", "unsqueeze")) is not None:
            plain = inner.operand("x")
        if index.type.shape != (1,) or not is_number(plain, 0) or writer.attrs["reduction"] != "none":
            continue
        made = rewriter.builder(writer).unsqueeze(update, axes=(0,))
        if same_type(made, writer):
            rewriter.replace(writer, [made], "only_element", "the list has one element, and it is written")


# -- loops --------------------------------------------------------------------------------------------------------------
@dataclass
class _Plan:
    """What of a loop's carried values counts trips, which writers fill lists, which readers take elements of lists."""

    trips: Dim
    counters: list[int] = field(default_factory=list)
    writers: dict[int, Node] = field(default_factory=dict)  # by the place of the list among the carried values
    readers: dict[int, list[Node]] = field(default_factory=dict)  # by the place among the invariants


def _scan(node: Node, rewriter: Rewriter) -> None:
    plan = _plan(node)
    if plan is None or not (plan.writers or plan.readers):
        return
    body, carried, fixed = node.bodies["body"], node.operands["carried"], node.operands["invariant"]
    b = rewriter.builder(node)
    kept = [k for k in range(len(carried)) if k not in plan.counters and k not in plan.writers]
    left = [k for k in range(len(fixed)) if k not in plan.readers]
    results = [body.outputs[k] for k in kept] + [w.operand("updates") for w in plan.writers.values()]
    inner, counting = _body(body, plan, kept, left, results)
    scanned = [fixed[k] for k in plan.readers]
    scanned += [b.arange(start=0, stop=plan.trips, step=1, dtype=kind) for kind in counting]
    found = b.scan([carried[k] for k in kept], scanned, [fixed[k] for k in left], length=plan.trips, body=inner)
    values: dict[int, Value] = dict(zip([*kept, *plan.writers], found, strict=True))
    for k in plan.counters:
        values[k] = b.cast(b.dim(size=plan.trips), to=carried[k].type.dtype)
    ordered = [values[k] for k in range(len(carried))]
    rewriter.replace(node, ordered, "scan", "every trip reads and writes the elements at its number")


def _plan(node: Node) -> _Plan | None:
    """What a loop that only counts does with lists; None for other loops."""
    trips, body = node.attrs["trips"], node.bodies["body"]
    carried = node.operands["carried"]
    if (
        trips is None
        or node.operands["trip_count"] is not None
        or node.attrs["symbols"]
        or not is_always(node.bodies["cond"])
    ):
        return None
    if len(body.outputs) != len(carried) or (isinstance(trips, int) and trips < 0):
        return None
    plan = _Plan(trips)
    plan.counters = [k for k in range(len(carried)) if is_number(carried[k], 0) and _counts(body, k)]
    counting = [body.inputs[k] for k in plan.counters]
    for k in range(len(carried)):
        writer = _writer(body, k, counting)
        if writer is not None and same(carried[k].type.shape[0], trips) is True:
            plan.writers[k] = writer
    for k, value in enumerate(body.inputs[len(carried) :]):
        readers = _readers(value, counting)
        if readers and same(value.type.shape[0], trips) is True:
            plan.readers[k] = readers
    return plan


def _counts(body: Graph, place: int) -> bool:
    """Whether every trip adds 1."""
    node = made_by(body.outputs[place], "add")
    return node is not None and any(v is body.inputs[place] and is_number(o, 1) for v, o in either(node))


def _number(value: Value, counting: Sequence[Value]) -> bool:
    """Whether a value is the number of the trip, as it is, of another type, or as a vector of one element."""
    while (node := made_by(value, "cast", "reshape", "unsqueeze")) is not None:
        if not value.type.dtype.is_integer:
            return False
        value = node.operand("x")
    return any(value is c for c in counting)


def _writer(body: Graph, place: int, counting: Sequence[Value]) -> Node | None:
    """The node that writes the element at the trip's number, where that is all that is done with a list."""
    node = made_by(body.outputs[place], "scatter_nd")
    if node is None or node.operand("data") is not body.inputs[place] or len(body.inputs[place].uses) != 1:
        return None
    index = node.operand("indices")
    alone = len(node.output.uses) == 1 and index.type.shape == (1,) and node.attrs["reduction"] == "none"
    return node if alone and _number(index, counting) else None


def _readers(value: Value, counting: Sequence[Value]) -> list[Node]:
    """The nodes that read the element at the trip's number, where nothing else reads a list."""
    found = []
    for use in value.uses:
        node = use.user
        if not isinstance(node, Node) or node.op.name != "gather" or use.key != "data":
            return []
        index = node.operand("indices")
        if (
            node.attrs["axis"] % value.type.rank
            or node.attrs["batch_dims"]
            or index.type.rank
            or not _number(index, counting)
        ):
            return []
        found.append(node)
    return found


def _body(
    body: Graph, plan: _Plan, kept: Sequence[int], left: Sequence[int], results: Sequence[Value]
) -> tuple[Graph, list[DType]]:
    """The body of the scan; and the dtypes of the trip's number as it is read, its last slices."""
    count = len(body.inputs) - len(left) - len(plan.readers)
    made = Graph(body.name)
    mapping = {body.inputs[k]: made.add_input(body.inputs[k].type, body.inputs[k].name) for k in kept}
    for k, readers in plan.readers.items():
        given = made.add_input(readers[0].output.type, body.inputs[count + k].name)
        mapping |= {node.output: given for node in readers}
    live = _live(results, set(mapping))
    asked = {v for n in live for v in n.inputs} | set(results)
    numbers = [body.inputs[k] for k in plan.counters if body.inputs[k] in asked]
    kinds = list(dict.fromkeys(v.type.dtype for v in numbers))
    for kind in kinds:
        given = made.add_input(numbers[0].type.with_dtype(kind), "number")
        mapping |= {v: given for v in numbers if v.type.dtype == kind}
    for k in left:
        mapping[body.inputs[count + k]] = made.add_input(body.inputs[count + k].type, body.inputs[count + k].name)
    for node in body:
        if node in live:
            made.append(copy_node(node, mapping))
    made.set_outputs([mapping.get(v, v) for v in results])
    return made, kinds


def _live(results: Sequence[Value], given: set[Value]) -> set[Node]:
    """The nodes that results need, without those whose values are given."""
    waiting, found = list(results), set[Node]()
    while waiting:
        value = waiting.pop()
        node = value.producer
        if value in given or node is None or node in found:
            continue
        found.add(node)
        waiting += node.inputs
    return found
