"""Loops and branches: captures, trip counts, carried tensors that grow, zero trips."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from onnx import helper

from converter.importers.onnx import load
from tests.importers.onnx.models import BOOL, FLOAT, INT64, agree, floats, model, node, op_names

X: Any = ("x", FLOAT, ["n", 3])


def graph(nodes: list[Any], inputs: list[Any], outputs: list[Any], stored: list[Any] | None = None) -> Any:
    infos = [[helper.make_tensor_value_info(n, t, s) for n, t, s in side] for side in (inputs, outputs)]
    return helper.make_graph(nodes, "body", *infos, stored or [])


def body(*nodes: Any, state: list[Any], scans: int = 0) -> Any:
    inputs = [("i", INT64, []), ("go", BOOL, []), *state]
    outputs = [
        ("more", BOOL, []),
        *[(f"{n}_out", t, s) for n, t, s in state],
        *[(f"scan{k}", FLOAT, None) for k in range(scans)],
    ]
    return graph(list(nodes), inputs, outputs)


KEEP = node("Identity", "go", "more")


@pytest.mark.parametrize("trips", [0, 1, 4])
def test_counted_loop(trips: int) -> None:
    """Only counts: neither the condition nor the iteration is carried."""
    loop = body(node("Mul", "s w", "s_out"), KEEP, state=[("s", FLOAT, None)])
    proto = model(
        [node("Loop", "m yes x", "y", body=loop)],
        [X],
        ["y"],
        {"m": np.int64(trips), "yes": np.array(True), "w": floats(3)},
    )
    taken = agree(proto, {"x": floats(2, 3)})
    made = next(n for n in taken.graph if n.op.name == "while")
    assert made.attrs["trips"] == trips
    assert len(made.operands["carried"]) == 1


@pytest.mark.parametrize("trips", [1, 3])
def test_iteration_and_scan_outputs(trips: int) -> None:
    nodes = [node("Cast", "i", "f", to=FLOAT), node("Add", "s f", "s_out"), node("Identity", "s_out", "scan0"), KEEP]
    loop = body(*nodes, state=[("s", FLOAT, None)], scans=1)
    proto = model([node("Loop", "m _ x", "y all", body=loop)], [X, ("m", INT64, [])], ["y", "all"])
    agree(proto, {"x": floats(2, 3), "m": np.array(trips)})


def test_carried_tensor_that_grows() -> None:
    loop = body(node("Concat", "s x", "s_out", axis=0), KEEP, state=[("s", FLOAT, ["k", 3])])
    proto = model([node("Loop", "m yes x", "y", body=loop)], [X, ("m", INT64, [])], ["y"], {"yes": np.array(True)})
    taken = load(proto)
    for n, trips in ((2, 3), (1, 0), (4, 1)):
        agree(proto, {"x": floats(n, 3), "m": np.array(trips)}, taken)


def test_weights_in_bodies_that_are_read_twice_stay_one() -> None:
    """The body is imported again once a carried size turns out to change: its weights must not double."""
    constant = helper.make_node(
        "Constant", [], ["c"], value=helper.make_tensor("c", FLOAT, [20, 3], floats(60).tolist())
    )
    nodes = [constant, node("Concat", "s c", "s_out", axis=0), KEEP]
    loop = body(*nodes, state=[("s", FLOAT, ["k", 3])])
    proto = model([node("Loop", "m yes x", "y", body=loop)], [X], ["y"], {"yes": np.array(True), "m": np.int64(2)})
    taken = agree(proto, {"x": floats(2, 3)})
    assert list(taken.weights) == ["c"]


def test_loop_in_loop_captures() -> None:
    inner = body(node("Add", "s x", "t"), node("Mul", "t half", "s_out"), KEEP, state=[("s", FLOAT, None)])
    outer = graph(
        [node("Loop", "two _ q", "q_out", body=inner), node("Identity", "go2", "more2")],
        [("i2", INT64, []), ("go2", BOOL, []), ("q", FLOAT, None)],
        [("more2", BOOL, []), ("q_out", FLOAT, None)],
    )
    proto = model(
        [node("Loop", "m _ z", "y", body=outer)],
        [X, ("z", FLOAT, ["n", 3])],
        ["y"],
        {"m": np.int64(3), "two": np.int64(2), "half": np.float32(0.5)},
    )
    agree(proto, {"x": floats(2, 3), "z": floats(2, 3, seed=1)})


def test_stops_on_its_condition() -> None:
    nodes = [
        node("Add", "s x", "s_out"), node("ReduceSum", "s_out", "r", keepdims=0), node("Less", "r limit", "more"),
    ]  # fmt: skip
    loop = body(*nodes, state=[("s", FLOAT, None)])
    proto = model(
        [node("Loop", "_ yes x", "y", body=loop)], [X], ["y"], {"yes": np.array(True), "limit": np.float32(50)}
    )
    agree(proto, {"x": np.abs(floats(2, 3))})
    never = model(
        [node("Loop", "_ no x", "y", body=loop)], [X], ["y"], {"no": np.array(False), "limit": np.float32(50)}
    )
    agree(never, {"x": np.abs(floats(2, 3))})


def test_scan_keeps_its_batch() -> None:
    step = graph(
        [node("MatMul", "row w", "r"), node("Add", "h r", "h_out"), node("Tanh", "h_out", "o")],
        [("h", FLOAT, None), ("row", FLOAT, None)],
        [("h_out", FLOAT, None), ("o", FLOAT, None)],
    )
    made = node(
        "Scan", "h0 xs", "last all", body=step, num_scan_inputs=1, scan_input_directions=[1], scan_output_axes=[1]
    )
    inputs: Any = [("h0", FLOAT, ["b", 3]), ("xs", FLOAT, ["t", "b", 3])]
    proto = model([made], inputs, ["last", "all"], {"w": floats(3, 3)})
    taken = load(proto)
    assert op_names(taken) == ["scan"]
    for b, t in ((2, 4), (1, 1), (3, 2)):
        agree(proto, {"h0": floats(b, 3), "xs": floats(t, b, 3, seed=1)}, taken)


def test_branches_of_different_sizes() -> None:
    then = graph([node("Slice", "x zero two", "a")], [], [("a", FLOAT, None)])
    other = graph([node("Identity", "x", "z")], [], [("z", FLOAT, None)])
    proto = model([node("If", "flag", "y", then_branch=then, else_branch=other)], [X, ("flag", BOOL, [1])], ["y"],
                  {"zero": np.array([0]), "two": np.array([2])})  # fmt: skip
    taken = load(proto)
    for flag in (True, False):
        agree(proto, {"x": floats(4, 3), "flag": np.array([flag])}, taken)
