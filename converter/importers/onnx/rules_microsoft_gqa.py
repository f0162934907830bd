"""Grouped attention of ONNX Runtime's own domain, whose cache may be longer than what it holds, and quantised."""

from __future__ import annotations

import math

from converter.importers.onnx.context import OnnxContext
from converter.importers.onnx.rules_attention import caps, softcapped, turned
from converter.importers.onnx.rules_microsoft_linalg import unpacked
from converter.importers.onnx.table import microsoft
from ir.core import Value
from ir.types import Dim, dim_max, dtypes, floordiv, same

_LIMITS = {8: (-128, 127), 4: (-8, 7)}


@microsoft("GroupQueryAttention")
def group_query_attention(c: OnnxContext) -> tuple[Value | None, ...]:
    """Queries attend to the cache up to their own place: the keys of sample b begin behind seqlens_k[b] + 1 - length."""
    _check(c)
    b = c.b
    q, k, v = _operands(c)
    q, k = _normed(c, q, 14, "q_norm_epsilon"), _normed(c, k, 15, "k_norm_epsilon")
    length = q.type.shape[2]
    held = b.reshape(b.add(c.cast(c.x(5), dtypes.int64), 1), shape=(q.type.shape[0], 1))
    before = b.maximum(b.sub(held, b.dim(size=length)), 0)
    if c.attr("do_rotary"):
        cos, sin = _angles(c, before, length)
        count = 2 * cos.type.shape[3]
        q, k = (turned(c, x, (cos, sin), count, bool(c.attr("rotary_interleaved"))) for x in (q, k))
    bits = _bits(c)
    new = (k, v) if bits is None else (_quantised(c, x, i, bits) for x, i in ((k, 12), (v, 13)))
    kept = [_cached(c, x, before, i) for x, i in zip(new, (3, 4), strict=True)]
    k, v = kept if bits is None else (_real(c, x, i, bits, q) for x, i in zip(kept, (12, 13), strict=True))
    mask = _visible(c, before, held, length, k.type.shape[2])
    moved = b.transpose(_attended(c, q, k, v, mask), perm=(0, 2, 1, 3))
    batch, rows, heads, size = moved.type.shape
    return b.reshape(moved, shape=(batch, rows, heads * size)), *kept, None


def _check(c: OnnxContext) -> None:
    if c.has(16):
        c.refuse("query_seqlens leaves what stands in rows of padding unspecified")
    if c.used(3):
        c.refuse("its output output_qk holds scores whose hidden elements the operator leaves unspecified")
    c.ignore("qk_output", "rotary_interleaved")  # of output_qk, and of do_rotary, which reads it
    if c.attr("sliding_window_cache"):
        c.refuse("sliding_window_cache leaves what stands behind the window in the cache unspecified")
    if c.only("causal", 0, 1) == 0 and c.attr("local_window_size") != -1:
        c.refuse("a local_window_size without causal is not defined")
    c.only("smooth_softmax", -1, 0, 1)
    for left, right, names in ((3, 4, "past_key and past_value"), (14, 15, "q_norm_weight and k_norm_weight")):
        if c.has(left) != c.has(right):
            c.refuse(f"only one of {names} is given")
    if c.attr("do_rotary") and not (c.has(7) and c.has(8)):
        c.refuse("do_rotary needs cos_cache and sin_cache")


def _operands(c: OnnxContext) -> list[Value]:
    """Queries, keys and values [batch, heads, length, features]; side by side in one tensor, or each on its own."""
    heads, own = c.attr("num_heads"), c.attr("kv_num_heads")
    if min(heads, own) < 1:
        c.refuse(f"{heads} heads of queries over {own} of keys are not defined")
    parts = [c.x(i) for i in range(3) if c.has(i)]
    if len(parts) == 2:
        c.refuse("only one of key and value is given")
    if len(parts) == 1:
        size = floordiv(c.type().shape[2], heads + 2 * own)
        parts = list(c.b.split(parts[0], axis=2, sizes=(heads * size, own * size, own * size)))
    found = []
    for part, count in zip(parts, (heads, own, own), strict=True):
        batch, length, features = part.type.shape
        split = c.b.reshape(part, shape=(batch, length, count, floordiv(features, count)))
        found.append(c.b.transpose(split, perm=(0, 2, 1, 3)))
    return found


