"""Activations, and softmax in both of its definitions."""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np

from converter.importers.onnx.context import OnnxContext
from converter.importers.onnx.rules_elementwise import register, unary
from converter.importers.onnx.table import rule
from ir.core import Value
from ir.types import dtypes, normalize_axis, numel

register(
    {
        "Relu": ("relu", (6, 13, 14)), "Sigmoid": ("sigmoid", (6, 13)), "HardSwish": ("hard_swish", (14, 22)), "Mish": ("mish", (18, 22)),
        "Softsign": ("softsign", (1, 22)),
    },
    unary,
)  # fmt: skip


def _meant(value: float, exact: float) -> float:
    """`exact` where an attribute, which a file holds in float32, is nearest to it."""
    return exact if np.float32(value) == np.float32(exact) else value


@rule("LeakyRelu", 6, 16)
def leaky_relu(c: OnnxContext) -> Value:
    return c.b.leaky_relu(c.x(), alpha=c.attr("alpha"))


@rule("Elu", 6, 22)
def elu(c: OnnxContext) -> Value:
    return c.b.elu(c.x(), alpha=c.attr("alpha"))


@rule("Celu", 12, 28)
def celu(c: OnnxContext) -> Value:
    return c.b.celu(c.x(), alpha=c.attr("alpha"))


@rule("Selu", 6, 22)
def selu(c: OnnxContext) -> Value:
    """The usual constants stand for the exact numbers of the paper."""
    alpha, gamma = _meant(c.attr("alpha"), 1.6732632423543772), _meant(c.attr("gamma"), 1.0507009873554805)
    return c.b.selu(c.x(), alpha=alpha, gamma=gamma)


@rule("HardSigmoid", 6, 22)
def hard_sigmoid(c: OnnxContext) -> Value:
    return c.b.hard_sigmoid(c.x(), alpha=_meant(c.attr("alpha"), 1 / 6), beta=c.attr("beta"))


@rule("Softplus", 1, 22)
def softplus(c: OnnxContext) -> Value:
    """Exact; in float32 and narrower, the usual threshold of 20 changes no bit of the result."""
    exact = c.type().dtype == dtypes.float64
    return c.b.softplus(c.x(), threshold=math.inf) if exact else c.b.softplus(c.x())


@rule("Gelu", 20)
def gelu(c: OnnxContext) -> Value:
    return c.b.gelu(c.x(), approximate=c.only("approximate", "none", "tanh"))


@rule("Swish", 24)
def swish(c: OnnxContext) -> Value:
    return _swish(c, c.x())


@rule("SwiGLU", 28)
def swiglu(c: OnnxContext) -> Value:
    if c.type(0).shape != c.type(1).shape:
        c.refuse(f"its operands have different shapes: {c.type(0)} and {c.type(1)}")
    return c.b.mul(_swish(c, c.x(0)), c.x(1))


def _swish(c: OnnxContext, x: Value) -> Value:
    alpha = c.attr("alpha")
    return c.b.silu(x) if alpha == 1 else c.b.mul(x, c.b.sigmoid(c.b.mul(x, alpha)))


@rule("PRelu", 7, 9, 16)
def prelu(c: OnnxContext) -> Value:
    """The slope broadcasts to x, never the other way."""
    if c.rank(1) > c.rank(0):
        c.refuse(f"a slope {c.type(1)} of higher rank than {c.type(0)}")
    return c.b.prelu(c.x(0), c.x(1))


@rule("ThresholdedRelu", 10, 22)
def thresholded_relu(c: OnnxContext) -> Value:
    """x where x > alpha, else 0: a NaN gives 0."""
    x, alpha = c.x(), c.attr("alpha")
    return c.b.where(c.b.greater(x, alpha), x, 0.0)


@rule("Shrink", 9)
def shrink(c: OnnxContext) -> Value:
    """What lies within the limits is 0, a NaN as well: PyTorch's shrinking, which keeps NaN, is another op."""
    x, bias, lambd = c.x(), c.attr("bias"), c.attr("lambd")
    kind = x.type.dtype
    if not kind.is_float:
        x = c.b.cast(x, to=dtypes.float32)  # and what comes of it towards zero again, as ONNX Runtime does
    low = c.b.where(c.b.less(x, -lambd), c.b.add(x, bias) if bias else x, 0.0)
    return c.cast(c.b.where(c.b.greater(x, lambd), c.b.sub(x, bias) if bias else x, low), kind)


@rule("Softmax", 13)
def softmax(c: OnnxContext) -> Value:
    return c.b.softmax(c.x(), axis=c.attr("axis"))


@rule("LogSoftmax", 13)
def log_softmax(c: OnnxContext) -> Value:
    return c.b.log_softmax(c.x(), axis=c.attr("axis"))


@rule("Softmax", 1, 11)
def softmax_flattened(c: OnnxContext) -> Value:
    return _flattened(c, c.b.softmax)


@rule("LogSoftmax", 1, 11)
def log_softmax_flattened(c: OnnxContext) -> Value:
    return _flattened(c, c.b.log_softmax)


def _flattened(c: OnnxContext, make: Callable[..., Value]) -> Value:
    """Before opset 13: over all axes from `axis` (default 1) on, taken as one, which is then the last."""
    x = c.x()
    axis = normalize_axis(c.attr("axis"), x.type.rank)
    if all(d == 1 for d in x.type.shape[axis + 1 :]):
        return make(x, axis=axis)
    flat = c.b.reshape(x, shape=(*x.type.shape[:axis], numel(x.type.shape[axis:])))
    return c.b.reshape(make(flat), shape=x.type.shape)


@rule("Hardmax", 13)
def hardmax(c: OnnxContext) -> Value:
    return _hardmax(c, c.x(), c.attr("axis"))


@rule("Hardmax", 1, 11)
def hardmax_flattened(c: OnnxContext) -> Value:
    x = c.x()
    axis = normalize_axis(c.attr("axis"), x.type.rank)
    flat = c.b.reshape(x, shape=(*x.type.shape[:axis], numel(x.type.shape[axis:])))
    return c.b.reshape(_hardmax(c, flat, axis), shape=x.type.shape)


def _hardmax(c: OnnxContext, x: Value, axis: int) -> Value:
    """1 at the first maximum along `axis`, else 0."""
    axis = normalize_axis(axis, x.type.rank)
    first = c.b.argmax(x, axis=axis)
    return c.b.one_hot(first, depth=x.type.shape[axis], axis=axis, dtype=x.type.dtype)
