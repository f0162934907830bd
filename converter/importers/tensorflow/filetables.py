"""What a file fills its lookup tables with: the steps that TensorFlow runs when it loads the file, read as data."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from converter.importers.tensorflow import kernels
from converter.importers.tensorflow.checkpoints import Checkpoint
from converter.importers.tensorflow.tables import TABLE_OPS, Contents, filled

Place = tuple["Scope", str]
"""A tensor as a node names it, and the graph or call of a function in which it does."""

_FILE = "InitializeTableFromTextFileV2"
_WRITES = ("LookupTableImportV2", "LookupTableInsertV2", "LookupTableRemoveV2", "InitializeTableV2", _FILE)
_CALLS = ("PartitionedCall", "StatefulPartitionedCall")
_PURE = frozenset("Cast Const ConcatV2 ExpandDims Identity Pack Range Reshape Size Squeeze StringLower StringUpper".split())
"""What the keys and values of tables are computed with."""
DEEPEST = 100
LONGEST = 1 << 26
"""Elements of keys or values: a small file can ask for a range without end."""
_DENSE = "a dense table, which does not tell which of its keys stand for none"


@dataclass(frozen=True, eq=False)
class Scope:
    """Nodes of a graph or of one call of a function, by name; `given` are a function's arguments, as its caller names them."""

    nodes: Mapping[str, Any]
    given: Mapping[str, Place] = field(default_factory=dict)

    def source(self, text: str) -> Place:
        """Where a tensor is made, behind the arguments of functions."""
        scope = self
        while text.split(":")[0] in scope.given:
            scope, text = scope.given[text.split(":")[0]]
        return scope, text

    def node(self, text: str) -> Any:
        """The node that makes a tensor of this scope, or None."""
        return self.nodes.get(text.split(":")[0])


class FileTables:
    """The tables of a graph of a file. `start` are the nodes that run when it is loaded; `assets` are files beside the graph
    by the tensors that name them."""

    def __init__(
        self, graph: Any, start: Sequence[str], assets: Mapping[str, Path] | None = None, checkpoint: Checkpoint | None = None
    ) -> None:
        self._main = Scope({n.name: n for n in graph.node})
        self._functions = {f.signature.name: f for f in graph.library.function}
        self._assets = assets or {}
        self._checkpoint = checkpoint
        self._writes: dict[tuple[str, str, str], list[tuple[Scope, Any]]] = {}
        for scope, step in self._steps(start):
            if step.op in _WRITES:
                where, table = scope.source(step.input[0])
                made = where.node(table)
                if made is not None:
                    self._writes.setdefault(_resource(made), []).append((scope, step))

    def of(self, node: Any) -> Contents | str:
        """What the table that a node makes holds, or why that is not known."""
        if node.op == "MutableDenseHashTableV2":
            return _DENSE
        writes = self._writes.get(_resource(node), [])
        if not writes:
            return "the file does not fill it"
        try:
            first, *others = [self._filled(node, scope, step) for scope, step in writes]
        except ValueError as error:
            return str(error)
        if not all(_is_equal(first, other) for other in others):
            return "the file fills it several times"
        return first

    def _filled(self, node: Any, scope: Scope, step: Any) -> Contents:
        operands = [i for i in step.input[1:] if not i.startswith("^")]
        return filled(node, step, [self._operand(scope, step, i) for i in operands])

    # -- steps ------------------------------------------------------------------------------------------------------
    def _steps(self, start: Sequence[str]) -> Iterator[tuple[Scope, Any]]:
        """The nodes that `start` needs, those of called functions in their own scopes."""
        seen: set[str] = set()
        stack = list(start)
        while stack:
            name = stack.pop().lstrip("^").split(":")[0]
            node = self._main.nodes.get(name)
            if node is None or name in seen:
                continue
            seen.add(name)
            stack += node.input
            yield from self._inside(self._main, node, 0)

    def _inside(self, scope: Scope, node: Any, depth: int) -> Iterator[tuple[Scope, Any]]:
        yield scope, node
        name = node.attr["f"].func.name if node.op in _CALLS else node.op
        called = self._functions.get(name)
        if called is None or depth > DEEPEST:
            return
        names = [a.name for a in called.signature.input_arg]
        given = [(scope, i) for i in node.input if not i.startswith("^")]
        inner = Scope({n.name: n for n in called.node_def}, dict(zip(names, given, strict=False)))
        for step in called.node_def:
            yield from self._inside(inner, step, depth + 1)

    # -- operands ---------------------------------------------------------------------------------------------------
    def _operand(self, scope: Scope, step: Any, text: str) -> np.ndarray:
        """An operand of a step; raises ValueError for one that is computed in no way that is known here."""
        if step.op == _FILE:
            return np.array(str(self._file(*scope.source(text))).encode(), object)
        return self._value(*scope.source(text), 0)

    def _value(self, scope: Scope, text: str, depth: int) -> np.ndarray:
        node = scope.node(text)
        if node is None or depth > DEEPEST:
            raise ValueError(f"what it is filled with is made by {text!r}, which is unknown")
        if node.op == "RestoreV2":
            return self._restored(scope, node, text)
        if node.op not in _PURE:
            raise ValueError(f"what it is filled with is made by {node.op} {node.name!r}")
        operands = [self._value(*scope.source(i), depth + 1) for i in node.input if not i.startswith("^")]
        if node.op == "Range" and not _is_short(*operands):
            raise ValueError(f"what it is filled with is longer than {LONGEST}")
        return kernels.run(node, operands)[0]

    def _restored(self, scope: Scope, node: Any, text: str) -> np.ndarray:
        """What a node reads from the checkpoint, at the place that `text` names."""
        keys = self._value(*scope.source(node.input[1]), 0).reshape(-1)
        place = int(text.rsplit(":", 1)[1]) if ":" in text else 0
        if self._checkpoint is None or place >= len(keys):
            raise ValueError("what it is filled with is in no checkpoint")
        return np.asarray(self._checkpoint.content(keys[place].decode(), "the lookup table"))

    def _file(self, scope: Scope, text: str) -> Path:
        """The file beside the graph whose name a tensor is."""
        node = scope.node(text)
        key = text if ":" in text else f"{text}:0"
        if scope is self._main and key in self._assets:
            return self._assets[key]
        if node is not None and node.op == "Identity":
            return self._file(*scope.source(node.input[0]))
        if node is not None and node.op == "ReadVariableOp":
            for other in scope.nodes.values():
                if other.op == "AssignVariableOp" and other.input[0] == node.input[0]:
                    return self._file(*scope.source(other.input[1]))
        raise ValueError("it is filled from a file that is not beside the graph")


