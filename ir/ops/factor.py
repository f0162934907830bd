"""Matrix factorisations, inverses, determinants and solutions, over the last two axes (LAPACK's conventions)."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, ClassVar, Literal

import numpy as np

from ir.ops import factor_forms as forms
from ir.ops.factor_samples import regular
from ir.ops.registry import op
from ir.ops.sampler import Array, Sample, Sampler
from ir.ops.special_forms import in_double
from ir.types import Dim, TensorType, broadcast_shapes, dtypes


def square_size(x: TensorType) -> Dim:
    """The size of square matrices; raises ValueError for others."""
    if x.rank < 2 or x.shape[-1] != x.shape[-2]:
        raise ValueError(f"{x} does not hold square matrices")
    return x.shape[-1]


def known_sizes(x: TensorType) -> tuple[int, int]:
    """Rows and columns; raises ValueError where there are none or they are symbolic."""
    if x.rank < 2:
        raise ValueError(f"{x} does not hold matrices")
    rows, columns = x.shape[-2:]
    if not isinstance(rows, int) or not isinstance(columns, int):
        raise ValueError("the size of matrices must be known")
    return rows, columns


class _OfSquare:
    """One operand of square matrices, result of the same type."""

    inputs: ClassVar[tuple[str, ...]] = ("x: inexact",)

    @staticmethod
    def infer(x: TensorType) -> Any:
        square_size(x)
        return x

    @classmethod
    def samples(cls, s: Sampler) -> Iterator[Sample]:
        for kind in (dtypes.float32, dtypes.float64):
            yield s.case(regular(s, 3, 3, kind=kind))
            yield s.case(regular(s, 2, 1, 4, 4, kind=kind), name="batch")
        yield s.case(s.floats(2, 3, dtype=dtypes.float32), name="not square", error=ValueError)


@op
class Inverse(_OfSquare):
    """The inverse of square matrices; a singular one is an error."""

    @staticmethod
    def evaluate(x: Array) -> Array:
        return np.linalg.inv(x)

    @staticmethod
    def decompose(b: Any, x: Any) -> Any:
        size, _ = forms.known_sizes(x)
        return b.solve(x, b.eye(rows=size, cols=size, dtype=x.type.dtype))


@op
class Determinant(_OfSquare):
    """The determinant of square matrices."""

    @staticmethod
    def infer(x: TensorType) -> TensorType:
        square_size(x)
        return x.with_shape(x.shape[:-2])

    @staticmethod
    def evaluate(x: Array) -> Array:
        return np.asarray(np.linalg.det(x), x.dtype)

    @staticmethod
    def decompose(b: Any, x: Any) -> Any:
        sign, diagonal = _pivoted_diagonal(b, forms.widened(b, x))
        product = b.reduce_prod(diagonal, axes=(diagonal.type.rank - 1,))
        return b.cast(b.mul(sign, product), to=x.type.dtype)


def _pivoted_diagonal(b: Any, x: Any) -> tuple[Any, Any]:
    """The sign of the rows' exchanges, and the diagonal of the upper factor."""
    size, _ = forms.known_sizes(x)
    factors, pivots = b.lu(x)
    own = b.arange(start=1, stop=size + 1, step=1, dtype=dtypes.int32)
    moved = b.where(b.not_equal(pivots, own), b.constant(-1.0, dtypes.float32), b.constant(1.0, dtypes.float32))
    sign = b.cast(b.reduce_prod(moved, axes=(moved.type.rank - 1,)), to=x.type.dtype)
    return sign, b.diagonal(factors)


@op
class LogDeterminant(_OfSquare):
    """The sign of the determinant of square matrices, and the logarithm of its absolute value."""

    outputs = ("sign", "log")

    @staticmethod
    def infer(x: TensorType) -> tuple[TensorType, TensorType]:
        square_size(x)
        out = x.with_shape(x.shape[:-2])
        real = {dtypes.complex64: dtypes.float32, dtypes.complex128: dtypes.float64}.get(x.dtype, x.dtype)
        return out, out.with_dtype(real)

    @staticmethod
    def evaluate(x: Array) -> tuple[Array, Array]:
        sign, log = np.linalg.slogdet(x)
        return np.asarray(sign), np.asarray(log)

    @staticmethod
    def decompose(b: Any, x: Any) -> tuple[Any, Any]:
        moved, diagonal = _pivoted_diagonal(b, forms.widened(b, x))
        last = (diagonal.type.rank - 1,)
        signs = b.cast(b.sign(diagonal), to=x.type.dtype)
        sign = b.mul(b.cast(moved, to=x.type.dtype), b.reduce_prod(signs, axes=last))
        log = b.reduce_sum(b.log(b.abs(diagonal)), axes=last)
        return sign, b.cast(log, to=x.type.dtype)


