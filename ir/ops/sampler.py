"""Seeded sample operands, from which every generated test of an op comes."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from ir.types import DType, dtype, dtypes

Array = np.ndarray
Shape = tuple[int, ...]


@dataclass(frozen=True)
class Sample:
    """One application of an op: concrete operands (arrays, None, or tuples of arrays) and attributes.

    `training` runs modal ops in training mode. `dynamic` lists (operand, axis) pairs that importers and exporters must
    also take as symbolic. `error` is the exception type that `infer` or `evaluate` must raise instead of a result.
    `bodies` holds each body of a control-flow op as a function that makes a new `Graph` at every call (a graph belongs
    to one node). `rtol` widens the tolerance of comparisons where an op amplifies rounding.
    """

    operands: tuple[Any, ...]
    attrs: Mapping[str, Any]
    name: str = ""
    training: bool = False
    dynamic: tuple[tuple[int, int], ...] = ()
    error: type[Exception] | None = None
    rtol: float | None = None
    bodies: Mapping[str, Callable[[], Any]] = field(default_factory=dict)


@dataclass
class Sampler:
    """Draws operands. `float_dtype` is the float type under test: `floats` uses it unless told otherwise."""

    seed: int = 0
    float_dtype: DType = dtypes.float32
    rng: np.random.Generator = field(init=False)

    def __post_init__(self) -> None:
        self.rng = np.random.default_rng(self.seed)

    def floats(
        self, *shape: int, low: float = -3.0, high: float = 3.0, edge: bool = False, dtype: DType | None = None
    ) -> np.ndarray:
        """Uniform floats in [low, high); `edge` plants zeros, infinities, NaN and huge and tiny values among them."""
        kind = dtype or self.float_dtype
        out = self.rng.uniform(low, high, shape)
        if edge and out.size:
            special = self.float_edges(kind)
            where = self.rng.permutation(out.size)[: min(len(special), max(1, out.size // 2))]
            out.reshape(-1)[where] = special[: len(where)]
        with np.errstate(over="ignore"):
            return out.astype(kind.numpy)

    def float_edges(self, kind: DType | None = None) -> np.ndarray:
        """Zeros, infinities, NaN, huge and tiny values, ties of rounding, in the float type under test."""
        kind = kind or self.float_dtype
        values = [0.0, -0.0, np.inf, -np.inf, np.nan, float(kind.max), 1e-30, -2.5, 2.5, 0.5, -0.5, 1.0]
        return np.array(values).astype(kind.numpy)

    def ints(self, *shape: int, low: int = -5, high: int = 6, dtype: DType | str = dtypes.int64) -> np.ndarray:
        """Uniform integers in [low, high)."""
        return self.rng.integers(low, high, shape).astype(_numpy(dtype))

    @staticmethod
    def int_edges(kind: DType | str, zero: bool = True) -> np.ndarray:
        """The extremes of an integer type and small values of both signs (those it has), with or without zero."""
        kind = dtypes.dtype(kind)
        low, high = int(kind.min), int(kind.max)
        values = [low, low + 1, -7, -2, -1, *([0] if zero else []), 1, 2, 3, 8, high - 1, high]
        return np.array([v for v in values if low <= v <= high and (zero or v)], kind.numpy)

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
        bodies: Mapping[str, Callable[[], Any]] | None = None,
        **attrs: Any,
    ) -> Sample:
        """A sample of the op: operands in declaration order, attributes by name."""
        return Sample(operands, attrs, name, training, dynamic, error, rtol, dict(bodies or {}))


def _numpy(kind: DType | str) -> np.dtype:
    return dtype(kind).numpy
