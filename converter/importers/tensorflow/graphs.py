"""A graph of a file to a model."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from converter.errors import UsageError
from converter.importers.base import ImportOptions, Planner
from converter.importers.examples import match
from converter.importers.tensorflow import frozen, rules, savedmodel
from converter.importers.tensorflow.boundary import check_text
from converter.importers.tensorflow.filegraph import FileGraph, check_ops
from converter.importers.tensorflow.finish import finish
from converter.importers.tensorflow.graph import Frame, GraphImporter
from converter.importers.tensorflow.handles import Variable
from converter.importers.tensorflow.hulls import settle_activations, settle_modules, settle_names
from converter.importers.tensorflow.scopes import Places
from converter.importers.tensorflow.signature import Leaves
from converter.importers.tensorflow.tables import Filed
from converter.importers.tensorflow.wiring import Library
from ir.core import Builder, Model, Signature
from ir.types.dim import recording_assumptions


def open_graph(path: Path, options: ImportOptions) -> FileGraph:
    """The graph of a SavedModel's folder or of a `.pb` file, checked. Raises UsageError for a file that is none, and
    ConversionError naming ops that are not known to be safe."""
    if path.name == "saved_model.pb":
        path = path.parent
    if not path.exists():
        raise UsageError(f"{path}: no such file or folder")
    found = savedmodel.read(path, options) if path.is_dir() else frozen.read(path, options)
    check_text(found)
    check_ops(found, options.trust)
    return found


def load(found: FileGraph, inputs: Any, options: ImportOptions) -> Model:
    """A graph of a file as a model."""
    rules.register()
    model = Model(options.name or "model")
    plan = Planner(found.label)
    library = Library(found.graph.library)
    importer = GraphImporter(library, model, plan, options)
    importer.frozen = found.frozen
    importer.places = Places({}, found.loose)
    names = [f.name for f in found.feeds]
    body = library.graph(found.graph, [k for _, k in found.fetches], (), found.label, found.frozen)
    frame = Frame(Builder(model.graph), body)
    with recording_assumptions() as assumptions:
        Leaves(importer, match(inputs, names)).bind([(f.name, f.key, f.shape, f.dtype) for f in found.feeds], frame)
        for node, (name, data, trains) in found.held.items():
            record = {"kind": "buffer" if trains is False else "parameter", "trainable": trains}
            if not (data.type.dtype.is_float or data.type.dtype.is_complex):
                record = {"kind": "buffer", "trainable": False}
            ref = importer.stored(name, data, record)
            variable = Variable(name, ref)
            handle = body.nodes[node].node.op == "VarHandleOp"
            frame.names[(node, 0)] = variable if handle else importer.state.own(variable)
        for node, contents in found.tables.items():
            frame.names[(node, 0)] = Filed(contents)
        importer.run(frame)
        plan.check()
        values = []
        for name, key in found.fetches:
            with plan.collecting(f"output {name!r}"):
                values.append(importer.tensor(frame.find(key), frame))
        plan.check()
        model.graph.set_outputs(values)
        model.signature = Signature(found.parameters, found.result)
    finish(importer, assumptions)
    settle_modules(model)
    settle_names(model, found.loose)
    settle_activations(model)
    if found.served_as is not None:
        model.metadata["served_as"] = found.served_as
    return model
