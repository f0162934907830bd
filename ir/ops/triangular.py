"""Parts of factorisations as LAPACK has them: factors in one matrix, exchanges of rows, triangles, reflections."""

from __future__ import annotations

import warnings
from collections.abc import Iterator
from typing import Any

import numpy as np

from ir.ops import factor_forms as forms
from ir.ops.factor import known_sizes, square_size
from ir.ops.factor_samples import regular
from ir.ops.registry import op
from ir.ops.sampler import Array, Sample, Sampler
from ir.types import TensorType, broadcast_shapes, dtypes, require_same


@op
class Lu:
    """LAPACK's getrf, with partial pivoting: the unit lower and the upper factor in one matrix, and for each column the
    row it was exchanged with, counted from 1."""

    inputs = ("x: inexact",)
    outputs = ("factors", "pivots")
    discontinuous = True

    @staticmethod
    def infer(x: TensorType) -> tuple[TensorType, TensorType]:
        rows, columns = known_sizes(x)
        return x, TensorType(dtypes.int32, (*x.shape[:-2], min(rows, columns)))

    @staticmethod
    def evaluate(x: Array) -> tuple[Array, Array]:
        import scipy.linalg

        def one(a: Array) -> tuple[Array, Array]:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")  # of singular matrices: the factors tell
                return scipy.linalg.lu_factor(a, check_finite=False)

        count = min(x.shape[-2:])
        factors, pivots = x.copy(), np.zeros((*x.shape[:-2], count), np.int32)
        for i in np.ndindex(*x.shape[:-2]) if count else ():
            factors[i], found = one(x[i])
            pivots[i] = found + 1
        return factors, pivots

    @staticmethod
    def decompose(b: Any, x: Any) -> tuple[Any, Any]:
        factors, pivots = forms.lu(b, forms.widened(b, x))
        return b.cast(factors, to=x.type.dtype), pivots

    @staticmethod
    def samples(s: Sampler) -> Iterator[Sample]:
        for kind in (dtypes.float32, dtypes.float64):
            yield s.case(s.floats(4, 4, dtype=kind))
            yield s.case(s.floats(2, 1, 3, 4, dtype=kind), name="wide")
            yield s.case(s.floats(2, 5, 3, dtype=kind), name="tall")
            yield s.case(np.array([[0, 1], [0, 2]], kind.numpy), name="singular")
            yield s.case(s.floats(1, 1, dtype=kind), name="one")


@op
class PivotOrder:
    """The order of `size` rows after exchanging row k with row `pivots[k]` (counted from 1), for k = 0, 1, ..."""

    inputs = ("pivots: integer",)
    size: int

    @staticmethod
    def infer(pivots: TensorType, size: int) -> TensorType:
        if not pivots.rank or not isinstance(pivots.shape[-1], int):
            raise ValueError("the number of exchanges must be known")
        return TensorType(dtypes.int64, (*pivots.shape[:-1], size))

    @staticmethod
    def evaluate(pivots: Array, size: int) -> Array:
        out = np.broadcast_to(np.arange(size, dtype=np.int64), (*pivots.shape[:-1], size)).copy()
        for i in np.ndindex(*pivots.shape[:-1]):
            for k, p in enumerate(pivots[i]):
                if not 1 <= p <= size:
                    raise ValueError(f"there is no row {p}")
                out[(*i, k)], out[(*i, p - 1)] = out[(*i, p - 1)], out[(*i, k)]
        return out

    @staticmethod
    def decompose(b: Any, pivots: Any, size: int) -> Any:
        return forms.permutation(b, b.cast(pivots, to=dtypes.int32), size)

    @staticmethod
    def samples(s: Sampler) -> Iterator[Sample]:
        yield s.case(np.array([3, 3, 3], np.int32), size=3)
        yield s.case(np.array([[2, 2], [4, 3], [1, 2]], np.int32), size=4)
        yield s.case(np.array([4], np.int64), size=3, name="no such row", error=ValueError)


