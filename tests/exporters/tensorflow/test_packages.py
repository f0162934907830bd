"""Whole networks from PyTorch as TensorFlow: the code that is written, the same numbers, state, training, files."""

from __future__ import annotations

import copy
import importlib.util
import json
from collections import OrderedDict
from collections.abc import Mapping
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.torch import save_file
from torch import Tensor, nn

import converter
from converter.errors import ConversionError, UsageError
from tests.exporters.keras.backends import module_of
from tests.exporters.nets import Cnn, Transformer
from tests.exporters.tensorflow.process import WAYS, process

SHAPES = {"cnn": ["float32[batch,3,16,16]"], "transformer": ["int64[batch,length]"]}


@pytest.fixture(scope="module")
def packages(tmp_path_factory: pytest.TempPathFactory) -> dict[str, tuple[nn.Module, Path]]:
    """Network and package by name."""
    folder = tmp_path_factory.mktemp("tensorflow")
    torch.manual_seed(0)
    nets = {"cnn": Cnn().eval(), "transformer": Transformer().eval()}
    for name, net in nets.items():
        artifacts = ("saved_model",) if name == "cnn" else ()
        converter.convert(
            net, to="tensorflow", output=folder / name, inputs=SHAPES[name], verify=False, artifacts=artifacts
        )
    return {name: (net, folder / name) for name, net in nets.items()}


def data(name: str, count: int, length: int = 6) -> np.ndarray:
    """An input."""
    rng = np.random.default_rng(3)
    if name == "cnn":
        return rng.standard_normal((count, 3, 16, 16)).astype(np.float32)
    return rng.integers(0, 11, (count, length))


def record(folder: Path) -> dict:
    """metadata.json."""
    return json.loads((folder / "metadata.json").read_text())


@pytest.mark.parametrize("name", SHAPES)
@pytest.mark.parametrize("way", WAYS)
def test_numbers(packages, name: str, way: str) -> None:
    net, folder = packages[name]
    (parameter,) = record(folder)["inputs"]
    for count, length in ((3, 6), (2, 9)):  # sizes vary
        x = data(name, count, length)
        with torch.no_grad():
            want = net(torch.from_numpy(x)).numpy()
        (got,) = process().run(folder, {parameter: x}, way).values()
        np.testing.assert_allclose(got, want, rtol=1e-4, atol=1e-5)


def test_code(packages) -> None:
    source = (packages["cnn"][1] / "model.py").read_text()
    assert "import keras" not in source
    assert "self.layers = [Block(), Block2()]" in source
    assert source.count("tf.transpose") == 1, "the caller's channels are first, nothing else turns"
    assert "tf.nn.dropout(x, 0.2) if training else x" in source
    assert "self.weight = tf.Variable(tf.zeros((inputs, outputs))" in source or "tf.zeros((8, 5))" in source
    assert 'tf.TensorSpec((None, 3, 16, 16), tf.float32, "x")' in source
    source = (packages["transformer"][1] / "model.py").read_text()
    assert "self.blocks = [Layer() for _ in range(2)]" in source
    assert "for block in self.blocks:" in source
    assert "self.tokens = Embedding(11)" in source and "Linear(8, 11" not in source, "a tied table is one variable"
    assert "trainable=False" in source, "the frozen table"


def after_steps(net: nn.Module, x: np.ndarray, steps: int) -> Mapping[str, Tensor]:
    """The state dict after plain descent on the mean square of the result."""
    optimiser = torch.optim.SGD([p for p in net.parameters() if p.requires_grad], 0.1)
    for _ in range(steps):
        optimiser.zero_grad()
        net(torch.from_numpy(x)).square().mean().backward()
        optimiser.step()
    return net.state_dict()


KEPT = """
def kept(x, rate, noise_shape=None):
    return x


class """


@pytest.mark.parametrize("name", SHAPES)
def test_training(packages, name: str, tmp_path: Path) -> None:
    """Three steps: parameters and statistics end where PyTorch's do; the frozen and the tied stay so. Nothing is dropped."""
    original, folder = packages[name]
    (tmp_path / "metadata.json").write_bytes((folder / "metadata.json").read_bytes())
    (tmp_path / "weights.safetensors").write_bytes((folder / "weights.safetensors").read_bytes())
    text = (folder / "model.py").read_text().replace("tf.nn.dropout(", "kept(").replace("\nclass ", KEPT, 1)
    assert text.count("kept(") >= 2
    (tmp_path / "model.py").write_text(text)
    x = data(name, 4)
    found = process().run(tmp_path, {next(iter(record(folder)["inputs"])): x}, steps=3)
    net = copy.deepcopy(original)
    if name == "cnn":
        net.train()
        net.drop.p = 0.0
    want = after_steps(net, x, 3)
    trained = {k.partition(":")[2] for k in found if k.startswith("trained:")}
    assert len(trained) == sum(p.requires_grad for p in net.parameters())
    for own, about in record(folder)["weights"].items():
        array = want[about["source"]].numpy()
        array = array.transpose(about["axes"]) if "axes" in about else array
        got = found[f"trained:{own}" if own in trained else f"variable:{own}"]
        np.testing.assert_allclose(got, array, rtol=2e-4, atol=2e-5, err_msg=own)


