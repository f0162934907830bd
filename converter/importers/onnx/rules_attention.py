"""Attention and rotary position embedding."""

from __future__ import annotations

import math
from typing import Any

from converter.importers.onnx import functions
from converter.importers.onnx.context import OnnxContext
from converter.importers.onnx.table import rule
from ir.core import Value
from ir.types import Dim, dtypes, floordiv, require_same, same
from ir.types.dim import bounds


@rule("Attention", 23, 24, 25)
def attention(c: OnnxContext) -> tuple[Value | None, ...]:
    """Attention over [batch, heads, length, features], or heads side by side in the last axis of 3-D operands.

    With an intermediate as output, or windows over padded keys, it is spelled out as the definition does.
    """
    windows = c.version >= 25 and (c.attr("left_window_size"), c.attr("right_window_size")) != (-1, -1)
    if c.used(3) or (windows and c.has(6)):
        return tuple(functions.expand(c))
    _check(c)
    flat = c.rank() == 3
    q, k, v = (_heads(c, i, "q_num_heads" if i == 0 else "kv_num_heads") for i in range(3))
    k, v, past = with_past(c, k, v, 4)
    heads, kv_heads = q.type.shape[1], k.type.shape[1]
    grouped = same(heads, kv_heads) is not True
    mask, causal = _mask(c, q, k, past)
    scale = c.attr("scale")
    if caps(c):
        out = softcapped(c, (q, k, v), mask, causal, grouped, scale)
    else:
        out = c.b.attention(q, k, v, mask, scale=scale, causal=causal, grouped=grouped)
    if flat:
        moved = c.b.transpose(out, perm=(0, 2, 1, 3))
        batch, length, count, size = moved.type.shape
        out = c.b.reshape(moved, shape=(batch, length, count * size))
    return out, k, v


def with_past(c: OnnxContext, k: Value, v: Value, index: int) -> tuple[Value, Value, Dim]:
    """Keys and values [batch, heads, length, features] behind those of the past, inputs `index` and the next, and the
    past's length: 0 without one."""
    if c.has(index) != c.has(index + 1):
        c.refuse("only one of past_key and past_value is given")
    if not c.has(index):
        return k, v, 0
    length = c.type(index).shape[2]
    return c.b.concat([c.x(index), k], axis=2), c.b.concat([c.x(index + 1), v], axis=2), length


def _check(c: OnnxContext) -> None:
    c.ignore("qk_matmul_output_mode")  # says which intermediate an output is that is not asked for
    kinds = {c.type(i).dtype for i in range(3)}
    if len(kinds) > 1:
        c.refuse(f"operands of different types: {', '.join(map(str, sorted(kinds, key=str)))}")
    precision = c.attr("softmax_precision")
    kind = c.type().dtype
    from converter.importers.onnx.tensors import element_type

    if precision is not None and element_type(precision) not in (kind, *([dtypes.float32] if kind.is_half else [])):
        c.refuse(f"a softmax in {element_type(precision)} would round scores of {kind} in between")


def _heads(c: OnnxContext, index: int, attribute: str) -> Value:
    x, count = c.x(index), c.attr(attribute)
    if x.type.rank == 4:
        return x
    if x.type.rank != 3 or not count:
        c.refuse(f"operand {x.type} with {attribute}={count} is not defined")
    batch, length, features = x.type.shape
    split = c.b.reshape(x, shape=(batch, length, count, floordiv(features, count)))
    return c.b.transpose(split, perm=(0, 2, 1, 3))


