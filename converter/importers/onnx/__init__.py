"""ONNX importer: opsets 7 to the newest that the installed onnx knows, by a rule for each op and version.

Which weights become parameters is said in `converter.importers.onnx.weights`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from converter.errors import Unsupported, UsageError
from converter.importers.base import ImportOptions, Planner, apply_trainable
from converter.importers.onnx.complex import held, restore
from converter.importers.onnx.inputs import InputTypes, given_specs
from converter.importers.onnx.reader import open_source
from converter.importers.partial.importer import keep_assumptions
from ir.core import Branch, Builder, Constant, Leaf, Model, Parameter, Signature, Value
from ir.types.dim import recording_assumptions

if TYPE_CHECKING:
    from converter.importers.onnx.graph import Frame, GraphImporter

__all__ = ["load"]


def load(source: Any, inputs: Any = None, *, options: ImportOptions | None = None) -> Model:
    """Read an ONNX model: a path, serialised bytes or a `ModelProto`.

    `inputs` adds or overrides shapes: specs (`"float32[batch,3]"`) or example arrays, by name or in order. Raises
    UsageError for a bad file or argument, ConversionError listing everything that cannot be converted exactly.
    """
    from converter.importers.onnx import rules
    from converter.importers.onnx.graph import Frame, GraphImporter

    rules.register()
    settings = options or ImportOptions()
    opened = open_source(source)
    graph = opened.model.graph
    model = Model(settings.name or graph.name or "model")
    plan = Planner(opened.label)
    importer: GraphImporter | None = None
    with plan.collecting("model functions"):
        importer = GraphImporter(opened, model, plan, settings)
    if importer is None:
        plan.check()
        raise AssertionError("the plan holds the refusal")
    frame = Frame(Builder(model.graph), opened.opsets)
    with recording_assumptions() as assumptions:
        importer.bind_stored(graph, frame, opened.label, opened.payloads)
        _bind_inputs(importer, frame, inputs)
        importer.run_nodes(graph.node, [o.name for o in graph.output], frame, opened.label)
        _refuse_sequences(importer, frame)
        plan.check()
        nexts = set(importer.recorded_file.state.values())
        model.graph.set_outputs(_output(importer, frame, o.name) for o in graph.output if o.name not in nexts)
        _restore_state(importer, frame)
    importer.assume(assumptions)
    _keep_unread(importer, frame)
    _finish(importer)
    return model


def _bind_inputs(importer: GraphImporter, frame: Frame, inputs: Any) -> None:
    from converter.importers.partial.values import Ref

    graph = importer.source.model.graph
    infos = [i for i in graph.input if i.name not in frame.names and i.name not in frame.poisoned]
    names = [importer.recorded_file.names.get(i.name, i.name) for i in infos]
    if repeated := next((n for n in names if names.count(n) > 1), None):
        raise UsageError(f"{importer.source.label}: two inputs are named {repeated!r}")
    specs = held(given_specs(inputs, names), importer.recorded_file.complex)
    types = InputTypes(importer.symbols)
    for info, name in zip(infos, names, strict=True):
        types.learn(info, specs.get(name))
    for info, name in zip(infos, names, strict=True):
        frame.poisoned.add(info.name)
        with importer.plan.collecting(f"input {info.name!r}"):
            if isinstance(specs.get(name), (bool, int, float)):
                frame.names[info.name] = types.fixed(info, specs[name])
                importer.fixed[name] = specs[name]
                frame.poisoned.discard(info.name)
                continue
            value = importer.model.graph.add_input(types.type(info, specs.get(name)), name)
            frame.names[info.name] = Ref(value.type, value)
            frame.poisoned.discard(info.name)


def _refuse_sequences(importer: GraphImporter, frame: Frame) -> None:
    from converter.importers.partial.values import Sequence

    for info in importer.source.model.graph.output:
        if isinstance(frame.names.get(info.name), Sequence):
            importer.plan.add(Unsupported(f"output {info.name!r}", "it is no tensor but a sequence"))


def _output(importer: GraphImporter, frame: Frame, name: str) -> Value:
    ref = frame.find(name)
    if ref is None:
        raise UsageError(f"{importer.source.label}: the output {name!r} is not defined")
    return importer.value(ref, frame)


def _restore_state(importer: GraphImporter, frame: Frame) -> None:
    """Next values that our exporter wrote as further outputs."""
    for stored, output in importer.recorded_file.state.items():
        ref = frame.find(stored)
        if ref is None or (weight := importer.model.weight_of(importer.value(ref, frame))) is None:
            continue
        if weight.name not in importer.model.state:
            importer.model.set_state(weight.name, _output(importer, frame, output))


def _keep_unread(importer: GraphImporter, frame: Frame) -> None:
    """Weights that no node reads (counters, position ids) are part of a model of our own all the same; all weights
    keep the file's order."""
    if not importer.recorded_file.ours:
        return
    order = []
    for tensor in importer.source.model.graph.initializer:
        ref = frame.names.get(tensor.name)
        if ref is not None and ref.stored is not None and ref.stored.record is not None:
            order.append(importer.value(ref, frame).name)
    weights = importer.model.weights
    importer.model.weights = {name: weights[name] for name in dict.fromkeys([*order, *weights]) if name in weights}


def _finish(importer: GraphImporter) -> None:
    """Signature, kinds of weights, metadata and notes of a model whose graph stands."""
    import onnx

    from converter.importers.partial.roles import classify

    model, source = importer.model, importer.source
    proto = source.model
    recorded = importer.recorded_file
    model.signature = _signature(importer)
    restore(model, recorded.complex)
    model.modules = dict(recorded.modules)
    model.notes[:0] = recorded.notes
    if recorded.ours:  # every weight carries its record: what has none is a constant of the exporter
        importer.recorded.update(model.weights)
    classify(model, importer.recorded, importer.options.trainable)
    apply_trainable(model, importer.options.trainable)
    keep_assumptions(model, importer.assumptions)
    producer = " ".join(p for p in (proto.producer_name, proto.producer_version) if p)
    model.metadata = {
        "framework": "onnx", "versions": {"onnx": onnx.__version__, "opset": str(source.opsets.get("", "")), "producer": producer},
        "source": source.label, "fingerprint": source.fingerprint,
    }  # fmt: skip
    if proto.training_info:
        model.notes.append("the training information of the file (its training graphs) is not carried over")
    if proto.graph.quantization_annotation:
        model.notes.append("quantisation annotations of the file are not carried over")


def _signature(importer: GraphImporter) -> Signature:
    """The structure our own exporter recorded, where it still fits; else one parameter for each input."""
    model, recorded = importer.model, importer.recorded_file
    inputs = tuple(v.name for v in model.graph.inputs)
    names = (o.name for o in importer.source.model.graph.output if o.name not in recorded.state.values())
    outputs = tuple(recorded.names.get(n, n) for n in names)
    signature = recorded.signature
    if signature is not None and signature.input_names == inputs and signature.output_names == outputs:
        return signature
    if recorded.ours:
        model.notes.append("the recorded structure of inputs and outputs does not fit this graph; flat names are used")
    leaves = tuple(Leaf(name) for name in outputs)
    result = leaves[0] if len(leaves) == 1 else Branch("tuple", leaves)
    order = [recorded.names.get(i.name, i.name) for i in importer.source.model.graph.input]
    fixed = {n: importer.fixed[n] for n in order if n in importer.fixed}
    given = [n for n in order if n in fixed or n in inputs] if fixed else list(inputs)
    return Signature(tuple(Parameter(n, Constant(fixed[n]) if n in fixed else Leaf(n)) for n in given), result)
