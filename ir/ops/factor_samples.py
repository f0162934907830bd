"""Matrices that the samples of factorisations are made of."""

from __future__ import annotations

from typing import Any

import numpy as np

from ir.ops.sampler import Array, Sampler


def regular(s: Sampler, *shape: int, kind: Any) -> Array:
    """Well-conditioned matrices."""
    return (s.floats(*shape, low=-1, high=1, dtype=kind) + 3 * np.eye(shape[-2], shape[-1])).astype(kind.numpy)
