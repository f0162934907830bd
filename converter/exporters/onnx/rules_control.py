"""Branches and loops. ONNX's bodies read the tensors around them by name, so captures and invariants are no inputs."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from converter.exporters.onnx.context import Context, Finish, Formal, Frame, Tensor
from converter.exporters.onnx.table import expand, rule
from ir.core import Builder, Graph, Node, Value
from ir.ops.bodies import is_always
from ir.types import TensorType, dtypes, normalize_axis

COUNT = TensorType(dtypes.int64, ())
FLAG = TensorType(dtypes.bool_, ())


def _tensors(c: Context, node: Node, name: str) -> list[Tensor]:
    return [c.value(v) for v in node.operands[name]]


def _as_declared(body: Graph) -> Finish:
    """A body's own outputs with their types."""
    types = [v.type for v in body.outputs]
    return lambda outs, _: list(zip(outs, types, strict=True))


def _results(c: Context, kind: str, inputs: Sequence[Tensor | None], node: Node, **attrs: object) -> list[Tensor]:
    return c.raw(kind, inputs, [v.type.dtype for v in node.outputs], attrs)


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
        going = ins[1] if constant else _apart(c, lambda: condition(outs[:count]))
        return [(going, FLAG), *zip(outs, types, strict=True)]

    states = body.inputs[:count]
    formals = [Formal(None, COUNT, "iteration"), Formal(None, FLAG, "going"), *(_formal(v, i) for i, v in enumerate(states))]
    first = None if constant else _apart(c, lambda: condition(carried))
    graph = c.bodies.body(body, "body", formals, list(zip(body.inputs[count:], invariant, strict=True)), finish)
    return _results(c, "Loop", [_trips(c, node), first, *carried], node, body=graph)


def _apart(c: Context, emit: Callable[[], Tensor]) -> Tensor:
    """What `emit` returns; its sizes and values are forgotten, its nodes stay in the current graph."""
    outer = c.frame
    c.frame = Frame(parent=outer, nodes=outer.nodes)
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
    a, scanned = node.attrs, node.operands["scanned"]
    trips = scanned[0].type.shape[a["axes"][0] if a["axes"] else 0] if scanned else a["length"]
    carried = node.operands["carried"]
    if trips != 0 or a["symbols"]:
        return None
    empty = [b.full(shape=v.type.shape, value=0, dtype=v.type.dtype) for v in node.outputs[len(carried) :]]
    return (*(b.identity(v) for v in carried), *empty)


@rule("scan")
def scan(c: Context, node: Node) -> list[Tensor]:
    a = node.attrs
    carried, scanned, invariant = (_tensors(c, node, k) for k in ("carried", "scanned", "invariant"))
    body, states = node.bodies["body"], len(carried)
    inner = body.inputs[: states + len(scanned)]
    formals = [_formal(v, i) for i, v in enumerate(inner)]
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
        scan_input_axes=list(a["axes"]) or None, scan_input_directions=[int(r) for r in a["reverse"]] or None,
        scan_output_axes=[axis for axis, _ in places] or None,
        scan_output_directions=[int(r) for r in a["output_reverse"]] or None,
    )  # fmt: skip
    for k, (_, perm) in enumerate(places, states):
        results[k] = results[k] if perm is None else c.op("Transpose", results[k], perm=perm)
    return results


def _place(axis: int, value: Value) -> tuple[int, list[int] | None]:
    """The axis along which Scan stacks a result, and what moves it to `axis`.

    ONNX Runtime's process dies of a division where an empty result is stacked along another axis than the first.
    """
    rank = value.type.rank
    place = normalize_axis(axis, rank)
    if place == 0 or all(isinstance(d, int) and d > 0 for d in value.type.shape):
        return axis, None
    return 0, [*range(1, place + 1), 0, *range(place + 1, rank)]
