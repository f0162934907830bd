"""Fourier transforms over the last axes, or over given ones; of real numbers the mirrored half is left out."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from converter.importers.spectra import fitted, inverse_real
from converter.importers.tensorflow.context import TensorflowContext
from converter.importers.tensorflow.table import rule
from ir.core import Value
from ir.types import Dim, dtypes, normalize_axes


def _last(c: TensorflowContext) -> tuple[int, ...]:
    """The axes of the transform: as many of the last ones as the op's name says."""
    rank = c.rank()
    count = int(c.op[-2]) if c.op.endswith("D") else 1
    if rank < count:
        c.refuse(f"a transform over {count} axes of {c.type()}")
    return tuple(range(rank - count, rank))


@rule("FFT", "FFT2D", "FFT3D", "IFFT", "IFFT2D", "IFFT3D")
@rule("BatchFFT", "BatchFFT2D", "BatchFFT3D", "BatchIFFT", "BatchIFFT2D", "BatchIFFT3D")
def fft(c: TensorflowContext) -> Value:
    """Of complex numbers; the inverse is divided by the number of points."""
    back = "IFFT" in c.op
    return c.b.fft(c.x(), axes=_last(c), inverse=back, norm="count" if back else "none")


def _given(c: TensorflowContext) -> tuple[tuple[int, ...], tuple[Dim, ...]]:
    """Axes and lengths, which are operands."""
    return tuple(normalize_axes(c.ints(2, "the axes"), c.rank())), c.dims(1, "fft_length")


@rule("FFTND", "IFFTND")
def fft_over(c: TensorflowContext) -> Value:
    axes, sizes = _given(c)
    back = c.op == "IFFTND"
    return c.b.fft(_fitted(c, c.x(), axes, sizes), axes=axes, inverse=back, norm="count" if back else "none")


def _fitted(c: TensorflowContext, value: Value, axes: Sequence[int], sizes: Sequence[Dim]) -> Value:
    for axis, size in zip(axes, sizes, strict=True):
        value = fitted(c, value, axis, size)
    return value


@rule("RFFT", "RFFT2D", "RFFT3D", "RFFTND")
def rfft(c: TensorflowContext) -> Value:
    """Of real numbers: the first half of the frequencies of the last axis."""
    c.ignore("Tcomplex")
    axes, sizes = _given(c) if c.op == "RFFTND" else (_last(c), c.dims(1, "fft_length"))
    if list(axes) != sorted(axes):
        c.refuse(f"axes {axes} that do not ascend")
    return c.b.fft(_fitted(c, c.x(), axes, sizes), axes=axes, onesided=True)


@rule("IRFFT", "IRFFT2D", "IRFFT3D", "IRFFTND")
def irfft(c: TensorflowContext) -> Value:
    """Back to real numbers, from the first half of the frequencies of the last axis."""
    c.ignore("Treal")
    axes, sizes = _given(c) if c.op == "IRFFTND" else (_last(c), c.dims(1, "fft_length"))
    if list(axes) != sorted(axes):
        c.refuse(f"axes {axes} that do not ascend")
    *outer, axis = axes
    size = sizes[-1]
    if not isinstance(size, int) or not isinstance(c.type().shape[axis], int):
        c.refuse("the inverse of a spectrum of open length", "fix the size")
    value = _fitted(c, c.x(), axes, (*sizes[:-1], size // 2 + 1))
    if outer:
        value = c.b.fft(value, axes=tuple(outer), inverse=True, norm="count")
    return inverse_real(c.b, value, size, axis)


# -- sound --------------------------------------------------------------------------------------------------------------
@rule("AudioSpectrogram")
def spectrogram(c: TensorflowContext) -> Value:
    """[samples, channels] to [channels, windows, frequencies]: sizes, or their squares, of windows under a Hann curve.

    The transform is as long as the next power of two; what the window leaves is filled with zeros.
    """
    b, size, step = c.b, int(c.attr("window_size")), int(c.attr("stride"))
    x = b.transpose(c.x(), perm=(1, 0))
    samples = x.type.shape[1]
    if isinstance(samples, int) and samples < size:
        c.refuse(f"windows of {size} over {samples} samples: there is none")
    frames = b.unfold(x, axis=1, size=size, step=step)
    curve = 0.5 - 0.5 * np.cos(2 * np.pi * np.arange(size) / size)
    frames = b.mul(frames, b.constant(curve, dtypes.float32))
    points = 1 << max(size - 1, 1).bit_length()
    found = b.fft(fitted(c, frames, 2, points), axes=(2,), onesided=True)
    power = b.add(b.square(b.real(found)), b.square(b.imag(found)))
    return power if c.attr("magnitude_squared") else b.sqrt(power)


@rule("Mfcc")
def mfcc(c: TensorflowContext) -> Value:
    """Logarithms of the energy in triangles evenly spread on the mel scale, and of these a cosine transform."""
    rate = int(c.fixed(1, "the sample rate").reshape(()))
    x, kind = c.x(), dtypes.float32
    bins = x.type.shape[2]
    if not isinstance(bins, int):
        c.refuse("a spectrum of open length", "fix its size")
    channels, kept = int(c.attr("filterbank_channel_count")), int(c.attr("dct_coefficient_count"))
    triangles = _triangles(
        bins, rate, channels, float(c.attr("lower_frequency_limit")), float(c.attr("upper_frequency_limit"))
    )
    energy = c.b.matmul(c.b.sqrt(x), c.b.constant(triangles, kind))
    logs = c.b.log(c.b.maximum(energy, 1e-12))
    angles = np.outer(np.arange(channels) + 0.5, np.arange(kept)) * np.pi / channels
    return c.b.matmul(logs, c.b.constant(np.sqrt(2.0 / channels) * np.cos(angles), kind))


def _mel(hertz: np.ndarray) -> np.ndarray:
    return 1127.0 * np.log1p(hertz / 700.0)


def _triangles(bins: int, rate: int, channels: int, low: float, high: float) -> np.ndarray:
    """How much each frequency counts for each channel: [frequencies, channels]."""
    start, end = _mel(np.array(low)), _mel(np.array(high))
    centres = start + (end - start) / (channels + 1) * np.arange(1, channels + 2)
    per_bin = 0.5 * rate / (bins - 1)
    first, last = int(1.5 + low / per_bin), int(high / per_bin)
    out = np.zeros((bins, channels))
    for i in range(first, min(last, bins - 1) + 1):
        mel = _mel(np.array(i * per_bin))
        below = int(np.searchsorted(centres, mel, side="left")) - 1
        if below >= channels:
            continue
        left = start if below < 0 else centres[below]
        weight = (centres[below + 1] - mel) / (centres[below + 1] - left)
        if below >= 0:
            out[i, below] += weight
        if below + 1 < channels:
            out[i, below + 1] += 1 - weight
    return out
