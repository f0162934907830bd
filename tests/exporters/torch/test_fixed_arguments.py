"""Plain arguments that a conversion fixed: checked by what is written, with defaults where Python allows them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor, nn

import converter


class Scaled(nn.Module):
    def forward(self, x: Tensor, by: float = 2.0, negate: bool = False, bias: Any = None, *, name: str = "a") -> Tensor:
        y = x * by if name == "a" else x
        y = -y if negate else y
        return y if bias is None else y + bias


class Before(nn.Module):
    def forward(self, by: int, x: Tensor, more: int = 1) -> Tensor:
        return x * by + more


X = torch.arange(6.0).reshape(2, 3)


def test_each_is_checked(tmp_path: Path) -> None:
    inputs = {"x": X, "by": 3.0, "negate": True, "bias": None, "name": "a"}
    module = converter.convert(Scaled(), "torch", tmp_path / "out", inputs).load()
    torch.testing.assert_close(module(X), -3 * X)
    torch.testing.assert_close(module(X, 3.0, True, None, name="a"), -3 * X)
    for wrong in ({"by": 2.0}, {"negate": False}, {"bias": X}, {"name": "b"}):
        with pytest.raises(ValueError, match="converted for"):
            module(X, **wrong)


def test_an_argument_before_a_tensor_has_no_default(tmp_path: Path) -> None:
    module = converter.convert(Before(), "torch", tmp_path / "out", (3, X, 4)).load()
    torch.testing.assert_close(module(3, X), 3 * X + 4)
    with pytest.raises(ValueError, match="by=3"):
        module(2, X)


class Remembers(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.register_buffer("last", torch.zeros(2, 3))

    def forward(self, x: Tensor) -> Tensor:
        y = x + self.last
        self.last.copy_(x)
        return y


@pytest.mark.parametrize("to", ["torch", "onnx"])
def test_verification_begins_each_call_with_the_state_of_the_file(tmp_path: Path, to: str) -> None:
    """Every input is one first call, of the source and of what was written; the written test does the same."""
    conversion = converter.convert(Remembers(), to, tmp_path / ("out" if to == "torch" else "out.onnx"), (X,))
    assert conversion.report.verification.verdict == "equal"
    if to == "torch":
        module = conversion.load()
        module(X)
        torch.testing.assert_close(module(X), 2 * X)
        scope: dict[str, Any] = {"__file__": str(tmp_path / "out" / "test_equivalence.py"), "__name__": "written"}
        exec((tmp_path / "out" / "test_equivalence.py").read_text(), scope)
        assert len(scope["compare"](scope["load"]())) >= 2
