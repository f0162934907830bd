"""Special functions. What TensorFlow lacks is made of smaller operations, in float64."""

from __future__ import annotations

from collections.abc import Callable

from converter.exporters.code.expr import Expr, Name, lift
from converter.exporters.tensorflow.context import MATH, Context
from converter.exporters.tensorflow.table import rule
from ir.core import Node

_BESSEL = [f"bessel_{n}" for n in ("i0", "i0e", "i1", "i1e", "j0", "j1")]
_SECOND = {f"bessel_{n}": "-inf" if n[0] == "y" else "inf" for n in ("k0", "k0e", "k1", "k1e", "y0", "y1")}
"""Functions of the second kind, with their limits at 0."""


@rule(*_BESSEL)
def bessel(c: Context, node: Node) -> Expr:
    return _computed(c, node, getattr(Name("tf.math.special"), node.op.name))


@rule(*_SECOND)
def bessel_second(c: Context, node: Node) -> Expr:
    """TensorFlow's have an infinity for each negative number, and none for some zeros."""
    function, limit = getattr(Name("tf.math.special"), node.op.name), lift(float(_SECOND[node.op.name]))
    return _computed(c, node, lambda x: c.helper("of_positive")(function, x, limit))


ZETA = "compiled by XLA, zeta functions of numbers below -7 leave terms out and are others than the source's"


@rule("zeta")
def zeta(c: Context, node: Node) -> Expr:
    """In float32 TensorFlow adds too few terms for numbers below -7."""
    c.note(ZETA)
    kind = node.output.type.dtype
    return c.widened(kind, "float64", MATH.zeta, *(c.x(v) for v in node.inputs))


_OTHERS = {"ndtri": "ndtri", "gamma_inc": "igamma", "gamma_incc": "igammac"}


@rule(*_OTHERS)
def other(c: Context, node: Node) -> Expr:
    return _computed(c, node, getattr(MATH, _OTHERS[node.op.name]))


def _computed(c: Context, node: Node, function: Callable[..., Expr]) -> Expr:
    kind = node.output.type.dtype
    return c.widened(kind, "float32" if kind.is_half else kind.name, function, *(c.x(v) for v in node.inputs))
