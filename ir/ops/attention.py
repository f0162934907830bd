"""Scaled dot-product attention."""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import Any

import numpy as np

from ir.ops.dropout import draw_keep
from ir.ops.norm_parts import narrowed, widened
from ir.ops.registry import op
from ir.ops.sampler import Sample, Sampler
from ir.types import Dim, DType, TensorType, broadcast_shapes, dtypes, floordiv, mod, require_same
from ir.types.shape import broadcast_dims


@op
class Attention:
    """softmax(query @ key.T * scale + mask) @ value over [..., heads, length, features] (Vaswani et al. 2017).

    A boolean `mask` keeps where True, a float one is added. `causal` lets position i see keys 0..i, counted from the first
    key also where the lengths differ (PyTorch's upper-left alignment). `grouped`: each key and value head serves as many
    consecutive query heads as there are more of them (axis -3). `scale` is 1 / sqrt(features) by default. `dropout`
    applies to the weights in training unless `frozen`. A position that sees no key gives zeros (as PyTorch and ONNX
    Runtime do), not NaN.
    """

    inputs = ("query: float", "key: query", "value: query", "mask?: any")
    modal = True
    random = True
    scale: float | None = None
    causal: bool = False
    grouped: bool = False
    dropout: float = 0.0
    frozen: bool = False

    @staticmethod
    def infer(
        query: TensorType, key: TensorType, value: TensorType, mask: TensorType | None, scale: float | None, causal: bool,
        grouped: bool, dropout: float, frozen: bool,
    ) -> TensorType:  # fmt: skip
        if min(query.rank, key.rank, value.rank) < 2 + grouped:
            raise ValueError(
                f"attention needs [..., {'heads, ' if grouped else ''}length, features], got {query}, {key}, {value}"
            )
        if not 0 <= dropout <= 1:
            raise ValueError(f"attention: dropout must lie in [0, 1], got {dropout}")
        require_same(query.shape[-1], key.shape[-1], "attention query and key features")
        require_same(key.shape[-2], value.shape[-2], "attention key and value lengths")
        heads: tuple[tuple[Dim, ...], ...] = (query.shape[:-2], key.shape[:-2], value.shape[:-2])
        if grouped:
            for name, t in (("key", key), ("value", value)):
                if t.shape[-3] == 0 or mod(query.shape[-3], t.shape[-3]) != 0:
                    raise ValueError(
                        f"attention: {query.shape[-3]} query heads are no multiple of {t.shape[-3]} {name} heads"
                    )
            heads = (query.shape[:-2], (*key.shape[:-3], query.shape[-3]), (*value.shape[:-3], query.shape[-3]))
        batch = broadcast_shapes(*heads, why="attention batch")
        if mask is not None:
            _check_mask(mask, query.dtype, (*batch, query.shape[-2], key.shape[-2]))
        return query.with_shape((*batch, query.shape[-2], value.shape[-1]))

    @staticmethod
    def evaluate(
        query: np.ndarray, key: np.ndarray, value: np.ndarray, mask: np.ndarray | None, scale: float | None, causal: bool,
        grouped: bool, dropout: float, frozen: bool, training: bool, rng: np.random.Generator,
    ) -> np.ndarray:  # fmt: skip
        if grouped:
            key = np.repeat(key, query.shape[-3] // key.shape[-3], axis=-3)
            value = np.repeat(value, query.shape[-3] // value.shape[-3], axis=-3)
        scores = np.matmul(query, np.swapaxes(key, -1, -2)) * _factor(query.shape[-1], scale)
        if causal:
            scores = np.where(np.tri(*scores.shape[-2:]) > 0, scores, -np.inf).astype(query.dtype)
        if mask is not None:
            scores = np.where(mask, scores, -np.inf).astype(query.dtype) if mask.dtype == np.bool_ else scores + mask
        weights = _softmax(scores)
        if training and not frozen and dropout:
            keep = draw_keep(rng, weights.shape, dropout)
            weights = np.where(keep, weights / (1 - dropout or 1), 0).astype(query.dtype)
        return np.matmul(weights, value)

    @staticmethod
    def decompose(
        b: Any, query: Any, key: Any, value: Any, mask: Any, scale: float | None, causal: bool, grouped: bool, dropout: float,
        frozen: bool,
    ) -> Any:  # fmt: skip
        if not isinstance(query.type.shape[-1], int) and scale is None:
            raise NotImplementedError(
                "the scale of attention over a symbolic number of features depends on run-time sizes"
            )
        given = query
        query, key, value = widened(b, query, key, value)
        mask = mask if mask is None or mask.type.dtype.is_bool else widened(b, mask)[0]
        if grouped:
            key, value = _repeat_heads(b, key, query.type.shape[-3]), _repeat_heads(b, value, query.type.shape[-3])
        perm = (*range(key.type.rank - 2), key.type.rank - 1, key.type.rank - 2)
        scores = b.mul(b.matmul(query, b.transpose(key, perm=perm)), _factor(query.type.shape[-1], scale))
        if causal:
            every = b.full(shape=(query.type.shape[-2], key.type.shape[-2]), value=True, dtype=dtypes.bool_)
            scores = b.where(b.tril(every), scores, -math.inf)
        if mask is not None:
            scores = b.where(mask, scores, -math.inf) if mask.type.dtype.is_bool else b.add(scores, mask)
        weights = b.softmax(scores, axis=-1)
        if (causal or mask is not None) and key.type.shape[-2] != 0:  # the maximum of no scores is none
            unseen = b.equal(b.reduce_max(scores, axes=(-1,), keepdims=True), -math.inf)
            weights = b.where(unseen, 0.0, weights)
        if dropout:
            weights = b.dropout(weights, p=dropout, frozen=frozen)
        return narrowed(b, b.matmul(weights, value), given)

    @staticmethod
    def samples(s: Sampler) -> Iterator[Sample]:
        def qkv(heads: int, q: int, k: int, kv_heads: int | None = None) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
            inner = heads if kv_heads is None else kv_heads
            return s.floats(2, heads, q, 4), s.floats(2, inner, k, 4), s.floats(2, inner, k, 6)

        everywhere = ((0, 0), (1, 0), (2, 0), (0, 2), (1, 2), (2, 2))
        for q, k in ((5, 5), (3, 7), (7, 3), (1, 4)):
            for causal in (False, True):
                yield s.case(*qkv(3, q, k), causal=causal, dynamic=everywhere)
            keep = s.bools(2, 1, q, k)
            keep[0, 0, 0] = False  # one row sees nothing
            yield s.case(*qkv(3, q, k), keep)
            yield s.case(*qkv(3, q, k), s.floats(q, k), scale=0.3)
            yield s.case(
                *qkv(3, q, k), np.where(keep, s.floats(2, 3, q, k), -np.inf).astype(s.float_dtype.numpy), dropout=0.5
            )
            yield s.case(*qkv(3, q, k), keep, causal=True, frozen=True, dropout=0.5, training=True)
        for kv_heads in (1, 2, 6):
            yield s.case(*qkv(6, 3, 5, kv_heads), grouped=True, dynamic=((0, 0), (1, 0), (2, 0)))
            yield s.case(*qkv(6, 3, 5, kv_heads), s.bools(3, 5), grouped=True, causal=True)
        one, two = s.floats(1, 2, 5, 4), s.floats(2, 2, 5, 4)
        for key, value in ((one, two), (two, one)):
            yield s.case(s.floats(1, 6, 3, 4), key, value, grouped=True, name="batches that broadcast")
        yield s.case(*qkv(2, 3, 4), dropout=0.4, training=True)
        yield s.case(*qkv(2, 3, 4), dropout=1.0, training=True)
        yield s.case(s.floats(3, 4), s.floats(5, 4), s.floats(5, 2))
        sharp = (64 * np.eye(3, 4)).astype(s.float_dtype.numpy)  # exp of the scores overflows
        yield s.case(sharp, sharp, s.floats(3, 2), name="large scores")
        yield s.case(s.floats(2, 1, 3, 4), s.floats(6, 5, 4), s.floats(6, 5, 2), s.bools(5))
        yield s.case(s.floats(0, 2, 3, 4), s.floats(0, 2, 3, 4), s.floats(0, 2, 3, 4))
        yield s.case(s.floats(1, 2, 3, 4), s.floats(1, 2, 0, 4), s.floats(1, 2, 0, 4), name="no keys")
        yield s.case(*qkv(3, 2, 2, 2), grouped=True, error=ValueError, name="heads that do not divide")
        yield s.case(*qkv(3, 2, 2, 0), grouped=True, error=ValueError, name="no heads")
        yield s.case(*qkv(3, 2, 2), s.ints(2, 2), error=TypeError, name="integer mask")
        yield s.case(*qkv(3, 2, 4), s.bools(2, 3), error=ValueError, name="mask of another length")
        yield s.case(*qkv(3, 1, 4), s.bools(5, 4), error=ValueError, name="mask of more queries")
        yield s.case(*qkv(3, 2, 4), s.bools(2, 2, 3, 2, 4), error=ValueError, name="mask of more axes")


def _check_mask(mask: TensorType, kind: DType, scores: tuple[Dim, ...]) -> None:
    if not mask.dtype.is_bool and mask.dtype != kind:
        raise TypeError(f"attention: mask must be bool or {kind}, got {mask.dtype}")
    if mask.rank > len(scores):
        raise ValueError(f"attention: mask {mask} has more axes than the scores")
    for have, want in zip(reversed(mask.shape), reversed(scores)):
        if broadcast_dims(have, want, "attention mask") != want and want == 1:
            raise ValueError(f"attention: mask {mask} is larger than the scores")


def _factor(features: Dim, scale: float | None) -> float:
    if scale is not None:
        return scale
    return 1 / math.sqrt(features) if features else 1.0


def _softmax(scores: np.ndarray) -> np.ndarray:
    """Softmax over the last axis; zeros where every score is -inf or there is none."""
    if not scores.shape[-1]:
        return scores
    top = scores.max(axis=-1, keepdims=True)
    exps = np.exp(scores - top)
    return np.where(top == -np.inf, np.zeros_like(exps), exps / exps.sum(axis=-1, keepdims=True))


def _repeat_heads(b: Any, x: Any, heads: Dim) -> Any:
    """Each head of axis -3 `heads` / own times in a row."""
    *batch, own, length, features = x.type.shape
    times = floordiv(heads, own)
    if times == 1:
        return x
    stretched = b.expand(b.unsqueeze(x, axes=(x.type.rank - 2,)), shape=(*batch, own, times, length, features))
    return b.reshape(stretched, shape=(*batch, heads, length, features))
