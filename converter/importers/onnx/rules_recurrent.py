"""Recurrent layers: one node is one layer; its packed weights are taken apart, gates put into the IR's order.

ONNX packs W [directions, gates * hidden, input], R alike and B [directions, 2 * gates * hidden], with the gates i, o, f, c
(LSTM) and z, r, h (GRU); the IR has i, f, g, o and r, z, n. Stored weights are permuted when read, never copied here.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from converter.importers.onnx import packed as packing
from converter.importers.onnx.context import OnnxContext
from converter.importers.onnx.table import rule
from converter.importers.onnx.values import Ref
from ir.core import Value
from ir.data import Data
from ir.types import Dim, TensorType

_ORDER = {"LSTM": (0, 2, 3, 1), "GRU": (1, 0, 2), "RNN": (0,)}
"""For each gate of the IR, its place in ONNX."""
_ACTIVATIONS = {"LSTM": ["sigmoid", "tanh", "tanh"], "GRU": ["sigmoid", "tanh"]}


@rule("LSTM", 7, 14, 22)
def lstm(c: OnnxContext) -> tuple[Value, ...]:
    _standard(c)
    c.only("input_forget", 0, None)
    if c.has(7):
        c.refuse("peephole connections are not supported")
    attrs, weights = _layer(c)
    out, h, cell = c.b.lstm(c.x(0), _state(c, 5), _state(c, 6), _lengths(c), weights, **attrs)
    return _outputs(c, attrs, out, h, cell)


@rule("GRU", 7, 14, 22)
def gru(c: OnnxContext) -> tuple[Value, ...]:
    _standard(c)
    attrs, weights = _layer(c)
    attrs["linear_before_reset"] = bool(c.only("linear_before_reset", 0, 1))
    out, h = c.b.gru(c.x(0), _state(c, 5), _lengths(c), weights, **attrs)
    return _outputs(c, attrs, out, h)


@rule("RNN", 7, 14, 22)
def rnn(c: OnnxContext) -> tuple[Value, ...]:
    _plain(c)
    kinds = [str(a).lower() for a in c.attr("activations") or ["tanh"]]
    if not set(kinds) <= {"tanh", "relu"}:
        c.refuse(f"activations={c.attr('activations')} are not supported")
    attrs, weights = _layer(c)
    if len(set(kinds)) > 1:
        return _outputs(c, attrs, *_two_kinds(c, attrs, weights, kinds))
    out, h = c.b.rnn(c.x(0), _state(c, 5), _lengths(c), weights, nonlinearity=kinds[0], **attrs)
    return _outputs(c, attrs, out, h)


def _two_kinds(c: OnnxContext, attrs: dict[str, Any], weights: list[Value], kinds: list[str]) -> tuple[Value, Value]:
    """Directions with activations of their own: two layers side by side."""
    initial, lengths, half = _state(c, 5), _lengths(c), len(weights) // 2
    outs, states = [], []
    for d, direction in enumerate(("forward", "reverse")):
        start = None if initial is None else c.b.slice(initial, axes=(0,), starts=(d,), stops=(d + 1,), steps=(1,))
        own = {**attrs, "direction": direction, "nonlinearity": kinds[d]}
        out, h = c.b.rnn(c.x(0), start, lengths, weights[d * half : (d + 1) * half], **own)
        outs.append(out)
        states.append(h)
    return c.b.concat(outs, axis=2), c.b.concat(states, axis=0)


def _plain(c: OnnxContext) -> None:
    """No clipping and no parameters of activations."""
    if c.attr("clip"):
        c.refuse(f"clip={c.attr('clip')} is not supported")
    for name in ("activation_alpha", "activation_beta"):
        if c.attr(name):
            c.refuse(f"{name}={c.attr(name)} is not supported")
    if c.version < 14:
        return
    c.only("layout", 0, 1)


def _standard(c: OnnxContext) -> None:
    _plain(c)
    given, usual = c.attr("activations"), _ACTIVATIONS[c.schema.name]
    if given and [str(a).lower() for a in given] != usual * (len(given) // len(usual)):
        c.refuse(f"activations={given} are not supported")


def _batch_first(c: OnnxContext) -> bool:
    return c.version >= 14 and c.attr("layout") == 1


def _state(c: OnnxContext, index: int) -> Value | None:
    """An initial state as [directions, batch, hidden]."""
    value = c.opt(index)
    return c.b.transpose(value, perm=(1, 0, 2)) if value is not None and _batch_first(c) else value


def _lengths(c: OnnxContext) -> Value | None:
    """Lengths, left out where all of them are known to be the whole time axis."""
    known = c.const(4)
    steps = c.type().shape[1 if _batch_first(c) else 0]
    if not c.has(4) or (known is not None and all(int(n) == steps for n in known.reshape(-1))):
        return None
    return c.x(4)


def _layer(c: OnnxContext) -> tuple[dict[str, Any], list[Value]]:
    """Attributes and the flat weights of one layer."""
    direction = c.only("direction", "forward", "reverse", "bidirectional")
    hidden: Dim = c.attr("hidden_size") or c.type(2).shape[-1]
    gates = len(_ORDER[c.schema.name])
    count = 2 if direction == "bidirectional" else 1
    if not isinstance(hidden, int) or c.type(1).shape[:2] != (count, gates * hidden):
        c.refuse(f"its weights {c.type(1)} do not fit {count} directions of {hidden} hidden units")
    if not isinstance(c.type(1).shape[2], int):
        c.refuse("the number of input features is only known at run time")
    names = _names(c, count)
    rows, biased = gates * hidden, c.has(3)
    weights: list[Value] = []
    for d in range(count):
        weights.append(_part(c, 1, d, 0, rows, names[d][0]))
        weights.append(_part(c, 2, d, 0, rows, names[d][1]))
        if biased:
            weights.append(_part(c, 3, d, 0, rows, names[d][2]))
            weights.append(_part(c, 3, d, rows, rows, names[d][3]))
    attrs = {"hidden_size": hidden, "direction": direction, "bias": biased, "batch_first": _batch_first(c)}
    return attrs, weights


def _names(c: OnnxContext, directions: int) -> list[tuple[str, ...]]:
    """Names of the parts, as PyTorch would call them: `encoder.weight_ih_l0_reverse`."""
    from converter.importers.onnx.graph import hint

    stored = c.ref(1).stored
    base = ".".join(s.name for s in c.b.origin.path) or (
        stored.name if stored is not None and hint(stored.name) else c.schema.name.lower()
    )
    layer = 0
    while f"{base}.weight_ih_l{layer}" in c.model.weights:
        layer += 1
    parts = ("weight_ih", "weight_hh", "bias_ih", "bias_hh")
    return [tuple(f"{base}.{p}_l{layer}{'_reverse' if d else ''}" for p in parts) for d in range(directions)]


def _part(c: OnnxContext, index: int, direction: int, start: int, rows: int, name: str) -> Value:
    """Rows of one direction, gates in the IR's order."""
    ref, order = c.ref(index), _ORDER[c.schema.name]
    step = rows // len(order)
    if ref.stored is None:
        return _computed_part(c, c.x(index), direction, [start + g * step for g in order], step)
    key = (id(ref.stored), direction, start, order)
    if key not in c.importer.derived:
        picked = np.concatenate([np.arange(start + g * step, start + (g + 1) * step) for g in order])
        c.importer.derived[key] = c.importer.stored(name, _picked(ref, direction, picked))
    return c.value(c.importer.derived[key])


