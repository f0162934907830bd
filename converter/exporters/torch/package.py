"""The package on disk: model.py, weights.safetensors, metadata.json, test_equivalence.py, requirements.txt."""

from __future__ import annotations

import pathlib

from converter.exporters.base import ExportOptions, lower
from converter.exporters.code.files import PackageKind, Source, write_files
from converter.exporters.corners import tell_corners
from converter.exporters.index_facts import repeats
from converter.exporters.outline.package import Kind, Parts, write_classes
from converter.exporters.outline.targets import normalise
from converter.exporters.torch.classes import TorchClasses
from converter.exporters.torch.dialect import DIALECT
from converter.exporters.torch.equivalence import TEST_SOURCE
from converter.exporters.torch.helpers import HELPERS
from converter.exporters.torch.loader import loader_source
from converter.exporters.torch.narrow import in_float32
from converter.exporters.torch.root import TorchRoot
from converter.exporters.torch.rules import TABLE
from converter.exporters.torch.targets import OWNED
from converter.exporters.torch.unsigned import widen
from ir.core import Model, Node

PACKED = ("PackedSequence", "pack_padded_sequence", "pad_packed_sequence")
RESERVED = {
    "torch", "nn", "F", "Tensor", "NamedTuple", "math", "json", "sys", "Path", "OrderedDict", "load_file", "load_model",
    "load_source_weights", "HERE", "TIED", *HELPERS.sources, *PACKED,
}  # fmt: skip
FILES = PackageKind("torch", (("torch", ">=2.6"),), TEST_SOURCE)


def write_package(model: Model, target: pathlib.Path, options: ExportOptions) -> None:
    """Write the package; what it does not carry over is appended to `model.notes`. Raises ConversionError listing
    everything unsupported before anything is written."""
    source = write_source(model, options)
    target.mkdir(parents=True, exist_ok=True)
    write_files(source, target, FILES)
    model.notes += [n for n in source.model.notes if n not in model.notes]


def write_source(model: Model, options: ExportOptions) -> Source:
    """The module's source."""
    lowered = lower(model, TABLE, _in_order if options.index_policy == "strict" else None)
    widen(lowered)
    in_float32(lowered)
    tell_corners(model, lowered, "torch")
    names = normalise(lowered, OWNED)
    return write_classes(lowered, KIND, options, names)


def _in_order(node: Node) -> str | None:
    """Writes through a subscript are taken apart where their order counts, down to a helper that keeps it."""
    return (
        "PyTorch leaves open which of several writes remains" if node.op.name == "index_put" and repeats(node) else None
    )


def _module_text(parts: Parts) -> str:
    root = parts.root.name
    body = "\n\n\n".join([*parts.definitions(HELPERS), loader_source(parts.model, root, _has_hidden(parts))])
    return _header(body, root) + "\n\n" + body + "\n"


def _has_hidden(parts: Parts) -> bool:
    """Whether the weights file holds buffers that are no part of the state dict."""
    forms = [i.form for i in parts.shared.leaves.values() if i.form is not None]
    held = {value.name for form in forms for value in form.weights.values()}
    weights = [w for w in parts.model.weights.values() if w.name not in held]
    return bool(parts.writer.large) or any(w.kind == "constant" or not w.persistent for w in weights)


def _header(body: str, root: str) -> str:
    lines = [f'"""{root} in PyTorch. Weights: weights.safetensors; origin and signature: metadata.json."""', ""]
    lines += ["import json", "import math"] if "math." in body else ["import json"]
    lines += ["from collections import OrderedDict"] if "OrderedDict(" in body else []
    lines += ["from pathlib import Path"]
    lines += ["from typing import NamedTuple"] if "(NamedTuple)" in body else []
    lines += ["", "import torch"]
    lines += ["import torch.nn.functional as F"] if "F." in body else []
    lines += ["from safetensors.torch import load_file", "from torch import Tensor, nn"]
    packed = ", ".join(name for name in PACKED if f"{name}(" in body)
    lines += [f"from torch.nn.utils.rnn import {packed}", ""] if packed else [""]
    return "\n".join(lines)


KIND = Kind("torch", DIALECT, TorchClasses, TorchRoot, frozenset(RESERVED), _module_text)

__all__ = ["Source", "write_package", "write_source"]
