"""Branches and loops. ONNX's bodies read the tensors around them by name, so captures and invariants are no inputs."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, TypeVar

from converter.exporters.onnx.context import Context, Finish, Formal, Frame, Tensor
from converter.exporters.onnx.table import expand, rule
from ir.core import Builder, Graph, Node, Value
from ir.ops.bodies import is_always
from ir.types import Dim, TensorType, dtypes, normalize_axis, symbols

COUNT = TensorType(dtypes.int64, ())
FLAG = TensorType(dtypes.bool_, ())
DECIDE = {"If": 1, "Loop": 2, "Scan": 0}
"""How many of an operator's first inputs decide what runs."""
Made = TypeVar("Made")


def _tensors(c: Context, node: Node, name: str) -> list[Tensor]:
    return [c.value(v) for v in node.operands[name]]


def _as_declared(body: Graph) -> Finish:
    """A body's own outputs with their types."""
    types = [v.type for v in body.outputs]
    return lambda outs, _: list(zip(outs, types, strict=True))


def _results(c: Context, kind: str, inputs: Sequence[Tensor | None], node: Node, **attrs: object) -> list[Tensor]:
    types = [v.type.dtype for v in node.outputs]
    c.admits(kind, "V", *types, *(t.dtype for t in inputs[DECIDE[kind] :] if t is not None))
    return c.raw(kind, inputs, types, attrs)


@rule("cond")
def cond(c: Context, node: Node) -> list[Tensor]:
    captures = _tensors(c, node, "captures")
    graphs = {}
    for name in ("then", "else"):
        body = node.bodies[name]
        bound = list(zip(body.inputs, captures, strict=True))
        graphs[f"{name}_branch"] = c.bodies.body(body, name, [], bound, _as_declared(body))
    return _results(c, "If", [c.x(node, "predicate")], node, **graphs)


@rule("while")
def while_(c: Context, node: Node) -> list[Tensor]:
    """A Loop: the condition is computed once before it and again at the end of each iteration."""
    carried, invariant = _tensors(c, node, "carried"), _tensors(c, node, "invariant")
    test, body = node.bodies["cond"], node.bodies["body"]
    count = len(carried)
    constant = is_always(test)

    def condition(state: Sequence[Tensor]) -> Tensor:
        c.bodies.inline(test, list(zip(test.inputs, [*state, *invariant], strict=True)))
        return c.value(test.outputs[0])

    def finish(outs: list[Tensor], ins: list[Tensor]) -> list[tuple[Tensor, TensorType]]:
        types = [v.type for v in body.outputs]
        going = ins[1] if constant else _apart(c, lambda: condition(outs[:count]), _changed(node))
        return [(going, FLAG), *zip(outs, types, strict=True)]

    states = body.inputs[:count]
    formals = [
        Formal(None, COUNT, "iteration"),
        Formal(None, FLAG, "going"),
        *(_formal(v, i) for i, v in enumerate(states)),
    ]
    first = None if constant else _apart(c, lambda: condition(carried))
    graph = c.bodies.body(body, "body", formals, list(zip(body.inputs[count:], invariant, strict=True)), finish)
    results = _results(c, "Loop", [_trips(c, node), first, *carried], node, body=graph)
    if _may_not_run(node):
        bound = list(zip(body.inputs, [*carried, *invariant], strict=True))
        for k in range(count, len(results)):
            results[k] = _sized(c, results[k], node.outputs[k].type, body.outputs[k].type, bound)
    return results


def _changed(node: Node) -> frozenset[str]:
    """Sizes of what the condition reads that another trip has made others."""
    test, body = node.bodies["cond"], node.bodies["body"]
    axes = [
        (test.inputs[k].type.shape[i], a, b)
        for k, (given, left) in enumerate(zip(body.inputs, body.outputs))
        for i, (a, b) in enumerate(zip(given.type.shape, left.type.shape))
    ]
    return frozenset(s.name for own, a, b in axes if a != b for s in symbols(own))


def _may_not_run(node: Node) -> bool:
    trips = node.attrs["trips"]
    counted = is_always(node.bodies["cond"]) and node.operands.get("trip_count") is None
    return not (counted and isinstance(trips, int) and trips > 0)


def _sized(
    c: Context, stacked: Tensor, type: TensorType, row: TensorType, bound: Sequence[tuple[Value, Tensor]]
) -> Tensor:
    """A scan output with the sizes of a first trip where none ran: ONNX Runtime makes those it does not know 0.

    `row` is the type inside the body, whose inputs `bound` are before the loop. Sizes that only a trip tells are left.
    """
    if all(isinstance(d, int) for d in row.shape):
        return stacked
    if all(c.sizes.known(d) for d in type.shape[1:]):
        # Beside a single size of the run, a written 0 (the length as it is) makes ONNX Runtime take that size for -1.
        length = c.op("Slice", c.op("Shape", stacked), c.ints([0]), c.ints([1]))
        sizes = c.op("Concat", length, c.sizes.vector(type.shape[1:]), axis=0)
        return c.op("Reshape", stacked, sizes)

    def first() -> Tensor | None:
        for value, tensor in bound:
            c.sizes.define(tensor, value.type)
        return c.sizes.vector((0, *row.shape)) if all(c.sizes.known(d) for d in row.shape) else None

    sizes = _apart(c, first)
    if sizes is None:
        return stacked
    found = c.op("Shape", stacked)
    ran = c.op("Greater", c.op("Gather", found, c.ints([0]), axis=0), c.ints([0]))
    return c.op("Reshape", stacked, c.op("Where", ran, found, sizes))


