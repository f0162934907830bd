"""Frozen graphs of TensorFlow 1: a GraphDef whose variables are constants; its inputs and outputs are found, or named."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from converter.errors import UsageError
from converter.importers.base import ImportOptions
from converter.importers.tensorflow.definitions import definition
from converter.importers.tensorflow.filegraph import FileGraph, Key, cut, flat_names, key_of, needed
from converter.importers.tensorflow.filetables import FileTables, tables_of
from converter.importers.tensorflow.inline import holding
from ir.core import Branch, Leaf, Parameter

_NO_RESULT = frozenset(["NoOp", "Assert", "Const", "Placeholder", "PlaceholderWithDefault", "Print", "PrintV2"])


def read(file: Path, options: ImportOptions) -> FileGraph:
    """The graph of a `.pb` file. Raises UsageError for a file that is none, and where its ends are not found."""
    graph = _parsed(file)
    label = str(file)
    outputs, inputs = ([key_of(t) for t in named] for named in (options.graph_outputs, options.graph_inputs))
    ends = [n for n, _ in [*outputs, *inputs]]
    if not outputs:
        outputs = _outputs(graph, label)
    graph = holding(graph, ends, [n.name for n in graph.node], (), label)
    if not inputs:
        part = needed(graph, [n for n, _ in outputs], (), label)
        inputs = [(n.name, 0) for n in part.node if n.op == "Placeholder"]
        if not inputs:
            raise UsageError(f"{label}: the graph has no placeholder; name its inputs with --graph-inputs")
    part, feeds = cut(graph, outputs, inputs, label)
    names = flat_names(outputs)
    result = Leaf(names[0]) if len(names) == 1 else Branch("dict", tuple(map(Leaf, names)), tuple(names))
    parameters = tuple(Parameter(f.name, Leaf(f.name)) for f in feeds)
    tables = tables_of(part, FileTables(graph, [n.name for n in graph.node]))
    return FileGraph(label, part, feeds, parameters, list(zip(names, outputs)), result, {}, True, tables=tables)


def _parsed(file: Path) -> Any:
    from google.protobuf.message import DecodeError
    from tensorflow.core.framework import graph_pb2

    graph = graph_pb2.GraphDef()
    try:
        graph.ParseFromString(file.read_bytes())
    except DecodeError as error:
        raise UsageError(f"{file}: not a graph of TensorFlow ({error})") from None
    if not len(graph.node):
        raise UsageError(f"{file}: not a graph of TensorFlow: it holds no node")
    return graph


def _outputs(graph: Any, label: str) -> list[Key]:
    """Tensors that nothing reads, of nodes that compute something."""
    read = {i.lstrip("^").split(":")[0] for n in graph.node for i in n.input}
    found = [n.name for n in graph.node if n.name not in read and n.op not in _NO_RESULT and _results(n)]
    if not found:
        raise UsageError(f"{label}: no node of the graph is an output; name them with --graph-outputs")
    ends = _control_ends(graph)
    return [(name, 0) for name in found if name not in ends] or [(name, 0) for name in found]


def _control_ends(graph: Any) -> set[str]:
    """What loops and branches end with and nobody asks for."""
    switches = {n.name for n in graph.node if n.op in ("Switch", "RefSwitch")}
    exits = {n.name for n in graph.node if n.op in ("Exit", "RefExit")}
    pivots = {n.name for n in graph.node if n.op == "Identity" and n.input[0].split(":")[0] in switches}
    return switches | exits | pivots


def _results(node: Any) -> bool:
    declared = definition(node.op)
    return declared is None or declared.outputs(node) > 0
