"""What a rule of TensorFlow's sees: the names of its modules, its dtypes and shapes, whether the call is one of training."""

from __future__ import annotations

from collections.abc import Callable

from converter.exporters.code import stmt as s
from converter.exporters.code.expr import Expr, Name, lift
from converter.exporters.outline.context import SELF, Buffer, Shared
from converter.exporters.outline.training import TrainingContext
from converter.exporters.tensorflow.constants import dtype_expr
from converter.exporters.tensorflow.table import Axes
from ir.core import Value
from ir.types import DimExpr, DType, dtypes
from ir.types.dim import Func, Symbol

TF = Name("tf")
MATH = Name("tf.math")
NN = Name("tf.nn")
RAW = Name("tf.raw_ops")


class Context(TrainingContext):
    """Writes one `__call__`. A weight is a `tf.Variable`, which every function takes as a tensor."""

    def dtype(self, dtype: DType) -> Expr:
        """`tf.float32`."""
        return dtype_expr(dtype)

    def shape_of(self, tensor: Expr) -> Expr:
        """The sizes of a tensor: numbers where they are known while a graph is traced, else tensors."""
        return self.helper("shape_of")(tensor)

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
        self.body.append(s.Do(self.helper("check")(test, message)))

    def _atom(self, atom: Symbol | Func) -> Expr:
        if isinstance(atom, Func) and atom.kind in ("min", "max"):
            a, b = (self._size(x) if isinstance(x, DimExpr) else lift(x) for x in atom.args)
            return getattr(TF, "minimum" if atom.kind == "min" else "maximum")(a, b)
        return super()._atom(atom)


__all__ = ["MATH", "NN", "RAW", "SELF", "TF", "Buffer", "Context", "Shared"]
