"""A graph of a file: the nodes, where it begins and ends, and what its variables hold. Nothing of it has run."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from converter.errors import ConversionError, Unsupported, UsageError
from converter.importers.names import argument_name
from converter.importers.tensorflow import rules
from converter.importers.tensorflow.table import rule as RULES
from converter.importers.tensorflow.tables import TABLE_OPS, Contents
from ir.core import Parameter
from ir.core.signature import Tree
from ir.data import Data

Key = tuple[str, int]

_HARMLESS = frozenset(
    """
    VarHandleOp VariableV2 Variable StringFormat StringJoin AsString Assert NoOp
    DisableCopyOnRead Switch Merge Enter Exit NextIteration LoopCond RefSwitch RefMerge RefEnter RefExit RefNextIteration
    """.split()
)
"""Ops without a rule of their own that only compute, or order what others do."""


@dataclass(frozen=True)
class Feed:
    """One input: its flat name, its place in the graph, its declared shape (None where unknown) and element type."""

    name: str
    key: Key
    shape: Any  # TensorShape
    dtype: Any  # tf.DType


@dataclass
class FileGraph:
    """`graph` is a GraphDef with what `fetches` need and nothing else; `held` tells of each variable, by its node, the name,
    the bytes and whether it trains (None: the file does not say); `tables` what lookup tables hold, or why that is not known.
    `served_as` is the name of the signature that it is, `loose` holds names of variables that no attribute tells."""

    label: str
    graph: Any
    feeds: list[Feed]
    parameters: tuple[Parameter, ...]
    fetches: list[tuple[str, Key]]
    result: Tree
    held: Mapping[str, tuple[str, Data, bool | None]] = field(default_factory=dict)
    frozen: bool = False
    served_as: str | None = None
    tables: Mapping[str, Contents | str] = field(default_factory=dict)
    loose: frozenset[str] = frozenset()


def needed(graph: Any, roots: Iterable[str], feeds: Iterable[str], label: str) -> Any:
    """The part of a GraphDef that some nodes need, with the functions that it calls. What feeds need is left out.

    Raises UsageError on a name that the graph does not have.
    """
    from tensorflow.core.framework import graph_pb2

    by_name = {n.name: n for n in graph.node}
    ends = set(feeds)
    seen: dict[str, None] = {}
    stack = list(roots)
    while stack:
        name = stack.pop()
        if name in seen:
            continue
        if name not in by_name:
            raise UsageError(f"{label}: the graph has no node {name!r}")
        seen[name] = None
        if name not in ends:
            stack += [i.lstrip("^").split(":")[0] for i in by_name[name].input]
    found = graph_pb2.GraphDef(versions=graph.versions)
    found.node.extend(n for n in graph.node if n.name in seen)
    functions = {f.signature.name: f for f in graph.library.function}
    for name in _called(found.node, functions):
        found.library.function.append(functions[name])
    return found


def _called(nodes: Iterable[Any], functions: Mapping[str, Any]) -> list[str]:
    """Names of the functions that nodes call, those that functions call included."""
    seen: dict[str, None] = {}
    stack = list(nodes)
    while stack:
        node = stack.pop()
        named = [node.op, *(f.name for a in node.attr.values() for f in (a.func, *a.list.func) if f.name)]
        for name in named:
            if name in functions and name not in seen:
                seen[name] = None
                stack += functions[name].node_def
    return list(seen)


def key_of(text: str) -> Key:
    """`node` or `node:place`; raises UsageError for anything else."""
    node, _, place = text.partition(":")
    if place and not place.isdecimal():
        raise UsageError(f"{text!r} names no tensor: write node or node:place")
    return node, int(place or 0)


def flat_names(keys: Sequence[Key]) -> list[str]:
    """Names for tensors: the last part of their nodes' names, the whole names where those are not different."""
    short = [n.rsplit("/", 1)[-1] for n, _ in keys]
    whole = [n.replace("/", "_") if p == 0 else f"{n.replace('/', '_')}_{p}" for n, p in keys]
    return short if len(set(short)) == len(short) and all(p == 0 for _, p in keys) else whole


def argument_names(names: Sequence[str]) -> list[str]:
    """Different names of Python arguments for inputs whose names may be any text."""
    found: list[str] = []
    for name in map(argument_name, names):
        while name in found:
            name += "_"
        found.append(name)
    return found