@op
class SolveTriangular:
    """The matrix that the upper (or lower) triangle of `x` times it is `y`; batches broadcast. The other triangle is not
    read, nor the diagonal where `unit` says it is of ones."""

    inputs = ("x: inexact", "y: x")
    upper: bool
    unit: bool = False

    @staticmethod
    def infer(x: TensorType, y: TensorType, upper: bool, unit: bool) -> TensorType:
        if y.rank < 2 or y.shape[-2] != square_size(x):
            raise ValueError(f"{x} and {y} do not make equations")
        return x.with_shape((*broadcast_shapes(x.shape[:-2], y.shape[:-2]), *y.shape[-2:]))

    @staticmethod
    def evaluate(x: Array, y: Array, upper: bool, unit: bool) -> Array:
        triangle = np.triu(x) if upper else np.tril(x)
        if unit:
            rows = np.arange(x.shape[-1])
            triangle[..., rows, rows] = 1
        return np.linalg.solve(triangle, y)

    @staticmethod
    def decompose(b: Any, x: Any, y: Any, upper: bool, unit: bool) -> Any:
        wide, right = forms.widened(b, x), b.cast(y, to=dtypes.float64)
        return b.cast(forms.solve_triangular(b, wide, right, upper, unit), to=x.type.dtype)

    @staticmethod
    def samples(s: Sampler) -> Iterator[Sample]:
        for kind in (dtypes.float32, dtypes.float64):
            for upper in (False, True):
                yield s.case(regular(s, 3, 3, kind=kind), s.floats(3, 2, dtype=kind), upper=upper)
                yield s.case(regular(s, 2, 1, 3, 3, kind=kind), s.floats(4, 3, 1, dtype=kind), upper=upper, unit=True)
        yield s.case(s.floats(3, 2), s.floats(3, 2), upper=True, name="not square", error=ValueError)


@op
class Householder:
    """LAPACK's geqrf: the triangle of a QR factorisation, the reflections' vectors below it, and their factors."""

    inputs = ("x: float",)
    outputs = ("factors", "tau")

    @staticmethod
    def infer(x: TensorType) -> tuple[TensorType, TensorType]:
        return x, x.with_shape((*x.shape[:-2], min(known_sizes(x))))

    @staticmethod
    def evaluate(x: Array) -> tuple[Array, Array]:
        factors, tau = np.linalg.qr(x, mode="raw")
        return np.ascontiguousarray(factors.swapaxes(-1, -2)).astype(x.dtype), tau.astype(x.dtype)

    @staticmethod
    def decompose(b: Any, x: Any) -> tuple[Any, Any]:
        factors, tau = forms.householder(b, forms.widened(b, x))
        return b.cast(factors, to=x.type.dtype), b.cast(tau, to=x.type.dtype)

    @staticmethod
    def samples(s: Sampler) -> Iterator[Sample]:
        for kind in (dtypes.float32, dtypes.float64):
            yield s.case(s.floats(4, 4, dtype=kind))
            yield s.case(s.floats(2, 5, 3, dtype=kind), name="tall")
            yield s.case(s.floats(2, 1, 2, 4, dtype=kind), name="wide")
            yield s.case(np.triu(s.floats(3, 3, dtype=kind)), name="triangle")


@op
class HouseholderProduct:
    """LAPACK's orgqr: the product of the reflections that the columns of `x` below its diagonal and `tau` make, as many of
    its columns as x has."""

    inputs = ("x: float", "tau: x")

    @staticmethod
    def infer(x: TensorType, tau: TensorType) -> TensorType:
        rows, columns = known_sizes(x)
        if rows < columns or not tau.rank or not isinstance(tau.shape[-1], int) or tau.shape[-1] > columns:
            raise ValueError(f"{x} and {tau} do not make reflections")
        if tau.rank != x.rank - 1:
            raise ValueError(f"{tau} has not the batches of {x}")
        for size, other in zip(x.shape[:-2], tau.shape):
            require_same(size, other, "householder_product: batches")
        return x

    @staticmethod
    def evaluate(x: Array, tau: Array) -> Array:
        rows, columns = x.shape[-2:]
        out = np.broadcast_to(np.eye(rows, columns), x.shape).copy()
        for k in reversed(range(tau.shape[-1])):
            vector = np.where(np.arange(rows) > k, x[..., :, k], 0) + np.eye(rows)[k]
            through = vector[..., None, :] @ out
            out = out - tau[..., k, None, None] * vector[..., :, None] * through
        return out.astype(x.dtype)

    @staticmethod
    def decompose(b: Any, x: Any, tau: Any) -> Any:
        wide = forms.householder_product(b, forms.widened(b, x), b.cast(tau, to=dtypes.float64))
        return b.cast(wide, to=x.type.dtype)

    @staticmethod
    def samples(s: Sampler) -> Iterator[Sample]:
        for kind in (dtypes.float32, dtypes.float64):
            yield s.case(s.floats(4, 3, dtype=kind, low=-1, high=1), s.floats(3, dtype=kind, low=0, high=1))
            batch = s.floats(2, 1, 3, 3, dtype=kind, low=-1, high=1)
            yield s.case(batch, s.floats(2, 1, 2, dtype=kind, low=0, high=1), name="fewer reflections")
        yield s.case(s.floats(2, 3), s.floats(2), name="wide", error=ValueError)
        yield s.case(s.floats(2, 3, 0), s.floats(3, 0), name="other batches", error=ValueError)
        yield s.case(s.floats(2, 0), s.floats(2, 0), name="more batches", error=ValueError)
