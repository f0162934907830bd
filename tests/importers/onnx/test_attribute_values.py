"""Attribute values and forms of operands that ONNX's node tests lack, found by planting faults in the rules."""

from __future__ import annotations

import itertools
from typing import Any

import numpy as np
import onnx
import pytest
from onnx import TensorProto

from converter.errors import ConversionError
from converter.importers.onnx import load
from ir.core import Model
from ir.eval import Evaluator
from ir.types import dtypes
from tests.importers.onnx.models import FLOAT, INT64, agree, floats, model, node, op_names

U8, F16, F64 = TensorProto.UINT8, TensorProto.FLOAT16, TensorProto.DOUBLE


def evaluate(proto: onnx.ModelProto, inputs: dict[str, np.ndarray]) -> list[np.ndarray]:
    return list(Evaluator("exact").run(load(proto), inputs).values())


def attrs_of(taken: Model, op: str) -> dict[str, Any]:
    (found,) = [n for n in taken.graph if n.op.name == op]
    return dict(found.attrs)


def refusal(proto: onnx.ModelProto) -> str:
    with pytest.raises(ConversionError) as error:
        load(proto)
    return str(error.value)


# -- attention ------------------------------------------------------------------------------------------------------
@pytest.mark.parametrize("causal", [0, 1])
@pytest.mark.parametrize("masked", [False, True])
def test_soft_capped_attention(causal: int, masked: bool) -> None:
    names = [("q", (2, 4, 3, 5)), ("k", (2, 2, 6, 5)), ("v", (2, 2, 6, 5))] + [("m", (3, 6))] * masked
    inputs = {n: floats(*s, seed=i) for i, (n, s) in enumerate(names)}
    made = node("Attention", " ".join(inputs), "y", softcap=0.5, is_causal=causal)
    agree(model([made], [(n, FLOAT, s) for n, s in names], ["y"], opset=23), inputs)


def test_attention_without_a_window_stays_one_op() -> None:
    q = [(n, FLOAT, (2, 2, 3, 4)) for n in "qkv"]
    made = node("Attention", "q k v _ _ _ n", "y")
    assert "attention" in op_names(load(model([made], [*q, ("n", INT64, (2,))], ["y"], opset=25)))


# -- creation, draws ------------------------------------------------------------------------------------------------
def test_half_ranges_count_in_half_when_told_to() -> None:
    inputs = {n: np.array(v, np.float16) for n, v in (("a", 0), ("b", 1), ("d", 0.125))}
    declared = [(n, F16, ()) for n in inputs]
    (found,) = evaluate(model([node("Range", "a b d", "y", stash_type=0)], declared, ["y@FLOAT16"], opset=27), inputs)
    assert found.dtype == np.float16 and np.array_equal(found, np.arange(8) * 0.125)
    counted = load(model([node("Range", "a b d", "y", stash_type=1)], declared, ["y@FLOAT16"], opset=27))
    assert op_names(counted)[-2:] == ["range", "cast"]


def test_ranges_of_known_bounds_have_a_known_length() -> None:
    for kind, name in ((np.float32, "FLOAT"), (np.float64, "DOUBLE"), (np.int64, "INT64")):
        stored = {"a": np.array(1, kind), "b": np.array(8, kind), "d": np.array(2, kind)}
        taken = agree(model([node("Range", "a b d", "y")], [], [f"y@{name}"], stored), {})
        assert taken.graph.outputs[0].type.shape == (4,)
        for wrong in stored:
            declared = [
                (n, onnx.helper.np_dtype_to_tensor_dtype(np.dtype(kind)), (1,) if n == wrong else ()) for n in stored
            ]
            assert "its bounds and step must be scalars" in refusal(
                model([node("Range", "a b d", "y")], declared, [f"y@{name}"])
            )


