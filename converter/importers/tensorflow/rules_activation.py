"""Activations."""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np

from converter.importers.tensorflow.context import TensorflowContext
from converter.importers.tensorflow.table import rule
from ir.core import Value

_UNARY = {"Relu": "relu", "Selu": "selu", "Elu": "elu", "Sigmoid": "sigmoid", "Softsign": "softsign"}


def _unary(name: str) -> Callable[[TensorflowContext], Value]:
    return lambda c: getattr(c.b, name)(c.x())


for _op, _name in _UNARY.items():
    rule.add(_op, _unary(_name), _name)


@rule("Relu6")
def relu6(c: TensorflowContext) -> Value:
    return c.b.hard_tanh(c.x(), min=0.0, max=6.0) if c.x().type.dtype.is_float else c.b.clip(c.x(), 0, 6)


@rule("Softplus")
def softplus(c: TensorflowContext) -> Value:
    return c.b.softplus(c.x(), threshold=math.inf)


@rule("LeakyRelu")
def leaky_relu(c: TensorflowContext) -> Value:
    """The slope is a float32, of doubles, too."""
    x, alpha = c.x(), c.attr("alpha")
    return c.b.leaky_relu(x, alpha=float(np.float32(alpha)) if x.type.dtype.bits > 32 else float(alpha))


@rule("Softmax", "LogSoftmax")
def softmax(c: TensorflowContext) -> Value:
    """Over the last axis."""
    return (c.b.softmax if c.op == "Softmax" else c.b.log_softmax)(c.x(), axis=c.rank() - 1)
