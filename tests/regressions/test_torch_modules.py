"""Library modules whose call needs more than `module(x)`."""

from __future__ import annotations

import torch
from torch import Tensor, nn

import converter


def same_after_conversion(module: nn.Module, x: Tensor) -> nn.Module:
    """Convert without verification, compare with the source; the converted module."""
    module.eval()
    made = converter.convert(module, "torch", inputs=(x,), verify=False).load()
    torch.testing.assert_close(made(x), module(x))
    return made


def test_uneven_padding_in_a_sequence_is_not_lost() -> None:
    made = same_after_conversion(nn.Sequential(nn.ReLU(), nn.Conv2d(3, 4, 4, padding="same")), torch.randn(2, 3, 9, 8))
    assert list(dict(made.named_parameters())) == ["1.weight", "1.bias"]


class Stack(nn.Module):
    """Layers in a list whose calls differ although their classes do not."""

    def __init__(self) -> None:
        super().__init__()
        self.layers = nn.ModuleList([nn.Conv1d(3, 3, k, padding="same") for k in (4, 2, 6)])

    def forward(self, x: Tensor) -> Tensor:
        for layer in self.layers:
            x = layer(x)
        return x


def test_a_loop_over_modules_needs_equal_calls() -> None:
    same_after_conversion(Stack(), torch.randn(2, 3, 9))


class Recurrent(nn.Module):
    """Recurrent layers in a list: their calls give more than the value handed on."""

    def __init__(self) -> None:
        super().__init__()
        self.layers = nn.ModuleList([nn.GRU(4, 4, batch_first=True) for _ in range(3)])

    def forward(self, x: Tensor) -> Tensor:
        for layer in self.layers:
            x, _ = layer(x)
        return x


def test_a_list_of_recurrent_layers() -> None:
    same_after_conversion(Recurrent(), torch.randn(2, 5, 4))