def test_draws_keep_their_attributes() -> None:
    uniform = node("RandomUniform", "", "y", shape=[2, 3], low=-2.0, high=5.0, dtype=F64)
    assert attrs_of(load(model([uniform], [], ["y@DOUBLE"])), "random_uniform") == {
        "shape": (2, 3), "low": -2.0, "high": 5.0, "dtype": dtypes.float64,
    }  # fmt: skip
    like = node("RandomNormalLike", "x", "y", mean=1.5, scale=0.25)
    drawn = attrs_of(load(model([like], [("x", FLOAT, [4])], ["y"])), "random_normal")
    assert (drawn["shape"], drawn["mean"], drawn["std"], str(drawn["dtype"])) == ((4,), 1.5, 0.25, "float32")
    for op, drawn_by, shape in (
        ("RandomNormal", "random_normal", {"shape": [4]}), ("RandomNormalLike", "random_normal", {}),
        ("RandomUniformLike", "random_uniform", {}), ("Bernoulli", "bernoulli", {}),
    ):  # fmt: skip
        for own, asked in itertools.product((F16, F64), (None, F16, F64)):
            if asked is None and shape:
                continue
            name = TensorProto.DataType.Name(own if asked is None else asked)
            made = node(op, "" if shape else "x", "y", **shape, **({} if asked is None else {"dtype": asked}))
            taken = load(model([made], [] if shape else [("x", own, [4])], [f"y@{name}"], opset=22))
            assert attrs_of(taken, drawn_by)["dtype"].name == {"FLOAT16": "float16", "DOUBLE": "float64"}[name]
    plain = load(model([node("RandomNormal", "", "y", shape=[4])], [], ["y"]))
    assert attrs_of(plain, "random_normal")["dtype"] == dtypes.float32


@pytest.mark.parametrize("op", ["RandomNormalLike", "RandomUniformLike", "Bernoulli", "Multinomial"])
def test_seeds_are_told_of(op: str) -> None:
    sizes = {"sample_size": 3} if op == "Multinomial" else {}
    result = ["y@INT32" if sizes else "y"]
    for given in ({}, {"seed": 0.0}, {"seed": 7.0}):
        taken = load(model([node(op, "x", "y", **sizes, **given)], [("x", FLOAT, [2, 4])], result))
        assert any(f"{op}: the seed" in n for n in taken.notes) == bool(given)


def test_draws_of_classes_follow_their_logits() -> None:
    made = node("Multinomial", "x", "y", sample_size=4000, dtype=INT64)
    logits = np.log(np.array([[1, 2, 0, 5], [3, 0, 0, 1]], np.float32) + 1e-30)
    (found,) = evaluate(model([made], [("x", FLOAT, ("n", 4))], ["y@INT64"], opset=22), {"x": logits})
    assert found.shape == (2, 4000) and found.dtype == np.int64
    for kind in (np.float16, np.float64):
        declared = [("x", onnx.helper.np_dtype_to_tensor_dtype(np.dtype(kind)), ("n", 4))]
        x = np.maximum(logits, -1e4).astype(kind)
        (same,) = evaluate(model([made], declared, ["y@INT64"], opset=22), {"x": x})
        assert abs((same == 3).mean() - (found == 3).mean()) < 0.03
    tied = np.zeros((1, 16384), np.float16)  # in float16 a draw in 2048 rounds to 1, whose noise is infinite
    declared = [("x", F16, tied.shape)]
    few = node("Multinomial", "x", "y", sample_size=200, dtype=INT64)
    (places,) = evaluate(model([few], declared, ["y@INT64"], opset=22), {"x": tied})
    assert np.median(places) > 4096
    shares = np.stack([np.bincount(row, minlength=4) for row in found]) / 4000
    assert np.abs(shares - [[1 / 8, 2 / 8, 0, 5 / 8], [3 / 4, 0, 0, 1 / 4]]).max() < 0.04


def test_windows_of_a_size_that_the_run_knows() -> None:
    for op, want in (("HannWindow", np.hanning(8)[:-1]), ("HammingWindow", None), ("BlackmanWindow", None)):
        proto = model([node(op, "n", "y", output_datatype=F64)], [("n", INT64, ())], ["y@DOUBLE"])
        (found,) = evaluate(proto, {"n": np.array(7)})
        fixed = model([node(op, "n", "y", output_datatype=F64)], [], ["y@DOUBLE"], {"n": np.array(7)})
        assert found.dtype == np.float64 and np.allclose(found, evaluate(fixed, {})[0], rtol=0, atol=1e-14)
        assert want is None or np.allclose(found, want, rtol=0, atol=1e-14)


# -- elementwise, indexing, shapes ----------------------------------------------------------------------------------
@pytest.mark.parametrize("n", [1, 2, 3, 5])
def test_determinants(n: int) -> None:
    agree(model([node("Det", "x", "y")], [("x", FLOAT, [4, n, n])], ["y"]), {"x": floats(4, n, n)})


def test_shrinking_integers_rounds_towards_zero() -> None:
    for kind, settings in (
        (np.int8, {"bias": 0.7, "lambd": 2.0}),
        (np.int64, {"bias": -1.2, "lambd": 1.0}),
        (np.uint8, {"lambd": 2.5}),
    ):
        x = np.array([0, 1, 2, 3, 7, 100], kind) * (-1 if kind == np.int8 else 1)
        declared = [("x", onnx.helper.np_dtype_to_tensor_dtype(x.dtype), [6])]
        agree(
            model([node("Shrink", "x", "y", **settings)], declared, [f"y@{np.dtype(kind).name.upper()}"], opset=9),
            {"x": x},
        )


