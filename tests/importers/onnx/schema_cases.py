"""Changes of axes, bounds and values that became inputs, of types and control flow."""

from __future__ import annotations

import ml_dtypes
import numpy as np
import onnx
from onnx import TensorProto

from tests.importers.onnx.models import FLOAT, INT64, floats, node
from tests.importers.onnx.schema_sides import F8, TIES, Case, X, change, side


# -- axes and defaults --------------------------------------------------------------------------------------------
@change(("Softmax", 13), ("LogSoftmax", 13), ("Hardmax", 13))
def last_axis(op: str) -> Case:
    """The default axis was 1, and all axes from it on were one."""
    return Case((side(12, node(op, "x", "y"), x=X), side(13, node(op, "x", "y"), x=X)))


@change(("ArgMax", 12), ("ArgMin", 12))
def last_index(op: str) -> Case:
    old, new = node(op, "x", "y", axis=1), node(op, "x", "y", axis=1, select_last_index=1)
    return Case((side(11, old, outputs="y@INT64", x=TIES), side(12, new, outputs="y@INT64", x=TIES)))


@change(*((op, 18) for op in ("ReduceL1", "ReduceL2", "ReduceLogSum", "ReduceLogSumExp", "ReduceMax", "ReduceMean",
        "ReduceMin", "ReduceProd", "ReduceSumSquare")), ("ReduceSum", 13))  # fmt: skip
def reduced_axes(op: str) -> Case:
    """Axes became an input, whose absence may mean that nothing is reduced."""
    old, new = (11, 13) if op == "ReduceSum" else (13, 18)
    x, stored = np.abs(X) + 0.5, {"a": np.array([0, 2])}
    sides = (
        side(old, node(op, "x", "y"), x=x),
        side(new, node(op, "x", "y", noop_with_empty_axes=1), x=x),
        side(old, node(op, "x", "y", axes=[0, 2]), x=x),
        side(new, node(op, "x a", "y", keepdims=0), stored, x=x),
    )
    return Case(sides)


@change(("Squeeze", 13), ("Unsqueeze", 13))
def axes_as_input(op: str) -> Case:
    x, stored = floats(1, 3, 1, 2), {"a": np.array([0, 2])}
    return Case(
        (side(12, node(op, "x", "y", axes=[0, 2]), x=x), side(13, node(op, "x a", "y"), stored, x=x)), moved=True
    )


@change(("Split", 13))
def parts_as_input() -> Case:
    old = node("Split", "x", "y z", axis=2, split=[1, 3])
    new = node("Split", "x s", "y z", axis=2)
    return Case(
        (side(12, old, outputs="y z", x=X), side(13, new, {"s": np.array([1, 3])}, outputs="y z", x=X)), moved=True
    )


@change(("Split", 18))
def parts_by_number() -> Case:
    """Equal parts without a number before; now a number, and the last part may be shorter."""
    old = node("Split", "x", "y z", axis=2)
    new = node("Split", "x", "y z w", axis=2, num_outputs=3)
    return Case((side(13, old, outputs="y z", x=X), side(18, new, outputs="y z w", x=X)))


@change(("Slice", 10))
def bounds_as_inputs() -> Case:
    """Bounds became inputs, with steps."""
    stored = {"s": np.array([3]), "e": np.array([0]), "a": np.array([2]), "t": np.array([-1])}
    old = node("Slice", "x", "y", starts=[0], ends=[3], axes=[2])
    return Case((side(9, old, x=X), side(10, node("Slice", "x s e a t", "y"), stored, x=X)))


@change(("Reshape", 14))
def zero_sizes() -> Case:
    """0 copies a size, unless `allowzero`."""
    x = np.zeros((0, 3), np.float32)
    old = side(13, node("Reshape", "x s", "y"), {"s": np.array([0, 3])}, x=x)
    stored = {"s": np.array([3, 0])}
    return Case((old, side(14, node("Reshape", "x s", "y", allowzero=1), stored, x=x)))


@change(("Shape", 15))
def part_of_a_shape() -> Case:
    new = node("Shape", "x", "y", start=1, end=-1)
    return Case((side(13, node("Shape", "x", "y"), outputs="y@INT64", x=X), side(15, new, outputs="y@INT64", x=X)))


