"""Operators of ONNX Runtime's own domain over their attributes, against ONNX Runtime's kernels."""

from __future__ import annotations

import itertools
import math
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest

from converter.errors import ConversionError
from converter.importers.onnx import load, rules
from converter.importers.onnx.definitions import CONTRIB
from converter.importers.onnx.table import RULES
from ir.eval import Evaluator
from tests.importers.onnx.contrib_table import installed, render
from tests.importers.onnx.models import agree, floats, model, node, op_names

MS = "com.microsoft"
rules.register()


def one(
    op: str,
    given: dict[str, Any],
    outputs: str = "y",
    kinds: str = "FLOAT",
    domain: str = MS,
    opset: int = 17,
    **attributes: Any,
) -> Any:
    """A model of one node whose inputs are `given`; a name with a leading `_` is a weight, None is an absent input."""
    made = node(op, " ".join("_" if v is None else k for k, v in given.items()), outputs, domain=domain, **attributes)
    stored = {k: v for k, v in given.items() if v is not None and k[0] == "_"}
    inputs = {k: v for k, v in given.items() if v is not None and k[0] != "_"}
    declared = [(k, onnx.helper.np_dtype_to_tensor_dtype(v.dtype), v.shape) for k, v in inputs.items()]
    named = [f"{n}@{k}" for n, k in zip([o for o in outputs.split() if o != "_"], kinds.split() * 9)]
    return model([made], declared, named, stored, opset, domains=[(MS, 1)]), inputs


def same(op: str, given: dict[str, Any], outputs: str = "y", kinds: str = "FLOAT", **attributes: Any) -> list[str]:
    """Import and runtime agree; the ops of the import."""
    return [n for n in op_names(agree(*one(op, given, outputs, kinds, **attributes))) if n != "constant"]


def refusal(op: str, given: dict[str, Any], **attributes: Any) -> str:
    with pytest.raises(ConversionError) as error:
        load(one(op, given, **attributes)[0])
    return str(error.value)


def test_the_table_is_what_the_runtime_declares() -> None:
    assert CONTRIB.read_text("utf-8") == render(installed())


def test_every_rule_is_tested_here() -> None:
    text = "".join(p.read_text("utf-8") for p in Path(__file__).parent.glob("test_microsoft*.py"))
    named = {op for domain, op, _ in (r.key for r in RULES) if domain == MS}
    assert named and not [op for op in sorted(named) if f'"{op}"' not in text]


# -- activations ----------------------------------------------------------------------------------------------------
def test_activations_are_one_op() -> None:
    x = 3 * floats(2, 3, 4)
    assert same("Gelu", {"x": x}) == ["gelu"]
    assert same("FastGelu", {"x": x}) == ["gelu"]
    assert same("FastGelu", {"x": x, "b": floats(4)}) == ["add", "gelu"]
    assert same("BiasGelu", {"x": x, "b": floats(4)}) == ["add", "gelu"]
    assert same("QuickGelu", {"x": x}) == ["mul", "sigmoid", "mul"]
    assert same("QuickGelu", {"x": x}, alpha=1.0) == ["silu"]
    assert same("QuickGelu", {"x": x}, alpha=0.5) == ["mul", "sigmoid", "mul"]


# -- products -------------------------------------------------------------------------------------------------------
@pytest.mark.parametrize("flags", list(itertools.product((0, 1), repeat=4)))
def test_fused_matmul(flags: tuple[int, ...]) -> None:
    ta, tb, ba, bb = flags

    def operand(rows: int, columns: int, swap: int, batch: int, seed: int) -> np.ndarray:
        inner = [columns, rows] if swap else [rows, columns]
        return floats(*([inner[0], 2, 3, inner[1]] if batch else [2, 3, *inner]), seed=seed)

    given = {"a": operand(4, 5, ta, ba, 0), "b": operand(5, 6, tb, bb, 1)}
    same("FusedMatMul", given, transA=ta, transB=tb, transBatchA=ba, transBatchB=bb, alpha=0.25)
    if not ba and not bb:
        for alpha in (1.5, 2.0):
            assert "mul" in same("TransposeMatMul", given, transA=ta, transB=tb, alpha=alpha)
        assert "mul" not in same("TransposeMatMul", given, transA=ta, transB=tb)


def test_fused_matmul_of_small_ranks() -> None:
    for flag in (0, 1):
        same("FusedMatMul", {"a": floats(5), "b": floats(5, 6)}, transA=flag)
        same("FusedMatMul", {"a": floats(4, 5), "b": floats(5)}, transB=flag)
        same("FusedMatMul", {"a": floats(2, 4, 5), "b": floats(6, 5) if flag else floats(5, 6)}, transB=flag)


