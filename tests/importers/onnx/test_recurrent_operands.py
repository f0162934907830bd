"""Operands of LSTM, GRU and RNN: sizes that say each other, lengths known ahead, weights that do not fit, their names."""

from __future__ import annotations

import json
from typing import Any

import numpy as np
import onnx
import pytest

from converter.errors import ConversionError
from converter.importers.onnx import load
from ir.core import Model
from ir.eval import Evaluator
from tests.importers.onnx.models import FLOAT, agree, floats, model, node, op_names
from tests.importers.onnx.test_recurrent import BATCH, GATES, HIDDEN, TIME, layer

KINDS = list(GATES)


def refusal(proto: onnx.ModelProto) -> str:
    with pytest.raises(ConversionError) as error:
        load(proto)
    return str(error.value)


def without(proto: onnx.ModelProto, attribute: str) -> onnx.ModelProto:
    """The model whose layer does not say it."""
    (step,) = proto.graph.node
    kept = [a for a in step.attribute if a.name != attribute]
    del step.attribute[:]
    step.attribute.extend(kept)
    return proto


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("direction", ["forward", "bidirectional"])
def test_the_hidden_size_may_be_that_of_the_weights(kind: str, direction: str) -> None:
    proto, inputs = layer(kind, direction)
    want = Evaluator("exact").run(agree(proto, inputs), inputs)
    have = Evaluator("exact").run(load(without(proto, "hidden_size")), inputs)
    for name, value in want.items():
        np.testing.assert_array_equal(have[name], value)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("first", [0, 1])
def test_lengths_known_ahead(kind: str, first: int) -> None:
    """They are left out where each is all of the time, which in either layout has its own place."""
    for lengths, asked in (([TIME] * BATCH, False), ([TIME, 2], True), ([BATCH] * BATCH, True), ([2, TIME], True)):
        given, inputs = layer(kind, lengths=tuple(lengths), states=True, layout=first)
        want = Evaluator("exact").run(load(given) if first else agree(given, inputs), inputs)
        for entry in given.graph.input:
            if entry.name in ("n", "h0"):
                given.graph.initializer.append(onnx.numpy_helper.from_array(inputs[entry.name], entry.name))
        kept = [e for e in given.graph.input if e.name not in ("n", "h0")]
        del given.graph.input[:]
        given.graph.input.extend(kept)
        taken = load(given)
        (cell,) = [n for n in taken.graph if n.op.name == kind.lower()]
        assert (cell.operands["lengths"] is not None) == asked
        have = Evaluator("exact").run(taken, {k: v for k, v in inputs.items() if k not in ("n", "h0")})
        for name, value in want.items():
            np.testing.assert_array_equal(have[name], value)


def shaped(kind: str, **shapes: Any) -> onnx.ModelProto:
    """A layer whose operands come with the run, some of other shapes; without a hidden size, if told so."""
    rows = GATES[kind] * HIDDEN
    usual = {"x": (TIME, BATCH, 2), "w": (1, rows, 2), "r": (1, rows, HIDDEN), "b": (1, 2 * rows)}
    said = shapes.pop("said", HIDDEN)
    direction = shapes.pop("direction", "forward")
    declared = [(k, FLOAT, shapes.get(k, v)) for k, v in usual.items()]
    names = "x w r b"
    if "p" in shapes:
        declared, names = [*declared, ("p", FLOAT, shapes["p"])], "x w r b _ _ _ p"
    extra = {} if said is None else {"hidden_size": said}
    return model([node(kind, names, "y h", direction=direction, **extra)], declared, ["y", "h"])


@pytest.mark.parametrize("kind", KINDS)
def test_weights_that_do_not_fit(kind: str) -> None:
    """Parts of them would be left over, or missing."""
    rows = GATES[kind] * HIDDEN
    assert kind.lower() in op_names(load(shaped(kind)))
    for shape in ((1, rows + 1, 2), (2, rows, 2), (1, 2 * rows, 2), (1, "rows", 2)):
        assert "do not fit 1 directions of 3 hidden units" in refusal(shaped(kind, w=shape))
    assert "do not fit 2 directions of 3 hidden units" in refusal(shaped(kind, direction="bidirectional"))
    assert "of 4 hidden units" in refusal(shaped(kind, said=4))
    assert "hidden units" in refusal(shaped(kind, said=None, r=(1, rows, "hidden")))
    assert "number of input features is only known at run time" in refusal(shaped(kind, w=(1, rows, "features")))
    for shape in ((1, rows + 1, HIDDEN), (2, rows, HIDDEN), (1, rows, HIDDEN + 1)):
        assert f"are not of shape [1, {rows}, 3]" in refusal(shaped(kind, r=shape))
    for shape in ((1, 2 * rows + 1), (1, 3 * rows), (2, 2 * rows), (1, rows)):
        assert f"are not of shape [1, {2 * rows}]" in refusal(shaped(kind, b=shape))
    assert kind.lower() in op_names(load(shaped(kind, r=("d", rows, HIDDEN), b=("d", 2 * rows))))


