"""Files of exported programs hold ops that PyTorch computes from others, which have no rule of their own."""

from __future__ import annotations

from pathlib import Path

import torch
from torch import Tensor, nn

import converter


class Composed(nn.Module):
    def forward(self, x: Tensor) -> Tensor:
        return torch.hstack([x, x.reshape(3, 2).movedim(0, 1).contiguous()]).flatten()


def test_composed_ops_are_read(tmp_path: Path) -> None:
    x = torch.arange(6.0).reshape(2, 3)
    program = torch.export.export(Composed(), (x,))
    assert "hstack" in str(program.graph)
    torch.export.save(program, tmp_path / "m.pt2")
    (found,) = converter.run(str(tmp_path / "m.pt2"), (x.numpy(),)).values()
    assert found.tolist() == Composed()(x).tolist()
