"""Scaled dot-product attention."""

from __future__ import annotations

from converter.importers.torch.context import Call, TorchContext, rule
from ir.core import Value


@rule("aten.scaled_dot_product_attention.default")
def attention(c: TorchContext, a: Call) -> Value:
    """`is_causal` aligns at the upper left; a boolean mask keeps where True, a float one is added."""
    query, key, value = a.value("query"), a.value("key"), a.value("value")
    mask = a.optional("attn_mask")
    if mask is not None and not mask.type.dtype.is_bool:
        mask = c.cast(mask, query.type.dtype)
    return c.b.attention(
        query, key, value, mask, scale=a.lit("scale"), causal=a.lit("is_causal"), grouped=a.lit("enable_gqa"),
        dropout=a.lit("dropout_p"),
    )  # fmt: skip