@change(("TopK", 10))
def number_as_input() -> Case:
    old, new = node("TopK", "x", "y i", k=2), node("TopK", "x k", "y i")
    outputs = "y i@INT64"
    return Case(
        (side(9, old, outputs=outputs, x=X), side(10, new, {"k": np.array([2])}, outputs=outputs, x=X)), moved=True
    )


@change(("TopK", 11))
def smallest() -> Case:
    k, outputs = {"k": np.array([2])}, "y i@INT64"
    old, new = node("TopK", "x k", "y i"), node("TopK", "x k", "y i", largest=0)
    return Case((side(10, old, k, outputs=outputs, x=X), side(11, new, k, outputs=outputs, x=X)))


@change(("GatherND", 12))
def batches() -> Case:
    x, i = X[:, :2], {"i": np.array([[1], [0]])}
    return Case(
        (side(11, node("GatherND", "x i", "y"), i, x=x), side(12, node("GatherND", "x i", "y", batch_dims=1), i, x=x))
    )


@change(("ScatterElements", 16), ("ScatterND", 16))
def added(op: str) -> Case:
    nd = op == "ScatterND"
    x, stored = floats(3, 2), {"i": np.array([[1], [0]] if nd else [[1, 0]]), "u": floats(2, 2) if nd else floats(1, 2)}
    return Case(
        (side(13, node(op, "x i u", "y"), stored, x=x), side(16, node(op, "x i u", "y", reduction="add"), stored, x=x))
    )


@change(("ScatterElements", 18), ("ScatterND", 18))
def extremes(op: str) -> Case:
    nd = op == "ScatterND"
    x, stored = floats(3, 2), {"i": np.array([[1], [0]] if nd else [[1, 0]]), "u": floats(2, 2) if nd else floats(1, 2)}
    made = node(op, "x i u", "y", reduction="max")
    older = side(16, made, stored, refused="max", x=x)
    added_ = side(16, node(op, "x i u", "y", reduction="mul"), stored, x=x)
    return Case((older, added_, side(18, made, stored, x=x)))


@change(("Scatter", 11))
def scatter_left() -> Case:
    stored, x = {"i": np.array([[1, 0]]), "u": floats(1, 2)}, floats(3, 2)
    made = node("Scatter", "x i u", "y")
    return Case((side(10, made, stored, x=x), side(11, node("ScatterElements", "x i u", "y"), stored, x=x)), moved=True)


# -- values that became inputs --------------------------------------------------------------------------------------
@change(("Clip", 11))
def finite_bounds() -> Case:
    """Bounds were the largest float32 by default whatever the type; now they are the largest numbers of the type."""
    x, largest = np.array([np.inf, -np.inf, 1]), float(np.finfo(np.float32).max)
    older = side(10, node("Clip", "x", "y"), outputs="y@DOUBLE", want=np.array([largest, -largest, 1]), x=x)
    return Case((older, side(12, node("Clip", "x", "y"), outputs="y@DOUBLE", x=x)))


@change(("Pad", 11))
def pads_as_inputs() -> Case:
    stored = {"p": np.array([0, 0, 1, 0, 0, 2]), "v": np.float32(7)}
    old = node("Pad", "x", "y", pads=[0, 0, 1, 0, 0, 2], value=7.0)
    return Case((side(10, old, x=X), side(11, node("Pad", "x p v", "y"), stored, x=X)), moved=True)


@change(("Pad", 18))
def padded_axes() -> Case:
    stored = {"p": np.array([0, 0, 1, 0, 0, 2])}
    some = {"p": np.array([1, 2]), "a": np.array([1])}
    return Case((side(13, node("Pad", "x p", "y"), stored, x=X), side(18, node("Pad", "x p _ a", "y"), some, x=X)))


@change(("Pad", 19))
def wrapped() -> Case:
    stored = {"p": np.array([0, 0, 1, 0, 0, 2])}
    made = node("Pad", "x p", "y", mode="wrap")
    edge = node("Pad", "x p", "y", mode="edge")
    return Case((side(18, made, stored, refused="wrap", x=X), side(18, edge, stored, x=X), side(19, made, stored, x=X)))


