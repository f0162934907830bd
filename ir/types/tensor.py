"""The type of a value: element type and shape."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np

from ir.types import dtypes as dt
from ir.types.dim import Dim
from ir.types.shape import Shape, format_shape, is_static


@dataclass(frozen=True, slots=True)
class TensorType:
    """Element type and shape. The rank is always known; dims may be symbolic."""

    dtype: dt.DType
    shape: Shape

    @property
    def rank(self) -> int:
        return len(self.shape)

    @property
    def is_static(self) -> bool:
        return is_static(self.shape)

    def with_shape(self, shape: Iterable[Dim]) -> TensorType:
        """The same element type with another shape."""
        return TensorType(self.dtype, tuple(shape))

    def with_dtype(self, dtype: dt.DType) -> TensorType:
        """The same shape with another element type."""
        return TensorType(dtype, self.shape)

    def __str__(self) -> str:
        return f"{self.dtype}{format_shape(self.shape)}"

    __repr__ = __str__


def tensor_type(dtype: dt.DType | str, *shape: Dim) -> TensorType:
    """Shorthand: `tensor_type("float32", 2, 3)`."""
    return TensorType(dt.dtype(dtype), tuple(shape))


def type_of(array: np.ndarray) -> TensorType:
    """The type of a NumPy array."""
    return TensorType(dt.dtype(array.dtype), tuple(int(d) for d in array.shape))
