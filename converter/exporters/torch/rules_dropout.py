"""Dropout: the input itself in evaluation, as the module's `training` flag says."""

from __future__ import annotations

from converter.exporters.code.expr import Expr, Name, hole, lift
from converter.exporters.outline.instances import Form
from converter.exporters.torch.context import SELF, Context, F
from converter.exporters.torch.table import form, rule
from ir.core import Node
from ir.types import normalize_axes


def _channelwise(node: Node) -> int:
    """The number of spatial axes of torch's channel dropout; 0 where it is not that."""
    rank = node.operand("x").type.rank
    shared = set(normalize_axes(node.attrs["broadcast_axes"], rank))
    return rank - 2 if 3 <= rank <= 5 and shared == set(range(2, rank)) else 0


@form("dropout")
def dropout_module(node: Node) -> Form | None:
    """`nn.Dropout`, `nn.Dropout2d`."""
    if node.attrs["frozen"] or node.attrs["always"] or (node.attrs["broadcast_axes"] and not _channelwise(node)):
        return None
    kind = f"Dropout{_channelwise(node)}d" if node.attrs["broadcast_axes"] else "Dropout"
    return Form(Name(f"nn.{kind}")(hole(node.attrs["p"], "p")))


@rule("dropout")
def dropout(c: Context, node: Node) -> Expr:
    a, x = node.attrs, c.x(node.operand("x"))
    if a["frozen"]:
        return x
    p = hole(a["p"], "dropout")
    training = lift(True) if a["always"] else SELF.training
    if not a["broadcast_axes"]:
        return F.dropout(x, p, training=training)
    if _channelwise(node):
        return getattr(F, f"dropout{_channelwise(node)}d")(x, p, training=training)
    return c.helper("shared_dropout")(x, p, lift(a["broadcast_axes"]), training)
