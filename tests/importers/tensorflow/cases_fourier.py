"""Fourier transforms and sound. Transforms over given axes, which have no kernel on the CPU, are in test_definitions."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np

from tests.importers.tensorflow.harness import Case, Table, array, fixed


def cases() -> Iterator[Case]:
    for kind in ("complex64", "complex128"):
        cube = array(2, 3, 4, 5, dtype=kind)
        for op in ("FFT", "FFT2D", "FFT3D", "IFFT", "IFFT2D", "IFFT3D"):
            yield Case(op, kind, {"input": cube})
    yield from _real()
    yield from _sound()


def _real() -> Iterator[Case]:
    for kind, wide in (("float32", "complex64"), ("float64", "complex128")):
        lengths: Any
        for count, lengths in ((1, ([5], [4])), (2, ([4, 5], [3, 4])), (3, ([3, 4, 5], [2, 3, 4]))):
            suffix = "" if count == 1 else f"{count}D"
            for size in lengths:
                real = {"input": array(2, 3, 4, 5, dtype=kind), "fft_length": fixed(size)}
                yield Case(f"RFFT{suffix}", f"{kind} {size}", real, {"Tcomplex": wide})
                back = {"input": array(2, 3, 4, 5, dtype=wide), "fft_length": fixed(size)}
                yield Case(f"IRFFT{suffix}", f"{kind} {size}", back, {"Treal": kind})
    run = {"input": array(2, 6), "fft_length": np.array([4], "int32")}
    yield Case("RFFT", "a length at run time", run, open=(), refused="a length of its own over an axis of open size")


def _sound() -> Iterator[Case]:
    wave = array(50, 2)
    for size, stride in ((16, 8), (12, 5), (17, 17), (2, 3)):
        for squared in (False, True):
            attrs = {"window_size": size, "stride": stride, "magnitude_squared": squared}
            yield Case("AudioSpectrogram", str(attrs), {"input": wave}, attrs, open=(0,), sizes=(33,), rtol=1e-4)
    spectrum = np.abs(array(2, 3, 129))
    for attrs in (
        {}, {"filterbank_channel_count": 20, "dct_coefficient_count": 8},
        {"upper_frequency_limit": 3000.0, "lower_frequency_limit": 100.0},
    ):  # fmt: skip
        operands = {"spectrogram": spectrum, "sample_rate": fixed(16000)}
        yield Case("Mfcc", str(attrs), operands, attrs, open=(1,), rtol=1e-4)


TABLES: dict[str, Table] = {"all": cases}
