"""`input_layout`: the written model takes its images otherwise than the source, and is verified so."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from click.testing import CliRunner
from torch import nn

import converter
from converter.cli.convert import command as convert_command
from converter.cli.trace import command
from converter.errors import UsageError
from converter.runtimes.arrays import load_arrays
from converter.runtimes.base import AsSource, InTurn, as_source
from ir.types import symbol, tensor_type

X = np.random.default_rng(0).standard_normal((2, 3, 8, 6)).astype(np.float32)


class Cnn(nn.Module):
    """An image and a vector in, classes out."""

    def __init__(self) -> None:
        super().__init__()
        self.conv = nn.Conv2d(3, 4, 3, padding=1)
        self.head = nn.Linear(4, 2)

    def forward(self, image: torch.Tensor, bias: torch.Tensor) -> torch.Tensor:
        return self.head(torch.relu(self.conv(image / 255)).mean((2, 3))) + bias


@pytest.fixture(scope="module")
def model() -> Cnn:
    torch.manual_seed(0)
    return Cnn().eval()


INPUTS = (X, np.ones((2, 2), np.float32))


@pytest.mark.parametrize("to", ["torch", "onnx"])
def test_the_written_model_takes_images_channels_last(to: str, model: Cnn, tmp_path: Path) -> None:
    conversion = converter.convert(
        model, to, tmp_path / ("out" if to == "torch" else "out.onnx"), INPUTS, input_layout="channels_last"
    )
    report = conversion.report
    assert report.verification is not None and report.verification.verdict == "equal"
    assert any("image is taken channels_last" in n for n in report.notes)
    last = np.ascontiguousarray(X.transpose(0, 2, 3, 1))
    found = converter.run(conversion.path, {"image": last, "bias": INPUTS[1]})
    want = model(*map(torch.from_numpy, INPUTS)).detach().numpy()
    np.testing.assert_allclose(found["output"], want, rtol=1e-5, atol=1e-6)
    with pytest.raises(converter.ConversionError, match="image"):
        converter.run(conversion.path, {"image": X, "bias": INPUTS[1]})
    assert converter.verify(model, conversion.path, INPUTS).passed
    if to == "torch":
        metadata = json.loads((conversion.path / "metadata.json").read_text())
        assert metadata["source"]["input_axes"] == {"image": [0, 2, 3, 1]}
        assert load_arrays(conversion.path / "samples.npz")["input.0.image"].shape == (2, 8, 6, 3)
        source = (conversion.path / "model.py").read_text()
        assert source.count("permute(") == 1


def test_asked_for_as_it_is_nothing_changes(model: Cnn, tmp_path: Path) -> None:
    plain, asked = tmp_path / "plain", tmp_path / "asked"
    converter.convert(model, "torch", plain, INPUTS, verify=False)
    converter.convert(model, "torch", asked, INPUTS, verify=False, input_layout="channels_first")
    assert (plain / "model.py").read_text() == (asked / "model.py").read_text()


def test_what_has_no_images_is_refused(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="no input of the model has channels"):
        converter.convert(
            nn.Linear(3, 2).eval(),
            "torch",
            tmp_path / "out",
            (np.ones((2, 3), np.float32),),
            input_layout="channels_last",
        )
    layout: Any = "nhwc"
    with pytest.raises(UsageError, match="no layout"):
        converter.convert(nn.Linear(3, 2), "torch", tmp_path / "out", input_layout=layout)


def test_a_model_read_as_its_own_source_is_not_turned(model: Cnn, tmp_path: Path) -> None:
    path = converter.convert(
        model, "onnx", tmp_path / "m.onnx", INPUTS, input_layout="channels_last", verify=False
    ).path
    assert converter.verify(path, path).passed


class Echo(InTurn):
    """Returns what it got."""

    name = "echo"

    def __init__(self, *shape: Any) -> None:
        self.input_types = {"x": tensor_type("float32", *shape)}
        self.input_axes = {"x": [0, 2, 3, 1]}

    def in_turn(self, calls: Any) -> Any:
        return [dict(inputs) for inputs in calls]

    def close(self) -> None:
        pass


def test_inputs_are_turned_where_they_lie_otherwise() -> None:
    n = symbol("n")
    first, last = tensor_type("float32", n, 3, 8, 6), tensor_type("float32", n, 8, 6, 3)
    runner = as_source(Echo(n, 8, 6, 3), {"x": first})
    assert isinstance(runner, AsSource) and runner.input_types["x"] == first
    np.testing.assert_array_equal(runner({"x": X})["x"], X.transpose(0, 2, 3, 1))
    assert isinstance(as_source(Echo(n, 8, 6, 3), {"x": last}), Echo)
    cube = tensor_type("float32", n, 3, 3, 3)
    assert isinstance(as_source(Echo(n, 3, 3, 3), {"x": cube}), AsSource)  # as recorded, where sizes do not tell


def test_trace_tells_the_choice_of_layouts(model: Cnn, tmp_path: Path) -> None:
    path = converter.convert(model, "onnx", tmp_path / "m.onnx", INPUTS, verify=False).path
    shown = CliRunner().invoke(command, [str(path), "--to", "keras", "--pass", "layout", "--no-diff"])
    assert shown.exit_code == 0, shown.output
    assert "channels_last for 4 of them; it is asked for by 1 conv; 1 transpose stays" in shown.output
    assert "of image" in shown.output
    turned = tmp_path / "turned.onnx"
    words = [str(path), "--to", "onnx", "-o", str(turned), "--input-layout", "channels_last", "--no-verify"]
    assert CliRunner().invoke(convert_command, words).exit_code == 0
    assert converter.load(turned).input_types["image"].shape == (2, 8, 6, 3)
    same = CliRunner().invoke(command, [str(path), "--to", "torch", "--pass", "layout", "--no-diff"])
    assert same.exit_code == 0 and "channels" not in same.output
    assert isinstance(CliRunner().invoke(command, [str(path), "--to", "caffe"]).exception, UsageError)
