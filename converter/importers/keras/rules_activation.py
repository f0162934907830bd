"""Activations."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from converter.importers.keras.context import KerasContext, rule
from converter.importers.keras.operands import axis_of, count, flat, floating, on_tensorflow
from converter.importers.keras.rules_indexing import backend
from converter.importers.keras.spelled import spelled
from ir.core import Value

_TABLE: dict[str, tuple[str, dict[str, Any]]] = {
    "Relu": ("relu", {}), "Sigmoid": ("sigmoid", {}), "Silu": ("silu", {}), "Softsign": ("softsign", {}),
    "LogSigmoid": ("log_sigmoid", {}), "Selu": ("selu", {}), "TanhShrink": ("tanh_shrink", {}),
    "HardSilu": ("hard_swish", {}), "HardSigmoid": ("hard_sigmoid", {}),
}  # fmt: skip
_SETTINGS: dict[str, tuple[str, dict[str, str]]] = {
    "Elu": ("elu", {"alpha": "alpha"}),
    "Celu": ("celu", {"alpha": "alpha"}),
}


def _unary(name: str, op: str, fixed: dict[str, Any], given: dict[str, str]) -> None:
    def convert(c: KerasContext, spec: Any, x: Any) -> Value:
        attrs = {k: float(getattr(spec, v)) for k, v in given.items()}
        return getattr(c.b, op)(c.value(x), **fixed, **attrs)

    rule.add(f"ops.{name}", convert, op)


for _name, (_op, _fixed) in _TABLE.items():
    _unary(_name, _op, _fixed, {})
for _name, (_op, _given) in _SETTINGS.items():
    _unary(_name, _op, {}, _given)


@rule("ops.Softmax", "ops.LogSoftmax")
def softmax(c: KerasContext, op: Any, x: Any) -> Value:
    """Over one axis, several as one, or all."""
    value = floating(c, x)
    compute = c.b.softmax if type(op).__name__ == "Softmax" else c.b.log_softmax
    rank = value.type.rank
    if isinstance(op.axis, int):
        return compute(value, axis=axis_of(op.axis, rank))
    if op.axis is None:
        found = compute(flat(c, value), axis=0)
        return found if rank == 1 else c.b.reshape(found, shape=value.type.shape)
    axes = [axis_of(a, rank) for a in op.axis]
    perm = [*(i for i in range(rank) if i not in axes), *axes]
    moved = value if perm == list(range(rank)) else c.b.transpose(value, perm=tuple(perm))
    shape, kept = moved.type.shape, rank - len(axes)
    found = compute(c.b.reshape(moved, shape=(*shape[:kept], count(shape[kept:]))), axis=kept)
    found = c.b.reshape(found, shape=shape)
    return found if moved is value else c.b.transpose(found, perm=tuple(perm.index(i) for i in range(rank)))


@rule("ops.Softplus")
def softplus(c: KerasContext, _: Any, x: Any) -> Value:
    """The exact function; on torch, x itself above 20."""
    return c.b.softplus(c.value(x), threshold=20.0 if backend() == "torch" else math.inf)


@rule("ops.LeakyRelu")
def leaky_relu(c: KerasContext, op: Any, x: Any) -> Value:
    """TensorFlow keeps the slope as float32, of doubles, too."""
    value, slope = c.value(x), float(op.negative_slope)
    return c.b.leaky_relu(value, alpha=_single(slope) if _doubles(value) else slope)


def _single(number: float) -> float:
    return float(np.float32(number))


def _doubles(value: Value) -> bool:
    return value.type.dtype.name == "float64" and on_tensorflow()


@rule("ops.Gelu")
def gelu(c: KerasContext, op: Any, x: Any) -> Value:
    """TensorFlow keeps a coefficient of the approximation as float32, for doubles, too."""
    value = c.value(x)
    if not op.approximate or not _doubles(value):
        return c.b.gelu(value, approximate="tanh" if op.approximate else "none")
    half, one, root, third = (
        c.number(n, value.type.dtype) for n in (0.5, 1, math.sqrt(2 / math.pi), _single(0.044715))
    )
    cube = c.b.mul(c.b.mul(value, value), value)
    inner = c.b.tanh(c.b.mul(root, c.b.add(value, c.b.mul(third, cube))))
    return c.b.mul(c.b.mul(half, value), c.b.add(one, inner))


@rule("ops.SoftShrink", "ops.HardShrink")
def shrink(c: KerasContext, op: Any, x: Any) -> Value:
    """What lies within the threshold becomes 0; so does NaN, but not on torch."""
    value, width, soft = c.value(x), float(op.threshold), type(op).__name__ == "SoftShrink"
    if backend() == "torch":
        return (c.b.soft_shrink if soft else c.b.hard_shrink)(value, lambd=width)
    zero, limit = c.number(0, value.type.dtype), c.number(width, value.type.dtype)
    if not soft:
        return c.b.where(c.b.greater(c.b.abs(value), limit), value, zero)
    low = c.b.where(c.b.less(value, c.b.neg(limit)), c.b.add(value, limit), zero)
    return c.b.where(c.b.greater(value, limit), c.b.sub(value, limit), low)


@rule("ops.Glu")
def glu(c: KerasContext, op: Any, x: Any) -> Value:
    value = c.value(x)
    return c.b.glu(value, axis=axis_of(op.axis, value.type.rank))


def clipped(c: KerasContext, value: Value, low: float, high: float) -> Value:
    """Between two numbers."""
    return c.b.clip(value, c.number(low, value.type.dtype), c.number(high, value.type.dtype))


@rule("ops.Relu6")
def relu6(c: KerasContext, _: Any, x: Any) -> Value:
    value = c.value(x)
    if backend() == "jax" and not value.type.dtype.is_float:
        value = c.cast(value, "float32")  # jax takes the smaller of it and 6.0
    return c.b.hard_tanh(value, min=0.0, max=6.0) if value.type.dtype.is_float else clipped(c, value, 0, 6)


@rule("ops.HardTanh")
def hard_tanh(c: KerasContext, _: Any, x: Any) -> Value:
    return clipped(c, c.value(x), -1, 1)


@rule("ops.SparseSigmoid")
def sparse_sigmoid(c: KerasContext, _: Any, x: Any) -> Value:
    value = c.value(x)
    kind = value.type.dtype
    return clipped(c, c.b.mul(c.number(0.5, kind), c.b.add(value, c.number(1, kind))), 0, 1)


@rule("ops.Threshold")
def threshold(c: KerasContext, op: Any, x: Any) -> Value:
    """What is not above the threshold, NaN included (on torch it stays), becomes the default."""
    value = c.value(x)
    kind = value.type.dtype
    limit, default = c.number(op.threshold, kind), c.number(op.default_value, kind)
    if backend() == "torch":
        return c.b.where(c.b.less_equal(value, limit), default, value)
    return c.b.where(c.b.greater(value, limit), value, default)


@spelled("ops.SparsePlus")
def sparse_plus(_: Any, x: Any) -> Any:
    from keras import ops

    inner = ops.multiply(0.25, ops.square(ops.add(x, 1)))
    return ops.where(ops.less_equal(x, -1), ops.zeros_like(x), ops.where(ops.less(x, 1), inner, x))


@spelled("ops.Squareplus")
def squareplus(op: Any, x: Any) -> Any:
    from keras import ops

    return ops.divide(ops.add(x, ops.sqrt(ops.add(ops.square(x), op.b))), 2)


@spelled("ops.Sparsemax")
def sparsemax(op: Any, x: Any) -> Any:
    """The projection onto the simplex (Martins and Astudillo 2016)."""
    from keras import ops

    axis = op.axis % len(x.shape)
    ordered = ops.flip(ops.sort(x, axis=axis), axis)
    sums = ops.cumsum(ordered, axis=axis)
    ranks = ops.cast(ops.arange(1, x.shape[axis] + 1), x.dtype)
    ranks = ops.reshape(ranks, [-1 if i == axis else 1 for i in range(len(x.shape))])
    support = ops.greater(ops.subtract(ordered, ops.divide(ops.subtract(sums, 1), ranks)), 0)
    size = ops.sum(ops.cast(support, x.dtype), axis=axis, keepdims=True)
    mass = ops.sum(ops.where(support, sums, ops.zeros_like(sums)), axis=axis, keepdims=True)
    return ops.maximum(ops.subtract(x, ops.divide(ops.subtract(mass, 1), size)), 0)
