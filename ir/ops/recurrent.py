"""Recurrent layers: whole stacks over time, in one or both directions.

`weights` is flat: for each layer, for each direction (forward before reverse), w_ih [gates * hidden, input] and w_hh
[gates * hidden, output], then with `bias` b_ih and b_hh [gates * hidden], then with `projection` w_hr [projection,
hidden]. A layer after the first reads the outputs of all directions side by side. States are [layers * directions,
batch, features]. With `lengths`, each sequence ends on its own: a reversed direction starts at its last element, the
output behind its end is 0, the final state is that of its last step (its first one, when reversed); an empty sequence
keeps its initial state.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Literal

import numpy as np

from ir.ops.recurrent_parts import CellWeights, Direction, Stack, dropper, recur, sigmoid
from ir.ops.recurrent_scan import (
    decompose_stack,
    gru_step,
    gru_step_reset_first,
    lstm_step,
    relu_step,
    tanh_step,
)
from ir.ops.registry import op
from ir.ops.sampler import Sample, Sampler
from ir.types import TensorType


@op
class LSTM:
    """c = f * c + i * g, h = o * tanh(c), with the gates i, f, g, o in this order (Hochreiter and Schmidhuber 1997).

    i, f, o = sigmoid and g = tanh of w_ih x + b_ih + w_hh h + b_hh. With `projection` h is multiplied by w_hr.
    """

    inputs = ("x: float", "initial_h?: x", "initial_c?: x", "lengths?: index", "weights*: x")
    outputs = ("output", "h_n", "c_n")
    roles = {"weights": "G I"}
    modal = True
    random = True
    hidden_size: int
    layers: int = 1
    direction: Direction = "forward"
    bias: bool = True
    dropout: float = 0.0
    batch_first: bool = False
    projection: int = 0
    frozen: bool = False

    @staticmethod
    def infer(
        x: TensorType,
        initial_h: TensorType | None,
        initial_c: TensorType | None,
        lengths: TensorType | None,
        weights: tuple[TensorType, ...],
        hidden_size: int,
        layers: int,
        direction: Direction,
        bias: bool,
        dropout: float,
        batch_first: bool,
        projection: int,
        frozen: bool,
    ) -> tuple[TensorType, ...]:
        stack = Stack("lstm", 4, hidden_size, layers, direction, bias, batch_first, projection)
        _check_dropout("lstm", dropout)
        return stack.infer(
            x, {"initial_h": (initial_h, stack.out), "initial_c": (initial_c, hidden_size)}, lengths, weights
        )

    @staticmethod
    def evaluate(
        x: np.ndarray,
        initial_h: np.ndarray | None,
        initial_c: np.ndarray | None,
        lengths: np.ndarray | None,
        weights: tuple[np.ndarray, ...],
        hidden_size: int,
        layers: int,
        direction: Direction,
        bias: bool,
        dropout: float,
        batch_first: bool,
        projection: int,
        frozen: bool,
        training: bool,
        rng: np.random.Generator,
    ) -> tuple[np.ndarray, ...]:
        stack = Stack("lstm", 4, hidden_size, layers, direction, bias, batch_first, projection)
        states = [(initial_h, stack.out), (initial_c, hidden_size)]
        return stack.run(_lstm_step, x, states, lengths, weights, dropper(dropout, frozen, training, rng))

    @staticmethod
    def decompose(
        b: Any,
        x: Any,
        initial_h: Any,
        initial_c: Any,
        lengths: Any,
        weights: tuple[Any, ...],
        hidden_size: int,
        layers: int,
        direction: Direction,
        bias: bool,
        dropout: float,
        batch_first: bool,
        projection: int,
        frozen: bool,
    ) -> tuple[Any, ...]:
        stack = Stack("lstm", 4, hidden_size, layers, direction, bias, batch_first, projection)
        states = [(initial_h, stack.out), (initial_c, hidden_size)]
        step = lstm_step
        return decompose_stack(b, stack, step, x, states, lengths, weights, dropout, frozen)

    @staticmethod
    def samples(s: Sampler) -> Iterator[Sample]:
        for row in _stack_samples(s, 4):
            yield s.case(row.x, row.state(row.hidden), row.state(row.hidden), row.lengths, row.weights, **row.case)
        for direction in ("forward", "bidirectional"):
            row = _Row(s, 4, layers=2, direction=direction, projection=3)
            yield s.case(row.x, row.state(3), row.state(row.hidden), None, row.weights, projection=3, **row.case)
        row = _Row(s, 4, lengths=(5, 2, 1), bias=False, projection=2)
        yield s.case(row.x, None, row.state(row.hidden), row.lengths, row.weights, projection=2, **row.case)
        yield s.case(
            row.x,
            None,
            None,
            None,
            row.weights[:-1],
            projection=2,
            error=ValueError,
            name="weights missing",
            **row.case,
        )
        row = _Row(s, 4, projection=2)
        yield s.case(row.x, None, row.state(row.hidden), None, row.weights, projection=2, **row.case)
        row = _Row(s, 4)
        yield s.case(row.x, row.state(row.hidden), None, None, row.weights, **row.case)
        yield s.case(row.x, None, row.state(row.hidden), None, row.weights, **row.case)
        row = _Row(s, 4, batch_first=True)
        yield s.case(row.x, row.state(row.hidden), None, None, row.weights, **row.case)
        row = _Row(s, 4, lengths=(5, 9, 1))
        yield s.case(
            row.x, None, None, row.lengths, row.weights, error=ValueError, name="length beyond time", **row.case
        )


@op
class GRU:
    """h = (1 - z) * n + z * h, with the gates r, z, n in this order (Cho et al. 2014).

    r, z = sigmoid of w_ih x + b_ih + w_hh h + b_hh. n = tanh(w_in x + b_in + r * (w_hn h + b_hn)), or without
    `linear_before_reset` tanh(w_in x + b_in + w_hn (r * h) + b_hn): PyTorch and Keras' `reset_after` have the first,
    ONNX the second by default.
    """

    inputs = ("x: float", "initial_h?: x", "lengths?: index", "weights*: x")
    outputs = ("output", "h_n")
    roles = {"weights": "G I"}
    modal = True
    random = True
    hidden_size: int
    layers: int = 1
    direction: Direction = "forward"
    bias: bool = True
    dropout: float = 0.0
    batch_first: bool = False
    linear_before_reset: bool = True
    frozen: bool = False

    @staticmethod
    def infer(
        x: TensorType,
        initial_h: TensorType | None,
        lengths: TensorType | None,
        weights: tuple[TensorType, ...],
        hidden_size: int,
        layers: int,
        direction: Direction,
        bias: bool,
        dropout: float,
        batch_first: bool,
        linear_before_reset: bool,
        frozen: bool,
    ) -> tuple[TensorType, ...]:
        _check_dropout("gru", dropout)
        stack = Stack("gru", 3, hidden_size, layers, direction, bias, batch_first)
        return stack.infer(x, {"initial_h": (initial_h, hidden_size)}, lengths, weights)

    @staticmethod
    def evaluate(
        x: np.ndarray,
        initial_h: np.ndarray | None,
        lengths: np.ndarray | None,
        weights: tuple[np.ndarray, ...],
        hidden_size: int,
        layers: int,
        direction: Direction,
        bias: bool,
        dropout: float,
        batch_first: bool,
        linear_before_reset: bool,
        frozen: bool,
        training: bool,
        rng: np.random.Generator,
    ) -> tuple[np.ndarray, ...]:
        stack = Stack("gru", 3, hidden_size, layers, direction, bias, batch_first)
        step = _gru_step if linear_before_reset else _gru_step_reset_first
        return stack.run(step, x, [(initial_h, hidden_size)], lengths, weights, dropper(dropout, frozen, training, rng))

    @staticmethod
    def decompose(
        b: Any,
        x: Any,
        initial_h: Any,
        lengths: Any,
        weights: tuple[Any, ...],
        hidden_size: int,
        layers: int,
        direction: Direction,
        bias: bool,
        dropout: float,
        batch_first: bool,
        linear_before_reset: bool,
        frozen: bool,
    ) -> tuple[Any, ...]:
        stack = Stack("gru", 3, hidden_size, layers, direction, bias, batch_first)
        states = [(initial_h, hidden_size)]
        step = gru_step if linear_before_reset else gru_step_reset_first
        return decompose_stack(b, stack, step, x, states, lengths, weights, dropout, frozen)

    @staticmethod
    def samples(s: Sampler) -> Iterator[Sample]:
        for before in (True, False):
            for row in _stack_samples(s, 3):
                yield s.case(
                    row.x, row.state(row.hidden), row.lengths, row.weights, linear_before_reset=before, **row.case
                )
        row = _Row(s, 3)
        yield s.case(row.x, None, None, row.weights[:2], error=ValueError, name="biases missing", **row.case)
        yield s.case(
            row.x, s.floats(2, 3, 4), None, row.weights, error=ValueError, name="state of two layers", **row.case
        )


@op
class RNN:
    """h = tanh, or relu, of w_ih x + b_ih + w_hh h + b_hh (Elman 1990)."""

    inputs = ("x: float", "initial_h?: x", "lengths?: index", "weights*: x")
    outputs = ("output", "h_n")
    roles = {"weights": "G I"}
    modal = True
    random = True
    hidden_size: int
    layers: int = 1
    direction: Direction = "forward"
    bias: bool = True
    dropout: float = 0.0
    batch_first: bool = False
    nonlinearity: Literal["tanh", "relu"] = "tanh"
    frozen: bool = False

    @staticmethod
    def infer(
        x: TensorType,
        initial_h: TensorType | None,
        lengths: TensorType | None,
        weights: tuple[TensorType, ...],
        hidden_size: int,
        layers: int,
        direction: Direction,
        bias: bool,
        dropout: float,
        batch_first: bool,
        nonlinearity: str,
        frozen: bool,
    ) -> tuple[TensorType, ...]:
        _check_dropout("rnn", dropout)
        stack = Stack("rnn", 1, hidden_size, layers, direction, bias, batch_first)
        return stack.infer(x, {"initial_h": (initial_h, hidden_size)}, lengths, weights)

    @staticmethod
    def evaluate(
        x: np.ndarray,
        initial_h: np.ndarray | None,
        lengths: np.ndarray | None,
        weights: tuple[np.ndarray, ...],
        hidden_size: int,
        layers: int,
        direction: Direction,
        bias: bool,
        dropout: float,
        batch_first: bool,
        nonlinearity: str,
        frozen: bool,
        training: bool,
        rng: np.random.Generator,
    ) -> tuple[np.ndarray, ...]:
        stack = Stack("rnn", 1, hidden_size, layers, direction, bias, batch_first)
        step = _tanh_step if nonlinearity == "tanh" else _relu_step
        return stack.run(step, x, [(initial_h, hidden_size)], lengths, weights, dropper(dropout, frozen, training, rng))

    @staticmethod
    def decompose(
        b: Any,
        x: Any,
        initial_h: Any,
        lengths: Any,
        weights: tuple[Any, ...],
        hidden_size: int,
        layers: int,
        direction: Direction,
        bias: bool,
        dropout: float,
        batch_first: bool,
        nonlinearity: str,
        frozen: bool,
    ) -> tuple[Any, ...]:
        stack = Stack("rnn", 1, hidden_size, layers, direction, bias, batch_first)
        states = [(initial_h, hidden_size)]
        step = tanh_step if nonlinearity == "tanh" else relu_step
        return decompose_stack(b, stack, step, x, states, lengths, weights, dropout, frozen)

    @staticmethod
    def samples(s: Sampler) -> Iterator[Sample]:
        for kind in ("tanh", "relu"):
            for row in _stack_samples(s, 1):
                yield s.case(row.x, row.state(row.hidden), row.lengths, row.weights, nonlinearity=kind, **row.case)
        row = _Row(s, 1)
        yield s.case(row.x[0], None, None, row.weights, error=ValueError, name="no batch axis", **row.case)
        for p in (1.5, -0.5):
            case = {**row.case, "dropout": p}
            yield s.case(row.x, None, None, row.weights, error=ValueError, name="dropout out of range", **case)


def _lstm_step(from_input: np.ndarray, state: tuple[np.ndarray, ...], w: CellWeights) -> tuple[np.ndarray, ...]:
    h, c = state
    i, f, g, o = np.split(from_input + recur(h, w), 4, axis=1)
    c = sigmoid(f) * c + sigmoid(i) * np.tanh(g)
    h = sigmoid(o) * np.tanh(c)
    return (h if w.w_hr is None else h @ w.w_hr.T), c


def _gru_step(from_input: np.ndarray, state: tuple[np.ndarray, ...], w: CellWeights) -> tuple[np.ndarray, ...]:
    (h,) = state
    xr, xz, xn = np.split(from_input, 3, axis=1)
    hr, hz, hn = np.split(recur(h, w), 3, axis=1)
    z, n = sigmoid(xz + hz), np.tanh(xn + sigmoid(xr + hr) * hn)
    return ((1 - z) * n + z * h,)


def _gru_step_reset_first(
    from_input: np.ndarray, state: tuple[np.ndarray, ...], w: CellWeights
) -> tuple[np.ndarray, ...]:
    (h,) = state
    size = h.shape[1]
    xr, xz, xn = np.split(from_input, 3, axis=1)
    hr, hz = np.split(h @ w.w_hh[: 2 * size].T, 2, axis=1)
    br, bz, bn = np.split(w.b_hh, 3) if w.b_hh is not None else (0, 0, 0)
    r, z = sigmoid(xr + hr + br), sigmoid(xz + hz + bz)
    n = np.tanh(xn + (r * h) @ w.w_hh[2 * size :].T + bn)
    return ((1 - z) * n + z * h,)


def _tanh_step(from_input: np.ndarray, state: tuple[np.ndarray, ...], w: CellWeights) -> tuple[np.ndarray, ...]:
    return (np.tanh(from_input + recur(state[0], w)),)


def _relu_step(from_input: np.ndarray, state: tuple[np.ndarray, ...], w: CellWeights) -> tuple[np.ndarray, ...]:
    return (np.maximum(from_input + recur(state[0], w), 0),)


def _check_dropout(name: str, p: float) -> None:
    if not 0 <= p <= 1:
        raise ValueError(f"{name}: dropout must lie in [0, 1], got {p}")


class _Row:
    """Operands and attributes of one sample of a recurrent op: 5 steps, a batch of 3, 6 input features."""

    def __init__(
        self,
        s: Sampler,
        gates: int,
        layers: int = 1,
        direction: Direction = "forward",
        bias: bool = True,
        batch_first: bool = False,
        lengths: tuple[int, ...] | None = None,
        initial: bool = True,
        projection: int = 0,
        hidden: int = 4,
        time: int = 5,
        **extra: Any,
    ) -> None:
        self.hidden, self._s, self._initial = hidden, s, initial
        stack = Stack("", gates, hidden, layers, direction, bias, batch_first, projection)
        self._cells = stack.cells
        self.x = s.floats(*((3, time, 6) if batch_first else (time, 3, 6)))
        self.lengths = None if lengths is None else np.array(lengths, np.int64 if layers == 1 else np.int32)
        weights: list[np.ndarray] = []
        for layer in range(layers):
            for _ in stack.reversals:
                inner = stack.out * len(stack.reversals) if layer else 6
                shapes: list[tuple[int, ...]] = [(gates * hidden, inner), (gates * hidden, stack.out)]
                shapes += [(gates * hidden,)] * (2 * bias) + [(projection, hidden)] * bool(projection)
                weights += [s.floats(*shape, low=-0.8, high=0.8) for shape in shapes]
        self.weights = tuple(weights)
        self.case = {
            "hidden_size": hidden, "layers": layers, "direction": direction, "bias": bias, "batch_first": batch_first,
            "dynamic": ((0, 0), (0, 1)), **extra,
        }  # fmt: skip

    def state(self, features: int) -> np.ndarray | None:
        return self._s.floats(self._cells, 3, features) if self._initial else None


def _stack_samples(s: Sampler, gates: int) -> Iterator[_Row]:
    both: Direction = "bidirectional"
    yield _Row(s, gates)
    yield _Row(s, gates, bias=False, initial=False)
    yield _Row(s, gates, direction="reverse", batch_first=True)
    yield _Row(s, gates, direction=both, initial=False)
    yield _Row(s, gates, layers=3, direction=both, batch_first=True)
    yield _Row(s, gates, layers=2, bias=False, dropout=0.5, hidden=1)
    yield _Row(s, gates, lengths=(5, 2, 1))
    yield _Row(s, gates, lengths=(2, 5, 3), direction="reverse")
    yield _Row(s, gates, lengths=(0, 5, 0), direction=both)
    yield _Row(s, gates, lengths=(1, 3, 4), direction=both, layers=2, batch_first=True, bias=False)
    yield _Row(s, gates, layers=2, dropout=0.5, frozen=True, training=True)
    yield _Row(s, gates, layers=2, direction=both, dropout=0.5, training=True)
    yield _Row(s, gates, time=1)
    yield _Row(s, gates, time=0)
