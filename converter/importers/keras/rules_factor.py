"""Factorisations, inverses, determinants, norms of matrices."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from converter.importers.keras.context import KerasContext, rule
from converter.importers.keras.operands import axes_of, floating
from converter.importers.keras.rules_shape import moved, turned
from ir.core import Value
from ir.types import dtypes


def _transposed(c: KerasContext, value: Value) -> Value:
    rank = value.type.rank
    turn = c.b.transpose(value, perm=(*range(rank - 2), rank - 1, rank - 2))
    return c.b.conj(turn) if value.type.dtype.is_complex else turn


@rule("ops.Cholesky")
def cholesky(c: KerasContext, op: Any, x: Any) -> Value:
    return c.b.cholesky(c.value(x), upper=bool(op.upper))


@rule("ops.CholeskyInverse")
def cholesky_inverse(c: KerasContext, op: Any, x: Any) -> Value:
    """The inverse of the matrix whose triangular factor this is."""
    value = c.value(x)
    size = value.type.shape[-1]
    eye = c.b.eye(rows=size, cols=size, k=0, dtype=value.type.dtype)
    root = c.b.solve_triangular(value, eye, upper=bool(op.upper))
    return c.b.matmul(root, _transposed(c, root)) if op.upper else c.b.matmul(_transposed(c, root), root)


@rule("ops.Det")
def det(c: KerasContext, _: Any, x: Any) -> Value:
    return c.b.determinant(c.value(x))


@rule("ops.Slogdet")
def slogdet(c: KerasContext, _: Any, x: Any) -> tuple[Value, Value]:
    sign, log = c.b.log_determinant(c.value(x))
    return sign, log


@rule("ops.Logdet")
def logdet(c: KerasContext, _: Any, x: Any) -> Value:
    """Of positive definite matrices, as TensorFlow has it: by the factor of Cholesky."""
    value = c.value(x)
    root = c.b.cholesky(value, upper=False)
    along = c.b.diagonal(root, offset=0, axis1=-2, axis2=-1)
    total = c.b.reduce_sum(c.b.log(along), axes=(along.type.rank - 1,))
    return c.b.mul(c.number(2, value.type.dtype), total)


@rule("ops.Inv")
def inv(c: KerasContext, _: Any, x: Any) -> Value:
    return c.b.inverse(floating(c, x))


@rule("ops.Eig")
def eig(c: KerasContext, _: Any, x: Any) -> tuple[Value, Value]:
    values, vectors = c.b.eig(c.value(x))
    return values, vectors


@rule("ops.Eigh")
def eigh(c: KerasContext, _: Any, x: Any) -> tuple[Value, Value]:
    values, vectors = c.b.eigh(c.value(x), upper=False)
    return values, vectors


@rule("ops.Qr")
def qr(c: KerasContext, op: Any, x: Any) -> tuple[Value, Value]:
    q, r = c.b.qr(c.value(x), mode=op.mode)
    return q, r


@rule("ops.SVD")
def svd(c: KerasContext, op: Any, x: Any) -> Any:
    u, s, v = c.b.svd(c.value(x), full=bool(op.full_matrices) if op.compute_uv else False)
    return (u, s, v) if op.compute_uv else s


@rule("ops.Solve")
def solve(c: KerasContext, _: Any, a: Any, b: Any) -> Value:
    matrix, right = c.value(a), c.value(b)
    if right.type.rank == matrix.type.rank - 1:
        column = c.b.unsqueeze(right, axes=(right.type.rank,))
        return c.b.squeeze(c.b.solve(matrix, column), axes=(right.type.rank,))
    return c.b.solve(matrix, right)


@rule("ops.SolveTriangular")
def solve_triangular(c: KerasContext, op: Any, a: Any, b: Any) -> Value:
    matrix, right = c.value(a), c.value(b)
    single = right.type.rank == matrix.type.rank - 1
    column = c.b.unsqueeze(right, axes=(right.type.rank,)) if single else right
    found = c.b.solve_triangular(matrix, column, upper=not op.lower)
    return c.b.squeeze(found, axes=(found.type.rank - 1,)) if single else found


@rule("ops.LuFactor")
def lu_factor(c: KerasContext, _: Any, x: Any) -> tuple[Value, Value]:
    """TensorFlow's second result is where each row went; the others give the exchanges."""
    from converter.importers.keras.rules_indexing import backend

    value = c.value(x)
    factors, pivots = c.b.lu(value)
    if backend() != "tensorflow":
        return factors, c.cast(c.b.sub(pivots, c.number(1, pivots.type.dtype)), dtypes.int32)  # counted from 0
    order = c.b.pivot_order(pivots, size=value.type.shape[-2])
    _, places = c.b.sort(order, axis=order.type.rank - 1, stable=True)
    return factors, c.cast(places, dtypes.int32)


@rule("ops.Pinv")
def pinv(c: KerasContext, op: Any, x: Any) -> Value:
    """By singular values; those below `rcond` times the largest count as 0 (10 * the longer side * eps by default)."""
    value = c.value(x)
    sides = value.type.shape[-2:]
    if not all(isinstance(n, int) for n in sides):
        c.refuse("the pseudo-inverse of matrices of open size", "fix the sizes")
    kind = value.type.dtype
    limit = 10 * max(int(n) for n in sides) * float(np.finfo(kind.numpy).eps) if op.rcond is None else float(op.rcond)
    u, s, v = c.b.svd(value, full=False)
    largest = c.b.reduce_max(s, axes=(s.type.rank - 1,), keepdims=True)
    kept = c.b.greater(s, c.b.mul(c.number(limit, kind), largest))
    one, zero = c.number(1, kind), c.number(0, kind)
    factors = c.b.where(kept, c.b.div(one, c.b.where(kept, s, one)), zero)
    scaled = c.b.mul(_transposed(c, v), c.b.unsqueeze(factors, axes=(factors.type.rank - 1,)))
    return c.b.matmul(scaled, _transposed(c, u))