def _picked(ref: Ref, direction: int, rows: np.ndarray) -> Data:
    assert ref.stored is not None  # the caller has checked
    shape = (len(rows), *ref.type.shape[2:])
    return ref.stored.data.mapped_by(lambda a: np.ascontiguousarray(a[direction][rows]), TensorType(ref.dtype, shape))


def _computed_part(c: OnnxContext, packed: Value, direction: int, starts: Sequence[int], step: int) -> Value:
    """The rows of a pack that the graph builds: the parameter it was built from, or slices of it."""
    one = packing.direction(packed, direction)
    if one is None:
        one = c.b.select(packed, axis=0, index=direction)
    found = packing.whole(one, [(s, s + step) for s in starts])
    if found is not None:
        return found
    gates = [c.b.slice(one, axes=(0,), starts=(s,), stops=(s + step,), steps=(1,)) for s in starts]
    return c.b.concat(gates, axis=0) if len(gates) > 1 else gates[0]


def _outputs(c: OnnxContext, attrs: dict[str, Any], out: Value, *states: Value) -> tuple[Value, ...]:
    """Y with directions on an axis of their own, and the final states."""
    first, second = out.type.shape[:2]
    count = 2 if attrs["direction"] == "bidirectional" else 1
    split = out
    if c.used(0):
        if attrs["batch_first"]:
            split = c.b.reshape(out, shape=(first, second, count, attrs["hidden_size"]))
        elif count == 1:
            split = c.b.unsqueeze(out, axes=(1,))
        else:
            wide = c.b.reshape(out, shape=(first, second, count, attrs["hidden_size"]))
            split = c.b.transpose(wide, perm=(0, 2, 1, 3))
    if attrs["batch_first"]:
        states = tuple(c.b.transpose(s, perm=(1, 0, 2)) if c.used(i + 1) else s for i, s in enumerate(states))
    return (split, *states)
