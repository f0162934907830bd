"""Branches and loops. Branches that are decided at conversion are taken; the rest become closed bodies."""

from __future__ import annotations

from typing import Any

import numpy as np

from converter.importers.onnx.bodies import Body, Captures, capture, import_body, settle, with_symbols
from converter.importers.onnx.context import OnnxContext
from converter.importers.onnx.table import rule
from converter.importers.partial.values import Element
from ir.core import Builder, Graph, Value
from ir.types import Dim, TensorType, dtypes, normalize_axis

_UNBOUNDED = 2**62
"""Trip counts this large mean no bound."""


@rule("If", 1, 11, 13, 16, 19, 21, 23, 24, 25)
def if_(c: OnnxContext) -> tuple[Any, ...]:
    then, other = c.attr("then_branch"), c.attr("else_branch")
    decided = c.const(0)
    if decided is not None:
        taken = then if bool(decided.reshape(())) else other
        return tuple(c.importer.branch(taken, c.frame.inside()))
    captures = capture(c, [then, other])
    bodies = [import_body(c, g, [], captures) for g in (then, other)]
    for body in bodies:
        body.close(c, body.outputs)
    first, second = (b.graph for b in bodies)
    for i, (a, b) in enumerate(zip(first.outputs, second.outputs, strict=True)):
        if a.type.rank != b.type.rank:
            c.refuse(
                f"result {i} has rank {a.type.rank} in one branch and {b.type.rank} in the other, and only the run knows which",
                "give what decides it as numbers: sizes by -i NAME:TYPE[SHAPE], an input's value by -i NAME=VALUE",
            )
    predicate = _scalar(c, c.x(0))
    return with_symbols(
        c, lambda names: c.b.cond(predicate, captures.values, symbols=names, then=first, **{"else": second})
    )


def _scalar(c: OnnxContext, x: Value) -> Value:
    return c.b.reshape(x, shape=()) if x.type.rank else x


@rule("Loop", 1, 11, 13, 16, 19, 21, 23, 24, 25)
def loop(c: OnnxContext) -> tuple[Any, ...]:
    """Runs while trips are left and the condition holds; state, then outputs stacked over the trips."""
    proto = c.attr("body")
    captures = capture(c, [proto])
    states = [c.x(i) for i in range(2, len(c.inputs))]
    n = len(states)
    types = [TensorType(dtypes.int64, ()), TensorType(dtypes.bool_, ()), *(s.type for s in states)]
    body = settle(c, proto, types, range(2, n + 2), range(1, n + 1), captures)
    for ref in body.outputs[1:]:
        c.importer.value(ref, body.frame)  # made now, so that what they read shows
    return _Loop(c, body, captures, _is_read(body, 0), not _always(c, body)).make(states)


def _is_read(body: Body, place: int) -> bool:
    """Whether an input is read in the body, or handed out as it is."""
    value = body.inputs[place].value
    return bool(value is not None and value.uses) or any(r is body.inputs[place] for r in body.outputs[1:])


def _always(c: OnnxContext, body: Body) -> bool:
    """Whether the condition holds before the first trip and never changes (and nothing else reads it)."""
    if _is_read(body, 1):
        return False
    start = c.const(1)
    if c.has(1) and (start is None or not bool(start.reshape(()))):
        return False
    after = body.outputs[0].concrete()
    return body.outputs[0] is body.inputs[1] or (after is not None and bool(after.reshape(())))


