"""The arithmetic that the normalisations share, in NumPy and as decompositions."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from ir.ops.axes import per_channel
from ir.types import Dim, Shape, TensorType, dtypes, normalize_axes, require_same


def check_vectors(name: str, size: Dim, **operands: TensorType | None) -> None:
    """Raise ValueError unless each present operand is 1-D with `size` elements."""
    for key, t in operands.items():
        if t is not None:
            if t.rank != 1:
                raise ValueError(f"{name}: {key} must be 1-D, got {t}")
            require_same(t.shape[0], size, f"{name} channels and {key}")


def check_eps(name: str, eps: float) -> None:
    if not eps >= 0:
        raise ValueError(f"{name}: eps must not be negative, got {eps}")


def standardise(x: np.ndarray, axes: tuple[int, ...], eps: float) -> np.ndarray:
    mean = x.mean(axis=axes, keepdims=True)
    centred = x - mean
    return centred / np.sqrt(np.square(centred).mean(axis=axes, keepdims=True) + eps).astype(x.dtype)


def decompose_standardise(b: Any, x: Any, axes: tuple[int, ...], eps: float) -> Any:
    centred = b.sub(x, b.reduce_mean(x, axes=axes, keepdims=True))
    variance = b.reduce_mean(b.square(centred), axes=axes, keepdims=True)
    return b.div(centred, b.sqrt(b.add(variance, eps)))


def scale_and_shift(x: np.ndarray, scale: np.ndarray | None, bias: np.ndarray | None, axis: int) -> np.ndarray:
    if scale is not None:
        x = x * per_channel(scale, axis, x.ndim)
    return x if bias is None else x + per_channel(bias, axis, x.ndim)


def widened(b: Any, *values: Any) -> tuple[Any, ...]:
    """Half floats as float32: norms are computed wide and rounded once. Absent values stay absent."""
    wide = dtypes.float32
    return tuple(v if v is None or not v.type.dtype.is_half else b.cast(v, to=wide) for v in values)


def narrowed(b: Any, value: Any, like: Any) -> Any:
    """`value` in the dtype of `like`."""
    return value if value.type.dtype == like.type.dtype else b.cast(value, to=like.type.dtype)


def broadcast_vector(b: Any, v: Any, axis: int, rank: int) -> Any:
    return b.unsqueeze(v, axes=tuple(a for a in range(rank) if a != axis)) if rank > 1 else v


def decompose_scale_and_shift(b: Any, x: Any, scale: Any, bias: Any, axis: int) -> Any:
    if scale is not None:
        x = b.mul(x, broadcast_vector(b, scale, axis, x.type.rank))
    return x if bias is None else b.add(x, broadcast_vector(b, bias, axis, x.type.rank))


def sorted_axes(shape: Shape, axes: tuple[int, ...]) -> tuple[int, ...]:
    """The normalised axes in ascending order, the order of the axes of scale and bias."""
    out = tuple(sorted(normalize_axes(axes, len(shape))))
    if not out:
        raise ValueError("normalisation needs at least one axis")
    return out


def check_block(name: str, x: TensorType, axes: tuple[int, ...], **operands: TensorType | None) -> None:
    """Raise ValueError unless each present operand has the sizes of the normalised axes."""
    want = [x.shape[a] for a in axes]
    for key, t in operands.items():
        if t is not None:
            if t.rank != len(want):
                raise ValueError(f"{name}: {key} {t} must have the sizes {want} of the normalised axes")
            for have, size in zip(t.shape, want):
                require_same(have, size, f"{name} {key}")


def over_block(v: np.ndarray, axes: tuple[int, ...], shape: Shape) -> np.ndarray:
    """`v` over the normalised axes, reshaped to broadcast against the whole."""
    sizes = dict(zip(axes, v.shape))
    return v.reshape([sizes.get(a, 1) for a in range(len(shape))])


def decompose_block(b: Any, v: Any, axes: tuple[int, ...], rank: int) -> Any:
    """Trailing axes broadcast by themselves; others need sizes of 1 between and behind them."""
    missing = tuple(a for a in range(axes[0], rank) if a not in axes)
    return b.unsqueeze(v, axes=tuple(a - axes[0] for a in missing)) if missing else v


def grouped_shape(shape: Shape, groups: int, axis: int) -> tuple[Shape, tuple[int, ...]]:
    """The shape with the channels split as (groups, channels of one), and the axes to normalise over."""
    split = (*shape[:axis], groups, shape[axis] // groups, *shape[axis + 1 :])
    return split, tuple(a for a in range(1, len(split)) if a != axis)


def vector_norm(magnitude: np.ndarray, p: float, axis: int) -> np.ndarray:
    """The vector norm of non-negative magnitudes along an axis that is kept."""
    if p == math.inf:
        return magnitude.max(axis=axis, keepdims=True)
    if p == -math.inf:
        return magnitude.min(axis=axis, keepdims=True)
    if p == 0:
        return (magnitude != 0).sum(axis=axis, keepdims=True).astype(magnitude.dtype)
    return (magnitude**p).sum(axis=axis, keepdims=True) ** (1 / p)