GEMM = {
    "Relu": {}, "Tanh": {}, "Sigmoid": {}, "Softsign": {}, "Softplus": {}, "LeakyRelu": {"alpha": 0.3}, "Elu": {"alpha": 0.7},
    "ThresholdedRelu": {"alpha": 0.4}, "HardSigmoid": {"alpha": 0.25, "beta": 0.4},
}  # fmt: skip


@pytest.mark.parametrize("name", GEMM)
def test_fused_gemm(name: str) -> None:
    numbers = {f"activation_{k}": v for k, v in GEMM[name].items()}
    given = {"a": floats(5, 4), "b": floats(6, 5, seed=1), "c": floats(6, seed=2)}
    same("FusedGemm", given, activation=name, transA=1, transB=1, alpha=0.5, beta=2.0, **numbers)


def test_a_fused_softplus_is_no_approximation() -> None:
    """The runtime's has no threshold from which on it is its operand; only wide floats show it."""
    proto, inputs = one("FusedGemm", {"a": floats(1, 1) * 0 + 25, "b": floats(1, 1) * 0 + 1}, activation="Softplus")
    (found,) = Evaluator("reference").run(load(proto), inputs).values()
    assert found.dtype == np.float64 and abs(found.item() - 25 - math.exp(-25)) < 1e-14


def test_fused_gemm_refuses_by_name() -> None:
    given = {"a": floats(4, 5), "b": floats(5, 6)}
    assert "activation='Affine'" in refusal("FusedGemm", given, activation="Affine")
    assert "without its alpha" in refusal("FusedGemm", given, activation="LeakyRelu")


