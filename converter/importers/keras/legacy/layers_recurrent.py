"""Recurrent layers: gates kept apart by Keras 1, those of cuDNN, cells, and the two directions of Bidirectional."""

from __future__ import annotations

from typing import Any

import numpy as np

from converter.importers.base import Refusal
from converter.importers.keras.legacy.layers_conv import spatial, turned
from converter.importers.keras.legacy.units import Arguments, Unit, Weights, rules, today, unit
from converter.importers.keras.stored.hdf5 import Stored

Array = np.ndarray
GATES = {"LSTM": "ifco", "GRU": "zrh", "ConvLSTM2D": "ifco"}
"""The gates of today's joint kernels in their order."""


def _joined(kind: str) -> Any:
    """The arrays that Keras 1 keeps for each gate (`lstm_1_W_i`, ...) side by side in today's order."""

    def convert(stored: list[Stored]) -> list[Array]:
        by_gate = {tuple(s.name.split(":")[0].rsplit("_", 2)[1:]): s.values for s in stored}
        try:
            return [np.concatenate([by_gate[part, gate] for gate in GATES[kind]], axis=-1) for part in "WUb"]
        except KeyError as error:
            raise Refusal(f"no array of the gate {error} among its weights") from None

    return convert


def _options(a: Arguments) -> None:
    """Arguments about how it is computed, and those that were added later."""
    a.drop("implementation", "input_dim", "input_length")
    a.only("time_major", False)
    for key, value in {"return_state": False, "unroll": False}.items():
        a.config.setdefault(key, value)


@rules("SimpleRNN", "LSTM", "GRU")
def recurrent(a: Arguments) -> Unit:
    """SimpleRNN, LSTM and GRU; a GRU that says nothing resets its state before the product, as all did at first."""
    _options(a)
    apart = a.take("consume_less", "gpu") != "gpu" and a.kind in GATES
    if a.kind == "GRU":
        a.config.setdefault("reset_after", False)
    if a.kind == "LSTM":
        a.config.setdefault("unit_forget_bias", True)
    weights = Weights(3 * len(GATES[a.kind]), _joined(a.kind)) if apart else Weights()
    return _with_states(a, today(a.kind, a), weights)


def _with_states(a: Arguments, layer: Any, weights: Weights) -> Unit:
    """A recurrent layer that may be called on a list: its input and its states at the start."""

    def call(x: Any, initial_state: Any = None, **kwargs: Any) -> Any:
        if isinstance(x, (list, tuple)):
            x, *states = x
            initial_state = states or initial_state
        if initial_state is None:
            return layer(x, **kwargs)
        single = not isinstance(initial_state, (list, tuple))
        return layer(x, initial_state=[initial_state] if single else list(initial_state), **kwargs)

    return Unit(a.kind, a.name, call, layer, weights, a.trainable, plain=(layer,))


@rules("CuDNNLSTM", "CuDNNGRU")
def cudnn(a: Arguments) -> Unit:
    """The layers that only ran on cuDNN, whose numbers are those of LSTM and of GRU with the reset after the product."""
    _options(a)
    kind = a.kind.removeprefix("CuDNN")
    fixed: dict[str, Any] = {"activation": "tanh", "recurrent_activation": "sigmoid", "use_bias": True, "dropout": 0.0}
    fixed["recurrent_dropout"] = 0.0
    if kind == "GRU":
        fixed["reset_after"] = True
    return _with_states(a, today(kind, a, **fixed), Weights(3, _from_cudnn(kind)))


def _from_cudnn(kind: str) -> Any:
    """Kernels of cuDNN, stored transposed for each gate, and its two biases one behind the other."""
    gates = len(GATES[kind])

    def convert(stored: list[Stored]) -> list[Array]:
        kernel, recurrent, bias = (s.values for s in stored)
        kernels = [k.T.reshape(k.shape, order="F") for k in np.split(kernel, gates, axis=1)]
        recurrents = [k.T for k in np.split(recurrent, gates, axis=1)]
        both = bias.reshape(2, -1)
        return [np.hstack(kernels), np.hstack(recurrents), both if kind == "GRU" else both.sum(axis=0)]

    return convert


