"""Values of variables in the checkpoint of a SavedModel, and which variable of the graph each one is."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from converter.errors import UsageError
from ir.data import Data, Lazy
from ir.types import TensorType, dtype

VALUE = "/.ATTRIBUTES/VARIABLE_VALUE"


class Checkpoint:
    """The tensors beside a SavedModel, by key, read when needed."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._reader: Any = None
        self._keys: dict[int, str] | None = None

    def data(self, key: str, label: str) -> Data:
        """A tensor. Raises UsageError for a missing or unreadable checkpoint, and a key it does not have."""
        reader = self._open(label)
        shapes = reader.get_variable_to_shape_map()
        if key not in shapes:
            raise UsageError(f"{label}: the checkpoint has no value for {key.removesuffix(VALUE)}")
        kind = dtype(reader.get_variable_to_dtype_map()[key].name)
        return Lazy(lambda: self._read(key, label), TensorType(kind, tuple(shapes[key])))

    def content(self, key: str, label: str) -> Any:
        """A tensor of any kind, text included; raises UsageError for one that cannot be read."""
        return self._read(key, label)

    def _read(self, key: str, label: str) -> Any:
        from tensorflow import errors

        try:
            return self._open(label).get_tensor(key)
        except (errors.OpError, ValueError, RuntimeError) as error:
            raise UsageError(
                f"{label}: the value of {key.removesuffix(VALUE)} cannot be read ({_line(error)})"
            ) from None

    def _open(self, label: str) -> Any:
        from tensorflow import errors, train

        if self._reader is not None:
            return self._reader
        folder = self.folder / "variables"
        if not (folder / "variables.index").is_file():
            raise UsageError(f"{label}: the values of its variables are missing: {folder / 'variables.index'}")
        shards = sorted(p.name for p in folder.glob("variables.data-*-of-*"))
        count = int(shards[0].rsplit("-", 1)[1]) if shards else 1
        wanted = [f"variables.data-{i:05d}-of-{count:05d}" for i in range(count)]
        if missing := [w for w in wanted if w not in shards]:
            raise UsageError(f"{label}: the values of its variables are missing: {folder / missing[0]}")
        try:
            self._reader = train.load_checkpoint(str(folder / "variables"))
        except (errors.OpError, ValueError, RuntimeError) as error:
            raise UsageError(f"{label}: the checkpoint cannot be read ({_line(error)})") from None
        return self._reader

    def of_node(self, objects: Any, number: int, label: str) -> Data:
        """The value of a variable of the saved object."""
        if self._keys is None:
            self._keys = self._by_node(objects, label)
        if number not in self._keys:
            raise UsageError(f"{label}: the checkpoint has no value for {objects.nodes[number].variable.name}")
        return self.data(self._keys[number], label)

    def _by_node(self, objects: Any, label: str) -> dict[int, str]:
        """Keys by node of the saved object: the checkpoint has a graph of the same objects."""
        from tensorflow.core.protobuf import trackable_object_graph_pb2

        own = trackable_object_graph_pb2.TrackableObjectGraph()
        reader = self._open(label)
        own.ParseFromString(reader.get_tensor("_CHECKPOINTABLE_OBJECT_GRAPH"))
        found: dict[int, str] = {}
        seen, stack = {0}, [(0, 0)]
        while stack:
            number, twin = stack.pop()
            for attribute in own.nodes[twin].attributes:
                if attribute.name == "VARIABLE_VALUE":
                    found[number] = attribute.checkpoint_key
            children = {c.local_name: c.node_id for c in own.nodes[twin].children}
            for child in objects.nodes[number].children:
                if child.local_name in children and child.node_id not in seen:
                    seen.add(child.node_id)
                    stack.append((child.node_id, children[child.local_name]))
        return found


def _line(error: BaseException) -> str:
    return (str(error).strip().splitlines() or [type(error).__name__])[0]


# -- names --------------------------------------------------------------------------------------------------------------
_BOOKS = re.compile(
    r"^(_.*|variables|trainable_variables|non_trainable_variables|keras_api|layer(_with_weights)?-\d+)$"
)
"""Attributes that list what an object holds under other ones."""


def weight_names(objects: Any) -> dict[int, str]:
    """Dotted names of the variables of a saved object, by node: attributes from the root, the shortest way first."""
    found: dict[int, str] = {}
    seen, waiting = {0}, [(0, ())]
    while waiting:
        number, path = waiting.pop(0)
        for child in objects.nodes[number].children:
            here = (*path, child.local_name)
            if child.node_id in seen or _BOOKS.match(child.local_name):
                continue
            seen.add(child.node_id)
            if objects.nodes[child.node_id].WhichOneof("kind") == "variable":
                found[child.node_id] = ".".join(here)
            waiting.append((child.node_id, here))  # type: ignore[arg-type]
    return found


