"""Higher-order ops over slices, parametrised weights, sizes that values decide."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from torch import Tensor, nn
from torch._higher_order_ops.map import map as torch_map
from torch._higher_order_ops.scan import scan
from torch.nn import functional as F

import converter
from tests.regressions.routes_torch import Applies, leaves, same_everywhere


class Cell(nn.Module):
    """A recurrent cell by `scan`, forwards or backwards, over any axis; the body reads weights and a captured tensor."""

    def __init__(self, dim: int, reverse: bool) -> None:
        super().__init__()
        self.inner = nn.Linear(4, 4)
        self.dim, self.reverse = dim, reverse

    def forward(self, x: Tensor, gain: Tensor) -> tuple[Tensor, Tensor]:
        def step(state: Tensor, part: Tensor) -> tuple[Tensor, Tensor]:
            state = torch.tanh(self.inner(state) * gain + part)
            return state, state.sum(-1)

        return scan(step, x.select(self.dim, 0) * 0, x, dim=self.dim, reverse=self.reverse)


@pytest.mark.parametrize(("dim", "reverse"), [(0, False), (1, True)])
def test_scan(dim: int, reverse: bool, tmp_path: Path) -> None:
    torch.manual_seed(1)
    spec = "float32[time,3,4]" if dim == 0 else "float32[3,time,4]"
    shapes = [(n, 3, 4) if dim == 0 else (3, n, 4) for n in (5, 1, 2)]
    same_everywhere(
        Cell(dim, reverse), (spec, "float32[4]"), [(torch.randn(s), torch.randn(4)) for s in shapes], tmp_path
    )


def test_map(tmp_path: Path) -> None:
    """Several inputs and outputs, an argument that every slice shares."""

    def over(x: Tensor, y: Tensor, w: Tensor) -> tuple[Tensor, Tensor]:
        return torch_map(lambda pair, w: ((pair[0] @ w).relu(), pair[1] + w.sum()), (x, y), w)

    feeds = [(torch.randn(n, 2, 3), torch.randn(n), torch.randn(3, 2)) for n in (4, 1)]
    same_everywhere(over, ("float32[n,2,3]", "float32[n]", "float32[3,2]"), feeds, tmp_path)


SIZED = {
    "repeated": (
        lambda x, r: (x.repeat_interleave(r, 1), r.repeat_interleave(r)), ("float32[2,n]", "int64[n]"),
        [(torch.randn(2, 3), torch.tensor([1, 0, 2])), (torch.randn(2, 2), torch.tensor([0, 0])), (torch.randn(2, 1), torch.tensor([4]))],
    ),
    "classes of the data": (lambda x: F.one_hot(x), ("int64[n,2]",), [(torch.tensor([[0, 2]]),), (torch.tensor([[0, 0], [4, 1]]),)]),
    "even distances": (
        lambda x: (torch.linspace(0, 1, x.shape[0]), torch.linspace(3, -2.5, x.shape[0] + 1, dtype=torch.float64), torch.linspace(1, 2, 3)),
        ("float32[n]",), [(torch.randn(n),) for n in (1, 2, 5, 8)],
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", SIZED)
def test_sizes_of_the_run(name: str, tmp_path: Path) -> None:
    fn, specs, feeds = SIZED[name]
    same_everywhere(fn, specs, feeds, tmp_path)


def test_parametrised_weights_stay_trainable(tmp_path: Path) -> None:
    """The parameters of a parametrisation are those of the result, and training moves the same output."""
    torch.manual_seed(0)
    net = nn.Sequential(
        nn.utils.parametrizations.weight_norm(nn.Linear(3, 4)), nn.utils.weight_norm(nn.Linear(4, 2), dim=None)
    )
    made = converter.convert(net, "torch", tmp_path / "p", ("float32[n,3]",)).load()
    named, own = dict(made.named_parameters()), dict(net.named_parameters())
    assert named.keys() == own.keys() and all(p.requires_grad for p in named.values())
    x = torch.randn(5, 3)
    net(x).square().sum().backward(), made(x).square().sum().backward()
    for name, parameter in own.items():
        torch.testing.assert_close(named[name].grad, parameter.grad)


def test_fixed_sizes_are_left_to_torch() -> None:
    """What torch exports by itself is not spelled: a fixed count stays one constant."""
    model = converter.load(Applies(lambda x: torch.linspace(0, 1, 5) + x), ("float32[5]",))
    assert [n.op.name for n in model.nodes() if n.op.name in ("constant", "range", "arange", "where")] == ["constant"]
    assert len(leaves([torch.zeros(1), [torch.zeros(1)]])) == 2
