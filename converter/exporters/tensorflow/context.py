"""What a rule of TensorFlow's sees: the names of its modules, its dtypes and shapes, whether the call is one of training."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from converter.exporters.code import stmt as s
from converter.exporters.code.expr import Expr, Name, hole, lift
from converter.exporters.code.numbers import scalar
from converter.exporters.outline.context import SELF, Buffer, Shared
from converter.exporters.outline.training import TrainingContext
from converter.exporters.tensorflow.constants import dtype_expr
from converter.exporters.tensorflow.table import Axes
from ir.core import Value
from ir.types import DimExpr, DType, TensorType, dtypes
from ir.types.dim import Func, Symbol

TF = Name("tf")
MATH = Name("tf.math")
NN = Name("tf.nn")
RAW = Name("tf.raw_ops")
OWN_TYPES = ("bool", "int32", "float32")
"""Element types that Python's numbers have in TensorFlow by themselves."""


class Context(TrainingContext):
    """Writes one `__call__`. A weight is a `tf.Variable`, which every function takes as a tensor."""

    def dtype(self, dtype: DType) -> Expr:
        """`tf.float32`."""
        return dtype_expr(dtype)

    def shape_of(self, tensor: Expr) -> Expr:
        """The sizes of a tensor: numbers where they are known while a graph is traced, else tensors."""
        return self.helper("shape_of")(tensor)

    def constant(self, array: np.ndarray, type: TensorType) -> Expr:
        """A number as a tensor where it is read; any other constant is the class's."""
        number = None if array.ndim else scalar(array, type.dtype)
        if number is None:
            return super().constant(array, type)
        kind = () if type.dtype.name in OWN_TYPES else (self.dtype(type.dtype),)
        return TF.constant(hole(number, "value"), *kind)

    def choice(self, value: Value) -> Expr:
        """An operand of a function that takes Python numbers for tensors of the type they have by themselves."""
        found = self.literal(value)
        return found if found is not None and value.type.dtype.name in OWN_TYPES else self.x(value)

    def cast(self, x: Expr, dtype: DType) -> Expr:
        """`tf.cast(x, tf.float32)`."""
        return TF.cast(x, self.dtype(dtype))

    def turned(self, value: Value, axes: Axes) -> Expr:
        """A value with its axes in this order: a weight that is stored so as it is."""
        stored = self.shared.dialect.stored.get(value)  # type: ignore[attr-defined]
        if stored == axes or axes == tuple(range(len(axes))):
            return self.x(value)
        return TF.transpose(self.x(value), lift(axes))

    def widened(self, kind: DType, wide: str, compute: Callable[..., Expr], *values: Expr) -> Expr:
        """What `compute` makes of the values in a wider element type, cast back to `kind`: for kernels that lack `kind`."""
        if kind.name == wide:
            return compute(*values)
        to = getattr(dtypes, wide)
        return self.cast(compute(*(self.cast(v, to) for v in values)), kind)

    def require(self, test: Expr, message: Expr) -> None:
        """A check at once where the condition is known, else when the graph runs."""
        self.tell_checked("sizes that do not fit the model, where they are open when it is traced,")
        self.body.append(s.Do(self.helper("check")(test, message)))

    def tell_checked(self, what: str) -> None:
        """Note that a check of emitted code is none where XLA compiles it: XLA leaves assertions out."""
        self.note(f"{what} are refused, except where XLA compiles the model")

    def _atom(self, atom: Symbol | Func) -> Expr:
        if isinstance(atom, Func) and atom.kind in ("min", "max"):
            a, b = (self._size(x) if isinstance(x, DimExpr) else lift(x) for x in atom.args)
            return getattr(TF, "minimum" if atom.kind == "min" else "maximum")(a, b)
        return super()._atom(atom)


__all__ = ["MATH", "NN", "OWN_TYPES", "RAW", "SELF", "TF", "Buffer", "Context", "Shared"]
