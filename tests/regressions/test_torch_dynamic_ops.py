"""Writes into diagonals, turned axes and bags of embeddings, with sizes that only the run knows."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn

import converter


class One(nn.Module):
    def __init__(self, fn: Callable[[Tensor], Any]) -> None:
        super().__init__()
        self.fn = fn

    def forward(self, x: Tensor) -> Any:
        return self.fn(x)


def same_everywhere(module: nn.Module, inputs: tuple[Any, ...], folder: Path, cases: list[tuple[Tensor, ...]]) -> None:
    """PyTorch and ONNX give what the source gives."""
    made = converter.convert(module, "torch", inputs=inputs, verify=False).load()
    written = converter.convert(module, "onnx", folder / "m.onnx", inputs, verify=False).path
    for case in cases:
        wanted = module(*case)
        torch.testing.assert_close(made(*case), wanted)
        got = list(converter.run(written, tuple(x.numpy() for x in case)).values())
        for a, b in zip(got, wanted if isinstance(wanted, tuple) else (wanted,), strict=True):
            np.testing.assert_allclose(a, b.detach().numpy(), rtol=1e-5, atol=1e-6)


def diagonals(x: Tensor) -> Tensor:
    y = x.clone()
    y.diagonal().fill_(0)
    y.diagonal(1).add_(10)
    y.diagonal(-2).mul_(3)
    return y


def deep_diagonals(x: Tensor) -> Tensor:
    y = x.clone()
    y.diagonal(0, 1, 2).zero_()
    y.diagonal(1, 2, 0).add_(1)
    return y


def test_writes_into_diagonals(tmp_path: Path) -> None:
    same_everywhere(One(diagonals), ("float32[b,t]",), tmp_path, [(torch.randn(s),) for s in ((5, 7), (7, 5), (3, 3))])


def test_writes_into_diagonals_of_other_axes(tmp_path: Path) -> None:
    same_everywhere(
        One(deep_diagonals), ("float32[b,t,5]",), tmp_path, [(torch.randn(s),) for s in ((2, 7, 5), (4, 3, 5))]
    )


def test_turned_axes(tmp_path: Path) -> None:
    turns = One(lambda x: (x.roll(2, 1), x.roll((1, -25), (0, 1)), x.roll(x.shape[1] // 2, 1)))
    same_everywhere(turns, ("float32[b,t]",), tmp_path, [(torch.randn(s),) for s in ((5, 7), (1, 6), (3, 1))])


@pytest.mark.parametrize("mode", ["sum", "mean", "max"])
@pytest.mark.parametrize("padding", [None, 1])
def test_bags(mode: str, padding: int | None, tmp_path: Path) -> None:
    bag = nn.EmbeddingBag(10, 3, mode=mode, padding_idx=padding)
    cases = [(torch.randint(0, 10, (2, 5)),), (torch.ones(3, 5, dtype=torch.int64),)]
    same_everywhere(bag, ("int64[b,5]",), tmp_path, cases)


@pytest.mark.parametrize("mode", ["sum", "mean", "max"])
def test_bags_between_offsets(mode: str, tmp_path: Path) -> None:
    bag = nn.EmbeddingBag(10, 3, mode=mode, include_last_offset=mode == "mean")
    cases = [(torch.randint(0, 10, (7,)), torch.tensor(o)) for o in ([0, 2, 2, 7], [0, 0, 1, 7])]
    same_everywhere(bag, cases[0], tmp_path, cases)


class Weighted(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.bag = nn.EmbeddingBag(10, 3, mode="sum")

    def forward(self, x: Tensor, weights: Tensor) -> Tensor:
        return self.bag(x, per_sample_weights=weights)


def test_weighted_bags(tmp_path: Path) -> None:
    case = (torch.randint(0, 10, (2, 5)), torch.randn(2, 5))
    same_everywhere(Weighted(), case, tmp_path, [case])


class Positions(nn.Module):
    """Rows and elements at positions that tensors hold, negative ones too, read and written."""

    def forward(self, x: Tensor, at: Tensor) -> tuple[Tensor, ...]:
        row, place = at[0], at[1].item()
        y = x.clone()
        y.select(0, place).mul_(3)
        y.select(1, place).add_(x[:, row])
        return x[row], x[row + 1, row], x[:, place - 1], y, x.argmax(0) + x[x[:, 0].argmax(), 1]


def test_positions_out_of_tensors(tmp_path: Path) -> None:
    cases = [(torch.randn(n, 3), torch.tensor(at)) for n, at in ((5, [-2, -1]), (2, [0, 1]), (3, [1, -2]))]
    same_everywhere(Positions(), ("float32[n,3]", "int64[2]"), tmp_path, cases)


def lowest_frequencies(x: Tensor) -> tuple[Tensor, ...]:
    """Four of n // 2 + 1 frequencies written: the first example's 7 points have just four."""
    spectrum = torch.fft.rfft(x)
    kept = torch.zeros_like(spectrum)
    kept[..., :4] = spectrum[..., :4] * 2
    return torch.fft.irfft(kept, n=x.shape[-1]) + x, torch.fft.irfft2(torch.fft.rfft2(x), s=x.shape[-2:])


def test_a_size_that_the_example_has_by_chance(tmp_path: Path) -> None:
    cases = [(torch.randn(2, 3, n),) for n in (16, 25, 9)]
    same_everywhere(One(lowest_frequencies), ("float32[b,3,n]",), tmp_path, cases)
