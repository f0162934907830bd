"""Factorisations of matrices in elementary ops, for targets without them: a scan over the columns, in float64.

All of them work on the last two axes. Step k of a scan sees the column's place as a row of the identity matrix.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from ir.ops.special_loops import loop
from ir.types import Dim, broadcast_shapes, dtypes

Step = Callable[..., Any]


def widened(b: Any, x: Any) -> Any:
    """Real matrices in float64; raises NotImplementedError for complex ones and for sizes that are not known."""
    if x.type.dtype.is_complex:
        raise NotImplementedError("matrices of complex numbers have no such form")
    known_sizes(x)
    return b.cast(x, to=dtypes.float64)


def known_sizes(x: Any) -> tuple[int, int]:
    """Rows and columns; raises NotImplementedError where they are symbolic."""
    rows, columns = x.type.shape[-2:]
    if not isinstance(rows, int) or not isinstance(columns, int):
        raise NotImplementedError("the size of the matrices is not known")
    return rows, columns


def over_columns(
    b: Any, carried: Sequence[Any], count: int, sizes: tuple[int, ...], step: Step, invariant: Sequence[Any] = (),
    reverse: bool = False,
) -> tuple[Any, ...]:  # fmt: skip
    """Scan `count` places: `step(b, places, *carried, *invariant) -> carried.., scanned..`. `places` has, for each of
    `sizes`, three masks of that length: this place, from it on, after it. Scanned results have k as first axis,
    and are in the order of the steps."""
    from ir.core import Builder, Graph  # the core imports the ops' definitions

    scanned = []
    for size in sizes:
        k, i = np.arange(count)[:, None], np.arange(size)[None, :]
        scanned += [b.constant(mask) for mask in (i == k, i >= k, i > k)]
    graph = Graph("column")
    own = [graph.add_input(v.type, f"carried{i}") for i, v in enumerate(carried)]
    slices = [graph.add_input(v.type.with_shape(v.type.shape[1:]), f"place{i}") for i, v in enumerate(scanned)]
    fixed = [graph.add_input(v.type, f"fixed{i}") for i, v in enumerate(invariant)]
    places = [tuple(slices[i : i + 3]) for i in range(0, len(slices), 3)]
    made = step(Builder(graph), places, *own, *fixed)
    graph.set_outputs(list(made))
    flags = (reverse,) * len(scanned) if reverse else ()
    return tuple(b.scan(tuple(carried), tuple(scanned), tuple(invariant), body=graph, reverse=flags))


def _column(b: Any, x: Any, here: Any) -> Any:
    """The column of a matrix at a place: [..., rows]."""
    return b.reduce_sum(b.where(here, x, 0.0), axes=(x.type.rank - 1,))


def _row(b: Any, x: Any, here: Any) -> Any:
    """The row of a matrix where the mask [..., rows] is true: [..., 1, columns]."""
    return b.reduce_sum(b.where(standing(b, here), x, 0.0), axes=(x.type.rank - 2,), keepdims=True)


def standing(b: Any, vector: Any) -> Any:
    """[..., n] as a column [..., n, 1]."""
    return b.unsqueeze(vector, axes=(vector.type.rank,))


def lying(b: Any, vector: Any) -> Any:
    """[..., n] as a row [..., 1, n]."""
    return b.unsqueeze(vector, axes=(vector.type.rank - 1,))


def _entry(b: Any, vector: Any, here: Any) -> Any:
    """The entry of a vector where the mask is true: [..., 1]."""
    return b.reduce_sum(b.where(here, vector, 0.0), axes=(vector.type.rank - 1,), keepdims=True)


def transposed(b: Any, x: Any) -> Any:
    """Matrices on their side."""
    rank = x.type.rank
    return b.transpose(x, perm=(*range(rank - 2), rank - 1, rank - 2))


def first_axis_last(b: Any, x: Any) -> Any:
    """[k, ...] as [..., k]."""
    rank = x.type.rank
    return x if rank == 1 else b.transpose(x, perm=(*range(1, rank), 0))


def lu(b: Any, x: Any) -> tuple[Any, Any]:
    """Crout's factors in one matrix and the rows exchanged, counted from 1 (int32), with partial pivoting."""
    rows, columns = known_sizes(x)
    place = b.arange(start=0, stop=rows, step=1, dtype=dtypes.int64)

    def step(b: Any, places: Any, a: Any, numbers: Any) -> tuple[Any, Any]:
        (here, from_here, after), (across, _, beyond) = places
        column = _column(b, a, across)
        index = b.argmax(b.where(from_here, b.abs(column), -1.0), axis=column.type.rank - 1, keepdims=True)
        chosen = b.equal(numbers, index)
        upper, lower = _row(b, a, here), _row(b, a, chosen)
        a = b.where(standing(b, here), lower, b.where(standing(b, chosen), upper, a))
        column = _column(b, a, across)
        pivot = _entry(b, column, here)
        safe = b.where(b.equal(pivot, 0.0), 1.0, pivot)  # a column of zeros stays
        factor = b.where(after, b.div(column, safe), 0.0)
        reduced = b.sub(a, b.mul(standing(b, factor), b.where(beyond, lower, 0.0)))
        a = b.where(b.and_(standing(b, after), across), standing(b, factor), reduced)
        return a, b.squeeze(b.add(b.cast(index, to=dtypes.int32), 1), axes=(index.type.rank - 1,))

    out, pivots = over_columns(b, (x,), min(rows, columns), (rows, columns), step, (place,))
    return out, first_axis_last(b, pivots)


