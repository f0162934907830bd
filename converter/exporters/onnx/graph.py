"""From a lowered IR model to an ONNX graph: emits every node by its rule and keeps track of names."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from converter.errors import Unsupported
from converter.exporters.base import refusal
from converter.exporters.onnx.context import Bound, Context, Finish, Formal, Frame, Refusal, Tensor
from converter.exporters.onnx.dtypes import onnx_type
from converter.exporters.onnx.guards import guard
from converter.exporters.onnx.lowering import raise_refused
from converter.exporters.onnx.names import Names
from converter.exporters.onnx.table import RULES
from ir.core import Graph, Model, Node, Origin
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
    complex: dict[str, str] = field(default_factory=dict)  # flat name of an input or output -> complex type it stands for


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
        self.c.bodies = self
        self.c.source = str(model.metadata.get("framework", ""))
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
        guard(c, self.model)
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

    def body(self, graph: Graph, label: str, formals: Sequence[Formal], bound: Bound, finish: Finish) -> onnx.GraphProto:
        """A body as a GraphProto. `formals` are its ONNX inputs, `bound` the values it reads from around it; `finish`
        turns the tensors of its outputs into those ONNX wants, with their types, and may emit nodes for that.
        Raises Refusal where a node inside is refused."""
        from onnx import helper

        c = self.c
        outer, origin = c.frame, c.origin
        c.frame = Frame(parent=outer)
        try:
            inputs = [self._formal(f, label) for f in formals]
            infos = self.inline(graph, bound)
            pairs = finish([c.value(v) for v in graph.outputs], inputs)
            if any(not tensor.name for tensor, _ in pairs):
                c.refuse("its body holds an operation that cannot be written")
            outputs = [value_info(t.name, type) for t, type in zip(self._distinct([t for t, _ in pairs]), (y for _, y in pairs))]
            taken = {o.name for o in outputs}
            infos = [i for i in infos if i.name not in taken]
            declared = [value_info(t.name, f.type) for t, f in zip(inputs, formals, strict=True)]
            return helper.make_graph(c.frame.nodes, c.names.unique(label), declared, outputs, value_info=infos)
        finally:
            c.frame, c.origin = outer, origin

    def inline(self, graph: Graph, bound: Bound) -> list[onnx.ValueInfoProto]:
        """Emit a body's nodes into the current frame, its inputs being these tensors."""
        for value, tensor in bound:
            self.c.frame.values[value] = tensor
            self.c.sizes.define(tensor, value.type)
        return self.nodes(graph)

    def _formal(self, formal: Formal, label: str) -> Tensor:
        tensor = Tensor(self.c.names.unique(f"{label}/{formal.hint}"), formal.type.dtype)
        if formal.value is not None:
            self.c.frame.values[formal.value] = tensor
            self.c.sizes.define(tensor, formal.type)
        return tensor

    def _distinct(self, tensors: list[Tensor]) -> list[Tensor]:
        """Each made in the current frame, and no two the same: what a body must return."""
        made = {o for n in self.c.frame.nodes for o in n.output}
        out: list[Tensor] = []
        for tensor in tensors:
            fresh = tensor.name in made and all(tensor.name != t.name for t in out)
            out.append(tensor if fresh else self.c.raw("Identity", [tensor], [tensor.dtype], {})[0])
        return out

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


