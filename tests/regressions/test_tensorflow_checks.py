"""XLA leaves assertions out: what emitted TensorFlow checks while it runs is told where nobody else would refuse it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from converter.exporters import tensorflow
from converter.exporters.base import ExportOptions
from converter.policies import INDEX_POLICIES
from ir.core import Builder, Leaf, Model, Parameter, Signature
from ir.ops import get
from ir.types import Assumption, dtypes, symbol, tensor_type
from tests.ops.harness import cases_of, model_of

SKIPPED = "except where XLA compiles the model"


def written(build: Any, shapes: dict[str, Any], tmp_path: Path, **options: Any) -> tuple[str, list[str]]:
    """The text of model.py, and the notes."""
    names = tuple(shapes)
    model = Model("net", Signature(tuple(Parameter(n, Leaf(n)) for n in names), Leaf("output")))
    model.graph.set_outputs([build(Builder(model.graph), *(model.graph.add_input(t, n) for n, t in shapes.items()))])
    tensorflow.write(model, tmp_path / "net", ExportOptions(**options))
    return (tmp_path / "net/model.py").read_text(), model.notes


@pytest.mark.parametrize("policy", INDEX_POLICIES)
@pytest.mark.parametrize("reduction", ["add", "max"])
def test_numbers_of_segments(policy: Any, reduction: str, tmp_path: Path) -> None:
    """Only sums under the source's policy were told of."""
    shapes = {"x": tensor_type("float32", 4, 2), "ids": tensor_type("int64", 4)}
    _, notes = written(
        lambda b, x, ids: b.segment_reduce(x, ids, num_segments=3, reduction=reduction, bounds="error"),
        shapes, tmp_path, index_policy=policy,
    )  # fmt: skip
    assert any("XLA" in n and "out of range" in n for n in notes)


def test_masks(tmp_path: Path) -> None:
    shapes = {"x": tensor_type("float32", 4), "mask": tensor_type("bool", 4), "s": tensor_type("float32", 2)}
    text, notes = written(lambda b, x, mask, s: b.mask_scatter(x, mask, s), shapes, tmp_path)
    assert "check(" in text
    assert any("slices than a mask chooses" in n and SKIPPED in n for n in notes)


@pytest.mark.parametrize("name", ["rnn", "lstm", "gru"])
def test_lengths(name: str, tmp_path: Path) -> None:
    op = get(name)
    models = (model_of(op, sample)[0] for _, _, sample in cases_of(op, dtypes.float32))
    model = next(m for m in models if next(iter(m.nodes())).operands.get("lengths") is not None)
    tensorflow.write(model, tmp_path / "net", ExportOptions())
    assert any("lengths out of range" in n and SKIPPED in n for n in model.notes)


def test_sizes(tmp_path: Path) -> None:
    rows = symbol("rows")
    shapes = {"x": tensor_type("float32", rows, 2)}
    model = Model("net", Signature((Parameter("x", Leaf("x")),), Leaf("output")))
    x = model.graph.add_input(shapes["x"], "x")
    model.assumptions.append(Assumption(rows, 2, "the source asked"))
    model.graph.set_outputs([Builder(model.graph).relu(x)])
    tensorflow.write(model, tmp_path / "net", ExportOptions())
    assert any("sizes that do not fit" in n and SKIPPED in n for n in model.notes)
