"""Files as ONNX Runtime's own optimiser and quantiser leave them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import onnx
import onnxruntime
import pytest
from onnxruntime import GraphOptimizationLevel as Level
from onnxruntime import quantization

from converter.errors import ConversionError
from converter.importers.onnx import load
from ir.eval import Evaluator
from ir.verify import check
from tests.importers.onnx.models import FLOAT, floats, model, node, runtime
from tests.importers.onnx.test_torch_exports import SIZES, exported, named

WRITTEN = {
    "resnet50": {"FusedConv"}, "vit_b_16": {"BiasGelu", "LayerNormalization"}, "llama": {"QuickGelu", "SimplifiedLayerNormalization"},
    "bert": {"BiasGelu", "FusedGemm", "FusedMatMul", "LayerNormalization"},
}  # fmt: skip
"""Operators that the optimiser makes of each model."""


def optimised(proto: onnx.ModelProto, level: Any, folder: Path) -> onnx.ModelProto:
    """What ONNX Runtime saves at an optimisation level."""
    options = onnxruntime.SessionOptions()
    options.graph_optimization_level = level
    options.log_severity_level = 4
    options.intra_op_num_threads = 1
    options.optimized_model_filepath = str(folder / "optimised.onnx")
    onnxruntime.InferenceSession(proto.SerializeToString(), options, providers=["CPUExecutionProvider"])
    return onnx.load(folder / "optimised.onnx")


def ops(proto: onnx.ModelProto) -> set[str]:
    return {n.op_type for n in proto.graph.node}


@pytest.mark.parametrize("name", WRITTEN)
def test_optimised_models_compute_what_the_original_does(name: str, tmp_path: Path) -> None:
    zoo, proto = exported(name)
    for level in (Level.ORT_ENABLE_BASIC, Level.ORT_ENABLE_EXTENDED):
        fused = optimised(proto, level, tmp_path)
        assert level == Level.ORT_ENABLE_BASIC or WRITTEN[name] <= ops(fused)
        taken = load(fused)
        check(taken)
        for batch, length in SIZES[2:]:
            inputs = {k: v.numpy() for k, v in named(zoo, batch, length, 1).items()}
            for got, want in zip(Evaluator().run(taken, inputs).values(), runtime(proto, inputs), strict=True):
                assert got.shape == want.shape
                assert np.abs(got - want).max() <= 1e-5 * (np.abs(want).max() + 1)


class _Samples(quantization.CalibrationDataReader):
    def __init__(self, shape: tuple[int, ...]) -> None:
        self.batches = iter([{"x": floats(*shape, seed=i)} for i in range(4)])

    def get_next(self) -> Any:
        return next(self.batches, None)


def small_network() -> onnx.ModelProto:
    stored = {
        "w": floats(6, 3, 3, 3), "b": floats(6, seed=1), "v": floats(6, 6, 3, 3, seed=2) / 4, "m": floats(6, 4, seed=3),
    }  # fmt: skip
    nodes = [
        node("Conv", "x w b", "a", pads=[1, 1, 1, 1]), node("LeakyRelu", "a", "c", alpha=0.2), node("Conv", "c v", "d", pads=[1, 1, 1, 1]),
        node("Add", "c d", "e"), node("AveragePool", "e", "f", kernel_shape=[2, 2], strides=[2, 2]), node("Sigmoid", "f", "g"),
        node("Mul", "f g", "h"), node("Concat", "f h", "i", axis=2), node("GlobalAveragePool", "i", "j"), node("Flatten", "j", "k"),
        node("MatMul", "k m", "y"),
    ]  # fmt: skip
    return model(nodes, [("x", FLOAT, (1, 3, 8, 8))], ["y"], stored)


def test_quantised_networks(tmp_path: Path) -> None:
    """Integers are exact up to a step where a float product lies between two; the scales make that rare."""
    source, target = tmp_path / "plain.onnx", tmp_path / "quantised.onnx"
    onnx.save(small_network(), source)
    form = quantization.QuantFormat.QOperator
    quantization.quantize_static(source, target, _Samples((1, 3, 8, 8)), quant_format=form, reduce_range=True)
    fused = onnx.load(target)
    wanted = {
        "QLinearConv",
        "QLinearLeakyRelu",
        "QLinearAdd",
        "QLinearAveragePool",
        "QLinearSigmoid",
        "QLinearMul",
        "QLinearConcat",
    }
    assert wanted | {"QLinearGlobalAveragePool"} <= ops(fused), ops(fused)
    taken = load(fused)
    check(taken)
    for seed in range(3):
        inputs = {"x": floats(1, 3, 8, 8, seed=seed)}
        (got,), (want,) = Evaluator("exact").run(taken, inputs).values(), runtime(fused, inputs)
        step = np.abs(want).max() / 100
        assert got.shape == want.shape and np.abs(got - want).max() <= step


def test_products_quantised_as_they_come(tmp_path: Path) -> None:
    source, target = tmp_path / "plain.onnx", tmp_path / "quantised.onnx"
    onnx.save(
        model(
            [node("MatMul", "x w", "m"), node("Add", "m b", "y")],
            [("x", FLOAT, (3, 8))],
            ["y"],
            {"w": floats(8, 5), "b": floats(5)},
        ),
        source,
    )
    quantization.quantize_dynamic(source, target, reduce_range=True)
    fused = optimised(onnx.load(target), Level.ORT_ENABLE_EXTENDED, tmp_path)
    assert ops(fused) & {"DynamicQuantizeMatMul", "MatMulIntegerToFloat"}
    inputs = {"x": floats(3, 8, seed=7)}
    (got,), (want,) = Evaluator("exact").run(load(fused), inputs).values(), runtime(fused, inputs)
    np.testing.assert_allclose(got, want, rtol=1e-5, atol=1e-5)


def test_layouts_of_one_processor_are_refused_by_name() -> None:
    made = node("ReorderInput", "x", "y", domain="com.microsoft.nchwc", channels_last=0)
    proto = model([made], [("x", FLOAT, (1, 8, 4, 4))], ["y"], domains=[("com.microsoft.nchwc", 1)])
    with pytest.raises(ConversionError, match="(?s)ReorderInput.*extended level"):
        load(proto)
