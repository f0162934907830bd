"""Quantised tensors, products and convolutions: which numbers belong to which elements, and sums that stay exact."""

from __future__ import annotations

from typing import Any

import ml_dtypes
import numpy as np
import onnx
import pytest
from onnx import TensorProto

from converter.errors import ConversionError
from converter.importers.onnx import load
from ir.eval import Evaluator
from tests.importers.onnx.models import FLOAT, agree, floats, model, node, op_names

F8 = ml_dtypes.float8_e4m3fn


def made(op: str, given: dict[str, Any], kind: Any, opset: int = 21, **attributes: Any) -> Any:
    """A model whose operands are inputs, absent ones None, and what it is fed."""
    feed = {k: np.asarray(v) for k, v in given.items() if v is not None}
    declared = [(k, onnx.helper.np_dtype_to_tensor_dtype(v.dtype), v.shape) for k, v in feed.items()]
    names = " ".join(k if k in feed else "_" for k in given)
    result = TensorProto.DataType.Name(onnx.helper.np_dtype_to_tensor_dtype(np.dtype(kind)))
    return model([node(op, names, "y", **attributes)], declared, [f"y@{result}"], opset=opset), feed


def found(op: str, given: dict[str, Any], kind: Any, opset: int = 21, **attributes: Any) -> np.ndarray:
    proto, feed = made(op, given, kind, opset, **attributes)
    (value,) = Evaluator("exact").run(load(proto), feed).values()
    assert value.dtype == kind
    return value


def refusal(op: str, given: dict[str, Any], kind: Any, opset: int = 21, **attributes: Any) -> str:
    with pytest.raises(ConversionError) as error:
        load(made(op, given, kind, opset, **attributes)[0])
    return str(error.value)


def integers(*shape: int, kind: Any = np.uint8, seed: int = 0) -> np.ndarray:
    low, high = np.iinfo(kind).min, np.iinfo(kind).max
    return np.random.default_rng(seed).integers(low, high, shape, endpoint=True).astype(kind)


# -- tensors --------------------------------------------------------------------------------------------------------
@pytest.mark.parametrize("axis", [0, 1, 2, -1, -2, -3, None])
@pytest.mark.parametrize("opset", [13, 19, 21, 23])
def test_scales_along_an_axis(axis: int | None, opset: int) -> None:
    where = {} if axis is None else {"axis": axis}
    size = (2, 3, 4)[1 if axis is None else axis]
    scale, zero = np.linspace(0.5, 2, size, dtype=np.float32), np.arange(size, dtype=np.uint8) + 7
    for op, x, result in (
        ("QuantizeLinear", 40 * floats(2, 3, 4) + 60, np.uint8),
        ("DequantizeLinear", integers(2, 3, 4), np.float32),
    ):
        taken = agree(*made(op, {"x": x, "s": scale, "z": zero}, result, opset, **where))
        assert op_names(taken).count("reshape") == (0 if size == 4 else 2)
        assert f"does not fit axis {1 if axis is None else axis % 3} of" in refusal(
            op, {"x": x[:1, :1, :1], "s": scale, "z": zero}, result, opset, **where
        )
        assert "without block_size is not defined" in refusal(
            op, {"x": x, "s": scale[:, None], "z": zero[:, None]}, result, opset, **where
        )


@pytest.mark.parametrize("shape", [(), (1,)])
@pytest.mark.parametrize("opset", [10, 13, 21])
def test_one_scale(shape: tuple[int, ...], opset: int) -> None:
    scale, zero = np.full(shape, 0.75, np.float32), np.full(shape, 9, np.uint8)
    for op, x, result in (
        ("QuantizeLinear", 60 * floats(3, 4) + 50, np.uint8),
        ("DequantizeLinear", integers(3, 4), np.float32),
    ):
        agree(*made(op, {"x": x, "s": scale, "z": zero}, result, opset))
        agree(*made(op, {"x": x, "s": scale}, result, opset))


def test_scales_of_opset_10_are_one_number() -> None:
    for op, x, result in (("QuantizeLinear", floats(3, 4), np.uint8), ("DequantizeLinear", integers(3, 4), np.float32)):
        said = refusal(op, {"x": x, "s": np.ones(4, np.float32), "z": np.zeros(4, np.uint8)}, result, 10)
        assert "instead of one number is not defined before opset 13" in said


