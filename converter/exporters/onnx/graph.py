"""From a lowered IR model to an ONNX graph: emits every node by its rule and keeps track of names."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from converter.errors import Unsupported
from converter.exporters.base import refusal
from converter.exporters.onnx.context import Context, Frame, Refusal, Tensor
from converter.exporters.onnx.dtypes import onnx_type
from converter.exporters.onnx.lowering import raise_refused
from converter.exporters.onnx.names import Names
from converter.exporters.onnx.table import RULES
from ir.core import Graph, Model, Node, Origin, Value
from ir.types import Dim, DimExpr, TensorType

if TYPE_CHECKING:
    import onnx


@dataclass
class Built:
    """A finished ONNX graph without its weights, and the ONNX names of weights, inputs, outputs and state."""

    graph: onnx.GraphProto
    weights: dict[str, str]  # weight name -> initialiser name
    renamed: dict[str, str]  # ONNX name of an input or output -> flat name, where they differ
    state: dict[str, str] = field(default_factory=dict)  # weight name -> output that holds its next value
    notes: list[str] = field(default_factory=list)


class GraphWriter:
    """Writes one model."""

    def __init__(self, model: Model, opset: int) -> None:
        self.model = model
        self.inputs = [v.name for v in model.graph.inputs]
        self.outputs = list(model.signature.output_names)
        names = Names()
        self.input_names = [names.unique(n) for n in self.inputs]
        self.output_names = [names.unique(n) for n in self.outputs]
        self.weight_names = {n: names.unique(n) for n in model.weights}
        self.c = Context(opset, names)
        self.c.emit_body = self.body
        self.refused: list[Unsupported] = []

    def build(self) -> Built:
        """Emit the graph; raises ConversionError listing every node refused."""
        c = self.c
        for weight in self.model.weights.values():
            value = self.model.weight_value(weight.name)
            c.frame.values[value] = Tensor(self.weight_names[weight.name], weight.type.dtype)
        for value, name in zip(self.model.graph.inputs, self.input_names, strict=True):
            c.frame.values[value] = tensor = Tensor(name, value.type.dtype)
            c.sizes.define(tensor, value.type)
        infos = self.nodes(self.model.graph)
        raise_refused(self.refused)
        results = [c.value(v) for v in self.model.graph.outputs]
        types = [v.type for v in self.model.graph.outputs]
        state = self._state()
        names = [*self.output_names, *state.values()]
        results += [c.value(self.model.state[n]) for n in state]
        types += [self.model.state[n].type for n in state]
        self._name_outputs(results, names)
        graph = self._proto(infos, names, types, state)
        pairs = zip([*self.input_names, *self.output_names], [*self.inputs, *self.outputs], strict=True)
        renamed = {onnx_name: flat for onnx_name, flat in pairs if onnx_name != flat}
        return Built(graph, self.weight_names, renamed, state, c.notes)

    # -- nodes --------------------------------------------------------------------------------------------------
    def nodes(self, graph: Graph) -> list[onnx.ValueInfoProto]:
        """Emit the nodes of a graph into the current frame; returns the types of their outputs."""
        infos = []
        for node in graph:
            self.c.origin = node.origin
            results = self._emit(node)
            for value, tensor in zip(node.outputs, results, strict=True):
                self.c.frame.values[value] = tensor
                if tensor.name:
                    self.c.sizes.define(tensor, value.type)
                    infos.append(value_info(tensor.name, value.type))
        return infos

    def _emit(self, node: Node) -> tuple[Tensor, ...]:
        """The output tensors of a node; those of a refused one have no name, and whatever reads them is skipped."""
        if any(not self.c.value(v).name for v in node.inputs):
            return tuple(Tensor("", v.type.dtype) for v in node.outputs)
        try:
            result = RULES[node.op.name].write(self.c, node)
        except Refusal as error:
            self.refused.append(refusal(node, str(error), RULES.file_of(node)))
            return tuple(Tensor("", v.type.dtype) for v in node.outputs)
        results = tuple(result) if isinstance(result, (tuple, list)) else (result,)
        for value, tensor in zip(node.outputs, results, strict=True):
            if tensor.dtype != value.type.dtype:
                raise AssertionError(f"the rule of {node.op.name} gives {tensor.dtype} for {value.type}")
        return results

    def body(self, graph: Graph, name: str, inputs: list[tuple[Value, Tensor]], extra: Any = None) -> onnx.GraphProto:
        """A body as a GraphProto whose inputs are `inputs`; `extra(c)` may emit after the nodes and return the outputs."""
        from onnx import helper

        c = self.c
        outer, origin = c.frame, c.origin
        c.frame = Frame(parent=outer)
        try:
            for value, tensor in inputs:
                c.frame.values[value] = tensor
                c.sizes.define(tensor, value.type)
            infos = self.nodes(graph)
            results = extra(c) if extra is not None else [c.value(v) for v in graph.outputs]
            types = [v.type for v in graph.outputs]
            outs = [self._fresh_output(t) for t in results]
            declared = [value_info(o.name, t) for o, t in zip(outs[-len(types) :], types, strict=True)] if types else []
            infos = [i for i in infos if i.name not in {d.name for d in declared}]
            return helper.make_graph(c.frame.nodes, c.names.unique(name), [], declared, value_info=infos)
        finally:
            c.frame, c.origin = outer, origin

    def _fresh_output(self, tensor: Tensor) -> Tensor:
        """A tensor made in the current frame that no other output is: what a body must return."""
        return self.c.raw("Identity", [tensor], [tensor.dtype], {})[0]

    # -- outputs --------------------------------------------------------------------------------------------------
    def _state(self) -> dict[str, str]:
        """Weights whose value changes in inference, and the names of the outputs that hold the next value."""
        changed = {}
        for name, value in self.model.state.items():
            if self.c.value(value).name != self.weight_names[name]:
                changed[name] = self.c.names.unique(f"{name}.next")
        return changed

    def _name_outputs(self, results: list[Tensor], names: list[str]) -> None:
        """Give the tensors of the outputs their names: by renaming what nodes make, else by an Identity node."""
        made = {o for n in self.c.frame.nodes for o in n.output}
        renames: dict[str, str] = {}
        self.c.origin = Origin()
        for tensor, name in zip(results, names, strict=True):
            if tensor.name == name:
                continue
            if tensor.name in made and tensor.name not in renames:
                renames[tensor.name] = name
            else:
                node = self.c.raw("Identity", [tensor], [tensor.dtype], {})[0]
                renames[node.name] = name
        rename(self.c.frame.nodes, renames)
        self.renames = renames

    def _proto(
        self, infos: list[onnx.ValueInfoProto], names: list[str], types: list[TensorType], state: dict[str, str]
    ) -> onnx.GraphProto:
        from onnx import helper

        taken = {*names, *self.input_names}
        for info in infos:
            info.name = self.renames.get(info.name, info.name)
        kept = {i.name: i for i in infos if i.name not in taken and i.name not in self.weight_names.values()}
        inputs = [value_info(n, v.type) for n, v in zip(self.input_names, self.model.graph.inputs, strict=True)]
        inputs += [value_info(self.weight_names[n], self.model.weights[n].type) for n in state]
        outputs = [value_info(n, t) for n, t in zip(names, types, strict=True)]
        return helper.make_graph(
            self.c.frame.nodes, self.model.name or "model", inputs, outputs, self.c.initializers, value_info=list(kept.values())
        )


def rename(nodes: Any, names: dict[str, str]) -> None:
    """Replace names in nodes and their subgraphs."""
    if not names:
        return
    for node in nodes:
        for field_ in (node.input, node.output):
            for i, name in enumerate(field_):
                if name in names:
                    field_[i] = names[name]
        for attribute in node.attribute:
            if attribute.HasField("g"):
                rename(attribute.g.node, names)


def value_info(name: str, type: TensorType) -> onnx.ValueInfoProto:
    """Name, element type and shape; sizes that are expressions have the expression's text where it has one symbol
    of its own, and stay open otherwise."""
    from onnx import helper

    return helper.make_tensor_value_info(name, onnx_type(type.dtype), [_dim(d) for d in type.shape])


def _dim(dim: Dim) -> int | str | None:
    if isinstance(dim, DimExpr):
        return str(dim) if dim.is_symbol else None
    return dim