def _normed(c: OnnxContext, x: Value, index: int, epsilon: str) -> Value:
    """Queries or keys over the root of the mean square of each head's features, times a weight for each feature, if given."""
    own, shared = c.attr(epsilon), c.attr("qk_norm_epsilon")
    if not c.has(index):
        return x
    return c.b.rms_norm(x, c.x(index), axes=(-1,), eps=shared if own is None else own)


def _angles(c: OnnxContext, before: Value, length: Dim) -> tuple[Value, Value]:
    """Cosines and sines [batch, 1, length, half] of the places of the new keys."""
    b = c.b
    steps = b.arange(start=0, stop=length, step=1, dtype=dtypes.int64)
    places = _told(c, steps, length) if c.has(9) else b.add(before, steps)
    rows = [b.gather(c.x(i), places, axis=0, bounds="error", neg="invalid") for i in (7, 8)]
    cos, sin = (b.unsqueeze(r, axes=(1,)) for r in rows)
    return cos, sin


def _told(c: OnnxContext, steps: Value, length: Dim) -> Value:
    """position_ids; of a first prompt (nothing was cached) only the first counts, and the rest follows it."""
    b, given = c.b, c.x(9)
    start = b.select(b.select(given, axis=1, index=0), axis=0, index=0)
    first = b.expand(b.add(start, steps), shape=given.type.shape)
    alone = same(_total(c), length)
    if alone is None:
        return b.where(b.equal(b.dim(size=_total(c)), b.dim(size=length)), first, given)
    return first if alone else given


def _total(c: OnnxContext) -> Dim:
    elements = c.ref(6).elements()
    if elements is None or elements.size != 1:
        c.refuse(f"total_sequence_length {c.type(6)} is not known to be one number")
    return c.dim(elements.item())


def _cached(c: OnnxContext, new: Value, before: Value, index: int) -> Value:
    """The new keys behind what each sample has, in a tensor as long as the cache or total_sequence_length."""
    b, past = c.b, c.opt(index)
    batch, heads, length, size = new.type.shape
    held: Dim = 0 if past is None else past.type.shape[2]
    span = _span(c, held, length)
    if past is None:
        return new
    places = b.arange(start=0, stop=span, step=1, dtype=dtypes.int64)
    at = b.sub(places, before)  # [batch, span]: the place among the new keys
    row = b.reshape(b.minimum(b.maximum(at, 0), b.dim(size=length - 1)), shape=(batch, 1, span, 1))
    moved = b.gather_elements(new, b.expand(row, shape=(batch, heads, span, size)), axis=2, bounds="unchecked")
    own = b.reshape(b.and_(b.greater_equal(at, 0), b.less(at, b.dim(size=length))), shape=(batch, 1, span, 1))
    early = b.reshape(b.less(places, before), shape=(batch, 1, span, 1))
    old = b.pad(past, pads=((0, 0), (0, 0), (0, span - held), (0, 0)))
    return b.where(own, moved, b.where(early, old, b.constant(0, new.type.dtype)))


def _span(c: OnnxContext, held: Dim, length: Dim) -> Dim:
    """The size of a cache of `held` rows that takes `length` more, or has room for all of them."""
    total = _total(c)
    grown, longest = same(held + length, total), dim_max(held, total)
    if grown is False and same(longest, held) is False:
        c.refuse(
            f"total_sequence_length {total} is neither {held} cached keys and {length} new ones, nor within the cache"
        )
    return total if grown else longest


# -- a cache of integers --------------------------------------------------------------------------------------------
def _bits(c: OnnxContext) -> int | None:
    """How many bits a number of the cache has; None for a cache of floats."""
    kinds = [c.only(f"{n}_quant_type", "NONE", "PER_TENSOR", "PER_CHANNEL") for n in "kv"]
    width = c.attr("kv_cache_bit_width") or 0
    if kinds == ["NONE", "NONE"] and not width:
        for i in (3, 4):
            if c.has(i) and not c.type(i).dtype.is_float:
                c.refuse(f"a cache {c.type(i)} without k_quant_type and v_quant_type is not defined")
        return None
    given = [c.type(i) for i in (3, 4, 12, 13) if c.has(i)]
    if len(given) < 4:
        c.refuse("a quantised cache needs past_key, past_value, k_scale and v_scale")
    found = [{dtypes.int8: 8, dtypes.uint8: 4}.get(t.dtype) for t in given[:2]]
    if "NONE" in kinds or found != [width, width]:
        c.refuse(f"caches {given[0]} and {given[1]} of {width} bits, quantised {kinds}, are not defined")
    return int(width)


