"""Control flow with closed bodies: everything a body reads is an operand of the node, or a weight.

Inference and decomposition get bodies as `Graph`s, evaluation as `Body` callables. A body's inputs have the operands'
types. Sizes are scoped: a body sees the symbols of its surroundings; those bound inside it end with it. Where a size of
the result is known only inside (a carried tensor that grows, a branch that filters), the attribute `symbols` names the
opaque symbols that stand for such sizes outside, in order of outputs and axes; their number must be exact.

A carried tensor keeps its sizes from one iteration to the next. An axis whose size may change has a symbol of its own
in the body's input type, under a name not used outside, and takes one of `symbols` outside.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np

from ir.ops.bodies import Fresh, carried_results, check_inputs, is_always, outer_symbols, stacked_result
from ir.ops.registry import op
from ir.ops.sampler import Sample, Sampler
from ir.types import Dim, TensorType, dim_max, normalize_axis, require_same, same
from ir.types.errors import AttributeValueError, DTypeError, ShapeError

if TYPE_CHECKING:
    from ir.core.graph import Graph

Array = np.ndarray
Types = tuple[TensorType, ...]


class Body(Protocol):
    """A body during evaluation."""

    outputs: int

    def __call__(self, *arrays: Array) -> tuple[Array, ...]:
        """Run the body once."""

    def empty(self, index: int, inputs: Sequence[Array]) -> Array:
        """Zeros of the shape that output `index` would have for these inputs, from its type alone; raises ValueError
        where the type does not tell it."""


@op
class Cond:
    """`then` or `else` on the captures, as the 0-d predicate says. Both return the same number, dtypes and ranks.

    Sizes on which the branches differ, or that only a branch knows, take a name each from `symbols`.
    """

    inputs = ("predicate: bool", "captures*: any")
    outputs = ("results*",)
    bodies = ("then", "else")
    symbols: tuple[str, ...] = ()

    @staticmethod
    def infer(predicate: TensorType, captures: Types, symbols: tuple[str, ...], **bodies: Graph) -> Types:
        if predicate.rank:
            raise ShapeError(f"cond: the predicate must be 0-d, got {predicate}")
        return branch_types("cond", captures, symbols, bodies)

    @staticmethod
    def evaluate(
        predicate: Array, captures: tuple[Array, ...], symbols: tuple[str, ...], **bodies: Body
    ) -> tuple[Array, ...]:
        return bodies["then" if predicate else "else"](*captures)

    @staticmethod
    def samples(s: Sampler) -> Iterator[Sample]:
        from ir.ops import control_samples

        yield from control_samples.cond(s)


def branch_types(what: str, captures: Types, symbols: tuple[str, ...], bodies: Mapping[str, Graph]) -> Types:
    """Result types of an op that runs one of two bodies on the captures; raises where the bodies do not fit."""
    (first, a_body), (second, b_body) = bodies.items()
    for name, body in bodies.items():
        check_inputs(body, captures, f"{what}: {name}")
    if len(a_body.outputs) != len(b_body.outputs):
        raise ShapeError(f"{what}: branches return {len(a_body.outputs)} and {len(b_body.outputs)} values")
    fresh = Fresh(what, symbols)
    local = [outer_symbols(b, captures).local for b in (a_body, b_body)]
    results = []
    for k, (a, b) in enumerate(zip(a_body.outputs, b_body.outputs, strict=True)):
        results.append(_merge(a.type, b.type, local, fresh, f"{what}: result {k}", (first, second)))
    fresh.done()
    return tuple(results)


def _merge(
    a: TensorType, b: TensorType, local: Sequence[frozenset[str]], fresh: Fresh, what: str, names: tuple[str, str]
) -> TensorType:
    """The type of a result that either branch may give."""
    if a.dtype != b.dtype:
        raise DTypeError(f"{what} is {a.dtype} in {names[0]} and {b.dtype} in {names[1]}")
    if a.rank != b.rank:
        raise ShapeError(f"{what} has rank {a.rank} in {names[0]} and {b.rank} in {names[1]}")
    dims = []
    for axis, (x, y) in enumerate(zip(a.shape, b.shape, strict=True)):
        known = not fresh.mentions(x, local[0]) and not fresh.mentions(y, local[1])
        dims.append(x if known and same(x, y) else fresh.take(f"{what}, axis {axis} ({x} or {y})"))
    return a.with_shape(dims)


@op
class While:
    """Runs `body` while `cond` holds and trips are left; returns the carried values, then the stacked scan outputs.

    cond(carried.., invariant..) -> bool 0-d; body(carried.., invariant..) -> carried.., scanned... The number of trips
    is bounded by `trips`, by the 0-d operand `trip_count`, or by nothing; zero or less runs none. A loop that counts
    only has a `cond` that returns the constant True. Scan outputs are stacked along a new axis 0 of as many trips as
    ran; after none they have length 0, and sizes that only a trip would tell are an error.

    `symbols`: the changing axes of carried values, then the number of trips (unless it is exactly `trips`: a constant
    `cond` and no `trip_count`) if there are scan outputs, then the sizes of scan outputs known only inside.

    ONNX Loop: carried = (iteration, condition, state..), `trip_count` its M, `cond` returns the carried condition.
    torch while_loop: `cond` and `body` as they are.
    """

    name = "while"
    inputs = ("carried*: any", "invariant*: any", "trip_count?: index")
    outputs = ("results*",)
    bodies = ("cond", "body")
    trips: Dim | None = None
    symbols: tuple[str, ...] = ()

    @staticmethod
    def infer(
        carried: Types,
        invariant: Types,
        trip_count: TensorType | None,
        trips: Dim | None,
        symbols: tuple[str, ...],
        cond: Graph,
        body: Graph,
    ) -> Types:
        if trip_count is not None and trip_count.rank:
            raise ShapeError(f"while: trip_count must be 0-d, got {trip_count}")
        _check_condition(cond, (*carried, *invariant), len(carried))
        check_inputs(body, (*carried, *invariant), "while: body", changing=len(carried))
        if len(body.outputs) < len(carried):
            raise ShapeError(f"while: body returns {len(body.outputs)} values, {len(carried)} are carried")
        if is_always(cond) and trips is None and trip_count is None:
            raise AttributeValueError("while: nothing ends the loop")
        scope, fresh = outer_symbols(body, (*carried, *invariant)), Fresh("while", symbols)
        results = list(carried_results(body, carried, scope, fresh, "while"))
        if len(body.outputs) > len(carried):
            exact = is_always(cond) and trip_count is None and trips is not None
            length = dim_max(trips, 0) if exact and trips is not None else fresh.take("while: the number of trips")
            for k, value in enumerate(body.outputs[len(carried) :]):
                results.append(stacked_result(value.type, length, 0, scope, fresh, f"while: scan output {k}"))
        fresh.done()
        return tuple(results)

    @staticmethod
    def evaluate(
        carried: tuple[Array, ...],
        invariant: tuple[Array, ...],
        trip_count: Array | None,
        trips: int | None,
        symbols: tuple[str, ...],
        cond: Body,
        body: Body,
    ) -> tuple[Array, ...]:
        bounds = [*([trips] if trips is not None else []), *([int(trip_count)] if trip_count is not None else [])]
        limit = min(bounds, default=None)
        state, n = tuple(carried), 0
        rows: list[tuple[Array, ...]] = []
        while (limit is None or n < limit) and cond(*state, *invariant)[0]:
            out = body(*state, *invariant)
            state, n = out[: len(carried)], n + 1
            rows.append(out[len(carried) :])
        return (*state, *_stack(body, rows, len(carried), (*carried, *invariant), ()))

    @staticmethod
    def samples(s: Sampler) -> Iterator[Sample]:
        from ir.ops import control_samples

        yield from control_samples.while_(s)


def _check_condition(cond: Graph, types: Types, changing: int) -> None:
    check_inputs(cond, types, "while: cond", changing=changing)
    result = [v.type for v in cond.outputs]
    if len(result) != 1 or result[0].rank or not result[0].dtype.is_bool:
        raise DTypeError(f"while: cond must return one 0-d bool, got {', '.join(map(str, result)) or 'nothing'}")


def _stack(
    body: Body, rows: Sequence[tuple[Array, ...]], first: int, inputs: Sequence[Array], axes: Sequence[int]
) -> Iterator[Array]:
    """The scan outputs, stacked along their axes; from the body's types where nothing ran."""
    for k in range(body.outputs - first):
        axis = axes[k] if axes else 0
        if rows:
            yield _stack_one([row[k] for row in rows], axis, k)
        else:
            one = np.expand_dims(body.empty(first + k, inputs), axis)
            yield one[tuple(slice(0) if a == axis % one.ndim else slice(None) for a in range(one.ndim))]


