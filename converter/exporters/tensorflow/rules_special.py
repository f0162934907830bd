"""Special functions. What TensorFlow lacks is made of smaller operations, in float64."""

from __future__ import annotations

from converter.exporters.code.expr import Expr, Name
from converter.exporters.tensorflow.context import MATH, Context
from converter.exporters.tensorflow.table import rule
from ir.core import Node

_BESSEL = [f"bessel_{n}" for n in ("i0", "i0e", "i1", "i1e", "j0", "j1", "k0", "k0e", "k1", "k1e", "y0", "y1")]


@rule(*_BESSEL)
def bessel(c: Context, node: Node) -> Expr:
    return _computed(c, node, getattr(Name("tf.math.special"), node.op.name))


_OTHERS = {"ndtri": "ndtri", "zeta": "zeta", "gamma_inc": "igamma", "gamma_incc": "igammac"}


@rule(*_OTHERS)
def other(c: Context, node: Node) -> Expr:
    return _computed(c, node, getattr(MATH, _OTHERS[node.op.name]))


def _computed(c: Context, node: Node, function: Expr) -> Expr:
    kind = node.output.type.dtype
    return c.widened(kind, "float32" if kind.is_half else kind.name, function, *(c.x(v) for v in node.inputs))