def permutation(b: Any, pivots: Any, rows: int) -> Any:
    """The order of rows after the exchanges that `pivots` [..., k] tells."""
    count = pivots.type.shape[-1]
    shape = (*pivots.type.shape[:-1], rows)
    order = b.expand(b.arange(start=0, stop=rows, step=1, dtype=dtypes.int64), shape=shape)
    place = b.arange(start=1, stop=rows + 1, step=1, dtype=dtypes.int32)

    def step(b: Any, places: Any, order: Any, pivots: Any, place: Any) -> tuple[Any]:
        (here, _, _), (across, _, _) = places
        number = b.reduce_sum(b.where(across, pivots, 0), axes=(pivots.type.rank - 1,), keepdims=True)
        there = b.equal(place, b.cast(number, to=dtypes.int32))
        mine = b.reduce_sum(b.where(here, order, 0), axes=(order.type.rank - 1,), keepdims=True)
        other = b.reduce_sum(b.where(there, order, 0), axes=(order.type.rank - 1,), keepdims=True)
        return (b.where(here, other, b.where(there, mine, order)),)

    return over_columns(b, (order,), count, (rows, count), step, (pivots, place))[0]


def cholesky(b: Any, x: Any) -> Any:
    """The lower factor; NaN from the first column on where the matrix is not positive definite."""
    size, _ = known_sizes(x)

    def step(b: Any, places: Any, a: Any) -> tuple[Any, Any]:
        ((here, from_here, _),) = places
        column = _column(b, a, here)
        pivot = b.sqrt(_entry(b, column, here))
        column = b.where(from_here, b.div(column, pivot), 0.0)
        return b.sub(a, b.mul(standing(b, column), lying(b, column))), column

    _, columns = over_columns(b, (x,), size, (size,), step)
    return first_axis_last(b, columns)


def solve_triangular(b: Any, x: Any, y: Any, upper: bool, unit: bool) -> Any:
    """Rows of the solution one after the other; batches broadcast."""
    size, _ = known_sizes(x)
    lead: tuple[Dim, ...] = broadcast_shapes(x.type.shape[:-2], y.type.shape[:-2])
    start = b.full(shape=(*lead, *y.type.shape[-2:]), value=0.0, dtype=dtypes.float64)

    def step(b: Any, places: Any, found: Any, x: Any, y: Any) -> tuple[Any]:
        ((here, _, _),) = places
        row = _row(b, x, here)
        rest = b.sub(_row(b, y, here), b.matmul(row, found))
        if not unit:
            rest = b.div(rest, b.reduce_sum(b.where(here, row, 0.0), axes=(row.type.rank - 1,), keepdims=True))
        return (b.where(standing(b, here), rest, found),)

    first = 1 if unit else 0  # a diagonal of ones is not read
    triangle = b.triu(x, k=first) if upper else b.tril(x, k=-first)
    return over_columns(b, (start,), size, (size,), step, (triangle, y), reverse=upper)[0]


def householder(b: Any, x: Any) -> tuple[Any, Any]:
    """LAPACK's geqrf: the triangle, the reflectors below it, and their factors."""
    rows, columns = known_sizes(x)

    def step(b: Any, places: Any, a: Any) -> tuple[Any, Any]:
        (here, _, after), (across, _, beyond) = places
        column = _column(b, a, across)
        alpha = _entry(b, column, here)
        rest = b.where(after, column, 0.0)
        square = b.reduce_sum(b.square(rest), axes=(rest.type.rank - 1,), keepdims=True)
        flat = b.equal(square, 0.0)  # nothing to reflect
        size = b.sqrt(b.add(b.square(alpha), square))
        beta = b.where(flat, alpha, b.where(b.less(alpha, 0.0), size, b.neg(size)))
        tau = b.where(flat, 0.0, b.div(b.sub(beta, alpha), b.where(flat, 1.0, beta)))
        vector = b.where(here, 1.0, b.div(rest, b.where(flat, 1.0, b.sub(alpha, beta))))
        through = b.mul(b.matmul(lying(b, vector), a), standing(b, tau))
        a = b.where(beyond, b.sub(a, b.mul(standing(b, vector), through)), a)
        kept = b.where(standing(b, here), standing(b, beta), standing(b, vector))
        a = b.where(b.and_(across, standing(b, b.or_(here, after))), kept, a)
        return a, b.squeeze(tau, axes=(tau.type.rank - 1,))

    out, tau = over_columns(b, (x,), min(rows, columns), (rows, columns), step)
    return out, first_axis_last(b, tau)


