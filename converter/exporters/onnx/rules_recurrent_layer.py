"""Recurrent layers with activations, clipping and peepholes of their own: one ONNX node."""

from __future__ import annotations

from typing import Any

from converter.exporters.onnx.context import Context, Tensor
from converter.exporters.onnx.rules_recurrent import (
    KINDS,
    or_initial,
    packed,
    reordered,
    stacked,
    zero_state,
)
from converter.exporters.onnx.table import not_float64, rule
from ir.core import Node
from ir.ops.recurrent_cell import DEFAULTS, GATES
from ir.ops.recurrent_parts import Stack
from ir.types import dtypes

TAKES = {
    "affine": "ab",
    "leaky_relu": "a",
    "thresholded_relu": "a",
    "scaled_tanh": "ab",
    "hard_sigmoid": "ab",
    "elu": "a",
}
"""Whether an activation takes alpha and beta; ONNX lists the numbers of those only."""


def exact(node: Node) -> str | None:
    """Why ONNX Runtime does not compute the layer as it is."""
    if node.attrs["kind"] == "lstm" and node.attrs["clip"] is not None:
        return "ONNX Runtime does not clip what enters the last activation of an LSTM"
    if any(d == 0 for d in node.operand("x").type.shape):
        return "ONNX Runtime refuses an empty sequence or batch"
    return not_float64(node)


@rule("recurrent_layer", accepts=exact)
def recurrent_layer(c: Context, node: Node) -> list[Tensor]:
    a, kind = node.attrs, node.attrs["kind"]
    stack = Stack(kind, GATES[kind], a["hidden_size"], 1, a["direction"], a["bias"], False)
    x, lengths = c.x(node, "x"), c.maybe(node, "lengths")
    lengths = None if lengths is None else c.cast(lengths, dtypes.int32)
    states = [c.maybe(node, k) for k in ("initial_h", "initial_c")[: 1 + (kind == "lstm")]]
    if kind == "lstm" and any(s is not None for s in states):
        states = [s if s is not None else zero_state(c, node, x, stack) for s in states]
    inputs = [x, *packed(c, kind, stack, stack.split([c.value(v) for v in node.operands["weights"]])), lengths, *states]
    if node.operands["peepholes"]:
        inputs += [None] * (7 - len(inputs))
        inputs.append(stacked(c, [reordered(c, c.value(p), (0, 2, 1)) for p in node.operands["peepholes"]]))
    outs = c.op(KINDS[kind], *inputs, outputs=len(states) + 1, **_attributes(node))
    ends = [or_initial(c, end, state, lengths) for end, state in zip(outs[1:], states, strict=True)]
    y = c.op("Transpose", outs[0], perm=[0, 2, 1, 3])
    return [c.op("Reshape", y, c.ints([0, 0, stack.hidden * len(stack.reversals)])), *ends]


def _attributes(node: Node) -> dict[str, Any]:
    a = node.attrs
    names = a["activations"] or DEFAULTS[a["kind"]] * (2 if a["direction"] == "bidirectional" else 1)
    attrs: dict[str, Any] = {"hidden_size": a["hidden_size"], "direction": a["direction"]}
    attrs["activations"] = ["".join(part.capitalize() for part in n.split("_")) for n in names]
    for key in ("alpha", "beta"):
        numbers = a[key] or (0.0,) * len(names)
        given = [v for n, v in zip(names, numbers, strict=True) if key[0] in TAKES.get(n, "")]
        attrs |= {f"activation_{key}": given} if given else {}
    if a["clip"] is not None:
        attrs["clip"] = a["clip"]
    if a["coupled"]:
        attrs["input_forget"] = 1
    if a["kind"] == "gru":
        attrs["linear_before_reset"] = int(a["linear_before_reset"])
    return attrs