def test_types_to_quantise_to() -> None:
    x, scale = 30 * floats(3, 4), np.float32(0.5)
    for zero in (np.zeros((), np.float16), np.zeros((), bool), np.zeros((), np.float32)):
        said = refusal("QuantizeLinear", {"x": x, "s": scale, "z": zero}, zero.dtype, 19)
        assert "quantising to" in said and "is not defined" in said
    assert "is not defined" in refusal("QuantizeLinear", {"x": x, "s": scale, "z": np.zeros((), F8)}, F8, 13)
    for opset in (21, 23, 25):
        named: dict[str, Any] = {"output_dtype": TensorProto.INT8}
        want = np.clip(np.round(x / scale), -128, 127)
        np.testing.assert_array_equal(found("QuantizeLinear", {"x": x, "s": scale}, np.int8, opset, **named), want)
        zero = np.int8(3)
        same = found("QuantizeLinear", {"x": x, "s": scale, "z": zero}, np.int8, opset, **named)
        np.testing.assert_array_equal(same, np.clip(np.round(x / scale) + 3, -128, 127))
        said = refusal("QuantizeLinear", {"x": x, "s": scale, "z": np.uint8(3)}, np.uint8, opset, **named)
        assert "output_dtype int8 differs from the zero point's uint8" in said


@pytest.mark.parametrize("opset", [23, 25])
@pytest.mark.parametrize("kinds", [(a, b) for a in (np.float32, np.float16) for b in (np.float32, np.float16)], ids=str)
@pytest.mark.parametrize("precision", [None, FLOAT, TensorProto.FLOAT16])
def test_the_precision_of_a_division(opset: int, kinds: tuple[Any, Any], precision: int | None) -> None:
    """That of the scale, unless another is named; the zero point is added to a whole number without rounding again."""
    attributes = {} if precision is None else {"precision": precision}
    half = (kinds[1] if precision is None else onnx.helper.tensor_dtype_to_np_dtype(precision)) == np.float16
    for zero, top in ((np.uint8(3), 130), (np.int16(-7), 30000)):
        x = np.linspace(-top, top, 4001).astype(kinds[0])
        given = {"x": x, "s": kinds[1](0.9873), "z": zero}
        taken = agree(*made("QuantizeLinear", given, zero.dtype, opset, **attributes))
        (got,) = Evaluator("exact").run(taken, given).values()
        x, scale = (given[k].astype(np.float16 if half else np.float32) for k in "xs")
        np.testing.assert_array_equal(got, np.clip(np.round(x / scale).astype(np.float64) + zero, *_range(zero.dtype)))


def _range(kind: Any) -> tuple[int, int]:
    return np.iinfo(kind).min, np.iinfo(kind).max


def test_divisions_that_are_not_defined() -> None:
    x, given = floats(4), {"s": np.float32(2), "z": np.uint8(3)}
    for precision in (TensorProto.DOUBLE, TensorProto.INT32):
        assert "by its precision it would divide in" in refusal(
            "QuantizeLinear", {"x": x, **given}, np.uint8, 23, precision=precision
        )
    whole = {"x": x, "s": np.int32(2), "z": np.uint8(3)}
    assert "by its precision it would divide in int32" in refusal("QuantizeLinear", whole, np.uint8, 23)
    found("QuantizeLinear", whole, np.uint8, 23, precision=FLOAT)
    quotient = {"x": x.astype(ml_dtypes.bfloat16), "s": np.array(0.3, ml_dtypes.bfloat16), "z": np.uint8(100)}
    want = np.clip(np.round((quotient["x"] / quotient["s"]).astype(np.float32)) + 100, 0, 255)
    np.testing.assert_array_equal(found("QuantizeLinear", quotient, np.uint8, 23), want)


def of_eight_bits(op: str, zero: float | None, opset: int = 19, **attributes: Any) -> onnx.ModelProto:
    """Scale and zero point are stored."""
    kinds = (FLOAT, TensorProto.FLOAT8E4M3FN)
    entry, result = kinds if op == "QuantizeLinear" else kinds[::-1]
    step = node(op, "x s" if zero is None else "x s z", "y", **attributes)
    proto = model(
        [step], [("x", entry, [4])], [f"y@{TensorProto.DataType.Name(result)}"], {"s": np.float32(0.5)}, opset=opset
    )
    if zero is not None:
        proto.graph.initializer.append(onnx.helper.make_tensor("z", TensorProto.FLOAT8E4M3FN, [], [zero]))
    return proto


