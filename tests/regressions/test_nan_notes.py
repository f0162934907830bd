"""What is told of NaN in max pooling and softmax: where source and target differ, once, and nowhere else."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

pytest.importorskip("tensorflow")
pytest.importorskip("torch")

import keras
import tensorflow as tf
import torch
from torch import Tensor

import converter
from converter.exporters.keras.rules_pool import ALIKE
from converter.exporters.keras.rules_pool import PASSED_OVER as BY_KERAS
from converter.exporters.nan import BESIDE_NAN, tell_softmax
from converter.exporters.onnx.rules_pool import NAN as BY_ONNX
from converter.exporters.tensorflow.rules_pool import PASSED_OVER as BY_TENSORFLOW
from converter.policies import MAX_POOL_NAN

NOTES = {MAX_POOL_NAN, ALIKE, BY_KERAS, BY_ONNX, BY_TENSORFLOW}


class Pool(torch.nn.Module):
    def forward(self, x: Tensor) -> Tensor:
        return torch.nn.functional.max_pool2d(x, 2)


def function() -> Any:
    """A function of TensorFlow that pools."""
    return tf.function(
        lambda x: tf.nn.max_pool2d(x, 2, 2, "VALID"), input_signature=[tf.TensorSpec((1, 4, 4, 1), tf.float32)]
    )


def layer() -> Any:
    """A Keras model that pools."""
    return keras.Sequential([keras.Input((4, 4, 1)), keras.layers.MaxPooling2D()])


PASSES_OVER = {"torch": {MAX_POOL_NAN}, "onnx": set(), "keras": {ALIKE}, "tensorflow": set()}
HANDS_ON = {"torch": set(), "onnx": {BY_ONNX}, "keras": {BY_KERAS}, "tensorflow": {BY_TENSORFLOW}}


@pytest.mark.parametrize("to", PASSES_OVER)
def test_notes(to: str, tmp_path: Path) -> None:
    for make, wanted in ((function, PASSES_OVER), (layer, PASSES_OVER), (Pool, HANDS_ON)):
        inputs = torch.zeros(1, 1, 4, 4) if make is Pool else None
        done = converter.convert(make(), to, tmp_path / f"{make.__name__}.{to}", inputs, verify=False)
        assert NOTES & set(done.report.notes) == wanted[to], make.__name__


def test_tensorflow_does_as_is_told() -> None:
    x = np.array([1, np.nan, 2, 3], np.float32).reshape(1, 2, 2, 1)
    for pooled in (tf.nn.max_pool2d(x, 2, 2, "VALID"), keras.layers.MaxPooling2D()(x)):
        assert np.asarray(pooled).item() == 3
    assert torch.nn.functional.max_pool2d(torch.from_numpy(x).permute(0, 3, 1, 2), 2).isnan().all()


@pytest.mark.parametrize("to", ["torch", "onnx", "keras", "tensorflow"])
def test_softmax(to: str, tmp_path: Path) -> None:
    """TensorFlow's kernel keeps a NaN in its place; of its own models nothing is said."""
    rows = torch.nn.Softmax(-1)
    attention = torch.nn.MultiheadAttention(4, 2, batch_first=True).eval()
    own = keras.Sequential([keras.Input((3,)), keras.layers.Softmax()])
    for name, make, inputs in (
        ("a", rows, (torch.zeros(2, 3),)),
        ("b", attention, (torch.zeros(1, 3, 4),) * 3),
        ("c", own, None),
        ("d", rows.double(), (torch.zeros(2, 3, dtype=torch.float64),)),
    ):
        done = converter.convert(make, to, tmp_path / f"{name}.{to}", inputs, verify=False)
        told = to in ("keras", "tensorflow") and name in "ab"
        assert (BESIDE_NAN in done.report.notes) == told, name


def test_softmax_of_tensorflow_does_as_is_told() -> None:
    x = np.array([[1, np.nan, 2]], np.float32)
    assert np.isnan(tf.nn.softmax(x)).tolist() in ([[False, True, False]], [[True] * 3]), "without oneDNN it hands NaN on"


@pytest.mark.parametrize(("backend", "told"), [("tensorflow", False), ("torch", True), ("jax", True), (None, False)])
def test_a_keras_model_does_as_its_backend(backend: str | None, told: bool) -> None:
    model = converter.load(keras.Sequential([keras.Input((3,)), keras.layers.Softmax()]))
    assert model.metadata["versions"]["backend"] == "tensorflow"
    del model.metadata["versions"]["backend"]
    if backend is not None:
        model.metadata["versions"]["backend"] = backend
    tell_softmax(model)
    assert (BESIDE_NAN in model.notes) == told
