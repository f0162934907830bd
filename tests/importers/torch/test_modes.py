"""Inference and training of one module: what both do, what one of them does, what is frozen and what never stops."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from converter.errors import ConversionError
from converter.importers.torch import load
from ir.eval import Evaluator
from ir.verify import check
from tests.importers.torch.support import double, ops, randn, round_trip
from tests.importers.torch.test_modules import Block


def test_batch_norm_trains_as_in_torch() -> None:
    module = double(nn.Sequential(nn.BatchNorm1d(3, momentum=0.3, eps=1e-2), nn.BatchNorm1d(3, affine=False)))
    model = round_trip(module, (randn(4, 3),))
    x = randn(6, 3, seed=3)
    model = load(module, ("float64[batch,3]",))
    outputs, state = Evaluator(training=True).run_with_state(model, {"input": x.numpy()})
    module.train()
    want = module(x)
    np.testing.assert_allclose(outputs["output"], want.detach().numpy(), atol=1e-12)
    for name in ("0.running_mean", "0.running_var", "1.running_mean", "1.running_var"):
        np.testing.assert_allclose(state[name], module.state_dict()[name].numpy(), atol=1e-12)


@pytest.mark.parametrize("dims", [1, 2])
def test_instance_norm_trains_as_in_torch(dims: int) -> None:
    kind = (nn.InstanceNorm1d, nn.InstanceNorm2d)[dims - 1]
    module = double(kind(3, eps=1e-2, momentum=0.3, affine=dims == 2, track_running_stats=True))
    model = load(module, ("float64[batch,3,7]" if dims == 1 else "float64[batch,3,4,5]",))
    check(model)
    x = randn(4, 3, 7) if dims == 1 else randn(4, 3, 4, 5)
    inference = Evaluator().run(model, {"input": x.numpy()})["output"]
    np.testing.assert_allclose(inference, module(x).detach().numpy(), atol=1e-12)
    outputs, state = Evaluator(training=True).run_with_state(model, {"input": x.numpy()})
    want = module.train()(x)
    np.testing.assert_allclose(outputs["output"], want.detach().numpy(), atol=1e-12)
    for name in ("running_mean", "running_var"):
        np.testing.assert_allclose(state[name], module.state_dict()[name].numpy(), atol=1e-12)


def test_nearest_of_doubles_at_unknown_sizes_is_noted() -> None:
    class Net(nn.Module):
        def __init__(self, **how: object) -> None:
            super().__init__()
            self.how = how

        def forward(self, x: Tensor) -> Tensor:
            return F.interpolate(x, mode="nearest", **self.how)

    (note,) = load(Net(size=(5, 6)), ("float64[2,3,rows,4]",)).notes
    assert "the nearest of doubles" in note
    for how in ({"size": (5, 6)}, {"scale_factor": 2}):
        assert not load(Net(**how), ("float64[rows,3,7,4]" if "size" in how else "float64[2,3,rows,4]",)).notes


def test_batch_norm_called_twice_updates_twice() -> None:
    class Twice(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.bn = nn.BatchNorm1d(3)

        def forward(self, x: Tensor) -> Tensor:
            return self.bn(self.bn(x) + 1)

    module = double(Twice())
    model = load(module, ("float64[batch,3]",))
    check(model)
    x = randn(5, 3)
    _, state = Evaluator(training=True).run_with_state(model, {"x": x.numpy()})
    module.train()(x)
    np.testing.assert_allclose(state["bn.running_mean"], module.bn.running_mean.numpy(), atol=1e-12)
    np.testing.assert_allclose(state["bn.running_var"], module.bn.running_var.numpy(), atol=1e-12)


def test_both_modes_are_kept_and_frozen_parts_stay_frozen() -> None:
    module = nn.Sequential(Block(4), Block(4), nn.Dropout2d(0.4)).train()
    module[1].eval()
    before = {n: m.training for n, m in module.named_modules()}
    model = load(module, (torch.randn(3, 4),))
    assert {n: m.training for n, m in module.named_modules()} == before
    norms = [n for n in model.nodes() if n.op.name == "batch_norm"]
    drops = [n for n in model.nodes() if n.op.name == "dropout"]
    assert [n.attrs["frozen"] for n in norms] == [False, True]
    assert [(n.attrs["p"], n.attrs["frozen"]) for n in drops] == [(0.3, False), (0.3, True), (0.4, False)]
    assert set(model.state) == {"0.bn.running_mean", "0.bn.running_var"}
    assert not model.notes


def test_a_module_in_eval_mode_is_read_as_trainable() -> None:
    model = load(Block(4).eval(), (torch.randn(3, 4),))
    assert not any(n.attrs["frozen"] for n in model.nodes() if "frozen" in n.attrs)
    assert not model.notes


def test_parts_left_in_training_mode_are_noted() -> None:
    module = Block(4).eval()
    module.drop.train()
    assert any("drop" in n for n in load(module, (torch.randn(3, 4),)).notes)


def test_attention_dropout_comes_from_the_training_export() -> None:
    module = nn.MultiheadAttention(8, 2, dropout=0.25, batch_first=True)

    class Net(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.attn = module

        def forward(self, x: Tensor) -> Tensor:
            return self.attn(x, x, x, need_weights=False)[0]

    model = load(Net().eval(), (torch.randn(2, 5, 8),))
    (node,) = [n for n in model.nodes() if n.op.name == "attention"]
    assert node.attrs["dropout"] == 0.25 and not model.notes


class DropPath(nn.Module):
    def forward(self, x: Tensor) -> Tensor:
        if not self.training:
            return x
        return x * (torch.rand(x.shape[0], 1) > 0.5)


def test_training_of_its_own_is_merged() -> None:
    class Net(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.path = DropPath()
            self.fc = nn.Linear(4, 4)

        def forward(self, x: Tensor) -> Tensor:
            return self.fc(self.path(x))

    model = round_trip(Net().double(), (randn(3, 4),))
    assert (
        ops(model) == ["by_mode", "constant", "random_uniform", "greater", "cast", "mul", "linear"] and not model.notes
    )
    (node,) = [n for n in model.nodes() if n.op.name == "by_mode"]
    assert node.origin.scope == "path"


def test_functional_dropout_that_never_stops() -> None:
    class Always(nn.Module):
        def forward(self, x: Tensor) -> Tensor:
            return F.dropout(x, 0.5)

    (node,) = load(Always(), (torch.randn(3),)).nodes()
    assert node.attrs["always"] and not node.attrs["frozen"]


def test_attention_that_never_stops_dropping_is_refused() -> None:
    class Always(nn.Module):
        def forward(self, x: Tensor) -> Tensor:
            return F.scaled_dot_product_attention(x, x, x, dropout_p=0.5)

    with pytest.raises(ConversionError, match="dropout_p to 0 in eval mode"):
        load(Always(), (torch.randn(1, 2, 3, 4),))


def test_in_place_dropout_is_seen_by_later_readers() -> None:
    class Net(nn.Module):
        def forward(self, x: Tensor) -> Tensor:
            y = x * 2
            F.dropout(y, 1.0, self.training, inplace=True)
            return y + x

    model = round_trip(Net(), (randn(3),))
    x = randn(3).numpy()
    np.testing.assert_allclose(Evaluator(training=True).run(model, {"x": x})["output"], x)