def _mask(c: OnnxContext, q: Value, k: Value, past: Dim) -> tuple[Value | None, bool]:
    """The mask, and whether plain causality (from the first key on) remains for the op. Cached keys shift causality."""
    causal, total, length = bool(c.attr("is_causal")), k.type.shape[2], q.type.shape[2]
    mask = _widened(c, c.x(3), total) if c.has(3) else None
    if c.version >= 25:
        mask = _windowed(c, mask, length, total, past)
    if c.version >= 24 and c.has(6):
        if past != 0:
            c.refuse("nonpad_kv_seqlen together with past_key is not defined")
        return _with_lengths(c, mask, causal, length, total), False
    if causal and past != 0:
        every = c.b.full(shape=(length, total), value=True, dtype=dtypes.bool_)
        return _both(c, mask, c.b.tril(every, k=past)), False
    return mask, causal


def _widened(c: OnnxContext, mask: Value, total: Dim) -> Value:
    """The mask over every key: from version 24 on, one that is shorter than the keys hides the rest.

    So does one for a single key, which is not broadcast; before, the text would broadcast it and no runtime does.
    """
    have = mask.type.shape[-1]
    low, _ = bounds(total - have)
    if c.version >= 24 and have != total and (have == 1 or (low is not None and low >= 0)):
        pads = [(0, 0)] * (mask.type.rank - 1) + [(0, total - have)]
        return c.b.pad(mask, pads=tuple(pads), value=False if mask.type.dtype.is_bool else -math.inf)
    require_same(have, total, "attention mask and keys")
    return mask


def _with_lengths(c: OnnxContext, mask: Value | None, causal: bool, length: Dim, total: Dim) -> Value:
    """Only the first nonpad_kv_seqlen keys of each sample count; causality ends at the last of them."""
    kept = c.b.unsqueeze(c.x(6), axes=(1, 2, 3))
    keys = c.b.arange(start=0, stop=total, step=1, dtype="int64")
    valid = c.b.less(keys, kept)
    if causal:
        rows = c.b.unsqueeze(c.b.arange(start=0, stop=length, step=1, dtype="int64"), axes=(1,))
        offset = c.b.sub(kept, c.b.dim(size=length))
        valid = c.b.and_(valid, c.b.less_equal(keys, c.b.add(rows, offset)))
    return _both(c, mask, valid)


def _windowed(c: OnnxContext, mask: Value | None, length: Dim, total: Dim, past: Dim) -> Value | None:
    """Only keys within left_window_size before and right_window_size after a query's own position count; -1 is open."""
    left, right = c.attr("left_window_size"), c.attr("right_window_size")
    if left == right == -1:
        return mask
    if left < -1 or right < -1:
        c.refuse(f"windows of {left} and {right} positions are not defined")
    keys = c.b.arange(start=0, stop=total, step=1, dtype="int64")
    rows = c.b.unsqueeze(c.b.arange(start=past, stop=past + length, step=1, dtype="int64"), axes=(1,))
    away = c.b.sub(keys, rows)
    for bound, keep in ((left, lambda: c.b.greater_equal(away, -left)), (right, lambda: c.b.less_equal(away, right))):
        if bound != -1:
            mask = _both(c, mask, keep())
    return mask


def _both(c: OnnxContext, mask: Value | None, keep: Value) -> Value:
    if mask is None:
        return keep
    return c.b.and_(mask, keep) if mask.type.dtype.is_bool else c.b.where(keep, mask, -math.inf)


def caps(c: OnnxContext) -> bool:
    """Whether scores are capped: by no number or 0 they are not, and below 0 the formula caps what the runtimes do not."""
    cap = c.attr("softcap") or 0
    if cap < 0:
        c.refuse(f"softcap={cap} is not defined")
    return cap != 0


