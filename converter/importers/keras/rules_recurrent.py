"""Recurrence: Keras' loop over time as a scan whose body is the traced step; LSTM, GRU and RNN where they are just those.

Keras' own layers prepare states, dropout masks and results; what they hand to the backend arrives here.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any

import numpy as np

from converter.importers.keras.bodies import close, trace
from converter.importers.keras.context import KerasContext, Unruled, is_variable, rule
from ir.core import Value
from ir.types import TensorType

LSTM_GATES, GRU_GATES = (0, 1, 2, 3), (1, 0, 2)
"""For each gate of the IR, its place in Keras: i, f, c, o as they are; r, z, n from z, r, h."""


@rule("backend.rnn")
def rnn(
    c: KerasContext, step_function: Any, inputs: Any, initial_states: Any, go_backwards: bool = False, mask: Any = None,
    constants: Any = None, unroll: bool = False, input_length: Any = None, time_major: bool = False,
    zero_output_for_mask: bool = False, return_all_outputs: bool = True,
) -> Any:  # fmt: skip
    """The last output, all outputs and the final states, as every backend gives them."""
    if is_length(input_length):
        c.refuse("lengths of sequences as an argument of the loop", "give a mask")
    loop = _Loop(c, step_function, initial_states, inputs, constants)
    loop.time = 0 if time_major else 1
    loop.masking = _Masking(c, mask, zero_output_for_mask, unroll)
    return loop.run(bool(go_backwards), bool(return_all_outputs))


def is_length(item: Any) -> bool:
    """Whether the number of steps is a tensor, and so one for each sequence."""
    return item is not None and not isinstance(item, int)


class _Masking:
    """What a mask does: a masked step keeps the states, and gives zeros or the output of the step before."""

    def __init__(self, c: KerasContext, mask: Any, zeros: bool, unroll: bool) -> None:
        from keras import config

        self.mask = None if mask is None else c.value(mask, "bool")
        self.zeros = zeros
        self.from_state = config.backend() == "jax" and not unroll
        """JAX's loop takes the first state for the output of the step before, and its start for that before the first."""
        self.carries = self.mask is not None and not zeros and not self.from_state


