"""Sizes that change: named ones, multiples, and numbers out of tensors."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from converter.errors import ConversionError, UsageError
from converter.importers.base import ImportOptions
from converter.importers.torch import load
from ir.eval import Evaluator
from ir.verify import check
from tests.importers.torch.support import compare, expected, randn


def test_named_sizes() -> None:
    class Net(nn.Module):
        def forward(self, x: Tensor, mask: Tensor) -> Tensor:
            return (x * mask.unsqueeze(-1)).reshape(x.shape[0], -1).cumsum(0)

    model = load(Net(), ("float32[batch,seq,4]", "float32[batch,seq]"))
    assert [str(t) for t in model.input_types.values()] == ["float32[batch, seq, 4]", "float32[batch, seq]"]
    assert str(model.output_types["output"]) == "float32[batch, 4 * seq]"
    assert not model.notes


def test_dynamic_option_and_small_examples() -> None:
    model = load(nn.Linear(3, 2), (torch.zeros(1, 3),), options=ImportOptions(dynamic={"input": [0]}))
    assert str(model.input_types["input"]) == "float32[batch, 3]"
    with pytest.raises(UsageError, match="no input is called"):
        load(nn.Linear(3, 2), (torch.zeros(1, 3),), options=ImportOptions(dynamic={"x": [0]}))


def test_a_size_that_cannot_change_is_refused() -> None:
    class Net(nn.Module):
        def forward(self, x: Tensor) -> Tensor:
            return x[: len([1 for _ in range(x.shape[0])])]

    with pytest.raises(ConversionError, match="size batch of input x cannot change"):
        load(Net(), ("float32[batch,3]",))
    load(Net(), ("float32[4,3]",))


def test_sizes_that_must_be_multiples() -> None:
    class Net(nn.Module):
        def forward(self, x: Tensor) -> Tensor:
            return x.view(x.shape[0], x.shape[1] // 8, 8).sum(-1)

    model = load(Net(), ("float64[batch,seq]",))
    check(model)
    x = randn(3, 16)
    got = Evaluator().run(model, {"x": x.numpy()})
    compare(got, expected(Net(), (x,), {}), 1e-12)


def test_a_number_out_of_a_tensor_as_size() -> None:
    class Net(nn.Module):
        def forward(self, x: Tensor, n: Tensor) -> Tensor:
            k = n.item()
            torch._check(k >= 0)
            torch._check(k <= x.shape[0])
            return x.narrow(0, 0, k) * 2

    model = load(Net(), (randn(6, 2), torch.tensor(4)))
    check(model)
    for k in (4, 2):
        got = Evaluator().run(model, {"x": randn(6, 2).numpy(), "n": np.array(k)})
        np.testing.assert_allclose(got["output"], randn(6, 2).numpy()[:k] * 2)


def test_floats_of_sizes() -> None:
    class Net(nn.Module):
        def forward(self, x: Tensor) -> Tensor:
            return x / x.shape[0] ** 0.5 + x * (x.shape[1] / x.shape[0])

    model = load(Net(), ("float64[a,b]",))
    check(model)
    x = randn(3, 4)
    compare(Evaluator().run(model, {"x": x.numpy()}), expected(Net(), (x,), {}), 1e-12)


def test_circular_padding_goes_around_once() -> None:
    module = nn.Conv1d(2, 2, 4, padding="same", padding_mode="circular").double()  # one element before, two after
    model = load(module, ("float64[n,2,length]",))
    assert [a.relation[1:] for a in model.assumptions] == [(">=", 1), (">=", 2)]
    for length in (2, 3, 7):
        x = randn(2, 2, length)
        compare(Evaluator().run(model, {"input": x.numpy()}), expected(module, (x,), {}), 1e-12)