@change(("Dropout", 12))
def ratio_as_input() -> Case:
    stored = {"r": np.float32(0.9)}
    old, new = node("Dropout", "x", "y", ratio=0.9), node("Dropout", "x r", "y")
    return Case((side(10, old, x=X), side(12, new, stored, x=X)), moved=True)


@change(("Gemm", 11))
def without_a_sum() -> Case:
    a, b, stored = floats(2, 3), floats(3, 2, seed=1), {"c": floats(2)}
    with_c = side(9, node("Gemm", "a b c", "y"), stored, a=a, b=b)
    return Case((with_c, side(11, node("Gemm", "a b", "y"), a=a, b=b)))


@change(("DFT", 20))
def transformed_axis() -> Case:
    """The axis was an attribute of default 1; now it is an input of default -2."""
    x, made = floats(1, 3, 4, 1), node("DFT", "x", "y")
    return Case(
        (
            side(17, made, x=x),
            side(20, made, x=x),
            side(20, node("DFT", "x _ a", "y"), {"a": np.array(3)}, x=x[..., None].repeat(2, 3)),
        )
    )


@change(("Constant", 11))
def sparse_constants() -> Case:
    values = onnx.numpy_helper.from_array(np.array([5.0], np.float32), "v")
    where = onnx.numpy_helper.from_array(np.array([2]), "i")
    sparse = onnx.helper.make_sparse_tensor(values, where, [4])
    dense = onnx.numpy_helper.from_array(np.arange(4, dtype=np.float32))
    new = side(11, node("Constant", "", "y", sparse_value=sparse), want=np.array([0, 0, 5, 0], np.float32))
    return Case((side(9, node("Constant", "", "y", value=dense)), new))


@change(("Constant", 12))
def short_constants() -> Case:
    dense = onnx.numpy_helper.from_array(np.arange(4, dtype=np.float32))
    return Case(
        (side(11, node("Constant", "", "y", value=dense)), side(12, node("Constant", "", "y", value_floats=[1.5, 2.5])))
    )


# -- types and rounding -----------------------------------------------------------------------------------------------
@change(("Cast", 19), ("CastLike", 19), ("QuantizeLinear", 19))
def saturated(op: str) -> Case:
    """Beyond the largest 8-bit float: that one by default, NaN where not saturated; none existed before."""
    x = np.array([1.0, 1000.0, -1000.0], np.float32)
    like = {"l": np.zeros(1, ml_dtypes.float8_e4m3fn)}
    back = node("Cast", "z", "y", to=FLOAT)
    if op == "Cast":
        made = [node(op, "x", "z", to=F8, saturate=k) for k in (1, 0)]
        old = side(13, node(op, "x", "y", to=INT64), outputs="y@INT64", x=x)
        like = {}
    elif op == "CastLike":
        made = [node(op, "x l", "z", saturate=k) for k in (1, 0)]
        old = side(15, node(op, "x l", "y"), {"l": np.zeros(1, np.int64)}, outputs="y@INT64", x=x)
    else:
        like = {"s": np.float32(1), "l": np.zeros((), ml_dtypes.float8_e4m3fn)}
        made = [node(op, "x s l", "z", saturate=k) for k in (1, 0)]
        old = side(13, node(op, "x s l", "y"), {"s": np.float32(1), "l": np.uint8(0)}, outputs="y@UINT8", x=x)
    wants = (np.array([1, 448, -448], np.float32), np.array([1, np.nan, np.nan], np.float32))
    return Case((old, *(side(19, [m, back], like, want=w, x=x) for m, w in zip(made, wants, strict=True))))


@change(("Cast", 24), ("CastLike", 24))
def rounded_scales(op: str) -> Case:
    """How values become powers of two: a type that is refused by name, whichever way it rounds."""
    x = np.array([1.0, 3.0], np.float32)
    kept = [node("Cast", "x", "y", to=INT64)] if op == "Cast" else [node(op, "x l", "y")]
    made = node("Cast", "x", "z", to=TensorProto.FLOAT8E8M0, round_mode="down")
    if op == "CastLike":
        made = node(op, "x l", "z", round_mode="down")
    stored = {"l": np.zeros(1, np.int64)} if op == "CastLike" else {}
    scale = {"l": np.zeros(1, ml_dtypes.float8_e8m0fnu)} if op == "CastLike" else {}
    refused = side(24, [made, node("Cast", "z", "y", to=FLOAT)], scale, refused="FLOAT8E8M0", x=x)
    return Case((side(23, kept, stored, outputs="y@INT64", x=x), refused))


