"""A recurrent layer in every option of ONNX's LSTM, GRU and RNN: what `lstm`, `gru` and `rnn` do not say."""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial
from typing import Any, Literal

import numpy as np

from ir.ops.norm_parts import narrowed, widened
from ir.ops.recurrent_cell import ACTIVATIONS, DEFAULTS, GATES, Arrays, Cell
from ir.ops.recurrent_parts import CellWeights, Direction, Stack, run_cell
from ir.ops.recurrent_scan import scan_cell
from ir.ops.registry import op
from ir.ops.sampler import Sample, Sampler
from ir.types import TensorType, dtypes


@op
class RecurrentLayer:
    """One layer over time whose activations, clipping, peepholes and coupling are its own (ONNX LSTM, GRU, RNN).

    `weights` lie as those of `lstm`, `gru` and `rnn`. `activations` are f and g (and h, for lstm) of each direction,
    with their `alpha` and `beta`: f of the gates, g of the candidate, h of the cell. `clip` bounds what goes into any of
    them. With `coupled`, f is 1 - i. `peepholes` holds for each direction [3 * hidden] factors of the cell in the gates
    i, f, o. The results are the output [time, batch, directions * hidden], and the final h (and c, for lstm).
    """

    name = "recurrent_layer"
    inputs = ("x: float", "initial_h?: x", "initial_c?: x", "lengths?: index", "weights*: x", "peepholes*: x")
    outputs = ("results*",)
    roles = {"weights": "G I"}
    kind: Literal["lstm", "gru", "rnn"]
    hidden_size: int
    direction: Direction = "forward"
    bias: bool = True
    activations: tuple[str, ...] = ()
    alpha: tuple[float, ...] = ()
    beta: tuple[float, ...] = ()
    clip: float | None = None
    coupled: bool = False
    linear_before_reset: bool = True

    @staticmethod
    def infer(
        x: TensorType,
        initial_h: TensorType | None,
        initial_c: TensorType | None,
        lengths: TensorType | None,
        weights: tuple[TensorType, ...],
        peepholes: tuple[TensorType, ...],
        kind: str,
        hidden_size: int,
        direction: Direction,
        **options: Any,
    ) -> tuple[TensorType, ...]:
        stack = _stack(kind, hidden_size, direction, options["bias"])
        cells(kind, hidden_size, direction, **options)
        states = {"initial_h": (initial_h, hidden_size), "initial_c": (initial_c, hidden_size)}
        if kind != "lstm":
            if initial_c is not None or peepholes or options["coupled"]:
                raise ValueError(f"recurrent_layer: a {kind} has no cell, and no peepholes")
            del states["initial_c"]
        if peepholes and len(peepholes) != len(stack.reversals):
            raise ValueError(f"recurrent_layer: {len(peepholes)} peepholes for {len(stack.reversals)} directions")
        for p in peepholes:
            if p.shape != (3 * hidden_size,):
                raise ValueError(f"recurrent_layer: peepholes must have shape [{3 * hidden_size}], got {p}")
        return stack.infer(x, states, lengths, weights)

    @staticmethod
    def evaluate(
        x: np.ndarray,
        initial_h: np.ndarray | None,
        initial_c: np.ndarray | None,
        lengths: np.ndarray | None,
        weights: tuple[np.ndarray, ...],
        peepholes: tuple[np.ndarray, ...],
        kind: str,
        hidden_size: int,
        direction: Direction,
        **options: Any,
    ) -> tuple[np.ndarray, ...]:
        time, batch = x.shape[:2]
        if lengths is not None and ((lengths < 0) | (lengths > time)).any():
            raise ValueError(f"recurrent_layer: lengths {lengths.tolist()} must lie in [0, {time}]")
        rows = _directions(weights, peepholes, kind, hidden_size, direction, options)
        zeros = np.zeros((len(rows), batch, hidden_size), x.dtype)
        initial = [zeros if s is None else s for s in (initial_h, initial_c)[: 1 + (kind == "lstm")]]
        parts, finals = [], []
        for d, (cell, w, reverse) in enumerate(rows):
            step = partial(cell.step, Arrays)
            part, final = run_cell(step, x, tuple(s[d] for s in initial), lengths, w, reverse, hidden_size)
            parts.append(part)
            finals.append(final)
        return np.concatenate(parts, axis=-1), *(np.stack(column) for column in zip(*finals))

    @staticmethod
    def decompose(
        b: Any,
        x: Any,
        initial_h: Any,
        initial_c: Any,
        lengths: Any,
        weights: tuple[Any, ...],
        peepholes: tuple[Any, ...],
        kind: str,
        hidden_size: int,
        direction: Direction,
        **options: Any,
    ) -> tuple[Any, ...]:
        like, (x,) = x, widened(b, x)
        weights, peepholes = widened(b, *weights), widened(b, *peepholes)
        ends = None if lengths is None else b.unsqueeze(b.cast(lengths, to=dtypes.int64), axes=(1,))
        rows = _directions(weights, peepholes, kind, hidden_size, direction, options)
        shape = (len(rows), x.type.shape[1], hidden_size)
        initial = [
            b.full(shape=shape, value=0.0, dtype=x.type.dtype) if given is None else widened(b, given)[0]
            for given in (initial_h, initial_c)[: 1 + (kind == "lstm")]
        ]
        parts, finals = [], []
        for d, (cell, w, reverse) in enumerate(rows):
            state = tuple(b.select(s, axis=0, index=d) for s in initial)
            part, final = scan_cell(b, cell.step, x, state, ends, w, reverse)
            parts.append(part)
            finals.append(final)
        out = parts[0] if len(parts) == 1 else b.concat(parts, axis=-1)
        return narrowed(b, out, like), *(narrowed(b, b.stack(list(column), axis=0), like) for column in zip(*finals))

    @staticmethod
    def samples(s: Sampler) -> Iterator[Sample]:
        yield from _samples(s)


