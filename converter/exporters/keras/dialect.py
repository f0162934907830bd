"""Keras' words for the parts of a layer."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from converter.exporters.code import stmt as s
from converter.exporters.code.expr import Attr, Call, Expr, Lst, Name, lift
from converter.exporters.keras.context import Context
from converter.exporters.keras.rules import TABLE
from converter.exporters.keras.table import form_of
from converter.exporters.keras.targets import OWNED
from converter.exporters.outline.dialect import Child
from converter.exporters.outline.lists import ListDialect
from ir.core import Model

ROOT_PARTS = "blocks"
"""Where a model keeps children named by numbers: its `layers` are what Keras lists."""


@dataclass(frozen=True, eq=False)
class KerasDialect(ListDialect):
    """Layers keep children named by numbers in a list called `layers`, as `keras.Sequential` does.

    `casts` says that layers may cast what they are given to their own float type: harmless where all floats are float32.
    """

    casts: bool = True

    def called(self, module: Expr, args: tuple[Expr, ...], named: tuple[tuple[str, Expr], ...]) -> Expr:
        """The call of a layer; what takes nothing is no layer to Keras, whose calls look at their first argument."""
        return Call(module, args, named) if args or named else Attr(module, self.forward)()

    def root_base(self, children: Sequence[Child], plain: bool) -> str:
        """A model, a sequential one where it hands one value through its children."""
        return "keras.Sequential" if plain else "keras.Model"

    def root_constructor(
        self, init: list[s.Stmt], children: Sequence[Child], plain: bool, model: Model
    ) -> list[s.Stmt]:
        """Statements of the root's `__init__`."""
        if not plain:
            return self.listed(init, children, {}, ROOT_PARTS)
        given = model.graph.inputs[0].type
        shape = tuple(d if isinstance(d, int) else None for d in given.shape)
        start = Call(Name("keras.Input"), (), (("batch_shape", lift(shape)),))
        if shape and shape[0] is None:
            start = Call(Name("keras.Input"), (lift(shape[1:]),))
        return [*init, s.Do(Name("super().__init__")(Lst((start, *(c.ctor for c in children)))))]

    @property
    def inherits(self) -> bool:
        """A layer that says nothing casts what it is given to float32."""
        return self.casts

    def begin(self) -> Expr:
        """`super().__init__()`, without casts where not all floats are float32."""
        return Name("super().__init__")() if self.casts else Name("super().__init__")(autocast=lift(False))


DIALECT = KerasDialect(
    TABLE,
    form_of,
    Context,
    module="layers.Layer",
    sequential="layers.Layer",
    identity=Call(Name("layers.Identity")),
    forward="call",
    tensor="",
    number="",
    attributes=OWNED,
    sizes_by_name=True,
)
