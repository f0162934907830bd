"""Recurrent layers of Keras: numbers of samples on each backend, names and counts of weights, checkpoints, training."""

from __future__ import annotations

import json
import re
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import Tensor, nn

import converter
import ir.ops
from converter.exporters.base import ExportOptions
from converter.exporters.keras.package import write_package
from ir.eval import Evaluator
from ir.types import dtypes
from tests.exporters.keras.backends import BACKENDS, backend, module_of
from tests.ops.harness import assert_close, cases_of
from tests.ops.layers import layer_of

LAYERS = {"lstm": "LSTM", "gru": "GRU", "rnn": "SimpleRNN"}
CHOSEN = {
    "lstm": (1, 4, 8), "gru": (1, 3, 9, 16), "rnn": (2, 8),
}  # fmt: skip
"""Numbers of the samples: directions, stacks, lengths, states, without biases, both resets."""


@pytest.mark.parametrize("name", LAYERS)
def test_samples(name: str, tmp_path: Path) -> None:
    """Whole layers with weights of their own are layers of Keras, all results shown, and give the op's numbers."""
    wrong = []
    for label, op, sample in cases_of(ir.ops.get(name)):
        if int(label.split("-")[2]) not in CHOSEN[name]:
            continue
        model, arrays = layer_of(op, sample)
        folder = tmp_path / label
        write_package(model, folder, ExportOptions())
        text = (folder / "model.py").read_text()
        assert re.search(rf"(layers\.|TwoBias){LAYERS[name]}\(\s*\d", text) and "rows.append" not in text, label
        wanted = Evaluator("exact").run(model, arrays)
        for on in BACKENDS:
            found = backend(on).run(folder, arrays)
            for key, want in wanted.items():
                try:
                    assert found[key].shape == want.shape
                    assert_close(found[key], want, dtypes.float32, sample.rtol)
                except AssertionError as error:
                    wrong.append(f"{label} on {on}, {key}: {str(error)[:200]}")
    assert not wrong, "\n".join(wrong)


def test_what_no_layer_computes_is_a_loop(tmp_path: Path) -> None:
    """Projections, half types, sequences of no steps."""
    cases = {label: sample for label, _, sample in cases_of(ir.ops.get("lstm"))}
    for sample in cases.values():
        model, _ = layer_of(ir.ops.get("lstm"), sample)
        write_package(model, tmp_path, ExportOptions())
        loops = bool(sample.attrs.get("projection")) or 0 in sample.operands[0].shape
        assert ("rows.append" in (tmp_path / "model.py").read_text()) == loops
    for kind in (dtypes.float16, dtypes.float64):  # measured: GRU and LSTM in float64 have errors of 1e-7 on JAX
        ((_, op, sample), *_) = cases_of(ir.ops.get("lstm"), kind)
        write_package(layer_of(op, sample)[0], tmp_path, ExportOptions())
        assert "layers.LSTM" not in (tmp_path / "model.py").read_text()


class Tagger(nn.Module):
    """A stack in both directions, a layer over time first, a simple one, and a frozen second bias."""

    def __init__(self) -> None:
        super().__init__()
        self.lstm = nn.LSTM(3, 4, 2, batch_first=True, bidirectional=True)
        self.gru = nn.GRU(8, 5)
        self.rnn = nn.RNN(5, 3, nonlinearity="relu", batch_first=True)
        nn.init.zeros_(self.rnn.bias_hh_l0)
        self.rnn.bias_hh_l0.requires_grad_(False)
        self.fc = nn.Linear(3, 2)

    def forward(self, x: Tensor) -> Tensor:
        y, (h, _) = self.lstm(x)
        z, last = self.gru(y.transpose(0, 1))
        _, end = self.rnn(z.transpose(0, 1))
        return self.fc(end.squeeze(0)) + h[-1].mean() + last[0].mean()


@pytest.fixture(scope="module")
def tagger(tmp_path_factory: pytest.TempPathFactory) -> tuple[Tagger, Path]:
    """The network and its package."""
    torch.manual_seed(0)
    net, folder = Tagger().eval(), tmp_path_factory.mktemp("tagger") / "package"
    converter.convert(net, to="keras", output=folder, inputs=["float32[batch,time,3]"], verify=False)
    return net, folder


