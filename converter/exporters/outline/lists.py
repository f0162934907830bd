"""Containers as Python's own lists and dicts, for frameworks that track what lies in them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from converter.exporters.code import stmt as s
from converter.exporters.code.expr import Attr, Call, Dct, Expr, Index, Lit, Lst, Name, transform
from converter.exporters.outline.context import Shared
from converter.exporters.outline.dialect import Child, Dialect
from converter.exporters.outline.instances import Instance, Path
from converter.exporters.outline.writer import ClassWriter, container_at, in_order, runs


@dataclass(frozen=True, eq=False)
class ListDialect(Dialect):
    """Modules keep children named by numbers in a list called `layers`."""

    def step(self, shared: Shared, at: Path, module: Expr, name: str) -> Expr:
        """`module.conv`, `module.layers[0]`, and in lists and dicts `module[0]`, `module["a"]`."""
        kind = container_at(shared.tree, at)
        if name.isdigit():
            number = (Lit(int(name)),)
            if kind in ("ModuleList", "ParameterList"):
                return Index(module, number)
            return Index(Attr(module, "layers"), number) if kind is None else Index(module, (Lit(name),))
        return Index(module, (Lit(name),)) if kind == "ModuleDict" else Attr(module, name)

    def base_of(self, children: Sequence[Child]) -> str:
        """Every class is a plain module."""
        return self.module

    def constructor(self, init: list[s.Stmt], children: Sequence[Child], stored: Mapping[str, str]) -> list[s.Stmt]:
        """Children named by numbers become a list, the others attributes."""
        return self.listed(init, children, stored, "layers")

    def begin(self) -> Expr:
        """The call of the base class's constructor."""
        return Name("super().__init__")()

    def listed(
        self, init: list[s.Stmt], children: Sequence[Child], stored: Mapping[str, str], parts: str
    ) -> list[s.Stmt]:
        """Statements of a constructor that keeps numbered children in the list `parts`."""
        body: list[s.Stmt] = [s.Do(self.begin())]
        body += [s.Assign(Name(f"self.{attr}"), Name(n)) for n, attr in stored.items()]
        numbered = [c.ctor for c in children if c.attr.isdigit()]
        if numbered:
            body.append(s.Assign(Name(f"self.{parts}"), Lst(tuple(numbered))))
        return [*body, *init, *(s.Assign(Name(f"self.{c.attr}"), c.ctor) for c in children if not c.attr.isdigit())]


class ListClasses(ClassWriter):
    """Turns the instance tree into classes whose containers are lists and dicts."""

    def variable(self, attr: str, name: str) -> Expr:
        """What makes the variable of a weight."""
        raise NotImplementedError

    def holder(self, instance: Instance, kind: str) -> Expr:
        """A list or dict, which the framework tracks."""
        children = in_order(instance)
        if kind == "ModuleList":
            return Lst(tuple(self.numbered(children)))
        if kind == "ModuleDict":
            return Dct(tuple((Lit(c.path[-1]), self.ctor(c)) for c in children))
        ordered = sorted(instance.weights, key=int)
        return Lst(tuple(self.variable(f"weight_{w}", instance.weights[w]) for w in ordered))

    def weight_statements(self, instance: Instance) -> list[s.Stmt]:
        """Parameters and buffers of the instance itself."""
        return [s.Assign(Name(f"self.{a}"), self.variable(a, name)) for a, name in instance.weights.items()]

    def ties(self) -> list[s.Stmt]:
        """Tied weights are one variable wherever they are read."""
        return []

    def compress(self, expr: Expr) -> Expr:
        """Runs of equal constructors in a list become a loop: `[Block(64) for _ in range(3)]`."""

        def visit(part: Expr) -> Expr | None:
            if not isinstance(part, Lst) or not any(isinstance(i, Call) for i in part.items):
                return None
            return Lst(tuple(runs([self.compress(i) for i in part.items], self.shared.dialect.identity)))

        return transform(expr, visit)


__all__ = ["ListClasses", "ListDialect"]
