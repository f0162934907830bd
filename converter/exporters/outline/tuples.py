"""Arguments and results with named fields: a `NamedTuple` class for each kind, written before the modules."""

from __future__ import annotations

import keyword
from collections.abc import Iterator

from converter.exporters.code.names import Namespace, class_name
from ir.core.signature import Branch, Constant, Leaf, Signature, Tree

Kind = tuple[str, tuple[str | int, ...], tuple[str, ...]]
"""A class's name in the source, its fields, and their annotations."""


class NamedTuples:
    """The classes that a signature needs, under names of their own.

    A tree with fields that no `NamedTuple` can have (`_private`, `class`) stays a plain tuple: those are `unnamed`.
    """

    def __init__(self, signature: Signature, taken: set[str], tensor: str = "Tensor") -> None:
        self.tensor = tensor
        self.names: dict[Kind, str] = {}
        self.unnamed: dict[str, None] = {}
        space = Namespace(taken)
        trees = [*(p.tree for p in signature.parameters), signature.result]
        for tree in (t for whole in trees for t in _inner_first(whole)):
            if not fields_of(tree):
                self.unnamed[tree.cls] = None
            elif (kind := self._kind(tree)) not in self.names:
                self.names[kind] = space.new(class_name(tree.cls, "Result"))

    def _kind(self, tree: Branch) -> Kind:
        return tree.cls, tree.keys, tuple(self.annotation(c) for c in tree.children)

    def name(self, tree: Tree) -> str | None:
        """The class of a tree; None where it has none."""
        return self.names.get(self._kind(tree)) if isinstance(tree, Branch) and fields_of(tree) else None

    def annotation(self, tree: Tree) -> str:
        """The type of a value, as code."""
        if isinstance(tree, Leaf):
            return self.tensor
        if isinstance(tree, Constant):
            return "None" if tree.value is None else type(tree.value).__name__
        if tree.kind == "list":
            return "list"
        if tree.kind == "dict":
            leaves = all(isinstance(c, Leaf) for c in tree.children)
            return f"dict[str, {self.tensor}]" if leaves else "dict"
        inner = ", ".join(self.annotation(c) for c in tree.children)
        return self.name(tree) or (f"tuple[{inner}]" if inner else "tuple")

    def definitions(self) -> list[str]:
        """The code of each class, those that others name first."""
        found = []
        for (_, keys, kinds), name in self.names.items():
            lines = [f"class {name}(NamedTuple):", '    """Named tensors."""', ""]
            found.append("\n".join([*lines, *(f"    {k}: {t}" for k, t in zip(keys, kinds, strict=True))]))
        return found


def _inner_first(tree: Tree) -> Iterator[Branch]:
    if isinstance(tree, Branch):
        for child in tree.children:
            yield from _inner_first(child)
        if tree.kind == "namedtuple":
            yield tree


def fields_of(tree: Branch) -> tuple[str, ...]:
    """The fields by which a value is read and a `NamedTuple` made; none where one is no name for that."""
    texts = tuple(map(str, tree.keys)) if tree.kind == "namedtuple" else ()
    return texts if all(t.isidentifier() and not keyword.iskeyword(t) and not t.startswith("_") for t in texts) else ()
