"""Activations. NaN gives NaN; where a formula yields inf * 0 (silu of -inf), the op gives NaN too, as in PyTorch.

Piecewise functions take their branch by comparison with the whole operand: the other branch has no influence.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any, Literal

import numpy as np

from ir.ops.families import AlongAxis, Unary, UnaryReal
from ir.ops.registry import op
from ir.ops.sampler import Array, Sample, Sampler
from ir.types import TensorType, broadcast_shapes, dtypes, floordiv, mod, normalize_axis, require_same
from ir.types.dim import bounds

if TYPE_CHECKING:
    from ir.core.builder import Builder
    from ir.core.graph import Value


# -- rectifiers -----------------------------------------------------------------------------------------------------
@op
class Relu(UnaryReal):
    """max(x, 0). Its gradient at 0 is 0."""

    @staticmethod
    def evaluate(x: Array) -> Array:
        return np.maximum(x, np.zeros((), x.dtype))

    @staticmethod
    def vjp(cotangent: Array, x: Array) -> dict[str, Array]:
        return {"x": cotangent * (x > 0)}

    @staticmethod
    def decompose(b: Builder, x: Value) -> Value:
        return b.maximum(x, 0)


@op
class LeakyRelu(Unary):
    """x where x > 0, else alpha * x."""

    alpha: float = 0.01
    rows = ({"alpha": 0.3}, {"alpha": 0.0}, {"alpha": -1.5}, {})

    @staticmethod
    def evaluate(x: Array, alpha: float) -> Array:
        return np.where(x > 0, x, x * x.dtype.type(alpha))

    @staticmethod
    def decompose(b: Builder, x: Value, alpha: float) -> Value:
        return b.where(b.greater(x, 0.0), x, b.mul(x, alpha))


@op
class Elu(Unary):
    """x where x > 0, else alpha * (e**x - 1) (Clevert et al. 2015)."""

    alpha: float = 1.0
    rows = ({"alpha": 0.3}, {})

    @staticmethod
    def evaluate(x: Array, alpha: float) -> Array:
        return np.where(x > 0, x, x.dtype.type(alpha) * np.expm1(x))

    @staticmethod
    def decompose(b: Builder, x: Value, alpha: float) -> Value:
        return b.where(b.greater(x, 0.0), x, b.mul(b.expm1(x), alpha))


@op
class Celu(Unary):
    """x where x > 0, else alpha * (e**(x / alpha) - 1) (Barron 2017). `alpha` is not 0."""

    alpha: float = 1.0
    rows = ({"alpha": 0.3}, {"alpha": 2.0}, {})

    @staticmethod
    def infer(x: TensorType, **attrs: Any) -> TensorType:
        if attrs["alpha"] == 0:
            raise ValueError("celu: alpha must not be 0")
        return x

    @staticmethod
    def evaluate(x: Array, alpha: float) -> Array:
        return np.where(x > 0, x, x.dtype.type(alpha) * np.expm1(x / x.dtype.type(alpha)))

    @staticmethod
    def decompose(b: Builder, x: Value, alpha: float) -> Value:
        return b.where(b.greater(x, 0.0), x, b.mul(b.expm1(b.div(x, alpha)), alpha))

    @classmethod
    def samples(cls, s: Sampler) -> Iterator[Sample]:
        yield from super().samples(s)
        yield s.case(s.floats(2, 3), alpha=0.0, name="alpha zero", error=ValueError)


@op
class Selu(Unary):
    """gamma * (x where x > 0, else alpha * (e**x - 1)) (Klambauer et al. 2017)."""

    alpha: float = 1.6732632423543772
    gamma: float = 1.0507009873554805
    rows = ({"alpha": 0.5, "gamma": 2.0}, {}, {"alpha": 1.5}, {"gamma": 1.25})

    @staticmethod
    def evaluate(x: Array, alpha: float, gamma: float) -> Array:
        return x.dtype.type(gamma) * np.where(x > 0, x, x.dtype.type(alpha) * np.expm1(x))

    @staticmethod
    def decompose(b: Builder, x: Value, alpha: float, gamma: float) -> Value:
        return b.mul(b.elu(x, alpha=alpha), gamma)


@op
class Prelu:
    """x where x > 0, else slope * x (He et al. 2015).

    With `axis`, the slope is a vector of that axis' size or of size 1; without, it broadcasts as in NumPy.
    """

    inputs = ("x: float", "slope: x")
    axis: int | None = None

    @staticmethod
    def infer(x: TensorType, slope: TensorType, axis: int | None) -> TensorType:
        if axis is None:
            return x.with_shape(broadcast_shapes(x.shape, slope.shape))
        if slope.rank != 1:
            raise ValueError(f"prelu: slope must be a vector along axis {axis}, got rank {slope.rank}")
        size = x.shape[normalize_axis(axis, x.rank)]
        if slope.shape[0] != 1:
            require_same(size, slope.shape[0], "prelu: slopes along the axis")
        return x

    @staticmethod
    def evaluate(x: Array, slope: Array, axis: int | None) -> Array:
        if axis is not None:
            slope = slope.reshape(len(slope), *[1] * (x.ndim - 1 - normalize_axis(axis, x.ndim)))
        return np.where(x > 0, x, slope * x)

    @staticmethod
    def decompose(b: Builder, x: Value, slope: Value, axis: int | None) -> Value:
        behind = 0 if axis is None else x.type.rank - 1 - normalize_axis(axis, x.type.rank)
        slope = b.reshape(slope, shape=(slope.type.shape[0], *[1] * behind)) if behind else slope
        return b.where(b.greater(x, 0.0), x, b.mul(slope, x))

    @staticmethod
    def samples(s: Sampler) -> Iterator[Sample]:
        for axis, size in ((1, 3), (-1, 4), (0, 2), (1, 1)):
            yield s.case(s.floats(2, 3, 4), s.floats(size), axis=axis)
        yield s.case(s.floats(2, 3), s.floats(3))
        yield s.case(s.floats(3), s.floats(2, 1))
        yield s.case(s.floats(5, 6, edge=True), s.floats(6), axis=1, name="edges")
        yield s.case(s.floats(5), s.floats(), name="scalar slope")
        yield s.case(s.float_edges()[:, None], s.float_edges(), name="all edges")
        yield s.case(s.floats(0, 3), s.floats(3), axis=1, name="empty")
        yield s.case(s.floats(3, 2), s.floats(2), axis=1)
        yield s.case(s.floats(2, 3), s.floats(1), axis=0, name="one for every row")
        yield s.case(s.floats(2, 3), s.floats(2), axis=1, name="wrong size", error=ValueError)
        yield s.case(s.floats(2, 3), s.floats(1, 3), axis=1, name="not a vector", error=ValueError)


# -- sigmoids -------------------------------------------------------------------------------------------------------
@op
class Sigmoid(Unary):
    """1 / (1 + e**-x)."""

    @staticmethod
    def evaluate(x: Array) -> Array:
        from scipy import special

        return special.expit(x)

    @staticmethod
    def decompose(b: Builder, x: Value) -> Value:
        return b.reciprocal(b.add(b.exp(b.neg(x)), 1.0))


@op
class LogSigmoid(Unary):
    """log(sigmoid(x)), computed as min(x, 0) - log1p(e**-|x|)."""

    @staticmethod
    def evaluate(x: Array) -> Array:
        return np.minimum(x, 0) - np.log1p(np.exp(-np.abs(x)))

    @staticmethod
    def decompose(b: Builder, x: Value) -> Value:
        return b.sub(b.minimum(x, 0.0), b.log1p(b.exp(b.neg(b.abs(x)))))


@op
class HardSigmoid(Unary):
    """min(max(alpha * x + beta, 0), 1)."""

    alpha: float = 1.0 / 6.0
    beta: float = 0.5
    rows = ({"alpha": 0.2}, {"beta": 0.4}, {})

    @staticmethod
    def evaluate(x: Array, alpha: float, beta: float) -> Array:
        return np.minimum(np.maximum(x.dtype.type(alpha) * x + x.dtype.type(beta), 0), 1).astype(x.dtype)

    @staticmethod
    def decompose(b: Builder, x: Value, alpha: float, beta: float) -> Value:
        return b.clip(b.add(b.mul(x, alpha), beta), 0.0, 1.0)


@op
class Silu(Unary):
    """x * sigmoid(x), also called swish (Elfwing et al. 2017)."""

    @staticmethod
    def evaluate(x: Array) -> Array:
        from scipy import special

        return x * special.expit(x)

    @staticmethod
    def decompose(b: Builder, x: Value) -> Value:
        return b.mul(x, b.sigmoid(x))


@op
class HardSwish(Unary):
    """x * min(max(x / 6 + 1/2, 0), 1) (Howard et al. 2019)."""

    @staticmethod
    def evaluate(x: Array) -> Array:
        return x * np.clip(x * x.dtype.type(1 / 6) + x.dtype.type(0.5), 0, 1)

    @staticmethod
    def decompose(b: Builder, x: Value) -> Value:
        return b.mul(x, b.hard_sigmoid(x))


@op
class Mish(Unary):
    """x * tanh(log(1 + e**x)) (Misra 2019)."""

    @staticmethod
    def evaluate(x: Array) -> Array:
        return x * np.tanh(np.logaddexp(x, np.zeros((), x.dtype)))

    @staticmethod
    def decompose(b: Builder, x: Value) -> Value:
        return b.mul(x, b.tanh(b.softplus(x, threshold=math.inf)))


def _tanh_bell(b: Builder, x: Value) -> Value:
    cubic = b.mul(b.mul(b.mul(x, x), x), 0.044715)
    return b.tanh(b.mul(b.add(x, cubic), math.sqrt(2 / math.pi)))


@op
class Gelu(Unary):
    """x * Phi(x), Phi being the normal distribution function, or its tanh approximation (Hendrycks, Gimpel 2016)."""

    approximate: Literal["none", "tanh"] = "none"
    rows = ({"approximate": "tanh"}, {})

    @staticmethod
    def evaluate(x: Array, approximate: str) -> Array:
        from scipy import special

        half = x.dtype.type(0.5)
        if approximate == "tanh":
            inner = x.dtype.type(math.sqrt(2 / math.pi)) * (x + x.dtype.type(0.044715) * x * x * x)
            return half * x * (1 + np.tanh(inner))
        return half * x * special.erfc(x * x.dtype.type(-math.sqrt(0.5)))  # 1 + erf loses the left tail

    @staticmethod
    def decompose(b: Builder, x: Value, approximate: str) -> Value:
        half = x.type.dtype if x.type.dtype.is_half else None
        x = b.cast(x, to=dtypes.float32) if half else x  # 1 + erf cancels on the left: rounded once, as frameworks do
        bell = b.erf(b.mul(x, math.sqrt(0.5))) if approximate == "none" else _tanh_bell(b, x)
        result = b.mul(b.mul(x, 0.5), b.add(bell, 1.0))
        return b.cast(result, to=half) if half else result


@op
class Softplus(Unary):
    """log(1 + e**(beta * x)) / beta, and x itself where beta * x > threshold. `threshold=inf` is the exact function."""

    beta: float = 1.0
    threshold: float = 20.0
    rows = (
        {"beta": 2.5}, {"threshold": 1.5}, {"beta": -1.0}, {"threshold": math.inf}, {}, {"threshold": 80.0}, {"threshold": 80.5},
    )  # fmt: skip

    @staticmethod
    def infer(x: TensorType, **attrs: Any) -> TensorType:
        if attrs["beta"] == 0:
            raise ValueError("softplus: beta must not be 0")
        return x

    @staticmethod
    def evaluate(x: Array, beta: float, threshold: float) -> Array:
        scaled = x * x.dtype.type(beta)
        smooth = np.logaddexp(scaled, np.zeros((), x.dtype)) / x.dtype.type(beta)
        return np.where(scaled > threshold, x, smooth)

    @staticmethod
    def decompose(b: Builder, x: Value, beta: float, threshold: float) -> Value:
        scaled = x if beta == 1 else b.mul(x, beta)
        smooth = b.add(b.maximum(scaled, 0.0), b.log1p(b.exp(b.neg(b.abs(scaled)))))
        smooth = smooth if beta == 1 else b.div(smooth, beta)
        return smooth if threshold == math.inf else b.where(b.greater(scaled, threshold), x, smooth)

    @classmethod
    def samples(cls, s: Sampler) -> Iterator[Sample]:
        yield from super().samples(s)
        yield s.case(s.floats(4, 5, low=-30.0, high=30.0), name="around the threshold")
        yield s.case(np.array([1.25, 1.5, 1.75], s.float_dtype.numpy), threshold=1.5, name="at the threshold")
        yield s.case(s.floats(2, 3), beta=0.0, name="beta zero", error=ValueError)


@op
class Softsign(Unary):
    """x / (1 + |x|)."""

    @staticmethod
    def evaluate(x: Array) -> Array:
        return x / (1 + np.abs(x))

    @staticmethod
    def decompose(b: Builder, x: Value) -> Value:
        return b.div(x, b.add(b.abs(x), 1.0))


# -- shrinking ------------------------------------------------------------------------------------------------------
@op
class TanhShrink(Unary):
    """x - tanh(x)."""

    @staticmethod
    def evaluate(x: Array) -> Array:
        return x - np.tanh(x)

    @staticmethod
    def decompose(b: Builder, x: Value) -> Value:
        return b.sub(x, b.tanh(x))


@op
class SoftShrink(Unary):
    """x moved towards 0 by `lambd`, and 0 within `lambd` of 0."""

    lambd: float = 0.5
    rows = ({"lambd": 0.0}, {"lambd": 1.25}, {})

    @staticmethod
    def infer(x: TensorType, **attrs: Any) -> TensorType:
        if not 0 <= attrs["lambd"] < math.inf:
            raise ValueError(f"soft_shrink: lambd must not be negative or infinite, got {attrs['lambd']}")
        return x

    @staticmethod
    def evaluate(x: Array, lambd: float) -> Array:
        width = x.dtype.type(lambd)
        return x - np.minimum(np.maximum(x, -width), width)

    @staticmethod
    def decompose(b: Builder, x: Value, lambd: float) -> Value:
        return b.sub(x, b.clip(x, -lambd, lambd))

    @classmethod
    def samples(cls, s: Sampler) -> Iterator[Sample]:
        yield from super().samples(s)
        yield s.case(s.floats(2, 3), lambd=-0.5, name="negative", error=ValueError)


@op
class HardShrink(Unary):
    """x, and 0 where -lambd <= x <= lambd."""

    lambd: float = 0.5
    discontinuous = True
    rows = ({"lambd": 0.0}, {"lambd": 1.25}, {"lambd": -1.0}, {})

    @staticmethod
    def evaluate(x: Array, lambd: float) -> Array:
        width = x.dtype.type(lambd)
        return np.where((x >= -width) & (x <= width), np.zeros_like(x), x)

    @staticmethod
    def decompose(b: Builder, x: Value, lambd: float) -> Value:
        return b.where(b.and_(b.greater_equal(x, -lambd), b.less_equal(x, lambd)), 0.0, x)


@op
class Threshold(Unary):
    """x where x > threshold (or x is NaN), else value."""

    threshold: float
    value: float
    discontinuous = True
    rows = ({"threshold": 0.5, "value": -2.0}, {"threshold": 0.0, "value": 0.0})

    @staticmethod
    def evaluate(x: Array, threshold: float, value: float) -> Array:
        return np.where(x <= x.dtype.type(threshold), x.dtype.type(value), x)

    @staticmethod
    def decompose(b: Builder, x: Value, threshold: float, value: float) -> Value:
        return b.where(b.less_equal(x, threshold), value, x)


# -- along an axis --------------------------------------------------------------------------------------------------
def _exp_shifted(x: Array, axis: int) -> tuple[Array, Array]:
    shifted = x - np.max(x, axis=axis, keepdims=True, initial=-np.inf)
    return shifted, np.exp(shifted)


def _largest(b: Builder, x: Value, axis: int) -> Value:
    """The maximum along an axis, size 1 there; of an axis that the run may find empty, -inf."""
    if bounds(x.type.shape[axis])[0] == 0:
        axis %= x.type.rank
        x = b.pad(x, pads=tuple((0, int(i == axis)) for i in range(x.type.rank)), value=-math.inf)
    return b.reduce_max(x, axes=(axis,), keepdims=True)


@op
class Softmax(AlongAxis):
    """exp(x) normalised to sum 1 along `axis` (Bridle 1990). A row of -inf alone gives NaN."""

    @staticmethod
    def evaluate(x: Array, axis: int) -> Array:
        _, e = _exp_shifted(x, axis)
        return e / np.sum(e, axis=axis, keepdims=True)

    @staticmethod
    def decompose(b: Builder, x: Value, axis: int) -> Value:
        if x.type.shape[axis] == 0:
            return b.identity(x)
        e = b.exp(b.sub(x, _largest(b, x, axis)))
        return b.div(e, b.reduce_sum(e, axes=(axis,), keepdims=True))


@op
class LogSoftmax(AlongAxis):
    """log(softmax(x)) along `axis`, without the loss of small probabilities."""

    @staticmethod
    def evaluate(x: Array, axis: int) -> Array:
        shifted, e = _exp_shifted(x, axis)
        return shifted - np.log(np.sum(e, axis=axis, keepdims=True))

    @staticmethod
    def decompose(b: Builder, x: Value, axis: int) -> Value:
        if x.type.shape[axis] == 0:
            return b.identity(x)
        shifted = b.sub(x, _largest(b, x, axis))
        return b.sub(shifted, b.log(b.reduce_sum(b.exp(shifted), axes=(axis,), keepdims=True)))


@op
class Glu:
    """The first half of x along `axis` times the sigmoid of the second (Dauphin et al. 2016)."""

    inputs = ("x: float",)
    axis: int = -1

    @staticmethod
    def infer(x: TensorType, axis: int) -> TensorType:
        axis = normalize_axis(axis, x.rank)
        require_same(mod(x.shape[axis], 2), 0, "glu: an even axis")
        return x.with_shape(floordiv(d, 2) if i == axis else d for i, d in enumerate(x.shape))

    @staticmethod
    def evaluate(x: Array, axis: int) -> Array:
        from scipy import special

        value, gate = np.split(x, 2, axis)
        return value * special.expit(gate)

    @staticmethod
    def decompose(b: Builder, x: Value, axis: int) -> Value:
        half = floordiv(x.type.shape[axis], 2)
        value, gate = b.split(x, sizes=(half, half), axis=axis)
        return b.mul(value, b.sigmoid(gate))

    @staticmethod
    def samples(s: Sampler) -> Iterator[Sample]:
        for shape, axis in (((2, 4), -1), ((4, 3), 0), ((2, 6, 3), 1), ((0, 4), 1), ((3, 0), 1)):
            yield s.case(s.floats(*shape), axis=axis)
        yield s.case(s.floats(5, 6, edge=True), name="edges")
        yield s.case(s.floats(2, 3), name="odd", error=ValueError)
        yield s.case(s.floats(2, 4), axis=2, name="axis out of range", error=ValueError)
