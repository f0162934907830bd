"""Where a graph that is given text can be cut: the first tensors of numbers behind it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from graphlib import CycleError, TopologicalSorter
from typing import Any

from converter.errors import ConversionError, Unsupported
from converter.importers.tensorflow.attributes import type_of
from converter.importers.tensorflow.filegraph import Feed, FileGraph, Key
from converter.importers.tensorflow.inline import inlined
from converter.importers.tensorflow.wiring import Library
from ir.types import DType

MOST = 8
"""Tensors that a message names."""


def check_text(found: FileGraph) -> None:
    """Raise ConversionError where an input of a graph is text, naming the tensors at which the graph can be cut."""
    text = [f for f in found.feeds if not _is_number(f)]
    if not text:
        return
    cut = numbers_behind(inlined(found.graph), [f.key[0] for f in text], [key for _, key in found.fetches])
    kept = [f.key[0] for f in found.feeds if _is_number(f)]
    names = ",".join([*kept, *cut[:MOST]]) + (",..." if len(cut) > MOST else "")
    advice = f"cut the model behind it, where text has become numbers: --graph-inputs {names}" if cut else ""
    items = [
        Unsupported(f"input {f.name!r}", f"it holds {f.dtype.name}, which is no tensor of numbers", advice=advice)
        for f in text
    ]
    raise ConversionError(f"{found.label} cannot be converted exactly: an input is no tensor of numbers", items)


def _is_number(feed: Feed) -> bool:
    return isinstance(type_of(feed.dtype.as_datatype_enum), DType)


def numbers_behind(graph: Any, text: Iterable[str], outputs: Sequence[Key]) -> list[str]:
    """The last tensors of numbers, `node` or `node:place`, on the way from outputs back to text, that nodes make from text or
    from what only text has become."""
    library = Library(graph.library)
    body = library.graph(graph, outputs, (), "the graph")
    reads = {n: [k for k in w.inputs if k[0] in body.nodes] for n, w in body.nodes.items()}
    reached = {(name, 0) for name in text}
    ends: set[Key] = set()
    for name in _in_order({n: [k[0] for k in keys] for n, keys in reads.items()}):
        wired = body.nodes[name]
        declared = library.definition(wired.node.op)
        if declared is None or reached.isdisjoint(wired.inputs):
            continue
        for place, kind in enumerate(declared.types(wired.node)):
            (ends if isinstance(kind, DType) else reached).add((name, place))
    found = _last(outputs, reads, ends)
    return [name if place == 0 else f"{name}:{place}" for name, place in found]


def _last(outputs: Iterable[Key], reads: Mapping[str, Sequence[Key]], ends: set[Key]) -> list[Key]:
    """Those of `ends` that are met first on the way back from outputs, in the order of their names."""
    found, stack = set(), list(outputs)
    while stack:
        key = stack.pop()
        if key not in found:
            found.add(key)
            stack += () if key in ends else reads.get(key[0], ())
    return sorted(found & ends)


def _in_order(edges: dict[str, list[str]]) -> list[str]:
    """Nodes, each behind those that it reads; where they form a loop, behind some of them."""
    order = TopologicalSorter(edges)
    try:
        return list(order.static_order())
    except CycleError:  # a loop of TensorFlow 1
        return list(edges)
