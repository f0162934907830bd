"""Conversions held against their source in training: outputs, gradients and buffers of one call."""

from __future__ import annotations

import copy
from typing import Any

import torch
from torch import Tensor, nn

import converter


def converted(module: nn.Module, *inputs: Tensor, notes: str = "", verify: bool = False) -> nn.Module:
    """The module converted to PyTorch; its notes are none, or mention `notes`."""
    conversion = converter.convert(module, "torch", inputs=inputs, verify=verify)
    told = conversion.report.notes
    assert any(notes in n for n in told) if notes else not told, told
    made: nn.Module = conversion.load()
    return made


def step(net: nn.Module, *inputs: Tensor, seed: int = 0) -> tuple[Any, dict[str, Any], dict[str, Tensor]]:
    """Outputs, gradients (those of the first input too) and buffers after one training call."""
    given = [x.clone().requires_grad_(x.is_floating_point()) for x in inputs]
    torch.manual_seed(seed)
    out = net(*given)
    first = out[0] if isinstance(out, tuple) else out
    if first.requires_grad:
        first.square().sum().backward()
    gradients = {n: p.grad for n, p in net.named_parameters()} | {"input": given[0].grad}
    return out, gradients, {n: b for n, b in net.state_dict().items() if n not in gradients}


def trains_alike(module: nn.Module, *inputs: Tensor, seeds: int = 3, notes: str = "") -> nn.Module:
    """Outputs, gradients and buffers of source and conversion agree in training mode, random draws included, and the
    outputs in inference mode. Returns the conversion."""
    module = module.train()
    made = converted(module, *inputs, notes=notes)
    source = copy.deepcopy(module)
    made.train()
    for seed in range(seeds):
        torch.testing.assert_close(step(made, *inputs, seed=seed), step(source, *inputs, seed=seed))
    source.eval(), made.eval()
    torch.testing.assert_close(made(*inputs), source(*inputs))
    return made


class Wrap(nn.Module):
    """A layer of the case between two that have parameters."""

    def __init__(self, layer: nn.Module, *size: int) -> None:
        super().__init__()
        self.first = nn.Linear(8, 8)
        self.layer = layer
        self.last = nn.Linear(8, 4)

    def forward(self, x: Tensor) -> Tensor:
        return self.last(self.layer(self.first(x)))