# -- what the graph's own restoring says ----------------------------------------------------------------------------------
_ASSIGNS = ("AssignVariableOp", "Assign")
_PASSES = ("Identity", "Reshape", "Cast")


def restored(meta: Any, graph: Any, checkpoint: Checkpoint, label: str) -> dict[str, tuple[str, Data, bool | None]]:
    """Name, value and trainable flag of each variable of a graph, by its node: the graph's own restoring, read as data,
    says under which key each of them is kept."""
    nodes = [n for n in graph.node if n.op in ("VarHandleOp", "VariableV2", "Variable")]
    if not nodes:
        return {}
    keys = dict(_restored(meta))
    trains = _trained(meta)
    own = _names_by_key(meta)
    found = {}
    for node in nodes:
        key = keys.get(node.name)
        if key is None:
            raise UsageError(f"{label}: the file does not say which value its variable {node.name!r} has")
        name, flag = own.get(key, (None, None))
        base = name or (node.attr["shared_name"].s.decode() or node.name).replace("/", ".")
        found[node.name] = (base, checkpoint.data(key, label), trains.get(node.name, flag))
    return _without_count(found)


def _without_count(found: dict[str, tuple[str, Data, bool | None]]) -> dict[str, tuple[str, Data, bool | None]]:
    """Names without a counted ending that all of them have: those of a model that was built twice."""
    endings = {m[2] if (m := re.match(r"^(.*[^\d_])(_\d+)$", name)) else "" for name, _, _ in found.values()}
    if len(endings) != 1 or "" in endings:
        return found
    size = len(endings.pop())
    return {node: (name[:-size], data, flag) for node, (name, data, flag) in found.items()}


def _restored(meta: Any) -> Iterator[tuple[str, str]]:
    """Pairs of a variable's node and its key in the checkpoint."""
    graph = meta.graph_def
    by_name = {n.name: n for n in graph.node}
    functions = {f.signature.name: f for f in graph.library.function}
    seen: set[str] = set()
    stack = [meta.saver_def.restore_op_name]
    while stack:
        node = by_name.get(stack.pop())
        if node is None or node.name in seen:
            continue
        seen.add(node.name)
        stack += [i.lstrip("^").split(":")[0] for i in node.input]
        if node.op in _ASSIGNS and (key := _key_of(node.input[1], by_name)):
            yield node.input[0].split(":")[0], key
        called = functions.get(node.attr["f"].func.name) if "f" in node.attr else None
        if called is not None:
            names = [a.name for a in called.signature.input_arg]
            given = dict(zip(names, (i.split(":")[0] for i in node.input if not i.startswith("^")), strict=False))
            inner = {n.name: n for n in called.node_def}
            for step in called.node_def:
                if step.op in _ASSIGNS and step.input[0] in given and (key := _key_of(step.input[1], inner)):
                    yield given[step.input[0]], key


def _key_of(text: str, nodes: Mapping[str, Any]) -> str:
    """The key of the tensor that a node reads from the checkpoint; empty for anything else."""
    parts = text.split(":")
    while parts[0] in nodes and nodes[parts[0]].op in _PASSES:
        parts = nodes[parts[0]].input[0].split(":")
    node = nodes.get(parts[0])
    if node is None or node.op != "RestoreV2":
        return ""
    names = nodes.get(node.input[1].split(":")[0])
    texts = [] if names is None else list(names.attr["value"].tensor.string_val)
    place = int(parts[-1]) if len(parts) > 1 else 0
    return texts[place].decode() if place < len(texts) else ""


def _trained(meta: Any) -> dict[str, bool]:
    """Whether variables of a graph of TensorFlow 1 train, by node, where its collections say so."""
    from tensorflow.core.framework import variable_pb2

    found: dict[str, bool] = {}
    for name, value in (("variables", False), ("trainable_variables", True)):
        for data in meta.collection_def[name].bytes_list.value if name in meta.collection_def else ():
            definition = variable_pb2.VariableDef()
            definition.ParseFromString(data)
            found[definition.variable_name.split(":")[0]] = value
    return found


def _names_by_key(meta: Any) -> dict[str, tuple[str | None, bool]]:
    """Dotted name and trainable flag by key, for a file with a saved object: keys are made of its attributes."""
    objects = meta.object_graph_def
    if not len(objects.nodes):
        return {}
    names = weight_names(objects)
    found: dict[str, tuple[str | None, bool]] = {}
    seen, stack = {0}, [(0, "")]
    while stack:
        number, path = stack.pop()
        for child in objects.nodes[number].children:
            here = f"{path}/{child.local_name}" if path else child.local_name
            saved = objects.nodes[child.node_id]
            if saved.WhichOneof("kind") == "variable":
                found[here + VALUE] = names.get(child.node_id), bool(saved.variable.trainable)
            if child.node_id not in seen:
                seen.add(child.node_id)
                stack.append((child.node_id, here))
    return found