class _Loop:
    """One loop over time."""

    time: int
    masking: _Masking

    def __init__(self, c: KerasContext, step: Any, states: Any, inputs: Any, constants: Any) -> None:
        from keras import tree

        self.c, self.step = c, step
        self.states, self.inputs, self.constants = tuple(states), inputs, tuple(constants or ())
        self.start = [c.value(s) for s in tree.flatten(self.states)]
        self.scanned = [c.value(x) for x in tree.flatten(inputs)]
        self.outputs: Any = None
        self.same: int | None = None  # the state that is the output as well

    def run(self, backwards: bool, every: bool) -> Any:
        from keras import tree

        c, m = self.c, self.masking
        n, k = len(self.start), len(self.scanned)
        given = [(f"state_{i + 1}", v.type) for i, v in enumerate(self.start)]
        given += [("x" if k == 1 else f"x_{i + 1}", _slice(v.type, self.time)) for i, v in enumerate(self.scanned)]
        scanned = list(self.scanned)
        if m.mask is not None:
            given.append(("keep", _slice(m.mask.type, self.time)))
            scanned.append(m.mask)
        body = trace(c, "step", given, lambda *values: self._plain(*values))
        before: list[Value] = []
        if m.mask is not None:
            before = self._masked(body)
        carried = [*self.start, *before]
        last_only = not every and m.mask is None and self.same is not None
        if last_only:
            body.set_outputs(body.outputs[:n])
        captured = close([body])
        count = len(body.outputs) - len(carried)
        results = c.b.scan(
            carried, scanned, captured, axes=(self.time,) * len(scanned), reverse=(backwards,) * len(scanned),
            output_axes=(self.time,) * count, body=body,
        )  # fmt: skip
        states = tree.pack_sequence_as(self.states, [c.tensor(v) for v in results[:n]])
        if last_only:
            last = results[self.same or 0]
            return c.tensor(last), c.tensor(c.b.unsqueeze(last, axes=(self.time,))), list(states)
        stacked = results[len(carried) :]
        lasts = [c.b.select(v, axis=self.time, index=-1) for v in stacked]
        if not every:
            stacked = tuple(c.b.unsqueeze(v, axes=(self.time,)) for v in lasts)
        return self._packed(lasts), self._packed(stacked), list(states)

    def _packed(self, values: Sequence[Value]) -> Any:
        from keras import tree

        return tree.pack_sequence_as(self.outputs, [self.c.tensor(v) for v in values])

    def _plain(self, *values: Value) -> list[Value]:
        """New states, then outputs, of one step."""
        from keras import tree

        c, n, k = self.c, len(self.start), len(self.scanned)
        states = tree.pack_sequence_as(self.states, [c.tensor(v) for v in values[:n]])
        x = tree.pack_sequence_as(self.inputs, [c.tensor(v) for v in values[n : n + k]])
        output, after = self.step(x, tuple(states) + self.constants)
        self.outputs = output
        outputs = [c.value(o) for o in tree.flatten(output)]
        news = [c.value(s) for s in tree.flatten(after)]
        if len(news) != n:
            c.refuse(f"a step that makes {len(news)} states of {n}")
        for old, new in zip(self.start, news, strict=True):
            if old.type.dtype != new.type.dtype:
                c.refuse(f"a state that is {old.type.dtype} before and {new.type.dtype} after a step")
        if len(outputs) == 1 and outputs[0] in news:
            self.same = news.index(outputs[0])
        return [*news, *outputs]

    def _masked(self, body: Any) -> list[Value]:
        """Let masked steps keep what was; returns the start of the outputs of the step before, which are carried."""
        c, m, n = self.c, self.masking, len(self.start)
        olds, keep = body.inputs[:n], body.inputs[-1]
        news, outputs = body.outputs[:n], body.outputs[n:]
        before: list[Value] = []
        if m.carries:
            before = [_zeros(c, v.type) for v in outputs]
            for value in before:
                _insert_input(body, n + before.index(value), value.type, "before")
        previous = body.inputs[n : n + len(before)]
        with c.within(body):
            states = [_choose(c, keep, new, old) for new, old in zip(news, olds, strict=True)]
            if m.zeros:
                previous = [_zeros(c, v.type) for v in outputs]
            elif m.from_state:
                previous = [self._first_state(olds)] * len(outputs)
            shown = [_choose(c, keep, new, old) for new, old in zip(outputs, previous, strict=True)]
        body.set_outputs([*states, *(shown if m.carries else ()), *shown])
        return before

    def _first_state(self, olds: Sequence[Value]) -> Value:
        """The state that JAX's loop takes for the output before: the first; of the last cell, where cells are stacked."""
        from keras import tree

        packed = tree.pack_sequence_as(self.states, list(olds))
        return packed[-1][0] if tree.is_nested(packed[0]) else packed[0]


def _slice(kind: TensorType, axis: int) -> TensorType:
    return kind.with_shape(d for i, d in enumerate(kind.shape) if i != axis)


def _insert_input(body: Any, place: int, kind: TensorType, name: str) -> None:
    value = body.add_input(kind, name)
    body.inputs.insert(place, body.inputs.pop())
    for i, each in enumerate(body.inputs):
        each.index = i
    assert body.inputs[place] is value


def _zeros(c: KerasContext, kind: TensorType) -> Value:
    return c.b.full(shape=kind.shape, value=False if kind.dtype.is_bool else 0, dtype=kind.dtype)


def _choose(c: KerasContext, keep: Value, new: Value, old: Value) -> Value:
    """`new` where the sample's step counts, else `old`; a mask may have an axis of size 1 behind the samples."""
    missing = tuple(range(keep.type.rank, new.type.rank))
    flag = c.b.unsqueeze(keep, axes=missing) if missing else keep
    return c.b.where(flag, new, old)


# -- layers that frameworks have ----------------------------------------------------------------------------------------
@rule("backend.lstm")
def lstm(
    c: KerasContext, inputs: Any, initial_state_h: Any, initial_state_c: Any, mask: Any, kernel: Any,
    recurrent_kernel: Any, bias: Any, activation: Any, recurrent_activation: Any, return_sequences: bool = False,
    go_backwards: bool = False, unroll: bool = False, **_: Any,
) -> Any:  # fmt: skip
    """Raises NotImplementedError where the layer is another one: Keras then loops over its cell."""
    x = _plain_input(c, inputs, mask, (activation, "tanh"), (recurrent_activation, "sigmoid"))
    weights = _weights(c, kernel, recurrent_kernel, bias, LSTM_GATES)
    size = weights[1].type.shape[1]
    h, cell = (_start(c, x, s) for s in (initial_state_h, initial_state_c))
    out, *states = c.b.lstm(
        x, h, cell, None, weights, hidden_size=size, bias=bias is not None, batch_first=True,
        direction="reverse" if go_backwards else "forward",
    )  # fmt: skip
    return _results(c, out, states, go_backwards, return_sequences)


