"""The package on disk: model.py, weights.safetensors, metadata.json, test_equivalence.py, requirements.txt."""

from __future__ import annotations

import pathlib
import re
from dataclasses import replace

from converter.exporters.base import ExportOptions, lower
from converter.exporters.code.files import PackageKind, Source, write_files
from converter.exporters.corners import tell_corners
from converter.exporters.nan import carry_notes, settle_max_pool, tell_softmax
from converter.exporters.outline.package import Kind, Parts, write_classes
from converter.exporters.outline.state import drop_unread
from converter.exporters.outline.targets import normalise
from converter.exporters.tensorflow.classes import TensorflowClasses
from converter.exporters.tensorflow.dialect import DIALECT
from converter.exporters.tensorflow.equivalence import TEST_SOURCE
from converter.exporters.tensorflow.helpers import HELPERS
from converter.exporters.tensorflow.loader import loader_source
from converter.exporters.tensorflow.root import TensorflowRoot
from converter.exporters.tensorflow.rules import TABLE
from converter.exporters.tensorflow.rules_pool import PASSED_OVER, passes_over_nan
from converter.exporters.tensorflow.scopes import inline_functions
from converter.exporters.tensorflow.serving import serving_source
from converter.exporters.tensorflow.stored import choose, store
from converter.exporters.tensorflow.targets import OWNED
from ir.core import Model

RESERVED = {
    "tf", "np", "Any", "NamedTuple", "math", "json", "sys", "Path", "load_file", "load_model", "find", "serving",
    "load_source_weights", "of_source", "HERE", "training", *HELPERS.sources,
}  # fmt: skip
FILES = PackageKind("tensorflow", (("tensorflow", ">=2.16"),), TEST_SOURCE)


def write_package(model: Model, target: pathlib.Path, options: ExportOptions) -> None:
    """Write the package; what it does not carry over is appended to `model.notes`. Raises ConversionError listing
    everything unsupported before anything is written."""
    source = write_source(model, options)
    target.mkdir(parents=True, exist_ok=True)
    write_files(source, target, FILES)
    carry_notes(model, source.model)


def write_source(model: Model, options: ExportOptions) -> Source:
    """The module's source, and the model as it is stored."""
    TABLE.check([*model.graph.inputs, *(model.weight_value(n) for n in model.weights), *model.graph.outputs])
    lowered = lower(model, TABLE)
    if model.metadata.get("framework") != "tensorflow":
        drop_unread(lowered)
    settle_max_pool(lowered, passes_over_nan, PASSED_OVER)
    tell_softmax(lowered)
    tell_corners(model, lowered, "tensorflow")
    names = normalise(lowered, OWNED)
    inline_functions(lowered)
    aliases = {name: w.aliases for name, w in lowered.weights.items() if w.aliases}
    for name in aliases:  # one variable, whatever else the source calls it
        lowered.update_weight(name, aliases=())
    stored = choose(lowered)
    kind = replace(KIND, dialect=replace(DIALECT, stored=stored))
    source = write_classes(lowered, kind, options, names)
    store(lowered, stored)
    for name, found in aliases.items():
        lowered.update_weight(name, aliases=found)
    return source


def _module_text(parts: Parts) -> str:
    root = parts.root.name
    definitions = parts.definitions(HELPERS)
    taken = any("self.serve = " in d for d in definitions)
    end = loader_source(parts.model, root, serving_source(parts.model, parts.tuples), taken)
    body = "\n\n\n".join([*definitions, end])
    return _header(body, root) + "\n\n" + body + "\n"


def _header(body: str, root: str) -> str:
    lines = [f'"""{root} in TensorFlow. Weights: weights.safetensors; origin and signature: metadata.json."""', ""]
    lines += ["import json", "import math", "from pathlib import Path"]
    typing = [name for name in ("Any", "NamedTuple") if re.search(rf"(?<![.\w]){name}\b", body)]
    lines += [f"from typing import {', '.join(typing)}"] if "(NamedTuple)" in body else []
    return "\n".join(
        [*lines, "", "import numpy as np", "import tensorflow as tf", "from safetensors.numpy import load_file", ""]
    )


KIND = Kind(
    "tensorflow",
    DIALECT,
    TensorflowClasses,
    TensorflowRoot,
    frozenset(RESERVED),
    _module_text,
    tuple_fields="Any",
    names_leaves=False,
)

__all__ = ["Source", "write_package", "write_source"]
