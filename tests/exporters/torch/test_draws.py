"""Draws of one probability: a number where a filled tensor makes it for them alone, the tensor where others see it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
import pytest

from converter.exporters.base import ExportOptions
from converter.exporters.torch.package import write_source
from ir.core import Branch, Builder, Leaf, Model, Origin, Parameter, Scope, Signature, Value
from ir.types import DType, dtypes, symbol, tensor_type
from tests.exporters.torch import package

FLOAT = dtypes.float32
Build = Callable[[Builder, Value], tuple[Value, ...]]


def made(build: Build) -> Model:
    """A model of one float32 [n, 3] input."""
    model = Model("draws")
    x = model.graph.add_input(tensor_type("float32", symbol("n"), 3), "x")
    outs = build(Builder(model.graph), x)
    model.graph.set_outputs(outs)
    leaves = tuple(Leaf(f"output.{i}") for i in range(len(outs)))
    model.signature = Signature((Parameter("x", Leaf("x")),), Branch("tuple", leaves))
    return model


def even(b: Builder, p: float, shape: Sequence[int] = (1000,), kind: DType = FLOAT) -> Value:
    return b.full(shape=shape, value=p, dtype=kind)


def at(b: Builder, name: str):
    return b.at(Origin(path=(Scope(name, name.title()),)))


def apart(b: Builder, x: Value) -> tuple[Value, ...]:
    """The probability is made in one module and drawn by in another."""
    with at(b, "first"):
        p, y = even(b, 0.25), b.neg(x)
    with at(b, "second"):
        return b.bernoulli(p, dtype=FLOAT), b.abs(y)


def behind(b: Builder, x: Value) -> tuple[Value, ...]:
    """The module that makes the probability reads it as well; the draw follows outside."""
    with at(b, "first"):
        p = even(b, 0.25)
        y = b.mul(p, 2.0)
    return b.bernoulli(p, dtype=FLOAT), b.add(b.reduce_sum(y), x)


CASES: dict[str, tuple[Build, tuple[str, ...], tuple[str, ...]]] = {
    "number": (lambda b, x: (b.bernoulli(even(b, 0.25), dtype=FLOAT),), (".bernoulli_(0.25)",), ("full", "torch.bernoulli")),
    "twice": (
        lambda b, x: (lambda p: (b.bernoulli(p, dtype=FLOAT), b.bernoulli(p, dtype=FLOAT)))(even(b, 0.25)),
        (".bernoulli_(0.25)",), ("full", "torch.bernoulli"),
    ),
    "half": (
        lambda b, x: (b.bernoulli(even(b, 0.25, kind=dtypes.bfloat16), dtype=dtypes.bfloat16),),
        ("torch.empty(1000, dtype=torch.bfloat16", ".bernoulli_(0.25)"), (),
    ),
    "shown": (lambda b, x: (lambda p: (b.bernoulli(p, dtype=FLOAT), p))(even(b, 0.25)), ("torch.bernoulli(x), x",), ("bernoulli_",)),
    "read": (
        lambda b, x: (lambda p: (b.bernoulli(p, dtype=FLOAT), b.add(p, 1.0)))(even(b, 0.25)), (".bernoulli_(0.25)", "torch.full("), (),
    ),
    "other type": (
        lambda b, x: (b.bernoulli(even(b, 0.25), dtype=dtypes.bool_),), ("torch.bernoulli(", ".to(torch.bool)"), ("bernoulli_",),
    ),
    "of one element": (
        lambda b, x: (b.bernoulli(b.expand(even(b, 0.25, ()), shape=(1000,)), dtype=FLOAT), b.bernoulli(even(b, 0.0, ()), dtype=FLOAT)),
        ("torch.bernoulli(torch.full((), 0.0",), ("bernoulli_",),
    ),
    "computed": (lambda b, x: (b.bernoulli(b.mul(even(b, 0.5), 0.5), dtype=FLOAT),), ("torch.bernoulli(",), ("bernoulli_",)),
    "another module": (apart, ("torch.bernoulli(x)",), ("bernoulli_",)),
    "outside": (behind, ("torch.bernoulli(",), ("bernoulli_",)),
}  # fmt: skip


@pytest.mark.parametrize("name", CASES)
def test_probability(name: str, tmp_path: Path) -> None:
    build, present, absent = CASES[name]
    text = write_source(made(build), ExportOptions()).text.partition("\n\nHERE = Path(")[0]
    assert all(part in text for part in present) and not any(part in text for part in absent), text
    model = made(build)
    got = package.run(package.export(model, tmp_path).load_model(), model, {"x": np.zeros((2, 3), np.float32)})
    assert got["output.0"].shape == (1000,) and abs(got["output.0"].astype(np.float64).mean() - 0.25) < 0.07