def test_peepholes_that_do_not_fit() -> None:
    assert "recurrent_layer" in op_names(load(shaped("LSTM", p=(1, 3 * HIDDEN))))
    for shape in ((1, 3 * HIDDEN + 1), (1, 4 * HIDDEN), (2, 3 * HIDDEN), (1, 2 * HIDDEN)):
        assert "are not of shape [1, 9]" in refusal(shaped("LSTM", p=shape))
    assert "recurrent_layer" in op_names(load(shaped("LSTM", p=("d", 3 * HIDDEN))))


@pytest.mark.parametrize("opset", [14, 22])
@pytest.mark.parametrize("kind", KINDS)
def test_layouts_that_do_not_exist(kind: str, opset: int) -> None:
    proto, _ = layer(kind, opset=opset, layout=1)
    load(proto)
    (layout,) = [a for a in proto.graph.node[0].attribute if a.name == "layout"]
    layout.i = 2
    assert "layout=2 is none of 0, 1" in refusal(proto)


def test_activations_are_as_many_as_the_layer_has() -> None:
    for names in (["Tanh", "Relu"], ["Sigmoid", "Tanh", "Tanh", "Tanh"], ["Sigmoid", "Tanh", "Cosine"], []):
        assert f"activations={names} are not 3 that ONNX has" in refusal(_with_activations("LSTM", names))
    assert "are not 2 that ONNX has" in refusal(_with_activations("RNN", ["Relu", "Tanh", "Relu"], "bidirectional"))
    for name, op in (("Relu", "rnn"), ("Tanh", "rnn"), ("Sigmoid", "recurrent_layer")):
        assert op in op_names(load(_with_activations("RNN", [name])))


def _with_activations(kind: str, names: list[str], direction: str = "forward") -> onnx.ModelProto:
    proto, _ = layer(kind, direction)
    proto.graph.node[0].attribute.append(
        onnx.helper.make_attribute("activations", names, attr_type=onnx.AttributeProto.STRINGS)
    )
    return proto


# -- names ----------------------------------------------------------------------------------------------------------
def two_layers(first: tuple[str, str], second: tuple[str, str], path: list[Any] | None = None) -> Model:
    """Two layers in a row, their weights and recurrent weights named so."""
    stored, steps = {}, []
    for (w, r), (source, target), features in ((first, ("x", "t"), 2), (second, ("u", "y"), 3)):
        stored |= {w: floats(1, 12, features), r: floats(1, 12, 3, seed=1)}
        steps.append(node("LSTM", f"{source} {w} {r}", target, hidden_size=3))
    if path is not None:
        for step in steps:
            step.metadata_props.add(key="isomorph.scope", value=json.dumps(path))
    stored["axes"] = np.array([1])
    nodes = [steps[0], node("Squeeze", "t axes", "u"), steps[1]]
    proto = model(nodes, [("x", FLOAT, [TIME, BATCH, 2])], ["y"], stored)
    return agree(proto, {"x": floats(TIME, BATCH, 2)})


def test_parts_are_named_as_those_of_layers() -> None:
    """After the module, else what the file calls the weights, else the operator; further layers count up."""
    assert list(two_layers(("encoder", "a"), ("decoder", "b")).weights) == [
        "encoder.weight_ih_l0", "encoder.weight_hh_l0", "decoder.weight_ih_l0", "decoder.weight_hh_l0",
    ]  # fmt: skip
    numbered = [f"{{}}.weight_{p}_l{i}" for i in (0, 1) for p in ("ih", "hh")]
    assert list(two_layers(("123", "a"), ("124", "b")).weights) == [n.format("lstm") for n in numbered]
    inside = two_layers(("one", "a"), ("two", "b"), [["body", "Body", 0], ["rnn", "LSTM", 0]])
    assert list(inside.weights) == [n.format("body.rnn") for n in numbered]


def test_parts_of_computed_weights_are_joined_where_they_are_several() -> None:
    for kind in KINDS:
        rows = GATES[kind] * 3
        stored = {
            "one": np.float32(1.5),
            "w": floats(1, rows, 2),
            "r": floats(1, rows, 3, seed=1),
            "b": floats(1, 2 * rows, seed=2),
        }
        nodes = [node("Mul", f"{n} one", f"{n}c") for n in "wrb"]
        nodes.append(node(kind, "x wc rc bc", "y", hidden_size=3))
        taken = agree(model(nodes, [("x", FLOAT, [4, 2, 2])], ["y"], stored), {"x": floats(4, 2, 2)})
        assert op_names(taken).count("concat") == (0 if kind == "RNN" else 4)


def test_a_third_layer_counts_on() -> None:
    stored: dict[str, Any] = {"axes": np.array([1])}
    nodes = []
    for i in range(3):
        stored |= {f"{i}": floats(1, 3, 3, seed=i), f"1{i}": floats(1, 3, 3, seed=i + 3)}
        nodes += [node("RNN", f"x{i} {i} 1{i}", f"t{i}", hidden_size=3), node("Squeeze", f"t{i} axes", f"x{i + 1}")]
    taken = agree(model(nodes, [("x0", FLOAT, [4, 2, 3])], ["x3"], stored), {"x0": floats(4, 2, 3)})
    assert list(taken.weights) == [f"rnn.weight_{p}_l{i}" for i in range(3) for p in ("ih", "hh")]