@pytest.mark.parametrize("axis", [0, 1, -1, -2])
def test_one_hot_with_values_that_the_run_knows(axis: int) -> None:
    inputs = {"i": np.array([0, 2, -1, 5]), "v": np.array([-1.5, 2.5], np.float32)}
    declared = [("i", INT64, [4]), ("v", FLOAT, [2])]
    agree(model([node("OneHot", "i d v", "y", axis=axis)], declared, ["y"], {"d": np.array(3)}), inputs)


# -- pools ----------------------------------------------------------------------------------------------------------
def test_the_order_of_positions_does_not_matter_to_the_maxima() -> None:
    made = node("MaxPool", "x", "y", kernel_shape=[2, 2], storage_order=1)
    agree(model([made], [("x", FLOAT, [1, 2, 4, 5])], ["y"], opset=12), {"x": floats(1, 2, 4, 5)})


def test_average_pool_of_opset_6_strides() -> None:
    attributes = {"kernel_shape": [3, 2], "strides": [2, 1], "pads": [1, 0, 1, 1]}
    old, new = (
        model([node("AveragePool", "x", "y", **attributes)], [("x", FLOAT, [1, 2, 7, 5])], ["y"], opset=v)
        for v in (6, 7)
    )
    x = {"x": floats(1, 2, 7, 5)}
    (want,) = Evaluator("exact").run(agree(new, x), x).values()
    np.testing.assert_array_equal(evaluate(old, x)[0], want)


@pytest.mark.parametrize("shape", [(1,), (1, 1, 1), (3,)])
def test_prelu_of_opset_6(shape: tuple[int, ...]) -> None:
    """One slope, or one for each channel; `(3,)` is not the last axis."""
    x, slope = floats(2, 3, 4), floats(*shape, seed=1)
    proto = model([node("PRelu", "x s", "y")], [("x", FLOAT, [2, 3, 4]), ("s", FLOAT, shape)], ["y"], opset=6)
    want = np.where(x < 0, x * slope.reshape(-1, 1), x)
    np.testing.assert_array_equal(evaluate(proto, {"x": x, "s": slope})[0], want)


# -- norms ----------------------------------------------------------------------------------------------------------
@pytest.mark.parametrize("shape", [(3, 4), (4,), (1, 4), (3, 1), (1,), (1, 3, 4)])
def test_layer_norm_scales_broadcast(shape: tuple[int, ...]) -> None:
    x, scale, bias = floats(2, 3, 4), floats(*shape, seed=1), floats(*shape, seed=2)
    made = node("LayerNormalization", "x s b", "y", axis=1)
    proto = model([made], [("x", FLOAT, [2, 3, 4]), ("s", FLOAT, shape), ("b", FLOAT, shape)], ["y"])
    wide = x.astype(np.float64)
    centred = wide - wide.mean((1, 2), keepdims=True)
    want = centred / np.sqrt(np.square(centred).mean((1, 2), keepdims=True) + 1e-5) * scale + bias
    np.testing.assert_allclose(evaluate(proto, {"x": x, "s": scale, "b": bias})[0], want, rtol=1e-4, atol=1e-5)


