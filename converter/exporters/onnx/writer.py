"""A model as an `.onnx` file: metadata, checks, and weights streamed into the file or beside it."""

from __future__ import annotations

import functools
import json
import math
from pathlib import Path
from typing import TYPE_CHECKING, Any, BinaryIO

from converter.errors import ConversionError
from converter.exporters.onnx.dtypes import onnx_type, raw_bytes, stored_bytes
from converter.exporters.onnx.graph import Built
from ir.core import Model
from ir.core.signature import to_json
from ir.data import Weight

if TYPE_CHECKING:
    import onnx

IR_VERSION = 10
"""The first version whose nodes and tensors carry metadata."""
PROTOBUF_LIMIT = 2**31 - 2**20
EXTERNAL_FROM = 1024
"""Weights of fewer bytes stay in the file also when the others do not."""
ALIGNMENT = 4096
WEIGHT_KEY = "isomorph.weight"
PREFIX = "isomorph."
_GRAPH_FIELD, _INITIALIZER_FIELD, _RAW_FIELD = 7, 5, 9


def write_model(model: Model, built: Built, opset: int, target: Path, external: bool) -> None:
    """Write the model; weights lie in `<target>.data` when asked or when the file would pass 2 GB.

    Raises ConversionError where ONNX's checker or its strict shape inference finds a fault.
    """
    proto = _model_proto(model, built, opset)
    check(proto, model, built)
    headers = [(w, _header(w, built.weights[w.name])) for w in model.weights.values()]
    size = proto.ByteSize() + sum(h.ByteSize() + nbytes(w) + 32 for w, h in headers)
    if external or size > PROTOBUF_LIMIT:
        _write_external(headers, target)
    _write_file(proto, headers, target)


def nbytes(weight: Weight) -> int:
    """How many bytes the weight takes in the file."""
    return stored_bytes(weight.type.dtype, math.prod(int(d) for d in weight.type.shape))


# -- the message ----------------------------------------------------------------------------------------------------
def _model_proto(model: Model, built: Built, opset: int) -> onnx.ModelProto:
    from onnx import helper

    proto = helper.make_model(
        built.graph, opset_imports=[helper.make_opsetid("", opset)], ir_version=IR_VERSION, producer_name="isomorph",
        producer_version=_version(),
    )  # fmt: skip
    properties = {
        "signature": to_json(model.signature), "modules": model.modules, "notes": [*model.notes, *built.notes],
        "source": {k: v for k, v in model.metadata.items() if _is_json(v)},
    }  # fmt: skip
    if built.renamed:
        properties["names"] = built.renamed
    if built.state:
        properties["state"] = {built.weights[name]: output for name, output in built.state.items()}
    if built.complex:
        properties["complex"] = built.complex
    for key, value in properties.items():
        entry = proto.metadata_props.add()
        entry.key, entry.value = PREFIX + key, json.dumps(value)
    return proto


@functools.cache
def _version() -> str:
    """Our own version; empty where the package runs without being installed."""
    from importlib.metadata import PackageNotFoundError, version

    try:
        return version("isomorph")
    except PackageNotFoundError:
        return ""


def _is_json(value: Any) -> bool:
    try:
        json.dumps(value)
    except TypeError:
        return False
    return True


def _header(weight: Weight, name: str) -> onnx.TensorProto:
    """A weight's tensor without its bytes."""
    from onnx import TensorProto

    tensor = TensorProto(name=name, data_type=onnx_type(weight.type.dtype), dims=[int(d) for d in weight.type.shape])
    record: dict[str, Any] = {"kind": weight.kind, "trainable": weight.trainable, "aliases": list(weight.aliases)}
    record["persistent"] = weight.persistent
    if name != weight.name:
        record["name"] = weight.name
    entry = tensor.metadata_props.add()
    entry.key, entry.value = WEIGHT_KEY, json.dumps(record)
    return tensor


# -- checking -------------------------------------------------------------------------------------------------------
def check(proto: onnx.ModelProto, model: Model, built: Built) -> None:
    """Run ONNX's checker with strict shape inference on the model, its weights standing as inputs of their types.

    Raises ConversionError with the checker's words: such a model is our mistake and is not written.
    """
    from google.protobuf.message import EncodeError
    from onnx import ModelProto, checker, shape_inference

    from converter.exporters.onnx.graph import value_info

    skeleton = ModelProto()
    skeleton.CopyFrom(proto)
    declared = {i.name for i in skeleton.graph.input}
    for weight in model.weights.values():
        if (name := built.weights[weight.name]) not in declared:
            skeleton.graph.input.append(value_info(name, weight.type))
    try:
        checker.check_model(skeleton, full_check=True)
    except (checker.ValidationError, shape_inference.InferenceError, EncodeError) as error:
        raise ConversionError(f"the ONNX model written does not pass ONNX's own checker: {error}") from None


# -- bytes ----------------------------------------------------------------------------------------------------------
def _write_external(headers: list[tuple[Weight, onnx.TensorProto]], target: Path) -> None:
    """Stream large weights to `<target>.data`, and point their tensors there."""
    from onnx import TensorProto

    data = target.with_name(target.name + ".data")
    with data.open("wb") as file:
        for weight, tensor in headers:
            length = nbytes(weight)
            if length < EXTERNAL_FROM:
                continue
            file.write(bytes(-file.tell() % ALIGNMENT))
            entries = {"location": data.name, "offset": str(file.tell()), "length": str(length)}
            file.write(raw_bytes(weight.data.numpy(), weight.type.dtype))
            tensor.data_location = TensorProto.EXTERNAL
            for key, value in entries.items():
                entry = tensor.external_data.add()
                entry.key, entry.value = key, value


def _write_file(proto: onnx.ModelProto, headers: list[tuple[Weight, onnx.TensorProto]], target: Path) -> None:
    """Write the message field by field, so that no second copy of the weights is ever in memory.

    A protobuf message is the concatenation of its fields: the model without its graph, then the graph, whose
    initialisers follow what else it has, each a small message with its bytes as the last field.
    """
    graph = proto.graph.SerializeToString(deterministic=True)
    proto.ClearField("graph")
    model = proto.SerializeToString(deterministic=True)
    heads = [h.SerializeToString(deterministic=True) for _, h in headers]
    lengths = [len(head) + _raw_length(w, h) for head, (w, h) in zip(heads, headers, strict=True)]
    total = len(graph) + sum(len(_key(_INITIALIZER_FIELD)) + len(_varint(n)) + n for n in lengths)
    with target.open("wb") as file:
        file.write(model + _key(_GRAPH_FIELD) + _varint(total) + graph)
        for head, length, (weight, header) in zip(heads, lengths, headers, strict=True):
            file.write(_key(_INITIALIZER_FIELD) + _varint(length) + head)
            if not header.external_data:
                _write_raw(file, weight)


def _raw_length(weight: Weight, header: onnx.TensorProto) -> int:
    if header.external_data:
        return 0
    size = nbytes(weight)
    return len(_key(_RAW_FIELD)) + len(_varint(size)) + size


def _write_raw(file: BinaryIO, weight: Weight) -> None:
    file.write(_key(_RAW_FIELD) + _varint(nbytes(weight)))
    file.write(raw_bytes(weight.data.numpy(), weight.type.dtype))


def _key(number: int) -> bytes:
    """The key of a length-delimited field."""
    return _varint(number << 3 | 2)


def _varint(value: int) -> bytes:
    out = bytearray()
    while value > 0x7F:
        out.append(value & 0x7F | 0x80)
        value >>= 7
    out.append(value)
    return bytes(out)
