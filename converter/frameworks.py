"""Which framework a source belongs to, told from its type or bytes without importing any framework."""

from __future__ import annotations

import importlib
import importlib.util
import json
import os
import sys
import zipfile
from pathlib import Path
from types import MethodType, ModuleType
from typing import Any

from converter.errors import EnvironmentMissing, UsageError

TARGETS = ("torch", "onnx", "keras", "tensorflow")
SOURCES = ("torch", "onnx", "keras", "tensorflow")

_EXTRAS = {"torch": "torch", "keras": "keras", "tensorflow": "tensorflow", "pytensor": "pytensor"}
_LIVE_TYPES = {
    "torch.nn.modules.module.Module": "torch",
    "torch.export.exported_program.ExportedProgram": "torch",
    "onnx.onnx_ml_pb2.ModelProto": "onnx",
    "keras.src.layers.layer.Layer": "keras",
    "tensorflow.python.module.module.Module": "tensorflow",
    "tensorflow.python.eager.polymorphic_function.polymorphic_function.Function": "tensorflow",
    "tensorflow.python.eager.polymorphic_function.concrete_function.ConcreteFunction": "tensorflow",
    "tensorflow.python.trackable.autotrackable.AutoTrackable": "tensorflow",
}


def require(name: str) -> ModuleType:
    """Import a framework; raises EnvironmentMissing with one line that says what to install."""
    try:
        return importlib.import_module(name)
    except ImportError as error:
        extra = _EXTRAS.get(name)
        hint = f"pip install 'isomorph[{extra}]'" if extra else f"pip install {name}"
        raise EnvironmentMissing(f"{name} is needed for this and cannot be imported ({error}): {hint}") from None


def require_keras() -> ModuleType:
    """Import Keras on the backend that the environment names, else on the first of its backends that is installed.

    Raises EnvironmentMissing where there is none.
    """
    if "keras" not in sys.modules and "KERAS_BACKEND" not in os.environ:
        os.environ["KERAS_BACKEND"] = next((b for b in ("tensorflow", "jax", "torch") if installed(b)), "tensorflow")
    return require("keras")


def installed(name: str) -> bool:
    """Whether a framework is installed, without importing it."""
    return name in sys.modules or importlib.util.find_spec(name) is not None


def detect(source: Any) -> str:
    """The framework of a source: a live object by its class, a path by its content.

    Returns `torch`, `onnx`, `keras`, `tensorflow` or `package:<framework>` for a converted package. Raises UsageError.
    """
    if isinstance(source, bytes):
        return "onnx"
    if isinstance(source, (str, Path)):
        return _detect_path(str(source))
    if isinstance(source, MethodType):  # `net.forward` is read as the function that it is
        return detect(source.__self__)
    for cls in type(source).__mro__:
        found = _LIVE_TYPES.get(f"{cls.__module__}.{cls.__qualname__}")
        if found:
            return found
        if cls.__module__.startswith("onnx.") and cls.__name__ == "ModelProto":
            return "onnx"
    raise UsageError(
        f"a {type(source).__module__}.{type(source).__qualname__} is no model that can be read; see `isomorph doctor` for what can"
    )


def _detect_path(text: str) -> str:
    file, _, factory = text.rpartition(":")
    if factory.isidentifier() and file.endswith(".py"):
        _must_exist(Path(file))
        return "torch"
    path = Path(text)
    _must_exist(path)
    if path.is_dir():
        return _detect_folder(path)
    if path.suffix == ".onnx":
        return "onnx"
    if path.suffix in (".pt", ".pt2", ".pth", ".jit", ".ts"):
        return "torch"
    if path.suffix == ".py":
        raise UsageError(f"{path}: name the function that builds the model: {path}:factory")
    if path.suffix in (".keras", ".h5", ".hdf5"):
        return "keras"
    if path.suffix == ".pb":
        return "tensorflow"
    if zipfile.is_zipfile(path):
        return "torch"
    raise UsageError(f"{path}: the format is not recognised; use --from to name the framework")


def _detect_folder(path: Path) -> str:
    metadata = path / "metadata.json"
    if metadata.is_file():
        try:
            return f"package:{json.loads(metadata.read_text())['framework']}"
        except (ValueError, KeyError, TypeError):
            raise UsageError(f"{metadata}: not the metadata of a converted package") from None
    if (path / "saved_model.pb").is_file():
        return "tensorflow"
    raise UsageError(f"{path}: a folder that holds neither a converted package (metadata.json) nor a SavedModel")


def _must_exist(path: Path) -> None:
    if not path.exists():
        raise UsageError(f"{path}: no such file or folder")
