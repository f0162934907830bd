"""Runs an emitted package in a fresh process that cannot import this project."""

from __future__ import annotations

import contextlib
import importlib.util
import json
import os
import sys
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from converter.errors import EnvironmentMissing, UsageError
from converter.frameworks import installed
from converter.runtimes.asked import Asked
from converter.runtimes.base import InTurn, check_inputs
from ir.types import TensorType
from ir.types.parse import parse_type

WORKERS = {name: Path(__file__).with_name(f"{name}_worker.py") for name in ("torch", "keras", "tensorflow")}
BACKENDS = ("tensorflow", "jax", "torch")
"""What Keras can run on, in the order in which it is chosen where nobody says."""


class PackageRunner(InTurn):
    """A converted package behind a worker process; the process lives until `close`."""

    def __init__(self, folder: Path, python: str | None = None, provider: str | None = None) -> None:
        """`provider` is the backend of a Keras package. Raises EnvironmentMissing where it is not installed."""
        metadata = read_metadata(folder)
        framework = metadata["framework"]
        if framework not in WORKERS:
            raise UsageError(f"{folder}: packages of {framework!r} cannot be run by this version")
        self.name = f"{framework}-package"
        self.input_types: Mapping[str, TensorType] = {k: parse_type(v) for k, v in metadata["inputs"].items()}
        self.input_axes: Mapping[str, list[int]] = metadata.get("source", {}).get("input_axes", {})
        self._outputs = list(metadata["outputs"])
        environment = dict(os.environ)
        if framework == "tensorflow":
            environment |= {"TF_CPP_MIN_LOG_LEVEL": "3"}
        if framework == "keras":
            backend = keras_backend(provider)
            wide = backend == "jax" and bool(metadata.get("wide"))
            environment |= {"KERAS_BACKEND": backend, "TF_CPP_MIN_LOG_LEVEL": "3"} | (
                {"JAX_ENABLE_X64": "1"} if wide else {}
            )
            self.name = f"keras-package-{backend}{' (64 bits)' if wide else ''}"
        elif provider not in (None, "cpu"):
            raise UsageError(f"packages of {framework} have no provider {provider!r}")
        self._worker = Asked([str(WORKERS[framework]), str(folder)], environment, "the converted package", python)

    def in_turn(self, calls: Sequence[Mapping[str, np.ndarray]]) -> list[dict[str, np.ndarray]]:
        """The outputs of each call. Raises UsageError on misfitting inputs, RuntimeFailure with the model's own words."""
        for inputs in calls:
            check_inputs(inputs, self.input_types)
        return [{name: arrays[name] for name in self._outputs} for arrays in self._worker.ask(calls)]

    def close(self) -> None:
        """End the process and remove its files."""
        self._worker.close()


def keras_backend(wanted: str | None = None) -> str:
    """The backend that Keras is to run on: the one that is asked for, else KERAS_BACKEND, else that of Keras' own settings,
    else the first that is installed. Raises UsageError for another name, EnvironmentMissing for one that is not there."""
    named = wanted or os.environ.get("KERAS_BACKEND")
    if named is not None and named not in BACKENDS:
        raise UsageError(f"Keras has no backend {named!r}; backends: {', '.join(BACKENDS)}")
    if named is None:
        settings = Path(os.environ.get("KERAS_HOME", Path.home() / ".keras")) / "keras.json"
        try:
            named = json.loads(settings.read_text())["backend"]
        except (OSError, ValueError, KeyError, TypeError):
            named = None
        if named not in BACKENDS or not installed(named):
            named = next((b for b in BACKENDS if installed(b)), BACKENDS[0])
    if not installed(named):
        raise EnvironmentMissing(f"the Keras backend {named} is not installed: pip install {named}")
    return named


def read_metadata(folder: Path) -> dict:
    """A package's metadata.json; raises UsageError when it is missing or not ours."""
    try:
        metadata = json.loads((folder / "metadata.json").read_text())
        if metadata["format"] != 1:
            raise UsageError(f"{folder}: package format {metadata['format']} is newer than this version reads")
        return metadata
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise UsageError(f"{folder}: not a converted package ({type(error).__name__}: {error})") from None


def load_package(folder: Path) -> Any:
    """The live model of a converted package, by running its model.py in this process.

    A package is code the user chose to load, like a module they import; nothing else about it is executed.
    """
    read_metadata(folder)
    name = f"isomorph_package_{abs(hash(str(folder.resolve()))):x}"
    spec = importlib.util.spec_from_file_location(name, folder / "model.py")
    if spec is None or spec.loader is None or not (folder / "model.py").is_file():
        raise UsageError(f"{folder}: the package has no model.py")
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module
    spec.loader.exec_module(module)
    with _in_float32(read_metadata(folder).get("framework")):
        return module.load_model()


@contextlib.contextmanager
def _in_float32(framework: Any) -> Iterator[None]:
    """Build Keras layers by the policy that they are written and verified for, whatever the session computes in."""
    if framework != "keras":
        yield
        return
    from keras import config

    policy = config.dtype_policy()
    config.set_dtype_policy("float32")
    try:
        yield
    finally:
        config.set_dtype_policy(policy)
