"""ONNX's own backend cases: loaded, their data read, sorted into the kinds that results are told by."""

from __future__ import annotations

import warnings
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import onnx
from onnx import numpy_helper

KINDS = ("node", "simple", "pytorch-converted", "pytorch-operator", "light")
CATEGORIES = (
    "ordinary", "narrow", "bfloat16", "string", "sequence", "optional", "image", "random", "training", "ml",
)  # fmt: skip
"""ordinary: floats of 16 bits and more, integers of 8 and more, booleans, complex. narrow: 8-bit floats and types
below a byte."""

OWN_NOISE = {"test_dft_inverse": 1e-6, "test_dft_inverse_opset19": 1e-6}
"""Cases compared at an atol of their own: what the suite expects is off the exact zeros by more than its tolerance."""

_NARROW = {
    getattr(onnx.TensorProto, name)
    for name in dir(onnx.TensorProto)
    if name.startswith("FLOAT8") or name in ("INT4", "UINT4", "INT2", "UINT2", "FLOAT4E2M1")
}
_RANDOM_OPS = {
    "Bernoulli", "Multinomial", "RandomNormal", "RandomNormalLike", "RandomUniform", "RandomUniformLike",
}  # fmt: skip
_TRAINING_OPS = {"Gradient", "GraphCall", "Adagrad", "Adam", "Momentum"}
_IMAGE_OPS = {"ImageDecoder"}


@dataclass(frozen=True)
class Case:
    """One case: a model, its data sets (inputs, expected outputs) and the tolerance the suite compares with."""

    kind: str
    name: str
    category: str
    model: onnx.ModelProto = field(repr=False)
    data: tuple[tuple[tuple[Any, ...], tuple[Any, ...]], ...] = field(repr=False)
    rtol: float = 1e-3
    atol: float = 1e-7

    @property
    def label(self) -> str:
        """Unique in all kinds."""
        return f"{self.kind}/{self.name}"

    @property
    def drawn(self) -> bool:
        """Whether the outputs are random: only their shapes and types can be compared."""
        return self.category == "random" or any(drops(self.model, inputs) for inputs, _ in self.data)


def load_cases(kinds: tuple[str, ...] = KINDS) -> list[Case]:
    """Every case of these kinds, by label. `light` are the models whose graphs ship with onnx, weights generated."""
    from onnx.backend.test.loader import load_model_tests

    found = []
    for kind in kinds:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            raw = load_model_tests(kind="real" if kind == "light" else kind)
        if kind == "light":
            raw = [c for c in raw if c.url is not None and "/light/" in c.url]
        found += [_case(kind, c) for c in raw]
    return sorted(found, key=lambda c: c.label)


def _case(kind: str, raw: Any) -> Case:
    if raw.model is not None:
        model, data = raw.model, tuple((tuple(i), tuple(o)) for i, o in raw.data_sets)
    elif kind == "light":
        model, data = _light(raw)
    else:
        model = onnx.load(Path(raw.model_dir) / "model.onnx")
        data = tuple(_data_set(model, folder) for folder in sorted(Path(raw.model_dir).glob("test_data_set*")))
    return Case(kind, raw.name, category(model), model, data, raw.rtol, OWN_NOISE.get(raw.name, raw.atol))


def _light(raw: Any) -> tuple[onnx.ModelProto, Any]:
    """The suite's own input for these models (`generate_dummy_data`, not random), and the outputs that lie beside."""
    from onnx.backend.test.runner import Runner

    path = Path(onnx.__file__).parents[1] / raw.url
    model = onnx.load(path)
    stored = {t.name for t in model.graph.initializer}
    inputs = tuple(
        Runner.generate_dummy_data(i, seed=0, name=raw.model_name, random=False)
        for i in model.graph.input
        if i.name not in stored
    )
    prefix = str(path.with_suffix(""))
    outputs = tuple(_tensor(Path(f"{prefix}_output_{i}.pb")) for i in range(len(model.graph.output)))
    return model, ((inputs, outputs),)


def _data_set(model: onnx.ModelProto, folder: Path) -> tuple[tuple[Any, ...], tuple[Any, ...]]:
    def read(stem: str, infos: Any) -> tuple[Any, ...]:
        count = len(list(folder.glob(f"{stem}_*.pb")))
        return tuple(_value(folder / f"{stem}_{i}.pb", infos[i].type) for i in range(count))

    return read("input", model.graph.input), read("output", model.graph.output)


