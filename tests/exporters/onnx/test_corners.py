"""What the samples of the ops do not reach: sizes that vary under windows, rounding in front of a comparison, types of bodies."""

from __future__ import annotations

import itertools

import numpy as np
import onnx
import pytest

from converter.errors import ConversionError
from ir.core import Builder, Graph, Leaf, Model, Parameter, Signature, Value
from ir.eval import Evaluator
from ir.ops.control_samples import Build, body
from ir.types import TensorType, dtypes, symbol, tensor_type
from tests.exporters.onnx.generated import OnnxRunner, exported


def finished(model: Model, result: Value) -> Model:
    model.graph.set_outputs([result])
    names = [v.name for v in model.graph.inputs]
    model.signature = Signature(tuple(Parameter(n, Leaf(n)) for n in names), Leaf("output"))
    return model


def agrees(model: Model, inputs: dict[str, np.ndarray], opset: int = 20) -> None:
    found, want = OnnxRunner(exported(model, opset))(inputs), Evaluator("exact").run(model, inputs)
    np.testing.assert_allclose(found["output"], want["output"], rtol=2e-6, atol=1e-6)


PADS = (((0, 0), (0, 0)), ((1, 0), (0, 1)), ((1, 1), (1, 1)), "same_upper", "same_lower")


@pytest.mark.parametrize(("pads", "ceil", "counted"), itertools.product(PADS, (False, True), (False, True)))
@pytest.mark.parametrize("dilations", [(1, 1), (2, 1)])
def test_averages_of_images_of_open_size(pads: object, ceil: bool, counted: bool, dilations: tuple[int, int]) -> None:
    model = Model("average")
    x = model.graph.add_input(tensor_type("float32", symbol("n"), 2, symbol("h"), symbol("w")), "x")
    settings = {"window": (3, 2), "strides": (2, 3), "padding": pads, "dilations": dilations}
    y = Builder(model.graph).avg_pool(x, **settings, ceil_mode=ceil, include_pad=counted)
    finished(model, y)
    try:
        exported(model, 20)
    except ConversionError as error:
        assert "pad" in str(error.unsupported) or "ceil" in str(error.unsupported), error.unsupported
        return
    for n, h, w in ((1, 7, 8), (2, 6, 5), (1, 9, 7)):
        agrees(model, {"x": np.random.default_rng(0).standard_normal((n, 2, h, w)).astype(np.float32)})


@pytest.mark.parametrize("op", ["equal", "less", "greater_equal"])
@pytest.mark.parametrize("side", ["x", "y"])
@pytest.mark.parametrize("wide", [dtypes.float32, dtypes.float64])
def test_what_is_rounded_is_compared_rounded(op: str, side: str, wide: dtypes.DType) -> None:
    """ONNX Runtime leaves out a cast to half floats in front of its own cast back, and 0.1 is none of them."""
    model = Model("rounded")
    exact = model.graph.add_input(tensor_type(wide.name, 3), "a")
    half = model.graph.add_input(tensor_type("float16", 3), "b")
    b = Builder(model.graph)
    pair = [b.cast(exact, to=dtypes.float16), half]
    finished(model, getattr(b, op)(*(pair if side == "x" else pair[::-1])))
    values = np.array([0.1, 1 / 3, 0.7], wide.numpy)
    agrees(model, {"a": values, "b": values.astype(np.float16)})


@pytest.mark.parametrize("shape", [(2, 0, 3, 3), (2, 0, 3)])
@pytest.mark.parametrize("size", [2, 3])
def test_no_channels_are_normalised(shape: tuple[int, ...], size: int) -> None:
    model = Model("lrn")
    x = model.graph.add_input(tensor_type("float32", *shape), "x")
    finished(model, Builder(model.graph).lrn(x, size=size, alpha=1e-4, beta=0.75, k=1.0))
    assert "LRN" not in [n.op_type for n in onnx.load_from_string(exported(model, 20)).graph.node]
    agrees(model, {"x": np.zeros(shape, np.float32)})