@pytest.mark.parametrize(
    ("bits", "zeros"), [(b, z) for b in (2, 4, 8) for z in ("none", "packed", "float") if (b, z) != (8, "float")]
)
@pytest.mark.parametrize(("columns", "block"), [(64, 16), (40, 16), (48, 32), (96, 32), (144, 16)])
def test_weights_of_few_bits(bits: int, zeros: str, columns: int, block: int) -> None:
    rows, blocks, rng = 5, -(-columns // block), np.random.default_rng(0)
    given: dict[str, Any] = {
        "x": floats(2, 3, columns), "_w": rng.integers(0, 256, (rows, blocks, block * bits // 8), np.uint8),
        "_s": floats(rows, blocks, seed=1) / 2**bits, "_z": None, "_g": None, "_b": floats(rows, seed=2),
    }  # fmt: skip
    if zeros == "packed":
        given["_z"] = rng.integers(0, 256, (rows, -(-blocks * bits // 8)), np.uint8)
    if zeros == "float":
        given["_z"] = floats(rows, blocks, seed=3)
    same("MatMulNBits", given, K=columns, N=rows, bits=bits, block_size=block)


def test_what_is_not_done_with_weights_of_few_bits() -> None:
    given = {"x": floats(2, 32), "_w": np.zeros((5, 2, 8), np.uint8), "_s": floats(5, 2)}
    sizes = {"K": 32, "N": 5, "block_size": 16}
    assert "weight_prepacked=1" in refusal("MatMulNBits", given, **sizes, weight_prepacked=1)
    assert "bits=3" in refusal("MatMulNBits", given, **sizes, bits=3)
    assert "g_idx" in refusal("MatMulNBits", given | {"_z": None, "_g": np.zeros(32, np.int32)}, **sizes)
    assert load(one("MatMulNBits", given, **sizes, accuracy_level=4)[0]).notes


@pytest.mark.parametrize("quant_type", [0, 1])
@pytest.mark.parametrize(("rows", "columns", "block"), [(3, 20, 16), (4, 16, 16), (5, 33, 32), (1, 7, 16)])
def test_weights_of_a_table_of_sixteen(quant_type: int, rows: int, columns: int, block: int) -> None:
    """Blocks go over the ends of rows, and the last of them and the last byte may be cut short."""
    count = rows * columns
    given = {"x": floats(2, 3, columns), "_w": np.random.default_rng(0).integers(0, 256, (count + 1) // 2, np.uint8)}
    given["_s"] = floats(-(-count // block), seed=1)
    sizes = {"K": columns, "N": rows, "block_size": block}
    same("MatMulBnb4", given, quant_type=quant_type, **sizes)


def test_what_is_not_done_with_weights_of_a_table_of_sixteen() -> None:
    given = {"x": floats(2, 16), "_w": np.zeros(8, np.uint8), "_s": floats(1)}
    sizes = {"K": 16, "N": 1, "block_size": 16}
    assert "transB=0, a product for gradients" in refusal("MatMulBnb4", given, **sizes, quant_type=0, transB=0)
    assert "quant_type=2" in refusal("MatMulBnb4", given, **sizes, quant_type=2)
    assert "do not fit" in refusal("MatMulBnb4", given | {"_s": floats(2)}, **sizes, quant_type=0)
    assert "do not fit" in refusal("MatMulBnb4", given | {"_w": np.zeros(9, np.uint8)}, **sizes, quant_type=0)


def test_inverse() -> None:
    assert same("Inverse", {"x": floats(2, 3, 3) + 3 * np.eye(3, dtype=np.float32)}) == ["inverse"]


# -- convolutions ---------------------------------------------------------------------------------------------------
CONV = {
    "": [], "Relu": [], "Tanh": [], "Sigmoid": [], "LeakyRelu": [0.3], "Clip": [-0.5, 0.7], "HardSigmoid": [0.3, 0.4],
}  # fmt: skip


@pytest.mark.parametrize("name", CONV)
@pytest.mark.parametrize("summed", [False, True])
def test_fused_conv(name: str, summed: bool) -> None:
    given = {"x": floats(2, 4, 7, 6), "w": floats(6, 2, 3, 2, seed=1), "b": floats(6, seed=2)}
    given |= {"z": floats(2, 6, 4, 5, seed=3)} if summed else {}
    attributes: dict[str, Any] = {"strides": [2, 1], "pads": [1, 0, 1, 0], "group": 2}
    attributes |= {"activation": name} if name else {}
    attributes |= {"activation_params": CONV[name]} if CONV[name] else {}
    same("FusedConv", given, **attributes)


def test_fused_conv_refuses_by_name() -> None:
    given = {"x": floats(1, 2, 5, 5), "w": floats(3, 2, 3, 3)}
    assert "activation='Swish'" in refusal("FusedConv", given, activation="Swish")
    assert "activation_params=[1.0]" in refusal("FusedConv", given, activation="Clip", activation_params=[1.0])


# -- norms ----------------------------------------------------------------------------------------------------------
@pytest.mark.parametrize("axis", [-1, 1])
def test_norms_of_the_standard_domain(axis: int) -> None:
    block = (3, 4)[axis == -1 :]
    given = {"x": floats(2, 3, 4), "s": floats(*block), "b": floats(*block, seed=1)}
    rms = {"x": given["x"], "s": given["s"]}
    for eps in (1e-5, 0.1):
        assert same("LayerNormalization", given, domain="", opset=13, axis=axis, epsilon=eps) == ["layer_norm"]
        same("LayerNormalization", given, "y m i", domain="", opset=13, axis=axis, epsilon=eps)
        assert same("SimplifiedLayerNormalization", rms, domain="", axis=axis, epsilon=eps) == ["rms_norm"]
        same("SimplifiedLayerNormalization", rms, "y i", domain="", axis=axis, epsilon=eps)


@pytest.mark.parametrize("kind", ["float16", "float64"])
def test_roots_of_the_mean_square_are_float32(kind: str) -> None:
    """Whatever is normalised; the squares of half floats are summed in float32."""
    given = {"x": 300 * floats(2, 3, 4).astype(kind), "s": floats(4).astype(kind)}
    names = {"float16": "FLOAT16 FLOAT", "float64": "DOUBLE FLOAT"}
    same("SimplifiedLayerNormalization", given, "y i", names[kind], domain="")


def test_a_skip_of_a_higher_rank_is_refused() -> None:
    for more in ({}, {"b": floats(4, seed=1)}):
        given = {"x": floats(3, 4), "k": floats(2, 3, 4), "g": floats(4)} | more
        for op in ("SkipLayerNormalization", "SkipSimplifiedLayerNormalization"):
            assert "of higher rank" in refusal(op, given)


@pytest.mark.parametrize("skip", [(2, 3, 4), (1, 3, 4), (3, 4)])
def test_residual_norms(skip: tuple[int, ...]) -> None:
    x, more = floats(2, 3, 4), floats(*skip, seed=1)
    scale, shift, bias = (floats(4, seed=i) for i in (2, 3, 4))
    for extra in ({}, {"beta": shift}, {"beta": shift, "bias": bias}, {"beta": None, "bias": bias}):
        for outputs in ("y", "y _ _ sum"):
            same("SkipLayerNormalization", {"x": x, "k": more, "g": scale, **extra}, outputs, epsilon=0.01)
    for extra in ({}, {"bias": bias}):
        for outputs in ("y", "y _ _ sum"):
            same("SkipSimplifiedLayerNormalization", {"x": x, "k": more, "g": scale, **extra}, outputs, epsilon=0.01)
    assert "mean" in refusal("SkipLayerNormalization", {"x": x, "k": more, "g": scale}, outputs="y m")


@pytest.mark.parametrize("parts", list(itertools.product((False, True), repeat=3)))
def test_embeddings_of_words_and_places(parts: tuple[bool, ...]) -> None:
    segments, masked, placed = parts
    ids = np.array([[0, 3, 6], [2, 2, 1]], np.int32)
    given: dict[str, Any] = {
        "i": ids, "s": np.array([[0, 0, 1], [1, 0, 0]], np.int32) if segments else None, "_w": floats(7, 4), "_p": floats(5, 4, seed=1),
        "_e": floats(2, 4, seed=2) if segments else None, "_g": floats(4, seed=3), "_b": floats(4, seed=4),
        "m": np.array([[1, 1, 0], [1, 1, 1]], np.int32) if masked else None, "q": np.array([[4, 0, 2]], np.int32) if placed else None,
    }  # fmt: skip
    same("EmbedLayerNormalization", given, "y m_ t", "FLOAT INT32 FLOAT", epsilon=0.01)


# -- quantised ------------------------------------------------------------------------------------------------------
def q(*shape: int, kind: str = "uint8", seed: int = 0, half: bool = False) -> np.ndarray:
    """Integers over the whole range of a type, or half of it: some processors' kernels saturate sums of two products."""
    low, high = np.iinfo(kind).min >> half, np.iinfo(kind).max >> half
    return np.random.default_rng(seed).integers(low, high + 1, shape).astype(kind)


def s(value: float) -> np.ndarray:
    return np.array(value, np.float32)


@pytest.mark.parametrize("kind", ["uint8", "int8"])
def test_quantised_elementwise(kind: str) -> None:
    """Scales are powers of two, so that halves are met exactly; with an odd zero point it shows whether they are rounded
    before it is added or after."""
    z = [np.array(v, kind) for v in (3, 100, 51)]
    one_operand = {"a": q(40, 50, kind=kind), "_as": s(0.03), "_az": z[0]}
    without = {"a": one_operand["a"], "_as": s(0.03), "_az": None, "_ys": s(0.05)}
    same("QLinearLeakyRelu", {**without, "_yz": None}, kinds=kind.upper())
    for shape in ((40, 50), (50,), (1, 1)):
        two = {
            "a": q(40, 50, kind=kind),
            "_as": s(0.25),
            "_az": z[0],
            "b": q(*shape, kind=kind, seed=1),
            "_bs": s(0.125),
            "_bz": z[1],
        }
        same("QLinearAdd", {**two, "_cs": s(0.5), "_cz": z[2]}, kinds=kind.upper())
        same("QLinearMul", {**two, "_cs": s(4.0), "_cz": z[2]}, kinds=kind.upper())
    for out in (0.01, 1 / 256):
        same("QLinearSigmoid", {**one_operand, "_ys": s(out), "_yz": z[2]}, kinds=kind.upper())
    halves = {"a": one_operand["a"], "_as": s(0.25), "_az": z[0], "_ys": s(0.5), "_yz": z[2]}
    same("QLinearLeakyRelu", halves, kinds=kind.upper(), alpha=0.5)
    for alpha in (0.01, 0.3):
        same("QLinearLeakyRelu", {**one_operand, "_ys": s(0.05), "_yz": z[2]}, kinds=kind.upper(), alpha=alpha)


@pytest.mark.parametrize("kind", ["uint8", "int8"])
def test_quantised_pools(kind: str) -> None:
    given = {
        "x": q(2, 3, 9, 8, kind=kind),
        "_xs": s(0.25),
        "_xz": np.array(7, kind),
        "_ys": s(0.25),
        "_yz": np.array(61, kind),
    }
    for include, ceil in itertools.product((0, 1), repeat=2):
        same(
            "QLinearAveragePool", given, kinds=kind.upper(), kernel_shape=[2, 4], strides=[2, 1], pads=[1, 0, 1, 2],
            count_include_pad=include, ceil_mode=ceil,
        )  # fmt: skip
    wide = {**given, "x": q(2, 3, 8, 8, kind=kind)}
    for last in (0, 1):
        same("QLinearGlobalAveragePool", wide, kinds=kind.upper(), channels_last=last)


@pytest.mark.parametrize("kind", ["uint8", "int8"])
def test_quantised_parts(kind: str) -> None:
    given: dict[str, Any] = {"_ys": s(0.5), "_yz": np.array(21, kind)}
    for i, scale in enumerate((0.25, 0.5, 1.0)):
        given |= {f"x{i}": q(2, i + 1, 5, kind=kind, seed=i), f"_s{i}": s(scale), f"_z{i}": np.array(20 * i, kind)}
    same("QLinearConcat", given, kinds=kind.upper(), axis=1)
    x, y = q(3, 4, kind=kind), q(4, kind=kind, seed=1)
    number = [s(0.5), np.array(3, kind), s(0.25), np.array(9, kind), s(0.5), np.array(1, kind)]
    where = {
        "c": floats(3, 1) > 0, "a": x, "_xs": number[0], "_xz": number[1], "b": y, "_ys": number[2], "_yz": number[3], "_zs": number[4],
        "_zz": number[5],
    }  # fmt: skip
    same("QLinearWhere", where, kinds=kind.upper())


@pytest.mark.parametrize("kind", ["uint8", "int8", "uint16", "int16"])
@pytest.mark.parametrize("axis", [None, 0, 1, -1, "unsaid"])
def test_quantisation_itself(kind: str, axis: Any) -> None:
    """Without an axis, vectors of scales lie along axis 1."""
    count = {None: None, 0: 4, "unsaid": 5}.get(axis, 5)
    scale, zero = (
        (s(0.25), np.array(7, kind)) if axis is None else (np.abs(floats(count)) + 0.1, q(count, kind=kind, seed=2))
    )
    attributes = {} if axis in (None, "unsaid") else {"axis": axis}
    same("QuantizeLinear", {"x": 20 * floats(4, 5), "_s": scale, "_z": zero}, kinds=kind.upper(), **attributes)
    same("DequantizeLinear", {"x": q(4, 5, kind=kind), "_s": scale, "_z": zero}, **attributes)
    if kind == "uint8":
        same("QuantizeLinear", {"x": 20 * floats(4, 5), "_s": scale}, kinds="UINT8", **attributes)
        same("DequantizeLinear", {"x": q(4, 5), "_s": scale}, **attributes)


@pytest.mark.parametrize("columns", [False, True])
@pytest.mark.parametrize("biased", [False, True])
@pytest.mark.parametrize("kind", ["uint8", "int8"])
def test_quantised_products(columns: bool, biased: bool, kind: str) -> None:
    scale, zero = (np.abs(floats(6)) / 50, q(6, kind=kind, seed=3)) if columns else (s(0.02), np.array(5, kind))
    bias = floats(6, seed=4) if biased else None
    b = q(5, 6, kind=kind, seed=1, half=True)
    dynamic = {"a": floats(2, 4, 5), "_b": b, "_s": scale, "_z": zero, "_c": bias}
    same("DynamicQuantizeMatMul", dynamic)
    same("DynamicQuantizeMatMul", {**dynamic, "a": np.abs(floats(4, 5)) + 1, "_z": None})
    same("DynamicQuantizeMatMul", {**dynamic, "a": np.zeros((4, 5), np.float32)})
    integers = {
        "a": q(2, 4, 5),
        "b": b,
        "_s": s(0.03),
        "_t": scale,
        "_y": np.array(9, np.uint8),
        "_z": zero,
        "_c": bias,
    }
    same("MatMulIntegerToFloat", integers)
    same("MatMulIntegerToFloat", {**integers, "_y": None, "_z": None})


@pytest.mark.parametrize("trans", [(0, 0), (1, 0), (0, 1)])
@pytest.mark.parametrize("columns", [False, True])
def test_quantised_gemm(trans: tuple[int, int], columns: bool) -> None:
    ta, tb = trans
    scale, zero = (
        (np.array([0.5, 0.25, 1, 2, 0.5, 1], np.float32), q(6, kind="int8", seed=3))
        if columns
        else (s(0.5), np.array(5, np.int8))
    )
    given: dict[str, Any] = {
        "a": q(5, 4) if ta else q(4, 5), "_as": s(0.25), "_az": np.array(30, np.uint8),
        "_b": q(*((6, 5) if tb else (5, 6)), kind="int8", half=True),
        "_bs": scale, "_bz": zero, "_c": np.arange(6, dtype=np.int32) * 100,
    }  # fmt: skip
    same("QGemm", given, transA=ta, transB=tb, alpha=0.5)
    same("QGemm", {**given, "_ys": s(16.0), "_yz": np.array(101, np.uint8)}, kinds="UINT8", transA=ta, transB=tb)
