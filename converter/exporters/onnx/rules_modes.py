"""What differs between training and inference. An ONNX model is inference: training is told in a note."""

from __future__ import annotations

from typing import Any

from converter.exporters.onnx.context import Context, Tensor
from converter.exporters.onnx.table import expand, rule
from ir.core import Builder, Model, Node, Value
from ir.core.walk import copy_node, walk


@expand("by_mode")
def inference_only(b: Builder, node: Node, opset: int) -> Any:
    """The nodes of inference in place of the choice."""
    if node.attrs["symbols"]:
        raise NotImplementedError("its results have other sizes in training than in inference")
    body = node.bodies["infer"]
    mapping: dict[Value, Value] = dict(zip(body.inputs, node.operands["captures"], strict=True))
    for inner in body:
        b.insert(copy_node(inner, mapping))
    return tuple(mapping.get(v, v) for v in body.outputs)


@rule("stop_gradient")
def stop_gradient(c: Context, node: Node) -> Tensor:
    where = f" in {node.origin.scope}" if node.origin.scope else ""
    c.note(f"a detached tensor{where} is not detached in the ONNX model: trained further, gradients pass there")
    return c.x(node, "x")


def training_notes(model: Model) -> list[str]:
    """What an ONNX model leaves out of a model's training: the places whose behaviour differs there."""
    places = [str(n.origin.scope or "the model") for n in walk(model.graph) if n.op.name == "by_mode"]
    return [f"{place}: what it does in training only is not in the ONNX model" for place in dict.fromkeys(places)]
