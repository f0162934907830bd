"""Bringing a model to the ops that the rules write: expansions, then rules, then decompositions, then refusals."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from converter.errors import ConversionError, Unsupported, merge
from converter.exporters.base import decompose, refusal
from converter.exporters.empty_results import fill_empty
from converter.exporters.onnx.index_guards import guarded
from converter.exporters.onnx.table import EXPANSIONS, RULES
from converter.exporters.reals import in_reals
from converter.exporters.wide_indices import limit_indices
from ir.core import Builder, Graph, Model, Node, Value, copy_model
from ir.types import dtypes

WIDENED = {"norm", "activation", "reduction", "resize", "pool"}
"""Families that compute half floats in float32 when they are taken apart, so that a result is rounded once."""


def lower(model: Model, opset: int, strict: bool = False) -> Model:
    """A copy of `model` in which a rule applies to every node; raises ConversionError listing all that has none.

    `strict` has the graph check indices that ONNX would treat in another way (`index_guards.py`)."""
    lowered = copy_model(model)
    limit_indices(lowered)
    fill_empty(lowered, "pool")
    refused = in_reals(lowered, "ONNX Runtime has")
    raise_refused(refused)
    _graph(lowered.graph, Setting(opset, strict), refused)
    raise_refused(refused)
    return lowered


@dataclass(frozen=True)
class Setting:
    """What lowering is for."""

    opset: int
    strict: bool


def raise_refused(refused: list[Unsupported]) -> None:
    """Raise one ConversionError for everything refused, if anything was."""
    if not refused:
        return
    kinds = merge(refused)
    count = sum(u.count for u in kinds)
    noun = "operation" if count == 1 else "operations"
    raise ConversionError(f"{count} {noun} cannot be written for {RULES.framework}", kinds)


def _graph(graph: Graph, setting: Setting, refused: list[Unsupported]) -> None:
    for node in graph:
        _node(node, setting, refused)


def _node(node: Node, setting: Setting, refused: list[Unsupported]) -> None:
    reason = RULES.refusal(node)
    try:
        made = _expanded(node, setting.opset)
        if made is None and setting.strict:
            made = replace(node, "onnx", lambda b: guarded(b, node))
        if made is None and reason is not None and node.op.decompose is not None:
            made = _widened(node) or decompose(node)
    except NotImplementedError as error:
        why = f"{reason}; {error}" if reason else str(error)
        refused.append(refusal(node, why, RULES.file_of(node)))
        return
    if made is not None:
        for inner in made:
            _node(inner, setting, refused)
    elif reason is not None:
        refused.append(refusal(node, reason, RULES.file_of(node)))
    else:
        for body in node.bodies.values():
            _graph(body, setting, refused)


def _expanded(node: Node, opset: int) -> list[Node] | None:
    expansion = EXPANSIONS.get(node.op.name)
    return None if expansion is None else replace(node, "onnx", lambda b: expansion(b, node, opset))


def _widened(node: Node) -> list[Node] | None:
    """A node of half floats as casts around the same node of float32."""
    half = node.inputs[0].type.dtype if node.inputs else None
    if half is None or not half.is_half or node.op.family not in WIDENED:
        return None
    if any(v.type.dtype != half for v in (*node.inputs, *node.outputs)) or "dtype" in node.attrs:
        return None

    def widen(value: Any) -> Any:
        if isinstance(value, tuple):
            return tuple(widen(v) for v in value)
        return None if value is None else b.cast(value, to=dtypes.float32)

    def build(builder: Builder) -> tuple[Value, ...]:
        twin = builder.node(node.op, **{k: widen(v) for k, v in node.operands.items()}, **node.attrs)
        return tuple(builder.cast(v, to=half) for v in twin.outputs)

    b = Builder(node.graph, before=node, origin=node.origin)  # type: ignore[arg-type]
    return replace(node, "onnx", build, b)


def replace(node: Node, by: str, build: Callable[[Builder], Any], builder: Builder | None = None) -> list[Node] | None:
    """Put what `build` makes before `node` in its place; returns the nodes made, or None where `build` declined."""
    assert node.graph is not None
    made: list[Node] = []
    b = builder or Builder(node.graph, before=node)
    b.origin, b.on_node = node.origin.by(by), made.append
    result = build(b)
    if result is None:
        assert not made, f"the expansion of {node.op.name} made nodes and declined"
        return None
    results = result if isinstance(result, tuple) else (result,)
    for old, new in zip(node.outputs, results, strict=True):
        old.replace_all_uses(new)
        new.name = new.name or old.name
    node.graph.remove(node)
    return made