def _scale(c: OnnxContext, index: int, size: Dim) -> Value:
    """The scale of a cache in float32: one number, or one for each head and feature."""
    value = c.cast(c.x(index), dtypes.float32)
    if c.attr("k_quant_type" if index == 12 else "v_quant_type") == "PER_TENSOR":
        return c.b.reshape(value, shape=())
    if value.type.shape != (1, c.attr("kv_num_heads"), 1, size):
        c.refuse(f"scales {value.type} for each channel are not defined")
    return value


def _quantised(c: OnnxContext, new: Value, index: int, bits: int) -> Value:
    """New keys or values as the cache holds them: halves go to even; numbers of 4 bits share a byte, the first is low."""
    b, (low, high) = c.b, _LIMITS[bits]
    wide = b.div(c.cast(new, dtypes.float32), _scale(c, index, new.type.shape[3]))
    whole = b.clip(b.round(wide), min=float(low), max=float(high))
    if bits == 8:
        return b.cast(whole, to=dtypes.int8)
    codes = b.cast(b.sub(whole, low), to=dtypes.uint8)
    first, second = (b.slice(codes, axes=(3,), starts=(i,), stops=(None,), steps=(2,)) for i in (0, 1))
    return b.bitwise_or(first, b.shift_left(second, b.constant(4, dtypes.uint8)))


def _real(c: OnnxContext, kept: Value, index: int, bits: int, like: Value) -> Value:
    """What the cache stands for, in the type of the queries."""
    numbers = c.cast(unpacked(c, kept, bits), dtypes.float32)
    centred = numbers if bits == 8 else c.b.add(numbers, float(_LIMITS[bits][0]))
    return c.cast(c.b.mul(centred, _scale(c, index, like.type.shape[3])), like.type.dtype)


# -- what is seen ---------------------------------------------------------------------------------------------------
def _attended(c: OnnxContext, q: Value, k: Value, v: Value, mask: Value) -> Value:
    b, scale = c.b, c.attr("scale") or None
    if c.has(10):
        more = k.type.shape[2] - c.type(10).shape[3]  # of a longer cache, which nobody sees
        bias = c.x(10) if same(more, 0) is True else b.pad(c.x(10), pads=((0, 0), (0, 0), (0, 0), (0, more)))
        mask = b.where(mask, bias, -math.inf)
    if c.has(11) or c.attr("smooth_softmax") == 1:
        k, v, mask = _with_sink(c, q, k, v, mask)
    if caps(c):
        return softcapped(c, (q, k, v), mask, False, True, scale)
    return b.attention(q, k, v, mask, scale=scale, grouped=True)


def _with_sink(c: OnnxContext, q: Value, k: Value, v: Value, mask: Value) -> tuple[Value, Value, Value]:
    """One more key, of zeros and for nothing, whose score is the head's sink (0 unless given)."""
    b, (batch, heads, length, _), span = c.b, q.type.shape, k.type.shape[2]
    kind = q.type.dtype
    k, v = (b.pad(x, pads=((0, 0), (0, 0), (0, 1), (0, 0))) for x in (k, v))
    seen = mask if not mask.type.dtype.is_bool else b.where(mask, b.constant(0.0, kind), -math.inf)
    sink = b.reshape(c.x(11), shape=(1, heads, 1, 1)) if c.has(11) else b.constant(0.0, kind)
    parts = [b.expand(seen, shape=(batch, heads, length, span)), b.expand(sink, shape=(batch, heads, length, 1))]
    return k, v, b.concat(parts, axis=3)


def _visible(c: OnnxContext, before: Value, held: Value, length: Dim, span: Dim) -> Value:
    """Which keys each query sees, [batch, 1, length, span]: those up to its own, local_window_size of them if given.

    A query behind the `held` ones of its sample (padding) sees no more than these. Without `causal` all see these.
    """
    b, window = c.b, c.attr("local_window_size")
    keys = b.arange(start=0, stop=span, step=1, dtype=dtypes.int64)
    there = b.less(keys, b.unsqueeze(held, axes=(2, 3)))
    if not c.attr("causal"):
        return there
    steps = b.arange(start=0, stop=length, step=1, dtype=dtypes.int64)
    places = b.unsqueeze(b.add(before, steps), axes=(1, 3))
    seen = b.and_(b.less_equal(keys, places), there)
    return seen if window == -1 else b.and_(seen, b.greater(keys, b.sub(places, window)))
