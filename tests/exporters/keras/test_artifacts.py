"""Keras' own files of a package: the variables, and the model without code where Keras' layers are all there is."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import nn

import converter
from converter.errors import ConversionError, UsageError
from tests.exporters.keras.backends import module_of

keras = pytest.importorskip("keras")
layers = keras.layers


def bits(net: Any) -> list[bytes]:
    return sorted(np.asarray(v).tobytes() for v in net.weights)


def test_both_files(tmp_path: Path) -> None:
    """A block with batch norm and dropout, recurrent layers: results, weights and training are those of the package."""
    keras.utils.set_random_seed(0)
    x = inputs = keras.Input((6, 6, 2))
    x = layers.BatchNormalization(momentum=0.5)(layers.Conv2D(3, 3, use_bias=False)(x))
    x = layers.LSTM(4)(layers.Bidirectional(layers.GRU(3, return_sequences=True))(layers.Reshape((4, 12))(x)))
    net = keras.Model(inputs, layers.Dense(2, activation="relu")(x))
    out = tmp_path / "both"
    converter.convert(net, to="keras", output=out, artifacts=("weights.h5", "keras"), verify=False)
    alone, emitted = keras.models.load_model(out / "model.keras"), module_of(out).load_model()
    given = np.random.default_rng(1).standard_normal((3, 6, 6, 2)).astype("float32")
    assert np.asarray(alone(given)).tobytes() == np.asarray(emitted(given)).tobytes()
    assert bits(alone) == bits(emitted) == bits(net)
    kinds = {type(layer).__module__.split(".")[0] for layer in alone._flatten_layers()}
    assert kinds == {"keras"}
    for one in (alone, emitted):
        one(given, training=True)
    assert bits(alone) == bits(emitted) != bits(net), "statistics move alike"
    fresh = module_of(out).load_model()
    for variable in fresh.weights:
        variable.assign(0.5 * np.ones(variable.shape))
    fresh.load_weights(out / "model.weights.h5")
    assert bits(fresh) == bits(net)


class TwoBiases(nn.Module):
    """An LSTM whose both biases train, and a scale of the module's own."""

    def __init__(self) -> None:
        super().__init__()
        self.lstm = nn.LSTM(2, 3, batch_first=True)
        self.scale = nn.Parameter(torch.full((3,), 0.7))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.lstm(x)[0] * self.scale


def test_weights_of_what_has_code(tmp_path: Path) -> None:
    """Variables can always be saved; a model with layers of its own cannot, and the reason has a name."""
    torch.manual_seed(0)
    net, spec, out = TwoBiases().eval(), ["float32[batch,time,2]"], tmp_path / "code"
    converter.convert(net, to="keras", output=out, inputs=spec, artifacts=["weights.h5"], verify=False)
    model = module_of(out).load_model()
    before = bits(model)
    for variable in model.weights:
        variable.assign(np.zeros(variable.shape))
    model.load_weights(out / "model.weights.h5")
    assert bits(model) == before
    with pytest.raises(ConversionError, match="layer of the package's own|belong to no layer"):
        converter.convert(net, to="keras", output=tmp_path / "no", inputs=spec, artifacts=["keras"], verify=False)
    assert not (tmp_path / "no").exists()


class Doubles(nn.Linear):
    def __init__(self) -> None:
        super().__init__(2, 3)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return super().forward(x) * 2 if self.training else super().forward(x)


def test_reasons(tmp_path: Path) -> None:
    """Code that differs in training is no graph of layers; other targets have no such files."""
    net = Doubles().eval()
    with pytest.raises(ConversionError, match="what differs in training is code"):
        converter.convert(net, to="keras", inputs=["float32[n,2]"], artifacts=["keras"], verify=False)
    with pytest.raises(UsageError, match="no file of torch"):
        converter.convert(net, to="torch", inputs=["float32[n,2]"], artifacts=["keras"])
    with pytest.raises(UsageError, match="files: weights.h5, keras"):
        converter.convert(net, to="keras", inputs=["float32[n,2]"], artifacts=["h5"])