class _Loop:
    """The loop node of a body, whose carried values are (iteration?, condition?, state..)."""

    def __init__(self, c: OnnxContext, body: Body, captures: Captures, counts: bool, tests: bool) -> None:
        self.c, self.body, self.captures, self.counts, self.tests = c, body, captures, counts, tests

    def make(self, states: list[Value]) -> tuple[Value, ...]:
        """Build the node; its state and scan results."""
        c = self.c
        self._close()
        lead: list[Value] = [c.b.constant(np.int64(0))] if self.counts else []
        if self.tests:
            lead.append(_scalar(c, c.x(1)) if c.has(1) else c.b.constant(True))
        trips, count = self._bound()
        carried = (*lead, *states)
        cond, body = self._condition(len(carried)), self.body.graph
        out = with_symbols(
            c,
            lambda names: c.b.while_(
                carried, self.captures.values, count, trips=trips, symbols=names, cond=cond, body=body
            ),
        )
        return out[len(lead) :]

    def _close(self) -> None:
        """Outputs of the body: the next iteration and condition where they are carried, state, scan outputs."""
        b, body = self.body.frame.builder, self.body
        rest = [self.c.importer.value(r, body.frame) for r in body.outputs[1:]]
        iteration, test = body.graph.inputs[:2]
        outs = []
        if self.counts:
            outs.append(b.add(iteration, np.int64(1)))
        else:
            body.graph.remove_input(iteration)
        if self.tests:
            condition = self.c.importer.value(body.outputs[0], body.frame)
            outs.append(b.reshape(condition, shape=()) if condition.type.rank else condition)
        else:
            body.graph.remove_input(test)
        body.graph.set_outputs([*outs, *rest])

    def _bound(self) -> tuple[Dim | None, Value | None]:
        """The trip count as a size, or as an operand when only the run knows it."""
        c = self.c
        if not c.has(0):
            return None, None
        elements = c.ref(0).elements()
        first = None if elements is None else elements.item()
        if first is None or isinstance(first, Element):
            return None, _scalar(c, c.x(0))
        return (None if isinstance(first, int) and first >= _UNBOUNDED else first), None

    def _condition(self, carried: int) -> Graph:
        graph = Graph("cond")
        for value in self.body.graph.inputs:
            graph.add_input(value.type, value.name)
        builder = Builder(graph, origin=self.c.b.origin)
        place = int(self.counts)
        graph.set_outputs([graph.inputs[place] if self.tests else builder.constant(True)])
        return graph


@rule("Scan", 9, 11, 16, 19, 21, 23, 24, 25)
def scan(c: OnnxContext) -> tuple[Value, ...]:
    """One trip for each slice of the scanned operands."""
    proto, count = c.attr("body"), c.attr("num_scan_inputs")
    n = len(c.inputs) - count
    states, scanned = [c.x(i) for i in range(n)], [c.x(i) for i in range(n, len(c.inputs))]
    axes, output_axes = c.attr("scan_input_axes") or [0] * count, c.attr("scan_output_axes") or []
    slices = [_slice_type(v.type, normalize_axis(a, v.type.rank)) for v, a in zip(scanned, axes, strict=True)]
    captures = capture(c, [proto])
    body = settle(c, proto, [*(s.type for s in states), *slices], range(n), range(n), captures)
    body.close(c, body.outputs)
    attrs: dict[str, Any] = {
        "axes": tuple(axes) if any(axes) else (), "output_axes": tuple(output_axes) if any(output_axes) else (),
        "reverse": _flags(c.attr("scan_input_directions")), "output_reverse": _flags(c.attr("scan_output_directions")),
    }  # fmt: skip
    return with_symbols(
        c, lambda names: c.b.scan(states, scanned, captures.values, **attrs, symbols=names, body=body.graph)
    )


@rule("Scan", 8)
def scan_of_samples(c: OnnxContext) -> tuple[Value, ...]:
    """For each sample of a batch, which every operand has as its first axis, one trip for each slice of its second."""
    if c.has(0):
        c.refuse("sequence_lens gives each sample a length of its own", "export the model with opset 9 or newer")
    proto, count = c.attr("body"), c.attr("num_scan_inputs")
    operands = [c.x(i) for i in range(1, len(c.inputs))]
    n = len(operands) - count
    samples = [_slice_type(v.type, 0) for v in operands]
    captures = capture(c, [proto])
    body = settle(c, proto, [*samples[:n], *(_slice_type(t, 0) for t in samples[n:])], range(n), range(n), captures)
    body.close(c, body.outputs)
    sample = Graph("body")
    types = (*samples, *(v.type for v in captures.values))
    given = [sample.add_input(t, v.name) for t, v in zip(types, body.graph.inputs, strict=True)]
    out = Builder(sample, origin=c.b.origin).scan(
        given[:n], given[n : n + count], given[n + count :], reverse=_flags(c.attr("directions")), body=body.graph
    )
    sample.set_outputs(out)
    return tuple(c.b.scan((), operands, captures.values, body=sample))


def _slice_type(type: TensorType, axis: int) -> TensorType:
    return type.with_shape(d for k, d in enumerate(type.shape) if k != axis)


def _flags(values: list[int] | None) -> tuple[bool, ...]:
    return tuple(bool(v) for v in values) if values and any(values) else ()
