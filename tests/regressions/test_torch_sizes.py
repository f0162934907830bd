"""Python decisions on sizes, and sizes that the export fixes: checked in emitted code or refused, never forgotten."""

from __future__ import annotations

from collections.abc import Callable

import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional

import converter
from converter import ConversionError


class One(nn.Module):
    def __init__(self, fn: Callable[..., Tensor]) -> None:
        super().__init__()
        self.fn = fn

    def forward(self, x: Tensor) -> Tensor:
        return self.fn(x)


class Two(One):
    def forward(self, x: Tensor, y: Tensor) -> Tensor:  # type: ignore[override]
        return self.fn(x, y)


BRANCHES = {
    "greater": (lambda x: x * 2 if x.shape[1] > 6 else x, 9, 3),
    "less": (lambda x: x * 2 if x.shape[1] < 60 else x, 9, 90),
    "multiple": (lambda x: x * 2 if x.shape[1] % 3 != 0 else x, 8, 9),
    "not one": (lambda x: x * 2 if x.shape[1] == 1 else x, 8, 1),
    "truth of a size": (lambda x: x * 2 if not x.shape[1] // 70 else x, 8, 70),
}


@pytest.mark.parametrize("name", BRANCHES)
def test_a_decision_on_sizes_is_checked_where_the_model_runs(name: str) -> None:
    fn, inside, outside = BRANCHES[name]
    conversion = converter.convert(One(fn), "torch", inputs=("float32[b,t]",), verify=False)
    assert any("another path" in note for note in conversion.report.notes)
    x = torch.randn(2, inside)
    torch.testing.assert_close(conversion.load()(x), fn(x))
    with pytest.raises(ValueError, match="another path"):
        conversion.load()(torch.randn(2, outside))


def causal(x: Tensor) -> Tensor:
    return functional.scaled_dot_product_attention(x, x, x, is_causal=bool(x.shape[1] > 1))


def nested(x: Tensor) -> Tensor:
    if x.shape[1] > 6:
        return torch.relu(x)
    return functional.relu(x) if x.shape[1] > 3 else x.clamp(min=0) if x.shape[1] < 0 else x.relu()


SAME = {
    "two spellings": lambda x: torch.relu(x) if x.shape[1] > 6 else functional.relu(x),
    "no upper end": lambda x: torch.relu(x) if x.shape[1] < 60 else functional.relu(x),
    "a single step": lambda x: x.squeeze(1).unsqueeze(1) * 2 if x.shape[1] == 1 else x * 2,
    "of a multiple": lambda x: torch.relu(x) if x.shape[1] % 3 else functional.relu(x),
    "decisions within": nested,
    "a triangle of one": causal,
    "two sizes": lambda x: torch.relu(x) if x.shape[0] > x.shape[1] else functional.relu(x),
}


@pytest.mark.parametrize("name", SAME)
def test_a_decision_that_changes_nothing_is_dropped(name: str) -> None:
    fn = SAME[name]
    rank = "float32[b,t,4]" if name == "a triangle of one" else "float32[b,t]"
    conversion = converter.convert(One(fn), "torch", inputs=(rank,), verify=False)
    assert not conversion.model.assumptions and not conversion.report.notes
    for length in (0, 1, 2, 6, 9, 61):
        x = torch.randn(2, length, *([4] if "4" in rank else []))
        torch.testing.assert_close(conversion.load()(x), fn(x))


def within_the_other(x: Tensor) -> Tensor:
    if x.shape[1] > 6:
        return torch.relu(x)
    return x * 2 if x.shape[0] > 20 else functional.relu(x)


def test_a_path_that_differs_somewhere_is_assumed() -> None:
    """Its own decision leads to another result: the whole path is left out rather than half of it proven."""
    module = converter.convert(One(within_the_other), "torch", inputs=("float32[b,t]",), verify=False).load()
    with pytest.raises(ValueError, match="another path"):
        module(torch.ones(21, 5))
    torch.testing.assert_close(module(-torch.ones(21, 7)), torch.zeros(21, 7))


def constants(x: Tensor) -> Tensor:
    return x + torch.tensor([1.0] * 20) if x.shape[0] > 6 else x + torch.tensor([2.0] * 20)


def test_paths_that_differ_in_constants_alone_are_different() -> None:
    model = converter.load(One(constants), ("float32[b,20]",))
    assert [str(a.relation[0]) for a in model.assumptions] == ["b"]


def test_a_size_at_which_the_model_fails_is_named() -> None:
    def fails(x: Tensor) -> Tensor:
        if x.shape[1] <= 1 and not x.shape[1]:
            raise ValueError("empty")
        return x * 2

    conversion = converter.convert(One(fails), "torch", inputs=("float32[b,t]",), verify=False)
    torch.testing.assert_close(conversion.load()(torch.ones(2, 1)), torch.full((2, 1), 2.0))
    with pytest.raises(ValueError, match="t >= 1 .the model cannot be read there"):
        conversion.load()(torch.ones(2, 0))


def test_decisions_between_two_sizes() -> None:
    greater = Two(lambda x, y: x * 2 if x.shape[1] > y.shape[1] else x)
    specs = ("float32[b,t]", "float32[b,s]")
    module = converter.convert(greater, "torch", inputs=specs, verify=False).load()
    torch.testing.assert_close(module(torch.ones(2, 3), torch.ones(2, 5)), torch.ones(2, 3))
    with pytest.raises(ValueError, match="t <= s"):
        module(torch.ones(2, 5), torch.ones(2, 3))


def test_sizes_of_two_names_are_taken_as_different() -> None:
    model = Two(lambda x, y: x + y if x.shape == y.shape else x)
    apart = converter.convert(model, "torch", inputs=("float32[2,t]", "float32[2,s]"), verify=False).load()
    torch.testing.assert_close(apart(torch.ones(2, 3), torch.ones(2, 5)), torch.ones(2, 3))
    with pytest.raises(ValueError, match="another path"):
        apart(torch.ones(2, 3), torch.ones(2, 3))
    same = converter.convert(model, "torch", inputs=("float32[2,t]", "float32[2,t]"), verify=False).load()
    torch.testing.assert_close(same(torch.ones(2, 3), torch.ones(2, 3)), torch.full((2, 3), 2.0))


def test_decisions_of_torch_itself_are_not_assumptions() -> None:
    model = converter.load(nn.Sequential(nn.Conv1d(3, 3, 5, stride=2), nn.Flatten(0, 1)), ("float32[b,3,t]",))
    assert not model.assumptions and not model.notes


@pytest.mark.parametrize("fn", [lambda x: x.sum(1) * sum(1 for _ in range(x.shape[1])), lambda x: x.sum(1) / int(x.shape[1])])
def test_a_size_that_the_export_fixes_is_refused(fn: Callable[[Tensor], Tensor]) -> None:
    with pytest.raises(ConversionError, match="size t of input x cannot change"):
        converter.load(One(fn), ("float32[b,t]",))


@pytest.mark.parametrize("name", ["greater", "multiple"])
def test_guards_of_an_exported_program_are_checked(name: str) -> None:
    fn, inside, outside = BRANCHES[name]
    auto = torch.export.Dim.AUTO
    program = torch.export.export(One(fn), (torch.randn(5, 11),), dynamic_shapes=({0: auto, 1: auto},), strict=False)
    made = converter.convert(program, "torch", verify=False).load()
    x = torch.randn(2, inside)
    torch.testing.assert_close(made(x), fn(x))
    with pytest.raises(ValueError, match="demands"):
        made(torch.randn(2, outside))


@pytest.mark.parametrize("fn", [
    lambda x: x.new_ones(int(x.shape[1] * 0.75)), lambda x: x.new_ones(int(x.shape[1] / 2)),
    lambda x: sum(x[:, i] for i in range(x.shape[1] // 2)),
])  # fmt: skip
def test_an_expression_of_sizes_made_a_number_is_checked(fn: Callable[[Tensor], Tensor]) -> None:
    conversion = converter.convert(One(fn), "torch", inputs=("float32[b,t]",), verify=False)
    assert any("// " in note for note in conversion.report.notes)
    x = torch.randn(2, 7)  # the example's size
    torch.testing.assert_close(conversion.load()(x), fn(x))
    with pytest.raises(ValueError, match="another path"):
        conversion.load()(torch.randn(2, 13))


def test_a_float_of_sizes_is_refused() -> None:
    with pytest.raises(ConversionError, match="give these sizes as numbers"):
        converter.load(One(lambda x: x * float(x.shape[1] / 2)), ("float32[b,t]",))


def test_larger_choices_of_sizes_stay_small_enough_to_hold() -> None:
    """A model that cannot be read at some sizes is tried at larger ones: of seven axes they filled all memory there is."""
    weight = torch.ones(41)
    net = One(lambda x: x.sum(tuple(range(1, 7))) + weight)
    with pytest.raises(ConversionError, match="size of tensor"):
        converter.load(net, inputs=("float32[a,b,c,d,e,f,g]",))
