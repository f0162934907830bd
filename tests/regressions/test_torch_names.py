"""Names that mean something else to Python, to torch.fx or to the emitted file; keys that are no strings."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional

import converter
from converter import ConversionError
from ir.core.signature import from_json, to_json
from ir.text import format_model, parse


def same_after_conversion(module: nn.Module, x: Tensor) -> nn.Module:
    """Convert without verification, compare with the source; the converted module."""
    made: nn.Module = converter.convert(module.eval(), "torch", inputs=(x,), verify=False).load()
    torch.testing.assert_close(made(x), module(x))
    return made


class Odd(nn.Module):
    """Attributes that only getattr reads."""

    def __init__(self) -> None:
        super().__init__()
        self.layers = nn.ModuleDict(
            {"for": nn.Linear(4, 4), "in": nn.ReLU(), "a b": nn.Linear(4, 4), "None": nn.Linear(4, 4)}
        )
        self.scales = nn.ParameterDict({"class": torch.randn(4), "x": torch.randn(4)})
        self.add_module("lambda", nn.Linear(4, 4))
        self.register_buffer("import", torch.randn(4))

    def forward(self, x: Tensor) -> Tensor:
        for layer in self.layers.values():
            x = layer(x)
        x = getattr(self, "lambda")(x) + getattr(self, "import")
        return x * self.scales["class"] - self.scales["x"]


def test_attributes_called_as_keywords() -> None:
    source, x = Odd(), torch.randn(3, 4)
    made = same_after_conversion(source, x)
    assert sorted(p.shape for p in made.parameters()) == sorted(p.shape for p in source.parameters())


class Gelu(nn.Module):
    def forward(self, x: Tensor) -> Tensor:
        return torch.nn.functional.gelu(x)


@pytest.mark.parametrize("name", ["F", "nn", "Tensor", "torch", "Path", "HERE", "class", "list"])
def test_a_class_called_as_what_the_file_imports(name: str) -> None:
    made = same_after_conversion(type(name, (Gelu,), {})(), torch.randn(3))
    assert functional.__name__ == "torch.nn.functional" and made is not None


class Keys(nn.Module):
    def __init__(self, *keys: Any) -> None:
        super().__init__()
        self.keys = keys

    def forward(self, x: Tensor) -> dict[Any, Any]:
        return {key: x * i for i, key in enumerate(self.keys)}


def test_integer_keys_stay_integers() -> None:
    x = torch.randn(3)
    source = Keys(3, "b", 0, -1)
    made = converter.convert(source, "torch", inputs=(x,), verify=False).load()
    torch.testing.assert_close(made(x), source(x))
    model = converter.load(source, (x,))
    assert from_json(to_json(model.signature)) == model.signature == parse(format_model(model)).signature


@pytest.mark.parametrize("keys", [(3, "3"), (1.5,), (True,)])
def test_keys_that_no_signature_holds_are_refused(keys: Any) -> None:
    with pytest.raises((ConversionError, converter.UsageError), match="dict key"):
        converter.load(Keys(*keys), (torch.randn(3),))


def test_integer_keys_of_inputs() -> None:
    class Picks(nn.Module):
        def forward(self, batch: dict[int, Tensor]) -> Tensor:
            return batch[2] - batch[7]

    batch = {2: torch.randn(3), 7: torch.randn(3)}
    made = converter.convert(Picks(), "torch", inputs=(batch,), verify=False).load()
    torch.testing.assert_close(made(batch), Picks()(batch))
