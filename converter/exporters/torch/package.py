"""The package on disk: model.py, weights.safetensors, metadata.json, test_equivalence.py, requirements.txt."""

from __future__ import annotations

import pathlib

import numpy as np

from converter.errors import ConversionError
from converter.exporters.base import ExportOptions, lower
from converter.exporters.code import stmt as s
from converter.exporters.code.names import class_name
from converter.exporters.code.printer import Printer
from converter.exporters.index_facts import repeats
from converter.exporters.outline.instances import Instance, assign_forms, build_instances, number, weight_inputs
from converter.exporters.outline.optional import insert_identities
from converter.exporters.outline.regions import Region, build_regions, connect, dissolve, steps_of
from converter.exporters.torch.classes import CallsDiffer, ClassWriter
from converter.exporters.torch.context import Shared
from converter.exporters.torch.files import Source, write_files
from converter.exporters.torch.helpers import helpers, source_of
from converter.exporters.torch.root import RootWriter, root_class
from converter.exporters.torch.rules import TABLE
from converter.exporters.torch.state import kept_state
from converter.exporters.torch.table import form_of
from converter.exporters.torch.targets import normalise
from converter.exporters.torch.tuples import NamedTuples
from converter.exporters.torch.unsigned import widen
from ir.core import Model, Node

PACKED = ("PackedSequence", "pack_padded_sequence", "pad_packed_sequence")
RESERVED = {
    "torch", "nn", "F", "Tensor", "NamedTuple", "math", "json", "sys", "Path", "OrderedDict", "load_file", "load_model",
    "load_source_weights", "HERE", "TIED", *helpers(), *PACKED,
}  # fmt: skip


def write_package(model: Model, target: pathlib.Path, options: ExportOptions) -> None:
    """Write the package; what it does not carry over is appended to `model.notes`. Raises ConversionError listing
    everything unsupported before anything is written."""
    source = write_source(model, options)
    target.mkdir(parents=True, exist_ok=True)
    write_files(source, target)
    model.notes += [n for n in source.model.notes if n not in model.notes]


def write_source(model: Model, options: ExportOptions) -> Source:
    """The module's source."""
    lowered = lower(model, TABLE, _in_order if options.index_policy == "strict" else None)
    widen(lowered)
    names = normalise(lowered)
    insert_identities(lowered, steps_of(lowered))
    steps = steps_of(lowered)
    while True:
        try:
            return _attempt(lowered, options, steps, names)
        except CallsDiffer as differ:
            region = differ.region
            dissolve(list(region.nodes()), len(region.steps) - 1, steps)


def _in_order(node: Node) -> str | None:
    """Writes through a subscript are taken apart where their order counts, down to a helper that keeps it."""
    return "PyTorch leaves open which of several writes remains" if node.op.name == "index_put" and repeats(node) else None


def _attempt(model: Model, options: ExportOptions, steps: dict, names: dict[str, str]) -> Source:
    root = build_regions(model, steps)
    tree = build_instances(model, root)
    leaves = assign_forms(model, root, tree, form_of)
    connect(root, model, kept_state(model, leaves))
    number(tree, model, root, leaves)
    shared = Shared(model, leaves, options.index_policy == "strict", regions=list(root.regions()))
    for region in shared.regions:
        shared.extra_weights[region] = weight_inputs(model, region, leaves)
    shared.containers = {i.path: len(i.children) for i in tree.walk() if _is_list(i)}
    name = class_name(options.name or model.name or "Model", "Model")
    name = f"{name}Model" if name in RESERVED else name
    writer = ClassWriter(shared, tree, RESERVED | {name})
    writer.run()
    tuples = NamedTuples(model.signature, writer.names.taken)
    taken = writer.names.taken.union(tuples.names.values())
    definition = root_class(writer, RootWriter(shared, root, taken, tuples), name, _doc(model))
    text = _module_text(shared, writer, tuples, definition, model)
    model.notes += [f"{n} is a plain tuple: its fields have no names in Python" for n in tuples.unnamed]
    model.notes += [n for n in shared.notes if n not in model.notes]
    return Source(text, model, name, _extra(shared, tree, writer), names)


def _is_list(instance: Instance) -> bool:
    names = list(instance.children)
    return not instance.regions and not instance.weights and sorted(names) == sorted(str(i) for i in range(len(names)))


def _doc(model: Model) -> str:
    source = model.metadata.get("framework")
    return f"Converted from {source}." if source else "The whole model."


def _extra(shared: Shared, tree: Instance, writer: ClassWriter) -> dict[str, np.ndarray]:
    """State that modules of torch keep beside the model's own weights, and large constants."""
    found = {name: buffer.value for name, buffer in writer.large.items()}
    for instance in tree.walk():
        for attr, value in (instance.form.state if instance.form else {}).items():
            if attr not in instance.weights:
                found[".".join((*instance.path, attr))] = value
    return found


def _module_text(shared: Shared, writer: ClassWriter, tuples: NamedTuples, root: s.ClassDef, model: Model) -> str:
    from converter.exporters.torch.loader import loader_source

    printer = Printer()
    classes = ["\n".join(printer.block([d])) for d in (*writer.definitions, root)]
    used = source_of(list(shared.helpers))
    body = "\n\n\n".join(
        [*used, *tuples.definitions(), *classes, loader_source(model, root.name, _has_hidden(shared, writer))]
    )
    return _header(body, root.name) + "\n\n" + body + "\n"


def _has_hidden(shared: Shared, writer: ClassWriter) -> bool:
    """Whether the weights file holds buffers that are no part of the state dict."""
    weights = shared.model.weights.values()
    return bool(writer.large) or any(w.kind == "constant" or not w.persistent for w in weights)


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


__all__ = ["ConversionError", "Node", "Region", "Source", "write_package", "write_source"]
