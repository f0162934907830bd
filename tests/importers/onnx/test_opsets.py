"""The same op under definitions that differ: attributes, defaults and forms that changed their meaning."""

from __future__ import annotations

from typing import Any

import numpy as np
import onnx
import pytest
from onnx import TensorProto

from converter.errors import ConversionError
from converter.importers.onnx import load
from tests.importers.onnx.models import BOOL, FLOAT, INT64, agree, floats, model, node, op_names

X: Any = ("x", FLOAT, [2, 3, 4])
x = floats(2, 3, 4, seed=5)


@pytest.mark.parametrize("op", ["Softmax", "LogSoftmax", "Hardmax"])
@pytest.mark.parametrize(
    ("opset", "axis"), [(7, None), (7, 1), (7, 2), (11, 0), (11, -1), (12, 1), (13, None), (13, 1), (17, 0)]
)
def test_softmax_flattens_before_13(op: str, opset: int, axis: int | None) -> None:
    attributes = {} if axis is None else {"axis": axis}
    agree(model([node(op, "x", "y", **attributes)], [X], ["y"], opset=opset), {"x": x})


def test_softmax_default_axis_changed() -> None:
    old, new = (model([node("Softmax", "x", "y")], [X], ["y"], opset=v) for v in (12, 13))
    assert op_names(load(old)) != op_names(load(new))


@pytest.mark.parametrize(("opset", "noop"), [(11, None), (13, 0), (13, 1), (18, 1), (21, 0)])
def test_reduce_without_axes(opset: int, noop: int | None) -> None:
    attributes = {} if noop is None else {"noop_with_empty_axes": noop}
    agree(model([node("ReduceSum", "x", "y", **attributes)], [X], ["y"], opset=opset), {"x": x})


@pytest.mark.parametrize("opset", [7, 12, 13, 18, 20])
@pytest.mark.parametrize("op", ["ReduceMean", "ReduceMax", "ReduceL2", "ReduceSum", "ReduceLogSumExp"])
def test_reduce_axes_attribute_or_input(op: str, opset: int) -> None:
    as_input = opset >= (13 if op == "ReduceSum" else 18)
    stored = {"axes": np.array([-1, 0])} if as_input else {}
    low = 11 if opset < 11 else 0  # negative axes are defined from 11 on
    attributes: dict[str, Any] = {} if as_input else {"axes": [2, 0] if low else [-1, 0]}
    made = node(op, "x axes" if as_input else "x", "y", keepdims=0, **attributes)
    agree(model([made], [X], ["y"], stored, opset=opset), {"x": x})


def test_absent_bounds_of_clip_bound_infinities() -> None:
    """They are the largest finite numbers: as attributes in float32 until version 6, of the type itself from 11 on."""
    for code in (FLOAT, TensorProto.FLOAT16, TensorProto.DOUBLE):
        kind = onnx.helper.tensor_dtype_to_np_dtype(code)
        wild = np.array([np.inf, -np.inf, 1.0, np.nan], kind)
        result = f"y@{TensorProto.DataType.Name(code)}"
        for names, given in (("x", {}), ("x m", {"m": kind.type(0.5)}), ("x _ m", {"m": kind.type(0.5)})):
            agree(model([node("Clip", names, "y")], [("x", code, [4])], [result], given, opset=13), {"x": wild})
    agree(model([node("Clip", "x", "y")], [("x", FLOAT, [4])], ["y"], opset=7), {"x": wild.astype(np.float32)})
    whole = load(model([node("Clip", "x", "y")], [("x", INT64, [4])], ["y@INT64"]))
    assert op_names(whole) == ["identity"]


@pytest.mark.parametrize("opset", [7, 11, 13])
def test_integer_division_and_modulo(opset: int) -> None:
    a, b = np.array([7, -7, 7, -7], np.int64), np.array([2, 2, -2, -2], np.int64)
    io: Any = [("a", INT64, [4]), ("b", INT64, [4])]
    agree(model([node("Div", "a b", "y")], io, ["y@INT64"], opset=opset), {"a": a, "b": b})
    if opset >= 10:
        for fmod in (0, 1):
            agree(model([node("Mod", "a b", "y", fmod=fmod)], io, ["y@INT64"], opset=opset), {"a": a, "b": b})