@rule("ops.MatrixRank")
def matrix_rank(c: KerasContext, op: Any, x: Any) -> Value:
    """The number of singular values above a limit (the largest times the longer side times eps by default)."""
    value = c.value(x)
    kind = value.type.dtype
    _, s, _ = c.b.svd(value, full=False)
    if op.tol is None:
        sides = value.type.shape[-2:]
        if not all(isinstance(n, int) for n in sides):
            c.refuse("the rank of matrices of open size", "fix the sizes, or give tol")
        factor = max(int(n) for n in sides) * float(np.finfo(kind.numpy).eps)
        largest = c.b.reduce_max(s, axes=(s.type.rank - 1,), keepdims=True)
        limit = c.b.mul(c.number(factor, kind), largest)
    else:
        limit = c.value(op.tol, kind)
        limit = c.b.unsqueeze(limit, axes=(limit.type.rank,)) if limit.type.rank else limit
    return c.b.reduce_sum(c.cast(c.b.greater(s, limit), dtypes.int32), axes=(s.type.rank - 1,))


@rule("ops.Lstsq")
def lstsq(c: KerasContext, op: Any, a: Any, b: Any) -> Value:
    """By singular values; those below `rcond` times the largest count as 0."""
    matrix, right = c.value(a), c.value(b)
    sides = matrix.type.shape
    if matrix.type.rank != 2 or not all(isinstance(n, int) for n in sides):
        c.refuse("least squares with a matrix of open size", "fix the sizes")
    kind = matrix.type.dtype
    eps = float(np.finfo(kind.numpy).eps)
    limit = eps * max(int(n) for n in sides) if op.rcond is None else eps if op.rcond < 0 else float(op.rcond)
    single = right.type.rank == 1
    right = c.b.unsqueeze(right, axes=(1,)) if single else right
    u, s, v = c.b.svd(matrix, full=False)
    kept = c.b.greater_equal(s, c.b.mul(c.number(limit, kind), c.b.select(s, axis=0, index=0)))
    one, zero = c.number(1, kind), c.number(0, kind)
    factors = c.b.where(kept, c.b.div(one, c.b.where(kept, s, one)), zero)
    inner = c.b.mul(c.b.unsqueeze(factors, axes=(1,)), c.b.matmul(_transposed(c, u), right))
    found = c.b.matmul(_transposed(c, v), inner)
    return c.b.squeeze(found, axes=(1,)) if single else found


@rule("ops.Norm")
def norm(c: KerasContext, op: Any, x: Any) -> Value:
    """Of vectors along one axis, of matrices along two."""
    value = floating(c, x)
    if value.type.dtype.is_complex:
        c.refuse("norms of complex numbers", "take the norm of their absolute values")
    axes, keep = axes_of(op.axis, value.type.rank), bool(op.keepdims)
    over = {"axes": axes, "keepdims": keep}
    if op.ord in (None, "fro") and len(axes) <= 2:
        return c.b.reduce_l2(value, **over)
    if len(axes) == 1:
        return _vector_norm(c, value, float(op.ord), over)
    if len(axes) != 2:
        c.refuse(f"a norm over {len(axes)} axes")
    given = op.axis if op.axis is not None else (0, 1)
    row, column = (a % value.type.rank for a in given)
    if op.ord in ("nuc", 2, -2):
        return _spectral(c, value, op.ord, (row, column), keep)
    along, across = (row, column) if abs(op.ord) == 1 else (column, row)
    sums = c.b.reduce_sum(c.b.abs(value), axes=(along,), keepdims=True)
    reduce = c.b.reduce_max if op.ord > 0 else c.b.reduce_min
    found = reduce(sums, axes=(across,), keepdims=True)
    return found if keep else c.b.squeeze(found, axes=axes)


def _vector_norm(c: KerasContext, value: Value, order: float, over: dict[str, Any]) -> Value:
    if order == 2:
        return c.b.reduce_l2(value, **over)
    if order == 1:
        return c.b.reduce_l1(value, **over)
    if math.isinf(order):
        return (c.b.reduce_max if order > 0 else c.b.reduce_min)(c.b.abs(value), **over)
    kind = value.type.dtype
    if order == 0:
        return c.b.reduce_sum(c.cast(c.b.not_equal(value, c.number(0, kind)), kind), **over)
    total = c.b.reduce_sum(c.b.pow(c.b.abs(value), c.number(order, kind)), **over)
    return c.b.pow(total, c.number(1 / order, kind))


def _spectral(c: KerasContext, value: Value, order: Any, axes: tuple[int, int], keep: bool) -> Value:
    """The largest or smallest singular value, or their sum."""
    turn = turned(c, value, moved(value.type.rank, axes, (-2, -1)))
    _, s, _ = c.b.svd(turn, full=False)
    reduce = {"nuc": c.b.reduce_sum, 2: c.b.reduce_max, -2: c.b.reduce_min}[order]
    found = reduce(s, axes=(s.type.rank - 1,))
    return c.b.unsqueeze(found, axes=tuple(sorted(axes))) if keep else found