def _stack(kind: str, hidden: int, direction: Direction, bias: bool) -> Stack:
    return Stack("recurrent_layer", GATES[kind], hidden, 1, direction, bias, False)


def cells(
    kind: str, hidden_size: int, direction: Direction, activations: tuple[str, ...], alpha: tuple[float, ...],
    beta: tuple[float, ...], clip: float | None, coupled: bool, linear_before_reset: bool, bias: bool,
) -> list[Cell]:  # fmt: skip
    """One cell for each direction; raises ValueError where the activations do not fit the kind."""
    each, count = len(DEFAULTS[kind]), 2 if direction == "bidirectional" else 1
    names = activations or DEFAULTS[kind] * count
    if len(names) != each * count or set(names) - ACTIVATIONS.keys():
        raise ValueError(
            f"recurrent_layer: activations {names} are not {each} known ones for each of {count} directions"
        )
    if {len(alpha), len(beta)} - {0, len(names)}:
        raise ValueError(f"recurrent_layer: {len(names)} activations need as many alpha and beta")
    if clip is not None and not clip > 0:
        raise ValueError(f"recurrent_layer: clip must be positive, got {clip}")
    rows = list(zip(names, alpha or (0.0,) * len(names), beta or (0.0,) * len(names), strict=True))
    return [
        Cell(kind, hidden_size, tuple(rows[d * each : (d + 1) * each]), clip, coupled, linear_before_reset)
        for d in range(count)
    ]


def _directions(
    weights: tuple[Any, ...], peepholes: tuple[Any, ...], kind: str, hidden: int, direction: Direction, options: dict[str, Any]
) -> list[tuple[Cell, CellWeights, bool]]:  # fmt: skip
    """For each direction its cell, its weights and whether it runs from the end."""
    stack = _stack(kind, hidden, direction, options["bias"])
    found = []
    for d, (cell, w) in enumerate(zip(cells(kind, hidden, direction, **options), stack.split(weights), strict=True)):
        peephole = peepholes[d] if peepholes else None
        found.append((cell, CellWeights(w.w_ih, w.w_hh, w.b_ih, w.b_hh, None, peephole), stack.reversals[d]))
    return found


_NUMBERS = {"affine": (0.5, 0.25), "leaky_relu": (0.1, 0.0), "thresholded_relu": (0.25, 0.0), "scaled_tanh": (1.5, 0.75),
            "hard_sigmoid": (0.3, 0.4), "elu": (1.25, 0.0)}  # fmt: skip
"""alpha and beta of the activations that have them."""


