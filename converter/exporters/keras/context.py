"""What a rule of Keras' sees: the names of its modules, its dtypes and shapes, whether the call is one of training."""

from __future__ import annotations

import numpy as np

from converter.exporters.code.expr import Attr, Call, Expr, Name, lift
from converter.exporters.keras.constants import INLINE_ELEMENTS, dtype_name
from converter.exporters.outline.context import SELF, Buffer, Shared
from converter.exporters.outline.training import TrainingContext
from ir.core import Value
from ir.types import DType, TensorType

OPS = Name("ops")
LAYERS = Name("layers")
KERAS = Name("keras")
_TENSOR = Name("ops.convert_to_tensor")


class Context(TrainingContext):
    """Writes one `call`.

    A weight is a `keras.Variable`: Python's operators take it as it is, functions of a backend do not always, so that `x`
    gives it as a tensor and `bare` takes that back.
    """

    def dtype(self, dtype: DType) -> Expr:
        """`"float32"`."""
        return lift(dtype_name(dtype))

    def shape_of(self, tensor: Expr) -> Expr:
        """`ops.shape(x)`: known sizes as numbers, others as tensors where a graph is traced."""
        return OPS.shape(tensor)

    def weight(self, value: Value) -> Expr:
        """A weight's value."""
        return Call(_TENSOR, (self.variable(value),))

    def constant(self, array: np.ndarray, type: TensorType) -> Expr:
        """A constant of the class; a large one is a variable."""
        expr = super().constant(array, type)
        return Call(_TENSOR, (expr,)) if array.size > INLINE_ELEMENTS else expr

    def variable(self, value: Value) -> Expr:
        """A weight in place: `self.block.scale`."""
        return bare(super().weight(value))

    def cast(self, x: Expr, dtype: DType) -> Expr:
        """`ops.cast(x, "float32")`."""
        return OPS.cast(x, self.dtype(dtype))


def bare(x: Expr) -> Expr:
    """A weight's variable where an expression is nothing but its value; else the expression."""
    if isinstance(x, Call) and x.func == _TENSOR and not x.kwargs and isinstance(x.args[0], Attr):
        return x.args[0]
    return x


__all__ = ["KERAS", "LAYERS", "OPS", "SELF", "Buffer", "Context", "Shared", "bare"]
