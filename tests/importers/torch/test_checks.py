"""Assertions of a source: kept where they are about sizes, told where they are about values, silent where they cannot fail."""

from __future__ import annotations

import pytest
import torch
from torch.export import Dim

from converter.api import load

X = torch.rand(4, 3)


class OfSizes(torch.nn.Module):
    def forward(self, x):
        torch._check(x.shape[0] < 100)
        return x + 1


class OfElements(torch.nn.Module):
    def forward(self, x):
        torch._assert_async((x > 0).all(), "all positive")
        return x + 1


class OfANumber(torch.nn.Module):
    def forward(self, x, n):
        k = n.item()
        torch._check(k > 1)
        torch._check(k < 4)
        return x[:k]


class OfACount(torch.nn.Module):
    def forward(self, x):
        found = x.nonzero()
        torch._check(found.shape[0] >= 2)
        return found


class NewSize(torch.nn.Module):
    def forward(self, x, n):
        return x.new_zeros(n.item())


class Counted(torch.nn.Module):
    def forward(self, x):
        return x.nonzero() * 2


def notes(module: torch.nn.Module, *args: torch.Tensor, dynamic: bool = False) -> list[str]:
    shapes = ({0: Dim.AUTO}, *[None] * (len(args) - 1)) if dynamic else None
    return load(torch.export.export(module, args, dynamic_shapes=shapes)).notes


def test_an_assertion_about_sizes_is_an_assumption():
    model = load(torch.export.export(OfSizes(), (X,), dynamic_shapes=({0: Dim.AUTO},)))
    assert [str(a) for a in model.assumptions] == ["batch + 1 == min(100, batch + 1) (the exported program demands it)"]
    assert not any("at run time" in n for n in model.notes)


@pytest.mark.parametrize(
    ("module", "args", "said"),
    [
        (OfElements(), (X,), ["all positive"]),
        (OfANumber(), (X, torch.tensor(2)), ["u0 >= 2", "1 < u0", "u0 < 4"]),
        (OfACount(), (X,), ["u0 >= 2"]),
    ],
)
def test_an_assertion_about_values_is_told(module, args, said):
    told = notes(module, *args)
    for text in said:
        assert any(f"the source asserts at run time ({text})" in n and "test_checks.py:" in n for n in told), told


@pytest.mark.parametrize(("module", "args"), [(NewSize(), (X, torch.tensor(2))), (Counted(), (X,))])
def test_what_pytorch_asserts_of_every_count_is_not(module, args):
    assert not any("at run time" in n for n in notes(module, *args))
