"""Table look-up."""

from __future__ import annotations

from converter.exporters.code.expr import Expr, Name, hole
from converter.exporters.index_facts import never_negative
from converter.exporters.outline.instances import Form
from converter.exporters.torch.context import TORCH, Context, F
from converter.exporters.torch.rules_indexing import as_index, as_int64
from converter.exporters.torch.rules_norm import dtype_setting
from converter.exporters.torch.table import form, rule
from ir.core import Node


@form("embedding")
def embedding_module(node: Node) -> Form | None:
    """`nn.Embedding`."""
    weight = node.operand("weight")
    if not weight.is_weight:
        return None
    ctor = Name("nn.Embedding")(
        hole(int(weight.type.shape[0]), "num_embeddings"),
        hole(int(weight.type.shape[1]), "embedding_dim"),
        padding_idx=hole(node.attrs["padding_idx"], "padding_idx", None),
        **dtype_setting(weight),
    )
    return Form(ctor, {"weight": weight}, call=lambda c, module: module(_rows(c, node)))


@rule("embedding")
def embedding(c: Context, node: Node) -> Expr:
    padding = hole(node.attrs["padding_idx"], "padding_idx", None)
    return F.embedding(_rows(c, node), c.x(node.operand("weight")), padding_idx=padding)


def _rows(c: Context, node: Node) -> Expr:
    """Row numbers; torch refuses negative ones."""
    indices, rows = node.operand("indices"), node.operand("weight").type.shape[0]
    if node.attrs["neg"] == "invalid" or never_negative(indices):
        return as_index(c, indices)
    at = c.name_once(as_int64(c, indices), "rows")
    return TORCH.where(at < 0, at + c.dim(rows, "rows"), at)
