"""Sizes computed by the graph end as size expressions, right at every run-time size."""

from __future__ import annotations

from typing import Any

import numpy as np
import onnx
import pytest
from onnx.reference import ReferenceEvaluator

from converter.errors import ConversionError
from converter.importers.onnx import load
from ir.eval import Evaluator
from tests.importers.onnx.models import BOOL, FLOAT, INT64, agree, floats, model, node, op_names

X: Any = ("x", FLOAT, ["batch", "length", 6])
SHAPE_OPS = {"dim", "stack", "bind_dim", "select", "gather"}


def i64(*values: int) -> np.ndarray:
    return np.array(values, np.int64)


def _two(position: str = "") -> list[Any]:
    return [node("Shape", "x", "s"), node("Gather", "s c0", "b", axis=0), node("Gather", "s c1", "l", axis=0)]


CONSTANTS = {"c0": np.int64(0), "c1": np.int64(1), "two": np.int64(2), "m1": i64(-1), "ax0": i64(0), "three": i64(3)}
VECTORS = [node("Unsqueeze", "b ax0", "bv"), node("Unsqueeze", "l ax0", "lv")]

CHAINS: dict[str, list[Any]] = {
    "concat, reshape with -1": [*_two(), *VECTORS, node("Concat", "bv m1", "t", axis=0), node("Reshape", "x t", "y")],
    "product of sizes": [
        *_two(), node("Mul", "b l", "bl"), node("Unsqueeze", "bl ax0", "v"), node("Concat", "v m1", "t", axis=0),
        node("Reshape", "x t", "y"),
    ],
    "split heads": [
        *_two(), *VECTORS, node("Concat", "bv lv three m1", "t", axis=0), node("Reshape", "x t", "h"),
        node("Transpose", "h", "y", perm=[0, 2, 1, 3]),
    ],
    "slice to half the length": [
        *_two(), node("Div", "l two", "half"), node("Unsqueeze", "half ax0", "hv"), node("Slice", "x ax0 hv axis1", "y"),
    ],
    "slice from length - 1": [
        *_two(), node("Sub", "l c1", "p"), node("Unsqueeze", "p ax0", "pv"), node("Slice", "x pv far axis1", "y"),
    ],
    "expand a row": [node("Shape", "x", "s"), node("Expand", "row s", "y")],
    "expand by where": [
        node("Shape", "x", "s"), node("ConstantOfShape", "n3", "ones", value=None), node("Equal", "wish minus", "e"),
        node("Where", "e ones wish", "w"), node("Expand", "x w", "y"),
    ],
    "positions": [
        *_two(), node("Range", "c0 l c1", "r"), node("Cast", "r", "f", to=FLOAT), node("Unsqueeze", "f one_ax", "col"),
        node("Add", "x col", "y"),
    ],
    "zeros of a computed shape": [
        *_two(), *VECTORS, node("Concat", "lv bv", "t", axis=0), node("ConstantOfShape", "t", "y"),
    ],
    "tile by a size": [*_two(), *VECTORS, node("Concat", "one_v lv one_v", "t", axis=0), node("Tile", "x t", "y")],
    "size as a number": [*_two(), node("Cast", "l", "f", to=FLOAT), node("Div", "x f", "y")],
    "pad to a multiple of 4": [
        *_two(), node("Mod", "l four", "r"), node("Sub", "four r", "d"), node("Unsqueeze", "d ax0", "dv"),
        node("Concat", "ax0 ax0 ax0 ax0 dv ax0", "t", axis=0), node("Pad", "x t", "y"),
    ],
    "number of elements": [node("Size", "x", "n"), node("Cast", "n", "f", to=FLOAT), node("Add", "x f", "y")],
    "product of the shape": [
        node("Shape", "x", "s"), node("ReduceProd", "s", "p", keepdims=1), node("Reshape", "x p", "y"),
    ],
    "larger of two sizes": [
        *_two(), node("Max", "b l", "m"), node("Unsqueeze", "m ax0", "mv"), node("ConstantOfShape", "mv", "y"),
    ],
    "half of length - 1, towards zero": [
        *_two(), node("Sub", "l two", "d"), node("Div", "d two", "h"), node("Add", "h c1", "k"),
        node("Unsqueeze", "k ax0", "kv"), node("ConstantOfShape", "kv", "y"),
    ],
}  # fmt: skip


