"""Opening ONNX files: bytes to a checked `ModelProto`, every defect of the file being one clear line."""

from __future__ import annotations

import hashlib
import mmap
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from converter.errors import ConversionError, UsageError
from converter.importers.onnx.wire import Payload, without_weights

if TYPE_CHECKING:
    import onnx

PROTOBUF_LIMIT = 2**31


@dataclass(frozen=True)
class Source:
    """A parsed model, the folder its external data must lie in, and how to name it in messages. `payloads` are the bytes
    of initialisers that were left out of the message, by position."""

    model: onnx.ModelProto
    folder: Path | None
    label: str
    fingerprint: str
    payloads: Mapping[int, Payload] = field(default_factory=dict)

    @property
    def opsets(self) -> dict[str, int]:
        """Imported opset by domain; the standard domain is the empty string."""
        return opset_map(self.model.opset_import)


def opset_map(imports: Any) -> dict[str, int]:
    """Domain -> version of a list of OperatorSetIdProto, `ai.onnx` being the same as the empty domain."""
    return {standard_domain(o.domain): int(o.version) for o in imports}


def standard_domain(domain: str) -> str:
    """The empty string for either name of the standard domain."""
    return "" if domain == "ai.onnx" else domain


def open_source(source: Any) -> Source:
    """Parse and check a path, serialised bytes or a `ModelProto`.

    Raises UsageError when it is missing, unreadable or no ONNX model, ConversionError when its version is unknown.
    """
    if isinstance(source, (str, Path)):
        opened = _open_path(Path(source))
    elif isinstance(source, (bytes, bytearray, memoryview)):
        data = bytes(source)
        opened = _parse(data, memoryview(data), None, "the given bytes")
    else:
        opened = _open_proto(source)
    _check_header(opened)
    return opened


def _open_path(path: Path) -> Source:
    if not path.exists():
        raise UsageError(f"{path}: no such file")
    if path.is_dir():
        raise UsageError(f"{path}: a folder, not an .onnx file")
    try:
        size = path.stat().st_size
        if size >= PROTOBUF_LIMIT:
            raise UsageError(
                f"{path}: {size} bytes is beyond what an ONNX file can hold; larger models keep weights in external data"
            )
        with path.open("rb") as file:
            if not size:
                return _parse(b"", path, path.parent, str(path))
            with mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as data:
                return _parse(data, path, path.parent, str(path))
    except OSError as error:
        raise UsageError(f"{path}: cannot be read: {error.strerror or error}") from None


def _parse(data: bytes | mmap.mmap, place: Path | memoryview, folder: Path | None, label: str) -> Source:
    import onnx
    from google.protobuf.message import DecodeError

    if not data:
        raise UsageError(f"{label}: empty, not an ONNX model")
    model = onnx.ModelProto()
    try:
        text, payloads = without_weights(data, place)
    except ValueError:
        text, payloads = bytes(data), {}  # protobuf says what is wrong with it
    try:
        model.ParseFromString(text)
    except DecodeError:
        raise UsageError(f"{label}: truncated, or not an ONNX model") from None
    return Source(model, folder, label, hashlib.blake2b(data, digest_size=16).hexdigest(), payloads)


def _open_proto(source: Any) -> Source:
    import onnx

    if not isinstance(source, onnx.ModelProto):
        raise UsageError(f"a {type(source).__name__} is no ONNX model: give a path, bytes or a ModelProto")
    name = source.graph.name or "model"
    try:
        data = source.SerializeToString(deterministic=True)
    except ValueError:  # beyond protobuf's limit: such a model has no bytes to hash
        data = name.encode()
    return Source(source, None, f"ModelProto {name}", hashlib.blake2b(data, digest_size=16).hexdigest())


def _check_header(source: Source) -> None:
    import onnx

    model = source.model
    if not model.HasField("graph") or not model.ir_version:
        raise UsageError(f"{source.label}: truncated, or not an ONNX model (no graph in it)")
    if not model.opset_import:
        raise UsageError(f"{source.label}: truncated, or not an ONNX model (it imports no operator set)")
    if model.ir_version > onnx.IR_VERSION:
        known = f"{onnx.IR_VERSION}, the newest that onnx {onnx.__version__} knows"
        raise ConversionError(f"{source.label}: ONNX IR version {model.ir_version} is newer than {known}")
    if not _is_text(model):
        raise UsageError(f"{source.label}: damaged, or not an ONNX model (a name in it is no UTF-8 text)")
    check_opset(source.opsets.get(""), source.label)


def _is_text(message: Any) -> bool:
    """Whether every string field is text: protobuf hands out bytes for what is no UTF-8."""
    for kind, value in message.ListFields():
        repeated = not isinstance(value, (str, bytes)) and hasattr(value, "__len__")
        if kind.type == kind.TYPE_STRING:
            if any(isinstance(v, bytes) for v in (value if repeated else [value])):
                return False
        elif kind.type == kind.TYPE_MESSAGE and not all(map(_is_text, value if repeated else [value])):
            return False
    return True


def check_opset(version: int | None, label: str) -> None:
    """Raise ConversionError for a standard opset newer than onnx knows; None (not imported) is fine.

    At an old one, an op passes whose definition of that time has a rule.
    """
    import onnx

    newest = onnx.defs.onnx_opset_version()
    if version is not None and version > newest:
        raise ConversionError(
            f"{label}: opset {version} is newer than {newest}, the newest that onnx {onnx.__version__} knows"
        )