def _adjoint(x: Array) -> Array:
    return x.conj().swapaxes(-2, -1)


@op
class Cholesky:
    """The lower (or upper) triangular factor of positive definite matrices; others are an error."""

    inputs = ("x: inexact",)
    upper: bool = False

    @staticmethod
    def infer(x: TensorType, upper: bool) -> TensorType:
        square_size(x)
        return x

    @staticmethod
    def evaluate(x: Array, upper: bool) -> Array:
        return _adjoint(np.linalg.cholesky(_adjoint(x))) if upper else np.linalg.cholesky(x)

    @staticmethod
    def decompose(b: Any, x: Any, upper: bool) -> Any:
        wide = forms.widened(b, x)
        out = forms.cholesky(b, forms.transposed(b, wide) if upper else wide)
        return b.cast(forms.transposed(b, out) if upper else out, to=x.type.dtype)

    @staticmethod
    def samples(s: Sampler) -> Iterator[Sample]:
        for kind in (dtypes.float32, dtypes.float64):
            for upper in (False, True):
                x = regular(s, 2, 3, 3, kind=kind)
                yield s.case(x @ x.swapaxes(-1, -2), upper=upper)
        yield s.case(s.floats(2, 3, dtype=dtypes.float32), name="not square", error=ValueError)


@op
class Solve:
    """The matrix that `x` times it is `y`: square matrices on the left, matrices on the right, batches broadcast."""

    inputs = ("x: inexact", "y: x")

    @staticmethod
    def infer(x: TensorType, y: TensorType) -> TensorType:
        if y.rank < 2 or y.shape[-2] != square_size(x):
            raise ValueError(f"{x} and {y} do not make equations")
        return x.with_shape((*broadcast_shapes(x.shape[:-2], y.shape[:-2]), *y.shape[-2:]))

    @staticmethod
    def evaluate(x: Array, y: Array) -> Array:
        return np.linalg.solve(x, y)

    @staticmethod
    def decompose(b: Any, x: Any, y: Any) -> Any:
        """By the factors of x: with the rows of y in their order, through both triangles."""
        wide, right = forms.widened(b, x), b.cast(y, to=dtypes.float64)
        factors, pivots = b.lu(wide)
        size, columns = y.type.shape[-2:]
        lead = broadcast_shapes(x.type.shape[:-2], y.type.shape[:-2])
        right, order = (
            b.expand(v, shape=(*lead, size, columns))
            for v in (right, forms.standing(b, b.pivot_order(pivots, size=size)))
        )
        right = b.gather_elements(right, order, axis=len(lead))
        lower = b.solve_triangular(factors, right, upper=False, unit=True)
        return b.cast(b.solve_triangular(factors, lower, upper=True), to=x.type.dtype)

    @staticmethod
    def samples(s: Sampler) -> Iterator[Sample]:
        for kind in (dtypes.float32, dtypes.float64):
            yield s.case(regular(s, 3, 3, kind=kind), s.floats(3, 2, dtype=kind))
            yield s.case(regular(s, 2, 1, 3, 3, kind=kind), s.floats(4, 3, 1, dtype=kind), name="batches")
            yield s.case(regular(s, 2, 3, 3, 3, kind=kind), s.floats(2, 1, 3, 2, dtype=kind), name="batches")
        for batch in (1, 2):
            yield s.case(regular(s, 2, 3, 3, kind=kind), s.floats(batch, 3, 2, dtype=kind), name=f"batch of {batch}")
        yield s.case(
            s.floats(3, 3, dtype=dtypes.float32), s.floats(2, 2, dtype=dtypes.float32), name="sizes", error=ValueError
        )


