"""Names, module paths, functions, signatures and inputs."""

from __future__ import annotations

import json
from typing import Any

import numpy as np
import pytest
from onnx import TensorProto, helper

from converter.errors import ConversionError, UsageError
from converter.importers.onnx import load
from converter.importers.onnx.scopes import node_line, node_path
from ir.core import Branch, Leaf, Parameter, Signature
from ir.core.signature import to_json
from tests.importers.onnx.models import FLOAT, agree, floats, model, node, op_names

X: Any = ("x", FLOAT, ["n", 4])


def paths(name: str = "", **props: str) -> list[tuple[str, str]]:
    made = helper.make_node("Relu", ["x"], ["y"], name=name)
    for key, value in props.items():
        made.metadata_props.add(key=key.replace("__", "."), value=value)
    return [(s.name, s.cls) for s in node_path(made)]


def test_paths_from_names() -> None:
    assert paths("/enc/enc.0/MatMul") == [("enc", ""), ("0", "")]
    assert paths("/layers.0/attn/MatMul") == [("layers", ""), ("0", ""), ("attn", "")]
    assert paths("StatefulPartitionedCall/model/dense/MatMul;StatefulPartitionedCall/model/dense/BiasAdd") == [
        ("model", ""),
        ("dense", ""),
    ]
    assert paths("Conv_0") == paths("") == []


def test_paths_from_torch_metadata() -> None:
    got = paths(
        pkg__torch__onnx__name_scopes="['', 'layer1', 'layer1.0', 'layer1.0.conv1', 'conv2d']",
        pkg__torch__onnx__class_hierarchy="['net.Net', 'torch.nn.modules.container.Sequential', 'net.Block', "
        "'torch.nn.modules.conv.Conv2d', 'aten.conv2d.default']",
    )
    assert got == [("layer1", "Sequential"), ("0", "Block"), ("conv1", "Conv2d")]
    spaces = ": net.Net/fc: torch.nn.modules.linear.Linear/linear: aten.linear.default"
    assert paths(namespace=spaces) == [("fc", "Linear")]


def test_own_scopes_come_first() -> None:
    own = json.dumps([["blocks", "ModuleList", 0], ["1", "Block", 2]])
    made = helper.make_node("Relu", ["x"], ["y"], name="/other/Relu")
    made.metadata_props.add(key="isomorph.scope", value=own)
    assert [(s.name, s.cls, s.call) for s in node_path(made)] == [("blocks", "ModuleList", 0), ("1", "Block", 2)]


def test_source_line() -> None:
    made = helper.make_node("Relu", ["x"], ["y"])
    trace = 'File "/a/b/run.py", line 3, in <module>\nFile "/a/b/net.py", line 12, in forward\n    return x'
    made.metadata_props.add(key="pkg.torch.onnx.stack_trace", value=trace)
    assert node_line(made) == "net.py:12"


def _function(name: str, nodes: list[Any], **fields: Any) -> Any:
    return helper.make_function(
        "local", name, fields.pop("inputs", ["a"]), ["r"], nodes,
        [helper.make_opsetid("", 17), helper.make_opsetid("local", 1)], **fields,
    )  # fmt: skip


def _reference(op: str, inputs: list[str], output: str, attribute: str, source: str) -> Any:
    made = helper.make_node(op, inputs, [output])
    made.attribute.add(name=attribute, ref_attr_name=source, type=1)
    return made


def test_functions_are_scopes() -> None:
    """Nested calls, attributes passed down and by default; each call is an instance."""
    leaky = _function("Leaky", [_reference("LeakyRelu", ["a"], "r", "alpha", "slope")], attributes=["slope"])
    inner = helper.make_node("Leaky", ["a"], ["h"], domain="local")
    inner.attribute.add(name="slope", ref_attr_name="steep", type=1)
    twice = _function(
        "Twice", [inner, _reference("Elu", ["h"], "r", "alpha", "steep")],
        attribute_protos=[helper.make_attribute("steep", 0.5)],
    )  # fmt: skip
    calls = [
        helper.make_node("Twice", ["x"], ["b"], name="first", domain="local", steep=0.25),
        helper.make_node("Twice", ["b"], ["y"], name="second", domain="local"),
    ]
    proto = model(calls, [X], ["y"], functions=[leaky, twice], domains=[("local", 1)])
    taken = agree(proto, {"x": floats(3, 4)})
    assert op_names(taken) == ["leaky_relu", "elu"] * 2
    assert [n.attrs["alpha"] for n in taken.graph] == [0.25, 0.25, 0.5, 0.5]
    assert [n.origin.scope for n in taken.graph] == ["first.Leaky", "first", "second.Leaky", "second"]
    assert [s.cls for s in next(iter(taken.graph)).origin.path] == ["Twice", "Leaky"]


def test_function_overloads() -> None:
    plain, other = (
        _function("F", [helper.make_node("Relu", ["a"], ["r"])]),
        _function("F", [helper.make_node("Neg", ["a"], ["r"])]),
    )
    other.overload = "negative"
    calls = [helper.make_node("F", ["x"], ["b"], domain="local"), helper.make_node("F", ["b"], ["y"], domain="local")]
    calls[1].overload = "negative"
    taken = load(model(calls, [X], ["y"], functions=[plain, other], domains=[("local", 1)]))
    assert op_names(taken) == ["relu", "neg"]


def test_refusals_inside_functions_are_named() -> None:
    bad = _function("F", [helper.make_node("StringNormalizer", ["a"], ["r"])])
    proto = model(
        [helper.make_node("F", ["x"], ["y"], name="block", domain="local")],
        [X],
        ["y"],
        functions=[bad],
        domains=[("local", 1)],
    )
    with pytest.raises(ConversionError) as caught:
        load(proto)
    assert caught.value.unsupported[0].op == "StringNormalizer-10"
    assert "block" in caught.value.unsupported[0].place


