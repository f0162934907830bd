"""Normalisation: subtract a mean, divide by a deviation, scale and shift."""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import Any, Literal

import numpy as np

from ir.ops.axes import Layout, channel_axis, per_channel
from ir.ops.norm_parts import (
    broadcast_vector,
    check_block,
    check_eps,
    check_vectors,
    decompose_block,
    decompose_scale_and_shift,
    decompose_standardise,
    grouped_shape,
    narrowed,
    over_block,
    scale_and_shift,
    sorted_axes,
    standardise,
    vector_norm,
    widened,
)
from ir.ops.registry import op
from ir.ops.sampler import Sample, Sampler
from ir.types import Dim, TensorType, mod, normalize_axis


@op
class BatchNorm:
    """(x - mean) / sqrt(var + eps) * scale + bias for each channel (Ioffe and Szegedy 2015).

    In training, unless `frozen`, mean and biased variance are those of the batch, and the running statistics move:
    next = (1 - momentum) * running + momentum * batch, with the `unbiased` (n / (n - 1)) variance where asked.
    Otherwise the running statistics are used and stay.
    """

    inputs = ("x: float", "scale?: x", "bias?: x", "mean: x", "var: x")
    outputs = ("output", "next_mean", "next_var")
    modal = True
    axis: int = 1
    eps: float = 1e-5
    momentum: float = 0.1  # the weight of the new value, as in PyTorch; Keras states 1 - momentum
    unbiased: bool = True
    frozen: bool = False

    @staticmethod
    def infer(
        x: TensorType,
        scale: TensorType | None,
        bias: TensorType | None,
        mean: TensorType,
        var: TensorType,
        axis: int,
        eps: float,
        momentum: float,
        unbiased: bool,
        frozen: bool,
    ) -> tuple[TensorType, ...]:
        channels = x.shape[normalize_axis(axis, x.rank)]
        check_eps("batch_norm", eps)
        check_vectors("batch_norm", channels, scale=scale, bias=bias, mean=mean, var=var)
        return x, mean, var

    @staticmethod
    def evaluate(
        x: np.ndarray,
        scale: np.ndarray | None,
        bias: np.ndarray | None,
        mean: np.ndarray,
        var: np.ndarray,
        axis: int,
        eps: float,
        momentum: float,
        unbiased: bool,
        frozen: bool,
        training: bool,
    ) -> tuple[np.ndarray, ...]:
        axis = normalize_axis(axis, x.ndim)
        next_mean, next_var = mean, var
        if training and not frozen:
            others = tuple(a for a in range(x.ndim) if a != axis)
            count = math.prod(x.shape[a] for a in others)
            if count < 2 and unbiased:
                raise ValueError(f"batch_norm: training needs more than {count} value for each channel")
            mean = x.mean(axis=others)
            var = np.square(x - per_channel(mean, axis, x.ndim)).mean(axis=others)
            next_mean = (1 - momentum) * next_mean + momentum * mean
            next_var = (1 - momentum) * next_var + momentum * var * (count / (count - 1) if unbiased else 1)
        factor = (1 if scale is None else scale) / np.sqrt(var + eps)
        out = (x - per_channel(mean, axis, x.ndim)) * per_channel(factor, axis, x.ndim)
        out = out if bias is None else out + per_channel(bias, axis, x.ndim)
        return out.astype(x.dtype), next_mean.astype(x.dtype), next_var.astype(x.dtype)

    @staticmethod
    def decompose(
        b: Any,
        x: Any,
        scale: Any,
        bias: Any,
        mean: Any,
        var: Any,
        axis: int,
        eps: float,
        momentum: float,
        unbiased: bool,
        frozen: bool,
    ) -> Any:
        if not frozen:
            raise NotImplementedError("batch normalisation that updates its statistics in training has no smaller form")
        axis = normalize_axis(axis, x.type.rank)
        wide, scale, bias, centre, spread = widened(b, x, scale, bias, mean, var)
        centred = b.sub(wide, broadcast_vector(b, centre, axis, x.type.rank))
        out = b.div(centred, broadcast_vector(b, b.sqrt(b.add(spread, eps)), axis, x.type.rank))
        out = decompose_scale_and_shift(b, out, scale, bias, axis)
        return narrowed(b, out, x), b.identity(mean), b.identity(var)

    @staticmethod
    def samples(s: Sampler) -> Iterator[Sample]:
        def vectors(n: int) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
            return s.floats(n), s.floats(n), s.floats(n), s.floats(n, low=0.5, high=2.0)

        for training in (False, True):
            yield s.case(s.floats(4, 3, 5, 6), *vectors(3), training=training, dynamic=((0, 0), (0, 2)))
            yield s.case(s.floats(4, 3), *vectors(3), eps=1e-3, momentum=0.01, training=training, dynamic=((0, 0),))
            yield s.case(s.floats(4, 5, 6, 3), *vectors(3), axis=-1, unbiased=False, momentum=0.3, training=training)
            yield s.case(s.floats(4, 5, 3), *vectors(5), frozen=True, eps=0.1, training=training)
            yield s.case(s.floats(2, 3, 4, 2, 3), None, None, *vectors(3)[2:], momentum=1.0, training=training)
            yield s.case(
                s.floats(2, 3, 4), vectors(3)[0], None, *vectors(3)[2:], momentum=0.0, frozen=True, training=training
            )
            yield s.case(s.floats(6, 3), None, *vectors(3)[1:], axis=1, training=training)
            yield s.case(s.floats(6, 3), None, *vectors(3)[1:], unbiased=False, training=training)
            yield s.case(s.floats(2, 3), *vectors(3), training=training, name="two values")
        yield s.case(s.floats(0, 3, 4), *vectors(3), name="no batch")
        yield s.case(s.floats(1, 3), *vectors(3), unbiased=False, training=True, name="one value")
        yield s.case(s.floats(3, 4, 5), *vectors(3), axis=0)
        yield s.case(s.floats(2, 4, 5, 3), *vectors(3), axis=-1)
        yield s.case(s.floats(2, 4, 3, 5), *vectors(3), axis=-2, frozen=True)
        yield s.case(s.floats(2, 3), *vectors(3), frozen=True)
        yield s.case(s.floats(3), *vectors(3), axis=0, frozen=True)
        yield s.case(s.floats(3, 4), *vectors(3), axis=0, name="channels first of two")
        yield s.case(s.floats(1, 3), *vectors(3), training=True, error=ValueError, name="one value, unbiased")
        yield s.case(s.floats(2, 3), *vectors(4), error=ValueError, name="channels")