@pytest.mark.parametrize("op", ["ReduceMean", "ReduceL2"])
def test_integers_are_reduced_towards_zero(op: str) -> None:
    """A sum may be larger than the type holds; logarithms are rounded in other places by each runtime."""
    for kind in (np.int32, np.int64):
        name = f"y@{np.dtype(kind).name.upper()}"
        rows = np.array([[3, 4, 4, 1], [-3, -4, -4, 0], [2**31 - 1, 2**31 - 2, 1, 2**31 - 1]], kind)[
            : 2 + (op == "ReduceMean")
        ]
        made = node(op, "x", "y", axes=[1], keepdims=0)
        agree(
            model([made], [("x", onnx.helper.np_dtype_to_tensor_dtype(rows.dtype), rows.shape)], [name], opset=13),
            {"x": rows},
        )
    for log in ("ReduceLogSum", "ReduceLogSumExp"):
        with pytest.raises(ConversionError, match="logarithm of integers"):
            load(model([node(log, "x", "y")], [("x", INT64, [3])], ["y@INT64"], opset=13))


def test_upsample_9_and_resize() -> None:
    image: Any = ("x", FLOAT, [1, 2, 3, 4])
    scales = {"s": np.array([1, 1, 2, 1.5], np.float32)}
    for opset, mode in ((9, "nearest"), (9, "linear")):
        proto = model([node("Upsample", "x s", "y", mode=mode)], [image], ["y"], scales, opset=opset)
        agree(proto, {"x": floats(1, 2, 3, 4)})
    proto = model(
        [node("Resize", "x s", "y", mode="nearest")],
        [image],
        ["y"],
        {"s": np.array([1, 1, 0.5, 0.5], np.float32)},
        opset=10,
    )
    with pytest.raises(ConversionError, match="shrinking by nearest"):
        load(proto)


@pytest.mark.parametrize("coordinates", ["half_pixel", "align_corners", "asymmetric", "pytorch_half_pixel"])
@pytest.mark.parametrize("mode", ["nearest", "linear", "cubic"])
def test_resize_coordinates(mode: str, coordinates: str) -> None:
    made = node("Resize", "x _ _ size", "y", mode=mode, coordinate_transformation_mode=coordinates)
    for size in ((7, 9), (2, 3)):
        proto = model([made], [("x", FLOAT, [1, 2, 4, 5])], ["y"], {"size": np.array([1, 2, *size])}, opset=18)
        agree(proto, {"x": floats(1, 2, 4, 5)})


@pytest.mark.parametrize("opset", [11, 12, 13, 16, 18])
def test_scatter_versions(opset: int) -> None:
    stored = {"i": np.array([[0, -1], [1, 1]], np.int64), "u": floats(2, 2, seed=9)}
    for reduction in ["none", *(["add", "mul"] if opset >= 16 else []), *(["max", "min"] if opset >= 18 else [])]:
        attributes = {"reduction": reduction} if opset >= 16 else {}
        made = node("ScatterElements", "x i u", "y", axis=0, **attributes)
        if reduction == "none":
            stored["i"] = np.array([[0, -1], [1, 0]], np.int64)
        agree(model([made], [("x", FLOAT, [3, 2])], ["y"], stored, opset=opset), {"x": floats(3, 2)})


def test_pow_of_mixed_types() -> None:
    io: Any = [("a", FLOAT, [3]), ("b", INT64, [3])]
    proto = model([node("Pow", "a b", "y")], io, ["y"], opset=15)
    agree(proto, {"a": np.array([1.5, -2, 3], np.float32), "b": np.array([2, 3, 0])})


def test_split_uneven() -> None:
    proto = model(
        [node("Split", "x", "a b c", axis=2, num_outputs=3)], [("x", FLOAT, [2, 3, 7])], ["a", "b", "c"], opset=18
    )
    agree(proto, {"x": floats(2, 3, 7)})


def test_version_without_a_rule_is_refused() -> None:
    """Another definition never stands in for the one in the file."""
    from converter.importers.onnx.table import RULES

    rule = RULES._rules.pop(("", "Relu", 14))
    try:
        with pytest.raises(ConversionError, match="Relu-14"):
            load(model([node("Relu", "x", "y")], [X], ["y"], opset=17))
        load(model([node("Relu", "x", "y")], [X], ["y"], opset=13))
    finally:
        RULES._rules[("", "Relu", 14)] = rule


def test_unknown_attribute_is_refused() -> None:
    with pytest.raises(ConversionError, match="attribute slope does not exist"):
        load(model([node("LeakyRelu", "x", "y", slope=0.5)], [X], ["y"]))


