"""Seeded sample operands, from which every generated test of an op comes."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from ir.types import DType, dtype, dtypes

Shape = tuple[int, ...]


@dataclass(frozen=True)
class Sample:
    """One application of an op: concrete operands (arrays, None, or tuples of arrays) and attributes.

    `training` runs modal ops in training mode. `dynamic` lists (operand, axis) pairs that importers and exporters must
    also take as symbolic. `error` is the exception type that `infer` or `evaluate` must raise instead of a result.
    """

    operands: tuple[Any, ...]
    attrs: Mapping[str, Any]
    name: str = ""
    training: bool = False
    dynamic: tuple[tuple[int, int], ...] = ()
    error: type[Exception] | None = None
    rtol: float | None = None


@dataclass
class Sampler:
    """Draws operands. `float_dtype` is the float type under test: `floats` uses it unless told otherwise."""

    seed: int = 0
    float_dtype: DType = dtypes.float32
    rng: np.random.Generator = field(init=False)

    def __post_init__(self) -> None:
        self.rng = np.random.default_rng(self.seed)

    def floats(self, *shape: int, low: float = -3.0, high: float = 3.0, edge: bool = False, dtype: DType | None = None) -> np.ndarray:
        """Uniform floats in [low, high); `edge` plants zeros, infinities, NaN and huge and tiny values among them."""
        kind = dtype or self.float_dtype
        out = self.rng.uniform(low, high, shape)
        if edge and out.size:
            special = np.array([0.0, -0.0, np.inf, -np.inf, np.nan, float(kind.max), 1e-30, -2.5, 2.5, 0.5, -0.5, 1.0])
            where = self.rng.permutation(out.size)[: min(len(special), max(1, out.size // 2))]
            out.reshape(-1)[where] = special[: len(where)]
        with np.errstate(over="ignore"):
            return out.astype(kind.numpy)

    def ints(self, *shape: int, low: int = -5, high: int = 6, dtype: DType | str = dtypes.int64) -> np.ndarray:
        """Uniform integers in [low, high)."""
        return self.rng.integers(low, high, shape).astype(_numpy(dtype))

    def bools(self, *shape: int) -> np.ndarray:
        """Fair coin flips."""
        return self.rng.integers(0, 2, shape).astype(np.bool_)

    def complexes(self, *shape: int, dtype: DType = dtypes.complex64) -> np.ndarray:
        """Standard normal real and imaginary parts."""
        return (self.rng.standard_normal(shape) + 1j * self.rng.standard_normal(shape)).astype(dtype.numpy)

    def permutation(self, n: int, dtype: DType | str = dtypes.int64) -> np.ndarray:
        """A random order of range(n)."""
        return self.rng.permutation(n).astype(_numpy(dtype))

    def case(
        self,
        *operands: Any,
        name: str = "",
        training: bool = False,
        dynamic: tuple[tuple[int, int], ...] = (),
        error: type[Exception] | None = None,
        rtol: float | None = None,
        **attrs: Any,
    ) -> Sample:
        """A sample of the op: operands in declaration order, attributes by name."""
        return Sample(operands, attrs, name, training, dynamic, error, rtol)


def _numpy(kind: DType | str) -> np.dtype:
    return dtype(kind).numpy