class Stateful(nn.Module):
    """Counts its calls and keeps a running sum that it returns from before the call."""

    def __init__(self) -> None:
        super().__init__()
        self.register_buffer("calls", torch.zeros((), dtype=torch.int64))
        self.register_buffer("total", torch.zeros(3))

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
        before = self.total.clone()
        self.calls.add_(1)
        self.total.add_(x.sum(0))
        return before, self.total * self.calls


def test_state(tmp_path: Path) -> None:
    """State is assigned by each call, as it is and as a graph; what is returned of it is the value before."""
    converter.convert(Stateful().eval(), to="tensorflow", output=tmp_path / "p", inputs=["float32[n,3]"], verify=False)
    x = np.arange(6, dtype=np.float32).reshape(2, 3)
    net = Stateful().eval()
    for way in ("eager", "function", "function", "eager"):  # one model, kept by the process
        found = process().run(tmp_path / "p", {"x": x}, way)
        for got, want in zip(found.values(), net(torch.from_numpy(x)), strict=True):
            np.testing.assert_array_equal(got, want.numpy())


class Nested(nn.Module):
    """Dicts and tuples in and out, an argument by keyword, a list of parameters, a module named like TensorFlow's own."""

    def __init__(self) -> None:
        super().__init__()
        self.variables = nn.Linear(3, 2)
        self.scales = nn.ParameterList([nn.Parameter(torch.tensor([2.0])), nn.Parameter(torch.tensor([3.0]))])
        self.parts = nn.ModuleDict({"a": nn.Linear(2, 2), "b": nn.Linear(2, 2)})

    def forward(self, given: dict[str, Tensor], pair: tuple[Tensor, Tensor], *, shift: Tensor) -> dict:
        x = self.variables(given["x"]) + shift
        x = self.parts["b"](self.parts["a"](x) * self.scales[0]) * self.scales[1]
        return {"sum": x + pair[0], "pairs": (pair[1], [x - pair[0]])}


def test_nested(tmp_path: Path) -> None:
    net = Nested().eval()
    given = ({"x": torch.ones(2, 3)}, (torch.zeros(2), torch.ones(2)))
    inputs = {"given": given[0], "pair": given[1], "shift": torch.tensor(0.5)}
    converter.convert(net, to="tensorflow", output=tmp_path / "p", inputs=inputs, verify=False)
    arrays = {
        "given.x": np.ones((2, 3), np.float32),
        "pair.0": np.zeros(2, np.float32),
        "pair.1": np.ones(2, np.float32),
    }
    arrays["shift"] = np.float32(0.5)
    called, served = (process().run(tmp_path / "p", arrays, way) for way in ("eager", "function"))
    assert list(called) == ["sum", "pairs.0", "pairs.1.0"] and sorted(served) == sorted(called)
    want = net(*given, shift=torch.tensor(0.5))
    for found in (called, served):
        np.testing.assert_allclose(found["sum"], want["sum"].detach().numpy(), rtol=1e-5)


def test_saved_model(packages) -> None:
    """Read without the package, it serves equal answers under the source's names, whatever the size."""
    net, folder = packages["cnn"]
    tf = pytest.importorskip("tensorflow")
    serve = tf.saved_model.load(str(folder / "saved_model")).signatures["serving_default"]
    x = data("cnn", 5)
    found = serve(x=tf.constant(x))
    assert list(found) == ["output"] and list(serve.structured_input_signature[1]) == ["x"]
    with torch.no_grad():
        np.testing.assert_allclose(found["output"], net(torch.from_numpy(x)).numpy(), rtol=1e-4, atol=1e-5)