@pytest.mark.parametrize(("opset", "fine"), [(15, False), (16, True)])
def test_types_that_scans_read(opset: int, fine: bool) -> None:
    """Of what a body takes, types count as of what it gives."""
    model = Model("scan")
    x = model.graph.add_input(tensor_type("bfloat16", 3), "x")
    graph = Graph("body")
    graph.add_input(tensor_type("bfloat16"), "row")
    graph.set_outputs([Builder(graph).constant(value=np.ones((), np.float32))])
    finished(model, Builder(model.graph).scan(carried=(), scanned=(x,), axes=(0,), output_axes=(0,), body=graph)[0])
    if not fine:
        with pytest.raises(ConversionError, match="opset 16"):
            exported(model, opset)
        return
    exported(model, opset)


ROWS = symbol("rows")


def looped(kind: TensorType, below: Build, step: Build, given: TensorType | None = None, **attrs: object) -> Model:
    """A loop over one carried value of that type, at the start `given`; the last result is the model's."""
    model = Model("loop")
    x = model.graph.add_input(given or kind, "x")
    bodies = {"cond": body("cond", (kind,), below)(), "body": body("body", (kind,), step)()}
    out = Builder(model.graph).while_((x,), (), **attrs, **bodies)
    return finished(model, out[-1] if isinstance(out, tuple) else out)


def append(b: Builder, x: Value) -> Value:
    return b.concat(x, b.slice(x, axes=(0,), starts=(-1,), stops=(None,), steps=(1,)), axis=0)


def test_a_condition_asks_for_sizes_anew() -> None:
    """The size that the loop begins with is known outside, and each trip makes another."""
    kind, given = (tensor_type("float32", size, 2) for size in (ROWS, symbol("n")))
    model = looped(kind, lambda b, x: b.less(b.dim(size=ROWS), 5), append, given, symbols=("grown",))
    for rows in (1, 3, 5, 6):
        agrees(model, {"x": np.arange(2 * rows, dtype=np.float32).reshape(rows, 2)})


@pytest.mark.parametrize("trips", [1, 3])
@pytest.mark.parametrize("counts", [True, False])
def test_loops_that_may_not_run(trips: int, counts: bool) -> None:
    """What no trip stacks has the sizes of a trip; a loop that certainly runs asks for none."""
    kind = tensor_type("float32", ROWS)

    def below(b: Builder, x: Value) -> Value:
        return b.constant(value=np.array(True)) if counts else b.less(b.reduce_sum(x, axes=(0,)), 4.0)

    symbols = {} if counts else {"symbols": ("ran",)}
    model = looped(kind, below, lambda b, x: (b.add(x, 1.0), x), trips=trips, **symbols)
    kinds = [n.op_type for n in onnx.load_from_string(exported(model, 20)).graph.node]
    assert ("Reshape" in kinds) == (not counts)
    for start in (0.0, 1.0, 9.0):
        agrees(model, {"x": np.full(3, start, np.float32)})


@pytest.mark.parametrize("carries", [True, False])
def test_scans_over_what_is_found(carries: bool) -> None:
    """ONNX Runtime refuses a Scan of no trips: where the model finds how many there are, it is asked for first."""
    model = Model("scan")
    x = model.graph.add_input(tensor_type("float32", 4), "x")
    b = Builder(model.graph)
    places = b.cast(b.nonzero(b.greater(x, 0.0), symbol="found"), to=dtypes.float32)  # [found, 1] or [1, found]
    axis = next(i for i, d in enumerate(places.type.shape) if not isinstance(d, int))
    row = tensor_type("float32", 1)
    states = (row,) if carries else ()

    def step(b: Builder, *given: Value) -> tuple[Value, ...]:
        total = b.add(given[0], given[-1])
        return (total, b.mul(total, 2.0)) if carries else (total,)

    start = (b.constant(value=np.ones(1, np.float32)),) if carries else ()
    out = b.scan(start, (places,), axes=(axis,), output_axes=(0,), body=body("body", (*states, row), step)())
    finished(model, out[-1])
    kinds = [n.op_type for n in onnx.load_from_string(exported(model, 20)).graph.node]
    assert "If" in kinds and "Scan" not in kinds
    for values in ([1, -1, 2, 3], [-1, -1, -1, -1], [-1, -1, 2, -1]):
        agrees(model, {"x": np.array(values, np.float32)})
        if carries:
            finished(model, out[0])
            agrees(model, {"x": np.array(values, np.float32)})
            finished(model, out[-1])
