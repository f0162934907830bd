"""Fourier transforms: Keras' are of pairs of real tensors."""

from __future__ import annotations

from typing import Any

import numpy as np

from converter.importers.keras.context import KerasContext, rule
from converter.importers.keras.rules_indexing import backend
from converter.importers.spectra import fitted, inverse_real
from ir.core import Value
from ir.types import Dim


def _joined(c: KerasContext, x: Any) -> Value:
    real, imag = x
    return c.b.complex(c.value(real), c.value(imag))


def _parts(c: KerasContext, value: Value) -> tuple[Value, Value]:
    return c.b.real(value), c.b.imag(value)


@rule("ops.FFT", "ops.FFT2", "ops.IFFT2")
def fft(c: KerasContext, op: Any, x: Any) -> tuple[Value, Value]:
    value, form = _joined(c, x), type(op).__name__
    rank = value.type.rank
    axes = (rank - 1,) if form == "FFT" else (rank - 2, rank - 1)
    back = form == "IFFT2"
    return _parts(c, c.b.fft(value, axes=axes, inverse=back, norm="count" if back else "none"))


@rule("ops.RFFT")
def rfft(c: KerasContext, op: Any, x: Any) -> tuple[Value, Value]:
    value = c.value(x)
    axis = value.type.rank - 1
    if op.fft_length is not None:
        value = fitted(c, value, axis, c.dim(op.fft_length))
    return _parts(c, c.b.fft(value, axes=(axis,), onesided=True))


@rule("ops.IRFFT")
def irfft(c: KerasContext, op: Any, x: Any) -> Value:
    """The spectrum's other half mirrors the first."""
    real, imag = (c.value(v) for v in x)
    axis = real.type.rank - 1
    have = real.type.shape[axis]
    size: Dim = 2 * (have - 1) if op.fft_length is None else c.dim(op.fft_length)
    if not isinstance(size, int) or not isinstance(have, int):
        c.refuse("the inverse of a spectrum of open length", "fix the size")
    real, imag = (fitted(c, v, axis, size // 2 + 1) for v in (real, imag))
    return inverse_real(c.b, c.b.complex(real, imag), size, axis)


def _window(c: KerasContext, op: Any, kind: Any) -> np.ndarray:
    """The window, in the middle of as many zeros as the transform is longer."""
    size, form = op.sequence_length, op.window
    places = np.arange(size)
    if form is None:
        window = np.ones(size)
    elif isinstance(form, str):
        low, high = {"hann": (0.5, 0.5), "hamming": (0.54, 0.46)}[form]
        window = low - high * np.cos(2 * np.pi * places / size)
    else:
        from converter.importers.keras.context import to_numpy

        window = to_numpy(form)
    before = (op.fft_length - size) // 2
    around = (before, op.fft_length - size - before)
    if form is None:
        around, window = (0, 0), np.ones(op.fft_length)
    return np.pad(window, around).astype(kind.numpy)


@rule("ops.STFT")
def stft(c: KerasContext, op: Any, x: Any) -> tuple[Value, Value]:
    """Windows of the signal, each transformed."""
    value = c.value(x)
    axis, kind = value.type.rank - 1, value.type.dtype
    if op.window is None and op.sequence_length != op.fft_length and backend() == "torch":
        c.refuse("sequences shorter than the transform without a window, which torch cuts out", "give a window of ones")
    if op.center:
        half = op.fft_length // 2
        pads = tuple((half, half) if i == axis else (0, 0) for i in range(value.type.rank))
        value = c.b.pad(value, pads=pads, mode="reflect")
    frames = c.b.unfold(value, axis=axis, size=op.fft_length, step=op.sequence_stride)
    if op.window is not None:
        frames = c.b.mul(frames, c.array(_window(c, op, kind)))
    return _parts(c, c.b.fft(frames, axes=(axis + 1,), onesided=True))
