"""ATen table look-ups."""

from __future__ import annotations

from converter.importers.torch.context import Call, TorchContext, rule
from ir.core import Value


@rule("aten.embedding.default")
def embedding(c: TorchContext, a: Call) -> Value:
    if a.lit("scale_grad_by_freq"):
        c.note(f"{c.b.origin.scope}: scale_grad_by_freq changes gradients and is not carried over")
    if a.lit("sparse"):
        c.note(f"{c.b.origin.scope}: gradients are dense, the source's are sparse")
    padding = a.lit("padding_idx")
    weight = a.value("weight")
    if padding >= 0:
        return c.b.embedding(a.value("indices"), weight, padding_idx=padding)
    return c.b.embedding(a.value("indices"), weight)
