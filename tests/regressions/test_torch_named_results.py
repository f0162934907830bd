"""Named tuples, data classes and tuples with names of torch's own, as arguments and results of emitted PyTorch."""

from __future__ import annotations

from collections import namedtuple
from dataclasses import dataclass
from typing import Any, NamedTuple

import torch
from torch import Tensor, nn

import converter


class Pair(NamedTuple):
    first: Tensor
    second: Tensor


@dataclass
class Encoded:
    states: Tensor
    extra: Any = None


torch.export.register_dataclass(Encoded)


class Renaming(nn.Module):
    def forward(self, pair: Pair, given: Encoded) -> tuple[Any, ...]:
        swapped = Pair(pair.second + given.states, pair.first)
        return Encoded(given.states * 2, swapped), [torch.max(pair.first, 1), Pair(pair.first, (given.states, None))]  # type: ignore[arg-type]


Odd = namedtuple("Odd", ["class_name", "x"])
Hidden = dataclass(type("Hidden", (), {"__annotations__": {"_x": Tensor}}))
torch.export.register_dataclass(Hidden)


class Unnameable(nn.Module):
    """Fields that a named tuple cannot have stay without names."""

    def forward(self, x: Tensor) -> tuple[Any, ...]:
        return Odd(x, x * 2), Hidden(x)  # type: ignore[call-arg]


def test_fields_keep_their_names() -> None:
    inputs = (Pair(torch.randn(2, 3), torch.randn(2, 3)), Encoded(torch.randn(2, 3)))
    conversion = converter.convert(Renaming(), "torch", inputs=inputs, verify=False)
    assert not conversion.report.notes
    source, made = Renaming()(*inputs), conversion.load()(*inputs)
    encoded, (best, mixed) = made
    torch.testing.assert_close(encoded.states, source[0].states)
    torch.testing.assert_close(tuple(encoded.extra), tuple(source[0].extra))
    assert encoded.extra._fields == ("first", "second") and type(encoded.extra).__name__ == "Pair"
    torch.testing.assert_close((best.values, best.indices), tuple(source[1][0]))
    assert type(mixed).__name__ == "Pair2" and mixed.second == (inputs[1].states, None)
    assert converter.verify(Renaming(), conversion.load(), inputs=inputs).passed


def test_fields_without_a_name_are_noted() -> None:
    x = torch.randn(2)
    conversion = converter.convert(Unnameable(), "torch", inputs=(x,), verify=False)
    assert conversion.report.notes == ["Hidden is a plain tuple: its fields have no names in Python"]
    odd, hidden = conversion.load()(x)
    assert odd.class_name is x and type(hidden) is tuple
