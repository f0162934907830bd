"""ATen linear algebra: factorisations, inverses, determinants, solutions."""

from __future__ import annotations

import math

from converter.importers.torch.context import Call, TorchContext, is_static, rule
from ir.core import Value
from ir.types import dtypes


@rule("aten.linalg_inv.default", "aten.inverse.default", "aten.linalg_inv_ex.default")
def inverse(c: TorchContext, a: Call) -> Value | list[Value | None]:
    if a.has("check_errors"):
        a.lit("check_errors")
        return [c.b.inverse(a.value("A")), zero_pivot(c, c.b.lu(a.value("A"))[0])]
    return c.b.inverse(a.value("A" if a.has("A") else "self"))


@rule("aten.linalg_matrix_exp.default", "aten.matrix_exp.default")
def matrix_exp(c: TorchContext, a: Call) -> Value:
    return c.b.matrix_exp(real_only(c, a.value("self")))


@rule("aten.linalg_tensorinv.default")
def tensor_inverse(c: TorchContext, a: Call) -> Value:
    """The inverse of the matrix whose rows are the first `ind` axes and whose columns are the others."""
    x, ind = a.value("self"), a.lit("ind")
    rows, columns = x.type.shape[:ind], x.type.shape[ind:]
    sizes = [math.prod(d for d in part) for part in (rows, columns)]
    return c.b.reshape(c.b.inverse(c.b.reshape(x, shape=tuple(sizes))), shape=(*columns, *rows))


@rule("aten.linalg_det.default", "aten.det.default", "aten._linalg_det.default")
def determinant(c: TorchContext, a: Call) -> Value | list[Value | None]:
    out = c.b.determinant(a.value("A" if a.has("A") else "self"))
    return [out, None, None] if "_linalg" in str(a.node.target) else out


@rule("aten.linalg_slogdet.default", "aten.slogdet.default", "aten._linalg_slogdet.default")
def log_determinant(c: TorchContext, a: Call) -> list[Value | None]:
    sign, log = c.b.log_determinant(a.value("A" if a.has("A") else "self"))
    return [sign, log, None, None] if "_linalg" in str(a.node.target) else [sign, log]


@rule("aten.linalg_cholesky.default", "aten.cholesky.default", "aten.linalg_cholesky_ex.default")
def cholesky(c: TorchContext, a: Call) -> Value | list[Value | None]:
    out = c.b.cholesky(a.value("self"), upper=a.lit("upper"))
    if a.has("check_errors"):
        a.lit("check_errors")
        pivots = diagonal_of(c, out)
        if pivots.type.dtype.is_complex:
            pivots = c.b.real(pivots)
        failed = c.b.not_(c.b.greater(pivots, c.constant(0, pivots.type.dtype)))
        return [out, first_true(c, failed)]
    return out


@rule("aten.cholesky_inverse.default")
def cholesky_inverse(c: TorchContext, a: Call) -> Value:
    """The inverse of the matrix whose factor is given."""
    factor = a.value("self")
    rows, columns = factor.type.shape[-2:]
    return _through_factor(c, factor, c.b.eye(rows=rows, cols=columns, dtype=factor.type.dtype), a.lit("upper"))


@rule("aten.cholesky_solve.default")
def cholesky_solve(c: TorchContext, a: Call) -> Value:
    return _through_factor(c, a.value("input2"), a.value("self"), a.lit("upper"))


def _through_factor(c: TorchContext, factor: Value, right: Value, upper: bool) -> Value:
    """The solution of L L^H x = right, L being the factor or its adjoint."""
    lower = adjoint(c, factor) if upper else factor
    half = c.b.solve_triangular(lower, right, upper=False)
    return c.b.solve_triangular(adjoint(c, lower), half, upper=True)


def adjoint(c: TorchContext, x: Value) -> Value:
    rank = x.type.rank
    out = c.b.transpose(x, perm=(*range(rank - 2), rank - 1, rank - 2))
    return c.b.conj(out) if out.type.dtype.is_complex else out