def test_code(tagger) -> None:
    text = (tagger[1] / "model.py").read_text()
    assert "layers.Bidirectional(TwoBiasLSTM(4, return_sequences=True))" in text
    assert "self.gru = layers.GRU(5, return_sequences=True, return_state=True)" in text
    assert 'self.rnn = layers.SimpleRNN(3, activation="relu")' in text, "a second bias that never trains is none"
    assert "rows" not in text.partition("HERE")[0]
    names = json.loads((tagger[1] / "metadata.json").read_text())["weights"]
    assert {"gru.cell.kernel", "gru.cell.bias", "lstm.bidirectional.backward_layer.cell.recurrent_bias"} <= names.keys()


@pytest.mark.parametrize("on", BACKENDS)
def test_numbers(tagger, on: str) -> None:
    net, folder = tagger
    for batch, time in ((2, 5), (3, 1)):
        x = np.random.default_rng(1).standard_normal((batch, time, 3)).astype(np.float32)
        with torch.no_grad():
            want = net(torch.from_numpy(x)).numpy()
        (found,) = backend(on).run(folder, {"x": x}).values()
        np.testing.assert_allclose(found, want, rtol=1e-4, atol=1e-6)


def test_parameters_and_checkpoints(tagger, tmp_path: Path) -> None:
    """Every parameter that trains is one that trains, and a retrained checkpoint of the source is taken."""
    net, folder = tagger
    module = module_of(folder)
    model = module.load_model()
    count = sum(p.numel() for p in net.parameters() if p.requires_grad)
    assert sum(int(np.prod(v.shape)) for v in model.trainable_variables) == count
    torch.manual_seed(7)
    other = Tagger().eval()
    np.savez(tmp_path / "other.npz", **{k: v.detach().numpy() for k, v in other.state_dict().items()})
    module.load_source_weights(model, tmp_path / "other.npz")
    x = np.random.default_rng(2).standard_normal((2, 4, 3)).astype(np.float32)
    with torch.no_grad():
        np.testing.assert_allclose(model(x).numpy(), other(torch.from_numpy(x)).numpy(), rtol=1e-4, atol=1e-6)


def test_training(tagger) -> None:
    """Three steps of SGD move the weights as they move PyTorch's: both biases of a product pair learn."""
    import copy

    import tensorflow as tf

    net, model = copy.deepcopy(tagger[0]).train(), module_of(tagger[1]).load_model()
    x = np.random.default_rng(3).standard_normal((4, 5, 3)).astype(np.float32)
    optimizer = torch.optim.SGD(net.parameters(), 0.5)
    for _ in range(3):
        optimizer.zero_grad()
        loss = net(torch.from_numpy(x)).square().mean()
        loss.backward()
        optimizer.step()
        with tf.GradientTape() as tape:
            ours = tf.reduce_mean(tf.square(model(x, training=True)))
        np.testing.assert_allclose(float(ours), loss.item(), rtol=1e-4)
        for variable, gradient in zip(
            model.trainable_variables, tape.gradient(ours, [v.value for v in model.trainable_variables])
        ):
            variable.assign(variable - 0.5 * gradient)
    gates = model.gru.cell.bias.numpy().reshape(2, 3, 5)[:, [1, 0, 2]].reshape(2, 15)
    np.testing.assert_allclose(gates[0], net.gru.bias_ih_l0.detach().numpy(), rtol=1e-3, atol=1e-5)
    np.testing.assert_allclose(gates[1], net.gru.bias_hh_l0.detach().numpy(), rtol=1e-3, atol=1e-5)
    second = model.lstm.bidirectional_2.backward_layer.cell.recurrent_bias.numpy()
    np.testing.assert_allclose(second, net.lstm.bias_hh_l1_reverse.detach().numpy(), rtol=1e-3, atol=1e-5)
    assert not np.allclose(second, tagger[0].lstm.bias_hh_l1_reverse.detach().numpy(), atol=1e-5)
