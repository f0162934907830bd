"""Dropout."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np

from ir.ops.registry import op
from ir.ops.sampler import Sample, Sampler
from ir.types import TensorType, normalize_axes


def draw_keep(rng: np.random.Generator, shape: tuple[int, ...], p: float) -> np.ndarray:
    """True with probability 1 - p."""
    return rng.random(shape) >= p


@op
class Dropout:
    """In training, zeroes elements with probability `p` and divides the rest by 1 - p (Srivastava et al. 2014).

    One decision is shared along each of `broadcast_axes` (channel dropout, drop-path, noise_shape). `p` = 1 gives zeros.
    In inference, and when `frozen`, the input itself; with `always` it drops in inference too (Monte Carlo dropout).
    """

    inputs = ("x: float",)
    modal = True
    random = True
    p: float
    broadcast_axes: tuple[int, ...] = ()
    frozen: bool = False
    always: bool = False

    @staticmethod
    def infer(x: TensorType, p: float, broadcast_axes: tuple[int, ...], frozen: bool, always: bool) -> TensorType:
        if not 0 <= p <= 1:
            raise ValueError(f"dropout: p must lie in [0, 1], got {p}")
        if frozen and always:
            raise ValueError("dropout: what is frozen does not drop always")
        normalize_axes(broadcast_axes, x.rank)
        return x

    @staticmethod
    def evaluate(
        x: np.ndarray, p: float, broadcast_axes: tuple[int, ...], frozen: bool, always: bool, training: bool,
        rng: np.random.Generator,
    ) -> np.ndarray:  # fmt: skip
        if frozen or not (training or always) or p == 0:
            return x
        shared = normalize_axes(broadcast_axes, x.ndim)
        keep = draw_keep(rng, tuple(1 if a in shared else n for a, n in enumerate(x.shape)), p)
        return np.where(keep, x / (1 - p), 0).astype(x.dtype)

    @staticmethod
    def samples(s: Sampler) -> Iterator[Sample]:
        for training in (False, True):
            yield s.case(s.floats(2, 3, 4), p=0.5, training=training, dynamic=((0, 0), (0, 2)))
            yield s.case(s.floats(2, 3, 4), p=0.0, training=training)
            yield s.case(s.floats(2, 3, 4), p=1.0, training=training)
            yield s.case(s.floats(2, 3, 4, 5), p=0.25, broadcast_axes=(2, -1), training=training)
            yield s.case(s.floats(3, 4), p=0.9, frozen=True, training=training)
            yield s.case(s.floats(3, 4), p=0.5, always=True, training=training, name="always")
            yield s.case(s.floats(2, 3), p=1.0, always=True, training=training, name="always all")
            yield s.case(s.floats(), p=0.1, training=training)
            yield s.case(s.floats(0, 4), p=0.1, training=training)
            for rank, axes in ((2, (1,)), (3, (2,)), (4, (1,)), (5, (2, 3, 4)), (6, (2, 3, 4, 5))):
                yield s.case(s.floats(*(2, 3, 2, 1, 2, 2)[:rank]), p=0.5, broadcast_axes=axes, training=training)
        yield s.case(s.floats(2), p=1.5, error=ValueError, name="p above 1")
        yield s.case(s.floats(2), p=0.5, frozen=True, always=True, error=ValueError, name="frozen and always")


def draws_in_inference(random: bool, modal: bool, attrs: Mapping[str, Any]) -> bool:
    """Whether an op with these flags and attributes draws random numbers in inference."""
    return random and (not modal or bool(attrs.get("always")))
