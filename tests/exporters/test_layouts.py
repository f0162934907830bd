"""Networks of the other layout, as they are written: no transpose but at the border, and the weights of the source fit."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
from safetensors.numpy import save_file

from converter.exporters.base import ExportOptions
from converter.exporters.keras import write as write_keras
from converter.exporters.onnx import write as write_onnx
from converter.exporters.torch import write as write_torch
from converter.prepare import prepare
from converter.runtimes.onnxruntime import OnnxRunner
from converter.runtimes.packages import load_package
from ir.core import Model, copy_model
from ir.data import Array
from ir.eval import Evaluator
from tests.passes.layout_nets import NETS, patches

X = np.random.default_rng(1).standard_normal((2, 8, 8, 4)).astype(np.float32)


def prepared(model: Model, target: str) -> Model:
    ready = copy_model(model)
    prepare(ready, target=target)
    return ready


def expected(model: Model) -> np.ndarray:
    return Evaluator("reference").run(model, {"x": X})["output"]


@pytest.mark.parametrize("name", NETS)
def test_onnx_has_one_transpose(name: str, tmp_path: Path) -> None:
    model = NETS[name]("channels_last")
    write_onnx(prepared(model, "onnx"), tmp_path / "m.onnx", ExportOptions())
    graph = onnx.load(tmp_path / "m.onnx").graph
    moved = [n for n in graph.node if n.op_type == "Transpose"]
    assert [list(n.input) for n in moved] == [["x"]]
    found = OnnxRunner(tmp_path / "m.onnx")({"x": X})["output"]
    np.testing.assert_allclose(found, expected(model), rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("name", NETS)
def test_pytorch_has_one_permute(name: str, tmp_path: Path) -> None:
    import torch

    model = NETS[name]("channels_last")
    write_torch(prepared(model, "torch"), tmp_path / "net", ExportOptions())
    source = (tmp_path / "net" / "model.py").read_text()
    body = source[: source.index("def load_model")]
    assert len(re.findall(r"\b(permute|movedim|transpose|swapaxes)\(", body)) == 1 and "x.permute(0, 3, 1, 2)" in body
    net = load_package(tmp_path / "net")
    with torch.no_grad():
        found = net(torch.from_numpy(X)).numpy()
    np.testing.assert_allclose(found, expected(model), rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("name", ["vgg", "pointwise"])
def test_a_checkpoint_of_the_source_fits(name: str, tmp_path: Path) -> None:
    """Retrained weights of the source, in its order, give what the source gives with them."""
    import torch

    model = NETS[name]("channels_last")
    write_torch(prepared(model, "torch"), tmp_path / "net", ExportOptions())
    trained = {n: w.data.numpy() * 1.25 + np.float32(0.01) for n, w in model.weights.items()}
    save_file(trained, tmp_path / "trained.safetensors")
    net = load_package(tmp_path / "net")
    module: Any = __import__("sys").modules[type(net).__module__]
    with torch.no_grad():
        module.load_source_weights(net, tmp_path / "trained.safetensors")
        found = net(torch.from_numpy(X)).numpy()
    for weight, array in trained.items():
        model.update_weight(weight, data=Array(array))
    np.testing.assert_allclose(found, expected(model), rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("name", ["inverted", "densenet", "unet", "convnext", "pointwise", "vgg", "patches"])
def test_keras_has_one_transpose_and_takes_the_sources_checkpoint(name: str, tmp_path: Path) -> None:
    model = {**NETS, "patches": patches}[name]("channels_first")
    write_keras(prepared(model, "keras"), tmp_path / "net", ExportOptions())
    source = (tmp_path / "net" / "model.py").read_text()
    body = source[: source.index("def load_model")]
    assert len(re.findall(r"\b(transpose|Permute|moveaxis|swapaxes)\(", body)) == 1
    assert name == "unet" or "ops.transpose(x, (0, 2, 3, 1))" in body
    net = load_package(tmp_path / "net")
    first = np.ascontiguousarray(X.transpose(0, 3, 1, 2))
    reference = Evaluator("reference")
    np.testing.assert_allclose(
        np.asarray(net(first)), reference.run(model, {"x": first})["output"], rtol=1e-4, atol=1e-5
    )
    trained = {n: w.data.numpy() * 1.25 + np.float32(0.01) for n, w in model.weights.items()}
    save_file(trained, tmp_path / "trained.safetensors")
    module: Any = __import__("sys").modules[type(net).__module__]
    module.load_source_weights(net, tmp_path / "trained.safetensors")
    for weight, array in trained.items():
        model.update_weight(weight, data=Array(array))
    np.testing.assert_allclose(
        np.asarray(net(first)), reference.run(model, {"x": first})["output"], rtol=1e-4, atol=1e-5
    )
