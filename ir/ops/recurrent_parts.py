"""What the recurrent ops share: the order of their weights, inference, and the run over layers, directions and time."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np

from ir.ops.dropout import draw_keep
from ir.types import Dim, TensorType, require_same

Direction = Literal["forward", "reverse", "bidirectional"]
Step = Callable[[np.ndarray, tuple[np.ndarray, ...], "CellWeights"], tuple[np.ndarray, ...]]


@dataclass(frozen=True)
class CellWeights:
    """The weights of one layer in one direction (arrays, types or values)."""

    w_ih: Any  # [gates * hidden, input]
    w_hh: Any  # [gates * hidden, output]
    b_ih: Any = None  # [gates * hidden]
    b_hh: Any = None
    w_hr: Any = None  # [projection, hidden]
    peephole: Any = None  # [3 * hidden], of the gates i, f, o


@dataclass(frozen=True)
class Stack:
    """The shape of a recurrent op: how many gates, layers and directions, and what each cell has."""

    name: str
    gates: int
    hidden: int
    layers: int
    direction: Direction
    bias: bool
    batch_first: bool
    projection: int = 0

    @property
    def reversals(self) -> tuple[bool, ...]:
        """For each direction, whether it runs from the end."""
        return {"forward": (False,), "reverse": (True,), "bidirectional": (False, True)}[self.direction]

    @property
    def out(self) -> int:
        """Features of the state that the output shows."""
        return self.projection or self.hidden

    @property
    def cells(self) -> int:
        return self.layers * len(self.reversals)

    def split(self, weights: Sequence[Any]) -> list[CellWeights]:
        """The flat weights by cell: layer by layer, forward before reverse. Raises ValueError on a wrong count."""
        each = 2 + 2 * self.bias + bool(self.projection)
        if len(weights) != each * self.cells:
            raise ValueError(
                f"{self.name}: {each * self.cells} weights expected ({each} for each of {self.cells} cells), got {len(weights)}"
            )
        out = []
        for start in range(0, len(weights), each):
            w_ih, w_hh, *rest = weights[start : start + each]
            b_ih, b_hh = rest[:2] if self.bias else (None, None)
            out.append(CellWeights(w_ih, w_hh, b_ih, b_hh, rest[-1] if self.projection else None))
        return out

    def infer(
        self,
        x: TensorType,
        states: dict[str, tuple[TensorType | None, int]],
        lengths: TensorType | None,
        weights: Sequence[TensorType],
    ) -> tuple[TensorType, ...]:
        """Output and final states. `states` holds each initial state with its number of features."""
        if x.rank != 3:
            raise ValueError(f"{self.name}: input must be [time, batch, features] (or batch first), got {x}")
        if (
            self.hidden < 1
            or self.layers < 1
            or self.projection < 0
            or (self.projection >= self.hidden and self.projection)
        ):
            raise ValueError(
                f"{self.name}: hidden_size and layers must be positive, projection smaller than hidden_size"
            )
        time, batch = (x.shape[1], x.shape[0]) if self.batch_first else (x.shape[0], x.shape[1])
        finals = [x.with_shape((self.cells, batch, size)) for _, size in states.values()]
        for (key, (given, _)), want in zip(states.items(), finals):
            if given is not None:
                self._require(key, given, want.shape)
        if lengths is not None:
            self._require("lengths", lengths, (batch,))
        self._check_weights(x.shape[2], weights)
        features = self.out * len(self.reversals)
        return x.with_shape((batch, time, features) if self.batch_first else (time, batch, features)), *finals

    def _check_weights(self, features: Dim, weights: Sequence[TensorType]) -> None:
        rows = self.gates * self.hidden
        for i, cell in enumerate(self.split(weights)):
            inner = features if i < len(self.reversals) else self.out * len(self.reversals)
            self._require(f"w_ih of cell {i}", cell.w_ih, (rows, inner))
            self._require(f"w_hh of cell {i}", cell.w_hh, (rows, self.out))
            if self.bias:
                self._require(f"b_ih of cell {i}", cell.b_ih, (rows,))
                self._require(f"b_hh of cell {i}", cell.b_hh, (rows,))
            if self.projection:
                self._require(f"w_hr of cell {i}", cell.w_hr, (self.projection, self.hidden))

    def _require(self, what: str, t: TensorType, shape: tuple[Dim, ...]) -> None:
        if t.rank != len(shape):
            raise ValueError(f"{self.name}: {what} must have shape {list(shape)}, got {t}")
        for have, want in zip(t.shape, shape):
            require_same(have, want, f"{self.name} {what}")

    def run(
        self,
        step: Step,
        x: np.ndarray,
        states: Sequence[tuple[np.ndarray | None, int]],
        lengths: np.ndarray | None,
        weights: Sequence[np.ndarray],
        drop: Callable[[np.ndarray], np.ndarray] | None,
    ) -> tuple[np.ndarray, ...]:
        """Output and final states. `drop` is applied to what one layer hands to the next."""
        x = np.swapaxes(x, 0, 1) if self.batch_first else x
        time, batch = x.shape[:2]
        if lengths is not None and ((lengths < 0) | (lengths > time)).any():
            raise ValueError(f"{self.name}: lengths {lengths.tolist()} must lie in [0, {time}]")
        initial = [np.zeros((self.cells, batch, n), x.dtype) if given is None else given for given, n in states]
        finals: list[tuple[np.ndarray, ...]] = []
        cells = iter(self.split(weights))
        for layer in range(self.layers):
            if layer and drop is not None:
                x = drop(x)
            parts = []
            for reverse in self.reversals:
                state = tuple(s[len(finals)] for s in initial)
                part, final = run_cell(step, x, state, lengths, next(cells), reverse, self.out)
                parts.append(part)
                finals.append(final)
            x = np.concatenate(parts, axis=-1)
        out = np.ascontiguousarray(np.swapaxes(x, 0, 1)) if self.batch_first else x
        return out, *(np.stack(column) for column in zip(*finals))


def run_cell(
    step: Step,
    x: np.ndarray,
    state: tuple[np.ndarray, ...],
    lengths: np.ndarray | None,
    w: CellWeights,
    reverse: bool,
    out: int,
) -> tuple[np.ndarray, tuple[np.ndarray, ...]]:
    """One layer in one direction. Behind a sequence's end the output is 0 and the state stands still.

    A reversed run therefore enters each sequence at its own last element.
    """
    time, batch = x.shape[:2]
    from_input = x @ w.w_ih.T
    if w.b_ih is not None:
        from_input += w.b_ih
    result = np.zeros((time, batch, out), x.dtype)
    for t in range(time - 1, -1, -1) if reverse else range(time):
        new = step(from_input[t], state, w)
        if lengths is None:
            state, result[t] = new, new[0]
        else:
            live = (t < lengths)[:, None]
            state = tuple(np.where(live, a, b) for a, b in zip(new, state))
            result[t] = np.where(live, new[0], 0)
    return result, state


def dropper(
    p: float, frozen: bool, training: bool, rng: np.random.Generator
) -> Callable[[np.ndarray], np.ndarray] | None:
    """Dropout between layers, None where it does nothing."""
    if not training or frozen or not p:
        return None
    return lambda x: np.where(draw_keep(rng, x.shape, p), x / (1 - p or 1), 0).astype(x.dtype)


def sigmoid(x: np.ndarray) -> np.ndarray:
    """1 / (1 + exp(-x)); the overflow of exp gives the right limit."""
    return 1 / (1 + np.exp(-x))


def recur(h: np.ndarray, w: CellWeights) -> np.ndarray:
    """What the previous output adds to the gates."""
    out = h @ w.w_hh.T
    return out if w.b_hh is None else out + w.b_hh