def _block_samples(s: Sampler) -> Iterator[tuple[np.ndarray, tuple[int, ...], tuple[int, ...]]]:
    """Inputs, normalised axes and the shape of scale and bias."""
    yield s.floats(2, 3, 4), (-1,), (4,)
    yield s.floats(2, 3, 4), (-2, -1), (3, 4)
    yield s.floats(2, 3, 4, 5), (1,), (3,)
    yield s.floats(2, 3, 4, 5), (3, 1), (3, 5)
    yield s.floats(2, 3, 4), (0, 1, 2), (2, 3, 4)
    yield s.floats(5), (0,), (5,)
    yield s.floats(0, 4), (-1,), (4,)


@op
class LayerNorm:
    """(x - mean) / sqrt(variance + eps) over `axes`, then scale and bias (Ba, Kiros and Hinton 2016).

    Scale and bias have the sizes of the normalised axes in ascending order.
    """

    inputs = ("x: float", "scale?: x", "bias?: x")
    axes: tuple[int, ...] = (-1,)
    eps: float = 1e-5

    @staticmethod
    def infer(
        x: TensorType, scale: TensorType | None, bias: TensorType | None, axes: tuple[int, ...], eps: float
    ) -> TensorType:
        check_eps("layer_norm", eps)
        check_block("layer_norm", x, sorted_axes(x.shape, axes), scale=scale, bias=bias)
        return x

    @staticmethod
    def evaluate(
        x: np.ndarray, scale: np.ndarray | None, bias: np.ndarray | None, axes: tuple[int, ...], eps: float
    ) -> np.ndarray:
        axes = sorted_axes(x.shape, axes)
        out = standardise(x, axes, eps)
        out = out if scale is None else out * over_block(scale, axes, x.shape)
        return out if bias is None else out + over_block(bias, axes, x.shape)

    @staticmethod
    def decompose(b: Any, x: Any, scale: Any, bias: Any, axes: tuple[int, ...], eps: float) -> Any:
        axes = sorted_axes(x.type.shape, axes)
        wide, scale, bias = widened(b, x, scale, bias)
        out = decompose_standardise(b, wide, axes, eps)
        out = out if scale is None else b.mul(out, decompose_block(b, scale, axes, x.type.rank))
        out = out if bias is None else b.add(out, decompose_block(b, bias, axes, x.type.rank))
        return narrowed(b, out, x)

    @staticmethod
    def samples(s: Sampler) -> Iterator[Sample]:
        for x, axes, shape in _block_samples(s):
            yield s.case(x, s.floats(*shape), s.floats(*shape), axes=axes, dynamic=((0, 0),) if 0 not in axes else ())
            yield s.case(x, s.floats(*shape), None, axes=axes, eps=1e-2)
            yield s.case(x, None, None, axes=axes)
        yield s.case(s.floats(2, 3), None, s.floats(3))
        yield s.case(s.floats(2, 3), s.floats(2), None, error=ValueError, name="scale of another size")
        yield s.case(s.floats(2, 3), None, None, axes=(), error=ValueError, name="no axes")


