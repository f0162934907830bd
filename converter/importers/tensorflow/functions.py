"""Live functions: a concrete function's graph, the variables that it captures, its structured signature."""

from __future__ import annotations

import re
from typing import Any

from converter.errors import UsageError
from converter.importers.base import ImportOptions, Planner
from converter.importers.partial.values import Ref
from converter.importers.tensorflow import rules
from converter.importers.tensorflow.graph import Frame, GraphImporter
from converter.importers.tensorflow.handles import Unknown, Variable
from converter.importers.tensorflow.wiring import Key, Library
from ir.core import Builder, Model, Parameter, Signature
from ir.core.signature import result_tree, tree_of
from ir.data import Array, Lazy
from ir.types import Dim, TensorType, dtype, symbol
from ir.types.dim import recording_assumptions


def load(source: Any, inputs: Any, options: ImportOptions) -> Model:
    """A concrete function as a model."""
    rules.register()
    function = concrete(source, inputs)
    name = re.sub(r"^__inference_(.+)_\d+$", r"\1", function.function_def.signature.name)
    model = Model(options.name or name)
    plan = Planner(f"the function {name!r}")
    proto = function.graph.as_graph_def()
    importer = GraphImporter(Library(proto.library), model, plan, options)
    with recording_assumptions() as assumptions:
        _Reader(importer, function, proto).run()
    importer.assume(assumptions)
    model.assumptions.extend(dict.fromkeys(importer.assumptions))
    model.metadata = {"framework": "tensorflow", "versions": {"tensorflow": _version()}}
    return model


def _version() -> str:
    import tensorflow as tf

    return str(tf.__version__)


def concrete(source: Any, inputs: Any) -> Any:
    """The concrete function of a source."""
    if hasattr(source, "structured_input_signature"):
        return source
    if hasattr(source, "get_concrete_function"):
        return source.get_concrete_function(*(inputs or ()))
    raise UsageError(f"a {type(source).__name__} is no function of TensorFlow")


class _Reader:
    """One reading of a concrete function."""

    def __init__(self, importer: GraphImporter, function: Any, proto: Any) -> None:
        self.importer, self.function, self.proto = importer, function, proto
        self.model = importer.model

    def run(self) -> None:
        """Fill the importer's model; raises ConversionError with everything refused."""
        result, outputs = result_tree(self.function.structured_outputs, _is_tensor)
        effects = [op.name for op in self.function.graph.control_outputs]
        library = self.importer.library
        body = library.graph(self.proto, [key_of(t) for _, t in outputs], effects, "the function")
        frame = Frame(Builder(self.model.graph), body)
        parameters = self._bind_inputs(frame)
        self._bind_captures(frame)
        self.importer.run(frame)
        self.importer.plan.check()
        self.model.graph.set_outputs(self.importer.value(frame.find(key_of(t)), frame) for _, t in outputs)
        self.model.signature = Signature(parameters, result)

    def _bind_inputs(self, frame: Frame) -> tuple[Parameter, ...]:
        args, kwargs = self.function.structured_input_signature
        names = [p.name for p in self.function.function_type.parameters.values()]
        flat = iter(self.function.inputs)
        parameters = []
        for name, given in [*zip(names, args), *kwargs.items()]:
            tree, leaves = tree_of(given, name, _is_spec)
            parameters.append(Parameter(name, tree, name in kwargs))
            for leaf, _ in leaves:
                tensor = next(flat)
                shape = tuple(self._size(leaf, i) if d is None else d for i, d in enumerate(tensor.shape))
                value = self.model.graph.add_input(TensorType(dtype(tensor.dtype.name), shape), leaf)
                frame.names[key_of(tensor)] = Ref(value.type, value)
        return tuple(parameters)

    def _size(self, leaf: str, axis: int) -> Dim:
        return symbol(self.importer.fresh_symbol(f"{leaf}_{axis}".replace(".", "_")))

    def _bind_captures(self, frame: Frame) -> None:
        variables = {id(v.handle): v for v in self.function.graph.variables}
        for outer, inner in self.function.graph.captures:
            variable = variables.get(id(outer))
            if variable is not None:
                frame.names[key_of(inner)] = self._variable(variable)
            elif outer.dtype.name in ("resource", "variant"):
                frame.names[key_of(inner)] = Unknown(inner.name, outer.dtype.name)
            else:
                frame.names[key_of(inner)] = self.importer.stored(inner.op.name, Array(outer.numpy()))

    def _variable(self, variable: Any) -> Variable:
        name = variable.name.split(":")[0]
        record = {"kind": "parameter" if variable.trainable else "buffer", "trainable": bool(variable.trainable)}
        kind = TensorType(dtype(variable.dtype.name), tuple(variable.shape))
        return Variable(name, self.importer.stored(name, Lazy(variable.numpy, kind), record))


def key_of(tensor: Any) -> Key:
    """A symbolic tensor's place in its graph."""
    return tensor.op.name, tensor.value_index


def _is_tensor(item: Any) -> bool:
    return hasattr(item, "op") and hasattr(item, "value_index")


def _is_spec(item: Any) -> bool:
    return type(item).__name__ in ("TensorSpec", "BoundedTensorSpec")