def _chain(name: str) -> Any:
    stored = {
        **CONSTANTS, "axis1": i64(1), "far": i64(2**63 - 1), "row": floats(6, seed=3), "n3": i64(3), "one_ax": i64(1),
        "one_v": i64(1), "four": np.int64(4), "wish": i64(-1, 1, 6), "minus": i64(-1, -1, -1),
    }  # fmt: skip
    nodes = list(CHAINS[name])
    for n in nodes:
        if n.op_type == "ConstantOfShape" and n.attribute:
            del n.attribute[:]
    if name == "expand by where":
        stored["ones"] = i64(1, 1, 1)
        nodes = [n for n in nodes if n.op_type != "ConstantOfShape"]
    used = {i for n in nodes for i in n.input}
    return model(nodes, [X], ["y"], {k: v for k, v in stored.items() if k in used})


@pytest.mark.parametrize("name", CHAINS)
def test_chain(name: str) -> None:
    """No shape tensor is left, except where a size becomes a number of the computation."""
    proto = _chain(name)
    taken = load(proto)
    if name not in ("size as a number", "number of elements"):
        assert not SHAPE_OPS & set(op_names(taken))
    for batch, length in ((2, 6), (1, 3), (4, 9), (3, 1)):
        agree(proto, {"x": floats(batch, length, 6)}, taken)


def test_sizes_only_the_run_knows() -> None:
    """A run-time integer becomes an opaque size; a negative one is an error, not a code."""
    proto = model(
        [node("Concat", "n m1", "t", axis=0), node("Reshape", "x t", "y")],
        [("x", FLOAT, [12]), ("n", INT64, [1])],
        ["y"],
        {"m1": i64(-1)},
    )
    taken = load(proto)
    assert "bind_dim" in op_names(taken)
    for n in (1, 3, 12):
        agree(proto, {"x": floats(12), "n": i64(n)}, taken)


def test_nonzero_length() -> None:
    proto = model(
        [
            node("NonZero", "x", "p"),
            node("Shape", "p", "s"),
            node("Slice", "s one two", "k"),
            node("ConstantOfShape", "k", "y"),
        ],
        [("x", FLOAT, ["n", 3])],
        ["y"],
        {"one": i64(1), "two": i64(2)},
    )
    taken = load(proto)
    x = floats(4, 3)
    x[x < 0] = 0
    agree(proto, {"x": x}, taken)


def test_reshape_codes() -> None:
    def reshape(shape: list[int], **attributes: int) -> Any:
        return model([node("Reshape", "x t", "y", **attributes)], [X], ["y"], {"t": i64(*shape)})

    x = floats(2, 5, 6)
    for shape in ([0, 0, -1], [0, -1], [-1, 0, 6], [0, 0, 2, 3], [-1], [0, -1, 2]):
        agree(reshape(shape), {"x": x})
    with pytest.raises(ConversionError, match="not defined"):
        load(reshape([-1, -1, 6]))
    with pytest.raises(ConversionError, match="no size to copy"):
        load(reshape([1, 1, 1, 0]))
    empty = model([node("Reshape", "x t", "y", allowzero=1)], [("x", FLOAT, [0, 3])], ["y"], {"t": i64(3, 0)})
    agree(empty, {"x": floats(0, 3)})


def test_decided_branches_are_taken() -> None:
    """The rank and a fixed size decide; the other branch may hold what has no rule."""
    from onnx import helper

    then = helper.make_graph([node("Relu", "x", "a")], "then", [], [helper.make_tensor_value_info("a", FLOAT, None)])
    odd = [helper.make_node("Frobnicate", ["x"], ["z"], domain="nowhere")]
    other = helper.make_graph(odd, "else", [], [helper.make_tensor_value_info("z", FLOAT, None)])
    nodes = [
        node("Shape", "x", "s"), node("Size", "s", "rank"), node("Equal", "rank three", "is3"),
        node("If", "is3", "y", then_branch=then, else_branch=other),
    ]  # fmt: skip
    taken = load(model(nodes, [X], ["y"], {"three": np.int64(3)}))
    assert op_names(taken) == ["relu"]


