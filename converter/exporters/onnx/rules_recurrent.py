"""Recurrent layers: one ONNX node a layer.

The source's parameters stay initialisers under their own names; the packed W, R and B of ONNX are built from them in
the graph, gates reordered.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from converter.exporters.onnx.context import Context, Tensor
from converter.exporters.onnx.table import not_float64, rule
from ir.core import Node
from ir.ops.recurrent_parts import CellWeights, Stack
from ir.types import dtypes

GATES = {"lstm": (0, 3, 1, 2), "gru": (1, 0, 2), "rnn": (0,)}
"""Where each gate of ONNX's order (i o f c; z r h) lies in ours (i f g o; r z n)."""
KINDS = {"lstm": "LSTM", "gru": "GRU", "rnn": "RNN"}
DIRECTIONS = {(False,): "forward", (True,): "reverse", (False, True): "bidirectional"}


def without_projection(node: Node) -> str | None:
    """ONNX's LSTM has no projection."""
    if node.attrs.get("projection"):
        return "ONNX's LSTM has no projection"
    if any(d == 0 for d in node.operand("x").type.shape):
        return "ONNX Runtime refuses an empty sequence or batch"
    return not_float64(node)


@rule("lstm", "gru", "rnn", accepts=without_projection)
def recurrent(c: Context, node: Node) -> list[Tensor]:
    a, kind = node.attrs, node.op.name
    stack = Stack(kind, len(GATES[kind]), a["hidden_size"], a["layers"], a["direction"], a["bias"], a["batch_first"])
    cells = stack.split([c.value(v) for v in node.operands["weights"]])
    each = len(stack.reversals)
    x = c.x(node, "x")
    x = c.op("Transpose", x, perm=[1, 0, 2]) if stack.batch_first else x
    lengths = c.maybe(node, "lengths")
    lengths = None if lengths is None else c.cast(lengths, dtypes.int32)
    initial = [c.maybe(node, k) for k in ("initial_h", "initial_c") if k in node.operands]
    finals: list[list[Tensor]] = []
    for layer in range(stack.layers):
        parts = cells[layer * each : (layer + 1) * each]
        states = [_layer_state(c, s, layer, stack) for s in initial]
        if kind == "lstm" and any(s is not None for s in states):
            states = [s if s is not None else zero_state(c, node, x, stack) for s in states]
        x, ends = _layer(c, node, stack, x, parts, lengths, states)
        finals.append(ends)
        if layer + 1 < stack.layers and a["dropout"] and not a["frozen"]:
            x = c.op("Dropout", x, c.const(a["dropout"], dtypes.float32))
    x = c.op("Transpose", x, perm=[1, 0, 2]) if stack.batch_first else x
    joined = [c.op("Concat", *ends, axis=0) if len(ends) > 1 else ends[0] for ends in zip(*finals, strict=True)]
    return [x, *joined]


def _layer(
    c: Context, node: Node, stack: Stack, x: Tensor, cells: Sequence[CellWeights], lengths: Tensor | None,
    states: Sequence[Tensor | None],
) -> tuple[Tensor, list[Tensor]]:  # fmt: skip
    """Output [time, batch, directions * hidden] and final states of one layer."""
    kind = node.op.name
    w, r, b = packed(c, kind, stack, cells)
    attrs: dict[str, Any] = {"hidden_size": stack.hidden, "direction": DIRECTIONS[stack.reversals]}
    if kind == "gru":
        attrs["linear_before_reset"] = int(node.attrs["linear_before_reset"])
    if kind == "rnn" and node.attrs["nonlinearity"] == "relu":
        attrs["activations"] = ["Relu"] * len(cells)
    outs = c.op(KINDS[kind], x, w, r, b, lengths, *states, outputs=len(states) + 1, **attrs)
    ends = [or_initial(c, end, state, lengths) for end, state in zip(outs[1:], states, strict=True)]
    y = c.op("Transpose", outs[0], perm=[0, 2, 1, 3])
    flat = c.op("Reshape", y, c.ints([0, 0, stack.hidden * len(cells)]))
    return flat, ends


def packed(c: Context, kind: str, stack: Stack, cells: Sequence[CellWeights]) -> list[Tensor | None]:
    """W, R and B of the cells, in ONNX's order."""
    order = GATES[kind]
    w = stacked(c, [reordered(c, cell.w_ih, order) for cell in cells])
    r = stacked(c, [reordered(c, cell.w_hh, order) for cell in cells])
    if not stack.bias:
        return [w, r, None]
    both = [c.op("Concat", *(reordered(c, bias, order) for bias in (cell.b_ih, cell.b_hh)), axis=0) for cell in cells]
    return [w, r, stacked(c, both)]


def or_initial(c: Context, end: Tensor, state: Tensor | None, lengths: Tensor | None) -> Tensor:
    """The final state; of an empty sequence the initial one, where ONNX Runtime has 0."""
    if state is None or lengths is None:
        return end
    empty = c.op("Equal", c.op("Unsqueeze", lengths, c.ints([0, 2])), c.const(0, dtypes.int32))
    return c.op("Where", empty, state, end)


def reordered(c: Context, weight: Tensor, order: Sequence[int]) -> Tensor:
    """The gates of a weight or bias in another order."""
    if len(order) == 1:
        return weight
    gates = c.op("Split", weight, outputs=len(order), axis=0, num_outputs=len(order) if c.opset >= 18 else None)
    return c.op("Concat", *(gates[k] for k in order), axis=0)


def stacked(c: Context, parts: Sequence[Tensor]) -> Tensor:
    """The directions along a new first axis."""
    first = [c.op("Unsqueeze", p, c.ints([0])) for p in parts]
    return c.op("Concat", *first, axis=0) if len(first) > 1 else first[0]


def _layer_state(c: Context, state: Tensor | None, layer: int, stack: Stack) -> Tensor | None:
    """The initial state of one layer out of that of all."""
    if state is None or stack.layers == 1:
        return state
    each = len(stack.reversals)
    return c.op("Slice", state, c.ints([layer * each]), c.ints([(layer + 1) * each]), c.ints([0]))


def zero_state(c: Context, node: Node, x: Tensor, stack: Stack) -> Tensor:
    batch = node.operand("x").type.shape[0 if stack.batch_first else 1]
    zeros = c.op("ConstantOfShape", c.dims([len(stack.reversals), batch, stack.hidden]), dtype=dtypes.float32)
    return c.cast(zeros, x.dtype)
