"""What a framework calls the parts of emitted modules: everything that the writers of classes and methods leave open."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from converter.exporters.base import RuleTable
from converter.exporters.code import stmt as s
from converter.exporters.code.expr import Attr, Call, Expr, Index, Lit, Name
from converter.exporters.outline.instances import Form, Path
from ir.core import Model, Node

if TYPE_CHECKING:
    from converter.exporters.outline.context import Context, Shared


@dataclass(eq=False)
class Child:
    """A child module in a constructor: attribute name and the expression that constructs it."""

    attr: str
    ctor: Expr


def never(node: Node) -> bool:
    """For nodes of any kind: no."""
    return False


@dataclass(frozen=True, eq=False)
class Dialect:
    """One framework's words.

    `module` is the base class of modules and `sequential` that of a class whose children are named by numbers;
    `identity` constructs the module that does nothing. `forward` is the method that computes, `tensor` and `number`
    annotate its arguments (empty: none), `attributes` are names that the base class has. `sizes_by_name` says that sizes
    are handed to modules as keyword arguments. `updates` says of a node whether its code moves its own state by itself.
    """

    table: RuleTable
    form_of: Callable[[Node], Form | None]
    context: type[Context]
    module: str
    sequential: str
    identity: Expr
    forward: str
    tensor: str
    number: str
    attributes: frozenset[str]
    sizes_by_name: bool = False
    updates: Callable[[Node], bool] = never

    def step(self, shared: Shared, at: Path, module: Expr, name: str) -> Expr:
        """What lies under a name in the module at a path: `module.conv`, `module[0]`."""
        return Index(module, (Lit(int(name)),)) if name.isdigit() else Attr(module, name)

    def called(self, module: Expr, args: tuple[Expr, ...], named: tuple[tuple[str, Expr], ...]) -> Expr:
        """The call of an inner module."""
        return Call(module, args, named)

    def base_of(self, children: Sequence[Child]) -> str:
        """The base class: a sequential container where children are named by numbers."""
        return self.sequential if any(c.attr.isdigit() for c in children) else self.module

    def constructor(self, init: list[s.Stmt], children: Sequence[Child], stored: Mapping[str, str]) -> list[s.Stmt]:
        """Statements of `__init__`: children named by numbers go to the container, the others become attributes. `stored`
        are arguments and the attributes that keep them."""
        numbered = [c.ctor for c in children if c.attr.isdigit()]
        body: list[s.Stmt] = [s.Do(Name("super().__init__")(*numbered))]
        body += [s.Assign(Name(f"self.{attr}"), Name(n)) for n, attr in stored.items()]
        return [*body, *init, *(s.Assign(Name(f"self.{c.attr}"), c.ctor) for c in children if not c.attr.isdigit())]

    @property
    def inherits(self) -> bool:
        """Whether a class that keeps nothing can do with the constructor of its base class."""
        return True

    def root_base(self, children: Sequence[Child], plain: bool) -> str:
        """The base class of the root; `plain` says that all it does is to call its children in order."""
        return self.base_of(children)

    def root_constructor(
        self, init: list[s.Stmt], children: Sequence[Child], plain: bool, model: Model
    ) -> list[s.Stmt]:
        """Statements of the root's `__init__`."""
        return self.constructor(init, children, {})
