"""Special functions beyond the elementary ones, as `scipy.special` has them. NaN gives NaN."""

from __future__ import annotations

import functools
import typing
from collections.abc import Iterator
from typing import Any, ClassVar, Literal

import numpy as np

from ir.ops import special_forms, special_loops
from ir.ops.define import snake_case
from ir.ops.families import Unary
from ir.ops.registry import op
from ir.ops.sampler import Array, Sample, Sampler
from ir.types import TensorType, broadcast_shapes, dtypes


def _scipy(name: str, *arrays: Any) -> Array:
    """A function of scipy.special in the operands' dtype, computed in double precision."""
    import scipy.special

    kind = arrays[-1].dtype
    with np.errstate(all="ignore"):
        return np.asarray(getattr(scipy.special, name)(*(np.asarray(a, np.float64) for a in arrays))).astype(kind)


class _Special(Unary):
    """Finite samples: libraries differ in the last of the range."""

    scipy: ClassVar[str] = ""

    @classmethod
    def evaluate(cls, x: Array) -> Array:
        return _scipy(cls.scipy, x)

    @classmethod
    def decompose(cls, b: Any, x: Any) -> Any:
        return special_forms.in_double(getattr(special_forms, snake_case(cls.__name__)), b, x)

    @classmethod
    def samples(cls, s: Sampler) -> Iterator[Sample]:
        for kind in (dtypes.float32, dtypes.float64):
            yield s.case(s.floats(4, 5, low=cls.low, high=cls.high, dtype=kind))
            yield s.case(s.floats(40, low=cls.low / 4, high=cls.high / 4, dtype=kind), name="small")
        yield s.case(s.floats(low=cls.low, high=cls.high, dtype=dtypes.float64), name="0-d")
        yield s.case(s.floats(2, 0, dtype=dtypes.float32), name="empty")


@op
class BesselI0(_Special):
    """Modified Bessel function of the first kind, order 0."""

    scipy, low, high = "i0", -20.0, 20.0


@op
class BesselI0e(_Special):
    """exp(-|x|) times the modified Bessel function of the first kind, order 0."""

    scipy, low, high = "i0e", -20.0, 20.0


@op
class BesselI1(_Special):
    """Modified Bessel function of the first kind, order 1."""

    scipy, low, high = "i1", -20.0, 20.0


@op
class BesselI1e(_Special):
    """exp(-|x|) times the modified Bessel function of the first kind, order 1."""

    scipy, low, high = "i1e", -20.0, 20.0


@op
class BesselJ0(_Special):
    """Bessel function of the first kind, order 0."""

    scipy, low, high = "j0", -20.0, 20.0


@op
class BesselJ1(_Special):
    """Bessel function of the first kind, order 1."""

    scipy, low, high = "j1", -20.0, 20.0


@op
class BesselY0(_Special):
    """Bessel function of the second kind, order 0."""

    scipy, low, high = "y0", 0.1, 20.0


@op
class BesselY1(_Special):
    """Bessel function of the second kind, order 1."""

    scipy, low, high = "y1", 0.1, 20.0


@op
class BesselK0(_Special):
    """Modified Bessel function of the second kind, order 0."""

    scipy, low, high = "k0", 0.1, 20.0


@op
class BesselK1(_Special):
    """Modified Bessel function of the second kind, order 1."""

    scipy, low, high = "k1", 0.1, 20.0


@op
class BesselK0e(_Special):
    """exp(x) times the modified Bessel function of the second kind, order 0."""

    scipy, low, high = "k0e", 0.1, 20.0


@op
class BesselK1e(_Special):
    """exp(x) times the modified Bessel function of the second kind, order 1."""

    scipy, low, high = "k1e", 0.1, 20.0


@op
class Erfcx(_Special):
    """exp(x * x) times the complementary error function."""

    scipy, low, high = "erfcx", -4.0, 30.0


@op
class Ndtri(_Special):
    """The number below which a standard normal variable lies with probability x."""

    scipy, low, high = "ndtri", 0.02, 0.98


