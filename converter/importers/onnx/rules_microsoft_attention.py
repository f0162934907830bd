"""Attention and rotary embedding of ONNX Runtime's own domain."""

from __future__ import annotations

import math

from converter.importers.onnx.context import OnnxContext
from converter.importers.onnx.rules_attention import turned, with_past
from converter.importers.onnx.table import microsoft
from ir.core import Value
from ir.types import Dim, dim_max, dtypes, floordiv, same

MASKED = -10000.0
"""What ONNX Runtime adds to a hidden score unless told otherwise."""


@microsoft("Attention")
def attention(c: OnnxContext) -> tuple[Value, ...]:
    """Self-attention with one weight for queries, keys and values, side by side in its columns."""
    check_plain(c)
    c.ignore("rotary_embedding_dim")  # of do_rotary, which is refused
    if c.has(6):
        c.refuse("past_sequence_length: past and present share a buffer, which is written in place")
    projected = c.b.matmul(c.x(0), c.x(1))
    if c.has(2):
        projected = c.b.add(projected, c.x(2))
    return attend_packed(c, projected, c.attr("qkv_hidden_sizes"), mask=3, past=4, bias=5)


def check_plain(c: OnnxContext) -> None:
    """Refuse what the texts of Attention and QAttention only name."""
    if c.attr("do_rotary") or c.attr("past_present_share_buffer"):
        c.refuse(
            "do_rotary turns by angles, and past_present_share_buffer fills a buffer, that the operator does not state"
        )


def attend_packed(
    c: OnnxContext, projected: Value, widths: list[int] | None, mask: int, past: int, bias: int | None
) -> tuple[Value, ...]:
    """Attention over queries, keys and values side by side in the last axis; `mask`, `past`, `bias` are input positions.

    The second result is past and present keys and values, [2, batch, heads, length, features].
    """
    b, total = c.b, projected.type.shape[2]
    if widths is None:
        widths = [floordiv(total, 3)] * 3  # type: ignore[list-item]
    if len(widths) != 3 or not all(isinstance(w, int) for w in widths) or sum(widths) != total:
        c.refuse(f"queries, keys and values of {widths} features do not make {total}")
    q, k, v = (split_heads(c, part) for part in b.split(projected, axis=2, sizes=tuple(widths)))
    before: Dim = 0
    if c.has(past):
        before = c.type(past).shape[3]
        k, v = (b.concat([b.select(c.x(past), axis=0, index=i), x], axis=2) for i, x in enumerate((k, v)))
    out = attend(c, (q, k, v), before, mask, bias)
    return (out, b.stack([k, v], axis=0)) if c.used(1) else (out,)


