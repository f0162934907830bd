"""Use-def links stay right under every edit, and graphs may be edited while they are iterated."""

from __future__ import annotations

import random

import pytest

from ir.core import Builder, Graph, Node, Value
from ir.core.graph import Use
from ir.ops import get
from ir.types import dtypes, tensor_type

FLOAT = tensor_type("float32", 2)


def chain(length: int) -> tuple[Graph, list[Node]]:
    """x -> neg -> neg -> ... with the last as the output."""
    graph = Graph()
    value = graph.add_input(FLOAT, "x")
    b = Builder(graph)
    for _ in range(length):
        value = b.neg(value)
    graph.set_outputs([value])
    return graph, list(graph)


def check_links(graph: Graph) -> None:
    """Every operand is known to its value as a use, and every use by a node or graph is an operand or output."""
    values = {*graph.inputs, *(v for node in graph for v in node.outputs)}
    expected: dict[Value, set[Use]] = {v: set() for v in values}
    for node in graph:
        assert node.graph is graph
        for name, item in node.operands.items():
            for i, value in enumerate(item) if isinstance(item, tuple) else [(None, item)] if item else []:
                expected.setdefault(value, set()).add(Use(node, name, i))
    for i, value in enumerate(graph.outputs):
        expected.setdefault(value, set()).add(Use(graph, "output", i))
    for value, uses in expected.items():
        assert {use for use in value.uses if isinstance(use.user, Node | Graph)} == uses, value
    forwards, backwards = list(graph), list(reversed(graph))
    assert forwards == backwards[::-1]
    assert len(graph) == len(forwards)


# -- links ----------------------------------------------------------------------------------------------------------
def test_building_makes_links() -> None:
    graph, nodes = chain(3)
    check_links(graph)
    assert graph.inputs[0].users == (nodes[0],)
    assert nodes[0].output.users == (nodes[1],)
    assert nodes[0].output.producer is nodes[0]


def test_a_value_used_twice_has_two_uses_and_one_user() -> None:
    graph = Graph()
    x = graph.add_input(FLOAT, "x")
    node = Builder(graph).node(get("add"), x, x)
    assert [use.key for use in x.uses] == ["x", "y"]
    assert x.users == (node,)
    node.set_operand("y", node.operands["x"])
    check_links(graph)


def test_variadic_operands_are_linked_by_index() -> None:
    graph = Graph()
    x, y = graph.add_input(FLOAT, "x"), graph.add_input(FLOAT, "y")
    node = Builder(graph).node(get("concat"), (x, y, x), axis=0)
    assert [(u.key, u.index) for u in x.uses] == [("xs", 0), ("xs", 2)]
    x.replace_all_uses(y)
    assert node.operands["xs"] == (y, y, y)
    assert x.uses == ()
    check_links(graph)


def test_replace_all_uses_reaches_operands_and_outputs() -> None:
    graph, nodes = chain(2)
    extra = Builder(graph).neg(graph.inputs[0])
    nodes[1].output.replace_all_uses(extra)
    assert graph.outputs == (extra,)
    assert nodes[1].output.uses == ()
    extra.replace_all_uses(extra)
    assert graph.outputs == (extra,)
    check_links(graph)


def test_optional_operands_may_come_and_go() -> None:
    graph = Graph()
    x, low = graph.add_input(FLOAT, "x"), graph.add_input(FLOAT, "low")
    node = Builder(graph).node(get("clip"), x, low)
    assert node.operands["max"] is None
    assert node.inputs == (x, low)
    with pytest.raises(KeyError, match="max"):
        node.operand("max")
    node.set_operand("min", None)
    node.set_operand("max", low)
    assert [u.key for u in low.uses] == ["max"]
    check_links(graph)


def test_removal_needs_an_unread_node() -> None:
    graph, nodes = chain(2)
    with pytest.raises(ValueError, match="still read by 1 users"):
        graph.remove(nodes[0])
    with pytest.raises(ValueError, match="still read"):
        graph.remove_input(graph.inputs[0])
    graph.set_outputs([graph.inputs[0]])
    graph.remove(nodes[1])
    graph.remove(nodes[0])
    check_links(graph)
    assert len(graph) == 0
    graph.set_outputs([])
    graph.remove_input(graph.inputs[0])
    assert graph.inputs == []


def test_a_node_is_in_one_graph_once() -> None:
    graph, nodes = chain(1)
    with pytest.raises(ValueError, match="in a graph already"):
        graph.append(nodes[0])
    with pytest.raises(ValueError, match="is not in graph"):
        Graph("other").unlink(nodes[0])


def test_moving_a_node_keeps_its_operands() -> None:
    graph, nodes = chain(3)
    other = Builder(graph).neg(graph.inputs[0]).producer
    assert other is not None
    graph.unlink(other)
    graph.insert_before(nodes[0], other)
    assert list(graph) == [other, *nodes]
    check_links(graph)


def test_builder_inserts_before_a_node() -> None:
    graph, nodes = chain(2)
    b = Builder(graph, before=nodes[1])
    first, second = b.abs(graph.inputs[0]), b.abs(graph.inputs[0])
    assert list(graph) == [nodes[0], first.producer, second.producer, nodes[1]]
    check_links(graph)


