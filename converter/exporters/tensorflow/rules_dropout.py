"""Dropout: the input itself in evaluation."""

from __future__ import annotations

from converter.exporters.code.expr import Expr, IfElse, hole, lift
from converter.exporters.tensorflow.context import NN, TF, Context
from converter.exporters.tensorflow.table import rule
from ir.core import Node
from ir.types import normalize_axes


@rule("dropout")
def dropout(c: Context, node: Node) -> Expr:
    """`tf.nn.dropout` where the call is one of training."""
    a = node.attrs
    x = c.x(node.operand("x"))
    if a["frozen"] or a["p"] == 0:
        return x
    x = c.name_once(x)
    shared = normalize_axes(a["broadcast_axes"], node.operand("x").type.rank)
    extra = {}
    if shared:
        sizes = [lift(1) if i in shared else c.dim(d) for i, d in enumerate(node.operand("x").type.shape)]
        extra["noise_shape"] = lift(sizes)
    dropped = TF.zeros_like(x) if a["p"] == 1 else NN.dropout(x, hole(a["p"], "rate"), **extra)
    return dropped if a["always"] else IfElse(c.training(), dropped, x)
