"""Where a node came from: the module path from `nn_module_stack`, the user's line from `stack_trace`."""

from __future__ import annotations

import re
from pathlib import PurePath
from typing import Any

from ir.core import Origin, Path, Scope

_FRAME = re.compile(r'File "(?P<file>[^"]+)", line (?P<line>\d+)')
_INTERNAL = re.compile(r"site-packages[/\\](torch|functorch)[/\\]|^torch[/\\]|converter[/\\]importers[/\\]torch[/\\]|^<")
_EMPTY = "_empty_nn_module_stack_from_metadata_hook"


class Scopes:
    """Module paths of one model: shared modules under their first name, calls counted in order of appearance."""

    def __init__(self, module: Any | None = None) -> None:
        self.canonical: dict[str, str] = {}
        self.classes: dict[str, str] = {}
        self._calls: dict[str, list[str]] = {}
        if module is not None:
            self._read(module)

    def _read(self, module: Any) -> None:
        first: dict[int, str] = {}
        for path, child in module.named_modules(remove_duplicate=False):
            self.canonical[path] = first.setdefault(id(child), path)
            if self.canonical[path] == path:
                self.classes[path] = class_name(type(child))

    def learn(self, graph: Any) -> None:
        """Class names from the stacks of a graph, where no live module tells them."""
        for node in graph.nodes:
            for path, cls in stack_of(node).values():
                self.classes.setdefault(self.canonical.get(path, path), str(cls))

    def path(self, node: Any) -> Path:
        """The module path of a node, from the root's children down."""
        stack = stack_of(node)
        calls = {}
        for key, (name, _) in stack.items():
            mine = self.canonical.get(name, name)
            seen = self._calls.setdefault(mine, [])
            if key not in seen:
                seen.append(key)
            calls[mine] = seen.index(key)
        last = next(reversed(calls), "")
        parts = last.split(".") if last else []
        prefixes = [".".join(parts[: i + 1]) for i in range(len(parts))]
        return tuple(
            Scope(part, self.classes.get(prefix, "").rsplit(".", 1)[-1], calls.get(prefix, 0))
            for part, prefix in zip(parts, prefixes, strict=True)
        )

    def origin(self, node: Any, rule: str = "") -> Origin:
        """The origin of nodes made for an fx node."""
        return Origin(str(node.target), node.name, self.path(node), user_line(node), rule)


def stack_of(node: Any) -> dict[str, tuple[str, str]]:
    """The node's module stack without torch's own filler entries."""
    stack = node.meta.get("nn_module_stack") or {}
    return {k: v for k, v in stack.items() if k != _EMPTY}


def user_line(node: Any) -> str:
    """`file.py:12` of the innermost frame outside PyTorch; empty when none is known."""
    frames = _FRAME.findall(node.meta.get("stack_trace") or "")
    own = [(f, n) for f, n in frames if not is_internal(f)]
    if not own:
        return ""
    file, line = own[-1]
    return f"{PurePath(file).name}:{line}"


def is_internal(file: str) -> bool:
    """Whether a source file belongs to PyTorch or to this importer rather than to the user."""
    return _INTERNAL.search(file) is not None


def class_name(cls: type) -> str:
    """The qualified name of a class."""
    return f"{cls.__module__}.{cls.__qualname__}"
