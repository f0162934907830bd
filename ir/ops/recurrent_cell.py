"""One step of a recurrent cell with clipping, peepholes and activations of its own.

A step is written once, in the words of the `Builder`; `Arrays` has the same words for NumPy.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

from ir.ops.recurrent_parts import CellWeights, sigmoid

Activation = Callable[[Any, Any, float, float], Any]
"""`(words, x, alpha, beta)`."""


class Arrays:
    """What a step says of values, on arrays."""

    add, sub, mul, minimum, maximum = np.add, np.subtract, np.multiply, np.minimum, np.maximum
    abs, tanh, expm1, where, greater = np.abs, np.tanh, np.expm1, np.where, np.greater
    clip = np.clip
    div = np.divide
    sigmoid = staticmethod(sigmoid)

    @staticmethod
    def softplus(x: np.ndarray, threshold: float) -> np.ndarray:
        return np.logaddexp(x, np.zeros((), x.dtype))

    @staticmethod
    def split(x: np.ndarray, sizes: tuple[int, ...], axis: int) -> list[np.ndarray]:
        return np.split(x, np.cumsum(sizes)[:-1], axis)

    @staticmethod
    def linear(x: np.ndarray, weight: np.ndarray, bias: np.ndarray | None) -> np.ndarray:
        out: np.ndarray = x @ weight.T
        return out if bias is None else out + bias


ACTIVATIONS: dict[str, Activation] = {
    "relu": lambda m, x, a, b: m.maximum(x, 0.0),
    "tanh": lambda m, x, a, b: m.tanh(x),
    "sigmoid": lambda m, x, a, b: m.sigmoid(x),
    "affine": lambda m, x, a, b: m.add(m.mul(x, a), b),
    "leaky_relu": lambda m, x, a, b: m.where(m.greater(x, 0.0), x, m.mul(x, a)),
    "thresholded_relu": lambda m, x, a, b: m.where(m.greater(x, a), x, 0.0),
    "scaled_tanh": lambda m, x, a, b: m.mul(m.tanh(m.mul(x, b)), a),
    "hard_sigmoid": lambda m, x, a, b: m.clip(m.add(m.mul(x, a), b), 0.0, 1.0),
    "elu": lambda m, x, a, b: m.add(m.maximum(x, 0.0), m.mul(m.expm1(m.minimum(x, 0.0)), a)),
    "softsign": lambda m, x, a, b: m.div(x, m.add(m.abs(x), 1.0)),
    "softplus": lambda m, x, a, b: m.softplus(x, threshold=np.inf),
}
"""As ONNX's LSTM, GRU and RNN define them, at the threshold as its ThresholdedRelu does (0)."""
DEFAULTS = {"lstm": ("sigmoid", "tanh", "tanh"), "gru": ("sigmoid", "tanh"), "rnn": ("tanh",)}
"""The activations f, g, h of each kind."""
GATES = {"lstm": 4, "gru": 3, "rnn": 1}


@dataclass(frozen=True)
class Cell:
    """What one direction computes: its kind, its activations with their numbers, and its options."""

    kind: str
    hidden: int
    functions: tuple[tuple[str, float, float], ...]
    clip: float | None
    coupled: bool
    linear_before_reset: bool

    def step(self, m: Any, gates: Any, state: tuple[Any, ...], w: CellWeights) -> tuple[Any, ...]:
        """The new state from the input's share of the gates, the old state and the weights, in the words of `m`."""
        new: tuple[Any, ...] = getattr(self, f"_{self.kind}")(m, gates, state, w)
        return new

    def _act(self, m: Any, which: int, x: Any) -> Any:
        """Activation f, g or h of x, clipped before."""
        name, alpha, beta = self.functions[which]
        bounded = x if self.clip is None else m.clip(x, -self.clip, self.clip)
        return ACTIVATIONS[name](m, bounded, alpha, beta)

    def _rnn(self, m: Any, gates: Any, state: tuple[Any, ...], w: CellWeights) -> tuple[Any, ...]:
        return (self._act(m, 0, m.add(gates, m.linear(state[0], w.w_hh, w.b_hh))),)

    def _lstm(self, m: Any, gates: Any, state: tuple[Any, ...], w: CellWeights) -> tuple[Any, ...]:
        """Peepholes show the old cell to the gates i and f, the new one to o."""
        h, c = state
        four = (self.hidden,) * 4
        i, f, g, o = m.split(m.add(gates, m.linear(h, w.w_hh, w.b_hh)), sizes=four, axis=-1)
        pi, pf, po = (None,) * 3 if w.peephole is None else m.split(w.peephole, sizes=four[:3], axis=0)
        i = self._act(m, 0, i if pi is None else m.add(i, m.mul(c, pi)))
        f = m.sub(1.0, i) if self.coupled else self._act(m, 0, f if pf is None else m.add(f, m.mul(c, pf)))
        c = m.add(m.mul(f, c), m.mul(i, self._act(m, 1, g)))
        o = self._act(m, 0, o if po is None else m.add(o, m.mul(c, po)))
        return m.mul(o, self._act(m, 2, c)), c

    def _gru(self, m: Any, gates: Any, state: tuple[Any, ...], w: CellWeights) -> tuple[Any, ...]:
        (h,) = state
        sizes = (2 * self.hidden, self.hidden)
        both, last = m.split(gates, sizes=sizes, axis=-1)
        w_both, w_last = m.split(w.w_hh, sizes=sizes, axis=0)
        b_both, b_last = (None, None) if w.b_hh is None else m.split(w.b_hh, sizes=sizes, axis=0)
        rz = self._act(m, 0, m.add(both, m.linear(h, w_both, b_both)))
        r, z = m.split(rz, sizes=(self.hidden,) * 2, axis=-1)
        if self.linear_before_reset:
            shown = m.mul(r, m.linear(h, w_last, b_last))
        else:
            shown = m.linear(m.mul(r, h), w_last, b_last)
        n = self._act(m, 1, m.add(last, shown))
        return (m.add(m.mul(m.sub(1.0, z), n), m.mul(z, h)),)