@rule("aten.linalg_solve.default", "aten.linalg_solve_ex.default", "aten._linalg_solve_ex.default")
def solve(c: TorchContext, a: Call) -> Value | list[Value | None]:
    """`left=False` solves x A = B, by transposes; a right side of one dimension less holds vectors."""
    out = _solution(c, a.value("A"), a.value("B"), a.lit("left"))
    if not a.has("check_errors"):
        return out
    a.lit("check_errors")
    factors, pivots = c.b.lu(a.value("A"))
    info = zero_pivot(c, factors)
    if "._linalg" not in str(a.node.target):
        return [out, info]
    return [out, *((factors, pivots) if a.lit("left") else (None, None)), info]


def _solution(c: TorchContext, x: Value, y: Value, left: bool) -> Value:
    vectors = y.type.rank == 1 or (y.type.rank == x.type.rank - 1 and y.type.shape == x.type.shape[:-1])
    if vectors:
        out = c.b.solve(x, c.b.unsqueeze(y, axes=(y.type.rank,)))
        return c.b.squeeze(out, axes=(out.type.rank - 1,))
    if left:
        return c.b.solve(x, y)
    return turned(c, c.b.solve(turned(c, x), turned(c, y)))


def turned(c: TorchContext, x: Value) -> Value:
    rank = x.type.rank
    return c.b.transpose(x, perm=(*range(rank - 2), rank - 1, rank - 2))


@rule("aten.linalg_solve_triangular.default")
def solve_triangular(c: TorchContext, a: Call) -> Value:
    """Only the named triangle is read; a unit diagonal is not read either. x A = B by transposes."""
    x, y, upper, unit = a.value("self"), a.value("B"), a.lit("upper"), a.lit("unitriangular")
    if a.lit("left"):
        return c.b.solve_triangular(x, y, upper=upper, unit=unit)
    return turned(c, c.b.solve_triangular(turned(c, x), turned(c, y), upper=not upper, unit=unit))


@rule("aten.triangular_solve.default")
def triangular_solve(c: TorchContext, a: Call) -> list[Value]:
    """The second result is the matrix, expanded to the batches of both."""
    given, y, upper = a.value("A"), a.value("self"), a.lit("upper")
    turn = a.lit("transpose")
    x = turned(c, given) if turn else given
    out = c.b.solve_triangular(x, y, upper=upper != turn, unit=a.lit("unitriangular"))
    shape = c.shape_of(a.meta[1])
    return [out, given if given.type.shape == shape else c.b.expand(given, shape=shape)]


@rule("aten.linalg_qr.default")
def qr(c: TorchContext, a: Call) -> list[Value]:
    mode = a.lit("mode")
    if mode not in ("reduced", "complete"):
        c.refuse(f"mode={mode!r}: one of the results is empty")
    return list(c.b.qr(a.value("A"), mode=mode))


@rule("aten._linalg_svd.default")
def svd(c: TorchContext, a: Call) -> list[Value | None]:
    if a.raw("driver") is not None:
        c.refuse("drivers are of CUDA")
    x = a.value("A")
    if x.type.dtype.is_complex:
        c.refuse("singular values of complex matrices")
    full, vectors = a.lit("full_matrices"), a.lit("compute_uv")
    u, values, vh = c.b.svd(x, full=full and vectors)
    return [u, values, vh] if vectors else [None, values, None]


@rule("aten._linalg_eigh.default")
def eigh(c: TorchContext, a: Call) -> list[Value | None]:
    x = a.value("A")
    if x.type.dtype.is_complex:
        c.refuse("eigenvalues of complex matrices")
    values, vectors = c.b.eigh(x, upper=a.lit("UPLO").upper() == "U")
    return [values, vectors if a.lit("compute_v") else None]


@rule("aten.linalg_eig.default")
def eig(c: TorchContext, a: Call) -> list[Value]:
    x = a.value("self")
    if x.type.dtype.is_complex:
        c.refuse("eigenvalues of complex matrices")
    return list(c.b.eig(x))


