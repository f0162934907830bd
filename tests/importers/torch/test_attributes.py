"""Plain attributes that forward() changes: what only records is let be, what later calls depend on is refused."""

from __future__ import annotations

from collections.abc import Callable

import pytest
import torch
from torch import Tensor, nn

from converter.errors import ConversionError
from converter.importers.torch import load
from tests.importers.torch.support import ops


class Keeping(nn.Module):
    """A module whose forward is `call`, with attributes to change."""

    def __init__(self, call: Callable[[Keeping, Tensor], Tensor]) -> None:
        super().__init__()
        self.call = call
        self.fc = nn.Linear(3, 3)
        self.last: Tensor | None = None
        self.zeros = torch.zeros(3)
        self.seen: list[Tensor] = []
        self.count = 0

    def forward(self, x: Tensor) -> Tensor:
        return self.call(self, x)


def records(m: Keeping, x: Tensor) -> Tensor:
    m.last, m.count = m.fc(x), m.count + 1
    m.seen.append(x)
    return m.last


def adds_a_tensor(m: Keeping, x: Tensor) -> Tensor:
    m.zeros = x.sum(0) + m.zeros
    return x + m.zeros


def begins_with_none(m: Keeping, x: Tensor) -> Tensor:
    m.last = x if m.last is None else m.last + x
    return m.last


def collects(m: Keeping, x: Tensor) -> Tensor:
    m.seen.append(x)
    return torch.cat(m.seen)


def multiplies_by_a_count(m: Keeping, x: Tensor) -> Tensor:
    m.count += 1
    return x * m.count


def warms_up(m: Keeping, x: Tensor) -> Tensor:
    m.count += 1
    return x * 2 if m.count < 50 else x


def test_records_are_let_be() -> None:
    module = Keeping(records)
    model = load(module, (torch.ones(2, 3),))
    assert ops(model) == ["linear"] and not model.notes
    assert module.last is None and module.count == 0 and module.seen == []


@pytest.mark.parametrize(
    ("call", "name"),
    [
        (adds_a_tensor, "zeros"),
        (begins_with_none, "last"),
        (collects, "seen"),
        (multiplies_by_a_count, "count"),
        (warms_up, "count"),
    ],
)
def test_what_later_calls_depend_on_is_refused(call: Callable[[Keeping, Tensor], Tensor], name: str) -> None:
    module = Keeping(call)
    zeros = module.zeros
    with pytest.raises(ConversionError, match=rf"changes plain attributes \({name}\).*register_buffer"):
        load(module, (torch.ones(2, 3),))
    assert (module.last, module.count, module.seen) == (None, 0, []) and module.zeros is zeros


def test_the_attribute_of_a_part_is_named_with_its_path() -> None:
    with pytest.raises(ConversionError, match=r"plain attributes \(1\.count\)"):
        load(nn.Sequential(nn.ReLU(), Keeping(multiplies_by_a_count)), (torch.ones(2, 3),))


def test_a_count_of_training_steps_costs_training_only() -> None:
    def call(m: Keeping, x: Tensor) -> Tensor:
        m.count += m.training
        return x * m.count if m.training else m.fc(x)

    model = load(Keeping(call), (torch.ones(2, 3),))
    assert ops(model) == ["linear"]
    assert [n for n in model.notes if "(count)" in n and n.startswith("only its inference behaviour")]


def test_derivatives_inside_are_refused_with_advice() -> None:
    class Slope(nn.Module):
        def forward(self, x: Tensor) -> Tensor:
            return torch.func.grad(lambda v: (v**3).sum())(x)

    with pytest.raises(ConversionError, match=r"torch\.func\.grad.*write them out"):
        load(Slope(), (torch.ones(3),))