def householder_product(b: Any, x: Any, tau: Any) -> Any:
    """LAPACK's orgqr: the first columns of the product of the reflections, from the last to the first."""
    rows, columns = known_sizes(x)
    count = tau.type.shape[-1]
    eye = b.eye(rows=rows, cols=columns, dtype=dtypes.float64)
    start = b.expand(eye, shape=(*x.type.shape[:-2], rows, columns))

    def step(b: Any, places: Any, q: Any, x: Any, tau: Any) -> tuple[Any]:
        (here, _, after), (across, _, _), (number, _, _) = places
        vector = b.where(here, 1.0, b.where(after, _column(b, x, across), 0.0))
        through = b.mul(b.matmul(lying(b, vector), q), standing(b, _entry(b, tau, number)))
        return (b.sub(q, b.mul(standing(b, vector), through)),)

    return over_columns(b, (start,), count, (rows, columns, count), step, (x, tau), reverse=True)[0]


def eigenvalues(b: Any, x: Any) -> Any:
    """Of symmetric matrices, in ascending order: Jacobi's rotations of all pairs, in sweeps until nothing is left."""
    size, _ = known_sizes(x)
    if size > 1:
        x = _rotated(b, x, size)
    diagonal = b.diagonal(x)
    return b.sort(diagonal)[0]


SWEEPS = 12
"""Jacobi's method converges quadratically: float64 is reached in 6 to 10 sweeps at the sizes that make sense here."""


def _rotated(b: Any, x: Any, size: int) -> Any:
    from ir.core import Builder, Graph  # the core imports the ops' definitions

    pairs = [(p, q) for p in range(size) for q in range(p + 1, size)] * SWEEPS
    places = np.eye(size, dtype=np.bool_)
    firsts, seconds = (b.constant(places[[pair[k] for pair in pairs]]) for k in (0, 1))
    graph = Graph("rotation")
    a = graph.add_input(x.type, "matrix")
    first, second = (graph.add_input(firsts.type.with_shape((size,)), n) for n in ("first", "second"))
    graph.set_outputs([_rotate(Builder(graph), a, first, second)])
    return b.scan((x,), (firsts, seconds), (), body=graph)[0]


def _rotate(b: Any, a: Any, first: Any, second: Any) -> Any:
    """One rotation that makes the entry (first, second) zero (Golub and Van Loan 8.5)."""
    one, two = _column(b, a, first), _column(b, a, second)
    low, high, off = _entry(b, one, first), _entry(b, two, second), _entry(b, two, first)
    done = b.equal(off, 0.0)
    slope = b.div(b.sub(high, low), b.mul(b.where(done, 1.0, off), 2.0))
    root = b.sqrt(b.add(b.square(slope), 1.0))
    tangent = b.div(1.0, b.where(b.less(slope, 0.0), b.sub(slope, root), b.add(slope, root)))
    tangent = b.where(done, 0.0, tangent)
    cosine = b.reciprocal(b.sqrt(b.add(b.square(tangent), 1.0)))
    sine = b.mul(tangent, cosine)
    plain = b.sub(b.mul(one, cosine), b.mul(two, sine)), b.add(b.mul(one, sine), b.mul(two, cosine))
    a = b.where(first, standing(b, plain[0]), b.where(second, standing(b, plain[1]), a))
    up, down = _row(b, a, first), _row(b, a, second)
    c, s = standing(b, cosine), standing(b, sine)
    rows = b.sub(b.mul(up, c), b.mul(down, s)), b.add(b.mul(up, s), b.mul(down, c))
    return b.where(standing(b, first), rows[0], b.where(standing(b, second), rows[1], a))


TERMS = 13
"""Of Taylor's sum, where the norm is at most 1/4: the rest is below 1e-18."""


def exponential(b: Any, x: Any) -> Any:
    """Taylor's sum of x over a power of two that makes it small, then as many squarings (Moler and Van Loan 2003)."""
    size, _ = known_sizes(x)
    axes = (x.type.rank - 2, x.type.rank - 1)

    def large(b: Any, x: Any, count: Any) -> Any:
        norm = b.reduce_max(b.reduce_sum(b.abs(x), axes=axes))
        return b.and_(b.greater(norm, 0.25), b.not_(b.isinf(norm)))

    def halved(b: Any, x: Any, count: Any) -> tuple[Any, Any]:
        return b.mul(x, 0.5), b.add(count, 1)

    x, count = loop(b, (x, b.constant(0)), (), large, halved)
    eye = b.eye(rows=size, cols=size, dtype=dtypes.float64)
    out = b.add(b.mul(x, 1 / TERMS), eye)
    for k in range(TERMS - 1, 0, -1):
        out = b.add(b.mul(b.matmul(x, out), 1 / k), eye)

    def left(b: Any, out: Any, count: Any) -> Any:
        return b.greater(count, 0)

    def squared(b: Any, out: Any, count: Any) -> tuple[Any, Any]:
        return b.matmul(out, out), b.sub(count, 1)

    return loop(b, (out, count), (), left, squared)[0]
