"""Table look-up."""

from __future__ import annotations

from converter.exporters.code.expr import Expr, Name, hole
from converter.exporters.outline.instances import Form
from converter.exporters.torch.context import Context, F
from converter.exporters.torch.rules_indexing import as_index
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
    return Form(ctor, {"weight": weight}, call=lambda c, module: module(as_index(c, node.operand("indices"))))


@rule("embedding")
def embedding(c: Context, node: Node) -> Expr:
    padding = hole(node.attrs["padding_idx"], "padding_idx", None)
    return F.embedding(as_index(c, node.operand("indices")), c.x(node.operand("weight")), padding_idx=padding)