@op
class RMSNorm:
    """x / sqrt(mean of squares over `axes` + eps), then scale (Zhang and Sennrich 2019)."""

    inputs = ("x: float", "scale?: x")
    axes: tuple[int, ...] = (-1,)
    eps: float = 1e-5

    @staticmethod
    def infer(x: TensorType, scale: TensorType | None, axes: tuple[int, ...], eps: float) -> TensorType:
        check_eps("rms_norm", eps)
        check_block("rms_norm", x, sorted_axes(x.shape, axes), scale=scale)
        return x

    @staticmethod
    def evaluate(x: np.ndarray, scale: np.ndarray | None, axes: tuple[int, ...], eps: float) -> np.ndarray:
        axes = sorted_axes(x.shape, axes)
        out = x / np.sqrt(np.square(x).mean(axis=axes, keepdims=True) + eps).astype(x.dtype)
        return out if scale is None else out * over_block(scale, axes, x.shape)

    @staticmethod
    def decompose(b: Any, x: Any, scale: Any, axes: tuple[int, ...], eps: float) -> Any:
        axes = sorted_axes(x.type.shape, axes)
        wide, scale = widened(b, x, scale)
        power = b.reduce_mean(b.square(wide), axes=axes, keepdims=True)
        out = b.div(wide, b.sqrt(b.add(power, eps)))
        out = out if scale is None else b.mul(out, decompose_block(b, scale, axes, x.type.rank))
        return narrowed(b, out, x)

    @staticmethod
    def samples(s: Sampler) -> Iterator[Sample]:
        for x, axes, shape in _block_samples(s):
            yield s.case(x, s.floats(*shape), axes=axes, dynamic=((0, 0),) if 0 not in axes else ())
            yield s.case(x, None, axes=axes, eps=1e-2)
        yield s.case(s.floats(2, 3), s.floats(2), error=ValueError, name="scale of another size")


def _infer_group(
    name: str, x: TensorType, groups: Dim, layout: Layout, eps: float, **operands: TensorType | None
) -> TensorType:
    if x.rank < 2:
        raise ValueError(f"{name} needs a batch and a channel axis, got {x}")
    check_eps(name, eps)
    channels = x.shape[channel_axis(layout, x.rank)]
    if isinstance(groups, int) and groups < 1:
        raise ValueError(f"{name}: groups must be positive, got {groups}")
    if mod(channels, groups) != 0:
        raise ValueError(f"{name}: {channels} channels do not divide into {groups} groups")
    check_vectors(name, channels, **operands)
    return x


def _group_norm(
    x: np.ndarray, scale: np.ndarray | None, bias: np.ndarray | None, groups: int, eps: float, layout: Layout
) -> np.ndarray:
    axis = channel_axis(layout, x.ndim)
    split, axes = grouped_shape(x.shape, groups, axis)
    return scale_and_shift(standardise(x.reshape(split), axes, eps).reshape(x.shape), scale, bias, axis)


