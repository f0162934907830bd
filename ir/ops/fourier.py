"""Discrete Fourier transforms, of complex numbers; those of real numbers are made of this one and casts."""

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
    """Discrete Fourier transform over `axes`; `inverse` takes the other sign of the exponent.

    `norm` says what the sums are divided by: nothing ("none"), the square root of the count of points ("ortho"), or
    the count ("count").
    """

    inputs = ("x: complex",)
    axes: tuple[int, ...]
    inverse: bool = False
    norm: Literal["none", "ortho", "count"] = "none"

    @staticmethod
    def infer(x: TensorType, axes: tuple[int, ...], inverse: bool, norm: str) -> TensorType:
        found = [normalize_axis(a, x.rank) for a in axes]
        if len(set(found)) != len(found):
            raise ValueError(f"axes {axes} name one axis twice")
        if any(x.shape[a] == 0 for a in found):
            raise ValueError("there is no transform of no points")
        return x

    @staticmethod
    def evaluate(x: Array, axes: tuple[int, ...], inverse: bool, norm: str) -> Array:
        if not axes:
            return x
        if inverse:
            return np.fft.ifftn(x, axes=axes, norm=_INVERSE[norm])
        return np.fft.fftn(x, axes=axes, norm=_FORWARD[norm])

    @staticmethod
    def samples(s: Sampler) -> Iterator[Sample]:
        for kind in (dtypes.complex64, dtypes.complex128):
            yield s.case(s.complexes(5, dtype=kind), axes=(0,))
            yield s.case(s.complexes(2, 4, dtype=kind), axes=(1,), inverse=True, norm="count")
            yield s.case(s.complexes(3, 2, 7, dtype=kind), axes=(0, -1), norm="ortho")
            yield s.case(s.complexes(3, 4, dtype=kind), axes=(1, 0), inverse=True)
        yield s.case(s.complexes(1, 3), axes=(0,), norm="count", name="one point")
        yield s.case(s.complexes(2, 0), axes=(1,), name="no points", error=ValueError)
        yield s.case(s.complexes(2, 3), axes=(1, -1), name="axis twice", error=ValueError)
