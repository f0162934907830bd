"""What a rule of Keras' sees: the names of its modules, its dtypes and shapes, whether the call is one of training."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np

from converter.exporters.code import stmt as s
from converter.exporters.code.expr import Attr, Call, Expr, Name, lift
from converter.exporters.keras.constants import INLINE_ELEMENTS, dtype_name
from converter.exporters.outline import context
from converter.exporters.outline.context import SELF, Buffer, Shared
from converter.exporters.outline.regions import Region
from ir.core import Node, Value
from ir.types import DType, TensorType

OPS = Name("ops")
LAYERS = Name("layers")
KERAS = Name("keras")
_TENSOR = Name("ops.convert_to_tensor")
_TRAINING = Name("training")


class Context(context.Context):
    """Writes one `call`.

    A weight is a `keras.Variable`: Python's operators take it as it is, functions of a backend do not always, so that `x`
    gives it as a tensor and `bare` takes that back.
    """

    def __init__(self, shared: Shared, region: Region) -> None:
        super().__init__(shared, region)
        self._reads_training = reads_training(region)

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

    def training(self) -> Expr:
        """The argument that says whether the call is one of training."""
        self._reads_training = True
        return _TRAINING

    def call_settings(self, region: Region) -> dict[str, Expr]:
        """`training=training`, where anything below reads it: on JAX, Keras hands it on to nobody by itself."""
        return {"training": self.training()} if reads_training(region) else {}

    def bare_call(self, call: Any) -> Any:
        """A call without `training`, which `keras.Sequential` hands on."""
        if isinstance(call, Call) and call.kwargs and call.kwargs[-1] == ("training", _TRAINING):
            return replace(call, kwargs=call.kwargs[:-1])
        return call

    def parameters(self) -> list[s.Param]:
        """`training`, where something reads it."""
        return [s.Param("training", "", lift(False))] if self._reads_training else []


def reads_training(region: Region) -> bool:
    """Whether anything in a module, or in one below it, differs in training."""
    return any(differs_in_training(node) for node in region.nodes())


def differs_in_training(node: Node) -> bool:
    """Whether a node, or one in its bodies, is written in two ways. Recurrent ops drop nothing by themselves: see `stacks`."""
    if any(differs_in_training(inner) for body in node.bodies.values() for inner in body):
        return True
    rate = node.attrs.get("dropout", 1)
    return node.op.modal and node.op.family != "recurrent" and bool(rate) and not node.attrs.get("frozen", False)


def bare(x: Expr) -> Expr:
    """A weight's variable where an expression is nothing but its value; else the expression."""
    if isinstance(x, Call) and x.func == _TENSOR and not x.kwargs and isinstance(x.args[0], Attr):
        return x.args[0]
    return x


__all__ = ["KERAS", "LAYERS", "OPS", "SELF", "Buffer", "Context", "Shared", "bare"]