@change(("QuantizeLinear", 13), ("DequantizeLinear", 13))
def scales_of_channels(op: str) -> Case:
    down = op == "QuantizeLinear"
    x = np.array([[0.4, 2.6], [3.4, 9.1]], np.float32) if down else np.array([[4, 26], [34, 91]], np.uint8)
    one = {"s": np.float32(0.5), "z": np.uint8(3)}
    each = {"s": np.array([0.5, 2], np.float32), "z": np.array([3, 9], np.uint8)}
    out = "y@UINT8" if down else "y"
    old, new = node(op, "x s z", "y"), node(op, "x s z", "y", axis=0)
    return Case(
        (
            side(10, old, one, outputs=out, x=x),
            side(13, new, each, outputs=out, x=x),
            side(13, old, each, outputs=out, x=x),
        )
    )


@change(("QuantizeLinear", 21), ("DequantizeLinear", 21))
def scales_of_blocks(op: str) -> Case:
    down = op == "QuantizeLinear"
    x = np.array([[0.4, 2.6, 7.1, 9.9]], np.float32) if down else np.array([[4, 26, 71, 99]], np.uint8)
    one = {"s": np.float32(0.5), "z": np.uint8(3)}
    each = {"s": np.array([[0.5, 2]], np.float32), "z": np.array([[3, 9]], np.uint8)}
    out = "y@UINT8" if down else "y"
    new = node(op, "x s z", "y", axis=1, block_size=2)
    return Case((side(19, node(op, "x s z", "y"), one, outputs=out, x=x), side(21, new, each, outputs=out, x=x)))


@change(("QuantizeLinear", 23))
def precision_of_the_quotient() -> Case:
    """The quotient is rounded to the type of the scale, where it was one of float32."""
    stored, x = {"s": np.float16(0.9873), "z": np.uint8(3)}, np.linspace(0, 130, 4001).astype(np.float16)
    made = node("QuantizeLinear", "x s z", "y")
    return Case(tuple(side(v, made, stored, outputs="y@UINT8", x=x) for v in (21, 23)))


@change(("DequantizeLinear", 23))
def type_of_the_result() -> Case:
    stored, x = {"s": np.float32(0.37), "z": np.uint8(3)}, np.array([4, 255], np.uint8)
    old = side(21, node("DequantizeLinear", "x s z", "y"), stored, x=x)
    made = node("DequantizeLinear", "x s z", "y", output_dtype=TensorProto.FLOAT16)
    half = ((x.astype(np.float32) - 3) * np.float32(0.37)).astype(np.float16)
    return Case((old, side(23, made, stored, outputs="y@FLOAT16", want=half, x=x)))


@change(("Range", 27))
def counted_in_float() -> Case:
    """Half floats count in float32 and round once; before, that was left open."""
    stored = {"a": np.float16(0), "b": np.float16(3), "d": np.float16(0.1)}
    made = node("Range", "a b d", "y")
    want = (np.arange(31, dtype=np.float32) * np.float32(stored["d"])).astype(np.float16)
    old = side(11, made, {k: v.astype(np.float32) for k, v in stored.items()})
    return Case((old, side(27, made, stored, outputs="y@FLOAT16", want=want)))


@change(("Mod", 28))
def floor_of_floats() -> Case:
    """The remainder of floats had the dividend's sign only; now the divisor's too."""
    a, b = np.array([7, -7, 7.5], np.float32), np.array([2, 2, -2], np.float32)
    older = side(13, node("Mod", "a b", "y", fmod=0), refused="fmod=0", a=a, b=b)
    cut = side(13, node("Mod", "a b", "y", fmod=1), a=a, b=b)
    return Case((older, cut, side(28, node("Mod", "a b", "y"), want=np.array([1, 1, -0.5], np.float32), a=a, b=b)))


