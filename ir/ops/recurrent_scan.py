"""Recurrent stacks as scans: one closed body a cell, so that the number of time steps may be symbolic."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from ir.ops.norm_parts import narrowed, widened
from ir.ops.recurrent_parts import CellWeights, Stack
from ir.types import dtypes

BuilderStep = Callable[[Any, Any, tuple[Any, ...], CellWeights], tuple[Any, ...]]


def decompose_stack(
    b: Any,
    stack: Stack,
    step: BuilderStep,
    x: Any,
    states: Sequence[tuple[Any, int]],
    lengths: Any,
    weights: Sequence[Any],
    dropout: float,
    frozen: bool,
) -> tuple[Any, ...]:
    """Output and final states made of linear layers and scans. `states` holds each initial state and its features."""
    like, (x,), weights = x, widened(b, x), widened(b, *weights)
    x = b.transpose(x, perm=(1, 0, 2)) if stack.batch_first else x
    batch = x.type.shape[1]
    initial = [
        b.full(shape=(stack.cells, batch, n), value=0.0, dtype=x.type.dtype) if given is None else widened(b, given)[0]
        for given, n in states
    ]
    lengths = None if lengths is None else b.unsqueeze(b.cast(lengths, to=dtypes.int64), axes=(1,))
    finals: list[tuple[Any, ...]] = []
    cells = iter(stack.split(weights))
    for layer in range(stack.layers):
        if layer and dropout:
            x = b.dropout(x, p=dropout, frozen=frozen)
        parts = []
        for reverse in stack.reversals:
            state = tuple(b.select(s, axis=0, index=len(finals)) for s in initial)
            part, final = scan_cell(b, step, x, state, lengths, next(cells), reverse)
            parts.append(part)
            finals.append(final)
        x = parts[0] if len(parts) == 1 else b.concat(parts, axis=-1)
    out = b.transpose(x, perm=(1, 0, 2)) if stack.batch_first else x
    return narrowed(b, out, like), *(narrowed(b, b.stack(list(column), axis=0), like) for column in zip(*finals))


def scan_cell(
    b: Any, step: BuilderStep, x: Any, state: tuple[Any, ...], lengths: Any, w: CellWeights, reverse: bool
) -> tuple[Any, tuple[Any, ...]]:
    """One layer in one direction: its output over time and its final state."""
    scanned = [b.linear(x, w.w_ih, w.b_ih)]
    invariant = [v for v in (w.w_hh, w.b_hh, w.w_hr, w.peephole) if v is not None]
    if lengths is not None:
        scanned.append(b.arange(start=0, stop=x.type.shape[0], step=1, dtype=dtypes.int64))
        invariant.append(lengths)
    body = _body(step, state, scanned, w, lengths)
    flags = (reverse,) * len(scanned) if reverse else ()
    *final, out = b.scan(state, scanned, invariant, body=body, reverse=flags, output_reverse=flags[:1])
    return out, tuple(final)


def _body(step: BuilderStep, state: tuple[Any, ...], scanned: list[Any], w: CellWeights, lengths: Any) -> Any:
    """One time step as a closed graph: states, slices and weights in; states and the output out."""
    from ir.core import Builder, Graph  # the core imports the ops' definitions

    graph = Graph("step")
    carried = tuple(graph.add_input(s.type, f"state{i}") for i, s in enumerate(state))
    slices = [graph.add_input(v.type.with_shape(v.type.shape[1:]), name) for v, name in zip(scanned, ("gates", "time"))]

    def own(value: Any, name: str) -> Any:
        return None if value is None else graph.add_input(value.type, name)

    taken = (own(getattr(w, name), name) for name in ("w_hh", "b_hh", "w_hr", "peephole"))
    w_hh, b_hh, w_hr, peephole = taken
    inner = CellWeights(None, w_hh, None, b_hh, w_hr, peephole)
    b = Builder(graph)
    ends = own(lengths, "lengths")
    new = step(b, slices[0], carried, inner)
    out = new[0]
    if ends is not None:
        live = b.less(slices[1], ends)
        new = tuple(b.where(live, after, before) for after, before in zip(new, carried))
        out = b.where(live, out, 0.0)
    graph.set_outputs([*new, out])
    return graph


def lstm_step(b: Any, gates: Any, state: tuple[Any, ...], w: CellWeights) -> tuple[Any, ...]:
    """The builder's form of an LSTM step."""
    h, c = state
    i, f, g, o = _split(b, b.add(gates, b.linear(h, w.w_hh, w.b_hh)), 4)
    c = b.add(b.mul(b.sigmoid(f), c), b.mul(b.sigmoid(i), b.tanh(g)))
    h = b.mul(b.sigmoid(o), b.tanh(c))
    return (h if w.w_hr is None else b.linear(h, w.w_hr)), c


def gru_step(b: Any, gates: Any, state: tuple[Any, ...], w: CellWeights) -> tuple[Any, ...]:
    """A GRU step whose reset gate multiplies the recurrent product."""
    (h,) = state
    xr, xz, xn = _split(b, gates, 3)
    hr, hz, hn = _split(b, b.linear(h, w.w_hh, w.b_hh), 3)
    r, z = b.sigmoid(b.add(xr, hr)), b.sigmoid(b.add(xz, hz))
    return (_blend(b, z, b.tanh(b.add(xn, b.mul(r, hn))), h),)


def gru_step_reset_first(b: Any, gates: Any, state: tuple[Any, ...], w: CellWeights) -> tuple[Any, ...]:
    """A GRU step whose reset gate multiplies the state before the recurrent product."""
    (h,) = state
    size = h.type.shape[1]
    xr, xz, xn = _split(b, gates, 3)
    both, last = b.split(w.w_hh, sizes=(2 * size, size), axis=0)
    both_bias, last_bias = (None, None) if w.b_hh is None else b.split(w.b_hh, sizes=(2 * size, size), axis=0)
    hr, hz = _split(b, b.linear(h, both, both_bias), 2)
    r, z = b.sigmoid(b.add(xr, hr)), b.sigmoid(b.add(xz, hz))
    return (_blend(b, z, b.tanh(b.add(xn, b.linear(b.mul(r, h), last, last_bias))), h),)


def tanh_step(b: Any, gates: Any, state: tuple[Any, ...], w: CellWeights) -> tuple[Any, ...]:
    """An Elman step with tanh."""
    return (b.tanh(b.add(gates, b.linear(state[0], w.w_hh, w.b_hh))),)


def relu_step(b: Any, gates: Any, state: tuple[Any, ...], w: CellWeights) -> tuple[Any, ...]:
    """An Elman step with relu."""
    return (b.relu(b.add(gates, b.linear(state[0], w.w_hh, w.b_hh))),)


def _split(b: Any, x: Any, parts: int) -> tuple[Any, ...]:
    size = x.type.shape[1] // parts
    return tuple(b.split(x, sizes=(size,) * parts, axis=-1))


def _blend(b: Any, z: Any, new: Any, old: Any) -> Any:
    return b.add(b.mul(b.sub(1.0, z), new), b.mul(z, old))