def softcapped(
    c: OnnxContext, qkv: tuple[Value, Value, Value], mask: Value | None, causal: bool, grouped: bool, scale: float | None
) -> Value:
    """softcap * tanh(scores / softcap) before the mask; spelled out."""
    (q, k, v), b, cap = qkv, c.b, c.attr("softcap")
    if grouped:
        k, v = (_repeated(c, t, q.type.shape[1]) for t in (k, v))
    size = q.type.shape[3]
    if scale is None:
        if not isinstance(size, int):
            c.refuse("the scale depends on a number of features that only the run knows")
        scale = 1 / math.sqrt(size)
    scores = b.mul(b.matmul(q, b.transpose(k, perm=(0, 1, 3, 2))), scale)
    scores = b.mul(b.tanh(b.div(scores, cap)), cap)
    if causal:
        length, total = q.type.shape[2], k.type.shape[2]
        every = b.full(shape=(length, total), value=True, dtype=dtypes.bool_)
        mask = _both(c, mask, b.tril(every, k=0))
    if mask is None:
        return b.matmul(b.softmax(scores, axis=-1), v)
    scores = b.where(mask, scores, -math.inf) if mask.type.dtype.is_bool else b.add(scores, mask)
    weights = b.softmax(scores, axis=-1)
    hidden = b.equal(b.reduce_max(scores, axes=(-1,), keepdims=True), -math.inf)
    return b.matmul(b.where(hidden, 0.0, weights), v)


def _repeated(c: OnnxContext, x: Value, heads: Dim) -> Value:
    batch, own, length, size = x.type.shape
    times = floordiv(heads, own)
    wide = c.b.expand(c.b.unsqueeze(x, axes=(2,)), shape=(batch, own, times, length, size))
    return c.b.reshape(wide, shape=(batch, heads, length, size))


@rule("RotaryEmbedding", 23)
def rotary_embedding(c: OnnxContext) -> Value:
    """Pairs of features turned by the angle of their position: (a, b) -> (a cos - b sin, a sin + b cos)."""
    b, x, flat = c.b, c.x(), c.rank() == 3
    if flat:
        count = c.attr("num_heads")
        if not count:
            c.refuse("num_heads is missing for a 3-D operand")
        batch, length, hidden = x.type.shape
        x = b.reshape(x, shape=(batch, length, count, floordiv(hidden, count)))
    else:
        c.ignore("num_heads")
    axis = 2 if flat else 1
    cos, sin = (b.unsqueeze(_table(c, i), axes=(axis,)) for i in (1, 2))
    out = turned(c, x, (cos, sin), c.attr("rotary_embedding_dim") or x.type.shape[-1], bool(c.attr("interleaved")))
    return b.reshape(out, shape=c.type().shape) if flat else out


def turned(c: OnnxContext, x: Value, angles: tuple[Value, Value], count: Dim, interleaved: bool) -> Value:
    """The first `count` features turned by angles given as cosines and sines that broadcast against half of them."""
    if not isinstance(count, int) or count % 2:
        c.refuse(f"turning {count} features is not defined")
    if count == x.type.shape[-1]:
        return _turned(c, x, *angles, interleaved)
    part = _turned(c, _slice(c, x, 0, count, 1), *angles, interleaved)
    return c.b.concat([part, _slice(c, x, count, None, 1)], axis=3)


def _table(c: OnnxContext, index: int) -> Value:
    """[batch, length, half]: given so, or rows of a table looked up by position."""
    table = c.x(index)
    return c.b.gather(table, c.x(3), axis=0, bounds="error", neg="from_end") if c.has(3) else table


def _slice(c: OnnxContext, x: Value, start: Any, stop: Any, step: int) -> Value:
    return c.b.slice(x, axes=(3,), starts=(start,), stops=(stop,), steps=(step,))


def _turned(c: OnnxContext, x: Value, cos: Value, sin: Value, interleaved: bool) -> Value:
    b, half = c.b, floordiv(x.type.shape[3], 2)
    if interleaved:
        left, right = _slice(c, x, 0, None, 2), _slice(c, x, 1, None, 2)
    else:
        left, right = _slice(c, x, 0, half, 1), _slice(c, x, half, None, 1)
    real = b.sub(b.mul(cos, left), b.mul(sin, right))
    imag = b.add(b.mul(sin, left), b.mul(cos, right))
    if not interleaved:
        return b.concat([real, imag], axis=3)
    return b.reshape(b.stack([real, imag], axis=4), shape=x.type.shape)
