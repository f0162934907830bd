"""Classes of `keras.layers.Layer`: containers, weights, constants."""

from __future__ import annotations

from converter.exporters.code import stmt as s
from converter.exporters.code.expr import Call, Dct, Expr, Hole, Lit, Lst, Name, hole, lift, transform
from converter.exporters.keras.constants import INLINE_ELEMENTS, dtype_name, tensor_literal
from converter.exporters.keras.dialect import KerasDialect
from converter.exporters.outline.context import Buffer
from converter.exporters.outline.instances import Instance
from converter.exporters.outline.writer import ClassWriter, in_order, runs
from ir.types import TensorType, type_of


class KerasClasses(ClassWriter):
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

    def holder(self, instance: Instance, kind: str) -> Expr:
        """A list or dict, which Keras tracks."""
        children = in_order(instance)
        if kind == "ModuleList":
            return Lst(tuple(self.numbered(children)))
        if kind == "ModuleDict":
            return Dct(tuple((Lit(c.path[-1]), self.ctor(c)) for c in children))
        ordered = sorted(instance.weights, key=int)
        return Lst(tuple(self._weight(f"weight_{w}", instance.weights[w]) for w in ordered))

    def weight_statements(self, instance: Instance) -> list[s.Stmt]:
        """Parameters and buffers of the instance itself."""
        return [s.Assign(Name(f"self.{a}"), self._weight(a, name)) for a, name in instance.weights.items()]

    def _weight(self, attr: str, name: str) -> Expr:
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

    def ties(self) -> list[s.Stmt]:
        """Tied weights are one variable wherever they are read."""
        return []

    def frozen(self) -> list[s.Stmt]:
        """`load_model` freezes variables, which are made when a layer is built."""
        return []

    def compress(self, expr: Expr) -> Expr:
        """Runs of equal constructors in a list become a loop: `[Block(64) for _ in range(3)]`."""

        def visit(part: Expr) -> Expr | None:
            if not isinstance(part, Lst) or not any(isinstance(i, Call) for i in part.items):
                return None
            return Lst(tuple(runs([self.compress(i) for i in part.items], self.shared.dialect.identity)))

        return transform(expr, visit)


def _variable(attr: str, type_: TensorType, learned: bool) -> Expr:
    dims = tuple(hole(int(d), f"dim{i}" if type_.rank > 1 else "size") for i, d in enumerate(type_.shape))
    kwargs: dict[str, Expr] = {} if type_.dtype.name == "float32" else {"dtype": lift(dtype_name(type_.dtype))}
    if not learned:
        kwargs["trainable"] = lift(False)
    return Name("self.add_weight")(lift(dims), **kwargs, name=lift(attr))
