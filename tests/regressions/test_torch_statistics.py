"""Running statistics and the counter of a batch normalisation that the model also reads or writes beside the layer."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor, nn

from converter.errors import ConversionError
from converter.importers.torch import load
from tests.regressions.training import trains_alike

COUNTED = 4  # trains_alike calls the model three times; the counter begins at one


class Normalised(nn.Module):
    """A normalisation whose counter has moved already."""

    def __init__(self, layer: nn.Module | None = None) -> None:
        super().__init__()
        self.norm = layer or nn.BatchNorm1d(3)
        self.norm.num_batches_tracked.fill_(1)  # type: ignore[operator, union-attr]


class ReadAfter(Normalised):
    def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
        y = self.norm(x)
        return y, self.norm.running_mean * 2


class ReadBefore(Normalised):
    """A copy of before, and the statistics themselves as they are in the end."""

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        before = self.norm.running_mean.clone()
        return self.norm(x), before, self.norm.running_var


class Damped(Normalised):
    """Without gradients: PyTorch's own backward pass wants the statistics as they were."""

    def forward(self, x: Tensor) -> Tensor:
        y = self.norm(x).detach()
        self.norm.running_mean.mul_(0.5)
        return y


class CounterRead(Normalised):
    def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
        before = self.norm.num_batches_tracked * 10
        return self.norm(x), before + self.norm.num_batches_tracked


class InstanceMoved(Normalised):
    """Instance normalisation moves its statistics as well; its counter stays."""

    def __init__(self) -> None:
        super().__init__(nn.InstanceNorm1d(3, track_running_stats=True))

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
        y = self.norm(x.mT.unsqueeze(0))
        return y, self.norm.running_mean * 2


@pytest.mark.parametrize("make", [ReadAfter, ReadBefore, Damped, CounterRead, InstanceMoved])
def test_statistics_seen_by_the_model(make: type[Normalised]) -> None:
    counts = make is not InstanceMoved
    made = trains_alike(make(), torch.randn(6, 3))
    assert int(dict(made.named_buffers())["norm.num_batches_tracked"]) == (COUNTED if counts else 1)


def test_calls_of_one_layer_are_counted_one_by_one() -> None:
    class Twice(Normalised):
        def forward(self, x: Tensor) -> Tensor:
            return self.norm(self.norm(x) * 2 + 1)

    made = trains_alike(Twice(), torch.randn(6, 3))
    assert int(dict(made.named_buffers())["norm.num_batches_tracked"]) == 2 * COUNTED - 1


def test_a_view_that_the_layer_would_change_is_refused() -> None:
    class Viewed(Normalised):
        def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
            tail = self.norm.running_mean[1:]
            return self.norm(x), tail * 2

    with pytest.raises(ConversionError, match="a view of norm.running_mean that is read after"):
        load(Viewed(), (torch.randn(6, 3),))


def test_statistics_that_are_a_copy_are_no_state() -> None:
    class Copied(Normalised):
        def forward(self, x: Tensor) -> Tensor:
            n = self.norm
            return nn.functional.batch_norm(x, n.running_mean.clone(), n.running_var, training=self.training)

    with pytest.raises(ConversionError, match="statistics that are computed rather than stored"):
        load(Copied(), (torch.randn(6, 3),))
