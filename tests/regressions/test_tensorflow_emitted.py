"""What is written of a TensorFlow model is what one would write: weights as they lie, layers where there are layers."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

pytest.importorskip("keras")
pytest.importorskip("tensorflow")
pytest.importorskip("torch")

import converter
from converter.runtimes.packages import read_metadata
from fixtures.tensorflow.base import seeded
from fixtures.tensorflow.sequences import Decoder
from fixtures.tensorflow.vision import ResNet, SmallNet


def test_kernels_lie_as_the_source_has_them(tmp_path: Path) -> None:
    """From TensorFlow to TensorFlow; no weight is turned whenever the model runs."""
    with seeded():
        net = SmallNet()
    done = converter.convert(net, "tensorflow", tmp_path / "out", verify=False)
    text = (done.path / "model.py").read_text()
    assert "transpose" not in re.sub(r"def of_source.*?\n\n\n", "", text, flags=re.S)
    emitted = done.load()
    assert emitted.stem.kernel.shape == net.stem.kernel.shape
    assert emitted.depthwise.shape == net.depthwise.shape and emitted.pointwise.shape == net.pointwise.shape
    assert all("axes" not in record for record in read_metadata(done.path)["weights"].values())


@pytest.mark.parametrize("to", ["torch", "keras"])
def test_layers(to: str, tmp_path: Path) -> None:
    """Dense layers, frozen batch norms with the number that was meant, one class for equal blocks."""
    with seeded():
        net = ResNet()
    done = converter.convert(net, to, tmp_path / "out", verify=False)
    text = (done.path / "model.py").read_text().partition("HERE = ")[0]
    assert "Residual() for _ in range(4)" in text
    if to == "torch":
        assert "nn.Linear(8, 5)" in text and "FrozenBatchNorm2d(8, eps=0.001)" in text
    else:
        assert "layers.Dense(5)" in text, text
        assert "layers.BatchNormalization(" in text and "training=False)" in text, text
        assert "add_weight" not in text and "transpose" not in text


def test_products_in_loops(tmp_path: Path) -> None:
    """Control flow calls no layers of Keras: its weights are read as they lie."""
    with seeded():
        net = Decoder()
    text = (converter.convert(net, "keras", tmp_path / "out", verify=False).path / "model.py").read_text()
    assert "ops.matmul(" in text and not re.search(r"transpose\((ops\.convert_to_tensor\()?self", text)