@rule("backend.gru")
def gru(
    c: KerasContext, inputs: Any, initial_state: Any, mask: Any, kernel: Any, recurrent_kernel: Any, bias: Any,
    activation: Any, recurrent_activation: Any, return_sequences: bool = False, go_backwards: bool = False,
    unroll: bool = False, time_major: bool = False, reset_after: bool = True, **_: Any,
) -> Any:  # fmt: skip
    """As `lstm`. `reset_after` has a bias of its own for each product, which the IR always has."""
    x = _plain_input(c, inputs, mask, (activation, "tanh"), (recurrent_activation, "sigmoid"))
    weights = _weights(c, kernel, recurrent_kernel, bias, GRU_GATES)
    h = _start(c, x, initial_state)
    out, *states = c.b.gru(
        x, h, None, weights, hidden_size=weights[1].type.shape[1], bias=bias is not None, batch_first=True,
        direction="reverse" if go_backwards else "forward", linear_before_reset=bool(reset_after),
    )  # fmt: skip
    return _results(c, out, states, go_backwards, return_sequences)


def _plain_input(c: KerasContext, inputs: Any, mask: Any, *activations: tuple[Any, str]) -> Value:
    if mask is not None or any(getattr(f, "__name__", "") != name for f, name in activations):
        raise NotImplementedError
    return c.value(inputs)


def _start(c: KerasContext, x: Value, *states: Any) -> Value | None:
    """The states of each direction before the first step; None where all are zero. They belong to who calls the layer."""
    with c.outside():
        values = [c.value(s, x.type.dtype) for s in states]
        return None if all(_is_zero(v) for v in values) else c.b.stack(values, axis=0)


def _is_zero(value: Value) -> bool:
    node = value.producer
    while node is not None and node.op.name in ("expand", "cast"):
        value, node = node.operand("x"), node.operand("x").producer
    if node is None:
        return False
    if node.op.name == "constant":
        return not np.any(node.attrs["value"].value)
    return node.op.name == "full" and not node.attrs["value"]


def _weights(c: KerasContext, kernel: Any, recurrent: Any, bias: Any, gates: tuple[int, ...]) -> list[Value]:
    """Input and recurrent weights and biases, gates in the IR's order."""
    given = [kernel, recurrent, *([] if bias is None else [bias])]
    if not all(is_variable(v) for v in given):
        raise NotImplementedError  # LoRA, say: the cell's own arithmetic
    found = c.weights.gates(given, gates)
    if found is None:
        raise NotImplementedError
    return [c.cast_weight(given[min(i, len(given) - 1)], v) for i, v in enumerate(found)]


def _results(c: KerasContext, out: Value, states: Sequence[Value], backwards: bool, every: bool) -> Any:
    """As `rnn`: outputs of a reversed loop come in the order in which it made them. All that stands beside the layer."""
    with c.outside():
        finals = [c.b.squeeze(s, axes=(0,)) for s in states]
        if every:
            shown = c.b.flip(out, axes=(1,)) if backwards else out
        else:
            shown = c.b.unsqueeze(finals[0], axes=(1,))
        return finals[0], shown, finals


# -- both directions ----------------------------------------------------------------------------------------------------
@rule("layers.Bidirectional")
def bidirectional(
    c: KerasContext, layer: Any, sequences: Any, initial_state: Any = None, mask: Any = None, training: Any = None
) -> Any:
    """One op for both directions where Keras itself would hand both to the backend; else the two layers."""
    if layer.forward_layer.go_backwards or not layer.backward_layer.go_backwards:
        raise Unruled
    for kind in ("lstm", "gru"):
        if getattr(layer, f"_can_attempt_fused_{kind}")(mask, initial_state):
            c.paired = True
            try:
                return getattr(layer, f"_call_fused_{kind}")(sequences, initial_state)
            except NotImplementedError:
                break
            finally:
                c.paired = False
    raise Unruled


