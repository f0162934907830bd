"""Discrete Fourier transforms of complex and of real numbers; the inverse of the latter is made of this one."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Literal

import numpy as np

from ir.ops.registry import op
from ir.ops.sampler import Array, Sample, Sampler
from ir.types import TensorType, dtypes, normalize_axis

_Scaling = Literal["backward", "ortho", "forward"]
_FORWARD: dict[str, _Scaling] = {"none": "backward", "ortho": "ortho", "count": "forward"}
_INVERSE: dict[str, _Scaling] = {"none": "forward", "ortho": "ortho", "count": "backward"}
"""NumPy's names of the scalings, by the direction of the transform."""


@op
class Fft:
    """Discrete Fourier transform over `axes`, complex also of real numbers; `inverse` takes the other sign of the exponent.

    `norm` says what the sums are divided by: nothing ("none"), the square root of the count of points ("ortho"), or
    the count ("count"). `onesided` keeps the first n // 2 + 1 frequencies of the last of the axes: of real numbers the
    others mirror them.
    """

    inputs = ("x: inexact",)
    axes: tuple[int, ...]
    inverse: bool = False
    norm: Literal["none", "ortho", "count"] = "none"
    onesided: bool = False

    @staticmethod
    def infer(x: TensorType, axes: tuple[int, ...], inverse: bool, norm: str, onesided: bool) -> TensorType:
        found = [normalize_axis(a, x.rank) for a in axes]
        if len(set(found)) != len(found):
            raise ValueError(f"axes {axes} name one axis twice")
        if any(x.shape[a] == 0 for a in found):
            raise ValueError("there is no transform of no points")
        if x.dtype.is_float and (x.dtype.is_half or not axes):
            raise ValueError(f"there is no transform of {x.dtype} over {len(axes)} axes")
        if onesided and not (x.dtype.is_float and axes):
            raise ValueError("only the transform of real numbers has two equal sides")
        kind = x.dtype if x.dtype.is_complex else dtypes.complex128 if x.dtype == dtypes.float64 else dtypes.complex64
        sizes = (d // 2 + 1 if onesided and k == found[-1] else d for k, d in enumerate(x.shape))
        return TensorType(kind, tuple(sizes))

    @staticmethod
    def evaluate(x: Array, axes: tuple[int, ...], inverse: bool, norm: str, onesided: bool) -> Array:
        if not axes:
            return x
        if inverse:
            out = np.fft.ifftn(x, axes=axes, norm=_INVERSE[norm])
        else:
            out = np.fft.fftn(x, axes=axes, norm=_FORWARD[norm])
        kept = x.shape[axes[-1]] // 2 + 1 if onesided else x.shape[axes[-1]]
        return out.take(range(kept), axis=axes[-1])

    @staticmethod
    def samples(s: Sampler) -> Iterator[Sample]:
        for kind in (dtypes.complex64, dtypes.complex128):
            yield s.case(s.complexes(5, dtype=kind), axes=(0,))
            yield s.case(s.complexes(2, 4, dtype=kind), axes=(1,), inverse=True, norm="count")
            yield s.case(s.complexes(3, 2, 7, dtype=kind), axes=(0, -1), norm="ortho")
            yield s.case(s.complexes(3, 4, dtype=kind), axes=(1, 0), inverse=True)
        for kind in (dtypes.float32, dtypes.float64):
            yield s.case(s.floats(3, 6, dtype=kind), axes=(1,), onesided=True, dynamic=((0, 0),))
            yield s.case(s.floats(5, 3, 4, dtype=kind), axes=(2, 0), norm="ortho", onesided=True, name="two axes")
            yield s.case(s.floats(2, 5, dtype=kind), axes=(-1,), inverse=True, norm="count", name="inverse of real")
        yield s.case(s.floats(7, 2, dtype=dtypes.float32), axes=(0,), inverse=True, onesided=True)
        yield s.case(s.complexes(1, 3), axes=(0,), norm="count", name="one point")
        yield s.case(s.complexes(2, 300), axes=(1,), name="many points")
        yield s.case(s.complexes(2, 0), axes=(1,), name="no points", error=ValueError)
        yield s.case(s.complexes(2, 3), axes=(1, -1), name="axis twice", error=ValueError)
        yield s.case(s.complexes(3), axes=(0,), onesided=True, name="one side of complex", error=ValueError)
        yield s.case(s.floats(3, dtype=dtypes.float32), axes=(), name="real over no axis", error=ValueError)
        yield s.case(s.floats(3, dtype=dtypes.float16), axes=(0,), name="half floats", error=ValueError)
