"""Control flow by `tf.cond` and `tf.while_loop`, whose bodies are local functions: the same code runs at once, as a graph
and compiled."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from converter.exporters.code import stmt as s
from converter.exporters.code.expr import Expr, Lit, Name, Tup, Var, lift
from converter.exporters.outline.bodies import local_function, run_body
from converter.exporters.tensorflow.context import TF, Context
from converter.exporters.tensorflow.table import rule
from ir.core import Graph, Node, Value
from ir.ops.bodies import is_always
from ir.types import Dim, TensorType, dtypes, normalize_axis, symbols


def _names(c: Context, values: Sequence[Value]) -> list[Expr]:
    """What a body reads from around it, under a name."""
    return [c.name_once(c.x(v)) for v in values]


def _bind(c: Context, node: Node, call: Expr) -> None:
    """The outputs of a node are what a call returns, one or several."""
    if len(node.outputs) == 1:
        c.know(node.output, c.assign(call, fold=False))
        return
    parts = [Var() for _ in node.outputs]
    c.body.append(s.Assign(Tup(tuple(parts)), call))
    for value, var in zip(node.outputs, parts, strict=True):
        c.know(value, var)


@rule("cond")
def cond(c: Context, node: Node) -> None:
    """`tf.cond(predicate, then, otherwise)`."""
    captures = _names(c, node.operands["captures"])
    predicate = c.name_once(c.x(node.operand("predicate")), "chosen")
    branches = [
        local_function(c, hint, (), lambda name=name: run_body(c, node.bodies[name], captures))  # type: ignore[misc]
        for hint, name in (("then", "then"), ("otherwise", "else"))
    ]
    _bind(c, node, TF.cond(predicate, *branches))


@dataclass(eq=False)
class _Loop:
    """A `tf.while_loop` in the making: where its variables start, their names inside, and the rows it collects."""

    c: Context
    node: Node
    body: Graph
    carried: int
    starts: list[Expr]
    invariant: list[Expr]

    @property
    def rows(self) -> list[Value]:
        """What each trip gives, as values of the body."""
        return list(self.body.outputs[self.carried :])

    def arguments(self) -> tuple[list[Var], list[Var]]:
        """Fresh names of the carried values and of the arrays of rows, for one of the loop's functions."""
        return [Var() for _ in range(self.carried)], [Var("rows", strong=True) for _ in self.rows]

    def arrays(self, size: Expr | None) -> list[Expr]:
        """`tf.TensorArray(tf.float32, size)`, one for each kind of row; one that grows where the trips are not known."""
        made: list[Expr] = []
        for value in self.rows:
            grows = {} if size is not None else {"dynamic_size": lift(True)}
            shape = {"element_shape": lift(_static(value.type))} if size is None else {}
            made.append(
                TF.TensorArray(self.c.dtype(value.type.dtype), lift(0) if size is None else size, **grows, **shape)
            )
        return made

    def invariants(self, extra: int) -> dict[str, Expr]:
        """`shape_invariants=`, where an axis of a carried value changes its size. `extra` variables come before."""
        values = self.body.inputs[: self.carried]
        if all(_same_shape(v.type, o.type) for v, o in zip(values, self.node.operands["carried"])):
            return {}
        shapes = [TF.TensorShape(lift([])) for _ in range(extra)]
        shapes += [TF.TensorShape(lift([*_static(v.type)])) for v in values]
        shapes += [TF.TensorShape(Lit(None)) for _ in self.rows]
        return {"shape_invariants": Tup(tuple(shapes))}

    def stacked(self, index: int, rows: Var, axis: int, count: Expr | None) -> Expr:
        """The rows side by side along an axis. `count` is how many there are; None where the loop runs as often as the array
        is long, and at least once."""
        type_ = self.rows[index].type
        joined: Expr = rows.stack()
        if count is not None:
            shape = self._shape_of_none(type_)
            joined = self.c.helper("stacked")(rows, count, *([] if shape is None else [lift(shape)]))
        if axis:
            order = list(range(1, type_.rank + 1))
            order.insert(axis, 0)
            joined = TF.transpose(joined, lift(tuple(order)))
        return joined

    def _shape_of_none(self, type_: TensorType) -> list[Expr] | None:
        """The sizes of a row, from where the loop starts; None where only a trip tells them."""
        inside = {n for node in self.body for n in (node.attrs.get("symbol"), *node.attrs.get("symbols", ())) if n}
        if any(x.name in inside for d in type_.shape for x in symbols(d)):
            return None
        for value, start in zip(self.body.inputs, self.starts):
            self.c.know(value, start)
        return self.c.shape(type_.shape)


def _static(type_: TensorType) -> tuple[int | None, ...]:
    return tuple(d if isinstance(d, int) else None for d in type_.shape)


def _same_shape(inside: TensorType, outside: TensorType) -> bool:
    return all(a == b for a, b in zip(inside.shape, outside.shape, strict=True))


def _starts(c: Context, values: Sequence[Value]) -> list[Expr]:
    """Where carried values start, under names: a weight's value, and not its variable."""
    return [c.assign(TF.identity(c.x(v)), fold=False) if v.is_weight else c.name_once(c.x(v)) for v in values]


