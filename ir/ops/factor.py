"""Matrix factorisations, inverses, determinants and solutions, over the last two axes (LAPACK's conventions)."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, ClassVar, Literal

import numpy as np

from ir.ops.registry import op
from ir.ops.sampler import Array, Sample, Sampler
from ir.types import Dim, TensorType, broadcast_shapes, dtypes


def _square(x: TensorType) -> Dim:
    """The size of square matrices; raises ValueError for others."""
    if x.rank < 2 or x.shape[-1] != x.shape[-2]:
        raise ValueError(f"{x} does not hold square matrices")
    return x.shape[-1]


def _regular(s: Sampler, *shape: int, kind: Any) -> Array:
    """Well-conditioned matrices."""
    return (s.floats(*shape, low=-1, high=1, dtype=kind) + 3 * np.eye(shape[-2], shape[-1])).astype(kind.numpy)


class _OfSquare:
    """One operand of square matrices, result of the same type."""

    inputs: ClassVar[tuple[str, ...]] = ("x: inexact",)

    @staticmethod
    def infer(x: TensorType) -> Any:
        _square(x)
        return x

    @classmethod
    def samples(cls, s: Sampler) -> Iterator[Sample]:
        for kind in (dtypes.float32, dtypes.float64):
            yield s.case(_regular(s, 3, 3, kind=kind))
            yield s.case(_regular(s, 2, 1, 4, 4, kind=kind), name="batch")
        yield s.case(s.floats(2, 3, dtype=dtypes.float32), name="not square", error=ValueError)


@op
class Inverse(_OfSquare):
    """The inverse of square matrices; a singular one is an error."""

    @staticmethod
    def evaluate(x: Array) -> Array:
        return np.linalg.inv(x)


@op
class Determinant(_OfSquare):
    """The determinant of square matrices."""

    @staticmethod
    def infer(x: TensorType) -> TensorType:
        _square(x)
        return x.with_shape(x.shape[:-2])

    @staticmethod
    def evaluate(x: Array) -> Array:
        return np.asarray(np.linalg.det(x), x.dtype)


@op
class LogDeterminant(_OfSquare):
    """The sign of the determinant of square matrices, and the logarithm of its absolute value."""

    outputs = ("sign", "log")

    @staticmethod
    def infer(x: TensorType) -> tuple[TensorType, TensorType]:
        _square(x)
        out = x.with_shape(x.shape[:-2])
        real = {dtypes.complex64: dtypes.float32, dtypes.complex128: dtypes.float64}.get(x.dtype, x.dtype)
        return out, out.with_dtype(real)

    @staticmethod
    def evaluate(x: Array) -> tuple[Array, Array]:
        sign, log = np.linalg.slogdet(x)
        return np.asarray(sign), np.asarray(log)


@op
class Cholesky:
    """The lower (or upper) triangular factor of positive definite matrices; others are an error."""

    inputs = ("x: inexact",)
    upper: bool = False

    @staticmethod
    def infer(x: TensorType, upper: bool) -> TensorType:
        _square(x)
        return x

    @staticmethod
    def evaluate(x: Array, upper: bool) -> Array:
        if not upper:
            return np.linalg.cholesky(x)
        return np.linalg.cholesky(x.conj().swapaxes(-1, -2)).conj().swapaxes(-1, -2)

    @staticmethod
    def samples(s: Sampler) -> Iterator[Sample]:
        for kind in (dtypes.float32, dtypes.float64):
            for upper in (False, True):
                x = _regular(s, 2, 3, 3, kind=kind)
                yield s.case(x @ x.swapaxes(-1, -2), upper=upper)
        yield s.case(s.floats(2, 3, dtype=dtypes.float32), name="not square", error=ValueError)


@op
class Solve:
    """The matrix that `x` times it is `y`: square matrices on the left, matrices on the right, batches broadcast."""

    inputs = ("x: inexact", "y: x")

    @staticmethod
    def infer(x: TensorType, y: TensorType) -> TensorType:
        if y.rank < 2 or y.shape[-2] != _square(x):
            raise ValueError(f"{x} and {y} do not make equations")
        return x.with_shape((*broadcast_shapes(x.shape[:-2], y.shape[:-2]), *y.shape[-2:]))

    @staticmethod
    def evaluate(x: Array, y: Array) -> Array:
        return np.linalg.solve(x, y)

    @staticmethod
    def samples(s: Sampler) -> Iterator[Sample]:
        for kind in (dtypes.float32, dtypes.float64):
            yield s.case(_regular(s, 3, 3, kind=kind), s.floats(3, 2, dtype=kind))
            yield s.case(_regular(s, 2, 1, 3, 3, kind=kind), s.floats(4, 3, 1, dtype=kind), name="batches")
        yield s.case(s.floats(3, 3, dtype=dtypes.float32), s.floats(2, 2, dtype=dtypes.float32), name="sizes", error=ValueError)


@op
class Qr:
    """Orthonormal columns times an upper triangle. `complete` gives square orthogonal matrices."""

    inputs = ("x: inexact",)
    outputs = ("q", "r")
    mode: Literal["reduced", "complete"] = "reduced"

    @staticmethod
    def infer(x: TensorType, mode: str) -> tuple[TensorType, TensorType]:
        rows, columns = x.shape[-2:]
        if not isinstance(rows, int) or not isinstance(columns, int):
            raise ValueError("the size of matrices must be known")
        inner = min(rows, columns) if mode == "reduced" else rows
        return x.with_shape((*x.shape[:-1], inner)), x.with_shape((*x.shape[:-2], inner, columns))

    @staticmethod
    def evaluate(x: Array, mode: str) -> tuple[Array, Array]:
        q, r = np.linalg.qr(x, mode=mode)  # type: ignore[call-overload]
        return q, r

    @staticmethod
    def samples(s: Sampler) -> Iterator[Sample]:
        for kind in (dtypes.float32, dtypes.float64):
            yield s.case(_regular(s, 4, 3, kind=kind))
            yield s.case(_regular(s, 2, 4, 3, kind=kind), mode="complete")
            yield s.case(_regular(s, 2, 2, 4, kind=kind), name="wide")


@op
class Svd:
    """Singular values in descending order with both sets of vectors; `u @ diag(s) @ vh` is x."""

    inputs = ("x: float",)
    outputs = ("u", "s", "vh")
    full: bool = False

    @staticmethod
    def infer(x: TensorType, full: bool) -> tuple[TensorType, TensorType, TensorType]:
        rows, columns = x.shape[-2:]
        if not isinstance(rows, int) or not isinstance(columns, int):
            raise ValueError("the size of matrices must be known")
        least = min(rows, columns)
        lead = x.shape[:-2]
        u = x.with_shape((*lead, rows, rows if full else least))
        return u, x.with_shape((*lead, least)), x.with_shape((*lead, columns if full else least, columns))

    @staticmethod
    def evaluate(x: Array, full: bool) -> tuple[Array, Array, Array]:
        u, values, vh = np.linalg.svd(x, full_matrices=full)
        return u, values, vh

    @staticmethod
    def samples(s: Sampler) -> Iterator[Sample]:
        for kind in (dtypes.float32, dtypes.float64):
            yield s.case(s.floats(4, 3, dtype=kind))
            yield s.case(s.floats(2, 3, 3, dtype=kind), full=True)


@op
class Eigh:
    """Eigenvalues of symmetric matrices in ascending order, and eigenvectors as columns; reads the lower triangle."""

    inputs = ("x: float",)
    outputs = ("values", "vectors")
    upper: bool = False

    @staticmethod
    def infer(x: TensorType, upper: bool) -> tuple[TensorType, TensorType]:
        _square(x)
        return x.with_shape(x.shape[:-1]), x

    @staticmethod
    def evaluate(x: Array, upper: bool) -> tuple[Array, Array]:
        values, vectors = np.linalg.eigh(x, "U" if upper else "L")
        return values, vectors

    @staticmethod
    def samples(s: Sampler) -> Iterator[Sample]:
        for kind in (dtypes.float32, dtypes.float64):
            for upper in (False, True):
                yield s.case(s.floats(2, 3, 3, dtype=kind), upper=upper)
