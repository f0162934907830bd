"""What torch has no kernels for with uint16, uint32 and uint64, which it stores: done in int64, bits kept.

uint16 and uint32 are computed in int64 and wrap when they are cast back. uint64 is read as int64: sums, products,
bit operations and moves are the same bits; what orders numbers flips the sign bit first. What int64 cannot do exactly
is refused.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from converter.errors import ConversionError, Unsupported, merge
from converter.exporters.base import refusal
from converter.exporters.torch.table import TABLE
from ir.core import Builder, Graph, Model, Node, Value
from ir.types import DType, dtypes

_SAME_BITS = {
    "add", "sub", "mul", "bitwise_and", "bitwise_or", "bitwise_xor", "bitwise_not", "shift_left", "equal", "not_equal",
    "square", "neg", "matmul", "einsum", "reduce_sum", "reduce_prod", "reduce_sum_square", "cumsum", "cumprod", "flip", "tril", "triu",
    "gather_elements", "scatter_elements", "scatter_nd", "mask_fill", "mask_scatter", "nonzero", "roll", "diagonal",
}  # fmt: skip
_ORDERED = {
    "less", "less_equal", "greater", "greater_equal", "maximum", "minimum", "fmax", "fmin", "reduce_max", "reduce_min", "argmax", "argmin",
    "max_pool", "adaptive_max_pool",
}  # fmt: skip
_WIDE = _SAME_BITS | _ORDERED | {
    "trunc_div", "floor_div", "mod", "fmod", "shift_right", "clip", "abs", "sign", "pow", "relu", "range", "segment_reduce", "index_put",
}  # fmt: skip
_SIGN = -(2**63)


def widen(model: Model) -> None:
    """Rewrite, in place, the arithmetic on unsigned integers; raises ConversionError for what int64 cannot do."""
    refused: list[Unsupported] = []
    _graph(model.graph, refused)
    if refused:
        raise ConversionError("arithmetic on uint64 that torch has no kernel for", merge(refused))


def _graph(graph: Graph, refused: list[Unsupported]) -> None:
    for node in graph:
        for body in node.bodies.values():
            _graph(body, refused)
        kind = next((v.type.dtype for v in (*node.inputs, *node.outputs) if v.type.dtype in _KINDS), None)
        if kind is None or node.op.name not in _WIDE:
            continue
        if kind != dtypes.uint64:
            _replace(node, kind, wrap=False, flip=False)
        elif node.op.name in _SAME_BITS | _ORDERED:
            ordered = node.op.name in _ORDERED or node.attrs.get("reduction") in ("max", "min")
            _replace(node, kind, wrap=True, flip=ordered)
        else:
            refused.append(refusal(node, "torch has no kernel of it for uint64", TABLE.file_of(node)))


_KINDS = (dtypes.uint16, dtypes.uint32, dtypes.uint64)


def _replace(node: Node, kind: DType, wrap: bool, flip: bool) -> None:
    """The node on int64 operands; `wrap` keeps the bits, `flip` orders them as unsigned."""
    assert node.graph is not None
    b = Builder(node.graph, before=node, origin=node.origin.by("unsigned"))

    def into(value: Value) -> Value:
        if value.type.dtype != kind:
            return value
        moved = b.bitcast(value, to=dtypes.int64) if wrap else b.cast(value, to=dtypes.int64)
        return b.bitwise_xor(moved, _SIGN) if flip else moved

    def back(value: Value, wanted: DType) -> Value:
        if wanted != kind:
            return value
        value = b.bitwise_xor(value, _SIGN) if flip else value
        return b.bitcast(value, to=kind) if wrap else b.cast(value, to=kind)

    replaced(b, node, into, back, node.attrs)


def replaced(
    b: Builder,
    node: Node,
    into: Callable[[Value], Value],
    back: Callable[[Value, DType], Value],
    attrs: Mapping[str, Any],
) -> None:
    """Put in the node's place the same op with these attributes on what `into` makes of its operands; `back` makes of each
    result one of the wanted type."""
    assert node.graph is not None

    def all_into(operand: Any) -> Any:
        if isinstance(operand, tuple):
            return tuple(map(all_into, operand))
        return into(operand) if isinstance(operand, Value) else operand

    results = b.node(node.op, **{k: all_into(v) for k, v in node.operands.items()}, **attrs).outputs
    for old, result in zip(node.outputs, results, strict=True):
        new = back(result, old.type.dtype)
        new.name = old.name
        old.replace_all_uses(new)
    node.graph.remove(node)
