"""Factorisations, inverses, determinants."""

from __future__ import annotations

from typing import Any

from converter.importers.tensorflow.context import TensorflowContext
from converter.importers.tensorflow.rules_linalg import adjoint, banded
from converter.importers.tensorflow.table import rule
from ir.core import Value


@rule("Cholesky")
def cholesky(c: TensorflowContext) -> Value:
    """Reads the lower triangle alone."""
    return c.b.cholesky(c.x(), upper=False)


@rule("Qr")
def qr(c: TensorflowContext) -> Any:
    return c.b.qr(c.x(), mode="complete" if c.attr("full_matrices") else "reduced")


@rule("Svd")
def svd(c: TensorflowContext) -> list[Value | None]:
    """Singular values, then both sets of vectors as columns."""
    vectors = c.attr("compute_uv")
    u, s, vh = c.b.svd(c.x(), full=bool(c.attr("full_matrices")) if vectors else False)
    return [s, u, adjoint(c, vh)] if vectors else [s, None, None]


@rule("SelfAdjointEigV2")
def self_adjoint_eig(c: TensorflowContext) -> list[Value | None]:
    """Reads the lower triangle alone."""
    values, vectors = c.b.eigh(c.x(), upper=False)
    return [values, vectors if c.attr("compute_v") else None]


@rule("Eig")
def eig(c: TensorflowContext) -> list[Value | None]:
    c.ignore("Tout")
    values, vectors = c.b.eig(c.x())
    return [values, vectors if c.attr("compute_v") else None]


@rule("MatrixInverse")
def inverse(c: TensorflowContext) -> Value:
    x = c.x()
    return c.b.inverse(adjoint(c, x) if c.attr("adjoint") else x)


@rule("MatrixSolve")
def solve(c: TensorflowContext) -> Value:
    x = c.x()
    return c.b.solve(adjoint(c, x) if c.attr("adjoint") else x, c.x(1))


@rule("MatrixTriangularSolve")
def triangular_solve(c: TensorflowContext) -> Value:
    """The adjoint of a lower triangle is an upper one."""
    x, upper = c.x(), not c.attr("lower")
    if c.attr("adjoint"):
        x, upper = adjoint(c, x), not upper
    return c.b.solve_triangular(x, c.x(1), upper=upper)


@rule("TridiagonalSolve")
def tridiagonal_solve(c: TensorflowContext) -> Value:
    """Rows of three numbers on the diagonals: the one above ends, the one below begins with a number that counts for
    nothing. By the whole matrix, whose pivots are chosen whether asked for or not."""
    c.ignore("partial_pivoting")
    c.only("perturb_singular", False)
    return c.b.solve(banded(c, c.x(0), (-1, 1), "LEFT_RIGHT"), c.x(1))


@rule("BandedTriangularSolve")
def banded_triangular_solve(c: TensorflowContext) -> Value:
    """The diagonals of a triangle from the highest down."""
    x, lower = c.x(), c.attr("lower")
    count = x.type.shape[-2]
    if not isinstance(count, int):
        c.refuse("an open number of diagonals")
    whole = banded(c, x, (1 - count, 0) if lower else (0, count - 1), "LEFT_RIGHT")
    if c.attr("adjoint"):
        whole, lower = adjoint(c, whole), not lower
    return c.b.solve_triangular(whole, c.x(1), upper=not lower)


@rule("MatrixSolveLs")
def least_squares(c: TensorflowContext) -> Value:
    """By the normal equations, with a weight on the size of the solution."""
    c.only("fast", True, advice="use tf.linalg.lstsq with fast=True")
    x, y, weight = c.x(0), c.x(1), c.cast(c.x(2), c.type().dtype)
    rows, cols = x.type.shape[-2:]
    if not isinstance(rows, int) or not isinstance(cols, int):
        c.refuse("least squares with a matrix of open size", "fix the sizes of the last two axes")
    turned, side = adjoint(c, x), min(rows, cols)
    product = c.b.matmul(turned, x) if rows >= cols else c.b.matmul(x, turned)
    ridge = c.b.mul(c.b.eye(rows=side, cols=side, dtype=x.type.dtype), weight)
    product = c.b.add(product, ridge)
    if rows >= cols:
        return c.b.solve(product, c.b.matmul(turned, y))
    return c.b.matmul(turned, c.b.solve(product, y))


@rule("MatrixDeterminant")
def determinant(c: TensorflowContext) -> Value:
    return c.b.determinant(c.x())


@rule("LogMatrixDeterminant")
def log_determinant(c: TensorflowContext) -> Any:
    """Its sign, and the logarithm of its size, which is a complex number, too, for complex matrices."""
    sign, size = c.b.log_determinant(c.x())
    return sign, c.b.complex(size, 0.0) if sign.type.dtype.is_complex else size


@rule("Lu")
def lu(c: TensorflowContext) -> list[Value]:
    """The second result is the row that stands in each place."""
    x = c.x()
    size = x.type.shape[-2]
    if not isinstance(size, int):
        c.refuse("factors of matrices of open size", "fix the sizes of the last two axes")
    factors, pivots = c.b.lu(x)
    return [factors, c.cast(c.b.pivot_order(pivots, size=size), c.attr("output_idx_type"))]