@rule("aten.linalg_pinv.atol_rtol_tensor")
def pinv(c: TorchContext, a: Call) -> Value:
    """By singular values (eigenvalues of Hermitian matrices); those not above the tolerance count as 0."""
    x = real_only(c, a.value("self"))
    kind, rank = x.type.dtype, x.type.rank
    if 0 in known_sizes(c, x):
        for name in ("hermitian", "atol", "rtol"):
            a.raw(name)
        return c.b.expand(c.constant(0, kind), shape=a.shape)
    u, values, vh = _spectrum(c, x, a.lit("hermitian"))
    sizes = c.b.abs(values)
    largest = c.b.reduce_max(sizes, axes=(rank - 2,), keepdims=True)
    cutoff = _cutoff(c, a, x, largest)
    kept = c.b.greater(sizes, cutoff)
    one, zero = c.constant(1, kind), c.constant(0, kind)
    inverse = c.b.where(kept, c.b.reciprocal(c.b.where(kept, values, one)), zero)
    scaled = c.b.mul(turned(c, vh), c.b.unsqueeze(inverse, axes=(rank - 2,)))
    return c.b.matmul(scaled, turned(c, u))


def _spectrum(c: TorchContext, x: Value, hermitian: bool) -> tuple[Value, Value, Value]:
    if not hermitian:
        return c.b.svd(x)
    values, vectors = c.b.eigh(x)
    return vectors, values, turned(c, vectors)


def _cutoff(c: TorchContext, a: Call, x: Value, largest: Value) -> Value:
    """max(atol, rtol * largest); rtol is eps times the larger size where neither is given or atol is 0."""
    kind = x.type.dtype
    atol, rtol = a.optional("atol"), a.optional("rtol")
    usual = c.constant(kind.eps * max(known_sizes(c, x)), kind)
    zero = c.constant(0, kind)
    absolute = zero if atol is None else _column(c, c.cast(atol, kind))
    if rtol is not None:
        relative = _column(c, c.cast(rtol, kind))
    elif atol is None:
        relative = usual
    else:
        relative = c.b.where(c.b.greater(absolute, zero), zero, usual)
    return c.b.maximum(absolute, c.b.mul(relative, largest))


def _column(c: TorchContext, x: Value) -> Value:
    """A tolerance for each matrix, beside its values."""
    return c.b.unsqueeze(x, axes=(x.type.rank,)) if x.type.rank else x


def real_only(c: TorchContext, x: Value) -> Value:
    if x.type.dtype.is_complex:
        c.refuse("this of complex matrices")
    return x


def known_sizes(c: TorchContext, x: Value) -> tuple[int, ...]:
    """The size of matrices."""
    if not is_static(x.type.shape[-2:]):
        c.refuse("the size of the matrices must be known")
    return tuple(int(d) for d in x.type.shape[-2:])


def diagonal_of(c: TorchContext, x: Value) -> Value:
    return c.b.diagonal(x, axis1=x.type.rank - 2, axis2=x.type.rank - 1)


def zero_pivot(c: TorchContext, factors: Value) -> Value:
    """LAPACK's info: the first column, counted from 1, whose pivot is 0; else 0."""
    diagonal = diagonal_of(c, factors)
    return first_true(c, c.b.equal(diagonal, c.constant(0, diagonal.type.dtype)))


def first_true(c: TorchContext, found: Value) -> Value:
    """Where the last axis is first true, counted from 1 (int32); 0 where it never is."""
    last = found.type.rank - 1
    if found.type.shape[last] == 0:
        return c.b.expand(c.constant(0, dtypes.int32), shape=found.type.shape[:-1])
    index = c.b.argmax(c.cast(found, dtypes.int32), axis=last)
    number = c.b.add(c.cast(index, dtypes.int32), c.constant(1, dtypes.int32))
    return c.b.mul(number, c.cast(c.b.reduce_any(found, axes=(last,)), dtypes.int32))
