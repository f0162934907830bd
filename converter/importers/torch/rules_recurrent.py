"""Recurrent layers: whole layers from the leaves, and single cells."""

from __future__ import annotations

from typing import Any

from converter.importers.torch.context import Call, TorchContext, rule
from ir.core import Value


def _dropout(a: Call) -> float:
    """The rate between layers; a layer frozen in evaluation drops nothing."""
    rate, trains = a.lit("dropout"), a.lit("train")
    return float(rate) if trains else 0.0


def _common(a: Call) -> dict[str, Any]:
    return {
        "hidden_size": a.lit("hidden_size"), "layers": a.lit("layers"), "bias": a.lit("bias"),
        "direction": "bidirectional" if a.lit("bidirectional") else "forward", "batch_first": a.lit("batch_first"),
        "dropout": _dropout(a), "lengths": a.optional("lengths"),
    }  # fmt: skip


@rule("isomorph.lstm.default")
def lstm(c: TorchContext, a: Call) -> list[Value]:
    states = {"initial_h": a.optional("h"), "initial_c": a.optional("c")}
    return list(c.b.lstm(a.value("x"), weights=a.values("weights"), projection=a.lit("projection"), **states, **_common(a)))


@rule("isomorph.gru.default")
def gru(c: TorchContext, a: Call) -> list[Value]:
    a.lit("projection")
    return list(c.b.gru(a.value("x"), initial_h=a.optional("h"), weights=a.values("weights"), **_common(a)))


@rule("isomorph.rnn.default")
def rnn(c: TorchContext, a: Call) -> list[Value]:
    a.lit("projection")
    state, kind = a.optional("h"), a.lit("nonlinearity")
    return list(c.b.rnn(a.value("x"), initial_h=state, weights=a.values("weights"), nonlinearity=kind, **_common(a)))


def _aten(a: Call, hidden_size: int, layers: int) -> dict[str, Any]:
    return {
        "hidden_size": hidden_size, "layers": layers, "bias": a.lit("has_biases"),
        "direction": "bidirectional" if a.lit("bidirectional") else "forward", "batch_first": a.lit("batch_first"),
        "dropout": _dropout(a),
    }  # fmt: skip


@rule("aten.lstm.input")
def aten_lstm(c: TorchContext, a: Call) -> list[Value]:
    """`torch.lstm` as called directly, or exported without our leaves (its number of steps may be fixed)."""
    h, cell = a.values("hx")
    weights = a.values("params")
    hidden, width = int(cell.type.shape[-1]), int(h.type.shape[-1])
    projection = width if width != hidden else 0
    return list(c.b.lstm(
        a.value("input"), initial_h=h, initial_c=cell, weights=weights, projection=projection,
        **_aten(a, hidden, a.lit("num_layers")),
    ))  # fmt: skip


@rule("aten.gru.input", "aten.rnn_tanh.input", "aten.rnn_relu.input")
def aten_gated(c: TorchContext, a: Call) -> list[Value]:
    form = str(a.node.target).split(".")[1]
    h = a.value("hx")
    build, extra = (c.b.gru, {}) if form == "gru" else (c.b.rnn, {"nonlinearity": form.removeprefix("rnn_")})
    attrs = _aten(a, int(h.type.shape[-1]), a.lit("num_layers"))
    return list(build(a.value("input"), initial_h=h, weights=a.values("params"), **extra, **attrs))


# -- cells ----------------------------------------------------------------------------------------------------------
def _gates(c: TorchContext, a: Call, x: Value, h: Value, parts: int) -> tuple[list[Value], list[Value]]:
    """The input's and the state's contribution to each gate."""
    first = c.b.linear(x, a.value("w_ih"), a.optional("b_ih"))
    second = c.b.linear(h, a.value("w_hh"), a.optional("b_hh"))
    size = h.type.shape[1]
    sizes = (size,) * parts
    return list(c.b.split(first, sizes=sizes, axis=-1)), list(c.b.split(second, sizes=sizes, axis=-1))


@rule("aten.lstm_cell.default")
def lstm_cell(c: TorchContext, a: Call) -> list[Value]:
    """Gate order i, f, g, o."""
    h, cell = a.values("hx")
    first, second = _gates(c, a, a.value("input"), h, 4)
    i, f, g, o = (c.b.add(p, q) for p, q in zip(first, second, strict=True))
    kept = c.b.mul(c.b.sigmoid(f), cell)
    cell = c.b.add(kept, c.b.mul(c.b.sigmoid(i), c.b.tanh(g)))
    return [c.b.mul(c.b.sigmoid(o), c.b.tanh(cell)), cell]


@rule("aten.gru_cell.default")
def gru_cell(c: TorchContext, a: Call) -> Value:
    """Gate order r, z, n; the reset gate acts on the linear part of the state."""
    h = a.value("hx")
    (xr, xz, xn), (hr, hz, hn) = _gates(c, a, a.value("input"), h, 3)
    r, z = c.b.sigmoid(c.b.add(xr, hr)), c.b.sigmoid(c.b.add(xz, hz))
    n = c.b.tanh(c.b.add(xn, c.b.mul(r, hn)))
    return c.b.add(n, c.b.mul(z, c.b.sub(h, n)))


@rule("aten.rnn_tanh_cell.default", "aten.rnn_relu_cell.default")
def rnn_cell(c: TorchContext, a: Call) -> Value:
    first, second = _gates(c, a, a.value("input"), a.value("hx"), 1)
    total = c.b.add(first[0], second[0])
    return (c.b.tanh if "tanh" in str(a.node.target) else c.b.relu)(total)
