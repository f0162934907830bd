"""Activations."""

from __future__ import annotations

import math

import numpy as np

from converter.exporters.code.expr import Expr, hole
from converter.exporters.outline.instances import Form
from converter.exporters.tensorflow.context import MATH, NN, TF, Context
from converter.exporters.tensorflow.table import form, rule
from ir.core import Node

_PLAIN = {
    "relu": NN.relu, "sigmoid": TF.sigmoid, "silu": NN.silu, "softsign": NN.softsign, "log_sigmoid": MATH.log_sigmoid,
}  # fmt: skip


@rule(*_PLAIN)
def activation(c: Context, node: Node) -> Expr:
    return _PLAIN[node.op.name](c.x(node.operand("x")))


@form(*_PLAIN)
def activation_form(node: Node) -> Form | None:
    """The function itself, where the source has a module at a numbered place of a container."""
    return Form(_PLAIN[node.op.name])


@form("tanh")
def tanh_form(node: Node) -> Form | None:
    return Form(TF.tanh)


def _single(node: Node) -> str | None:
    """Half types are rounded between the steps, which cancels on the left; in float64 the constants are those of float32."""
    return None if node.output.type.dtype.name == "float32" else "TensorFlow's gelu is exact in float32 only"


@rule("gelu", accepts=_single)
def gelu(c: Context, node: Node) -> Expr:
    return NN.gelu(c.x(node.operand("x")), approximate=hole(node.attrs["approximate"] == "tanh", "approximate", False))


@form("gelu")
def gelu_form(node: Node) -> Form | None:
    """`tf.nn.gelu` is the exact one by default."""
    return Form(NN.gelu) if node.attrs["approximate"] == "none" and _single(node) is None else None


def _single_slope(node: Node) -> str | None:
    """The slope is a setting of 32 bits."""
    exact = node.output.type.dtype.name != "float64" or float(np.float32(node.attrs["alpha"])) == node.attrs["alpha"]
    return None if exact else "TensorFlow's leaky_relu takes its slope as float32"


@rule("leaky_relu", accepts=_single_slope)
def leaky_relu(c: Context, node: Node) -> Expr:
    return NN.leaky_relu(c.x(node.operand("x")), alpha=hole(node.attrs["alpha"], "alpha"))


def _plain_elu(node: Node) -> str | None:
    return None if node.attrs["alpha"] == 1 else "TensorFlow's elu has no other factor than 1"


@rule("elu", accepts=_plain_elu)
def elu(c: Context, node: Node) -> Expr:
    return NN.elu(c.x(node.operand("x")))


def _plain_softplus(node: Node) -> str | None:
    """Above 20 the function and its operand are one number of 32 bits."""
    a, kind = node.attrs, node.output.type.dtype
    near = a["threshold"] == math.inf or (a["threshold"] >= 20 and kind.bits <= 32)
    return None if a["beta"] == 1 and near else "TensorFlow's softplus has no factor and no threshold"


@rule("softplus", accepts=_plain_softplus)
def softplus(c: Context, node: Node) -> Expr:
    return NN.softplus(c.x(node.operand("x")))


@rule("softmax", "log_softmax")
def softmax(c: Context, node: Node) -> Expr:
    axis = hole(node.attrs["axis"], "axis", -1)
    return getattr(NN, node.op.name)(c.x(node.operand("x")), axis=axis)


@form("softmax")
def softmax_form(node: Node) -> Form | None:
    axis = node.attrs["axis"]
    return Form(NN.softmax) if axis in (-1, node.operand("x").type.rank - 1) else None
