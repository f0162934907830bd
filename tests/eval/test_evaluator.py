"""What a run keeps, forgets and tells; bodies, their dtypes and their symbols."""

from __future__ import annotations

import tracemalloc

import numpy as np
import pytest

from ir.core import Builder, Graph, Leaf, Model, Parameter, Signature, Value
from ir.data.weights import Array, Weight
from ir.eval import EvaluationError, Evaluator
from ir.eval.lifetime import last_reads
from ir.types import TensorType, symbol, tensor_type

MEGABYTE = 1 << 20


def model_with(*types: TensorType) -> tuple[Model, Builder]:
    names = [f"x{i}" for i in range(len(types))]
    model = Model(signature=Signature(tuple(Parameter(n, Leaf(n)) for n in names), Leaf("output")))
    for name, t in zip(names, types, strict=True):
        model.graph.add_input(t, name)
    return model, Builder(model.graph)


def chain(length: int, size: int) -> Model:
    model, b = model_with(tensor_type("float64", size))
    value = model.inputs[0]
    for _ in range(length):
        value = b.add(value, value)
    model.graph.set_outputs([value])
    return model


def peak(model: Model, inputs: dict[str, np.ndarray], **settings: object) -> int:
    tracemalloc.start()
    try:
        Evaluator(**settings).run(model, inputs)  # type: ignore[arg-type]
        return tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()


def test_memory_does_not_grow_with_the_length_of_a_chain() -> None:
    size = MEGABYTE // 8
    assert peak(chain(60, size), {"x0": np.zeros(size)}) < 6 * MEGABYTE


def test_weights_are_forgotten_after_their_last_reader() -> None:
    model, b = model_with(tensor_type("float64", MEGABYTE // 8))
    value = model.inputs[0]
    for k in range(40):
        array = np.zeros(MEGABYTE // 8, np.float32)
        weight = model.add_weight(Weight(f"w{k}", Array(array)))
        value = b.add(value, b.cast(weight, to="float64"))
    model.graph.set_outputs([value])
    assert peak(model, {"x0": np.zeros(MEGABYTE // 8)}) < 8 * MEGABYTE


def test_run_all_keeps_every_value() -> None:
    model = chain(5, 2)
    found = Evaluator().run_all(model, {"x0": np.ones(2)})
    values: list[Value] = [model.inputs[0], *(n.output for n in model.graph)]
    assert list(found) == values
    assert [float(found[v][0]) for v in values] == [1, 2, 4, 8, 16, 32]


def test_run_all_tells_the_observer_too() -> None:
    told: list[Value] = []
    found = Evaluator(observe=lambda v, _: told.append(v)).run_all(chain(3, 1), {"x0": np.ones(1)})
    assert told == list(found)


def test_last_reads() -> None:
    model, b = model_with(tensor_type("float32", 2))
    x = model.inputs[0]
    unread, first = b.neg(x), b.neg(x)
    second = b.add(first, x)
    third = b.add(second, second)
    model.graph.set_outputs([third, second])
    plan = {node: set(values) for node, values in last_reads(model.graph).items()}
    assert plan == {unread.producer: {unread}, second.producer: {first, x}}
    assert last_reads(model.graph, {first}) == {unread.producer: (unread,), second.producer: (x,)}


def loop(kind: str, trips: int, weight: bool = False) -> tuple[Model, Graph]:
    """x -> x * 0.5 (or by a weight), `trips` times, with the trace of x."""
    t = tensor_type(kind, 2)
    model, b = model_with(t)
    body, cond = Graph("body"), Graph("cond")
    x = body.add_input(t, "x")
    inner = Builder(body)
    factor = np.array(0.5).astype(t.dtype.numpy)
    scale = model.add_weight(Weight("scale", Array(factor))) if weight else inner.constant(factor)
    body.set_outputs([inner.mul(x, scale), x])
    cond.add_input(t, "x")
    cond.set_outputs([Builder(cond).constant(np.array(True))])
    node = b.node(_while(), (model.inputs[0],), (), trips=trips, cond=cond, body=body)
    model.graph.set_outputs([node.outputs[1]])
    return model, body


def _while() -> object:
    import ir.ops

    return ir.ops.get("while")


@pytest.mark.parametrize("mode", ["exact", "reference"])
@pytest.mark.parametrize("kind", ["float16", "bfloat16", "float32", "float64"])
@pytest.mark.parametrize("weight", [False, True])
def test_bodies_take_every_float(kind: str, mode: str, weight: bool) -> None:
    model, _ = loop(kind, 3, weight)
    x = np.array([8.0, 3.0]).astype(model.inputs[0].type.dtype.numpy)
    out = Evaluator(mode=mode).run(model, {"x0": x})["output"]  # type: ignore[arg-type]
    np.testing.assert_array_equal(out.astype(np.float64), [[8, 3], [4, 1.5], [2, 0.75]])
    assert out.dtype == (model.outputs[0].type.dtype.numpy if mode == "exact" else np.float64)


def test_run_all_has_the_last_call_of_a_body() -> None:
    model, body = loop("float64", 3)
    found = Evaluator().run_all(model, {"x0": np.array([8.0, 4.0])})
    np.testing.assert_array_equal(found[body.inputs[0]], [2, 1])
    np.testing.assert_array_equal(found[body.outputs[0]], [1, 0.5])


def test_a_body_that_fails_names_the_node_inside() -> None:
    model, b = model_with(tensor_type("int64"))
    body = Graph("body")
    i = body.add_input(tensor_type("int64"), "i")
    inner = Builder(body)
    body.set_outputs([inner.gather(inner.constant(np.arange(3)), i)])
    cond = Graph("cond")
    cond.add_input(tensor_type("int64"), "i")
    cond.set_outputs([Builder(cond).constant(np.array(True))])
    node = b.node(_while(), (model.inputs[0],), (), trips=1, cond=cond, body=body)
    model.graph.set_outputs(node.outputs)
    with pytest.raises(EvaluationError, match=r"gather .*index 5 is out of range"):
        Evaluator().run(model, {"x0": np.array(5)})


def test_symbols_of_a_body_end_with_its_call() -> None:
    """The body's own `k` takes another value at each trip."""
    model, b = model_with(tensor_type("float32", symbol("n")))
    grown = tensor_type("float32", symbol("k"))
    body, cond = Graph("body"), Graph("cond")
    x = body.add_input(grown, "x")
    body.set_outputs([Builder(body).concat(x, x, axis=0)])
    cond.add_input(grown, "x")
    cond.set_outputs([Builder(cond).constant(np.array(True))])
    node = b.node(_while(), (model.inputs[0],), (), trips=3, symbols=("m",), cond=cond, body=body)
    tail = b.full(shape=node.outputs[0].type.shape, value=1.0, dtype="float32")  # reads m, bound by the loop
    model.graph.set_outputs([b.add(node.outputs[0], tail)])
    out = Evaluator(mode="exact").run(model, {"x0": np.array([1.0, 2.0], np.float32)})["output"]
    np.testing.assert_array_equal(out, np.tile([2.0, 3.0], 8).astype(np.float32))