def cut(
    graph: Any, outputs: Sequence[Key], inputs: Sequence[Key], label: str, names: Mapping[Key, str] | None = None
) -> tuple[Any, list[Feed]]:
    """The part of a graph between some tensors; each input is a placeholder in it, whatever made it before. `names` are those
    that some tensors have already.

    Raises UsageError where an input is nothing that the outputs depend on.
    """
    import tensorflow as tf

    by_name = {n.name: n for n in graph.node}
    feeds, moved = [], {}
    for name, (node, place) in zip(flat_names(inputs), inputs, strict=True):
        if node not in by_name:
            raise UsageError(f"{label}: the graph has no node {node!r}")
        kind, shape = _declared(by_name[node], place, label)
        key = (node, 0) if place == 0 else (f"{node}_{place}_input", 0)
        moved[node, place] = key[0]
        feeds.append(Feed((names or {}).get((node, place), name), key, shape, tf.as_dtype(kind)))
    whole = type(graph)(versions=graph.versions, library=graph.library)
    for node in graph.node:
        if (node.name, 0) in moved:
            continue
        twin = whole.node.add()
        twin.CopyFrom(node)
        twin.input[:] = [_moved(i, moved) for i in node.input]
    for feed in feeds:
        placeholder = whole.node.add(name=feed.key[0], op="Placeholder")
        placeholder.attr["dtype"].type = feed.dtype.as_datatype_enum
        placeholder.attr["shape"].shape.CopyFrom(feed.shape.as_proto())
    part = needed(whole, [n for n, _ in outputs], (), label)
    kept = {n.name for n in part.node}
    if unread := [f.name for f in feeds if f.key[0] not in kept]:
        raise UsageError(f"{label}: its outputs do not depend on the input {', '.join(unread)}")
    return part, feeds


def _moved(text: str, moved: Mapping[Key, str]) -> str:
    if text.startswith("^"):
        return text
    return moved.get(key_of(text), text)


def _declared(node: Any, place: int, label: str) -> tuple[int, Any]:
    """Element type and shape of a tensor, as far as the file says."""
    import tensorflow as tf

    from converter.importers.tensorflow.definitions import definition

    shape = tf.TensorShape(None)
    if "_output_shapes" in node.attr and place < len(node.attr["_output_shapes"].list.shape):
        shape = tf.TensorShape(node.attr["_output_shapes"].list.shape[place])
    if node.op == "Placeholder":
        declared = tf.TensorShape(node.attr["shape"].shape) if "shape" in node.attr else shape
        return int(node.attr["dtype"].type), declared
    known = definition(node.op)
    if known is None or place >= known.outputs(node):
        raise UsageError(f"{label}: {node.op} {node.name!r} has no output {place}")
    kind = known.types(node)[place]
    return tf.as_dtype(kind if isinstance(kind, str) else kind.name).as_datatype_enum, shape


def check_ops(found: FileGraph, trust: bool) -> None:
    """Raise ConversionError naming every op that has no rule and is not known to do nothing but compute. With `trust` only
    the import refuses, what it needs."""
    if trust:
        return
    rules.register()
    functions = {f.signature.name for f in found.graph.library.function}
    items = []
    nodes = [("", n) for n in found.graph.node]
    nodes += [(f.signature.name, n) for f in found.graph.library.function for n in f.node_def]
    for where, node in nodes:
        if node.op in functions or node.op in _HARMLESS or (node.op in RULES and node.op not in _WRITES):
            continue
        if node.op in TABLE_OPS and not where:
            continue
        if node.op == "PrintV2" and not node.attr["output_stream"].s.startswith(b"file"):
            continue
        items.append(_refusal(node, f"{where}/{node.name}" if where else node.name))
    if items:
        raise ConversionError(f"{found.label} cannot be converted exactly: {len(items)} nodes are not supported", items)


_WRITES = frozenset(
    ["WriteSummary", "WriteScalarSummary", "WriteHistogramSummary", "WriteImageSummary", "WriteAudioSummary"]
)


def _refusal(node: Any, place: str) -> Unsupported:
    from converter.importers.tensorflow.definitions import definition

    if definition(node.op) is None:
        return Unsupported(node.op, "no such op in the installed TensorFlow", place)
    return RULES.missing(node.op, place)