class _Special2:
    """Two float operands, broadcast."""

    inputs: ClassVar[tuple[str, ...]] = ("x: float", "y: x")
    scipy: ClassVar[str] = ""

    @staticmethod
    def infer(x: TensorType, y: TensorType) -> TensorType:
        return x.with_shape(broadcast_shapes(x.shape, y.shape))

    @classmethod
    def evaluate(cls, x: Array, y: Array) -> Array:
        return _scipy(cls.scipy, x, y)

    @classmethod
    def decompose(cls, b: Any, x: Any, y: Any) -> Any:
        return special_forms.in_double(getattr(special_loops, snake_case(cls.__name__)), b, x, y)

    @classmethod
    def samples(cls, s: Sampler) -> Iterator[Sample]:
        for kind in (dtypes.float32, dtypes.float64):
            first, second = s.floats(4, 5, low=1.2, high=6, dtype=kind), s.floats(5, low=0.1, high=6, dtype=kind)
            yield s.case(first, second)
            yield s.case(s.floats(low=1.5, high=3, dtype=kind), second, name="broadcast")


@op
class Zeta(_Special2):
    """Hurwitz zeta function: the sum over k >= 0 of (k + y) to the power -x."""

    scipy = "zeta"


@op
class GammaInc(_Special2):
    """Regularised lower incomplete gamma function of order x at y."""

    scipy = "gammainc"


@op
class GammaIncc(_Special2):
    """Regularised upper incomplete gamma function of order x at y."""

    scipy = "gammaincc"


PolynomialKind = Literal[
    "chebyshev_t", "chebyshev_u", "chebyshev_v", "chebyshev_w", "hermite_h", "hermite_he", "laguerre", "legendre"
]  # fmt: skip


@op
class OrthogonalPolynomial:
    """The polynomial of degree n (rounded towards 0; 0 below degree 0) of a family, at x: Chebyshev's of the four kinds,
    Hermite's (physicists', probabilists'), Laguerre's, Legendre's.

    NaN for a degree that is infinite or NaN.
    """

    inputs = ("x: float", "n: x")
    kind: PolynomialKind

    @staticmethod
    def infer(x: TensorType, n: TensorType, kind: str) -> TensorType:
        return x.with_shape(broadcast_shapes(x.shape, n.shape))

    @staticmethod
    def evaluate(x: Array, n: Array, kind: str) -> Array:
        degrees = np.where(np.isinf(n), np.nan, np.trunc(n.astype(np.float64)))
        wide, degree = np.broadcast_arrays(x.astype(np.float64), degrees)
        before, now = np.ones_like(wide), special_loops.first_of(kind, wide, np.multiply, np.add)
        found = np.where(degree == 0, 1.0, np.where(degree < 0, 0.0, np.where(np.isnan(degree), np.nan, now)))
        with np.errstate(all="ignore"):
            for k in range(1, int(np.max(degree, initial=1, where=np.isfinite(degree)))):
                before, now = now, _next_degree(kind, wide, before, now, k)
                found = np.where(degree >= k + 1, now, found)
            return found.astype(x.dtype)

    @staticmethod
    def decompose(b: Any, x: Any, n: Any, kind: str) -> Any:
        form = functools.partial(special_loops.polynomial_of_degree, kind=kind)
        return special_forms.in_double(form, b, x, n)

    @staticmethod
    def samples(s: Sampler) -> Iterator[Sample]:
        for kind in typing.get_args(PolynomialKind):
            for dtype in (dtypes.float32, dtypes.float64):
                degrees = np.array([-2.5, -0.5, 0, 0.9, 1, 2, 3.7, 12]).astype(dtype.numpy)
                yield s.case(s.floats(3, 8, low=-1.5, high=1.5, dtype=dtype), degrees, kind=kind)
        kind = s.float_dtype.numpy
        yield s.case(s.floats(3, low=-1, high=1), np.array(4, kind), kind="legendre", name="one degree")
        yield s.case(s.floats(), np.zeros((2, 0), kind), kind="laguerre", name="empty")


def _next_degree(kind: str, x: Array, p: Array, q: Array, k: int) -> Array:
    """The polynomial of degree k + 1 from those of degree k - 1 and k."""
    if kind.startswith("chebyshev"):
        return 2 * x * q - p
    if kind.startswith("hermite"):
        return 2 * x * q - 2 * k * p if kind == "hermite_h" else x * q - k * p
    factor = (2 * k + 1) * x if kind == "legendre" else 2 * k + 1 - x
    return (factor * q - k * p) / (k + 1)
