"""Models: weights by name, state, independent copies, walking bodies."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from ir.core import Builder, Graph, Leaf, Model, Node, Parameter, Signature, copy_model, graphs, walk
from ir.core.walk import attr_symbols
from ir.data import Array, Lazy, Weight
from ir.eval import EvaluationError, Evaluator
from ir.ops import get
from ir.ops.define import define
from ir.types import TensorType, symbol, tensor_type
from tests.core.test_graph import check_links


def weight(name: str, *values: float, **fields: object) -> Weight:
    return Weight(name, Array(np.array(values, np.float32)), **fields)  # type: ignore[arg-type]


def counter() -> Model:
    """output = x * scale; state `count` grows by the sum of x."""
    model = Model("counter", Signature((Parameter("x", Leaf("x")),)))
    x = model.graph.add_input(tensor_type("float32", symbol("n")), "x")
    scale = model.add_weight(weight("scale", 2.0, trainable=True))
    count = model.add_weight(Weight("count", Array(np.zeros((), np.float32)), kind="buffer"))
    b = Builder(model.graph)
    model.graph.set_outputs([b.mul(x, scale)])
    model.set_state("count", b.add(count, b.reduce_sum(x)))
    return model


def test_run_with_state() -> None:
    outputs, state = Evaluator().run_with_state(counter(), {"x": np.array([1.0, 2.0], np.float32)})
    assert outputs["output"].tolist() == [2.0, 4.0]
    assert state["count"].tolist() == 3.0


def test_weights_may_be_overridden() -> None:
    outputs = Evaluator().run(counter(), {"x": np.ones(1, np.float32)}, {"scale": np.array([5.0], np.float32)})
    assert outputs["output"].tolist() == [5.0]


def test_missing_and_mistyped_inputs_are_refused() -> None:
    with pytest.raises(EvaluationError, match="no value for input x"):
        Evaluator().run(counter(), {})
    with pytest.raises(EvaluationError, match="must be float32"):
        Evaluator().run(counter(), {"x": np.ones(1, np.int32)})
    with pytest.raises(EvaluationError, match="rank 1 expected"):
        Evaluator().run(counter(), {"x": np.ones((1, 1), np.float32)})


def test_weight_names() -> None:
    model = counter()
    with pytest.raises(ValueError, match="exists already"):
        model.add_weight(weight("scale", 1.0))
    with pytest.raises(ValueError, match="exists already"):
        model.rename_weight("scale", "count")
    with pytest.raises(ValueError, match="still in use"):
        model.remove_weight("scale")
    value = model.weight_value("count")
    model.rename_weight("count", "total")
    assert list(model.weights) == ["scale", "total"]
    assert model.weights["total"].name == value.name == "total"
    assert list(model.state) == ["total"]
    assert Evaluator().run_with_state(model, {"x": np.ones(3, np.float32)})[1]["total"] == 3


def test_updating_a_weight_changes_its_type() -> None:
    model = counter()
    model.update_weight("scale", data=Array(np.ones((3, 1), np.float32)), trainable=False)
    assert str(model.weight_value("scale").type) == "float32[3, 1]"
    assert model.weights["scale"].trainable is False
    assert [w.name for w in model.parameters()] == ["scale"]


def test_removing_an_unused_weight() -> None:
    model = counter()
    model.add_weight(weight("idle", 1.0))
    model.remove_weight("idle")
    assert "idle" not in model.weights


def test_state_is_a_use() -> None:
    model = counter()
    nxt = model.state["count"]
    with pytest.raises(ValueError, match="still read"):
        model.graph.remove(nxt.producer)
    other = Builder(model.graph).reduce_sum(model.inputs[0])
    nxt.replace_all_uses(other)
    assert model.state["count"] is other
    assert nxt.uses == ()
    model.set_state("count", None)
    assert other.uses == ()


# -- copies ---------------------------------------------------------------------------------------------------------
def test_a_copy_is_independent() -> None:
    model = counter()
    model.notes.append("kept")
    twin = copy_model(model)
    check_links(twin.graph)
    inputs = {"x": np.array([1.0, 4.0], np.float32)}
    assert Evaluator().run(twin, inputs)["output"].tolist() == [2.0, 8.0]
    mine = {id(v) for node in model.nodes() for v in (*node.outputs, *node.inputs)}
    theirs = {id(v) for node in twin.nodes() for v in (*node.outputs, *node.inputs)}
    assert not mine & theirs

    for node in list(twin.graph):
        node.set_operand("x", twin.inputs[0])
    twin.update_weight("scale", data=Array(np.array([9.0], np.float32)))
    twin.notes.append("changed")
    twin.rename_weight("count", "total")
    assert Evaluator().run_with_state(model, inputs)[1]["count"] == 5
    assert Evaluator().run(model, inputs)["output"].tolist() == [2.0, 8.0]
    assert model.notes == ["kept"]
    check_links(model.graph)


def test_a_copy_shares_weight_bytes() -> None:
    reads = []

    def read() -> np.ndarray:
        reads.append(1)
        return np.ones(1, np.float32)

    model = Model()
    model.add_weight(Weight("w", Lazy(read, tensor_type("float32", 1))))
    twin = copy_model(model)
    assert twin.weights["w"].data is model.weights["w"].data
    assert reads == []


class Both:
    """The concatenated results of two bodies, both given x."""

    inputs = ("x: float",)
    bodies = ("first", "second")

    @staticmethod
    def infer(x: TensorType, first: Graph, second: Graph) -> TensorType:
        return x.with_shape((2 * x.shape[0],))

    @staticmethod
    def evaluate(x: np.ndarray, first: Any, second: Any) -> np.ndarray:
        return np.concatenate([*first(x), *second(x)])


def with_body() -> tuple[Model, Node]:
    """A node of two bodies, the first of which reads a weight."""
    model = Model("bodies", Signature((Parameter("x", Leaf("x")),)))
    x = model.graph.add_input(tensor_type("float32", 2), "x")
    scale = model.add_weight(weight("scale", 3.0))
    bodies = {}
    for name in ("first", "second"):
        body = bodies[name] = Graph(name)
        inner = body.add_input(x.type, "inner")
        b = Builder(body)
        body.set_outputs([b.mul(inner, scale) if name == "first" else b.neg(inner)])
    node = Builder(model.graph).node(define(Both), x, **bodies)
    model.graph.set_outputs(node.outputs)
    return model, node


def test_walk_enters_bodies() -> None:
    model, node = with_body()
    assert [n.op.name for n in walk(model.graph)] == ["both", "mul", "neg"]
    assert [g.name for g in graphs(model.graph)] == ["main", "first", "second"]
    assert all(body.parent is node for body in node.bodies.values())
    assert model.weight_value("scale").users[0].graph is node.bodies["first"]


def test_bodies_are_copied_deeply() -> None:
    model, node = with_body()
    twin = copy_model(model)
    (copied,) = twin.graph
    assert copied.bodies["first"] is not node.bodies["first"]
    assert copied.bodies["first"].parent is copied
    assert len(model.weight_value("scale").uses) == len(twin.weight_value("scale").uses) == 1
    outputs = Evaluator().run(twin, {"x": np.array([1.0, 2.0], np.float32)})
    assert outputs["output"].tolist() == [3.0, 6.0, -1.0, -2.0]


def test_removing_a_node_detaches_its_bodies() -> None:
    model, node = with_body()
    model.graph.set_outputs([])
    model.graph.remove(node)
    assert model.weight_value("scale").uses == ()
    model.remove_weight("scale")


def test_symbols_of_attributes() -> None:
    graph = Graph()
    b = Builder(graph)
    node = b.node(get("full"), shape=(symbol("n"), 2, symbol("m") // 2), value=1.0, dtype="float32")
    assert attr_symbols(node) == {"n", "m"}


# -- sizes computed by the graph ------------------------------------------------------------------------------------
def test_bound_sizes_shape_later_values() -> None:
    model = Model("sized", Signature((Parameter("count", Leaf("count")),)))
    count = model.graph.add_input(tensor_type("int64"), "count")
    b = Builder(model.graph)
    b.bind_dim(b.mul(count, 2), symbol="rows")
    full = b.full(shape=(symbol("rows", opaque=True), 2), value=1.0, dtype="float32")
    model.graph.set_outputs([full])
    assert Evaluator().run(model, {"count": np.array(3)})["output"].shape == (6, 2)
    with pytest.raises(EvaluationError, match="negative"):
        Evaluator().run(model, {"count": np.array(-3)})


def test_observer_sees_every_value_and_half_floats_round_once() -> None:
    model = Model("half", Signature((Parameter("x", Leaf("x")),)))
    x = model.graph.add_input(tensor_type("float16"), "x")
    y = Builder(model.graph).add(x, 1.0)
    model.graph.set_outputs([y])
    seen = {}
    for mode in ("exact", "reference"):
        Evaluator(mode=mode, observe=lambda value, array: seen.__setitem__((mode, value), array)).run(  # noqa: B023
            model, {"x": np.array(2.0**-12, np.float16)}
        )
    assert seen["exact", y].dtype == np.float16
    assert seen["exact", y] == 1.0
    assert seen["reference", y].dtype == np.float64
    assert seen["reference", y] == 1 + 2.0**-12
