"""Emitted PyTorch takes retrained Keras weights: whatever the importer turned, cut into gates, split or renamed."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import keras
import numpy as np
import pytest
import torch
from keras import layers

import converter
from ir.text import format_model, parse

RNG = np.random.default_rng(0)
SEQUENCE, IMAGE = (5, 4), (8, 8, 3)


def _gated() -> list[Any]:
    return [
        layers.LSTM(3, return_sequences=True), layers.LSTM(4, use_bias=False, return_sequences=True),
        layers.GRU(3, return_sequences=True), layers.GRU(4, reset_after=False, return_sequences=True),
        layers.GRU(3, use_bias=False, return_sequences=True), layers.GRU(3, activation="relu", return_sequences=True),
        layers.SimpleRNN(3, return_sequences=True), layers.SimpleRNN(3, activation="relu", use_bias=False),
    ]  # fmt: skip


def _both_ways() -> list[Any]:
    return [
        layers.Masking(), layers.GRU(4, return_sequences=True), layers.Bidirectional(layers.LSTM(2, return_sequences=True)),
        layers.TimeDistributed(layers.Dense(3)), layers.Bidirectional(layers.GRU(2, return_sequences=True, reset_after=False)),
        layers.RNN([layers.GRUCell(3), layers.LSTMCell(2)]),
    ]  # fmt: skip


def _fused() -> list[Any]:
    return [layers.Bidirectional(layers.GRU(3, return_sequences=True)), layers.Bidirectional(layers.SimpleRNN(2))]


def _windows() -> list[Any]:
    return [
        layers.DepthwiseConv2D(3, depth_multiplier=2), layers.SeparableConv2D(6, 2, depth_multiplier=2),
        layers.Conv2DTranspose(3, 3, strides=2, padding="same"), layers.BatchNormalization(scale=False),
        layers.BatchNormalization(center=False), layers.BatchNormalization(scale=False, center=False),
        layers.DepthwiseConv2D(3), layers.Conv2D(6, 1, groups=3), layers.PReLU(shared_axes=[1, 2]), layers.PReLU(),
        layers.Flatten(), layers.Dense(3),
    ]  # fmt: skip


def _norms() -> list[Any]:
    return [
        layers.LayerNormalization(axis=[2, 3]), layers.LayerNormalization(scale=False), layers.GroupNormalization(3),
        layers.RMSNormalization(), layers.SpectralNormalization(layers.Conv2D(3, 2)), layers.UnitNormalization(),
    ]  # fmt: skip


def _lines() -> list[Any]:
    return [
        layers.Conv1D(4, 2, padding="causal"), layers.DepthwiseConv1D(2, depth_multiplier=2), layers.SeparableConv1D(3, 2),
        layers.Conv1DTranspose(3, 2, strides=2), layers.EinsumDense("abc,cde->abde", output_shape=(None, 3, 2), bias_axes="e"),
    ]  # fmt: skip


def _sequential(shape: tuple[int, ...], parts: Callable[[], list[Any]]) -> Any:
    return keras.Sequential([keras.Input(shape), *parts()])


def _attention() -> Any:
    x = given = keras.Input(SEQUENCE)
    x = layers.MultiHeadAttention(2, 3)(x, x)
    x = layers.GroupQueryAttention(3, 4, 2)(x, x)
    x = layers.AdditiveAttention()([x, x])
    return keras.Model(given, layers.Attention(use_scale=True)([x, x]))


def _shared() -> Any:
    """One recurrent layer read twice, one submodel twice, a masked embedding."""
    words = keras.Input((5,), dtype="int32")
    x = layers.Embedding(7, 4, mask_zero=True)(words)
    again, dense = layers.GRU(4, return_sequences=True), keras.Sequential([layers.Dense(4), layers.Dense(4)])
    return keras.Model(words, again(dense(again(x))) + dense(x))


BUILDS: dict[str, Callable[[], Any]] = {
    "gated": lambda: _sequential(SEQUENCE, _gated),
    "both ways": lambda: _sequential(SEQUENCE, _both_ways),
    "fused": lambda: _sequential(SEQUENCE, _fused),
    "windows": lambda: _sequential(IMAGE, _windows),
    "norms": lambda: _sequential(IMAGE, _norms),
    "lines": lambda: _sequential(SEQUENCE, _lines),
    "attention": _attention,
    "shared": _shared,
}


@pytest.mark.parametrize("name", BUILDS)
def test_retrained_weights_are_taken(name: str, tmp_path: Path) -> None:
    net = BUILDS[name]()
    shape = (2, *net.inputs[0].shape[1:])
    x = RNG.integers(0, 7, shape).astype("int32") if name == "shared" else RNG.standard_normal(shape).astype("float32")
    before = np.asarray(net(x))
    written = converter.convert(net, to="torch", output=tmp_path / "out", verify=False)
    for variable in net.variables:
        if variable.dtype == "float32":
            new = 0.5 * RNG.standard_normal(variable.shape).astype("float32")
            variable.assign(np.abs(new) + 0.3 if "variance" in variable.path else new)
    want = np.asarray(net(x))
    assert np.abs(want - before).max() > 1e-2, "the new weights count"
    net.save_weights(tmp_path / "new.weights.h5")
    net.save(tmp_path / "new.keras")
    for file in ("new.weights.h5", "new.keras"):
        emitted = written.load()
        sys.modules[type(emitted).__module__].load_source_weights(emitted, tmp_path / file)
        got = emitted(torch.as_tensor(x)).detach().numpy()
        scale = max(1.0, float(np.abs(want).max()))
        np.testing.assert_allclose(got, want, rtol=1e-5, atol=1e-5 * scale, err_msg=file)


def test_gates_are_recorded(tmp_path: Path) -> None:
    """Two biases from the rows of one, and gates in PyTorch's order, from one variable of Keras."""
    net = keras.Sequential([keras.Input(SEQUENCE), layers.GRU(3)])
    read = converter.load(net)
    again = parse(format_model(read), weights={w.name: w.data for w in read.weights.values()})
    assert {n: w.source_pieces for n, w in again.weights.items()} == {
        n: w.source_pieces for n, w in read.weights.items()
    }
    converter.convert(net, to="torch", output=tmp_path / "out", verify=False)
    records = json.loads((tmp_path / "out/metadata.json").read_text())["weights"]
    found = {
        n.rpartition(".")[2]: (r["source"].rpartition("/")[2], r["pieces"], r.get("axes")) for n, r in records.items()
    }
    order = [1, 0, 2]
    assert found == {
        "weight_ih_l0": ("0", {"row": None, "axis": 1, "order": order}, [1, 0]),
        "weight_hh_l0": ("1", {"row": None, "axis": 1, "order": order}, [1, 0]),
        "bias_ih_l0": ("2", {"row": 0, "axis": 0, "order": order}, None),
        "bias_hh_l0": ("2", {"row": 1, "axis": 0, "order": order}, None),
    }