def _resource(node: Any) -> tuple[str, str, str]:
    """What tells a table from others: nodes that share a name make one."""
    shared = node.attr["shared_name"].s.decode() if "shared_name" in node.attr else ""
    container = node.attr["container"].s.decode() if "container" in node.attr else ""
    return node.op, container, shared or node.name


def _is_equal(one: Contents, other: Contents) -> bool:
    """Whether tables hold the same, in whatever order."""
    pairs = [dict(zip(c.keys.tolist(), c.values.tolist(), strict=True)) for c in (one, other)]
    return pairs[0] == pairs[1]


def _is_short(start: np.ndarray, limit: np.ndarray, delta: np.ndarray) -> bool:
    return bool(delta) and abs((int(limit) - int(start)) / int(delta)) <= LONGEST


def loading(meta: Any) -> list[str]:
    """The nodes of a SavedModel's graph that TensorFlow runs when it loads it: restoring, then what the file asks for."""
    found = [meta.saver_def.restore_op_name]
    if "__saved_model_init_op" in meta.signature_def:
        found += [o.name for o in meta.signature_def["__saved_model_init_op"].outputs.values()]
    for name in ("saved_model_main_op", "legacy_init_op"):
        if name in meta.collection_def:
            found += meta.collection_def[name].node_list.value
    return [n for n in found if n]


def assets(meta: Any, folder: Path) -> dict[str, Path]:
    """Files of a SavedModel by the tensors that name them; none outside its folder."""
    root = (folder / "assets").resolve()
    paths = {a.tensor_info.name: (root / a.filename).resolve() for a in meta.asset_file_def}
    return {name: path for name, path in paths.items() if path.is_relative_to(root) and path.is_file()}


def tables_of(graph: Any, found: FileTables) -> dict[str, Contents | str]:
    """The contents of each table of a graph, by the node that makes it."""
    return {n.name: found.of(n) for n in graph.node if n.op in TABLE_OPS}