def test_random_edits_keep_links() -> None:
    draw = random.Random(5)
    graph, _ = chain(6)
    b = Builder(graph)
    for _ in range(300):
        nodes = list(graph)
        kind = draw.choice(("add", "replace", "operand", "output", "remove"))
        known = [*graph.inputs, *(n.output for n in nodes)]
        if kind == "add":
            b.before = draw.choice([None, *nodes])
            b.add(draw.choice(known), draw.choice(known))
        elif kind == "replace":
            draw.choice(known).replace_all_uses(draw.choice(known))
        elif kind == "operand" and nodes:
            draw.choice(nodes).set_operand("x", draw.choice(known))
        elif kind == "output":
            graph.set_outputs(draw.choices(known, k=draw.randint(0, 3)))
        elif nodes and not (node := draw.choice(nodes)).output.uses:
            graph.remove(node)
        check_links(graph)


# -- iteration ------------------------------------------------------------------------------------------------------
def test_removing_the_current_node() -> None:
    graph, nodes = chain(4)
    seen = []
    for node in graph:
        seen.append(node)
        node.output.replace_all_uses(node.operand("x"))
        graph.remove(node)
    assert seen == nodes
    assert len(graph) == 0
    assert graph.outputs == (graph.inputs[0],)


def test_removing_the_nodes_ahead() -> None:
    graph, nodes = chain(5)
    seen = []
    for node in graph:
        seen.append(node)
        if node is nodes[1]:
            for gone in (nodes[2], nodes[3]):
                gone.output.replace_all_uses(gone.operand("x"))
                graph.remove(gone)
    assert seen == [nodes[0], nodes[1], nodes[4]]


def test_removing_current_and_next_together() -> None:
    graph, nodes = chain(4)
    seen = []
    for node in graph:
        seen.append(node)
        if node is nodes[1]:
            for gone in (nodes[1], nodes[2]):
                gone.output.replace_all_uses(gone.operand("x"))
                graph.remove(gone)
    assert seen == [nodes[0], nodes[1], nodes[3]]


def test_inserted_nodes_behind_the_current_one_are_visited() -> None:
    graph, nodes = chain(2)
    seen = []
    for node in graph:
        seen.append(node)
        if node in nodes:
            twin = Node(node.op, node.operands, node.attrs, [FLOAT])
            graph.insert_after(node, twin)
    assert len(seen) == 4
    assert [n in nodes for n in seen] == [True, False, True, False]


def test_inserted_nodes_before_the_current_one_are_not_visited() -> None:
    graph, nodes = chain(3)
    seen = []
    for node in graph:
        seen.append(node)
        Builder(graph, before=node).abs(graph.inputs[0])
    assert seen == nodes
    assert len(graph) == 6


def test_backwards_removal() -> None:
    graph, nodes = chain(4)
    graph.set_outputs([nodes[0].output])
    for node in reversed(graph):
        if not node.output.uses:
            graph.remove(node)
    assert list(graph) == [nodes[0]]
    check_links(graph)


def test_uses_are_a_snapshot() -> None:
    graph = Graph()
    x, y = graph.add_input(FLOAT, "x"), graph.add_input(FLOAT, "y")
    b = Builder(graph)
    for _ in range(3):
        b.neg(x)
    for use in x.uses:
        use.user.set_operand("x", y)
    assert len(y.uses) == 3
    assert x.uses == ()


# -- builder --------------------------------------------------------------------------------------------------------
def test_numbers_become_constants_of_the_peer() -> None:
    graph = Graph()
    x = graph.add_input(tensor_type("bfloat16", 3), "x")
    out = Builder(graph).mul(2.0, x)
    constant = out.producer.operand("x").producer
    assert constant.op.name == "constant"
    assert out.type.dtype == constant.output.type.dtype == dtypes.bfloat16


@pytest.mark.parametrize(("kind", "value"), [("int64", 0.5), ("uint8", -1), ("int8", 128), ("int32", float("nan"))])
def test_numbers_that_a_type_does_not_hold_are_refused(kind: str, value: float) -> None:
    graph = Graph()
    x = graph.add_input(tensor_type(kind, 3), "x")
    with pytest.raises(ValueError, match=f"is not a value of {kind}"):
        Builder(graph).add(x, value)


def test_builder_refuses() -> None:
    graph = Graph()
    x, i = graph.add_input(FLOAT, "x"), graph.add_input(tensor_type("int64", 2), "i")
    b = Builder(graph)
    with pytest.raises(AttributeError, match="softmax"):
        b.soft_max(x)
    with pytest.raises(TypeError, match="dtypes must match"):
        b.add(x, i)
    with pytest.raises(TypeError, match="must be inexact"):
        b.exp(i)
    with pytest.raises(TypeError, match="no attribute"):
        b.exp(x, base=2)
    with pytest.raises(TypeError, match="takes 1 operands"):
        b.exp(x, x)
    with pytest.raises(TypeError, match="needs the operand y"):
        b.add(x)
    with pytest.raises(TypeError, match="must be a value"):
        b.add(x, "1")
    assert len(graph) == 0