def _apart(c: Context, emit: Callable[[], Made], fresh: frozenset[str] = frozenset()) -> Made:
    """What `emit` returns; its sizes and values are forgotten, its nodes stay in the current graph. The symbols `fresh` are
    not those that are known outside."""
    outer = c.frame
    c.frame = Frame(parent=outer, nodes=outer.nodes, fresh=fresh)
    try:
        return emit()
    finally:
        c.frame = outer


def _formal(value: Value, index: int) -> Formal:
    return Formal(value, value.type, value.name or f"state_{index}")


def _trips(c: Context, node: Node) -> Tensor | None:
    """The bound of the number of iterations; None where there is none."""
    trips = None if node.attrs["trips"] is None else c.sizes.scalar(node.attrs["trips"])
    given = c.maybe(node, "trip_count")
    if given is None or trips is None:
        return trips if given is None else c.cast(given, dtypes.int64)
    return c.op("Min", trips, c.cast(given, dtypes.int64))


@expand("scan")
def no_trip(b: Builder, node: Node, opset: int) -> Any:
    """ONNX Runtime refuses a Scan of length 0: its results are what went in, and empty tensors."""
    carried = node.operands["carried"]
    if _length(node) != 0 or node.attrs["symbols"]:
        return None
    return (*(b.identity(v) for v in carried), *_empties(b, node))


def _length(node: Node) -> Dim:
    """The number of trips of a scan."""
    a, scanned = node.attrs, node.operands["scanned"]
    return scanned[0].type.shape[a["axes"][0] if a["axes"] else 0] if scanned else a["length"]


def _empties(b: Builder, node: Node) -> list[Value]:
    """What a scan without a trip stacks."""
    stacked = node.outputs[len(node.operands["carried"]) :]
    return [b.full(shape=v.type.shape, value=0, dtype=v.type.dtype) for v in stacked]


@rule("scan")
def scan(c: Context, node: Node) -> list[Tensor]:
    """A Scan; of a length that the model finds, and that may be 0, one that is asked for first."""
    length = _length(node)
    if node.attrs["symbols"] or not any(s.opaque for s in symbols(length)):
        return _scan(c, node)
    none, types = Graph("none"), [v.type for v in node.outputs]
    carried = [(none.add_input(v.type, v.name), c.value(v)) for v in node.operands["carried"]]
    none.set_outputs([*(v for v, _ in carried), *_empties(Builder(none), node)])
    any_trip = c.op("Greater", c.sizes.scalar(length), c.const(0, dtypes.int64))
    some = c.bodies.body(Graph("some"), "some", [], [], lambda *_: list(zip(_scan(c, node), types, strict=True)))
    other = c.bodies.body(none, "none", [], carried, _as_declared(none))
    return _results(c, "If", [any_trip], node, then_branch=some, else_branch=other)


def _scan(c: Context, node: Node) -> list[Tensor]:
    a = node.attrs
    carried, scanned, invariant = (_tensors(c, node, k) for k in ("carried", "scanned", "invariant"))
    body, states = node.bodies["body"], len(carried)
    inner = body.inputs[: states + len(scanned)]
    formals = [_formal(v, i) for i, v in enumerate(inner)]
    axes = list(a["axes"])
    for k, (axis, value) in enumerate(zip(axes, node.operands["scanned"])):  # no axes: the first of each
        axes[k], back = _place(axis, value)
        if back is not None:
            scanned[k] = c.op("Transpose", scanned[k], perm=[back.index(i) for i in range(len(back))])
    given = [*carried, *scanned]
    if not scanned:  # ONNX scans something: the numbers of the trips
        length = c.sizes.scalar(a["length"])
        given.append(c.op("Range", c.const(0, dtypes.int64), length, c.const(1, dtypes.int64)))
        formals.append(Formal(None, COUNT, "trip"))
    bound = list(zip(body.inputs[len(inner) :], invariant, strict=True))
    graph = c.bodies.body(body, "body", formals, bound, _as_declared(body))
    places = [_place(axis, v) for axis, v in zip(a["output_axes"], node.outputs[states:], strict=False)]
    results = _results(
        c, "Scan", given, node, body=graph, num_scan_inputs=len(given) - states,
        scan_input_axes=axes or None, scan_input_directions=[int(r) for r in a["reverse"]] or None,
        scan_output_axes=[axis for axis, _ in places] or None,
        scan_output_directions=[int(r) for r in a["output_reverse"]] or None,
    )  # fmt: skip
    for k, (_, perm) in enumerate(places, states):
        results[k] = results[k] if perm is None else c.op("Transpose", results[k], perm=perm)
    return results


def _place(axis: int, value: Value) -> tuple[int, list[int] | None]:
    """The axis along which Scan stacks or reads a value, and what moves that axis to `axis`.

    ONNX Runtime's process dies of a division where an empty one is stacked, or read, along another axis than the first.
    """
    rank = value.type.rank
    place = normalize_axis(axis, rank)
    if place == 0 or all(isinstance(d, int) and d > 0 for d in value.type.shape):
        return axis, None
    return 0, [*range(1, place + 1), 0, *range(place + 1, rank)]