@rule("backend.bidirectional_lstm", "backend.bidirectional_gru")
def both_directions(
    c: KerasContext, inputs: Any, *states: Any, mask: Any, fwd_kernel: Any, fwd_recurrent_kernel: Any, fwd_bias: Any,
    bwd_kernel: Any, bwd_recurrent_kernel: Any, bwd_bias: Any, activation: Any, recurrent_activation: Any,
    return_sequences: bool, reset_after: bool | None = None, unroll: bool = False,
) -> Any:  # fmt: skip
    """Last outputs, outputs and states of either direction, the reversed one in the order of the input."""
    if not c.paired or reset_after is False:
        raise NotImplementedError
    x = _plain_input(c, inputs, mask, (activation, "tanh"), (recurrent_activation, "sigmoid"))
    gates = LSTM_GATES if reset_after is None else GRU_GATES
    weights = [
        *_weights(c, fwd_kernel, fwd_recurrent_kernel, fwd_bias, gates),
        *_weights(c, bwd_kernel, bwd_recurrent_kernel, bwd_bias, gates),
    ]
    size = weights[1].type.shape[1]
    half = len(states) // 2
    given = [_start(c, x, states[i], states[half + i]) for i in range(half)]
    op = c.b.lstm if reset_after is None else c.b.gru
    out, *finals = op(
        x, *given, None, weights, hidden_size=size, bias=True, batch_first=True, direction="bidirectional"
    )
    results = []
    with c.outside():
        halves = [c.tensor(v) for v in c.b.split(out, sizes=(size, size), axis=2)] if return_sequences else [None, None]
        for i in range(2):
            ends = [c.tensor(c.b.select(s, axis=0, index=i)) for s in finals]
            results.append((ends[0], halves[i], ends))
    return tuple(results)


# -- the same layer at each step -----------------------------------------------------------------------------------------
_ALONE = re.compile(
    r"Dense|Embedding|Identity|InputLayer|Activation|\w*ReLU|ELU|Flatten|Reshape|Permute|RepeatVector|Rescaling"
    r"|(Depthwise|Separable)?Conv[123]D(Transpose)?|(Zero)?(Up)?(Padding|Cropping|Sampling)[123]D|(\w+)Pooling[123]D"
    r"|(Spatial|Gaussian|Alpha)?Dropout([123]D)?|GaussianNoise|(Layer|RMS|Unit|Group)Normalization|Softmax"
    r"|LSTM|GRU|SimpleRNN|LSTMCell|GRUCell|SimpleRNNCell|Add|Subtract|Multiply|Average|Maximum|Minimum|Concatenate"
    r"|Functional|Sequential|TimeDistributed"
)
"""Layers that compute each sample from that sample alone, in both modes, unless they are told otherwise."""


@rule("layers.TimeDistributed")
def time_distributed(c: KerasContext, layer: Any, inputs: Any, training: Any = None, mask: Any = None) -> Any:
    """Steps as so many samples, where the layer inside treats each on its own; else Keras' loop over known steps."""
    from keras import tree

    x = c.value(inputs)
    steps = x.type.shape[1]
    masked = mask is not None and layer.layer._call_has_mask_arg  # Keras hands it to layers that take one
    if masked or not all(_alone(one) for one in (layer.layer, *layer.layer._flatten_layers(False))):
        if not isinstance(steps, int):
            c.refuse("steps of unknown number whose results may depend on each other", "give the number of steps")
        raise Unruled
    flat = c.b.reshape(x, shape=(x.type.shape[0] * steps, *x.type.shape[2:]))
    inner = layer.layer
    how = {"training": training} if inner._call_has_training_arg else {}
    own = type(inner).__name__ == "TimeDistributed" and type(inner).__module__.startswith("keras.src.")
    result = time_distributed(c, inner, c.tensor(flat), **how) if own else inner.call(c.tensor(flat), **how)

    def back(item: Any) -> Any:
        value = c.value(item)
        return c.tensor(c.b.reshape(value, shape=(x.type.shape[0], steps, *value.type.shape[1:])))

    return tree.map_structure(back, result)


def _alone(layer: Any) -> bool:
    """Whether a layer of Keras is sure to compute each sample from that sample alone."""
    from keras.src.layers import Layer

    cls = type(layer)
    if not cls.__module__.startswith(("keras.src.layers.", "keras.src.models.")) or not _ALONE.fullmatch(cls.__name__):
        return False
    axis = getattr(layer, "axis", -1)
    axes = axis if isinstance(axis, (list, tuple)) else (axis,)
    functions = [getattr(layer, name, None) for name in ("activation", "recurrent_activation")]
    return (
        0 not in axes
        and not getattr(layer, "stateful", False)
        and getattr(layer, "noise_shape", None) is None
        and all(f is None or getattr(f, "__module__", "").startswith("keras.src.activations") for f in functions)
        and all(isinstance(o, Layer) for o in getattr(layer, "_operations", ()))
    )
