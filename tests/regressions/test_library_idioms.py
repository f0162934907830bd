"""Idioms of model libraries: experts by sorted tokens, masks at the end of the float range, ranges counted in floats."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional as F

import converter


def convert_and_compare(module: nn.Module, to: str, inputs: tuple[Tensor, ...], dynamic: dict, *others: tuple) -> None:
    """Verified conversion; the result also agrees on inputs of other sizes."""
    conversion = converter.convert(module.eval(), to, inputs=inputs, dynamic=dynamic)
    assert conversion.report.verification is not None and conversion.report.verification.verdict == "equal"
    for given in others:
        found = next(iter(converter.run(conversion.path, given).values()))
        expected = module(*given).detach()
        torch.testing.assert_close(torch.from_numpy(found.astype("float32")).to(expected.dtype), expected)


class Experts(nn.Module):
    """The best experts of each token, by a product grouped by expert, which torch exports in bfloat16 only."""

    def __init__(self) -> None:
        super().__init__()
        g = torch.Generator().manual_seed(0)
        self.router = nn.Parameter(torch.randn(4, 8, generator=g))
        self.experts = nn.Parameter(torch.randn(4, 8, 8, generator=g))

    def forward(self, x: Tensor) -> Tensor:
        weights, chosen = F.linear(x, self.router).softmax(-1).topk(2, -1)
        order = chosen.reshape(-1).argsort()
        counts = torch.histc(chosen.reshape(-1)[order].float(), bins=4, min=0, max=3)
        ends = counts.cumsum(0, dtype=torch.int32)
        y = F.grouped_mm(x[order // 2], self.experts.transpose(1, 2), offs=ends) * weights.reshape(-1)[order, None]
        return torch.zeros_like(x).index_add(0, order // 2, y)


@pytest.mark.parametrize("to", ["onnx", "torch"])
def test_experts_by_sorted_tokens(to: str) -> None:
    g = torch.Generator().manual_seed(1)
    inputs, other = (torch.randn(6, 8, generator=g).bfloat16(),), (torch.randn(13, 8, generator=g).bfloat16(),)
    convert_and_compare(Experts().bfloat16(), to, inputs, {"x": {0: "tokens"}}, other)


class Lowest(nn.Module):
    """Scores masked with the lowest number of their dtype."""

    def forward(self, x: Tensor, keep: Tensor) -> Tensor:
        return x.masked_fill(~keep, torch.finfo(x.dtype).min).softmax(-1)


def test_the_lowest_float_is_a_literal_that_torch_takes() -> None:
    keep = torch.tensor([[True, False, True], [False, True, True]])
    convert_and_compare(Lowest(), "torch", (torch.randn(2, 3), keep), {})


class Countdown(nn.Module):
    """Positions counted down in floats."""

    def forward(self, x: Tensor) -> Tensor:
        return x + torch.arange(x.shape[0], -1, -1.0)[:-1, None]


@pytest.mark.parametrize("to", ["onnx", "torch"])
def test_a_range_of_sizes_with_a_whole_float_step(to: str) -> None:
    convert_and_compare(Countdown(), to, (torch.randn(6, 2),), {"x": {0: "rows"}}, (torch.randn(9, 2),))


class Gate(nn.Module):
    """A layer whose second input has a name of its own wherever it comes from."""

    def __init__(self) -> None:
        super().__init__()
        self.dense = nn.Linear(4, 4)

    def forward(self, x: Tensor, keep: Tensor) -> Tensor:
        return self.dense(torch.where(keep, x, 0.5)) + x


class Gates(nn.Module):
    """One gate by a mask from outside, one by a mask computed here."""

    def __init__(self) -> None:
        super().__init__()
        self.first, self.second = Gate(), Gate()

    def forward(self, x: Tensor, allowed: Tensor) -> Tensor:
        y = self.first(x, allowed)
        return self.second(y, y.roll(1, 0) > x)


def test_names_of_variables_do_not_divide_a_class() -> None:
    given = (torch.randn(3, 4), torch.tensor([[True, False, True, True]] * 3))
    conversion = converter.convert(Gates().eval(), "torch", inputs=given, verify=False)
    code = (conversion.path / "model.py").read_text()
    assert code.count("class Gate(nn.Module)") == 1 and "class Gate2" not in code, code


class Cache:
    """A type of the library's own."""

    def __init__(self, x: Tensor) -> None:
        self.x = x


class Cached(nn.Module):
    """Returns a cache unless told not to."""

    def forward(self, x: Tensor, layers: tuple[bool, bool] = (True, True), use_cache: bool = True) -> dict:
        y = {"y": x * 2 if layers[1] else x}
        return {**y, "cache": Cache(x)} if use_cache else y


@pytest.mark.parametrize(
    "inputs", [{"x": torch.ones(3, 4), "use_cache": False}, (torch.ones(3, 4), (True, False), False)]
)
def test_plain_values_among_the_inputs_are_fixed(inputs: dict | tuple) -> None:
    conversion = converter.convert(Cached(), "onnx", inputs=inputs, dynamic={"x": {0: "rows"}})
    assert conversion.report.verification is not None and conversion.report.verification.verdict == "equal"


def test_a_result_of_a_type_of_its_own_is_refused_with_the_way_out() -> None:
    with pytest.raises(converter.ConversionError, match="use_cache = False"):
        converter.load(Cached(), {"x": torch.ones(3, 4)})