def split_heads(c: OnnxContext, x: Value) -> Value:
    """[batch, length, heads * features] to [batch, heads, length, features]."""
    batch, length, features = x.type.shape
    heads = c.attr("num_heads")
    if heads < 1 or not isinstance(features, int) or features % heads:
        c.refuse(f"{features} features do not divide into {heads} heads")
    return c.b.transpose(c.b.reshape(x, shape=(batch, length, heads, features // heads)), perm=(0, 2, 1, 3))


def attend(c: OnnxContext, qkv: tuple[Value, Value, Value], before: Dim, mask: int, bias: int | None) -> Value:
    """The attention itself, its heads side by side: `before` keys lie before the first query's own."""
    q, k, v = qkv
    length, total = q.type.shape[2], k.type.shape[2]
    c.ignore("mask_filter_value")  # where there is no mask
    added = _padding(c, mask, q, k) if c.has(mask) else None
    if bias is not None and c.has(bias):
        added = c.x(bias) if added is None else c.b.add(added, c.x(bias))
    causal = bool(c.attr("unidirectional"))
    if causal and before != 0:
        every = c.b.full(shape=(length, total), value=True, dtype=dtypes.bool_)
        kept = c.b.tril(every, k=before)
        added, causal = kept if added is None else c.b.where(kept, added, -math.inf), False
    scale = c.attr("scale") or None  # 0 stands for the default
    out = c.b.transpose(c.b.attention(q, k, v, added, scale=scale, causal=causal), perm=(0, 2, 1, 3))
    batch, rows, heads, size = out.type.shape
    return c.b.reshape(out, shape=(batch, rows, heads * size))


def _padding(c: OnnxContext, index: int, q: Value, k: Value) -> Value:
    """The mask as numbers to add: mask_filter_value where it hides a key."""
    b, given = c.b, c.x(index)
    batch, total = q.type.shape[0], k.type.shape[2]
    hidden = c.attr("mask_filter_value")
    if given.type.rank == 1:
        kept = _kept_range(c, given, batch, total)
    elif given.type.rank in (2, 3) and same(given.type.shape[-1], total) is True:
        kept = b.unsqueeze(
            b.greater(given, b.constant(0, given.type.dtype)), axes=(1, 2) if given.type.rank == 2 else (1,)
        )
    else:
        c.refuse(f"a mask {given.type} over {total} keys has none of the forms that the operator states")
    shown = b.constant(0, q.type.dtype)
    return b.where(kept, shown, b.constant(MASKED if hidden is None else hidden, q.type.dtype))


def _kept_range(c: OnnxContext, given: Value, batch: Dim, total: Dim) -> Value:
    """Keys below an end for each sample; and from a start on, where the ends are followed by starts."""
    b, count = c.b, given.type.shape[0]
    keys = b.arange(start=0, stop=total, step=1, dtype="int32")
    ends, starts = given, None
    if isinstance(batch, int) and count == 2 * batch and batch:
        ends, starts = b.split(given, axis=0, sizes=(batch, batch))
    elif same(count, batch) is not True:
        c.refuse(f"a mask {given.type} over a batch of {batch} has none of the forms that the operator states")
    kept = b.less(keys, b.unsqueeze(c.cast(ends, dtypes.int32), axes=(1, 2, 3)))
    if starts is None:
        return kept
    return b.and_(kept, b.greater_equal(keys, b.unsqueeze(c.cast(starts, dtypes.int32), axes=(1, 2, 3))))


@microsoft("MultiHeadAttention")
def multi_head_attention(c: OnnxContext) -> tuple[Value | None, ...]:
    """Attention over heads side by side; keys and values may already be split into heads (cross attention's cache)."""
    c.no_output(3, "its output qk holds scores whose hidden elements the operator leaves unspecified")
    if c.has(8) or c.has(9):
        c.refuse(
            "past_sequence_length and cache_indirection: past and present share a buffer, which is written in place"
        )
    if not c.has(1) or not c.has(2) or c.rank(0) != 3:
        c.refuse("queries, keys and values in one tensor are a layout for the kernels of GPUs alone")
    q, k, v = _projected(c)
    length, own = q.type.shape[2], k.type.shape[2]
    if c.attr("unidirectional") and same(dim_max(length, own), length) is not True:
        c.refuse(f"unidirectional over {own} keys for {length} queries: which keys come before the last ones is not defined")
    k, v, before = with_past(c, k, v, 6)
    return attend(c, (q, k, v), before, 4, 5), k, v, None


def _projected(c: OnnxContext) -> list[Value]:
    """Queries, keys and values by heads, the bias of their projection added."""
    parts = [c.x(i) for i in range(3)]
    ready = [p.type.rank == 4 for p in parts]
    if c.has(3):
        if any(ready):
            c.refuse(
                "a bias beside keys and values that are split into heads, whose projection is over, is not defined"
            )
        shifts = c.b.split(c.x(3), axis=0, sizes=tuple(p.type.shape[-1] for p in parts))
        parts = [c.b.add(p, s) for p, s in zip(parts, shifts, strict=True)]
    return [p if r else split_heads(c, p) for p, r in zip(parts, ready, strict=True)]


@microsoft("RotaryEmbedding")
def rotary_embedding(c: OnnxContext) -> Value:
    """As the standard operator, with positions before the tables, or one position to count from."""
    c.only("is_packed_batching", 0, None)
    c.only("scale", 1.0, None)
    b, x, flat = c.b, c.x(), c.rank() == 3
    turn, heads = c.attr("rotary_embedding_dim"), c.attr("num_heads")
    if turn and not heads:
        c.refuse(f"rotary_embedding_dim={turn} without num_heads is not defined")
    length = x.type.shape[1 if flat else 2]
    positions = c.x(1)
    if positions.type.rank == 1:
        if positions.type.shape != (1,):
            c.refuse(f"positions {positions.type} are not defined")
        steps = b.arange(start=0, stop=length, step=1, dtype="int64")
        positions = b.unsqueeze(b.add(c.cast(positions, dtypes.int64), steps), axes=(0,))
    cos, sin = (
        b.unsqueeze(b.gather(c.x(i), positions, axis=0, bounds="error", neg="invalid"), axes=(2 if flat else 1,))
        for i in (2, 3)
    )
    if flat:
        batch, _, hidden = x.type.shape
        size = floordiv(hidden, heads) if heads else 2 * cos.type.shape[-1]
        x = b.reshape(x, shape=(batch, length, floordiv(hidden, size), size))
    out = turned(c, x, (cos, sin), turn or x.type.shape[-1], bool(c.attr("interleaved")))
    return b.reshape(out, shape=c.type().shape) if flat else out
