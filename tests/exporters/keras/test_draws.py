"""Random numbers in emitted Keras: each draw has a generator of its class, which moves on."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from torch import Tensor, nn

import converter
import ir.ops
from converter.errors import ConversionError
from converter.exporters.base import ExportOptions
from converter.exporters.keras.package import write_package
from ir.core import Builder, Graph, Leaf, Model, Parameter, Signature
from ir.types import tensor_type
from tests.exporters.keras.backends import BACKENDS, backend


class Noise(nn.Module):
    def forward(self, x: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        low, high = torch.rand(x.shape), torch.rand(x.shape) * 2 + 3
        return x * low, x * high, x + torch.randn(x.shape)


@pytest.fixture(scope="module")
def package(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("draws") / "package"
    converter.convert(Noise().eval(), to="keras", output=folder, inputs=["float32[n,400]"], verify=False)
    return folder


@pytest.mark.parametrize("on", BACKENDS)
def test_draws(package: Path, on: str) -> None:
    text = (package / "model.py").read_text()
    assert text.count("= keras.random.SeedGenerator()") == 3 and text.count("keras.random.normal(") == 1
    first, again = (list(backend(on).run(package, {"x": np.ones((5, 400), np.float32)}).values()) for _ in range(2))
    low, high, normal = first
    assert 0 <= low.min() and low.max() < 1 and abs(low.mean() - 0.5) < 0.05
    assert 3 <= high.min() and high.max() < 5 and abs(high.mean() - 4) < 0.1
    assert abs(normal.mean() - 1) < 0.15 and abs(normal.std() - 1) < 0.15
    assert abs(np.corrcoef(low.ravel(), high.ravel())[0, 1]) < 0.1, "no draw repeats another"
    assert all(not np.array_equal(a, b) for a, b in zip(first, again))


class Noisy(nn.Module):
    """Noise in training alone."""

    def forward(self, x: Tensor) -> Tensor:
        return x + 0.5 * torch.randn(x.shape) if self.training else x


@pytest.mark.parametrize("on", BACKENDS)
def test_noise_of_training(on: str, tmp_path: Path) -> None:
    folder = tmp_path / "noisy"
    converter.convert(Noisy().eval(), to="keras", output=folder, inputs=["float32[n,400]"], verify=False)
    x = np.ones((5, 400), np.float32)
    (still,) = backend(on).run(folder, {"x": x}).values()
    np.testing.assert_array_equal(still, x)
    moved = backend(on).run(folder, {"x": x}, training=True)["output"]
    assert abs(moved.std() - 0.5) < 0.05 and abs(moved.mean() - 1) < 0.05


def test_draws_in_bodies_are_refused(tmp_path: Path) -> None:
    """A branch has no place for a generator."""
    model = Model("branch", Signature((Parameter("x", Leaf("x")),), Leaf("output")))
    x = model.graph.add_input(tensor_type("bool"), "x")
    branches = []
    for name in ("then", "else"):
        body = Graph(name)
        body.set_outputs([Builder(body).random_uniform(shape=(2,))])
        branches.append(body)
    model.graph.set_outputs(
        [Builder(model.graph).node(ir.ops.get("cond"), x, [], then=branches[0], else_=branches[1]).outputs[0]]
    )
    with pytest.raises(ConversionError) as caught:
        write_package(model, tmp_path, ExportOptions())
    assert "random numbers inside control flow" in str(caught.value)
