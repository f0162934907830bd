"""A source model: what the user named, the framework it belongs to, and the native object behind it."""

from __future__ import annotations

import importlib
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from converter import frameworks
from converter.errors import UsageError
from converter.importers.base import ImportOptions
from converter.importers.factories import call_factory, factory_of
from ir.core import Model
from ir.core.signature import from_json, unflatten


@dataclass
class Source:
    """`native` is the live object or checked path that the importer reads and the runtime runs.

    `own_inputs` are example inputs or specs that came with the source (a factory may return them, a package states
    them); the user's outrank them. `served_as` is the name under which a SavedModel, from which a package comes, served it.
    """

    given: Any
    framework: str
    native: Any
    options: ImportOptions
    own_inputs: Any = None
    served_as: str | None = None

    def load(self, inputs: Any = None) -> Model:
        """The model in the IR. Raises ConversionError naming everything unsupported at once."""
        importer = importlib.import_module(f"converter.importers.{self.framework}")
        model: Model = importer.load(self.native, self.own_inputs if inputs is None else inputs, options=self.options)
        label = str(self.given) if isinstance(self.given, (str, Path)) else type(self.given).__name__
        model.metadata.setdefault("source", label)
        if self.served_as is not None:
            model.metadata.setdefault("served_as", self.served_as)
        return model


def open_source(given: Any, framework: str | None = None, options: ImportOptions | None = None) -> Source:
    """Detect the framework and open the source; raises UsageError for a missing, unreadable or untrusted one."""
    options = options or ImportOptions()
    if isinstance(given, (str, Path)) and (named := factory_of(given)):
        return _call_factory(given, *named, framework, options)
    found = framework or frameworks.detect(given)
    if found.startswith("package:"):
        from converter.runtimes.packages import load_package, read_metadata

        metadata = read_metadata(Path(given))
        native, own_inputs = load_package(Path(given)), _inputs_of_package(metadata)
        served_as = metadata.get("source", {}).get("served_as")
        return Source(given, found.removeprefix("package:"), native, options, own_inputs, served_as)
    if found not in frameworks.SOURCES:
        raise UsageError(f"models of {found!r} cannot be read; known sources: {', '.join(frameworks.SOURCES)}")
    if isinstance(given, (str, Path)) and found == "torch":
        return _open_torch_file(given, options)
    if isinstance(given, (str, Path)) and found == "keras":
        return _open_keras_file(Path(given), options)
    if found == "tensorflow":
        frameworks.require("tensorflow")
        if isinstance(given, (str, Path)):
            from converter.importers.tensorflow.graphs import open_graph

            return Source(given, found, open_graph(Path(given), options), options)
    return Source(given, found, Path(given) if isinstance(given, str) else given, options)


def _inputs_of_package(metadata: Mapping[str, Any]) -> Any:
    """The specs of a package's inputs, and what plain values it was converted for: by their places, as its code may have to
    call an argument otherwise than its source (`input_` for `input`)."""
    signature = from_json(metadata["signature"])
    given = {p.name: unflatten(p.tree, metadata["inputs"]) for p in signature.parameters}
    return given if any(p.keyword_only for p in signature.parameters) else tuple(given.values())


def _call_factory(given: str | Path, file: Path, factory: str, framework: str | None, options: ImportOptions) -> Source:
    """What the user's function returns says which framework it is of.

    Naming `file.py:factory` asks for that function to be run: it needs no further flag, unlike code inside a file.
    """
    native, own_inputs = call_factory(file, factory, replace(options, trust=True))
    found = framework or frameworks.detect(native)
    if found not in frameworks.SOURCES:
        raise UsageError(f"{given}: returns a model of {found!r}; known sources: {', '.join(frameworks.SOURCES)}")
    return Source(given, found, native, options, own_inputs)


def _open_torch_file(given: str | Path, options: ImportOptions) -> Source:
    """Open once, so that importer and runtime share one module."""
    frameworks.require("torch")
    from converter.importers.torch.files import open_source as open_file

    native, own_inputs = open_file(str(given), options)
    return Source(given, "torch", native, options, own_inputs)


def _open_keras_file(given: Path, options: ImportOptions) -> Source:
    """Open once, so that importer and runtime share one model."""
    frameworks.require_keras()
    from converter.importers.keras.files import open_source as open_file

    return Source(given, "keras", open_file(given, options), options)