# -- quantisation ---------------------------------------------------------------------------------------------------
@pytest.mark.parametrize(("size", "block"), [(6, 3), (5, 3), (7, 4), (4, 2)])
@pytest.mark.parametrize("axis", [0, 1])
def test_blocked_scales(size: int, block: int, axis: int) -> None:
    count = -(-size // block)
    shape, scales = ([size, 3], [count, 3]) if axis == 0 else ([3, size], [3, count])
    x = np.arange(3 * size, dtype=np.uint8).reshape(shape)
    s, z = 0.5 + floats(*scales) ** 2, np.arange(3 * count, dtype=np.uint8).reshape(scales)
    made = node("DequantizeLinear", "x s z", "y", axis=axis, block_size=block)
    proto = model([made], [("x", U8, shape), ("s", FLOAT, scales), ("z", U8, scales)], ["y"], opset=21)
    at = np.arange(size) // block
    want = (x.astype(np.float32) - np.take(z, at, axis).astype(np.float32)) * np.take(s, at, axis)
    np.testing.assert_allclose(evaluate(proto, {"x": x, "s": s, "z": z})[0], want, rtol=1e-6)


@pytest.mark.parametrize("opset", [23, 24, 25])
def test_dequantising_to_a_named_type(opset: int) -> None:
    proto = model(
        [node("DequantizeLinear", "x s", "y", output_dtype=F16)],
        [("x", U8, [3]), ("s", FLOAT, ())],
        ["y@FLOAT16"],
        opset=opset,
    )
    (found,) = evaluate(proto, {"x": np.array([1, 2, 255], np.uint8), "s": np.array(0.5, np.float32)})
    assert found.dtype == np.float16 and found.tolist() == [0.5, 1.0, 127.5]


def test_quantised_product_with_a_zero_point_for_each_row() -> None:
    a, b = np.array([[10, 20], [30, 40], [50, 60]], np.uint8), np.array([[1, 2, 3], [4, 5, 6]], np.uint8)
    stored = {
        "as": np.float32([0.5]), "az": np.uint8([3]), "bs": np.float32([0.25]), "bz": np.uint8([1]),
        "ys": np.float32([1.0, 2.0, 3.0]), "yz": np.uint8([5, 7, 9]),
    }  # fmt: skip
    made = node("QLinearMatMul", "a as az b bs bz ys yz", "y")
    proto = model([made], [("a", U8, [3, 2]), ("b", U8, [2, 3])], ["y@UINT8"], stored, opset=21)
    total = (a.astype(np.float64) - 3) @ (b.astype(np.float64) - 1) * 0.125
    want = np.clip(np.round(total / stored["ys"][:, None]) + stored["yz"][:, None], 0, 255)
    assert evaluate(proto, {"a": a, "b": b})[0].tolist() == want.tolist()


def test_quantised_convolution_with_bias() -> None:
    rng = np.random.default_rng(0)
    x, w = rng.integers(0, 255, (1, 2, 5, 5)).astype(np.uint8), rng.integers(0, 255, (3, 2, 3, 3)).astype(np.uint8)
    stored = {
        "xs": np.float32(0.02), "xz": np.uint8(120), "w": w, "ws": np.float32([0.01, 0.02, 0.03]), "wz": np.uint8([100, 110, 120]),
        "ys": np.float32(0.5), "yz": np.uint8(100), "b": np.int32([1000, -2000, 30]),
    }  # fmt: skip
    made = node("QLinearConv", "x xs xz w ws wz ys yz b", "y", pads=[1, 0, 0, 1])
    proto = model([made], [("x", U8, [1, 2, 5, 5])], ["y@UINT8"], stored)
    agree(proto, {"x": x})


# -- recurrent layers -----------------------------------------------------------------------------------------------
def _lstm(outputs: str, direction: str, opset: int = 14, layout: int = 0, computed: bool = False) -> onnx.ModelProto:
    count = 2 if direction == "bidirectional" else 1
    stored = {
        "w": floats(count, 16, 3, seed=1),
        "r": floats(count, 16, 4, seed=2),
        "b": floats(count, 32, seed=3),
        "one": np.float32(1.5),
    }
    nodes = [node("Mul", f"{n} one", f"{n}c") for n in "wrb"] if computed else []
    names = "x wc rc bc" if computed else "x w r b"
    extra = {"layout": 1} if layout else {}
    shape = [2, 5, 3] if layout else [5, 2, 3]
    made = node("LSTM", names, outputs, hidden_size=4, direction=direction, **extra)
    asked = [o for o in outputs.split() if o != "_"]
    return model([*nodes, made], [("x", FLOAT, shape)], asked, stored, opset=opset)


@pytest.mark.parametrize("outputs", ["y", "_ h", "_ _ c", "y h", "y _ c", "y h c"])
@pytest.mark.parametrize("direction", ["forward", "reverse", "bidirectional"])
@pytest.mark.parametrize("computed", [False, True])
def test_outputs_of_recurrent_layers(outputs: str, direction: str, computed: bool) -> None:
    agree(_lstm(outputs, direction, computed=computed), {"x": floats(5, 2, 3)})


@pytest.mark.parametrize("outputs", ["y", "y h c", "_ h"])
@pytest.mark.parametrize("opset", [14, 22])
@pytest.mark.parametrize("direction", ["forward", "bidirectional"])
def test_batch_first_recurrent_layers(outputs: str, opset: int, direction: str) -> None:
    """`layout=1` puts the batch before the time in X and Y, and before the direction in the states."""
    x = floats(5, 2, 3)
    usual = Evaluator("exact").run(agree(_lstm(outputs, direction, opset), {"x": x}), {"x": x})
    first = evaluate(_lstm(outputs, direction, opset, layout=1), {"x": x.transpose(1, 0, 2)})
    for got, (name, want) in zip(first, usual.items(), strict=True):
        moved = want.transpose(2, 0, 1, 3) if name == "y" else want.transpose(1, 0, 2)
        np.testing.assert_allclose(got, moved, rtol=1e-6, atol=1e-7)