@op
class Qr:
    """Orthonormal columns times an upper triangle. `complete` gives square orthogonal matrices."""

    inputs = ("x: inexact",)
    outputs = ("q", "r")
    mode: Literal["reduced", "complete"] = "reduced"

    @staticmethod
    def infer(x: TensorType, mode: str) -> tuple[TensorType, TensorType]:
        rows, columns = known_sizes(x)
        inner = min(rows, columns) if mode == "reduced" else rows
        return x.with_shape((*x.shape[:-1], inner)), x.with_shape((*x.shape[:-2], inner, columns))

    @staticmethod
    def evaluate(x: Array, mode: str) -> tuple[Array, Array]:
        q, r = np.linalg.qr(x, mode=mode)  # type: ignore[call-overload]
        return q, r

    @staticmethod
    def decompose(b: Any, x: Any, mode: str) -> tuple[Any, Any]:
        wide = forms.widened(b, x)
        rows, columns = forms.known_sizes(x)
        inner = min(rows, columns)
        factors, tau = b.householder(wide)
        last = (x.type.rank - 2, x.type.rank - 1)
        here = b.slice(factors, axes=last, starts=(0, 0), stops=(rows, inner), steps=(1, 1))
        if mode == "complete" and rows > inner:
            flat = ((0, 0),) * (x.type.rank - 1)
            here = b.pad(here, pads=(*flat, (0, rows - inner)))
            tau = b.pad(tau, pads=(*flat[1:], (0, rows - inner)))
            inner = rows
        upper = b.slice(factors, axes=last[:1], starts=(0,), stops=(inner,), steps=(1,))
        q = b.householder_product(here, tau)
        return b.cast(q, to=x.type.dtype), b.cast(b.triu(upper, k=0), to=x.type.dtype)

    @staticmethod
    def samples(s: Sampler) -> Iterator[Sample]:
        for kind in (dtypes.float32, dtypes.float64):
            yield s.case(regular(s, 4, 3, kind=kind))
            yield s.case(regular(s, 2, 4, 3, kind=kind), mode="complete")
            yield s.case(regular(s, 2, 2, 4, kind=kind), name="wide")


@op
class Svd:
    """Singular values in descending order with both sets of vectors; `u @ diag(s) @ vh` is x."""

    inputs = ("x: float",)
    outputs = ("u", "s", "vh")
    full: bool = False

    @staticmethod
    def infer(x: TensorType, full: bool) -> tuple[TensorType, TensorType, TensorType]:
        rows, columns = known_sizes(x)
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
        square_size(x)
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


@op
class Eig:
    """Eigenvalues of square matrices, and eigenvectors of length 1 as columns, all complex; in no fixed order."""

    inputs = ("x: float",)
    outputs = ("values", "vectors")

    @staticmethod
    def infer(x: TensorType) -> tuple[TensorType, TensorType]:
        square_size(x)
        out = x.with_dtype(dtypes.complex128 if x.dtype == dtypes.float64 else dtypes.complex64)
        return out.with_shape(x.shape[:-1]), out

    @staticmethod
    def evaluate(x: Array) -> tuple[Array, Array]:
        values, vectors = np.linalg.eig(x)
        kind = np.complex128 if x.dtype == np.float64 else np.complex64
        return values.astype(kind), vectors.astype(kind)

    @staticmethod
    def samples(s: Sampler) -> Iterator[Sample]:
        for kind in (dtypes.float32, dtypes.float64):
            yield s.case(np.diag([3, 1, 2]) + np.triu(s.floats(3, 3, dtype=kind), 1))
            yield s.case(np.array([[[0, 1], [-1, 0]], [[2, 0], [0, 1]]], kind.numpy), name="batch")
        yield s.case(s.floats(2, 3), name="not square", error=ValueError)


@op
class MatrixExp(_OfSquare):
    """The exponential of square matrices: the sum over k of x to the power k over k!."""

    inputs = ("x: float",)

    @staticmethod
    def evaluate(x: Array) -> Array:
        """Taylor's sum of a small matrix, then squarings: scipy's `expm` loses three digits on batches."""
        small, squarings = x.astype(np.float64), 0
        while 0.25 < np.abs(small).sum(-1).max(initial=0.0) < np.inf:
            small, squarings = small / 2, squarings + 1
        out = eye = np.broadcast_to(np.eye(x.shape[-1]), x.shape)
        for k in range(forms.TERMS, 0, -1):
            out = eye + small @ out / k
        for _ in range(squarings):
            out = out @ out
        return out.astype(x.dtype)

    @staticmethod
    def decompose(b: Any, x: Any) -> Any:
        forms.known_sizes(x)
        return b.identity(x) if 0 in x.type.shape else in_double(forms.exponential, b, x)

    @classmethod
    def samples(cls, s: Sampler) -> Iterator[Sample]:
        """Each squaring doubles the relative error, in every implementation: norms near 8 take five."""
        for kind in (dtypes.float32, dtypes.float64):
            rtol = 64 * kind.eps if kind == dtypes.float64 else None  # in float32 the frameworks differ less than that
            yield s.case(regular(s, 3, 3, kind=kind), rtol=rtol)
            yield s.case(regular(s, 2, 1, 4, 4, kind=kind), rtol=rtol, name="batch")
        yield s.case(s.floats(2, 3, dtype=dtypes.float32), name="not square", error=ValueError)