def test_undecided_branches_become_cond() -> None:
    from onnx import helper

    then = helper.make_graph([node("Relu", "x", "a")], "then", [], [helper.make_tensor_value_info("a", FLOAT, None)])
    other = helper.make_graph([node("Neg", "x", "z")], "else", [], [helper.make_tensor_value_info("z", FLOAT, None)])
    proto = model([node("If", "flag", "y", then_branch=then, else_branch=other)], [X, ("flag", BOOL, [])], ["y"])
    taken = load(proto)
    assert op_names(taken) == ["cond"]
    for flag in (True, False):
        agree(proto, {"x": floats(2, 3, 6), "flag": np.array(flag)}, taken)


def test_int_min_bounds() -> None:
    """Open ends in 32 and 64 bits, both directions."""
    for start, stop, step in ((-1, -(2**63), -1), (2**31 - 1, -(2**31), -2), (0, 2**31 - 1, 1), (-3, 2**63 - 1, 2)):
        stored = {"a": i64(start), "b": i64(stop), "axis": i64(1), "step": i64(step)}
        proto = model([node("Slice", "x a b axis step", "y")], [X], ["y"], stored)
        agree(proto, {"x": floats(2, 5, 6)})


def test_upsampling_by_computed_size() -> None:
    """Shape -> cast -> scale -> floor -> cast -> resize, as exporters spell interpolation out."""
    nodes = [
        node("Shape", "x", "s"), node("Slice", "s two four", "hw"), node("Cast", "hw", "f", to=FLOAT),
        node("Mul", "f scale", "g"), node("Floor", "g", "h"), node("Cast", "h", "k", to=INT64),
        node("Slice", "s zero two", "bc"), node("Concat", "bc k", "size", axis=0),
        node("Resize", "x _ _ size", "y", mode="linear", coordinate_transformation_mode="half_pixel"),
    ]  # fmt: skip
    stored = {"two": i64(2), "four": i64(4), "zero": i64(0), "scale": np.array([2.0, 3.0], np.float32)}
    proto = model(nodes, [("x", FLOAT, ["n", 2, "h", "w"])], ["y"], stored)
    taken = load(proto)
    assert op_names(taken) == ["resize"]
    for h, w in ((2, 3), (5, 4)):
        agree(proto, {"x": floats(2, 2, h, w)}, taken)


def test_expanding_to_a_size_of_another_input() -> None:
    """Either may be 1 where the model runs; a size below the tensor's own is an error."""
    nodes = [node("Shape", "z", "s"), node("Expand", "x s", "y")]
    proto = model(nodes, [("x", FLOAT, ["n", 3]), ("z", FLOAT, ["m", 3])], ["y"])
    taken = load(proto)
    for n, m in ((1, 5), (4, 4), (1, 1)):
        agree(proto, {"x": floats(n, 3), "z": floats(m, 3)}, taken)


@pytest.mark.parametrize(
    ("have", "want"),
    [
        ((4, 3), (3,)),
        ((4, 1), (5,)),
        ((1, 3), (3,)),
        ((1, 1, 3), (4, 1)),
        ((3,), (4, 1)),
        ((3, 1), (2, 1, 5)),
        ((), (2,)),
    ],
)
def test_expanding_to_another_rank(have: tuple[int, ...], want: tuple[int, ...]) -> None:
    agree(model([node("Expand", "x t", "y")], [("x", FLOAT, have)], ["y"], {"t": i64(*want)}), {"x": floats(*have)})


@pytest.mark.parametrize(("have", "want"), [((3,), (5,)), ((2, 3), (4, 3)), ((3,), (2,))])
def test_shapes_that_do_not_broadcast_are_refused(have: tuple[int, ...], want: tuple[int, ...]) -> None:
    with pytest.raises(ConversionError, match="expand"):
        load(model([node("Expand", "x t", "y")], [("x", FLOAT, have)], ["y"], {"t": i64(*want)}))


