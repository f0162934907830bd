"""Recurrent layers: one node is one layer; its packed weights are taken apart, gates put into the IR's order.

ONNX packs W [directions, gates * hidden, input], R alike and B [directions, 2 * gates * hidden], with the gates i, o, f, c
(LSTM) and z, r, h (GRU); the IR has i, f, g, o and r, z, n. Stored weights are permuted when read, never copied here.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from converter.importers.onnx import packed as packing
from converter.importers.onnx.attributes import short
from converter.importers.onnx.context import OnnxContext
from converter.importers.onnx.table import rule
from converter.importers.partial.values import Ref
from ir.core import Value
from ir.data import Data
from ir.ops.recurrent_cell import ACTIVATIONS, DEFAULTS
from ir.types import Dim, TensorType, same

_ORDER = {"LSTM": (0, 2, 3, 1), "GRU": (1, 0, 2), "RNN": (0,)}
"""For each gate of the IR, its place in ONNX."""


@rule("LSTM", 7, 14, 22)
def lstm(c: OnnxContext) -> tuple[Value, ...]:
    options = _options(c)
    attrs, weights = _layer(c)
    if _is_plain(c, options):
        out, h, cell = c.b.lstm(c.x(0), _state(c, 5), _state(c, 6), _lengths(c), weights, **attrs)
        return _outputs(c, attrs, out, h, cell)
    if options["clip"] is not None:
        c.note("LSTM: clip bounds what enters each activation, as ONNX says; ONNX Runtime leaves the last one's alone")
    return _general(c, attrs, options, weights, _state(c, 6))


@rule("GRU", 7, 14, 22)
def gru(c: OnnxContext) -> tuple[Value, ...]:
    options = _options(c)
    attrs, weights = _layer(c)
    before = bool(c.only("linear_before_reset", 0, 1))
    if not _is_plain(c, options):
        return _general(c, attrs, {**options, "linear_before_reset": before}, weights)
    out, h = c.b.gru(c.x(0), _state(c, 5), _lengths(c), weights, linear_before_reset=before, **attrs)
    return _outputs(c, attrs, out, h)


@rule("RNN", 7, 14, 22)
def rnn(c: OnnxContext) -> tuple[Value, ...]:
    options = _options(c)
    attrs, weights = _layer(c)
    kinds = set(options["activations"])
    if options["clip"] is not None or kinds not in ({"tanh"}, {"relu"}):
        return _general(c, attrs, options, weights)
    out, h = c.b.rnn(c.x(0), _state(c, 5), _lengths(c), weights, nonlinearity=min(kinds), **attrs)
    return _outputs(c, attrs, out, h)


def _is_plain(c: OnnxContext, options: dict[str, Any]) -> bool:
    """Whether the layer is one of those that frameworks have."""
    usual = _usual(c)
    return options["activations"] == usual and options["clip"] is None and not options.get("coupled") and not c.has(7)


def _general(
    c: OnnxContext, attrs: dict[str, Any], options: dict[str, Any], weights: list[Value], cell: Value | None = None
) -> tuple[Value, ...]:
    """A layer with options of its own, time first inside."""
    own = {k: v for k, v in attrs.items() if k != "batch_first"}
    x, first = c.x(0), attrs["batch_first"]
    peepholes = []
    if c.has(7):
        count, rows = _directions(c), 3 * attrs["hidden_size"]
        _check_fits(c, 7, "peepholes", count, rows)
        names = _names(c, count, "weight_peephole")
        peepholes = [_part(c, 7, d, 0, rows, names[d][0], (0, 2, 1)) for d in range(count)]
    out, *states = c.b.recurrent_layer(
        c.b.transpose(x, perm=(1, 0, 2)) if first else x, _state(c, 5), cell, _lengths(c), weights, peepholes,
        kind=c.schema.name.lower(), **own, **options,
    )  # fmt: skip
    return _outputs(c, attrs, c.b.transpose(out, perm=(1, 0, 2)) if first else out, *states)


def _usual(c: OnnxContext) -> tuple[str, ...]:
    return DEFAULTS[c.schema.name.lower()] * _directions(c)


def _directions(c: OnnxContext) -> int:
    return 2 if c.only("direction", "forward", "reverse", "bidirectional") == "bidirectional" else 1


def _check_fits(c: OnnxContext, index: int, what: str, *shape: int) -> None:
    """Refuse an operand that is known to have another shape: only parts of it would be read."""
    if c.rank(index) != len(shape) or any(same(a, b) is False for a, b in zip(c.type(index).shape, shape)):
        c.refuse(f"its {what} {c.type(index)} are not of shape {list(shape)}")


_ALPHA: dict[str, float | None] = {
    "affine": None, "leaky_relu": 0.01, "thresholded_relu": None, "scaled_tanh": None, "hard_sigmoid": 0.2, "elu": 1.0,
}  # fmt: skip
_BETA: dict[str, float | None] = {"affine": None, "scaled_tanh": None, "hard_sigmoid": 0.5}
"""Who takes them, and the defaults; None where ONNX has none, or ONNX Runtime another."""


def _options(c: OnnxContext) -> dict[str, Any]:
    """Activations with their numbers, clipping and coupling, as `recurrent_layer` has them."""
    known = {n.replace("_", ""): n for n in ACTIVATIONS}
    given = [str(a) for a in c.attr("activations") or ()] if c.gives("activations") else list(_usual(c))
    if c.schema.name == "RNN" and len(set(given)) == 1:
        given = given[: len(_usual(c))]  # the default names one for each direction there may be
    names = tuple(known.get(a.lower().replace("_", ""), "") for a in given)
    if len(names) != len(_usual(c)) or "" in names:
        c.refuse(f"activations={given} are not {len(_usual(c))} that ONNX has")
    options: dict[str, Any] = {
        "activations": names,
        "alpha": _numbers(c, "activation_alpha", names, _ALPHA),
        "beta": _numbers(c, "activation_beta", names, _BETA),
    }
    options["clip"] = clip = None if c.attr("clip") is None else short(c.attr("clip"))
    if clip is not None and not clip > 0:
        c.refuse(f"clip={clip} is not positive")
    if c.schema.name == "LSTM":
        options["coupled"] = bool(c.only("input_forget", 0, 1))
    if c.version >= 14:
        c.only("layout", 0, 1)
    return options


def _numbers(c: OnnxContext, key: str, names: tuple[str, ...], defaults: dict[str, float | None]) -> tuple[float, ...]:
    """A number for each activation: those given go to the activations that take one, in order."""
    given = [short(float(v)) for v in c.attr(key) or ()]
    taking = [n for n in names if n in defaults]
    if taking and len(given) > len(taking):
        c.refuse(f"{key}={given} are more numbers than {taking} take")
    numbers = []
    for name in names:
        value = (given.pop(0) if given else defaults[name]) if name in defaults else 0.0
        if value is None:
            c.refuse(f"{name} without {key} is not defined alike by the runtimes")
        numbers.append(value)
    return tuple(numbers)


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
    if not c.has(4) or (known is not None and all(int(n) == steps for n in known.flat)):
        return None
    return c.x(4)


def _layer(c: OnnxContext) -> tuple[dict[str, Any], list[Value]]:
    """Attributes and the flat weights of one layer."""
    hidden: Dim = c.attr("hidden_size") or c.type(2).shape[-1]
    gates = len(_ORDER[c.schema.name])
    count = _directions(c)
    if not isinstance(hidden, int) or c.type(1).shape[:2] != (count, gates * hidden):
        c.refuse(f"its weights {c.type(1)} do not fit {count} directions of {hidden} hidden units")
    if not isinstance(c.type(1).shape[2], int):
        c.refuse("the number of input features is only known at run time")
    names = _names(c, count)
    rows, biased = gates * hidden, c.has(3)
    _check_fits(c, 2, "recurrent weights", count, rows, hidden)
    if biased:
        _check_fits(c, 3, "biases", count, 2 * rows)
    weights: list[Value] = []
    for d in range(count):
        weights.append(_part(c, 1, d, 0, rows, names[d][0]))
        weights.append(_part(c, 2, d, 0, rows, names[d][1]))
        if biased:
            weights.append(_part(c, 3, d, 0, rows, names[d][2]))
            weights.append(_part(c, 3, d, rows, rows, names[d][3]))
    attrs = {"hidden_size": hidden, "direction": c.attr("direction"), "bias": biased, "batch_first": _batch_first(c)}
    return attrs, weights


def _names(c: OnnxContext, directions: int, *parts: str) -> list[tuple[str, ...]]:
    """Names of the parts, as PyTorch would call them: `encoder.weight_ih_l0_reverse`."""
    from converter.importers.onnx.graph import hint

    stored = c.ref(1).stored
    base = ".".join(s.name for s in c.b.origin.path) or (
        stored.name if stored is not None and hint(stored.name) else c.schema.name.lower()
    )
    parts = parts or ("weight_ih", "weight_hh", "bias_ih", "bias_hh")
    layer = 0
    while f"{base}.{parts[0]}_l{layer}" in c.model.weights:
        layer += 1
    return [tuple(f"{base}.{p}_l{layer}{'_reverse' if d else ''}" for p in parts) for d in range(directions)]


def _part(
    c: OnnxContext, index: int, direction: int, start: int, rows: int, name: str, order: tuple[int, ...] = ()
) -> Value:
    """Rows of one direction, gates in the IR's order."""
    ref, order = c.ref(index), order or _ORDER[c.schema.name]
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
    return gates[0] if len(gates) == 1 else c.b.concat(gates, axis=0)


def _outputs(c: OnnxContext, attrs: dict[str, Any], out: Value, *states: Value) -> tuple[Value, ...]:
    """Y with directions on an axis of their own, and the final states."""
    first, second = out.type.shape[:2]
    count = _directions(c)
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
