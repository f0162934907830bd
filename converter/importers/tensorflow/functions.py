"""Live functions: a concrete function's graph, the variables that it captures, its structured signature."""

from __future__ import annotations

import re
from typing import Any

import numpy as np

from converter.errors import UsageError
from converter.importers.base import ImportOptions, Planner
from converter.importers.tensorflow import rules
from converter.importers.tensorflow.finish import finish
from converter.importers.tensorflow.graph import Frame, GraphImporter
from converter.importers.tensorflow.handles import Strings, Unknown, Variable
from converter.importers.tensorflow.quantised import KINDS, Quantised
from converter.importers.tensorflow.recorder import Record
from converter.importers.tensorflow.scopes import Places
from converter.importers.tensorflow.signature import Leaves, is_loaded, ordered, pack, pack_results
from converter.importers.tensorflow.sources import Opened, open_live, parameter_names
from converter.importers.tensorflow.tables import Live
from converter.importers.tensorflow.wiring import Key, Library
from ir.core import Builder, Model, Parameter, Signature
from ir.core.signature import result_tree, tree_of
from ir.data import Array, Lazy, Weight
from ir.types import DType, TensorType, dtype
from ir.types.dim import recording_assumptions


def load(source: Any, inputs: Any, options: ImportOptions) -> Model:
    """A live function, or what calls a module, as a model."""
    rules.register()
    opened = open_live(source, inputs, options.dynamic)
    name = re.sub(r"^__inference_(.+)_\d+$", r"\1", opened.function.function_def.signature.name)
    if name in ("__call__", "call", "function", "bound_method_wrapper") and () in opened.tree.classes:
        name = opened.tree.classes[()]
    model = Model(options.name or name)
    model.modules = {".".join(path): cls for path, cls in opened.tree.classes.items()}
    plan = Planner(f"the function {name!r}")
    reader = _Reader(opened, model, plan, options)
    with recording_assumptions() as assumptions:
        reader.run()
    finish(reader.importer, assumptions)
    return model


class _Reader:
    """One reading of a concrete function."""

    def __init__(self, opened: Opened, model: Model, plan: Planner, options: ImportOptions) -> None:
        self.opened, self.function, self.model = opened, opened.function, model
        self.proto = self.function.graph.as_graph_def()
        self.importer = GraphImporter(Library(self.proto.library), model, plan, options)
        self.importer.places = Places(opened.tree.classes)

    def run(self) -> None:
        """Fill the model; raises ConversionError with everything refused."""
        graph = self.function.graph
        result, outputs = result_tree(pack_results(self.function), _is_tensor)
        keys = [key_of(t) for _, t in outputs]
        body = self.importer.library.graph(self.proto, keys, [op.name for op in graph.control_outputs], "the function")
        frame = Frame(Builder(self.model.graph), body, (), self._records(graph))
        parameters = self._bind_inputs(frame)
        self._bind_captures(frame)
        self.importer.run(frame)
        self.importer.plan.check()
        self.model.graph.set_outputs(self._output(name, key, frame) for (name, _), key in zip(outputs, keys))
        self.model.signature = Signature(parameters, result)
        if self.opened.whole:
            self._keep_unread()

    def _records(self, graph: Any) -> Record | None:
        """What was seen while the function was traced, those that it calls included."""
        recorder = self.opened.recorder
        if recorder is None:
            return None
        found = {name: recorder.of(inner) for name, inner in recorder.functions.items()}
        self.importer.records = {name: record for name, record in found.items() if record is not None}
        return recorder.of(graph)

    def _output(self, name: str, key: Key, frame: Frame) -> Any:
        value = None
        with self.importer.plan.collecting(f"output {name!r}"):
            value = self.importer.tensor(frame.find(key), frame)
        self.importer.plan.check()
        return value

    # -- inputs -------------------------------------------------------------------------------------------------
    def _bind_inputs(self, frame: Frame) -> tuple[Parameter, ...]:
        structure = self.function.structured_input_signature
        args, kwargs = pack(ordered(structure) if is_loaded(self.function) else structure, self.function.inputs)
        names = parameter_names(self.function)
        try:
            trees = [(n, tree_of(given, n, _is_tensor), n in kwargs) for n, given in [*zip(names, args), *kwargs.items()]]
        except TypeError as error:
            raise UsageError(f"{error}: wrap the function in one that takes tensors alone") from None
        leaves = Leaves(self.importer, self.opened.given)
        leaves.bind([(name, key_of(t), t.shape, t.dtype) for _, (_, found), _ in trees for name, t in found], frame)
        return tuple(Parameter(name, tree, keyword) for name, (tree, _), keyword in trees)

    # -- captures -----------------------------------------------------------------------------------------------
    def _bind_captures(self, frame: Frame) -> None:
        variables = {id(v.handle): v for v in self.function.graph.variables}
        for outer, inner in self.function.graph.captures:
            variable = variables.get(id(outer))
            if variable is not None:
                frame.names[key_of(inner)] = self._variable(variable)
            elif outer.dtype.name == "resource":
                frame.names[key_of(inner)] = Live(inner.name, outer)
            elif outer.dtype.name == "variant":
                frame.names[key_of(inner)] = Unknown(inner.name, "variant of no kind that is known")
            elif outer.dtype.name == "string":
                frame.names[key_of(inner)] = Strings(np.asarray(outer.numpy(), object))
            else:
                name, kind = inner.op.name.rsplit("/", 1)[-1].lower(), outer.dtype.name
                ref = self.importer.stored(name, Array(outer.numpy()))
                frame.names[key_of(inner)] = Quantised(kind, ref) if kind in KINDS else ref

    def _variable(self, variable: Any) -> Variable:
        weight = self._weight(variable)
        if weight is None:
            return Variable(variable.name, None)
        record = {"kind": weight.kind, "trainable": weight.trainable, "aliases": weight.aliases}
        return Variable(variable.name, self.importer.stored(weight.name, weight.data, record))

    def _weight(self, variable: Any) -> Weight | None:
        """What a variable is; None for one that holds no numbers."""
        kind = _element(variable.dtype)
        if kind is None:
            return None
        names = self.opened.tree.names(variable) or [variable.name.split(":")[0].replace("/", ".")]
        data = Lazy(lambda: variable.numpy(), TensorType(kind, tuple(variable.shape)))
        trainable = bool(variable.trainable) and (kind.is_float or kind.is_complex)
        return Weight(names[0], data, "parameter" if trainable else "buffer", trainable, tuple(names[1:]))

    def _keep_unread(self) -> None:
        """Variables that no node reads are part of a module all the same; all keep the order of its attributes."""
        weights = [w for v in self.opened.tree.all_variables() if (w := self._weight(v)) is not None]
        for weight in weights:
            if weight.name not in self.model.weights:
                self.model.add_weight(weight)
        held = self.model.weights
        self.model.weights = {n: held[n] for n in dict.fromkeys([*(w.name for w in weights), *held])}


def _element(kind: Any) -> DType | None:
    try:
        return dtype(kind.name)
    except TypeError:
        return None


def key_of(tensor: Any) -> Key:
    """A symbolic tensor's place in its graph."""
    return tensor.op.name, tensor.value_index


def _is_tensor(item: Any) -> bool:
    return hasattr(item, "op") and hasattr(item, "value_index")
