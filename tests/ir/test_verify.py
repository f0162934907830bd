"""Each invariant is planted broken, and found under its code."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest

import ir.ops
from ir.core import Branch, Builder, Graph, Leaf, Model, Node, Parameter, Signature, Use, Value
from ir.data import Array, Weight
from ir.ops.define import define
from ir.types import Assumption, symbol, tensor_type
from ir.verify import CODES, InvalidModel, check, verify
from tests.ir.random_graphs import all_samples, random_case, sample_case


def sound() -> Model:
    """y = relu(x + w); z = tanh(y); the next value of `w` is `z`."""
    model = Model("m", Signature((Parameter("x", Leaf("x")),), Leaf("output")))
    x = model.graph.add_input(tensor_type("float32", 2), "x")
    w = model.add_weight(Weight("w", Array(np.ones(2, "f4")), "buffer"))
    b = Builder(model.graph)
    y = b.relu(b.add(x, w))
    z = b.tanh(y)
    model.graph.set_outputs([z])
    model.set_state("w", z)
    return model


def nodes(model: Model) -> list[Node]:
    return list(model.graph)


def codes(model: Model) -> set[str]:
    return {v.code for v in verify(model)}


def missing_use(m: Model) -> None:
    m.inputs[0]._uses.clear()


def missing_output_use(m: Model) -> None:
    del m.outputs[0]._uses[Use(m.graph, "output", 0)]


def missing_state_use(m: Model) -> None:
    del m.state["w"]._uses[Use(m, "w")]


def false_use(m: Model) -> None:
    m.inputs[0]._uses[Use(nodes(m)[1], "x")] = None


def use_by_a_stranger(m: Model) -> None:
    Builder(Graph()).relu(m.inputs[0])


def read_too_early(m: Model) -> None:
    add, relu, _ = nodes(m)
    m.graph.unlink(relu)
    m.graph.insert_before(add, relu)


def read_of_a_removed_node(m: Model) -> None:
    m.graph.unlink(nodes(m)[1])


def read_of_another_graph(m: Model) -> None:
    other = Graph("other").add_input(tensor_type("float32", 2), "q")
    nodes(m)[1].set_operand("x", other)


def open_body(m: Model) -> None:
    with_body(m, lambda body, x: m.inputs[0])


def operand_missing(m: Model) -> None:
    nodes(m)[1].set_operand("x", None)


def operand_unknown(m: Model) -> None:
    nodes(m)[1].set_operand("z", m.inputs[0])


def operand_a_list(m: Model) -> None:
    nodes(m)[1].set_operand("x", (m.inputs[0],))


def attribute_missing(m: Model) -> None:
    node(m, "softmax").attrs.clear()


def attribute_unknown(m: Model) -> None:
    nodes(m)[0].attrs["axis"] = 1


def attribute_of_wrong_type(m: Model) -> None:
    node(m, "softmax").attrs["axis"] = 1.0


def attribute_a_list(m: Model) -> None:
    node(m, "reduce_sum").attrs["axes"] = [0]


def body_unknown(m: Model) -> None:
    nodes(m)[0].bodies["body"] = Graph("body")


def body_unlinked(m: Model) -> None:
    with_body(m, lambda body, x: x).bodies["then"].parent = None


def wrong_shape(m: Model) -> None:
    nodes(m)[1].output.type = tensor_type("float32", 3)


def wrong_dtype(m: Model) -> None:
    nodes(m)[1].output.type = tensor_type("float64", 2)


def unknown_size(m: Model) -> None:
    m.inputs[0].type = tensor_type("float32", symbol("k"), 2)
    for n in nodes(m):
        n.output.type = tensor_type("float32", symbol("n"), 2)


def does_not_apply(m: Model) -> None:
    m.inputs[0].type = tensor_type("float32", 3)


def too_many_outputs(m: Model) -> None:
    first = nodes(m)[0]
    first.outputs = (*first.outputs, Value(tensor_type("float32", 2), producer=first, index=1))


def output_of_another_node(m: Model) -> None:
    nodes(m)[0].outputs[0].index = 3


def node_of_another_graph(m: Model) -> None:
    nodes(m)[0].graph = Graph()


def miscounted(m: Model) -> None:
    m.graph._size += 1


def input_out_of_place(m: Model) -> None:
    m.inputs[0].index = 5


def leaf_unknown(m: Model) -> None:
    m.signature = Signature((Parameter("x", Leaf("elsewhere")),), Leaf("output"))


def too_many_leaves(m: Model) -> None:
    m.signature = replace(m.signature, result=Branch("tuple", (Leaf("a"), Leaf("b"))))


def leaf_twice(m: Model) -> None:
    m.graph.set_outputs(m.outputs * 2)
    m.signature = replace(m.signature, result=Branch("tuple", (Leaf("a"), Leaf("a"))))


def input_twice(m: Model) -> None:
    m.graph.add_input(tensor_type("float32", 2), "x")


def input_unnamed(m: Model) -> None:
    m.graph.add_input(tensor_type("float32", 2), "")


def foreign_weight(m: Model) -> None:
    nodes(m)[0].set_operand("y", Model().add_weight(Weight("w", Array(np.ones(2, "f4")))))


def weight_of_another_type(m: Model) -> None:
    m.weights["w"] = m.weights["w"].with_data(Array(np.ones(3, "f4")))


def alias_taken(m: Model) -> None:
    m.add_weight(Weight("v", Array(np.ones(2, "f4")), aliases=("w",)))


def weight_renamed(m: Model) -> None:
    m.weights["w"] = replace(m.weights["w"], name="v")


def weight_unnamed(m: Model) -> None:
    m.add_weight(Weight("", Array(np.ones(2, "f4"))))


def state_of_nothing(m: Model) -> None:
    m.set_state("v", m.outputs[0])


def state_of_a_constant(m: Model) -> None:
    m.weights["w"] = replace(m.weights["w"], kind="constant")


def state_of_another_type(m: Model) -> None:
    m.set_state("w", Builder(m.graph).reduce_sum(m.outputs[0]))


def state_from_a_body(m: Model) -> None:
    found = with_body(m, lambda body, x: Builder(body).relu(x)).bodies["then"]
    m.set_state("w", found.outputs[0])


def size_unbound(m: Model) -> None:
    Builder(m.graph).full(shape=(symbol("q"),), value=0.0, dtype="float32")


def size_read_before_its_binder(m: Model) -> None:
    b = Builder(m.graph)
    n = symbol("n", opaque=True)
    late = b.full(shape=(n,), value=0.0, dtype="float32").producer
    b.nonzero(m.inputs[0], symbol="n")
    assert late.graph is m.graph


def op_unregistered(m: Model) -> None:
    nodes(m)[1].op = define(ir.ops.get("relu").cls)


def opaque_and_not(m: Model) -> None:
    b = Builder(m.graph)
    b.nonzero(m.inputs[0], symbol="n")
    m.graph.add_input(tensor_type("float32", symbol("n")), "late")


def node(m: Model, name: str) -> Node:
    """A further node of an op with attributes."""
    made = getattr(Builder(m.graph), name)(m.outputs[0])
    return made.producer


def with_body(m: Model, result: Callable[[Graph, Value], Value]) -> Node:
    """A further `cond` whose branches return `result(body, its input)`."""
    b = Builder(m.graph)
    bodies = {}
    for key in ("then", "else"):
        body = bodies[key] = Graph(key)
        body.set_outputs([result(body, body.add_input(tensor_type("float32", 2), "x"))])
    return b.node(ir.ops.get("cond"), b.constant(np.asarray(True)), (m.inputs[0],), **bodies)


PLANTED = {
    "IR001": [missing_use, missing_output_use, missing_state_use],
    "IR002": [false_use, use_by_a_stranger],
    "IR003": [read_too_early, read_of_a_removed_node],
    "IR004": [read_of_another_graph, open_body],
    "IR005": [operand_missing, operand_unknown, operand_a_list],
    "IR006": [attribute_missing, attribute_unknown, attribute_of_wrong_type, attribute_a_list],
    "IR007": [body_unknown, body_unlinked],
    "IR008": [wrong_shape, wrong_dtype, unknown_size, does_not_apply, too_many_outputs],
    "IR009": [output_of_another_node, node_of_another_graph, miscounted],
    "IR010": [input_out_of_place],
    "IR011": [leaf_unknown, too_many_leaves, leaf_twice],
    "IR012": [input_twice, input_unnamed],
    "IR013": [foreign_weight],
    "IR014": [weight_of_another_type],
    "IR015": [alias_taken, weight_renamed, weight_unnamed],
    "IR016": [state_of_nothing, state_of_a_constant],
    "IR017": [state_of_another_type, state_from_a_body],
    "IR018": [size_unbound, size_read_before_its_binder],
    "IR019": [op_unregistered],
    "IR020": [opaque_and_not],
}


def test_every_code_is_planted() -> None:
    assert set(PLANTED) == set(CODES)


def test_a_sound_model() -> None:
    assert verify(sound()) == []


ROWS = [pytest.param(c, p, id=f"{c}-{p.__name__}") for c, planted in PLANTED.items() for p in planted]


@pytest.mark.parametrize(("code", "plant"), ROWS)
def test_a_planted_violation_is_found(code: str, plant: Callable[[Model], None]) -> None:
    model = sound()
    plant(model)
    assert code in codes(model)
    with pytest.raises(InvalidModel, match=code):
        check(model, "here")


def test_an_assumed_equality_is_enough() -> None:
    model = sound()
    unknown_size(model)
    assert "IR008" in codes(model)
    model.assumptions.append(Assumption(symbol("k"), symbol("n"), "test"))
    assert "IR008" not in codes(model)


def test_samples_and_random_models_are_sound() -> None:
    for record, i, sample in all_samples():
        assert verify(sample_case(record, sample).model) == [], f"{record.name} sample {i}"
    for seed in range(15):
        case = random_case(seed, 12)
        assert case is None or verify(case.model) == []