# -- control flow and optionals -----------------------------------------------------------------------------------
@change(("Scan", 9))
def without_a_batch() -> Case:
    """Version 8 had a batch axis, one list of directions, and lengths, which are refused."""
    body = onnx.helper.make_graph(
        [node("Add", "c e", "d"), node("Identity", "d", "o")], "body",
        [onnx.helper.make_tensor_value_info(n, FLOAT, [2]) for n in ("c", "e")],
        [onnx.helper.make_tensor_value_info(n, FLOAT, [2]) for n in ("d", "o")],
    )  # fmt: skip
    c, e = floats(2), floats(3, 2, seed=1)
    old = node("Scan", "_ c e", "y z", body=body, num_scan_inputs=1)
    new = node("Scan", "c e", "y z", body=body, num_scan_inputs=1, scan_input_directions=[1])
    plain = node("Scan", "c e", "y z", body=body, num_scan_inputs=1)
    turned = node("Scan", "_ c e", "y z", body=body, num_scan_inputs=1, directions=[1])
    batch, rows = floats(4, 2), floats(4, 3, 2, seed=1)
    lengths = node("Scan", "n c e", "y z", body=body, num_scan_inputs=1)
    first = (
        side(8, old, outputs="y z", c=batch, e=rows), side(8, turned, outputs="y z", c=batch, e=rows),
        side(8, lengths, outputs="y z", refused="sequence_lens", n=np.array([3]), c=c[None], e=e[None]),
    )  # fmt: skip
    return Case((*first, side(9, new, outputs="y z", c=c, e=e), side(9, plain, outputs="y z", c=c, e=e)))


@change(("OptionalHasElement", 18))
def tensor_or_nothing() -> Case:
    """A tensor, or nothing at all, may stand for an optional."""
    wrapped_ = [node("Optional", "x", "o"), node("OptionalHasElement", "o", "y")]
    some = side(17, wrapped_, outputs="y@BOOL", want=np.array(True), x=X)
    none = side(18, node("OptionalHasElement", "", "y"), outputs="y@BOOL", want=np.array(False))
    return Case((some, none))


# -- the same words, another meaning ----------------------------------------------------------------------------------
@change(("Max", 8), ("Min", 8), ("Mean", 8), ("Sum", 8))
def broadcast(op: str) -> Case:
    """Operands had one shape, and broadcast now."""
    a, b = floats(2, 3), floats(3, seed=1)
    made = node(op, "a b", "y")
    return Case((side(7, made, a=a, b=a + b), side(8, made, a=a, b=b)))


@change(("OneHot", 11))
def negative_classes() -> Case:
    """-1 is the last class; version 9 left it to give no class."""
    stored, made = {"d": np.array(3), "v": np.array([0, 1], np.float32)}, node("OneHot", "i d v", "y")
    i = np.array([2, -1])
    return Case((side(9, made, stored, i=np.array([2, 0])), side(11, made, stored, i=i)))


@change(("ReduceMax", 20), ("ReduceMin", 20))
def of_booleans(op: str) -> Case:
    x = np.array([[True, False], [False, False]])
    old = side(18, node(op, "x a", "y"), {"a": np.array([1])}, x=x.astype(np.float32))
    return Case((old, side(20, node(op, "x a", "y"), {"a": np.array([1])}, outputs="y@BOOL", x=x)))


@change(("Cast", 9))
def strings() -> Case:
    """Strings can be cast since version 9: refused by name."""
    made = node("Cast", "x", "y", to=TensorProto.STRING)
    number = node("Cast", "x", "y", to=INT64)
    x = np.array([1.5, -2.5], np.float32)
    return Case((side(7, number, outputs="y@INT64", x=x), side(9, made, outputs="y@STRING", refused="STRING", x=x)))


@change(("Clip", 13))
def crossed_bounds() -> Case:
    """Where the bounds cross, the upper one wins; the older text said nothing."""
    stored, made = {"a": np.float32(2), "b": np.float32(-1)}, node("Clip", "x a b", "y")
    return Case((side(12, made, stored, x=X), side(13, made, stored, x=X)), moved=True)
