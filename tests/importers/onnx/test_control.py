"""Loops and branches: captures, trip counts, carried tensors that grow, zero trips."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import onnx
import pytest
from onnx import helper

from converter.errors import ConversionError
from converter.importers.onnx import load
from tests.importers.onnx.models import BOOL, FLOAT, INT64, agree, floats, model, node, op_names

X: Any = ("x", FLOAT, ["n", 3])
ROWS: Any = ("x", FLOAT, [2, 3])


def graph(nodes: list[Any], inputs: list[Any], outputs: list[Any], stored: list[Any] | None = None) -> Any:
    infos = [[helper.make_tensor_value_info(n, t, s) for n, t, s in side] for side in (inputs, outputs)]
    return helper.make_graph(nodes, "body", *infos, stored or [])


def body(*nodes: Any, state: list[Any], scans: Sequence[Any] = ()) -> Any:
    """A body; `scans` has the shape of each output that is stacked, which ONNX Runtime asks for where no trip is made."""
    inputs = [("i", INT64, []), ("go", BOOL, []), *state]
    outputs = [
        ("more", BOOL, []),
        *[(f"{n}_out", t, s) for n, t, s in state],
        *[(f"scan{k}", FLOAT, shape) for k, shape in enumerate(scans)],
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
    loop = body(*nodes, state=[("s", FLOAT, None)], scans=[None])
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


# -- conditions and trip counts -------------------------------------------------------------------------------------
def carried(taken: Any) -> int:
    (made,) = [n for n in taken.graph if n.op.name == "while"]
    return len(made.operands["carried"])


@pytest.mark.parametrize("starts", [True, False])
def test_loops_without_state(starts: bool) -> None:
    """The condition that the run gives decides whether the first trip is made."""
    loop = body(node("Add", "x x", "scan0"), KEEP, state=[], scans=[[2, 3]])
    proto = model([node("Loop", "m c", "all", body=loop)], [ROWS, ("c", BOOL, [])], ["all"], {"m": np.int64(3)})
    agree(proto, {"x": floats(2, 3), "c": np.array(starts)})
    fixed = model([node("Loop", "m c", "all", body=loop)], [ROWS], ["all"], {"m": np.int64(3), "c": np.array(starts)})
    assert carried(agree(fixed, {"x": floats(2, 3)})) == (not starts)


@pytest.mark.parametrize("more", [True, False])
@pytest.mark.parametrize("start", [None, True, False])
def test_a_condition_that_is_constant_in_the_body(more: bool, start: bool | None) -> None:
    """Whether to go on is not carried where the loop always does; a state that is constant has no say in it."""
    constants = {"more": np.array(more), "s_out": np.array(5.0, np.float32)}
    made = [node("Constant", "", k, value=onnx.numpy_helper.from_array(v)) for k, v in constants.items()]
    loop = body(*made, node("Mul", "s x", "scan0"), state=[("s", FLOAT, None)], scans=[[2, 3]])
    stored = {"m": np.int64(3), "one": np.float32(1)} | ({} if start is None else {"c": np.array(start)})
    names = "m _ one" if start is None else "m c one"
    taken = agree(model([node("Loop", names, "y all", body=loop)], [ROWS], ["y", "all"], stored), {"x": floats(2, 3)})
    assert carried(taken) == 1 + (not more or start is False)


@pytest.mark.parametrize("rank", [0, 1])
def test_a_computed_condition_without_a_first_one(rank: int) -> None:
    """Of one element, with or without an axis; the first trip is made."""
    compare = node("Less", "r limit", "more")
    nodes = [node("Add", "s x", "s_out"), node("ReduceSum", "s_out", "r", keepdims=0), compare]
    if rank:
        nodes[1:] = [node("Reshape", "s_out", "f"), node("ReduceSum", "f", "r", keepdims=1), compare]
        nodes[1].input.append("flat")
    loop = body(*nodes, state=[("s", FLOAT, None)])
    loop.output[0].type.tensor_type.ClearField("shape")
    stored = {"flat": np.array([-1]), "limit": np.float32(50)}
    proto = model([node("Loop", "_ _ x", "y", body=loop)], [X], ["y"], stored)
    for scale in (1, 100):
        agree(proto, {"x": scale * np.abs(floats(2, 3))})


def test_a_body_that_reads_its_condition() -> None:
    """A condition that is read is carried, though it always holds."""
    loop = body(node("Where", "go s w", "s_out"), KEEP, state=[("s", FLOAT, None)])
    proto = model(
        [node("Loop", "m c x", "y", body=loop)], [X, ("c", BOOL, [])], ["y"], {"m": np.int64(3), "w": floats(3)}
    )
    for flag in (True, False):
        agree(proto, {"x": floats(2, 3), "c": np.array(flag)})
    fixed = model([node("Loop", "m _ x", "y", body=loop)], [X], ["y"], {"m": np.int64(3), "w": floats(3)})
    assert carried(agree(fixed, {"x": floats(2, 3)})) == 2


@pytest.mark.parametrize("trips", [0, 1, 4])
def test_an_iteration_that_is_handed_out(trips: int) -> None:
    """As it is, and as an element of what is otherwise known."""
    state: list[Any] = [("s", INT64, []), ("t", INT64, [2])]
    stored = {"m": np.int64(trips), "s": np.int64(7), "t": np.array([8, 9])}
    stored |= {"left": np.array([True, False]), "one": np.int64(11)}
    given = {"x": floats(2, 3)}
    for names in ("s", "t", "s t"):
        nodes = [node("Identity", "i", "s_out")] if "s" in names else []
        if "t" in names:
            nodes.append(node("Where", "left i one", "t_out"))
        loop = body(*nodes, KEEP, state=[s for s in state if s[0] in names])
        outputs = [f"{n}_last@INT64" for n in names.split()]
        made = node("Loop", f"m _ {names}", " ".join(o.split("@")[0] for o in outputs), body=loop)
        agree(model([made, node("Identity", "x", "y")], [X], [*outputs, "y"], stored), given)


@pytest.mark.parametrize(("count", "bound"), [(3, 3), (2**62 - 1, 2**62 - 1), (2**62, None), (2**63 - 1, None)])
def test_counts_that_mean_no_bound(count: int, bound: int | None) -> None:
    nodes = [node("Add", "s x", "s_out"), node("ReduceSum", "s_out", "r", keepdims=0), node("Less", "r limit", "more")]
    loop = body(*nodes, state=[("s", FLOAT, None)])
    stored = {"m": np.array([count]), "limit": np.float32(50)}
    proto = model([node("Loop", "m _ x", "y", body=loop)], [X], ["y"], stored)
    taken = agree(proto, {"x": np.abs(floats(2, 3))})
    (made,) = [n for n in taken.graph if n.op.name == "while"]
    assert made.attrs["trips"] == bound
    two = model([node("Loop", "m _ x", "y", body=loop)], [X], ["y"], stored | {"m": np.array([3, count])})
    with pytest.raises(ConversionError, match="size 1"):
        load(two)


# -- scans and origins ----------------------------------------------------------------------------------------------
def test_a_scan_whose_body_finds_a_size() -> None:
    """The number of positions that are not zero, the same in every trip."""
    step = graph(
        [node("NonZero", "w", "p"), node("Cast", "p", "f", to=FLOAT), node("Mul", "f row", "o")],
        [("row", FLOAT, None)],
        [("o", FLOAT, None)],
    )
    made = node("Scan", "xs", "all", body=step, num_scan_inputs=1, scan_output_axes=[1])
    proto = model([made], [("xs", FLOAT, ["t", 1]), ("w", FLOAT, [5])], ["all"])
    taken = load(proto)
    for t in (1, 4):
        agree(proto, {"xs": floats(t, 1), "w": np.float32([0, 1, 0, 2, 3])}, taken)


def test_lengths_of_samples_are_refused_with_advice() -> None:
    step = graph([node("Add", "c e", "d")], [("c", FLOAT, [2]), ("e", FLOAT, [2])], [("d", FLOAT, [2])])
    made = node("Scan", "n c e", "y", body=step, num_scan_inputs=1)
    declared = [("n", INT64, [1]), ("c", FLOAT, [1, 2]), ("e", FLOAT, [1, 3, 2])]
    with pytest.raises(ConversionError) as error:
        load(model([made], declared, ["y"], opset=8))
    (found,) = error.value.unsupported
    assert "sequence_lens" in found.reason and "opset 9" in found.advice


def test_every_node_of_a_body_says_where_it_comes_from() -> None:
    step = graph([node("Add", "c e", "d")], [("c", FLOAT, [2]), ("e", FLOAT, [2])], [("d", FLOAT, [2])])
    old = model(
        [node("Scan", "_ c e", "y", body=step, num_scan_inputs=1)], [("c", FLOAT, [1, 2]), ("e", FLOAT, [1, 3, 2])],
        ["y"], opset=8,
    )  # fmt: skip
    agree(old, {"c": floats(1, 2), "e": floats(1, 3, 2)})
    loop = body(node("Mul", "s x", "s_out"), KEEP, state=[("s", FLOAT, None)])
    counted = model([node("Loop", "m _ x", "y", body=loop)], [X], ["y"], {"m": np.int64(3)})
    for proto in (old, counted):
        nodes = list(load(proto).nodes())
        assert len(nodes) >= 3 and all(n.origin.op for n in nodes)
