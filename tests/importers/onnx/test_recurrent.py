"""LSTM, GRU and RNN in their rarer options: peepholes, clipping, activations, coupling, layouts, against ONNX Runtime."""

from __future__ import annotations

import itertools
from typing import Any

import numpy as np
import onnx
import pytest

from converter.errors import ConversionError
from converter.importers.onnx import load
from ir.eval import Evaluator
from tests.importers.onnx.models import FLOAT, agree, floats, model, node, op_names

GATES = {"LSTM": 4, "GRU": 3, "RNN": 1}
HIDDEN, TIME, BATCH = 3, 4, 2


def layer(
    kind: str, direction: str = "forward", opset: int = 14, peephole: bool = False, outputs: str = "y h",
    lengths: tuple[int, ...] = (), states: bool = False, bias: bool = True, **attributes: Any,
) -> tuple[onnx.ModelProto, dict[str, np.ndarray]]:  # fmt: skip
    """A model of one layer whose weights are stored and whose other operands are inputs."""
    count, rows = 2 if direction == "bidirectional" else 1, GATES[kind] * HIDDEN
    stored = {"w": 0.6 * floats(count, rows, 2, seed=1), "r": 0.6 * floats(count, rows, HIDDEN, seed=2)}
    stored |= {"b": floats(count, 2 * rows, seed=3)} if bias else {}
    stored |= {"p": floats(count, 3 * HIDDEN, seed=4)} if peephole else {}
    first = attributes.get("layout", 0)
    inputs: dict[str, np.ndarray] = {"x": floats(BATCH, TIME, 2) if first else floats(TIME, BATCH, 2)}
    inputs |= {"n": np.array(lengths, np.int32)} if lengths else {}
    shape = (BATCH, count, HIDDEN) if first else (count, BATCH, HIDDEN)
    for i, name in enumerate("hc"[: states * (1 + (kind == "LSTM"))]):
        inputs[f"{name}0"] = floats(*shape, seed=5 + i)
    names = ["x", "w", "r", *(n if n in stored or n in inputs else "_" for n in ("b", "n", "h0"))]
    names += [n if n in stored or n in inputs else "_" for n in ("c0", "p")] if kind == "LSTM" else []
    made = node(kind, " ".join(names).rstrip(" _"), outputs, hidden_size=HIDDEN, direction=direction, **attributes)
    declared = [(k, FLOAT if k != "n" else onnx.TensorProto.INT32, v.shape) for k, v in inputs.items()]
    return model([made], declared, outputs.split(), stored, opset=opset), inputs


def same(kind: str, *more: Any, **options: Any) -> list[str]:
    """Import and runtime agree; the recurrent ops of the import."""
    taken = agree(*layer(kind, *more, **options))
    return [n for n in op_names(taken) if n in ("lstm", "gru", "rnn", "recurrent_layer")]


def refusal(*more: Any, **options: Any) -> str:
    with pytest.raises(ConversionError) as error:
        load(layer(*more, **options)[0])
    return str(error.value)


DIRECTIONS = ("forward", "reverse", "bidirectional")


@pytest.mark.parametrize("direction", DIRECTIONS)
@pytest.mark.parametrize("opset", [7, 14, 22])
def test_peepholes_and_coupling(direction: str, opset: int) -> None:
    for coupled, lengths, states in itertools.product((0, 1), ((), (4, 2)), (False, True)):
        options: dict[str, Any] = {"input_forget": coupled, "lengths": lengths, "states": states, "outputs": "y h c"}
        assert same("LSTM", direction, opset, True, **options) == ["recurrent_layer"]
        assert same("LSTM", direction, opset, False, **options) == ["recurrent_layer" if coupled else "lstm"]
    assert same("LSTM", direction, opset, True, bias=False) == ["recurrent_layer"]


@pytest.mark.parametrize("kind", ["GRU", "RNN"])
@pytest.mark.parametrize("direction", DIRECTIONS)
def test_clipping(kind: str, direction: str) -> None:
    for lengths, states in itertools.product(((), (2, 4)), (False, True)):
        for extra in ({"linear_before_reset": 0}, {"linear_before_reset": 1}) if kind == "GRU" else ({},):
            assert same(kind, direction, clip=0.5, lengths=lengths, states=states, **extra) == ["recurrent_layer"]


def test_an_lstm_clips_what_enters_every_activation() -> None:
    """The output is at most tanh(clip): ONNX Runtime does not clip the cell there, and a note says so."""
    proto, inputs = layer("LSTM", clip=0.25, outputs="y h c", states=True)
    taken = load(proto)
    y, _, c = Evaluator("exact").run(taken, inputs).values()
    assert np.abs(c).max() > 0.25 and np.abs(y).max() <= np.tanh(0.25)
    assert any("clip" in n for n in taken.notes)
    assert same("LSTM", clip=100.0) == ["recurrent_layer"]