def test_saved_by_hand(packages, tmp_path: Path) -> None:
    """`tf.saved_model.save(load_model(), folder)` finds what to serve; it is no variable, and no part of the model."""
    tf = pytest.importorskip("tensorflow")
    net, folder = packages["cnn"]
    model = module_of(folder).load_model()
    counted = len(model.variables), len(model.submodules)
    tf.saved_model.save(model, str(tmp_path / "saved"))
    assert (len(model.variables), len(model.submodules)) == counted
    served = tf.saved_model.load(str(tmp_path / "saved")).signatures["serving_default"]
    x = data("cnn", 3)
    np.testing.assert_array_equal(served(x=tf.constant(x))["output"], model(tf.constant(x)))


def test_a_part_that_is_called_serve(tmp_path: Path) -> None:
    class Net(torch.nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.serve = torch.nn.Linear(3, 2)

        def forward(self, x):
            return self.serve(x)

    tf = pytest.importorskip("tensorflow")
    net = Net().eval()
    converter.convert(net, to="tensorflow", output=tmp_path / "p", inputs=torch.ones(1, 3), artifacts=["saved_model"])
    model = module_of(tmp_path / "p").load_model()
    assert model.serve.trainable_variables
    served = tf.saved_model.load(str(tmp_path / "p" / "saved_model")).signatures["serving_default"]
    np.testing.assert_allclose(served(x=tf.ones((1, 3)))["output"], net(torch.ones(1, 3)).detach(), rtol=1e-5)


def test_source_weights(packages, tmp_path: Path) -> None:
    """A retrained checkpoint of the source enters by the source's names, turned where the package keeps weights turned."""
    original, folder = packages["cnn"]
    state = {k: v + 1 for k, v in original.state_dict().items() if v.is_floating_point()}
    save_file({k: v.contiguous() for k, v in state.items()}, tmp_path / "new.safetensors")
    module = module_of(folder)
    net = module.load_model()
    before = {name: module.find(net, name).numpy() for name in record(folder)["weights"]}
    module.load_source_weights(net, tmp_path / "new.safetensors")
    assert len(before) == len(state)
    for name, value in before.items():
        np.testing.assert_array_equal(module.find(net, name).numpy(), value + 1)
    with pytest.raises(KeyError, match="there is no"):
        save_file({"other": torch.ones(1)}, tmp_path / "few.safetensors")
        module.load_source_weights(net, tmp_path / "few.safetensors")


def test_own_test(tmp_path: Path) -> None:
    """The package's test compares with the recorded samples, and fails where a weight is another."""
    net = nn.Sequential(OrderedDict(a=nn.Linear(3, 2), b=nn.Tanh())).eval()
    done = converter.convert(net, to="tensorflow", output=tmp_path / "p", inputs=[torch.ones(2, 3)])
    assert done.report.verification is not None and done.report.verification.verdict == "equal"
    spec = importlib.util.spec_from_file_location("its_test", tmp_path / "p" / "test_equivalence.py")
    assert spec is not None and spec.loader is not None
    own = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(own)
    loaded = own.load()
    assert len(own.compare(loaded)) == 5
    loaded.a.bias.assign_add([0.1, 0.1])
    with pytest.raises(AssertionError, match="is above"):
        own.compare(loaded)


class Noise(nn.Module):
    def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
        return x + torch.rand(x.shape) * 2 + 3, x + torch.randn(x.shape)


def test_draws(tmp_path: Path) -> None:
    converter.convert(Noise().eval(), to="tensorflow", output=tmp_path / "p", inputs=["float32[n,400]"], verify=False)
    x = np.ones((5, 400), np.float32)
    first, again = (list(process().run(tmp_path / "p", {"x": x}, way).values()) for way in ("eager", "function"))
    uniform, normal = first
    assert 4 <= uniform.min() and uniform.max() < 6 and abs(uniform.mean() - 5) < 0.1
    assert abs(normal.mean() - 1) < 0.15 and abs(normal.std() - 1) < 0.15
    assert not any(np.array_equal(a, b) for a, b in zip(first, again))


def test_refused(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="'keras' is no file of tensorflow's; files: saved_model"):
        converter.convert(
            nn.ReLU(), to="tensorflow", output=tmp_path / "a", inputs=[torch.ones(2)], artifacts=("keras",)
        )

    class Eight(nn.Module):
        def forward(self, x: Tensor) -> Tensor:
            return x.to(torch.float8_e4m3fn)

    with pytest.raises(ConversionError, match="TensorFlow has no float8_e4m3fn"):
        converter.convert(Eight(), to="tensorflow", output=tmp_path / "b", inputs=[torch.ones(2)])
    assert not (tmp_path / "b").exists()
