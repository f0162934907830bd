"""ONNX files that PyTorch's own exporter writes become code a person would write: dense layers, activations and norms
whole again, weights named by their module, and checkpoints of the source still load."""

from __future__ import annotations

import importlib.util
import json
import warnings
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import converter

torch = pytest.importorskip("torch")
onnx = pytest.importorskip("onnx")
from torch import nn  # noqa: E402


class RootMean(nn.Module):
    def __init__(self, size: int) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.ones(size))

    def forward(self, x: Any) -> Any:
        return self.weight * (x * torch.rsqrt(x.pow(2).mean(-1, keepdim=True) + 1e-6))


class Block(nn.Module):
    def __init__(self, size: int) -> None:
        super().__init__()
        self.norm, self.root = nn.LayerNorm(size, eps=1e-6), RootMean(size)
        self.mlp = nn.Sequential(nn.Linear(size, 2 * size), nn.GELU(), nn.Linear(2 * size, size, bias=False))
        self.gate, self.act = nn.Linear(size, size), nn.SiLU()

    def forward(self, x: Any) -> Any:
        return x + self.mlp(self.norm(x)) * self.act(self.gate(self.root(x)))


class Net(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.blocks = nn.ModuleList(Block(8) for _ in range(2))
        self.head = nn.Linear(8, 3)

    def forward(self, x: Any) -> Any:
        for block in self.blocks:
            x = block(x)
        return self.head(x.mean(1))


class Folded(nn.Module):
    """Its batch norm is folded into the convolution, whose weights lose their names; the activation stands behind a gap."""

    def __init__(self) -> None:
        super().__init__()
        self.stem = nn.Sequential(nn.Conv2d(3, 4, 3, bias=False), nn.BatchNorm2d(4), nn.Mish())

    def forward(self, x: Any) -> Any:
        return self.stem(x).mean((2, 3))


def export(module: nn.Module, shape: tuple[int, ...], path: Path, opset: int) -> Path:
    torch.manual_seed(0)
    for parameter in module.parameters():
        parameter.data += 0.3 * torch.randn_like(parameter)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        torch.onnx.export(
            module.eval(), (torch.randn(shape),), path, dynamo=False, opset_version=opset, input_names=["x"],
            output_names=["y"], dynamic_axes={"x": {0: "batch"}},
        )  # fmt: skip
    return path


def package(folder: Path) -> Any:
    spec = importlib.util.spec_from_file_location(f"written_{folder.parent.name}", folder / "model.py")
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.mark.parametrize("opset", [11, 14, 17])
def test_layers_are_whole_again(tmp_path: Path, opset: int) -> None:
    source = Net()
    path = export(source, (2, 5, 8), tmp_path / "net.onnx", opset)
    done = converter.convert(path, to="torch", output=tmp_path / "out")
    text = (tmp_path / "out" / "model.py").read_text()
    for idiom in ("nn.Linear(8, 3)", "nn.LayerNorm(8, eps=1e-06)", "nn.GELU()", "nn.RMSNorm(8, eps=1e-06)"):
        assert idiom in text
    assert "@" not in text and "onnx" not in text.split("load_source_weights")[0].replace("Converted from onnx", "")
    assert "torch.erf" not in text and "sqrt" not in text
    names = {n: tuple(p.shape) for n, p in done.load().named_parameters()}
    assert names == {n: tuple(p.shape) for n, p in source.named_parameters()}
    assert all(p.requires_grad for p in done.load().parameters())


def test_a_retrained_checkpoint_of_the_file_loads(tmp_path: Path) -> None:
    """Retrained as ONNX stores them: weights of dense layers as (inputs, outputs), under the exporter's names."""
    from safetensors.numpy import save_file

    path = export(Net(), (2, 5, 8), tmp_path / "net.onnx", 14)
    converter.convert(path, to="torch", output=tmp_path / "out")
    model = onnx.load(path)
    rng = np.random.default_rng(1)
    retrained: dict[str, np.ndarray] = {}
    recorded = json.loads((tmp_path / "out" / "metadata.json").read_text())["weights"]
    for tensor in model.graph.initializer:
        if tensor.name in {r["source"] for r in recorded.values()}:
            value = rng.normal(size=tuple(tensor.dims)).astype("f4")
            retrained[tensor.name] = value
            tensor.CopyFrom(onnx.numpy_helper.from_array(value, tensor.name))
    onnx.save(model, tmp_path / "again.onnx")
    save_file(retrained, tmp_path / "retrained.safetensors")
    turned = {n: r["axes"] for n, r in recorded.items() if "axes" in r}
    assert set(turned) == {f"blocks.{i}.{n}.weight" for i in (0, 1) for n in ("mlp.0", "mlp.2", "gate")}
    assert all(axes == [1, 0] for axes in turned.values())

    written = package(tmp_path / "out")
    net = written.load_model()
    x = rng.normal(size=(3, 5, 8)).astype("f4")
    expected = converter.run(tmp_path / "again.onnx", {"x": x})["y"]
    assert not np.allclose(net(torch.from_numpy(x)).detach().numpy(), expected, atol=1e-2)
    with torch.no_grad():
        written.load_source_weights(net, tmp_path / "retrained.safetensors")
        np.testing.assert_allclose(net(torch.from_numpy(x)).numpy(), expected, rtol=1e-4, atol=1e-4)


def test_a_square_weight_is_not_taken_the_wrong_way_round(tmp_path: Path) -> None:
    """Shapes alone would not tell: the gate's weight is square."""
    path = export(Net(), (2, 5, 8), tmp_path / "net.onnx", 14)
    converter.convert(path, to="torch", output=tmp_path / "out")
    stored = {t.name: onnx.numpy_helper.to_array(t) for t in onnx.load(path).graph.initializer}
    recorded = json.loads((tmp_path / "out" / "metadata.json").read_text())["weights"]
    state = package(tmp_path / "out").load_model().state_dict()
    name = "blocks.0.gate.weight"
    assert np.array_equal(state[name].numpy(), stored[recorded[name]["source"]].T)


def test_names_and_shapes_of_a_file_stay_when_a_file_is_written(tmp_path: Path) -> None:
    path = export(Net(), (2, 5, 8), tmp_path / "net.onnx", 14)
    converter.convert(path, to="onnx", output=tmp_path / "again.onnx")
    found = [{t.name: tuple(t.dims) for t in onnx.load(p).graph.initializer} for p in (path, tmp_path / "again.onnx")]
    weights = {n: s for n, s in found[0].items() if s and n in found[1]}
    assert weights.items() <= found[1].items()
    assert sum(n.startswith("onnx::MatMul") for n in weights) == 6


def test_the_weights_of_a_module_stay_as_they_are(tmp_path: Path) -> None:
    """Code of a module that multiplies by its own (inputs, outputs) matrix keeps it, by way of a file, too."""

    class Product(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.kernel = nn.Parameter(torch.randn(4, 6))

        def forward(self, x: Any) -> Any:
            return x @ self.kernel

    source = Product()
    for given in (
        source,
        converter.convert(source, to="onnx", output=tmp_path / "p.onnx", inputs=(torch.ones(2, 4),)).path,
    ):
        inputs = (torch.ones(2, 4),) if given is source else None
        net = converter.convert(given, to="torch", inputs=inputs).load()
        assert {n: tuple(p.shape) for n, p in net.named_parameters()} == {"kernel": (4, 6)}


def test_modules_named_by_numbers_with_gaps_are_a_list(tmp_path: Path) -> None:
    path = export(Folded(), (2, 3, 6, 6), tmp_path / "net.onnx", 13)
    done = converter.convert(path, to="torch", output=tmp_path / "out")
    net = done.load()
    assert isinstance(net.stem[2], nn.Mish) and set(net.state_dict()) == {"stem.0.weight", "stem.0.bias"}


def test_weights_of_equal_values_that_a_file_shares_stay_one(tmp_path: Path) -> None:
    """The exporter wrote one tensor for two norms of equal values: one tensor in the file is one parameter."""

    class Twins(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.a, self.b = nn.LayerNorm(4), nn.LayerNorm(4)

        def forward(self, x: Any) -> Any:
            return self.b(torch.sin(self.a(x)))

    path = tmp_path / "twins.onnx"
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        torch.onnx.export(Twins().eval(), (torch.randn(2, 4),), path, dynamo=False, opset_version=14, input_names=["x"])
    stored = [t.name for t in onnx.load(path).graph.initializer if list(t.dims) == [4]]
    net = converter.convert(path, to="torch", output=tmp_path / "out").load()
    assert sum(p.numel() for p in net.parameters()) == 4 * len(stored) == 8
