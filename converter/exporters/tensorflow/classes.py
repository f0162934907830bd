"""Classes of `tf.Module`: containers, variables, constants."""

from __future__ import annotations

from collections.abc import Sequence

from converter.exporters.code import stmt as s
from converter.exporters.code.expr import Expr, Hole, Name, hole, lift
from converter.exporters.outline.context import Buffer
from converter.exporters.outline.instances import Instance
from converter.exporters.outline.lists import ListClasses
from converter.exporters.outline.training import reads_training
from converter.exporters.outline.writer import in_order
from converter.exporters.tensorflow.constants import INLINE_ELEMENTS, dtype_expr, tensor_literal
from converter.exporters.tensorflow.dialect import TensorflowDialect
from converter.exporters.tensorflow.dims import dim_names
from ir.types import TensorType, type_of

_NUMBERED = tuple(f"dim{i}" for i in range(16))


class TensorflowClasses(ListClasses):
    """Turns the instance tree into modules of TensorFlow."""

    def is_chain(self, instance: Instance) -> bool:
        """A chain of numbered modules, none of which asks whether the call is one of training."""
        if not all(name.isdigit() for name in instance.children) or any(map(reads_training, instance.regions)):
            return False
        return instance is not self.tree and super().is_chain(instance)

    def is_plain_sequence(self, instance: Instance) -> bool:
        """Every class has a `__call__`."""
        return False

    def sequential(self, instance: Instance) -> Expr:
        """`Sequential(...)`, a class that comes with the package."""
        self.shared.helpers["Sequential"] = None
        return Name("Sequential")(*self.numbered(in_order(instance)))

    def variable(self, attr: str, name: str) -> Expr:
        """`tf.Variable(tf.zeros((3, 4)), name="weight")`, in the order in which it is stored."""
        weight = self.shared.model.weights[name]
        dialect = self.shared.dialect
        assert isinstance(dialect, TensorflowDialect)
        axes = dialect.stored.get(self.shared.model.weight_value(name), tuple(range(weight.type.rank)))
        stored = weight.type.with_shape(tuple(weight.type.shape[a] for a in axes))
        kind = stored.dtype
        learned = weight.kind == "parameter" and weight.trainable is not False and (kind.is_float or kind.is_complex)
        hints = dim_names(self.shared.model.weight_value(name))
        return _variable(attr, stored, learned, [hints[a] for a in axes])

    def buffer_statements(self, instance: Instance, buffers: list[Buffer]) -> list[s.Stmt]:
        """Constants: small ones in the source, large ones as variables that are not trained."""
        out: list[s.Stmt] = []
        for buffer in buffers:
            type_ = type_of(buffer.value)
            if buffer.value.size <= INLINE_ELEMENTS:
                value: Expr = Hole(tensor_literal(buffer.value, type_.dtype), buffer.attr)
            else:
                value = _variable(buffer.attr, type_, False)
                self.large[".".join((*instance.path, buffer.attr))] = buffer
            out.append(s.Assign(Name(f"self.{buffer.attr}"), value))
        return out

    def frozen(self) -> list[s.Stmt]:
        """A variable says by itself whether it is trained."""
        return []


def _variable(attr: str, type_: TensorType, learned: bool, hints: Sequence[str] | None = None) -> Expr:
    hints = hints or _NUMBERED[: type_.rank]
    dims = tuple(hole(int(d), hint) for d, hint in zip(type_.shape, hints, strict=True))
    dtype = () if type_.dtype.name == "float32" else (dtype_expr(type_.dtype),)
    start = Name("tf.zeros")(lift(dims), *dtype)
    return Name("tf.Variable")(start, trainable=hole(learned, "trainable", True), name=lift(attr))
