"""Table look-up."""

from __future__ import annotations

from converter.exporters.code.expr import Expr, hole
from converter.exporters.index_facts import never_negative
from converter.exporters.tensorflow.context import NN, Context
from converter.exporters.tensorflow.indices import as_index, checked, from_end, guards, tell_read
from converter.exporters.tensorflow.table import rule
from ir.core import Node


@rule("embedding")
def embedding(c: Context, node: Node) -> Expr:
    """`tf.nn.embedding_lookup(self.weight, ids)`; a padding row, which gets no gradient, by a helper."""
    indices, weight = node.operand("indices"), node.operand("weight")
    rows = weight.type.shape[0]
    ids = as_index(c, indices)
    if node.attrs["neg"] == "from_end" and not never_negative(indices):
        ids = from_end(c, ids, rows)
    tell_read(c, node, indices, rows)
    if guards(c):
        ids = checked(c, ids, rows)
    if node.attrs["padding_idx"] is None:
        return NN.embedding_lookup(c.x(weight), ids)
    return c.helper("embedding")(c.x(weight), ids, hole(node.attrs["padding_idx"], "padding"))
