"""Control flow as Python's own: `if`, `for` and `while` over tensors, bodies in place."""

from __future__ import annotations

from collections.abc import Sequence

from converter.exporters.code import stmt as s
from converter.exporters.code.expr import Expr, IfElse, Lit, Lst, Name, Tup, Unary, Var
from converter.exporters.outline.bodies import assign_all, run_body
from converter.exporters.outline.context import Context
from ir.core import Graph, Node, Value
from ir.ops.bodies import is_always
from ir.types import TensorType, symbols


class Words:
    """How a framework joins and parts tensors."""

    def stack(self, rows: Expr, axis: int) -> Expr:
        """Tensors of a list side by side on a new axis."""
        raise NotImplementedError

    def unstack(self, x: Expr, axis: int) -> Expr:
        """The slices along an axis, as something to go through."""
        raise NotImplementedError

    def flip(self, x: Expr, axis: int) -> Expr:
        """A tensor backwards along an axis."""
        raise NotImplementedError

    def empty(self, c: Context, shape: list[Expr], type_: TensorType) -> Expr:
        """A tensor of this shape, one of whose sizes is 0."""
        raise NotImplementedError


def _finish(c: Context, node: Node, results: Sequence[Expr]) -> None:
    for value, result in zip(node.outputs, results, strict=True):
        c.know(value, result)


def write_cond(c: Context, node: Node) -> None:
    """`if predicate:`."""
    results = [Var(mutable=True) for _ in node.outputs]
    captures = [c.name_once(c.x(v)) for v in node.operands["captures"]]
    branches = []
    for name in ("then", "else"):
        with c.block() as block:
            assign_all(c, results, run_body(c, node.bodies[name], captures))
        branches.append(block)
    c.body.append(s.If(c.x(node.operand("predicate")), *branches))
    _finish(c, node, results)


def write_by_mode(c: Context, node: Node, training: Expr) -> None:
    """`if training:`, one branch each."""
    captures = [c.name_once(c.x(v)) for v in node.operands["captures"]]
    results = [Var(mutable=True) for _ in node.outputs]
    branches = []
    for name in ("train", "infer"):
        with c.block() as block:
            assign_all(c, results, run_body(c, node.bodies[name], captures))
        branches.append(block)
    c.body.append(s.If(training, *branches))
    _finish(c, node, results)


def _carried(c: Context, values: Sequence[Value]) -> list[Var]:
    """Variables that the loop assigns, set to where it starts."""
    made = []
    for value in values:
        var = Var(mutable=True)
        c.body.append(s.Assign(var, c.x(value)))
        made.append(var)
    return made


def _rows(c: Context, count: int) -> list[Var]:
    made = [Var("rows") for _ in range(count)]
    for var in made:
        c.body.append(s.Assign(var, Lst(()), pure=False))  # what a loop reads is computed before its rows
    return made


def write_while(c: Context, node: Node, words: Words) -> None:
    """`for _ in range(...)` where trips are bounded, else `while True`, left when the condition fails."""
    first = node.operands["carried"]
    carried = _carried(c, first)
    invariant = [c.name_once(c.x(v)) for v in node.operands["invariant"]]
    rows = _rows(c, len(node.outputs) - len(carried))
    limits = [] if node.attrs["trips"] is None else [c.dim(node.attrs["trips"])]
    if node.operands["trip_count"] is not None:
        limits.append(Name("int")(c.x(node.operands["trip_count"])))
    with c.block() as block:
        if not is_always(node.bodies["cond"]):
            (going,) = run_body(c, node.bodies["cond"], [*carried, *invariant])
            c.body.append(s.If(Unary("not", going), [s.Break()]))
        outs = run_body(c, node.bodies["body"], [*carried, *invariant])
        for row, out in zip(rows, outs[len(carried) :]):
            c.body.append(s.Do(row.append(out)))
        assign_all(c, carried, outs[: len(carried)])
    if limits:
        count = limits[0] if len(limits) == 1 else Name("min")(*limits)
        c.body.append(s.For(Name("_"), Name("range")(count), block))
    else:
        c.body.append(s.While(Lit(True), block))
    body = node.bodies["body"]
    stacked = [_stacked(c, words, body, k, carried, row, 0) for k, row in enumerate(rows, len(carried))]
    _finish(c, node, [*carried, *stacked])


def _stacked(c: Context, words: Words, body: Graph, index: int, carried: Sequence[Var], rows: Var, axis: int) -> Expr:
    """Scan outputs side by side. None at all still has its shape, where the body's types tell it."""
    type_ = body.outputs[index].type
    bound_inside = {
        name for node in body for name in (node.attrs.get("symbol"), *node.attrs.get("symbols", ())) if name
    }
    if any(x.name in bound_inside for d in type_.shape for x in symbols(d)):
        return c.assign(words.stack(rows, axis), fold=False)
    with c.block() as block:  # no trip has run: the carried variables are still what they were
        for value, var in zip(body.inputs, carried):
            c.know(value, var)
        shape = c.shape(type_.shape)
    c.body += block
    shape.insert(axis, Lit(0))
    return c.assign(IfElse(rows, words.stack(rows, axis), words.empty(c, shape, type_)), fold=False)


def write_scan(c: Context, node: Node, words: Words) -> None:
    """`for` over the slices."""
    a = node.attrs
    scanned = node.operands["scanned"]
    carried = _carried(c, node.operands["carried"])
    invariant = [c.name_once(c.x(v)) for v in node.operands["invariant"]]
    count = len(node.outputs) - len(carried)
    rows = _rows(c, count)
    parts = [
        _parts(c, words, v, axis, back)
        for v, axis, back in zip(scanned, a["axes"] or (0,) * len(scanned), a["reverse"] or (False,) * len(scanned))
    ]
    slices = [Var(fold=False) for _ in scanned]
    with c.block() as block:
        outs = run_body(c, node.bodies["body"], [*carried, *slices, *invariant])
        for row, out in zip(rows, outs[len(carried) :]):
            c.body.append(s.Do(row.append(out)))
        assign_all(c, carried, outs[: len(carried)])
    if len(parts) == 1:
        c.body.append(s.For(slices[0], parts[0], block))
    elif parts:
        c.body.append(s.For(Tup(tuple(slices)), Name("zip")(*parts), block))
    else:
        c.body.append(s.For(Name("_"), Name("range")(c.dim(a["length"])), block))
    stacked = []
    for k, (value, row) in enumerate(zip(node.outputs[len(carried) :], rows)):
        axis = (a["output_axes"][k] if a["output_axes"] else 0) % value.type.rank
        out = _stacked(c, words, node.bodies["body"], len(carried) + k, carried, row, axis)
        stacked.append(words.flip(out, axis) if a["output_reverse"] and a["output_reverse"][k] else out)
    _finish(c, node, [*carried, *stacked])


def _parts(c: Context, words: Words, value: Value, axis: int, back: bool) -> Expr:
    parts = words.unstack(c.x(value), axis)
    return Name("reversed")(parts) if back else parts