class _Draw:
    """Operands of one sample: 4 steps, a batch of 3, 5 features, 2 units (3 in a GRU)."""

    def __init__(
        self, s: Sampler, kind: str, direction: Direction = "forward", bias: bool = True, time: int = 4
    ) -> None:
        self.s, self.kind, self.count = s, kind, 2 if direction == "bidirectional" else 1
        self.hidden = 3 if kind == "gru" else 2
        rows = GATES[kind] * self.hidden
        self.x = s.floats(time, 3, 5, low=-2.0, high=2.0)
        shapes: list[tuple[int, ...]] = [(rows, 5), (rows, self.hidden), *([(rows,)] * (2 * bias))]
        self.weights = tuple(s.floats(*shape, low=-0.8, high=0.8) for _ in range(self.count) for shape in shapes)
        self.fixed: dict[str, Any] = {
            "kind": kind, "hidden_size": self.hidden, "direction": direction, "bias": bias, "dynamic": ((0, 0), (0, 1)),
        }  # fmt: skip

    def state(self) -> np.ndarray:
        return self.s.floats(self.count, 3, self.hidden, low=-1.0, high=1.0)

    def peepholes(self) -> tuple[np.ndarray, ...]:
        return tuple(self.s.floats(6, low=-1.5, high=1.5) for _ in range(self.count))

    def case(self, *states: Any, lengths: Any = None, peepholes: tuple[Any, ...] = (), **attrs: Any) -> Sample:
        """A sample with the given initial states (h, c)."""
        h, c = (*states, None, None)[:2]
        ends = None if lengths is None else np.array(lengths, np.int32)
        return self.s.case(self.x, h, c, ends, self.weights, peepholes, **self.fixed, **attrs)

    def acting(self, *names: str, **attrs: Any) -> Sample:
        """A sample with activations of its own, numbers included."""
        alpha, beta = zip(*(_NUMBERS.get(n, (0.0, 0.0)) for n in names), strict=True)
        return self.case(activations=names, alpha=alpha, beta=beta, **attrs)


def _samples(s: Sampler) -> Iterator[Sample]:
    both: Direction = "bidirectional"
    for name in ACTIVATIONS:
        yield _Draw(s, "rnn").acting(name)
        yield _Draw(s, "lstm", time=3).acting("sigmoid", "tanh", name)
    yield _Draw(s, "rnn", both).acting("elu", "affine", clip=0.75)
    yield _Draw(s, "lstm", both).acting("hard_sigmoid", "softsign", "tanh", "sigmoid", "leaky_relu", "scaled_tanh")
    for before in (True, False):
        yield _Draw(s, "gru", both).acting("hard_sigmoid", "softsign", "affine", "relu", linear_before_reset=before)
        for bias in (True, False):
            draw = _Draw(s, "gru", "reverse", bias)
            yield draw.case(draw.state(), lengths=(4, 1, 3), linear_before_reset=before, clip=0.4)
    yield from _lstm_samples(s)
    yield _Draw(s, "rnn", time=1).case(name="one step")
    yield _Draw(s, "rnn").case(activations=("elu",), name="alpha of 0")
    draw = _Draw(s, "rnn")
    still = tuple(np.zeros_like(w) for w in draw.weights[:3])
    draw.weights = (*still, np.full_like(draw.weights[3], 0.25))
    yield draw.acting("thresholded_relu", name="at the threshold")
    wrong: dict[str, dict[str, Any]] = {
        "unknown activation": {"activations": ("cosine",)}, "too many activations": {"activations": ("tanh", "tanh")},
        "alpha missing": {"activations": ("elu",), "alpha": (1.0, 2.0)}, "clip of 0": {"clip": 0.0},
        "coupled without a cell": {"coupled": True},
    }  # fmt: skip
    for name, attrs in wrong.items():
        yield _Draw(s, "rnn").case(error=ValueError, name=name, **attrs)
    draw = _Draw(s, "lstm", both)
    yield draw.case(peepholes=draw.peepholes()[:1], error=ValueError, name="a peephole missing")
    yield draw.case(peepholes=(s.floats(4),) * 2, error=ValueError, name="peepholes too short")
    yield draw.case(lengths=(5, 1, 1), error=ValueError, name="length beyond time")


def _lstm_samples(s: Sampler) -> Iterator[Sample]:
    both: Direction = "bidirectional"
    for direction in ("forward", "reverse", both):
        draw = _Draw(s, "lstm", direction)
        yield draw.case(peepholes=draw.peepholes())
        yield draw.case(draw.state(), draw.state(), lengths=(4, 0, 2), peepholes=draw.peepholes(), clip=0.6)
    draw = _Draw(s, "lstm", bias=False)
    yield draw.case(None, draw.state(), coupled=True)
    yield draw.case(draw.state(), 2 * draw.state(), coupled=True, peepholes=draw.peepholes(), clip=0.5)
    draw = _Draw(s, "lstm", time=0)
    yield draw.case(draw.state(), draw.state(), clip=1.0)
