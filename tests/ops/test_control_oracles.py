"""Loops and scans against ONNX Runtime, and what bodies may and may not be."""

from __future__ import annotations

from typing import Any

import numpy as np
import onnx
import onnxruntime
import pytest
from onnx import TensorProto, helper

from ir.core import Builder, Graph, Leaf, Model, Signature
from ir.core.signature import Branch
from ir.eval import EvaluationError, Evaluator
from ir.ops import get
from ir.ops.control_samples import always, body
from ir.types import TensorType, dtypes, symbol, tensor_type, type_of
from ir.verify import verify


def run(op: str, operands: tuple[Any, ...], bodies: dict[str, Graph], **attrs: Any) -> list[np.ndarray]:
    """One control-flow node on arrays (or tuples of them): built, verified, run exactly."""
    model, feeds = Model(), {}

    def add(value: Any) -> Any:
        if value is None or isinstance(value, tuple):
            return value if value is None else tuple(add(v) for v in value)
        feeds[f"x{len(feeds)}"] = value
        return model.graph.add_input(type_of(value), f"x{len(feeds) - 1}")

    outputs = Builder(model.graph).node(get(op), *(add(v) for v in operands), **bodies, **attrs).outputs
    model.graph.set_outputs(outputs)
    model.signature = Signature((), Branch("list", tuple(Leaf(str(k)) for k in range(len(outputs)))))
    assert not [v for v in verify(model) if v.code != "IR011"]  # the signature takes no inputs here
    return list(Evaluator(mode="exact").run(model, feeds).values())


def session(nodes: list[Any], inputs: list[Any], outputs: list[str], feeds: dict[str, np.ndarray]) -> list[np.ndarray]:
    kinds = [
        helper.make_tensor_value_info(n, helper.np_dtype_to_tensor_dtype(a.dtype), a.shape) for n, a in feeds.items()
    ]
    results = [helper.make_tensor_value_info(o, TensorProto.FLOAT, None) for o in outputs]
    graph = helper.make_graph(nodes, "g", kinds, results)
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 21)], ir_version=10)
    options = onnxruntime.SessionOptions()
    options.log_severity_level = 4
    made = onnxruntime.InferenceSession(model.SerializeToString(), options, providers=["CPUExecutionProvider"])
    return made.run(None, feeds)


INDEX, FLAG = tensor_type("int64"), tensor_type("bool")
STATE = tensor_type("float32", 2)


def onnx_loop(limit: int) -> onnx.GraphProto:
    """(i, c, x) -> (i < limit, x + x, x): the body of a Loop with one carried value and one scan output."""
    constant = helper.make_node(
        "Constant", [], ["limit"], value=helper.make_tensor("v", TensorProto.INT64, [], [limit])
    )
    nodes = [
        constant,
        helper.make_node("Less", ["i", "limit"], ["c2"]),
        helper.make_node("Add", ["x", "x"], ["x2"]),
        helper.make_node("Identity", ["x"], ["row"]),
    ]
    info = helper.make_tensor_value_info
    ins = [info("i", TensorProto.INT64, []), info("c", TensorProto.BOOL, []), info("x", TensorProto.FLOAT, [2])]
    outs = [info("c2", TensorProto.BOOL, []), info("x2", TensorProto.FLOAT, [2]), info("row", TensorProto.FLOAT, [2])]
    return helper.make_graph(nodes, "body", ins, outs)


@pytest.mark.parametrize("limit", [0, 2, 9])
@pytest.mark.parametrize("start", [True, False])
@pytest.mark.parametrize("trips", [0, 1, 4, -2])
def test_while_is_the_loop_of_onnx(trips: int, start: bool, limit: int) -> None:
    x = np.array([1.0, 3.0], np.float32)
    feeds = {"M": np.array(trips), "c0": np.array(start), "x0": x}
    node = helper.make_node("Loop", ["M", "c0", "x0"], ["last", "rows"], body=onnx_loop(limit))
    want = session([node], [], ["last", "rows"], feeds)
    bodies = {
        "cond": body("cond", (INDEX, FLAG, STATE), lambda b, i, c, x: c)(),
        "body": body(
            "body", (INDEX, FLAG, STATE), lambda b, i, c, x: (b.add(i, 1), b.less(i, limit), b.add(x, x), x)
        )(),
    }
    operands = ((np.array(0), np.array(start), x), (), np.array(trips))
    _, _, last, rows = run("while", operands, bodies, symbols=("ran",))
    np.testing.assert_array_equal(last, want[0])
    np.testing.assert_array_equal(rows, want[1])
    assert rows.shape == want[1].shape


def onnx_scan_body() -> onnx.GraphProto:
    """(c, a, b) -> (c + a, c * b): one carried value, two scanned, one scan output."""
    nodes = [helper.make_node("Add", ["c", "a"], ["c2"]), helper.make_node("Mul", ["c2", "b"], ["y"])]
    info = helper.make_tensor_value_info
    ins = [info(n, TensorProto.FLOAT, [3]) for n in "cab"]
    return helper.make_graph(
        nodes, "body", ins, [info("c2", TensorProto.FLOAT, [3]), info("y", TensorProto.FLOAT, [3])]
    )


