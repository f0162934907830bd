"""Integers of four bits: moved through eight where ONNX Runtime has no kernel, never computed with; opset 21 has them."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import onnx
import pytest

from converter.errors import ConversionError
from converter.exporters.onnx import DEFAULT_OPSET, write
from converter.runtimes.onnxruntime import OnnxRunner
from ir.core import Builder, Leaf, Model, Parameter, Signature, Value
from ir.data import Array, Weight
from ir.eval import Evaluator
from ir.types import dtypes, tensor_type
from tests.exporters.onnx.generated import exported


def model_of(kind: str, build: Callable[[Builder, Value], Value]) -> Model:
    model = Model("narrow", Signature((Parameter("x", Leaf("x")),), Leaf("output")))
    x = model.graph.add_input(tensor_type(kind, 3, 4), "x")
    model.graph.set_outputs([build(Builder(model.graph), x)])
    return model


MOVES: dict[str, Callable[[Any, Value], Value]] = {
    "reshape": lambda b, x: b.reshape(x, shape=(2, 6)), "transpose": lambda b, x: b.transpose(x, perm=(1, 0)),
    "concat": lambda b, x: b.concat([x, x], axis=1), "slice": lambda b, x: b.slice(x, axes=(1,), starts=(1,), stops=(4,), steps=(2,)),
    "gather": lambda b, x: b.gather(x, b.constant(np.array([2, 0])), axis=0), "tile": lambda b, x: b.tile(x, repeats=(2, 1)),
    "expand": lambda b, x: b.expand(b.unsqueeze(x, axes=(0,)), shape=(2, 3, 4)), "less": lambda b, x: b.less(x, b.flip(x, axes=(0,))),
    "float": lambda b, x: b.cast(b.squeeze(b.unsqueeze(x, axes=(1,)), axes=(1,)), to="float32"),
}  # fmt: skip


@pytest.mark.parametrize("name", list(MOVES))
@pytest.mark.parametrize("kind", ["int4", "uint4"])
def test_moved(kind: str, name: str) -> None:
    """The result, itself of four bits where the op keeps the type, is told as a float."""
    model = model_of(kind, lambda b, x: b.cast(MOVES[name](b, x), to="float32"))
    low = -8 if kind == "int4" else 0
    x = (np.arange(12).reshape(3, 4) * 5 % 16 + low).astype(dtypes.dtype(kind).numpy)
    want = Evaluator("exact").run(model, {"x": x})["output"]
    found = OnnxRunner(exported(model, 21))({"x": x})["output"]
    assert found.dtype == want.dtype and np.array_equal(found, want)


@pytest.mark.parametrize("kind", ["int4", "uint4"])
def test_arithmetic_is_refused(kind: str) -> None:
    """Eight bits wrap elsewhere."""
    model = model_of(kind, lambda b, x: b.cast(b.add(x, x), to="float32"))
    with pytest.raises(ConversionError, match="no wider type computes it exactly"):
        exported(model, 21)


def test_the_opset_is_one_that_has_them(tmp_path: Any) -> None:
    model = model_of("int4", lambda b, x: b.cast(x, to="float32"))
    write(model, tmp_path / "a.onnx")
    assert onnx.load(tmp_path / "a.onnx").opset_import[0].version == 21 > DEFAULT_OPSET
    with pytest.raises(ConversionError, match="need opset 21"):
        exported(model, 20)
    plain = model_of("int8", lambda b, x: b.cast(x, to="float32"))
    write(plain, tmp_path / "b.onnx")
    assert onnx.load(tmp_path / "b.onnx").opset_import[0].version == DEFAULT_OPSET


def test_stored_ones_count_too(tmp_path: Any) -> None:
    model = Model("stored", Signature((), Leaf("output")))
    data = np.arange(6).astype(dtypes.int4.numpy)
    weight = model.add_weight(Weight("w", Array(data), trainable=False))
    model.graph.set_outputs([Builder(model.graph).cast(weight, to="float32")])
    write(model, tmp_path / "a.onnx")
    assert onnx.load(tmp_path / "a.onnx").opset_import[0].version == 21
    assert OnnxRunner(exported(model, 21))({})["output"].tolist() == list(range(6))