@pytest.mark.parametrize("saturate", [0, 1, None])
def test_floats_of_eight_bits(saturate: int | None) -> None:
    """What is too large is the largest, or NaN; zero points are zero."""
    x, attributes = np.array([1, -3, 1e4, np.inf], np.float32), {} if saturate is None else {"saturate": saturate}
    out = np.nan if saturate == 0 else 448.0
    (got,) = Evaluator("exact").run(load(of_eight_bits("QuantizeLinear", 0.0, **attributes)), {"x": x}).values()
    assert got.dtype == F8
    np.testing.assert_array_equal(got.astype(np.float32), [2, -6, out, out])


def test_zero_points_of_eight_bits_are_zero() -> None:
    x = np.array([1, -3, 448, 0.5], F8)
    for zero in (None, 0.0):
        (got,) = Evaluator("exact").run(load(of_eight_bits("DequantizeLinear", zero)), {"x": x}).values()
        np.testing.assert_array_equal(got, [0.5, -1.5, 224, 0.25])
    for op in ("QuantizeLinear", "DequantizeLinear"):
        with pytest.raises(ConversionError, match="a zero point of float8_e4m3fn that is not zero is not defined"):
            load(of_eight_bits(op, 1.0))
        given = {"x": np.zeros(4, F8 if op[0] == "D" else np.float32), "s": np.float32(1), "z": np.zeros((), F8)}
        assert "the zero point is computed at run time" in refusal(op, given, F8, 19)


def test_blocks_that_do_not_cover_a_size() -> None:
    def blocked(size: Any, count: int, block: int) -> onnx.ModelProto:
        step = node("DequantizeLinear", "x s", "y", axis=0, block_size=block)
        return model([step], [("x", TensorProto.UINT8, [size, 2]), ("s", FLOAT, [count, 2])], ["y"], opset=21)

    for size, count, block in ((4, 3, 2), (5, 2, 2), (6, 4, 2), (2, 2, 2), (9, 2, 3), (3, 3, 3), ("n", 2, 2)):
        with pytest.raises(ConversionError, match=f"{count} blocks of {block} do not cover the size {size}"):
            load(blocked(size, count, block))
    for size, count, block in ((4, 2, 2), (3, 2, 2), (5, 3, 2), (7, 3, 3), (2, 1, 3)):
        x, scale = integers(size, 2), 1 + floats(count, 2) ** 2
        (got,) = Evaluator("exact").run(load(blocked(size, count, block)), {"x": x, "s": scale}).values()
        np.testing.assert_allclose(got, x * np.repeat(scale, block, 0)[:size], rtol=1e-6)
    step = node("DequantizeLinear", "x s", "y", axis=0, block_size=2)
    with pytest.raises(ConversionError, match="do not fit"):
        load(model([step], [("x", TensorProto.UINT8, [4, 2]), ("s", FLOAT, [2])], ["y"], opset=21))


# -- products -------------------------------------------------------------------------------------------------------
@pytest.mark.parametrize("shape", [(2, 3, 4), (3, 3, 3)])
@pytest.mark.parametrize("lines", ["", "a", "b", "ab"])
def test_products_with_numbers_for_rows_and_columns(shape: tuple[int, int, int], lines: str) -> None:
    """A has them for its rows, B for its columns; nothing else tells them apart in a square."""
    m, k, n = shape
    a, b = integers(m, k), integers(k, n, kind=np.int8, seed=1)
    az = integers(*([m] if "a" in lines else []), seed=2)
    bz = integers(*([n] if "b" in lines else []), kind=np.int8, seed=3)
    wide_a, wide_b = a - az.astype(np.int64).reshape(-1, 1), b - bz.astype(np.int64).reshape(1, -1)
    np.testing.assert_array_equal(
        found("MatMulInteger", {"a": a, "b": b, "az": az, "bz": bz}, np.int32), wide_a @ wide_b
    )
    np.testing.assert_array_equal(found("MatMulInteger", {"a": a, "b": b}, np.int32), a.astype(int) @ b.astype(int))
    np.testing.assert_array_equal(
        found("MatMulInteger", {"a": a, "b": b, "az": None, "bz": bz}, np.int32), a.astype(int) @ wide_b
    )
    scales = {"as": 0.01 + np.square(floats(*az.shape)), "bs": 0.01 + np.square(floats(*bz.shape, seed=1))}
    given = {
        "a": a,
        "as": scales["as"],
        "az": az,
        "b": b,
        "bs": scales["bs"],
        "bz": bz,
        "ys": np.float32(2),
        "yz": np.uint8(90),
    }
    factor = scales["as"].reshape(-1, 1).astype(np.float64) * scales["bs"].reshape(1, -1) / 2
    want = np.clip(np.round((wide_a @ wide_b) * factor) + 90, 0, 255)
    got = found("QLinearMatMul", given, np.uint8)
    assert np.abs(got.astype(int) - want).max() <= 1 and (got == want).mean() > 0.7 and len(np.unique(want)) > 3


