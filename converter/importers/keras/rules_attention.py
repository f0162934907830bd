"""Attention."""

from __future__ import annotations

from typing import Any

from converter.importers.keras.spelled import spelled


@spelled("ops.DotProductAttention")
def dot_product_attention(
    op: Any, query: Any, key: Any, value: Any, bias: Any = None, mask: Any = None, scale: Any = None
) -> Any:
    """[batch, positions, heads, features]. A position whose keys are all masked sees every key alike on TensorFlow and jax,
    so that the mask is spelled out."""
    from keras import ops
    from keras.src.backend.common.dtypes import result_type

    from converter.importers.keras.rules_creation import raise_refusal
    from converter.importers.keras.rules_indexing import backend

    if op.attn_logits_soft_cap is not None or op.flash_attention:
        raise_refusal("a soft cap, or a kernel for one processor", "leave both out")
    if backend() == "torch" and mask is not None:
        raise_refusal("masked attention on torch, whose answer for positions without keys is its own", "run it on jax")
    kind = result_type(query.dtype, key.dtype, value.dtype)
    query, key, value = (ops.cast(x, kind) for x in (query, key, value))
    heads, own = query.shape[2], key.shape[2]
    if heads != own:
        key, value = (ops.repeat(x, heads // own, axis=2) for x in (key, value))
    wide = result_type(kind, "float32")
    logits = ops.cast(ops.einsum("btnh,bsnh->bnts", query, key), wide)
    factor = float(key.shape[-1]) ** -0.5 if scale is None else scale
    logits = ops.multiply(logits, factor)
    if bias is not None:
        logits = ops.add(logits, ops.cast(bias, wide))
    kept = ops.cast(mask, "bool") if mask is not None else None
    if op.is_causal:
        causal = ops.tril(ops.ones((query.shape[1], key.shape[1]), dtype="bool"))
        kept = causal if kept is None else ops.logical_and(kept, causal)
    if kept is not None:
        low = -0.7 * (3.38953e38 if wide != "float64" or backend() == "tensorflow" else 1.7976931348623157e308)
        logits = ops.where(kept, logits, low)
    shares = ops.cast(ops.softmax(logits, axis=-1), kind)
    return ops.einsum("bnts,bsnh->btnh", shares, value)