@pytest.mark.parametrize("axis", [0, 1, -1])
def test_concatenating_one_tensor(axis: int) -> None:
    agree(model([node("Concat", "x", "y", axis=axis)], [("x", FLOAT, [2, 3])], ["y"]), {"x": floats(2, 3)})


def test_parts_that_are_not_equal() -> None:
    """Only from version 18 on may the last one be smaller, where all sizes are known."""
    for opset, size, extra, fits in (
        (11, 7, {}, False), (13, 7, {}, False), (13, 6, {}, True), (18, 7, {"num_outputs": 3}, True),
        (18, "n", {"num_outputs": 3}, False), (13, "n", {}, False),
    ):  # fmt: skip
        made = node("Split", "x", "a b c", axis=1, **extra)
        proto = model([made], [("x", FLOAT, [2, size])], ["a", "b", "c"], opset=opset)
        if fits:
            assert isinstance(size, int)
            agree(proto, {"x": floats(2, size)})
        else:
            with pytest.raises(ConversionError, match=f"size {size} does not divide into 3 equal parts"):
                load(proto)


PADDING: list[tuple[Any, Any]] = [
    (np.int64, -(2**52) - 1), (np.int32, -7), (np.bool_, True), (np.uint8, 255), (np.float64, 1 / 3), (np.float16, 0.1),
    (np.float32, np.inf), (onnx.helper.tensor_dtype_to_np_dtype(onnx.TensorProto.BFLOAT16), 0.1),
]  # fmt: skip


@pytest.mark.parametrize(("kind", "value"), PADDING, ids=[np.dtype(k).name for k, _ in PADDING])
@pytest.mark.parametrize("shape", [(), (1,)])
def test_padding_values_of_every_type(kind: Any, value: Any, shape: tuple[int, ...]) -> None:
    x, scalar = np.ones((2, 3), kind), np.array(value).astype(kind).reshape(shape)
    code = onnx.helper.np_dtype_to_tensor_dtype(x.dtype)
    result = f"y@{onnx.TensorProto.DataType.Name(code)}"
    proto = model(
        [node("Pad", "x p v", "y")], [("x", code, [2, 3])], [result], {"p": i64(0, 1, 2, 0), "v": scalar}, opset=21
    )
    (found,) = Evaluator("exact").run(load(proto), {"x": x}).values()
    want = np.full((4, 4), scalar.reshape(()), kind)
    want[:2, 1:] = 1
    assert found.dtype == want.dtype and np.array_equal(found, want)


@pytest.mark.parametrize("upper", [0, 1])
@pytest.mark.parametrize("k", [-1, 0, 2])
@pytest.mark.parametrize("kind", [np.bool_, np.float32, np.int64])
def test_triangles(upper: int, k: int, kind: Any) -> None:
    """One op where the diagonal is known; else positions choose."""
    x = np.arange(1, 13).reshape(3, 4).astype(kind)
    code = onnx.helper.np_dtype_to_tensor_dtype(x.dtype)
    declared: list[Any] = [("x", code, [3, 4])]
    result = f"y@{onnx.TensorProto.DataType.Name(code)}"
    made = node("Trilu", "x k", "y", upper=upper)
    at = np.array(k)
    taken = agree(model([made], declared, [result], {"k": at}), {"x": x})
    assert op_names(taken) == ["triu" if upper else "tril"]
    agree(model([made], [*declared, ("k", INT64, [])], [result]), {"x": x, "k": at})


@pytest.mark.parametrize("shape", [(5, 5), (2, 5), (7, 8), (4, 9), (3, 2), (8, 1)])
def test_odd_elements_of_crops_and_pads(shape: tuple[int, ...]) -> None:
    proto = model([node("CenterCropPad", "x s", "y")], [("x", FLOAT, [5, 5])], ["y"], {"s": i64(*shape)}, opset=18)
    x = floats(5, 5)
    (want,) = ReferenceEvaluator(proto).run(None, {"x": x})
    (found,) = Evaluator("exact").run(load(proto), {"x": x}).values()
    np.testing.assert_array_equal(found, want)
