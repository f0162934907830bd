"""Modules that are one function call have no class in TensorFlow: their code is the caller's."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace

from ir.core import Model, Node


def inline_functions(model: Model) -> None:
    """Take, in place, every node out of the modules that hold it alone, and no weight. What stands at a numbered place of
    a container stays: the others keep their numbers."""
    nodes = [n for n in model.graph if n.op.name != "constant"]
    counts = Counter(path[:i] for path in map(_path, nodes) for i in range(1, len(path) + 1))
    holders = {tuple(name.split(".")[:i]) for name in model.weights for i in range(1, name.count(".") + 1)}
    for node in nodes:
        path = _path(node)
        while path and counts[path] == 1 and path not in holders and not path[-1].isdigit():
            path = path[:-1]
        if len(path) < len(node.origin.path):
            node.origin = replace(node.origin, path=node.origin.path[: len(path)])


def _path(node: Node) -> tuple[str, ...]:
    return tuple(scope.name for scope in node.origin.path)


__all__ = ["inline_functions"]
