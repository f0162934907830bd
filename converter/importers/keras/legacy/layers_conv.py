"""Convolutions and pooling: kernels that Theano turns round, its "same" padding, and the layouts of Keras 1."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from converter.importers.base import Refusal
from converter.importers.keras.legacy.units import Arguments, Unit, Weights, rules, today, unit
from converter.importers.keras.stored.hdf5 import Stored

Array = np.ndarray


def spatial(value: Any, rank: int) -> tuple[int, ...]:
    """An argument of a size, or of one size for all axes, as one for each."""
    return tuple(value) if isinstance(value, (list, tuple)) else (int(value),) * rank


def turned(kernel: Array, rank: int) -> Array:
    """A kernel (*spatial, in, out) turned round along its spatial axes."""
    return np.flip(kernel, axis=tuple(range(rank)))


def _from_keras_1(kernel: Array, rank: int, channels: str, kind: str, size: Sequence[int]) -> Array:
    """A kernel of Keras 1 as (*spatial, in, out), of a transposed convolution as (*spatial, out, in)."""
    if kind == "Conv1D":
        if kernel.shape[:2] != (size[0], 1):  # before 1.2, (out, in, length, 1)
            kernel = np.transpose(kernel, (2, 3, 1, 0))
        return kernel[:, 0]
    if channels == "channels_first":
        axes = tuple(range(2, 2 + rank))
        return np.transpose(kernel, (*axes, 0, 1) if kind == "Conv2DTranspose" else (*axes, 1, 0))
    return np.transpose(kernel, (0, 1, 3, 2)) if kind == "Conv2DTranspose" else kernel


def _weights(a: Arguments, rank: int) -> Weights:
    """Weights of a convolution over all channels: its first array is the kernel."""
    era, kind, size = a.era, a.kind, spatial(a.config["kernel_size"], rank)
    channels = a.config.get("data_format") or era.channels
    if not era.first and not era.turned:
        return Weights()
    if era.backend is None:
        raise Refusal("the file does not tell whether Theano or TensorFlow wrote it, and their kernels are turned")

    def convert(stored: list[Stored]) -> list[Array]:
        kernel, *others = [s.values for s in stored]
        if era.first:
            kernel = _from_keras_1(kernel, rank, channels, kind, size)
        return [turned(kernel, rank) if era.turned else kernel, *others]

    return Weights(None, convert)


def _padded(a: Arguments, rank: int) -> list[Any]:
    """What goes before a convolution that pads "same" in Theano's way, which has half a kernel on either side whatever the
    stride: nothing where TensorFlow's is the same, else explicit zeros before a convolution without padding."""
    import keras

    if not a.era.turned or a.config.get("padding") != "same":
        return []
    size, dilation = spatial(a.config["kernel_size"], rank), spatial(a.config.get("dilation_rate") or 1, rank)
    reach = [(k - 1) * d + 1 for k, d in zip(size, dilation)]
    if all(r % 2 for r in reach) and set(spatial(a.config["strides"], rank)) == {1}:
        return []
    a.config["padding"] = "valid"
    sides = tuple((r // 2, (r - 1) // 2) for r in reach)
    layer = getattr(keras.layers, f"ZeroPadding{rank}D")
    form = a.config.get("data_format") or a.era.channels
    return [layer(sides[0] if rank == 1 else sides, data_format=form, name=f"{a.name}_padding", dtype=a.dtype)]


def _convolution(a: Arguments, rank: int, weights: Weights) -> Unit:
    if a.config.get("padding") == "full":
        raise Refusal("border_mode='full', which no later Keras has")
    a.drop("rank")
    a.config.setdefault("dilation_rate", 1)
    before = _padded(a, rank)
    return unit(a, *before, today(a.kind, a), weights=weights)


@rules("Conv1D", "Conv2D", "Conv3D")
def convolution(a: Arguments) -> Unit:
    """Convolutions."""
    rank = int(a.kind[-2])
    return _convolution(a, rank, _weights(a, rank))


@rules("SeparableConv1D", "SeparableConv2D")
def separable(a: Arguments) -> Unit:
    """Depthwise and pointwise convolutions in one. Keras turned their kernels itself where Theano ran."""
    a.drop("groups", "kernel_initializer", "kernel_regularizer", "kernel_constraint")
    if a.era.first and (a.config.get("data_format") or a.era.channels) == "channels_first":
        raise Refusal("a separable convolution of Keras 1 with dim_ordering='th'")
    rank = int(a.kind[-2])
    if (
        a.era.turned
        and a.config["padding"] == "same"
        and not all(k % 2 for k in spatial(a.config["kernel_size"], rank))
    ):
        raise Refusal("padding='same' of Theano with an even kernel, which makes a row too many")
    return _convolution(a, rank, Weights())


@rules("DepthwiseConv1D", "DepthwiseConv2D")
def depthwise(a: Arguments) -> Unit:
    """A convolution of each channel by itself. Keras turned its kernel itself where Theano ran."""
    a.drop("groups", "filters", "kernel_initializer", "kernel_regularizer", "kernel_constraint")
    return _convolution(a, int(a.kind[-2]), Weights())


@rules("Conv1DTranspose", "Conv2DTranspose", "Conv3DTranspose")
def transposed(a: Arguments) -> Unit:
    """Transposed convolutions; Keras 1 is told the size of the result, which must be the one that follows."""
    a.drop("groups", "rank")
    rank = int(a.kind.removeprefix("Conv")[0])
    wanted = a.take("output_shape")
    a.config.setdefault("dilation_rate", 1)
    if a.config.get("padding") == "full":
        raise Refusal("border_mode='full', which no later Keras has")
    size, strides = spatial(a.config["kernel_size"], rank), spatial(a.config["strides"], rank)
    if a.era.turned and a.config["padding"] == "same" and (set(strides) != {1} or not all(k % 2 for k in size)):
        raise Refusal("padding='same' of Theano, which takes off other rows than TensorFlow")
    made = unit(a, today(a.kind, a), weights=_weights(a, rank))
    if wanted is None:
        return made
    layer = made.layer

    def call(x: Any) -> Any:
        y = layer(x)
        if tuple(y.shape[1:]) != tuple(wanted[1:]):
            raise Refusal(f"output_shape={wanted}, where today's layer gives {tuple(y.shape)}")
        return y

    return Unit(a.kind, a.name, call, layer, made.weights, a.trainable)


@rules(
    "MaxPooling1D", "MaxPooling2D", "MaxPooling3D", "AveragePooling1D", "AveragePooling2D", "AveragePooling3D",
)  # fmt: skip
def pooling(a: Arguments) -> Unit:
    """Maxima and means; Theano's "same" starts its windows elsewhere."""
    rank = int(a.kind[-2])
    if a.config.get("strides") is None:
        a.config["strides"] = a.config["pool_size"]
    if rank == 1:
        a.config.setdefault("data_format", "channels_last")
        a.config["data_format"] = a.config["data_format"] or "channels_last"
    if a.era.turned and a.config["padding"] == "same":
        size, strides = spatial(a.config["pool_size"], rank), spatial(a.config["strides"], rank)
        if not all(k == 1 or (k == 3 and s == 1) for k, s in zip(size, strides)):
            raise Refusal("padding='same' of Theano, whose windows start elsewhere than TensorFlow's")
    return unit(a, today(a.kind, a))


@rules(
    "GlobalMaxPooling1D", "GlobalMaxPooling2D", "GlobalMaxPooling3D", "GlobalAveragePooling1D", "GlobalAveragePooling2D",
    "GlobalAveragePooling3D",
)  # fmt: skip
def global_pooling(a: Arguments) -> Unit:
    """Maxima and means over all of space or time."""
    if a.kind.endswith("1D"):
        a.config["data_format"] = a.config.get("data_format") or "channels_last"
    return unit(a, today(a.kind, a))