@rules("ConvLSTM2D")
def conv_lstm(a: Arguments) -> Unit:
    """ConvLSTM2D; its inner convolution always pads "same"."""
    _options(a)
    a.drop("unroll")
    a.config.setdefault("dilation_rate", [1, 1])
    a.config.setdefault("unit_forget_bias", True)
    for key in ("dropout", "recurrent_dropout"):
        a.config.setdefault(key, 0.0)
    size, strides = spatial(a.config["kernel_size"], 2), spatial(a.config["strides"], 2)
    if a.era.turned and not (all(k % 2 for k in size) and (a.config["padding"] == "valid" or set(strides) == {1})):
        raise Refusal(
            "padding='same' of Theano with an even kernel or a stride, which lies elsewhere than TensorFlow's"
        )
    channels, era = a.config.get("data_format") or a.era.channels, a.era
    if era.first and era.backend is None:
        raise Refusal("the file does not tell whether Theano or TensorFlow wrote it, and their kernels are turned")

    def convert(stored: list[Stored]) -> list[Array]:
        if era.first:
            if channels == "channels_first":
                stored = [
                    Stored(s.name, np.transpose(s.values, (2, 3, 1, 0)) if s.values.ndim == 4 else s.values)
                    for s in stored
                ]
            arrays = _joined("ConvLSTM2D")(stored)
        else:
            arrays = [s.values for s in stored]
        return [turned(k, 2) if k.ndim == 4 and era.turned else k for k in arrays]

    return _with_states(a, today("ConvLSTM2D", a), Weights(12 if era.first else None, convert))


def cell(config: dict[str, Any], a: Arguments) -> Any:
    """A cell of an RNN, or several one above another."""
    import keras

    kind, inner = config["class_name"], dict(config["config"])
    if kind == "StackedRNNCells":
        return keras.layers.StackedRNNCells([cell(c, a) for c in inner["cells"]], name=inner.get("name"))
    if kind not in ("SimpleRNNCell", "LSTMCell", "GRUCell"):
        raise Refusal(f"the cell {kind}, which is none of Keras")
    arguments = Arguments(kind, inner, a.era)
    arguments.drop("implementation")
    if kind == "GRUCell":
        arguments.config.setdefault("reset_after", False)
    return today(kind, arguments)


@rules("RNN")
def cells(a: Arguments) -> Unit:
    """A loop over time of one cell, or of several one above another."""
    a.drop("input_dim", "input_length")
    a.only("time_major", False)
    inside = cell(a.take("cell"), a)
    return _with_states(a, today("RNN", a, cell=inside), Weights())


def both_ways(a: Arguments, inner: Unit, backward: Unit | None) -> Unit:
    """Bidirectional over `inner`: the file has the weights of the way forward, then those of the way back."""
    a.drop("num_constants", "weights")
    halves = inner.weights

    def convert(stored: list[Stored]) -> list[Array]:
        half = len(stored) // 2
        parts = (stored[:half], stored[half:])
        each = halves.convert
        return [x for part in parts for x in (each(part) if each else [s.values for s in part])]

    merge_mode = a.take("merge_mode", "concat")
    other = None if backward is None else backward.layer
    layer = today("Bidirectional", a, layer=inner.layer, merge_mode=merge_mode, backward_layer=other)
    if (
        not a.era.modern
    ):  # at masked steps the output before stayed; since tf.keras it is zero where both directions are joined
        for half in (layer.forward_layer, layer.backward_layer):
            half.zero_output_for_mask = False
    count = None if halves.count is None else 2 * halves.count
    made = _with_states(a, layer, Weights(count, convert))
    return made


def each_step(a: Arguments, inner: Unit) -> Unit:
    """TimeDistributed over `inner`: one layer of today, or a model, which is connected when its input is known."""
    if inner.children is not None:
        return _each_step_of_model(a, inner)
    if len(inner.plain) != 1:
        raise Refusal(f"TimeDistributed over {inner.kind}, which takes more than one layer today")
    return unit(a, today("TimeDistributed", a, layer=inner.layer), weights=inner.weights)


def _each_step_of_model(a: Arguments, inner: Unit) -> Unit:
    import keras

    made = Unit(a.kind, a.name, lambda x: x, None, trainable=a.trainable, children=(inner,))
    around: list[Any] = []

    def call(x: Any, **kwargs: Any) -> Any:
        if not around:
            step = keras.KerasTensor((x.shape[0], *x.shape[2:]), dtype=x.dtype)
            inner.call(step)
            around.append(today("TimeDistributed", a, layer=inner.layer))
        return around[0](x, **kwargs)

    made.call = call
    return made
