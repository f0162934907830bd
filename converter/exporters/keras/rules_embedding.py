"""Table look-up."""

from __future__ import annotations

from converter.exporters.code.expr import Expr, Name, hole
from converter.exporters.index_facts import never_negative
from converter.exporters.keras.context import OPS, Context
from converter.exporters.keras.settings import layer_dtype
from converter.exporters.keras.table import form, rule
from converter.exporters.outline.instances import Form
from ir.core import Node

PADDING = "the padding row of an embedding ({row}) gets gradients in Keras"
OUTSIDE = (
    "an index outside a table is an error in the source; Keras on JAX gives NaN, and counts negative ones from the end"
)


@form("embedding")
def embedding_layer(node: Node) -> Form | None:
    """`layers.Embedding`."""
    weight = node.operand("weight")
    if not weight.is_weight:
        return None
    rows, width = (int(d) for d in weight.type.shape)
    ctor = Name("layers.Embedding")(hole(rows, "input_dim"), hole(width, "output_dim"), **layer_dtype(weight))

    def call(c: Context, layer: Expr) -> Expr:
        _tell(c, node)
        return layer(_rows(c, node))

    return Form(ctor, {"embeddings": weight}, call=call, shape=(None,))


@rule("embedding")
def embedding(c: Context, node: Node) -> Expr:
    _tell(c, node)
    return OPS.take(c.x(node.operand("weight")), _rows(c, node), axis=0)


def _tell(c: Context, node: Node) -> None:
    c.note(OUTSIDE)
    if node.attrs["padding_idx"] is not None:
        c.note(PADDING.format(row=node.attrs["padding_idx"]))


def _rows(c: Context, node: Node) -> Expr:
    """Row numbers; negative ones count from the end where the source lets them."""
    indices, rows = node.operand("indices"), node.operand("weight").type.shape[0]
    x = c.x(indices)
    if indices.type.dtype.name not in ("int32", "int64"):
        x = OPS.cast(x, "int32")
    if node.attrs["neg"] == "invalid" or never_negative(indices):
        return x
    at = c.name_once(x, "rows")
    return OPS.where(at < 0, at + c.dim(rows, "rows"), at)