ONE = {"Affine": ([0.5], [0.25]), "LeakyRelu": ([0.2], []), "ThresholdedRelu": ([0.3], []), "ScaledTanh": ([1.5], [0.5]),
       "HardSigmoid": ([0.3], [0.4]), "Elu": ([0.5], []), "Relu": ([], []), "Tanh": ([], []), "Sigmoid": ([], []),
       "Softsign": ([], []), "Softplus": ([], [])}  # fmt: skip
FREE = ("LeakyRelu", "HardSigmoid", "Elu")


def numbers(*names: str) -> dict[str, list[float]]:
    alpha, beta = (sum((ONE[n][i] for n in names), []) for i in (0, 1))
    return ({"activation_alpha": alpha} if alpha else {}) | ({"activation_beta": beta} if beta else {})


@pytest.mark.parametrize("name", list(ONE))
def test_activations(name: str) -> None:
    op = "rnn" if name in ("Relu", "Tanh") else "recurrent_layer"
    assert same("RNN", activations=[name], **numbers(name)) == [op]
    for place in range(3):
        names = ["Sigmoid", "Tanh", "Tanh"]
        names[place] = name
        same("LSTM", activations=names, outputs="y h c", **numbers(*names))
        if place < 2:
            for before in (0, 1):
                same("GRU", activations=names[:2], linear_before_reset=before, **numbers(*names[:2]))
    if name in FREE:
        assert same("RNN", activations=[name]) == ["recurrent_layer"]
    elif ONE[name][0]:
        assert "not defined alike" in refusal("RNN", activations=[name])


def test_numbers_go_to_the_activations_that_take_them() -> None:
    names = ["Affine", "Tanh", "LeakyRelu", "Sigmoid", "HardSigmoid", "Elu"]
    same("LSTM", "bidirectional", activations=names, **numbers(*names))
    same("LSTM", activations=names[:3], activation_alpha=[0.5], activation_beta=[0.25])  # LeakyRelu has its default
    assert "more numbers" in refusal(
        "LSTM", activations=names[:3], activation_alpha=[0.5, 1.0, 2.0], activation_beta=[0.25]
    )
    assert "more numbers" in refusal("LSTM", activations=names[:3], activation_alpha=[0.5], activation_beta=[1.0, 2.0])
    assert same("LSTM", activations=["Sigmoid", "Tanh", "Tanh"], activation_alpha=[0.5, 1.0, 2.0]) == ["lstm"]


def test_directions_with_activations_of_their_own() -> None:
    assert same("RNN", "bidirectional", activations=["Relu", "Tanh"], states=True, lengths=(4, 1)) == [
        "recurrent_layer"
    ]
    assert same("RNN", "bidirectional", activations=["Relu", "Relu"]) == ["rnn"]
    assert same("RNN", activations=["Relu", "Relu"]) == ["rnn"]
    names = ["Sigmoid", "Tanh", "Relu", "Softsign"]
    assert same("GRU", "bidirectional", activations=names, outputs="y h") == ["recurrent_layer"]


@pytest.mark.parametrize("kind", list(GATES))
@pytest.mark.parametrize("direction", ["forward", "bidirectional"])
def test_batch_first(kind: str, direction: str) -> None:
    """`layout=1`, which ONNX Runtime lacks, is the other layout moved."""
    outs = "y h c" if kind == "LSTM" else "y h"
    options: dict[str, Any] = {"clip": 0.5, "lengths": (4, 2), "states": True, "outputs": outs}
    usual, inputs = layer(kind, direction, **options)
    first, _ = layer(kind, direction, layout=1, **options)
    moved = {k: v if k == "n" else v.transpose(1, 0, 2) for k, v in inputs.items()}
    want = Evaluator("exact").run(load(usual), inputs)
    have = Evaluator("exact").run(load(first), moved)
    for name, value in want.items():
        np.testing.assert_array_equal(
            have[name], value.transpose(2, 0, 1, 3) if name == "y" else value.transpose(1, 0, 2)
        )


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"clip": 0.0}, "not positive"), ({"clip": -1.0}, "not positive"), ({"activations": ["Tanh", "Relu", "Tanh"]}, "are not 1"),
        ({"activations": ["Cosine"]}, "are not 1"), ({"activations": ["Relu", "Tanh"]}, "are not 1"),
    ],
)  # fmt: skip
def test_refused(options: dict[str, Any], said: str) -> None:
    assert said in refusal("RNN", **options)