def test_functions_that_explode_are_stopped(monkeypatch: pytest.MonkeyPatch) -> None:
    """Each function calls the one below twice: 2 ** 30 nodes from a small file."""
    from converter.importers.onnx import graph

    monkeypatch.setattr(graph, "NODE_LIMIT", 5000)
    made = [_function("F0", [helper.make_node("Relu", ["a"], ["r"])])]
    for i in range(1, 30):
        calls = [
            helper.make_node(f"F{i - 1}", ["a"], ["h"], domain="local"),
            helper.make_node(f"F{i - 1}", ["h"], ["r"], domain="local"),
        ]
        made.append(_function(f"F{i}", calls))
    proto = model(
        [helper.make_node("F29", ["x"], ["y"], domain="local")], [X], ["y"], functions=made, domains=[("local", 1)]
    )
    with pytest.raises(UsageError, match="grows beyond"):
        load(proto)


def test_unsorted_graphs_are_sorted() -> None:
    nodes = [node("Neg", "h", "y"), node("Relu", "x", "h")]
    assert op_names(load(model(nodes, [X], ["y"]))) == ["relu", "neg"]


def test_nodes_the_outputs_do_not_need_are_left_out() -> None:
    nodes = [node("Relu", "x", "y"), helper.make_node("Frobnicate", ["x"], ["z"], domain="nowhere")]
    assert op_names(load(model(nodes, [X], ["y"]))) == ["relu"]


def test_signature() -> None:
    one = load(model([node("Relu", "x", "y")], [X], ["y"]))
    assert one.signature == Signature((Parameter("x", Leaf("x")),), Leaf("y"))
    two = load(model([node("Split", "x", "a b", axis=1)], [X], ["a", "b"], opset=13))
    assert two.signature.result == Branch("tuple", (Leaf("a"), Leaf("b")))


def test_recorded_signature() -> None:
    proto = model([node("Split", "x", "out.a out.b", axis=1)], [X], ["out.a", "out.b"], opset=13)
    tree = Branch("dict", (Leaf("out.a"), Leaf("out.b")), ("a", "b"))
    wanted = Signature((Parameter("x", Leaf("x")),), tree)
    proto.metadata_props.add(key="isomorph.signature", value=json.dumps(to_json(wanted)))
    assert load(proto).signature == wanted
    proto.graph.output[0].name = proto.graph.node[0].output[0] = "renamed"
    stale = load(proto)
    assert stale.signature.output_names == ("renamed", "out.b")
    assert any("recorded structure" in n for n in stale.notes)


def test_dims_of_inputs() -> None:
    """A name is one symbol wherever it stands; sizes without a name get one; odd names are made identifiers."""
    inputs: Any = [("x", FLOAT, ["batch", None]), ("z", FLOAT, ["batch", "seq len"])]
    taken = load(model([node("Relu", "x", "a"), node("Relu", "z", "b")], inputs, ["a", "b"]))
    assert [str(t) for t in taken.input_types.values()] == ["float32[batch, x_1]", "float32[batch, seq_len]"]


def test_inputs_given() -> None:
    proto = model([node("Relu", "x", "y")], [("x", FLOAT, None)], ["y"])
    with pytest.raises(UsageError, match=r"-i x:float32\[dim"):
        load(proto)
    assert str(load(proto, {"x": "float32[b,3]"}).input_types["x"]) == "float32[b, 3]"
    assert str(load(proto, [np.zeros((2, 3), np.float32)]).input_types["x"]) == "float32[2, 3]"
    ranked = model([node("Relu", "x", "y")], [X], ["y"])
    assert str(load(ranked, {"x": "float32[7,4]"}).input_types["x"]) == "float32[7, 4]"
    for bad, message in (
        ({"x": "float32[n,5]"}, "size 4"),
        ({"x": "int64[n,4]"}, "float32"),
        ({"q": "float32[1]"}, "no input q"),
    ):
        with pytest.raises(UsageError, match=message):
            load(ranked, bad)


def test_a_spec_holds_for_every_input_with_the_same_dim_name() -> None:
    """The file's `n` is one size; so is a name the caller shares with the file."""
    inputs: Any = [("x", FLOAT, ["n", 4]), ("z", FLOAT, ["n", "m"])]
    proto = model([node("Relu", "x", "a"), node("Relu", "z", "b")], inputs, ["a", "b"])
    fixed = load(proto, {"x": "float32[7,4]"})
    assert [str(t) for t in fixed.input_types.values()] == ["float32[7, 4]", "float32[7, m]"]
    renamed = load(proto, {"x": "float32[rows,4]"})
    assert [str(t) for t in renamed.input_types.values()] == ["float32[rows, 4]", "float32[rows, m]"]


def test_input_that_is_no_tensor() -> None:
    info = helper.make_tensor_sequence_value_info("x", TensorProto.FLOAT, None)
    proto = model([node("SequenceLength", "x", "y")], [], ["y@INT64"])
    proto.graph.input.append(info)
    with pytest.raises(ConversionError, match="no tensor but a sequence"):
        load(proto)


def test_origin() -> None:
    made = helper.make_node("Conv", ["x", "w"], ["y"], name="/stem/Conv")
    taken = load(model([made], [("x", FLOAT, [1, 2, 5, 5])], ["y"], {"w": floats(3, 2, 3, 3)}))
    origin = next(iter(taken.graph)).origin
    assert (origin.op, origin.name, origin.scope, origin.rule) == ("Conv-11", "/stem/Conv", "stem", "conv")
