"""ATen's LAPACK calls: factors in one matrix, exchanges of rows, reflections."""

from __future__ import annotations

from converter.importers.torch.context import Call, TorchContext, rule
from converter.importers.torch.rules_factor import adjoint, known_sizes, real_only, zero_pivot
from ir.core import Value
from ir.types import broadcast_shapes, dtypes


@rule("aten.linalg_lu_factor.default", "aten.linalg_lu_factor_ex.default")
def lu_factor(c: TorchContext, a: Call) -> list[Value | None]:
    x = a.value("A")
    _pivoting(c, a)
    factors, pivots = c.b.lu(x)
    if not a.has("check_errors"):
        return [factors, pivots]
    a.lit("check_errors")
    return [factors, pivots, zero_pivot(c, factors)]


def _pivoting(c: TorchContext, a: Call) -> None:
    if not a.lit("pivot"):
        c.refuse("factors without pivoting", "leave pivot=True")


@rule("aten.linalg_lu.default")
def lu(c: TorchContext, a: Call) -> list[Value]:
    x = a.value("A")
    _pivoting(c, a)
    return _unpacked(c, *c.b.lu(x))


@rule("aten.lu_unpack.default")
def lu_unpack(c: TorchContext, a: Call) -> list[Value | None]:
    p, lower, upper = _unpacked(c, a.value("LU_data"), a.value("LU_pivots"))
    data, pivots = a.lit("unpack_data"), a.lit("unpack_pivots")
    return [p if pivots else None, *((lower, upper) if data else (None, None))]


def _unpacked(c: TorchContext, factors: Value, pivots: Value) -> list[Value]:
    """The permutation matrix P, and the factors L and U: P L U is the matrix."""
    rank, (rows, columns) = factors.type.rank, known_sizes(c, factors)
    inner, axes = min(rows, columns), (rank - 2, rank - 1)
    left = c.b.slice(factors, axes=axes[1:], starts=(0,), stops=(inner,), steps=(1,))
    upper = c.b.slice(factors, axes=axes[:1], starts=(0,), stops=(inner,), steps=(1,))
    lower = c.b.add(c.b.tril(left, k=-1), c.b.eye(rows=rows, cols=inner, dtype=factors.type.dtype))
    order = c.b.pivot_order(pivots, size=rows)
    place = c.b.arange(start=0, stop=rows, step=1, dtype=dtypes.int64)
    ones = c.b.equal(c.b.unsqueeze(order, axes=(rank - 2,)), c.b.unsqueeze(place, axes=(1,)))
    return [c.cast(ones, factors.type.dtype), lower, c.b.triu(upper)]


@rule("aten.linalg_lu_solve.default")
def lu_solve(c: TorchContext, a: Call) -> Value:
    """P L U x = b, or (adjoint, or x on the left) the same by transposes."""
    factors, pivots, right = a.value("LU"), a.value("pivots"), a.value("B")
    left, turn = a.lit("left"), a.lit("adjoint")
    if not left:
        right = adjoint(c, right)
        turn = not turn
    out = _lu_solution(c, factors, pivots, right, turn)
    return out if left else adjoint(c, out)


def _lu_solution(c: TorchContext, factors: Value, pivots: Value, right: Value, turn: bool) -> Value:
    order = c.b.pivot_order(pivots, size=known_sizes(c, factors)[0])
    if not turn:
        lower = c.b.solve_triangular(factors, _ordered(c, right, order), upper=False, unit=True)
        return c.b.solve_triangular(factors, lower, upper=True)
    turned = adjoint(c, factors)
    upper = c.b.solve_triangular(turned, right, upper=False)
    lower = c.b.solve_triangular(turned, upper, upper=True, unit=True)
    return _ordered(c, lower, c.b.sort(order, axis=order.type.rank - 1)[1])


def _ordered(c: TorchContext, x: Value, order: Value) -> Value:
    """Rows of x in an order [..., rows]; batches broadcast."""
    rank = order.type.rank
    order = c.b.unsqueeze(order, axes=(rank,))
    lead = broadcast_shapes(x.type.shape[:-2], order.type.shape[:-2])
    x = c.b.expand(x, shape=(*lead, *x.type.shape[-2:]))
    order = c.b.expand(order, shape=(*lead, *x.type.shape[-2:]))
    return c.b.gather_elements(x, order, axis=len(lead))


@rule("aten.geqrf.default")
def geqrf(c: TorchContext, a: Call) -> list[Value]:
    x = real_only(c, a.value("self"))
    return list(c.b.householder(x))


@rule("aten.linalg_householder_product.default", "aten.orgqr.default")
def householder_product(c: TorchContext, a: Call) -> Value:
    orgqr = a.has("self")
    x, tau = real_only(c, a.value("self" if orgqr else "input")), a.value("input2" if orgqr else "tau")
    return c.b.householder_product(x, tau)


@rule("aten.ormqr.default")
def ormqr(c: TorchContext, a: Call) -> Value:
    """The whole orthogonal matrix of the reflections times a matrix, from either side."""
    x, tau, other = real_only(c, a.value("self")), a.value("input2"), a.value("input3")
    left, turn = a.lit("left"), a.lit("transpose")
    rows, columns = known_sizes(c, x)
    flat = ((0, 0),) * (x.type.rank - 1)
    if columns < rows:
        x = c.b.pad(x, pads=(*flat, (0, rows - columns)))
    q = c.b.householder_product(x, tau)
    q = adjoint(c, q) if turn else q
    return c.b.matmul(q, other) if left else c.b.matmul(other, q)
