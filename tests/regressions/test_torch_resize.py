"""Interpolation picks the elements that PyTorch picks, at every size; factors stay factors."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional as F

import converter

NEAREST = ("nearest", "nearest-exact")


class Resized(nn.Module):
    def __init__(self, **how: Any) -> None:
        super().__init__()
        self.how = how

    def forward(self, x: Tensor) -> Tensor:
        return F.interpolate(x, **self.how)


class Like(nn.Module):
    """A pyramid's step: one map as large as another."""

    def __init__(self, mode: str) -> None:
        super().__init__()
        self.mode = mode

    def forward(self, x: Tensor, y: Tensor) -> Tensor:
        return F.interpolate(x, size=y.shape[2:], mode=self.mode) + y


def both(module: nn.Module, inputs: tuple[Any, ...], folder: Path, cases: list[tuple[Tensor, ...]]) -> str:
    """Converted to PyTorch and ONNX, each case gives what the source gives; the emitted code."""
    package = converter.convert(module, "torch", folder / "m", inputs, verify=False)
    written = converter.convert(module, "onnx", folder / "m.onnx", inputs, verify=False).path
    made = package.load()
    for case in cases:
        wanted = module(*case)
        torch.testing.assert_close(made(*case), wanted)
        (got,) = converter.run(written, tuple(x.numpy() for x in case)).values()
        np.testing.assert_allclose(got, wanted.numpy(), rtol=1e-5, atol=1e-5)
    return (package.path / "model.py").read_text()


@pytest.mark.parametrize("mode", NEAREST)
@pytest.mark.parametrize("sizes", [((14, 2), (46, 82)), ((9, 4), (18, 61))])
def test_positions_are_rounded_as_torch_rounds_them(mode: str, sizes: Any, tmp_path: Path) -> None:
    have, want = sizes
    code = both(Resized(size=want, mode=mode), (torch.randn(1, 2, *have),), tmp_path, [(torch.randn(1, 2, *have),)])
    assert "F.interpolate(" in code


@pytest.mark.parametrize("mode", [*NEAREST, "bilinear"])
@pytest.mark.parametrize("factor", [1.1, 2.3, (0.6, 2)])
def test_factors(mode: str, factor: Any, tmp_path: Path) -> None:
    x = torch.randn(1, 2, 9, 7)
    assert "scale_factor=" in both(Resized(scale_factor=factor, mode=mode), (x,), tmp_path, [(x,)])


@pytest.mark.parametrize("how", [
    {"mode": m, "scale_factor": s} for m in (*NEAREST, "bilinear", "bicubic") for s in (2, (0.5, 2.25))
], ids=str)  # fmt: skip
def test_factors_of_sizes_that_vary(how: dict[str, Any], tmp_path: Path) -> None:
    cases = [(torch.randn(1, 2, h, w),) for h, w in ((9, 11), (5, 3), (12, 4))]
    both(Resized(**how), ("float32[b,2,h,w]",), tmp_path, cases)


@pytest.mark.parametrize("mode", NEAREST)
def test_sizes_that_vary(mode: str, tmp_path: Path) -> None:
    pairs = [((2, 14), (82, 46)), ((4, 8), (5, 61)), ((9, 9), (9, 18)), ((7, 5), (2, 1))]
    cases = [(torch.randn(1, 2, *a), torch.randn(1, 2, *b)) for a, b in pairs]
    both(Like(mode), ("float32[b,2,h,w]", "float32[b,2,k,l]"), tmp_path, cases)


@pytest.mark.parametrize("how", [{"mode": "bilinear", "antialias": True}, {"mode": "bicubic"}], ids=str)
def test_an_axis_that_keeps_its_size(how: dict[str, Any], tmp_path: Path) -> None:
    x = torch.randn(1, 2, 9, 12)
    both(Resized(scale_factor=(1.1, 1.1), **how), (x,), tmp_path, [(x,)])


def test_a_factor_that_may_or_may_not_keep_a_size() -> None:
    with pytest.raises(converter.ConversionError, match="keeps its size"):
        converter.load(Resized(scale_factor=1.25, mode="bilinear"), ("float32[b,2,h,w]",))


@pytest.mark.parametrize("mode", ["bilinear", "bicubic"])
def test_positions_round_as_the_source_rounds_them(mode: str) -> None:
    """In float32 they are 1e-5 off at 200, which verification called a wrong import."""
    net = Resized(size=(160, 5), mode=mode)
    found = converter.convert(net, to="torch", inputs=["float32[1,1,224,8]"]).report.verification
    (output,) = found.outputs
    assert output.verdict == "equal" and output.source_error > 5 * np.finfo(np.float32).eps * output.scale
    assert output.exact_error < 4 * output.source_error