@op
class GroupNorm:
    """Standardises each sample over each group of channels and all positions (Wu and He 2018).

    Scale and bias have one number for each channel.
    """

    inputs = ("x: float", "scale?: x", "bias?: x")
    groups: int
    eps: float = 1e-5
    layout: Layout = "channels_first"

    @staticmethod
    def infer(
        x: TensorType, scale: TensorType | None, bias: TensorType | None, groups: int, eps: float, layout: Layout
    ) -> TensorType:
        return _infer_group("group_norm", x, groups, layout, eps, scale=scale, bias=bias)

    @staticmethod
    def evaluate(
        x: np.ndarray, scale: np.ndarray | None, bias: np.ndarray | None, groups: int, eps: float, layout: Layout
    ) -> np.ndarray:
        return _group_norm(x, scale, bias, groups, eps, layout)

    @staticmethod
    def decompose(b: Any, x: Any, scale: Any, bias: Any, groups: int, eps: float, layout: Layout) -> Any:
        axis = channel_axis(layout, x.type.rank)
        split, axes = grouped_shape(x.type.shape, groups, axis)
        wide, scale, bias = widened(b, x, scale, bias)
        out = decompose_standardise(b, b.reshape(wide, shape=split), axes, eps)
        out = decompose_scale_and_shift(b, b.reshape(out, shape=x.type.shape), scale, bias, axis)
        return narrowed(b, out, x)

    @staticmethod
    def samples(s: Sampler) -> Iterator[Sample]:
        for groups in (1, 2, 3, 6):
            yield s.case(s.floats(2, 6, 4, 5), s.floats(6), s.floats(6), groups=groups, dynamic=((0, 0), (0, 2)))
            yield s.case(
                s.floats(2, 4, 5, 6), s.floats(6), s.floats(6), groups=groups, eps=1e-2, layout="channels_last"
            )
        yield s.case(s.floats(2, 6, 4), None, None, groups=2)
        yield s.case(s.floats(2, 6), s.floats(6), None, groups=3)
        yield s.case(s.floats(2, 4, 2, 3, 2), None, s.floats(4), groups=2)
        yield s.case(s.floats(0, 4, 2), None, s.floats(4), groups=2)
        yield s.case(s.floats(2, 4), s.floats(4), s.floats(4), groups=4, eps=0.1)
        yield s.case(s.floats(2, 1, 4), s.floats(4), s.floats(4), groups=4, eps=0.1, layout="channels_last")
        yield s.case(s.floats(2, 3, 2), s.floats(2), s.floats(2), groups=1, layout="channels_last")
        yield s.case(s.floats(2, 4, 1), s.floats(4), s.floats(4), groups=2)
        yield s.case(s.floats(2, 5, 3), None, None, groups=2, error=ValueError, name="groups that do not divide")


@op
class InstanceNorm:
    """Standardises each channel of each sample over all positions (Ulyanov et al. 2016).

    Scale and bias have one number for each channel.
    """

    inputs = ("x: float", "scale?: x", "bias?: x")
    eps: float = 1e-5
    layout: Layout = "channels_first"

    @staticmethod
    def infer(
        x: TensorType, scale: TensorType | None, bias: TensorType | None, eps: float, layout: Layout
    ) -> TensorType:
        if x.rank < 3:
            raise ValueError(f"instance_norm needs at least one spatial axis, got {x}")
        return _infer_group(
            "instance_norm", x, x.shape[channel_axis(layout, x.rank)], layout, eps, scale=scale, bias=bias
        )

    @staticmethod
    def evaluate(
        x: np.ndarray, scale: np.ndarray | None, bias: np.ndarray | None, eps: float, layout: Layout
    ) -> np.ndarray:
        return _group_norm(x, scale, bias, x.shape[channel_axis(layout, x.ndim)], eps, layout)

    @staticmethod
    def decompose(b: Any, x: Any, scale: Any, bias: Any, eps: float, layout: Layout) -> Any:
        axis = channel_axis(layout, x.type.rank)
        axes = tuple(a for a in range(1, x.type.rank) if a != axis)
        wide, scale, bias = widened(b, x, scale, bias)
        out = decompose_scale_and_shift(b, decompose_standardise(b, wide, axes, eps), scale, bias, axis)
        return narrowed(b, out, x)

    @staticmethod
    def samples(s: Sampler) -> Iterator[Sample]:
        yield s.case(s.floats(2, 3, 4, 5), s.floats(3), s.floats(3), dynamic=((0, 0), (0, 2)))
        yield s.case(s.floats(2, 4, 5, 3), s.floats(3), s.floats(3), eps=1e-2, layout="channels_last")
        yield s.case(s.floats(2, 3, 6), None, None)
        yield s.case(s.floats(2, 3, 6), s.floats(3), None, eps=0.1)
        yield s.case(s.floats(2, 2, 3, 2, 3), None, s.floats(3), layout="channels_last")
        yield s.case(s.floats(0, 3, 6), None, None)
        yield s.case(s.floats(2, 3), None, None, error=ValueError, name="no positions")