def test_attribute_of_the_wrong_kind_is_refused() -> None:
    with pytest.raises(ConversionError, match="alpha is of the wrong kind"):
        load(model([node("LeakyRelu", "x", "y", alpha="much")], [X], ["y"]))


def test_opsets_before_the_oldest_rules() -> None:
    """An op whose first definition still holds is read; one of another time is refused by its version."""
    x = np.array([True, False])
    agree(model([node("Not", "x", "y")], [("x", BOOL, [2])], ["y@BOOL"], opset=1), {"x": x})
    with pytest.raises(ConversionError, match="Sigmoid-1"):
        load(model([node("Sigmoid", "x", "y")], [X], ["y"], opset=1))


def test_every_refusal_at_once() -> None:
    counts: Any = {"max_skip_count": 0, "ngram_counts": [0], "ngram_indexes": [0]}
    nodes = [
        node("StringNormalizer", "x", "a"),
        node("Neg", "a", "b"),
        node("StringNormalizer", "x", "c"),
        node("TfIdfVectorizer", "b", "d", mode="TF", min_gram_length=1, max_gram_length=1, **counts),
        node("Sum", "c d", "y"),
    ]
    with pytest.raises(ConversionError) as caught:
        load(model(nodes, [X], ["y"]))
    assert {(u.op, u.count) for u in caught.value.unsupported} == {("StringNormalizer-10", 2), ("TfIdfVectorizer-9", 1)}


@pytest.mark.parametrize("auto_pad", ["SAME_UPPER", "SAME_LOWER"])
@pytest.mark.parametrize("strides", [[1, 1], [2, 2], [3, 1]])
def test_auto_pad(auto_pad: str, strides: list[int]) -> None:
    """The odd element of `same` padding lies on the side the name says, at every size."""
    attributes: Any = {"auto_pad": auto_pad, "strides": strides}
    image: Any = ("x", FLOAT, [1, 2, "h", "w"])
    conv = model([node("Conv", "x k", "y", **attributes)], [image], ["y"], {"k": floats(3, 2, 4, 2)})
    pool = model([node("AveragePool", "x", "y", kernel_shape=[4, 2], **attributes)], [image], ["y"])
    transposed = model([node("ConvTranspose", "x k", "y", **attributes)], [image], ["y"], {"k": floats(2, 3, 4, 2)})
    for proto in (conv, pool, transposed):
        taken = load(proto)
        for h, w in ((5, 6), (8, 7)):
            agree(proto, {"x": floats(1, 2, h, w)}, taken)


@pytest.mark.parametrize("start", [-(2**63), -9, -5, -3, -1, 0, 2, 4, 9, 2**63 - 1])
@pytest.mark.parametrize("stop", [-(2**63), -9, -4, 0, 2])
@pytest.mark.parametrize("dim", [5, "n"])
def test_slicing_backwards(start: int, stop: int, dim: Any) -> None:
    """A start before the first element means the first one."""
    stored = {"s": np.array([start]), "e": np.array([stop]), "a": np.array([0]), "t": np.array([-2])}
    proto = model([node("Slice", "x s e a t", "y")], [("x", FLOAT, [dim])], ["y"], stored)
    taken = load(proto)
    for n in (5,) if dim == 5 else (1, 3, 6):
        agree(proto, {"x": floats(n)}, taken)


@pytest.mark.parametrize(
    ("made", "why"),
    [
        (node("MaxPool", "x", "y", kernel_shape=[3], dilations=[2], auto_pad="SAME_UPPER"), "auto_pad with dilations"),
        (node("AveragePool", "x", "y", kernel_shape=[1], strides=[3], auto_pad="SAME_UPPER"), "strides of 3"),
        (node("Slice", "x s e a t", "y"), "far positive end"),
        (node("Resize", "x _ f", "y", mode="linear", coordinate_transformation_mode="align_corners"), "align_corners"),
    ],
)
def test_what_runtimes_do_differently_is_refused(made: Any, why: str) -> None:
    stored = {
        "s": np.array([2]), "e": np.array([2**63 - 1]), "a": np.array([1]), "t": np.array([-1]),
        "f": np.array([1, 1, 0.6], np.float32),
    }  # fmt: skip
    stored = {k: v for k, v in stored.items() if k in made.input}
    with pytest.raises(ConversionError, match=why):
        load(model([made], [("x", FLOAT, [1, 2, 9 if "strides" in why else 4])], ["y"], stored))
