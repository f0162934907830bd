"""What an export of torch's own cannot follow and ours does: positions held in tensors, grids of open size, steps of sizes."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Literal

import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from converter.importers.torch import load
from ir.eval import Evaluator
from tests.importers.torch.support import compare, expected, flat_inputs, ops, randn, round_trip


class Call(nn.Module):
    """A module of one input or two whose forward is a function."""

    def __init__(self, fn: Callable[..., Any]) -> None:
        super().__init__()
        self.fn = fn

    def forward(self, x: Tensor, y: Tensor) -> Any:
        return self.fn(x, y)


def written(x: Tensor, at: Tensor, put: Callable[[Tensor, Tensor], None]) -> Tensor:
    x = x.clone()
    put(x, at)
    return x


def _first(x: Tensor, at: Tensor) -> None:
    x[at] = torch.arange(12.0).reshape(1, 3, 4)


def _column(x: Tensor, at: Tensor) -> None:
    x[:, at] = x[:, 0] + 1


def _spread(x: Tensor, at: Tensor) -> None:
    x[at, ..., at - 1] = x[0, :, 0]


def _among_numbers(x: Tensor, at: Tensor) -> None:
    x[-1, None, 1:, at] = 7


def _added(x: Tensor, at: Tensor) -> None:
    x[..., at, 1] += 10


@pytest.mark.parametrize("put", [_first, _column, _spread, _among_numbers, _added])
def test_writes_to_positions_held_in_tensors(put: Callable[[Tensor, Tensor], None]) -> None:
    module = Call(lambda x, at: written(x, at, put))
    others = [(randn(3, 3, 4, seed=2), torch.tensor(-2)), (randn(3, 3, 4, seed=3), torch.tensor(2))]
    round_trip(module, (randn(3, 3, 4), torch.tensor(1)), others=others)


def test_a_ring_of_past_inputs_is_state() -> None:
    class Ring(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.register_buffer("past", torch.zeros(3, 2))
            self.register_buffer("at", torch.tensor(0, dtype=torch.int32))

        def forward(self, x: Tensor) -> Tensor:
            self.past[self.at] = x
            self.at.copy_((self.at + 1) % 3)
            return self.past.mean(0)

    module = Ring()
    model = load(module, (torch.ones(2),))
    _, state = Evaluator("exact").run_with_state(model, {"x": torch.ones(2).numpy()})
    module(torch.ones(2))
    compare(state, {k: v.numpy() for k, v in module.state_dict().items()}, 0)


@pytest.mark.parametrize("corners", [False, True])
def test_affine_grids_of_open_size(corners: bool) -> None:
    flat = Call(lambda x, t: F.affine_grid(t, x.shape, align_corners=corners))
    inputs = ("float64[n,1,h,w]", "float64[n,2,3]")
    model = load(flat, inputs)
    for sizes in ((2, 5, 3), (1, 2, 7), (3, 4, 1), (2, 1, 6)):
        args = randn(sizes[0], 1, *sizes[1:]), randn(sizes[0], 2, 3, seed=1)
        compare(Evaluator().run(model, flat_inputs(flat, args, {})), expected(flat, args, {}), 1e-9)
    solid = Call(lambda x, t: F.affine_grid(t, [2, 1, 3, x.shape[1], x.shape[0]], align_corners=corners))
    model = load(solid, ("float64[h,w]", "float64[2,3,4]"))
    args = randn(5, 4), randn(2, 3, 4, seed=1)
    compare(Evaluator().run(model, flat_inputs(solid, args, {})), expected(solid, args, {}), 1e-9)


@pytest.mark.parametrize("named", [True, False])
def test_a_causal_mask_that_depends_on_a_size(named: bool) -> None:
    def attend(x: Tensor, y: Tensor) -> Tensor:
        causal = x.shape[0] > 1
        if named:
            return F.scaled_dot_product_attention(x, y, y, is_causal=causal)
        return F.scaled_dot_product_attention(x, y, y, None, 0.0, causal)

    model = load(Call(attend), ("float64[n,4]", "float64[m,4]"))
    args = randn(3, 4), randn(5, 4, seed=1)
    compare(Evaluator().run(model, flat_inputs(Call(attend), args, {})), expected(Call(attend), args, {}), 1e-9)


@pytest.mark.parametrize("mode", ["sum", "mean", "max"])
def test_bags_whose_length_is_open(mode: Literal["sum", "mean", "max"]) -> None:
    module = nn.EmbeddingBag(9, 4, mode=mode).double()
    model = load(module, ("int64[bags,length]",))
    assert "segment_reduce" not in ops(model)
    for sizes in ((3, 5), (1, 2), (4, 1)):
        args = (torch.randint(9, sizes),)
        compare(Evaluator().run(model, flat_inputs(module, args, {})), expected(module, args, {}), 1e-9)


def test_ranges_whose_step_is_a_size() -> None:
    def ranges(x: Tensor, y: Tensor) -> tuple[Tensor, Tensor]:
        return torch.arange(1, 11, x.shape[0]), torch.arange(y.shape[0], -9, -x.shape[0], dtype=torch.int32)

    model = load(Call(ranges), ("float64[n]", "float64[m]"))
    for n, m in ((4, 6), (3, 5), (2, 2)):
        args = randn(n), randn(m)
        compare(Evaluator("exact").run(model, flat_inputs(Call(ranges), args, {})), expected(Call(ranges), args, {}), 0)
