"""Chains of conversions: state that counts stays state, and packages are read whatever their code calls its arguments."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import Tensor, nn

import converter
from ir.core import Model
from ir.data import Array
from ir.eval import Evaluator


class Counter(nn.Module):
    """What it gives depends on how often it was called."""

    def __init__(self) -> None:
        super().__init__()
        self.register_buffer("count", torch.tensor(3))
        self.register_buffer("flags", torch.tensor([True, False]))
        self.register_buffer("mean", torch.ones(2))
        self.weight = nn.Parameter(torch.eye(2))

    def forward(self, x: Tensor) -> Tensor:
        self.count += 1
        self.flags.logical_not_()
        self.mean.mul_(0.5).add_(x.mean(0))
        return torch.tanh(x @ self.weight) * self.count + self.mean * self.flags


def _two_calls(model: Model, x: np.ndarray) -> list[np.ndarray]:
    (name,) = model.input_types
    first, state = Evaluator("exact").run_with_state(model, {name: x})
    for key, value in state.items():
        model.update_weight(key, data=Array(value))
    return [first["output"], Evaluator("exact").run(model, {name: x})["output"]]


@pytest.mark.parametrize("chain", [("onnx",), ("tensorflow", "keras"), ("tensorflow", "onnx", "keras")])
def test_integers_and_truth_values_that_change_stay_state(chain: tuple[str, ...], tmp_path: Path) -> None:
    module, x = Counter().eval(), torch.tensor([[0.5, -1.0], [2.0, 0.25]])
    with torch.no_grad():
        source: object = module
        for i, to in enumerate(chain):
            path = tmp_path / (f"{i}.onnx" if to == "onnx" else str(i))
            converter.convert(source, to, path, (x,) if i == 0 else None, verify=False)
            source = path
        found = _two_calls(converter.load(source), x.numpy())
        np.testing.assert_allclose(found, [module(x).numpy(), module(x).numpy()], rtol=1e-6)


class Named(nn.Module):
    """Arguments that are called as things of Python are."""

    def forward(self, input: Tensor, type: Tensor, ops: Tensor) -> dict[str, Tensor]:
        return {"in": input + 2 * type, "out": ops}


@pytest.mark.parametrize("to", ["keras", "tensorflow"])
def test_packages_that_had_to_rename_arguments_are_read(to: str, tmp_path: Path) -> None:
    converter.convert(Named(), to, tmp_path / "out", ("float32[n,2]",) * 3, verify=False)
    model = converter.load(tmp_path / "out")
    values = [np.full((2, 2), k, np.float32) for k in (1, 10, 100)]
    found = Evaluator("exact").run(model, dict(zip(model.input_types, values, strict=True)))
    assert [a[0, 0] for a in found.values()] == [21, 100]


def test_a_mode_that_a_source_was_converted_for_is_no_argument_in_keras(tmp_path: Path) -> None:
    import tensorflow as tf

    class Doubled(tf.Module):
        def __call__(self, x: tf.Tensor, training: bool = False) -> tf.Tensor:
            return x * 2 + 1

    inputs = {"x": "float32[n,2]", "training": False}
    converted = converter.convert(Doubled(), "keras", tmp_path / "out", inputs, verify=False)
    assert "training2" not in (tmp_path / "out" / "model.py").read_text()
    assert converted.load()(np.ones((1, 2), np.float32)).numpy().tolist() == [[3, 3]]
    converter.load(tmp_path / "out")


def test_plain_values_reach_keras_by_their_names() -> None:
    import keras

    class Scaled(keras.Model):
        def __init__(self) -> None:
            super().__init__()
            self.dense = keras.layers.Dense(2, kernel_initializer="identity")
            self.calls = self.add_weight((), dtype="int64", initializer="zeros", trainable=False, name="calls")

        def call(self, x, factor, y):
            self.calls.assign(self.calls + 1)
            return self.dense(x) * factor + y

    source = Scaled()
    model = converter.load(source, {"x": "float32[n,2]", "factor": 3, "y": "float32[n,2]"})
    assert source.calls.numpy() == 0  # it was called to be built
    ones = np.ones((1, 2), np.float32)
    assert Evaluator("exact").run(model, {"x": ones, "y": ones})["output"].tolist() == [[4, 4]]


@pytest.mark.parametrize("to", ["torch", "keras", "tensorflow"])
def test_sizes_that_have_to_be_equal_have_one_name_in_packages(to: str, tmp_path: Path) -> None:
    """Read on, the inputs of a package got sizes that its own check refused."""
    import tensorflow as tf

    function = tf.function(lambda x, y, z: x * y + z, input_signature=[tf.TensorSpec([None, 2])] * 3)
    converter.convert(function, to, tmp_path / "out", verify=False)
    inputs = json.loads((tmp_path / "out" / "metadata.json").read_text())["inputs"]
    assert set(inputs.values()) == {"float32[x_0,2]"}
    model = converter.load(tmp_path / "out")
    assert len({str(v.type.shape) for v in model.graph.inputs}) == 1