@pytest.mark.parametrize("length", [1, 4])
@pytest.mark.parametrize("out_axis", [0, 1, -1])
@pytest.mark.parametrize(("back", "flipped"), [((0, 0), 0), ((1, 0), 1), ((0, 1), 0), ((1, 1), 1)])
def test_scan_is_the_scan_of_onnx(back: tuple[int, int], flipped: int, out_axis: int, length: int) -> None:
    rng = np.random.default_rng(length)
    c, a, b_ = (rng.standard_normal(s).astype(np.float32) for s in ((3,), (length, 3), (3, length)))
    node = helper.make_node(
        "Scan", ["c", "a", "b"], ["last", "ys"], body=onnx_scan_body(), num_scan_inputs=2, scan_input_axes=[0, 1],
        scan_input_directions=back, scan_output_axes=[out_axis], scan_output_directions=[flipped],
    )  # fmt: skip
    want = session([node], [], ["last", "ys"], {"c": c, "a": a, "b": b_})
    row = tensor_type("float32", 3)

    def step(b: Builder, c: Any, x: Any, y: Any) -> Any:
        after = b.add(c, x)
        return after, b.mul(after, y)

    got = run(
        "scan", ((c,), (a, b_), ()), {"body": body("body", (row, row, row), step)()}, axes=(0, 1),
        reverse=tuple(map(bool, back)), output_axes=(out_axis,), output_reverse=(bool(flipped),),
    )  # fmt: skip
    for g, w in zip(got, want, strict=True):
        np.testing.assert_array_equal(g, w)


def test_zero_trips_keep_shapes_and_dtypes() -> None:
    """Scan outputs of no trip: length 0, the body's other sizes, the body's dtypes."""
    t = tensor_type("float16", 2, 3)
    made = body("body", (t,), lambda b, x: (x, b.cast(x, to="int8"), b.transpose(x, perm=(1, 0)), b.reduce_sum(x)))
    x = np.ones((2, 3), np.float16)
    out = run("while", ((x,), ()), {"cond": always(t)(), "body": made()}, trips=0)
    assert [(o.shape, o.dtype.name) for o in out[1:]] == [
        ((0, 2, 3), "int8"),
        ((0, 3, 2), "float16"),
        ((0,), "float16"),
    ]
    np.testing.assert_array_equal(out[0], x)


def test_trip_count_of_a_size_gives_that_length() -> None:
    """With a constant condition and `trips`, scan outputs have exactly that length, symbolic or not."""
    n = symbol("n")
    t = TensorType(dtypes.float32, (n,))
    made = body("body", (t,), lambda b, x: (x, x))
    results = get("while").infer((t,), (), None, n, (), cond=always(t)(), body=made())
    assert [str(r) for r in results] == ["float32[n]", "float32[n, n]"]


def test_weights_are_readable_inside_nested_bodies() -> None:
    from ir.data.weights import Array, Weight

    model = Model(signature=Signature((), Leaf("output")))
    weight = model.add_weight(Weight("w", Array(np.array([2.0, 3.0], np.float32))))
    x = model.graph.add_input(STATE, "x")
    flag = model.graph.add_input(FLAG, "flag")
    branches = {
        "then": body("then", (STATE,), lambda b, t: b.mul(t, weight))(),
        "else_": body("else", (STATE,), lambda b, t: t)(),
    }

    def trip(b: Builder, t: Any, f: Any) -> Any:
        return b.cond(f, (t,), **branches)

    inner = {"cond": always(STATE, FLAG)(), "body": body("body", (STATE, FLAG), trip)()}
    (out,) = Builder(model.graph).node(get("while"), (x,), (flag,), trips=3, **inner).outputs
    model.graph.set_outputs([out])
    for on, want in ((True, [8.0, 27.0]), (False, [1.0, 1.0])):
        feeds = {"x": np.ones(2, np.float32), "flag": np.array(on)}
        np.testing.assert_array_equal(Evaluator().run(model, feeds)["output"], want)


def test_a_size_that_changes_between_trips_cannot_be_stacked() -> None:
    grown = tensor_type("float32", symbol("k"))
    made = body("body", (grown,), lambda b, x: (b.concat(x, x, axis=0), x))
    bodies = {"cond": always(grown)(), "body": made()}
    with pytest.raises(EvaluationError, match="changes its shape between trips"):
        run("while", ((np.ones(1, np.float32),), ()), bodies, trips=2, symbols=("m", "r"))


def test_refusals_say_what_to_do() -> None:
    x = tensor_type("float32", 2)
    grows = body("body", (x,), lambda b, t: b.concat(t, t, axis=0))
    with pytest.raises(ValueError, match=r"carried value 0 keeps its size along axis 0 .* sizes 2 and 4 differ"):
        get("while").infer((x,), (), None, 2, (), cond=always(x)(), body=grows())
    own = tensor_type("float32", symbol("k"))
    grows = body("body", (own,), lambda b, t: b.concat(t, t, axis=0))
    with pytest.raises(ValueError, match=r"must name, once each, these sizes: while: carried value 0, axis 0"):
        get("while").infer((x,), (), None, 2, (), cond=always(own)(), body=grows())
    same, longer = body("body", (x,), lambda b, t: t), tensor_type("float32", 3)
    with pytest.raises(ValueError, match=r"while: body: input 0 \(x0\) is float32\[2\], given float32\[3\]"):
        get("while").infer((longer,), (), None, 2, (), cond=always(longer)(), body=same())
