"""Which modules make each node: told by the calls that are under way while a function is traced."""

from __future__ import annotations

import contextlib
import sys
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import PurePath
from types import CodeType, FrameType
from typing import Any

from converter.importers.tensorflow.tree import Names, Tree, is_module

_FOREIGN = ("/tensorflow/python/", "\\tensorflow\\python\\")
Step = tuple[Names, int]
"""A module that is being called: its names from the root, and which call of it this is."""


@dataclass
class Record:
    """What is known of the nodes of one graph: the modules under way, outermost first, and the user's line."""

    steps: dict[str, tuple[Step, ...]] = field(default_factory=dict)
    lines: dict[str, str] = field(default_factory=dict)


class Recorder:
    """Watches TensorFlow make nodes. `tree` names the modules; one that it lacks is named by itself."""

    def __init__(self, tree: Tree) -> None:
        self.tree = tree
        self.graphs: dict[int, tuple[Any, Record]] = {}
        self.functions: dict[str, Any] = {}  # the graph that each function was made of
        self._clones: dict[int, tuple[Any, Any]] = {}  # functions and what is traced in their place
        self._calls: dict[Names, list[FrameType]] = {}
        self._interesting: dict[CodeType, str] = {}

    @contextlib.contextmanager
    def watching(self) -> Iterator[None]:
        """Record every node that is made inside the block. Functions that are called there are traced anew."""
        from tensorflow.python.eager.polymorphic_function import atomic_function, polymorphic_function
        from tensorflow.python.framework import func_graph

        places = (
            (func_graph.FuncGraph, "_create_op_internal", self._creating),
            (atomic_function, "from_func_graph", self._naming),
            (polymorphic_function.Function, "__call__", self._calling),
        )
        self._start = func_graph.func_graph_from_py_func.__code__
        kept = [(owner, name, getattr(owner, name)) for owner, name, _ in places]
        for (owner, name, make), (_, _, original) in zip(places, kept, strict=True):
            setattr(owner, name, make(original))
        try:
            yield
        finally:
            for owner, name, original in kept:
                setattr(owner, name, original)
            self._calls.clear()
            self._clones.clear()

    def _creating(self, original: Any) -> Any:
        def create(graph: Any, *args: Any, **kwargs: Any) -> Any:
            op = original(graph, *args, **kwargs)
            self._note(graph, op.name, sys._getframe(1))
            return op

        return create

    def _naming(self, original: Any) -> Any:
        def from_func_graph(name: Any, graph: Any, *args: Any, **kwargs: Any) -> Any:
            self.functions[name if isinstance(name, str) else name.decode()] = graph
            return original(name, graph, *args, **kwargs)

        return from_func_graph

    def _calling(self, original: Any) -> Any:
        def call(function: Any, *args: Any, **kwargs: Any) -> Any:
            if id(function) not in self._clones:
                fresh = function._clone(None)
                self._clones[id(function)] = function, fresh
                self._clones[id(fresh)] = fresh, fresh
            return original(self._clones[id(function)][1], *args, **kwargs)

        return call

    def of(self, graph: Any) -> Record | None:
        """What was recorded of a graph; None for one that was traced before."""
        if id(graph) not in self.graphs:
            return None
        found = self.graphs[id(graph)][1]
        found.lines = found.lines or user_lines(graph)
        return found

    def _note(self, graph: Any, name: str, frame: FrameType | None) -> None:
        found: list[tuple[Names, FrameType]] = []
        while frame is not None and frame.f_code is not self._start:
            module = self._module(frame)
            if module is not None:
                names = self.tree.paths[id(module)]
                if found and found[-1][0] == names:
                    found[-1] = names, frame  # a method that another one of the same module calls
                else:
                    found.append((names, frame))
            frame = frame.f_back
        _, record = self.graphs.setdefault(id(graph), (graph, Record()))
        if found:
            record.steps[name] = tuple((n, self._call(n, f)) for n, f in reversed(found))

    def _module(self, frame: FrameType) -> Any:
        code = frame.f_code
        if code not in self._interesting:
            foreign = any(part in code.co_filename for part in _FOREIGN)
            self._interesting[code] = code.co_varnames[0] if code.co_argcount and not foreign else ""
        name = self._interesting[code]
        item = frame.f_locals.get(name) if name else None
        if item is None:
            return None
        if id(item) not in self.tree.paths:
            if not is_module(item):
                return None
            self.tree.add(item, (self._free(str(getattr(item, "name", "") or type(item).__name__)),))
        return item

    def _free(self, name: str) -> str:
        taken = {p[0] for p in self.tree.paths.values() if p}
        found, i = name.replace("/", "_").replace(".", "_"), 0
        while found in taken:
            i += 1
            found = f"{name}_{i}"
        return found

    def _call(self, names: Names, frame: FrameType) -> int:
        frames = self._calls.setdefault(names, [])
        for i, known in enumerate(frames):
            if known is frame:
                return i
        frames.append(frame)
        return len(frames) - 1


def user_lines(graph: Any) -> dict[str, str]:
    """`file.py:12` of the user's code for each node of a graph that was traced in this process."""
    files = [getattr(sys.modules.get(n), "__file__", None) for n in ("tensorflow", "keras", "tf_keras")]
    folders = tuple(str(PurePath(f).parent) for f in files if f)
    found = {}
    for op in graph.get_operations():
        frames = list(op.traceback or ())
        own = next((f for f in reversed(frames) if not _is_foreign(f.filename, folders)), None)
        if own is not None:
            found[op.name] = f"{PurePath(own.filename).name}:{own.lineno}"
    return found


def _is_foreign(file: str, folders: tuple[str, ...]) -> bool:
    return file.startswith(("<", __file__, *folders)) or "__autograph_generated_file" in file
