"""Python numbers among the results of a PyTorch model: sizes, and integers read from tensors, which may be negative."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from torch import nn

import converter
from converter.importers.torch import load
from ir.eval import Evaluator


class Counts(nn.Module):
    def forward(self, x: torch.Tensor, k: torch.Tensor) -> tuple[torch.Tensor, int, int, int, torch.Tensor]:
        n = k.item()
        return x * n, x.shape[0] * 2, n - 3, 7, x[0] + x.shape[0]


@pytest.mark.parametrize("to", ["torch", "onnx"])
def test_numbers_are_results_and_are_verified(to: str, tmp_path: Path) -> None:
    out = tmp_path / ("model.onnx" if to == "onnx" else "model")
    done = converter.convert(Counts(), to=to, inputs=("float32[n,3]", "int64[]"), output=out)
    checked = done.report.verification
    assert checked is not None and [o.verdict for o in checked.outputs] == ["equal"] * 4
    assert [o.dtype for o in checked.outputs] == ["float32", "int64", "int64", "float32"]


def test_an_integer_that_is_no_size_may_be_negative() -> None:
    model = load(Counts(), ("float32[n,3]", "int64[]"))
    found = list(Evaluator("exact").run(model, {"x": np.ones((4, 3), np.float32), "k": np.int64(-2)}).values())
    assert [np.asarray(f).reshape(-1)[0] for f in found] == [-2, 8, -5, 5]
