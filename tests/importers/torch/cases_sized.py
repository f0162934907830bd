"""Forms that rules spell otherwise where a size is known only in the run; see cases.py."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor
from torch.nn import functional as F

from tests.importers.torch.cases import Fn


def _bags(t: Any, count: int = 5, over: int = 0, **options: Any) -> Tensor:
    """Bags of `n` rows each, n a size that only the run knows, and in the last one what is left of 5 n."""
    n = t.rows.shape[0]
    return F.embedding_bag(t.rows.T.flatten(), t.table, torch.arange(0, count * n + over, n), **options)


SIZED: dict[str, Fn] = {
    "diagonal_scatter": lambda t: [
        torch.diagonal_scatter(t.x, t.x.diagonal(offset, first, second) * 3, offset, first, second)
        for offset, first, second in ((0, 1, 2), (1, 1, -1), (-1, -2, 2), (1, 2, 1), (-2, 2, 1))
    ],
    "diagonal_scatter_4d": lambda t: [
        torch.diagonal_scatter(t.img, t.img.diagonal(offset, first, second) + 1, offset, first, second)
        for offset, first, second in ((0, 1, 3), (2, 3, 1), (-1, 1, 3))
    ],
    "diagonal_scatter_length": lambda t: [
        torch.diagonal_scatter(t.x[:, 0] @ t.x[:, 0].mT, t.x[:, 1, 0]),
    ],
    "irfft": lambda t: [
        torch.fft.irfft(torch.fft.rfft(t.img, dim=2), n=t.img.shape[2], dim=2),
        torch.fft.irfft(torch.fft.rfft(t.x, dim=0), n=t.x.shape[0], dim=0),
    ],
    "embedding_bag": lambda t: [_bags(t), _bags(t, 4, mode="sum"), _bags(t, 5, 1, include_last_offset=True)],
    "unique_consecutive": lambda t: [
        *torch.unique_consecutive(t.rows % 2, return_inverse=True, return_counts=True, dim=0),
        torch.unique_consecutive(t.b[..., :2], dim=0),
    ],
}