def _stack_one(parts: Sequence[Array], axis: int, k: int) -> Array:
    shapes = {p.shape for p in parts}
    if len(shapes) > 1:
        raise ShapeError(f"scan output {k} changes its shape between trips: {sorted(shapes)[:4]}")
    return np.stack(parts, axis)


@op
class Scan:
    """Runs `body` once for each slice of the scanned operands, which have one length; returns the carried values, then
    the stacked scan outputs.

    body(carried.., slices.., invariant..) -> carried.., scan outputs... Per scanned operand `axes` is the axis sliced
    and dropped (empty: 0 for each) and `reverse` whether from the end; per scan output `output_axes` is where the axis
    of trips goes and `output_reverse` whether the last trip comes first (empty: axis 0, in order). `length` is the
    number of trips where nothing is scanned, and else must agree with the operands' sizes.

    `symbols`: the changing axes of carried values, then the sizes of scan outputs known only inside. ONNX Scan maps one
    to one; torch and jax scans have axis 0, and with reverse=True both `reverse` and `output_reverse`.
    """

    inputs = ("carried*: any", "scanned*: any", "invariant*: any")
    outputs = ("results*",)
    bodies = ("body",)
    axes: tuple[int, ...] = ()
    reverse: tuple[bool, ...] = ()
    output_axes: tuple[int, ...] = ()
    output_reverse: tuple[bool, ...] = ()
    length: Dim | None = None
    symbols: tuple[str, ...] = ()

    @staticmethod
    def infer(
        carried: Types,
        scanned: Types,
        invariant: Types,
        axes: tuple[int, ...],
        reverse: tuple[bool, ...],
        output_axes: tuple[int, ...],
        output_reverse: tuple[bool, ...],
        length: Dim | None,
        symbols: tuple[str, ...],
        body: Graph,
    ) -> Types:
        _check_counts("scan: axes and reverse", len(scanned), axes, reverse)
        places = [normalize_axis(a, t.rank) for a, t in zip(axes or (0,) * len(scanned), scanned, strict=True)]
        trips = _scan_length(scanned, places, length)
        slices = tuple(t.with_shape(d for k, d in enumerate(t.shape) if k != a) for t, a in zip(scanned, places))
        given = (*carried, *slices, *invariant)
        check_inputs(body, given, "scan: body", changing=len(carried))
        outs = body.outputs[len(carried) :]
        if len(body.outputs) < len(carried):
            raise ShapeError(f"scan: body returns {len(body.outputs)} values, {len(carried)} are carried")
        _check_counts("scan: output_axes and output_reverse", len(outs), output_axes, output_reverse)
        scope, fresh = outer_symbols(body, (*given, *scanned)), Fresh("scan", symbols)
        results = list(carried_results(body, carried, scope, fresh, "scan"))
        for k, (value, axis) in enumerate(zip(outs, output_axes or (0,) * len(outs), strict=True)):
            results.append(stacked_result(value.type, trips, axis, scope, fresh, f"scan: scan output {k}"))
        fresh.done()
        return tuple(results)

    @staticmethod
    def evaluate(
        carried: tuple[Array, ...],
        scanned: tuple[Array, ...],
        invariant: tuple[Array, ...],
        axes: tuple[int, ...],
        reverse: tuple[bool, ...],
        output_axes: tuple[int, ...],
        output_reverse: tuple[bool, ...],
        length: int | None,
        symbols: tuple[str, ...],
        body: Body,
    ) -> tuple[Array, ...]:
        turned = [np.moveaxis(x, a, 0) for x, a in zip(scanned, axes or (0,) * len(scanned), strict=True)]
        turned = [x[::-1] if back else x for x, back in zip(turned, reverse or (False,) * len(turned), strict=True)]
        counts = {len(x) for x in turned} | ({length} if length is not None else set())
        if len(counts) != 1:
            raise ShapeError(f"scan: lengths {sorted(counts)} differ")
        state = tuple(carried)
        rows: list[tuple[Array, ...]] = []
        for t in range(counts.pop()):
            out = body(*state, *(x[t] for x in turned), *invariant)
            state = out[: len(carried)]
            rows.append(out[len(carried) :])
        slices = [np.zeros(x.shape[1:], x.dtype) for x in turned]
        stacked = _stack(body, rows, len(carried), (*carried, *slices, *invariant), output_axes)
        return (
            *state,
            *(
                np.flip(y, output_axes[k] if output_axes else 0) if back else y
                for k, (y, back) in enumerate(_flags(stacked, output_reverse))
            ),
        )

    @staticmethod
    def samples(s: Sampler) -> Iterator[Sample]:
        from ir.ops import control_samples

        yield from control_samples.scan(s)


def _flags(stacked: Iterator[Array], flags: Sequence[bool]) -> Iterator[tuple[Array, bool]]:
    for k, y in enumerate(stacked):
        yield y, bool(flags) and flags[k]


def _check_counts(what: str, count: int, *fields: Sequence[Any]) -> None:
    if any(f and len(f) != count for f in fields):
        raise AttributeValueError(f"{what} need one entry for each of {count}, or none")


def _scan_length(scanned: Types, axes: Sequence[int], length: Dim | None) -> Dim:
    sizes = [t.shape[a] for t, a in zip(scanned, axes, strict=True)]
    if length is not None:
        sizes.append(length)
    if not sizes:
        raise AttributeValueError("scan: nothing is scanned, so length must be given")
    if isinstance(length, int) and length < 0:
        raise AttributeValueError(f"scan: length {length} must not be negative")
    for size in sizes[1:]:
        require_same(sizes[0], size, "scan: one length for all")
    return sizes[0]