def _finish(loop: _Loop, call: Expr, counted: bool, exact: bool, axes: Sequence[int] = ()) -> None:
    """Bind the loop's results: the counter, if there is one, the carried values, then the rows. `exact`: there is a row for
    each place of the arrays, and one at least."""
    c, node = loop.c, loop.node
    ends = [Var() for _ in range(loop.carried)]
    rows = [Var("rows", strong=True) for _ in loop.rows]
    count = None if exact or not rows else Var("count", strong=True)
    targets: list[Expr] = [*([count or Name("_")] if counted else []), *ends, *rows]
    c.body.append(s.Assign(targets[0] if len(targets) == 1 else Tup(tuple(targets)), call))
    stacked = [loop.stacked(k, row, axes[k] if axes else 0, count) for k, row in enumerate(rows)]
    for value, result in zip(node.outputs, [*ends, *stacked], strict=True):
        c.know(value, result if isinstance(result, Var) else c.assign(result, fold=False))


@rule("while")
def while_(c: Context, node: Node) -> None:
    """`tf.while_loop(going, step, ...)`; a counter runs along where rows are collected or trips are bounded."""
    body, test = node.bodies["body"], node.bodies["cond"]
    carried = node.operands["carried"]
    loop = _Loop(c, node, body, len(carried), _starts(c, carried), _names(c, node.operands["invariant"]))
    limit = _limit(c, node)
    counted = limit is not None or bool(loop.rows)

    def going() -> list[Expr]:
        within = None if limit is None else counter < limit
        if within is not None and is_always(test):
            return [within]
        (more,) = run_body(c, test, [*inner, *loop.invariant])
        return [more if within is None else within & more]

    def step() -> list[Expr]:
        outs = run_body(c, body, [*inner, *loop.invariant])
        written = [row.write(counter, out) for row, out in zip(rows, outs[len(carried) :])]
        return [*([counter + 1] if counted else []), *outs[: len(carried)], *written]

    functions = []
    for hint, write in (("going", going), ("step", step)):
        counter, (inner, rows) = Var("i", strong=True), loop.arguments()
        functions.append(local_function(c, hint, [*([counter] if counted else []), *inner, *rows], write))
    trips = node.attrs["trips"]
    exact = is_always(test) and node.operands["trip_count"] is None and isinstance(trips, int) and trips > 0
    variables = Tup((*[lift(0)] * counted, *loop.starts, *loop.arrays(lift(trips) if exact else None)))
    call = TF.while_loop(*functions, variables, **loop.invariants(int(counted)))
    _finish(loop, call, counted, exact)


def _limit(c: Context, node: Node) -> Expr | None:
    """How many trips there may be at most, as a number of 32 bits; None where nothing bounds them."""
    limits = [] if node.attrs["trips"] is None else [c.dim(node.attrs["trips"])]
    if node.operands["trip_count"] is not None:
        count = c.x(node.operands["trip_count"])
        wide = node.operands["trip_count"].type.dtype.name != "int32"
        limits.append(c.cast(TF.minimum(count, lift(2**31 - 1)), dtypes.int32) if wide else count)
    if len(limits) < 2:
        return c.name_once(limits[0], "trips") if limits else None
    return c.assign(TF.minimum(*limits), "trips")


@rule("scan")
def scan(c: Context, node: Node) -> None:
    """A `tf.while_loop` over positions: each trip reads its slices and writes its rows."""
    a, body = node.attrs, node.bodies["body"]
    carried, scanned = node.operands["carried"], node.operands["scanned"]
    loop = _Loop(c, node, body, len(carried), _starts(c, carried), _names(c, node.operands["invariant"]))
    parts = _names(c, scanned)
    axes = [normalize_axis(x, v.type.rank) for x, v in zip(a["axes"] or (0,) * len(scanned), scanned)]
    size: Dim = scanned[0].type.shape[axes[0]] if scanned else a["length"]
    length = c.name_once(c.dim(size), "length")
    back = a["reverse"] or (False,) * len(scanned)
    turned = a["output_reverse"] or (False,) * len(loop.rows)

    def going() -> list[Expr]:
        return [counter < length]

    def step() -> list[Expr]:
        from_end = c.assign(length - 1 - counter, "last") if any((*back, *turned)) else counter
        slices = [_slice(x, from_end if b else counter, axis) for x, axis, b in zip(parts, axes, back)]
        outs = run_body(c, body, [*inner, *slices, *loop.invariant])
        places = [from_end if t else counter for t in turned]
        written = [row.write(at, out) for row, at, out in zip(rows, places, outs[len(carried) :])]
        return [counter + 1, *outs[: len(carried)], *written]

    functions: list[Var] = []
    writers: tuple[tuple[str, Callable[[], list[Expr]]], ...] = (("going", going), ("step", step))
    for hint, write in writers:
        counter, (inner, rows) = Var("i", strong=True), loop.arguments()
        functions.append(local_function(c, hint, [counter, *inner, *rows], write))
    variables = Tup((lift(0), *loop.starts, *loop.arrays(length)))
    call = TF.while_loop(*functions, variables, **loop.invariants(1))
    places = [(a["output_axes"][k] if a["output_axes"] else 0) for k in range(len(loop.rows))]
    ranks = [v.type.rank + 1 for v in loop.rows]
    _finish(loop, call, True, isinstance(size, int) and size > 0, [p % r for p, r in zip(places, ranks)])


def _slice(x: Expr, index: Expr, axis: int) -> Expr:
    return TF.gather(x, index, axis=lift(axis)) if axis else x[index]
