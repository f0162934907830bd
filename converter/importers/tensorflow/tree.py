"""The objects below a module: where each module and variable is found first, by attributes."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

Names = tuple[str, ...]

_BOOKS = re.compile(
    r"^_(layers|tracker|functional|(in|out)bound_nodes|(non_)?trainable_variables|operations|operations_by_depth|nodes|"
    r"nodes_by_depth|metrics|losses|loss_ids|seed_generators)$|_(self_)?(unconditional|deferred|name_based)_|^_self_"
)
"""Attributes in which Keras and TensorFlow list what an object holds under other attributes."""


class Tree:
    """Names of modules and variables, by attributes, lists and dicts looked through. A variable that is found at several
    places is named by the first; the others are its aliases."""

    def __init__(self) -> None:
        self.paths: dict[int, Names] = {}
        self.classes: dict[Names, str] = {}
        self.variables: dict[int, list[str]] = {}  # by the identity of the variable's handle
        self.held: list[Any] = []  # keeps what is known by its identity alive
        self._order: dict[str, Any] = {}

    def add(self, root: Any, path: Names = ()) -> None:
        """Name everything below an object."""
        waiting = [(root, path)]
        self._name(root, path)
        while waiting:
            item, here = waiting.pop(0)
            for parts, value in _members(item):
                name = (*here, *parts)
                if is_variable(value):
                    self._name_variable(value, name)
                elif id(value) not in self.paths:
                    self._name(value, name)
                    waiting.append((value, name))

    def _name(self, item: Any, path: Names) -> None:
        self.paths[id(item)] = path
        self.classes.setdefault(path, type(item).__name__)
        self.held.append(item)

    def _name_variable(self, variable: Any, path: Names) -> None:
        variable = unwrapped(variable)
        known = self.variables.setdefault(id(variable.handle), [])
        known.append(".".join(path))
        self._order[".".join(path)] = variable

    def names(self, variable: Any) -> list[str]:
        """Every name of a variable, the first one first."""
        return self.variables.get(id(variable.handle), [])

    def all_variables(self) -> list[Any]:
        """Every variable once, in the order of the attributes."""
        return list({id(v): v for v in self._order.values()}.values())


def is_module(item: Any) -> bool:
    """Whether an object is a module or a layer."""
    names = {f"{c.__module__}.{c.__qualname__}" for c in type(item).__mro__}
    return bool(names & {"tensorflow.python.module.module.Module", "keras.src.layers.layer.Layer"})


def is_variable(item: Any) -> bool:
    """Whether an object is a variable of TensorFlow, or one of Keras around it."""
    item = unwrapped(item)
    return hasattr(item, "handle") and hasattr(item, "trainable") and hasattr(item, "assign")


def unwrapped(item: Any) -> Any:
    """The variable of TensorFlow behind one of Keras."""
    return item.value if type(item).__module__.startswith("keras.") and hasattr(item, "regularizer") else item


def _members(item: Any) -> Iterator[tuple[Names, Any]]:
    """Modules and variables that an object's attributes hold, those that are not private first."""
    own = vars(item) if hasattr(item, "__dict__") else {}
    plain = [(k, v) for k, v in own.items() if not k.startswith("_")]
    hidden = [(k, v) for k, v in own.items() if k.startswith("_") and not _BOOKS.search(k)]
    for key, value in (*plain, *hidden):
        yield from _visit(value, (key.lstrip("_") or key,))
    for layer in own.get("_layers", ()) if isinstance(own.get("_layers"), list) else ():
        yield from _visit(layer, (re.sub(r"\W", "_", str(layer.name)),))  # layers of Keras that no attribute holds


def _visit(value: Any, parts: Names) -> Iterator[tuple[Names, Any]]:
    if is_variable(value) or is_module(value):
        yield parts, value
    elif isinstance(value, (list, tuple)):
        for i, inner in enumerate(value):
            yield from _visit(inner, (*parts, str(i)))
    elif isinstance(value, dict):
        for key, inner in value.items():
            yield from _visit(inner, (*parts, re.sub(r"\W", "_", str(key))))