def _value(path: Path, kind: onnx.TypeProto) -> Any:
    if kind.WhichOneof("value") == "sequence_type":
        sequence = onnx.SequenceProto()
        sequence.ParseFromString(path.read_bytes())
        return numpy_helper.to_list(sequence)
    return _tensor(path)


def _tensor(path: Path) -> np.ndarray:
    tensor = onnx.TensorProto()
    tensor.ParseFromString(path.read_bytes())
    return numpy_helper.to_array(tensor)


def category(model: onnx.ModelProto) -> str:
    """The line a case is told on, from its ops and the types of its inputs and outputs."""
    nodes = list(_nodes(model.graph.node))
    ops = {n.op_type for n in nodes}
    domains = {n.domain for n in nodes} | {f.domain for f in model.functions if f.name in ops}
    types = [t for v in (*model.graph.input, *model.graph.output) for t in _types(v.type)]
    elements = {t.tensor_type.elem_type for t in types if t.HasField("tensor_type")}
    forms = {t.WhichOneof("value") for t in types}
    if "ai.onnx.ml" in domains:
        return "ml"
    if ops & _IMAGE_OPS:
        return "image"
    if ops & _TRAINING_OPS or any(d.startswith("ai.onnx.preview.training") for d in domains):
        return "training"
    if onnx.TensorProto.STRING in elements or "StringNormalizer" in ops:
        return "string"
    if "optional_type" in forms or any(op.startswith("Optional") for op in ops):
        return "optional"
    if "sequence_type" in forms or any("Sequence" in op and op != "ReverseSequence" for op in ops):
        return "sequence"
    if ops & _RANDOM_OPS or _random_body(model):
        return "random"
    if _trains(nodes):
        return "training"
    if elements & _NARROW:
        return "narrow"
    return "bfloat16" if onnx.TensorProto.BFLOAT16 in elements else "ordinary"


def _nodes(nodes: Any) -> Iterator[onnx.NodeProto]:
    for node in nodes:
        yield node
        for attribute in node.attribute:
            if attribute.type == onnx.AttributeProto.GRAPH:
                yield from _nodes(attribute.g.node)


def _types(kind: onnx.TypeProto) -> Iterator[onnx.TypeProto]:
    yield kind
    form = kind.WhichOneof("value")
    if form in ("sequence_type", "optional_type"):
        yield from _types(getattr(kind, form).elem_type)


def _random_body(model: onnx.ModelProto) -> bool:
    return model.graph.name.startswith("test_bernoulli")


def _trains(nodes: list[onnx.NodeProto]) -> bool:
    """Batch normalisation and dropout that train: statistics of the batch, elements dropped."""
    for node in nodes:
        if node.op_type == "BatchNormalization" and any(a.name == "training_mode" and a.i for a in node.attribute):
            return True
        if node.op_type == "Dropout" and len(node.input) == 3 and node.input[2]:
            return True
    return False


def drops(model: onnx.ModelProto, inputs: tuple[Any, ...]) -> bool:
    """Whether these inputs make a Dropout drop: it trains, by a ratio other than 0."""
    given = {i.name: v for i, v in zip(model.graph.input, inputs)}
    dropouts = [n for n in _nodes(model.graph.node) if n.op_type == "Dropout" and len(n.input) == 3]
    return any(bool(given.get(n.input[2])) and bool(given.get(n.input[1], 0.5)) for n in dropouts)


def with_known_sizes(case: Case) -> onnx.ModelProto:
    """The model with every input but the first fixed to its value: axes, sizes, pads are then in the file."""
    twin = onnx.ModelProto()
    twin.CopyFrom(case.model)
    stored = {t.name for t in twin.graph.initializer}
    open_inputs = [i for i in twin.graph.input if i.name not in stored]
    for info, value in list(zip(open_inputs, case.data[0][0]))[1:]:
        if isinstance(value, onnx.TensorProto):
            fixed = onnx.TensorProto()
            fixed.CopyFrom(value)
            fixed.name = info.name
            twin.graph.initializer.append(fixed)
        elif isinstance(value, (np.ndarray, np.generic)):
            twin.graph.initializer.append(numpy_helper.from_array(np.asarray(value), info.name))
    return twin