# -- convolutions ---------------------------------------------------------------------------------------------------
@pytest.mark.parametrize("terms", [258, 259])
@pytest.mark.parametrize("side", ["channels", "window"])
def test_sums_of_a_convolution_stay_exact(terms: int, side: str) -> None:
    """float32 counts to 2 ** 24, which 258 products of bytes do not reach and 259 may."""
    shape = (1, terms, 1) if side == "channels" else (1, 1, terms)
    x, w = np.full(shape, 255, np.uint8), np.full(shape, 255, np.uint8)
    proto, feed = made("ConvInteger", {"x": x, "w": w}, np.int32)
    taken = load(proto)
    (value,) = Evaluator("exact").run(taken, feed).values()
    assert int(value.reshape(())) == terms * 255 * 255
    (conv,) = [n for n in taken.graph if n.op.name == "conv"]
    assert str(conv.output.type.dtype) == ("float32" if terms == 258 else "float64")
    proto.graph.input[1].type.tensor_type.shape.dim[1 if side == "channels" else 2].dim_param = "t"
    (conv,) = [n for n in load(proto).graph if n.op.name == "conv"]
    assert str(conv.output.type.dtype) == "float64"


def convolved(**changed: Any) -> dict[str, Any]:
    """The operands of QLinearConv; channels and the last axis have one size, so that numbers could be misplaced."""
    return {
        "x": integers(2, 3, 5, 3), "xs": np.float32(0.02), "xz": np.uint8(120), "w": integers(3, 3, 2, 2, seed=1),
        "ws": np.float32([0.01, 0.02, 0.03]), "wz": np.uint8([100, 110, 120]), "ys": np.float32(0.5), "yz": np.uint8(100),
        "b": np.int32([1000, -2000, 30]), **changed,
    }  # fmt: skip


@pytest.mark.parametrize("auto_pad", ["NOTSET", "VALID", "SAME_UPPER", "SAME_LOWER"])
@pytest.mark.parametrize("strides", [[1, 1], [2, 1]])
def test_convolutions_pad_with_what_is_zero(auto_pad: str, strides: list[int]) -> None:
    attributes: dict[str, Any] = {"auto_pad": auto_pad, "strides": strides}
    proto, feed = made("QLinearConv", {k: v for k, v in convolved().items() if k == "x"}, np.uint8)
    stored = {k: v for k, v in convolved().items() if k != "x"}
    step = node("QLinearConv", " ".join(convolved()), "y", **attributes)
    agree(model([step], [("x", TensorProto.UINT8, (2, 3, 5, 3))], ["y@UINT8"], stored), feed)
    for one in ((), (1,)):
        given = {"x": integers(2, 3, 5, 3), "w": integers(3, 3, 2, 2, seed=1), "xz": np.full(one, 7, np.uint8)}
        agree(*made("ConvInteger", given, np.int32, 10, **attributes))
        agree(*made("ConvInteger", {**given, "wz": np.full(one, 9, np.uint8)}, np.int32, 10, **attributes))
    narrow = {"x": integers(1, 1, 9, 9), "w": integers(1, 1, 1, 1)}
    for steps in ([1, 3], [3, 1]):
        if auto_pad.startswith("SAME"):
            said = refusal("ConvInteger", narrow, np.int32, 10, auto_pad=auto_pad, strides=steps)
            assert "at strides of 3 is not done alike" in said


@pytest.mark.parametrize("name", ["xs", "xz", "ys", "yz"])
def test_images_have_one_scale_and_one_zero_point(name: str) -> None:
    """A vector would lie along some axis of the result that has its size by chance."""
    value = np.asarray(convolved()[name])
    for shape in ((3,), (3, 1, 1), (1, 1)):
        said = refusal("QLinearConv", convolved(**{name: np.full(shape, value)}), np.uint8, 10)
        assert "must be one number" in said
    single = found("QLinearConv", convolved(**{name: value.reshape(1)}), np.uint8, 10)
    np.testing.assert_array_equal(single, found("QLinearConv", convolved(), np.uint8, 10))
    if name == "xz":
        many = {"x": integers(1, 3, 4, 4), "w": integers(3, 3, 2, 2), "xz": np.zeros(3, np.uint8)}
        assert "must be one number" in refusal("ConvInteger", many, np.int32, 10)
