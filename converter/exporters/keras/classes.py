"""Classes of `keras.layers.Layer`: containers, weights, constants."""

from __future__ import annotations

from converter.exporters.code import stmt as s
from converter.exporters.code.expr import Call, Expr, Hole, Lst, Name, hole, lift
from converter.exporters.keras.constants import INLINE_ELEMENTS, dtype_name, tensor_literal
from converter.exporters.keras.dialect import KerasDialect
from converter.exporters.outline.context import Buffer
from converter.exporters.outline.instances import Instance
from converter.exporters.outline.lists import ListClasses
from converter.exporters.outline.writer import in_order
from ir.types import TensorType, type_of


class KerasClasses(ListClasses):
    """Turns the instance tree into layers of Keras."""

    def is_chain(self, instance: Instance) -> bool:
        """`keras.Sequential` casts what it is given to a float type: it is for chains of float32 alone. It knows its layers
        by number."""
        if not all(name.isdigit() for name in instance.children):
            return False
        floats = all(v.type.dtype.name == "float32" for r in instance.regions for v in r.inputs)
        return floats and self.casts and super().is_chain(instance)

    def is_plain_sequence(self, instance: Instance) -> bool:
        """Only the root can be a sequential model by itself: other classes have a `call`."""
        return instance is self.tree and super().is_plain_sequence(instance)

    @property
    def casts(self) -> bool:
        """Whether layers may cast what they are given: all floats of the model are float32."""
        dialect = self.shared.dialect
        return isinstance(dialect, KerasDialect) and dialect.casts

    def sequential(self, instance: Instance) -> Expr:
        """`keras.Sequential([...])`."""
        return Call(Name("keras.Sequential"), (Lst(tuple(self.numbered(in_order(instance)))),))

    def variable(self, attr: str, name: str) -> Expr:
        """`self.add_weight((3, 4), name="kernel")`."""
        weight = self.shared.model.weights[name]
        learned = weight.kind == "parameter" and weight.type.dtype.is_float
        return _variable(attr, weight.type, learned)

    def buffer_statements(self, instance: Instance, buffers: list[Buffer]) -> list[s.Stmt]:
        """Constants: small ones as tensors in the source, large ones as weights that are not trained."""
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
        """`load_model` freezes variables, which are made when a layer is built."""
        return []


def _variable(attr: str, type_: TensorType, learned: bool) -> Expr:
    dims = tuple(hole(int(d), f"dim{i}" if type_.rank > 1 else "size") for i, d in enumerate(type_.shape))
    kwargs: dict[str, Expr] = {} if type_.dtype.name == "float32" else {"dtype": lift(dtype_name(type_.dtype))}
    if not learned:
        kwargs["trainable"] = lift(False)
    return Name("self.add_weight")(lift(dims), **kwargs, name=lift(attr))
