"""Cells of LSTM and GRU in one kernel, an LSTM over time, and layers of cuDNN."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from converter.importers.partial.values import Element
from converter.importers.tensorflow.context import TensorflowContext
from converter.importers.tensorflow.table import rule
from ir.core import Builder, Graph, Value
from ir.types import Dim, TensorType, dtypes, numel, same

WEIGHTS = ("w", "wci", "wcf", "wco", "b")
"""Operands of a cell behind x and its states, in order."""


@dataclass(frozen=True)
class _Cell:
    """A step: gates i, c, f, o (`order` says where each lies) of [x, h] @ w + b, with or without peepholes and a bound."""

    order: tuple[int, int, int, int]
    forget: float
    clip: float
    peephole: bool

    def step(self, b: Builder, given: Sequence[Value], weights: Sequence[Value]) -> list[Value]:
        """i, cs, f, o, ci, co and h."""
        x, before, h = given
        w, wci, wcf, wco, bias = weights
        gates = b.add(b.matmul(b.concat([x, h], axis=1), w), bias)
        units = h.type.shape[1]
        parts = b.split(gates, sizes=(units,) * 4, axis=1)
        i, candidate, f, o = (parts[k] for k in self.order)
        if self.peephole:
            i, f = b.add(i, b.mul(before, wci)), b.add(f, b.mul(before, wcf))
        i, ci, f = b.sigmoid(i), b.tanh(candidate), b.sigmoid(b.add(f, self.forget) if self.forget else f)
        cs = b.add(b.mul(ci, i), b.mul(before, f))
        if self.clip > 0:
            cs = b.clip(cs, -self.clip, self.clip)
        o = b.sigmoid(b.add(o, b.mul(cs, wco)) if self.peephole else o)
        co = b.tanh(cs)
        return [i, cs, f, o, ci, co, b.mul(co, o)]


def _cell(c: TensorflowContext) -> _Cell:
    second = c.op.endswith("V2")
    forget = 0.0 if second else float(c.attr("forget_bias"))
    return _Cell(
        (0, 2, 1, 3) if second else (0, 1, 2, 3), forget, float(c.attr("cell_clip")), bool(c.attr("use_peephole"))
    )


@rule("LSTMBlockCell")
def lstm_cell(c: TensorflowContext) -> list[Value]:
    return _cell(c).step(c.b, [c.x(i) for i in range(3)], [c.x(i) for i in range(3, 8)])


@rule("GRUBlockCell")
def gru_cell(c: TensorflowContext) -> list[Value]:
    """r, u, the candidate and h = (1 - u) * candidate + u * h; the reset comes before the product."""
    b = c.b
    x, h, both, last, both_bias, last_bias = (c.x(i) for i in range(6))
    units = h.type.shape[1]
    gates = b.sigmoid(b.add(b.matmul(b.concat([x, h], axis=1), both), both_bias))
    r, u = b.split(gates, sizes=(units, units), axis=1)
    candidate = b.tanh(b.add(b.matmul(b.concat([x, b.mul(h, r)], axis=1), last), last_bias))
    return [r, u, candidate, b.add(b.mul(b.sub(1.0, u), candidate), b.mul(u, h))]


@rule("BlockLSTM", "BlockLSTMV2")
def lstm(c: TensorflowContext) -> list[Value | None]:
    """A cell at every step. All seven values of each step are results; behind the number of steps cs and h are 0."""
    cell = _cell(c)
    x, given, weights = c.x(1), [c.x(2), c.x(3)], [c.x(i) for i in range(4, 9)]
    element = c.elements(c.ref(0), "the number of steps").reshape(-1)[0]
    steps, size = None if isinstance(element, Element) else element, x.type.shape[0]
    every = steps is not None and same(steps, size) is True
    if not every and any(c.used(k) for k in (0, 2, 3, 4, 5)):
        c.refuse("gates at fewer steps than there are, or at a number of the run: TensorFlow leaves the rest undefined")
    if isinstance(steps, int) and isinstance(size, int) and steps > size:
        c.refuse(f"{steps} steps of {size}, which end TensorFlow")
    step = TensorType(x.type.dtype, x.type.shape[1:])
    body = _body(c, cell, [*(v.type for v in given), step, *(v.type for v in weights)])
    _, _, *found = c.b.scan(given, (x,), weights, body=body)
    if every:
        return found
    places = c.b.arange(start=0, stop=size, step=1, dtype=dtypes.int64)
    inside = c.b.less(places, c.b.reshape(c.cast(c.x(0), dtypes.int64), shape=()))
    inside = c.b.unsqueeze(inside, axes=(1, 2))
    return [None, c.b.where(inside, found[1], 0.0), *[None] * 4, c.b.where(inside, found[6], 0.0)]


def _body(c: TensorflowContext, cell: _Cell, types: Sequence[TensorType]) -> Graph:
    """cs, h, x, then the weights -> cs, h, then the seven values."""
    graph = Graph("step")
    names = ("cs_prev", "h_prev", "x", *WEIGHTS)
    before, h, x, *weights = (graph.add_input(t, n) for t, n in zip(types, names, strict=True))
    found = cell.step(Builder(graph, origin=c.b.origin), [x, before, h], weights)
    graph.set_outputs([found[1], found[6], *found])
    return graph


# -- kernels of GPUs ----------------------------------------------------------------------------------------------------
_GATES = {"lstm": 4, "gru": 3, "rnn_tanh": 1, "rnn_relu": 1}
_SEVERAL = "the order of cuDNN's parameters beyond one layer in one direction, which only a GPU tells"
_LAYERS = "use a layer of Keras for each layer and direction"


@rule("CudnnRNN", "CudnnRNNV2", "CudnnRNNV3")
def cudnn(c: TensorflowContext) -> list[Value | None]:
    """One layer: its output and final states. The parameters are a vector: matrices of the input by gates (those of the IR, in
    its order), matrices of the state, biases of both."""
    mode, b, x = c.only("rnn_mode", *_GATES), c.b, c.x(0)
    last = c.op.endswith("V3")
    first = last and not c.attr("time_major")
    states = [c.x(i) for i in ((1, 2) if mode == "lstm" else (1,))]
    if first:
        states = [b.transpose(v, perm=(1, 0, 2)) for v in states]
    layers, _, units = states[0].type.shape
    size = x.type.shape[2]
    if c.attr("direction") != "unidirectional" or layers != 1:
        c.refuse(_SEVERAL, _LAYERS)
    if not isinstance(units, int):
        c.refuse("a state whose size is not known at conversion")
    if last and c.attr("num_proj") not in (0, units):
        c.refuse("a projection of the state by cuDNN", "use a layer of Keras, and a product behind it")
    if c.attr("input_mode") != "linear_input" and not (c.attr("input_mode") == "auto_select" and not same(size, units)):
        c.refuse(f"input_mode={c.attr('input_mode')!r}: no product with the input", "use input_mode='linear_input'")
    c.ignore("dropout", "seed", "seed2", "is_training")  # of what lies between layers, and of gradients
    weights = _unpacked(c, c.x(3), _GATES[mode] * units, size, units)
    lengths = None if not last or _whole(c.ref(4).value, x.type.shape[1 if first else 0]) else c.x(4)
    given = {"hidden_size": units, "batch_first": first}
    if mode == "lstm":
        out, *finals = b.lstm(x, *states, lengths, weights, **given)
    elif mode == "gru":
        out, *finals = b.gru(x, *states, lengths, weights, **given)
    else:
        out, *finals = b.rnn(x, *states, lengths, weights, nonlinearity=mode.removeprefix("rnn_"), **given)
    if first:
        finals = [b.transpose(v, perm=(1, 0, 2)) for v in finals]
    return [out, finals[0], finals[1] if mode == "lstm" else None]


def _unpacked(c: TensorflowContext, params: Value, rows: int, size: Dim, units: int) -> list[Value]:
    """w_ih [rows, size], w_hh [rows, units], b_ih and b_hh [rows], one after another in a vector."""
    shapes: list[tuple[Dim, ...]] = [(rows, size), (rows, units), (rows,), (rows,)]
    sizes = [numel(s) for s in shapes]
    if not same(params.type.shape[0], sum(sizes)):
        c.refuse(f"{params.type.shape[0]} parameters for a layer of {sum(sizes)}")
    parts = c.b.split(params, sizes=tuple(sizes), axis=0)
    return [c.b.reshape(p, shape=s) for p, s in zip(parts, shapes, strict=True)]


def _whole(lengths: Value | None, steps: Dim) -> bool:
    """Whether every sequence is known to have all steps."""
    node = None if lengths is None else lengths.producer
    while node is not None and node.op.name in ("expand", "cast", "reshape"):
        node = node.operand("x").producer
    if node is None or node.op.name not in ("full", "dim"):
        return False
    return bool(same(node.attrs["value" if node.op.name == "full" else "size"], steps))
