"""Keras' words for the parts of a layer."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from converter.exporters.code import stmt as s
from converter.exporters.code.expr import Attr, Call, Expr, Index, Lit, Lst, Name, lift
from converter.exporters.keras.context import Context
from converter.exporters.keras.rules import TABLE
from converter.exporters.keras.table import form_of
from converter.exporters.keras.targets import OWNED
from converter.exporters.outline.context import Shared
from converter.exporters.outline.dialect import Child, Dialect
from converter.exporters.outline.instances import Instance, Path
from converter.exporters.outline.writer import container
from ir.core import Model

ROOT_PARTS = "blocks"
"""Where a model keeps children named by numbers: its `layers` are what Keras lists."""


@dataclass(frozen=True, eq=False)
class KerasDialect(Dialect):
    """Layers keep children named by numbers in a list called `layers`, as `keras.Sequential` does.

    `casts` says that layers may cast what they are given to their own float type: harmless where all floats are float32.
    """

    casts: bool = True

    def step(self, shared: Shared, at: Path, module: Expr, name: str) -> Expr:
        """`module.conv`, `module.layers[0]`, and in lists and dicts `module[0]`, `module["a"]`."""
        kind = _holder(shared.tree, at)
        if name.isdigit():
            number = (Lit(int(name)),)
            if kind in ("ModuleList", "ParameterList"):
                return Index(module, number)
            return Index(Attr(module, "layers"), number) if kind is None else Index(module, (Lit(name),))
        return Index(module, (Lit(name),)) if kind == "ModuleDict" else Attr(module, name)

    def base_of(self, children: Sequence[Child]) -> str:
        """Every class is a plain layer."""
        return self.module

    def constructor(self, init: list[s.Stmt], children: Sequence[Child], stored: Mapping[str, str]) -> list[s.Stmt]:
        """Children named by numbers become a list, the others attributes."""
        return self._constructor(init, children, stored, "layers")

    def root_base(self, children: Sequence[Child], plain: bool) -> str:
        """A model, a sequential one where it hands one value through its children."""
        return "keras.Sequential" if plain else "keras.Model"

    def root_constructor(
        self, init: list[s.Stmt], children: Sequence[Child], plain: bool, model: Model
    ) -> list[s.Stmt]:
        """Statements of the root's `__init__`."""
        if not plain:
            return self._constructor(init, children, {}, ROOT_PARTS)
        given = model.graph.inputs[0].type
        shape = tuple(d if isinstance(d, int) else None for d in given.shape)
        start = Call(Name("keras.Input"), (), (("batch_shape", lift(shape)),))
        if shape and shape[0] is None:
            start = Call(Name("keras.Input"), (lift(shape[1:]),))
        return [*init, s.Do(Name("super().__init__")(Lst((start, *(c.ctor for c in children)))))]

    def _constructor(
        self, init: list[s.Stmt], children: Sequence[Child], stored: Mapping[str, str], parts: str
    ) -> list[s.Stmt]:
        begin = Name("super().__init__")() if self.casts else Name("super().__init__")(autocast=lift(False))
        body: list[s.Stmt] = [s.Do(begin)]
        body += [s.Assign(Name(f"self.{attr}"), Name(n)) for n, attr in stored.items()]
        numbered = [c.ctor for c in children if c.attr.isdigit()]
        if numbered:
            body.append(s.Assign(Name(f"self.{parts}"), Lst(tuple(numbered))))
        return [*body, *init, *(s.Assign(Name(f"self.{c.attr}"), c.ctor) for c in children if not c.attr.isdigit())]


def _holder(tree: Instance, path: Path) -> str | None:
    here: Instance | None = tree
    for name in path:
        here = here.children.get(name) if here is not None else None
    return container(here) if here is not None else None


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