@op
class Lrn:
    """x / (k + alpha / size * sum of squares over a window of `size` channels) ** beta (Krizhevsky et al. 2012).

    A window of even size reaches one channel further on its `wider` side: "after" as in ONNX, "before" as in PyTorch.
    """

    inputs = ("x: float",)
    size: int
    alpha: float = 1e-4
    beta: float = 0.75
    k: float = 1.0
    wider: Literal["after", "before"] = "after"
    layout: Layout = "channels_first"

    @staticmethod
    def infer(x: TensorType, size: int, alpha: float, beta: float, k: float, wider: str, layout: Layout) -> TensorType:
        if x.rank < 2:
            raise ValueError(f"lrn needs a channel axis, got {x}")
        if size < 1:
            raise ValueError(f"lrn: size must be positive, got {size}")
        return x

    @staticmethod
    def evaluate(
        x: np.ndarray, size: int, alpha: float, beta: float, k: float, wider: str, layout: Layout
    ) -> np.ndarray:
        axis = channel_axis(layout, x.ndim)
        channels = x.shape[axis]
        short, long = (size - 1) // 2, size // 2
        before, after = (short, long) if wider == "after" else (long, short)
        pads = [(before, after) if a == axis else (0, 0) for a in range(x.ndim)]
        padded = np.moveaxis(np.pad(np.square(x), pads), axis, 0)
        total = np.zeros_like(padded[:channels])
        for i in range(size):
            total += padded[i : i + channels]
        return x / (k + alpha / size * np.moveaxis(total, 0, axis)) ** beta

    @staticmethod
    def samples(s: Sampler) -> Iterator[Sample]:
        for size in (1, 2, 3, 4, 5, 9):
            for wider in ("after", "before"):
                yield s.case(s.floats(2, 5, 3, 4), size=size, alpha=0.5, wider=wider, dynamic=((0, 0), (0, 2)))
        yield s.case(s.floats(2, 3, 4, 5), size=3, alpha=1e-2, beta=0.5, k=2.0, layout="channels_last")
        yield s.case(s.floats(2, 5, 3), size=4)
        yield s.case(s.floats(2, 5, 3), size=3, alpha=0.5)
        yield s.case(s.floats(2, 1, 3, 2), size=4, alpha=0.5, name="one channel")
        yield s.case(s.floats(4, 5), size=3, alpha=0.5, wider="before", name="no axis behind the channels")
        yield s.case(s.floats(2, 5, 3), size=0, error=ValueError, name="empty window")


@op
class Normalize:
    """x / max(norm of order p along `axis`, eps) (torch.nn.functional.normalize).

    p may be 0 (count of non-zeros), inf (maximum) or -inf (minimum).
    """

    inputs = ("x: float",)
    p: float = 2.0
    axis: int = 1
    eps: float = 1e-12

    @staticmethod
    def infer(x: TensorType, p: float, axis: int, eps: float) -> TensorType:
        normalize_axis(axis, x.rank)
        check_eps("normalize", eps)
        return x

    @staticmethod
    def evaluate(x: np.ndarray, p: float, axis: int, eps: float) -> np.ndarray:
        return x / np.maximum(vector_norm(np.abs(x), p, axis), eps).astype(x.dtype)

    @staticmethod
    def decompose(b: Any, x: Any, p: float, axis: int, eps: float) -> Any:
        if p not in (1, 2, math.inf):
            raise NotImplementedError(f"normalising by the norm of order {p:g} has no smaller form")
        (wide,) = widened(b, x)
        if p == math.inf:
            norm = b.reduce_max(b.abs(wide), axes=(axis,), keepdims=True)
        else:
            norm = (b.reduce_l1 if p == 1 else b.reduce_l2)(wide, axes=(axis,), keepdims=True)
        return narrowed(b, b.div(wide, b.maximum(norm, eps)), x)

    @staticmethod
    def samples(s: Sampler) -> Iterator[Sample]:
        for p in (2.0, 1.0, 3.0, 0.5, math.inf, -math.inf, 0.0):
            yield s.case(s.floats(2, 3, 4), p=p, dynamic=((0, 0), (0, 2)))
            yield s.case(s.floats(2, 3, 4), p=p, axis=-1, eps=1.5)
        yield s.case(np.zeros_like(s.floats(2, 3)), axis=0)
        yield s.case(s.floats(3), axis=0)
        yield s.case(np.array([[0, 1, 2], [1, 0, 0], [0, 0, 0]], s.float_dtype.numpy), p=0.0, name="zeros and ones")
        yield s.case(s.floats(2, 3), axis=2, error=ValueError, name="axis out of range")
