"""ATen activations."""

from __future__ import annotations

from collections.abc import Callable

from converter.importers.torch.context import Call, RuleFn, TorchContext, rule
from ir.core import Value


def _plain(op: str, **names: str) -> RuleFn:
    """An activation whose literals go to attributes: `names` maps attribute to ATen argument."""

    def convert(c: TorchContext, a: Call) -> Value:
        return getattr(c.b, op)(c.cast(a.value("self"), a.dtype), **{k: a.lit(v) for k, v in names.items()})

    return convert


for _aten, _op in {
    "relu": "relu", "sigmoid": "sigmoid", "silu": "silu", "mish": "mish", "log_sigmoid": "log_sigmoid", "selu": "selu",
    "hardswish": "hard_swish", "hardsigmoid": "hard_sigmoid", "special_expit": "sigmoid",
}.items():  # fmt: skip
    rule.add(f"aten.{_aten}.default", _plain(_op), _aten)
rule.add("aten.leaky_relu.default", _plain("leaky_relu", alpha="negative_slope"), "leaky_relu")
rule.add("aten.celu.default", _plain("celu", alpha="alpha"), "celu")
rule.add("aten.softplus.default", _plain("softplus", beta="beta", threshold="threshold"), "softplus")
rule.add("aten.threshold.default", _plain("threshold", threshold="threshold", value="value"), "threshold")
rule.add("aten.gelu.default", _plain("gelu", approximate="approximate"), "gelu")
rule.add("aten.glu.default", _plain("glu", axis="dim"), "glu")


@rule("aten.elu.default")
def elu(c: TorchContext, a: Call) -> Value:
    """scale * x where x > 0, else alpha * scale * (exp(x * input_scale) - 1)."""
    x, alpha, scale, inner = a.value("self"), a.lit("alpha"), a.lit("scale"), a.lit("input_scale")
    if inner != 1:
        kind = x.type.dtype
        low = c.b.mul(c.b.expm1(c.b.mul(x, c.constant(inner, kind))), c.constant(alpha * scale, kind))
        return c.b.where(c.b.greater(x, c.constant(0, kind)), c.b.mul(x, c.constant(scale, kind)), low)
    if scale == 1:
        return c.b.elu(x, alpha=alpha)
    return c.b.selu(x, alpha=alpha, gamma=scale)


@rule("aten.relu6.default")
def relu6(c: TorchContext, a: Call) -> Value:
    return _clip(c, a.value("self"), 0, 6)


@rule("aten.hardtanh.default")
def hardtanh(c: TorchContext, a: Call) -> Value:
    return _clip(c, a.value("self"), a.lit("min_val"), a.lit("max_val"))


def _clip(c: TorchContext, x: Value, low: float, high: float) -> Value:
    if x.type.dtype.is_float:
        return c.b.hard_tanh(x, min=float(low), max=float(high))
    return c.b.clip(x, c.constant(low, x.type.dtype), c.constant(high, x.type.dtype))


@rule("aten.softmax.int", "aten._softmax.default")
def softmax(c: TorchContext, a: Call) -> Value:
    return _along(c, a, c.b.softmax)


@rule("aten.log_softmax.int", "aten._log_softmax.default")
def log_softmax(c: TorchContext, a: Call) -> Value:
    return _along(c, a, c.b.log_softmax)


def _along(c: TorchContext, a: Call, op: Callable[..., Value]) -> Value:
    """Over an axis, in the dtype of the result: torch casts before it computes. A number is the only one of its axis."""
    if a.has("dtype"):
        a.dtype_arg()
    if a.has("half_to_float"):
        a.lit("half_to_float")
    x = c.cast(a.value("self"), a.dtype)
    if x.type.rank:
        return op(x, axis=a.axis("dim", x.type.rank))
    a.lit("dim")
    return c.b.reshape(op(c.b.reshape(x, shape=(1,)), axis=0), shape=())


@rule("aten.prelu.default", "aten._prelu_kernel.default")
def prelu(c: TorchContext, a: Call) -> Value:
    x, slope = a.value("self"), a.value("weight")
    if slope.type.rank == 1 and x.type.rank >= 2:
        return c.b.prelu(x, slope, axis=1)
    if slope.type.rank > x.type.rank:  # one slope for one number
        slope = c.b.reshape(slope, shape=())
    return c.b.prelu(x, slope)


@rule("aten.rrelu.default")
def rrelu(c: TorchContext, a: Call) -> Value:
    x, low, high = a.value("self"), float(a.lit("lower")), float(a.lit("upper"))
    if a.raw("generator") is not None:
        c.refuse("draws from a generator of its own")
    if not a.lit("training"):
        return c.b.leaky_relu(x, alpha=(low + high) / 2)
    slope = c.b.random_uniform(shape=a.shape, low=low, high=high, dtype=a.dtype)
    return c.b.where(c.b.greater(x, c.constant(0, a.dtype)), x, c.b.mul(x, slope))


@rule("aten.logit.default")
def logit(c: TorchContext, a: Call) -> Value:
    x, eps = c.cast(a.value("self"), a.dtype), a.lit("eps")
    if eps is not None:  # with a gradient at both ends, which `hard_tanh` has not
        x = c.b.clip(x, c.constant(eps, a.dtype), c.constant(1 - eps, a.dtype))
    return c.b.log(c.b.div(x, c.b.sub(c.constant(1, a.dtype), x)))
