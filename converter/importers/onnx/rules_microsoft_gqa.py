"""Grouped attention of ONNX Runtime's own domain, whose cache may be longer than what it holds."""

from __future__ import annotations

import math

from converter.importers.onnx.context import OnnxContext
from converter.importers.onnx.rules_attention import softcapped, turned
from converter.importers.onnx.table import microsoft
from ir.core import Value
from ir.types import Dim, dim_max, dtypes, floordiv, same

_UNREAD = (
    "kv_cache_bit_width",
    "k_quant_type",
    "v_quant_type",
    "qk_norm_epsilon",
    "q_norm_epsilon",
    "k_norm_epsilon",
    "qk_output",
)
"""What only absent operands and outputs would need."""
_REFUSED = {
    9: "position_ids", 11: "head_sink", 12: "k_scale", 13: "v_scale", 14: "q_norm_weight", 15: "k_norm_weight", 16: "query_seqlens",
}  # fmt: skip


@microsoft("GroupQueryAttention")
def group_query_attention(c: OnnxContext) -> tuple[Value | None, ...]:
    """Queries attend to the cache up to their own place: the keys of sample b begin behind seqlens_k[b] + 1 - length."""
    _check(c)
    b = c.b
    q, k, v = _operands(c)
    length = q.type.shape[2]
    held = b.reshape(b.add(c.cast(c.x(5), dtypes.int64), 1), shape=(q.type.shape[0], 1))
    before = b.maximum(b.sub(held, b.dim(size=length)), 0)
    if c.attr("do_rotary"):
        angles = _angles(c, before, length)
        q, k = (turned(c, x, angles, 2 * c.type(7).shape[1], bool(c.attr("rotary_interleaved"))) for x in (q, k))
    k, v = _cached(c, k, before, 3), _cached(c, v, before, 4)
    mask = _visible(c, before, held, length, k.type.shape[2])
    if c.has(10):
        mask = b.where(mask, c.x(10), -math.inf)
    if c.attr("softcap"):
        out = softcapped(c, (q, k, v), mask, False, True, c.attr("scale") or None)
    else:
        out = b.attention(q, k, v, mask, scale=c.attr("scale") or None, grouped=True)
    moved = b.transpose(out, perm=(0, 2, 1, 3))
    batch, rows, heads, size = moved.type.shape
    return b.reshape(moved, shape=(batch, rows, heads * size)), k, v, None


def _check(c: OnnxContext) -> None:
    c.ignore(*_UNREAD)
    c.no_output(3, "output_qk")
    c.only("causal", 1)
    c.only("sliding_window_cache", 0)
    c.only("smooth_softmax", -1, 0)
    for index, name in _REFUSED.items():
        if c.has(index):
            c.refuse(f"{name} is not supported")
    if c.has(3) != c.has(4):
        c.refuse("only one of past_key and past_value is given")
    if c.attr("do_rotary") and not (c.has(7) and c.has(8)):
        c.refuse("do_rotary needs cos_cache and sin_cache")
    if not c.attr("do_rotary"):
        c.ignore("rotary_interleaved")


def _operands(c: OnnxContext) -> list[Value]:
    """Queries, keys and values [batch, heads, length, features]; side by side in one tensor, or each on its own."""
    heads, own = c.attr("num_heads"), c.attr("kv_num_heads")
    parts = [c.x(0)]
    if c.has(1) != c.has(2):
        c.refuse("only one of key and value is given")
    if c.has(1):
        parts += [c.x(1), c.x(2)]
    else:
        size = floordiv(c.type().shape[2], heads + 2 * own)
        parts = list(c.b.split(parts[0], axis=2, sizes=(heads * size, own * size, own * size)))
    found = []
    for part, count in zip(parts, (heads, own, own), strict=True):
        batch, length, features = part.type.shape
        split = c.b.reshape(part, shape=(batch, length, count, floordiv(features, count)))
        found.append(c.b.transpose(split, perm=(0, 2, 1, 3)))
    return found


def _angles(c: OnnxContext, before: Value, length: Dim) -> tuple[Value, Value]:
    """Cosines and sines [batch, 1, length, half] of the places of the new keys."""
    b = c.b
    places = b.add(before, b.arange(start=0, stop=length, step=1, dtype=dtypes.int64))
    rows = [b.gather(c.x(i), places, axis=0, bounds="error", neg="invalid") for i in (7, 8)]
    cos, sin = (b.unsqueeze(r, axes=(1,)) for r in rows)
    return cos, sin


def _cached(c: OnnxContext, new: Value, before: Value, index: int) -> Value:
    """The new keys behind what each sample has, in a tensor as long as the cache or total_sequence_length."""
    b = c.b
    batch, heads, length, size = new.type.shape
    elements = c.ref(6).elements()
    total = c.dim(elements.reshape(-1)[0]) if elements is not None else None
    if total is None:
        c.refuse("total_sequence_length has a shape that is not known")
    if not c.has(index) and same(total, length) is True:
        return new
    past: Value | None = c.opt(index)
    held: Dim = 0 if past is None else past.type.shape[2]
    span = total if same(held + length, total) is True else dim_max(held, total)
    places = b.arange(start=0, stop=span, step=1, dtype=dtypes.int64)
    at = b.sub(places, before)  # [batch, span]: the place among the new keys
    row = b.reshape(b.minimum(b.maximum(at, 0), b.dim(size=length - 1)), shape=(batch, 1, span, 1))
    moved = b.gather_elements(new, b.expand(row, shape=(batch, heads, span, size)), axis=2, bounds="unchecked")
    own = b.reshape(b.and_(b.greater_equal(at, 0), b.less(at, b.dim(size=length))), shape=(batch, 1, span, 1))
    none = b.constant(0, new.type.dtype)
    if past is None:
        return b.where(own, moved, none)  # type: ignore[no-any-return]
    early = b.reshape(b.less(at, 0), shape=(batch, 1, span, 1))
    old = b.pad(past, pads=((0, 0), (0, 0), (0, span - held), (0, 0)))
    return b.where(own, moved, b.where(early, old, none))  # type: ignore[no-any-return]


def _visible(c: OnnxContext, before: Value, held: Value, length: Dim, span: Dim) -> Value:
    """Which keys each query sees, [batch, 1, length, span]: those up to its own, local_window_size of them if given.

    A query behind the `held` ones of its sample (padding) sees no more than these.
    """
    b, window = c.b, c.attr("local_window_size")
    keys = b.arange(start=0, stop=span, step=1, dtype=dtypes.int64)
    steps = b.arange(start=0, stop=length, step=1, dtype=dtypes.int64)
    places = b.unsqueeze(b.add(before, steps), axes=(1, 3))
    seen = b.and_(b.less_equal(keys, places), b.less(keys, b.unsqueeze(held, axes=(1, 3))))
    return seen if window == -1 else b.and_(seen, b.greater(keys, b.sub(places, window)))  # type: ignore[no-any-return]
