"""The package on disk: model.py, weights.safetensors, metadata.json, test_equivalence.py, requirements.txt."""

from __future__ import annotations

import functools
import pathlib
import re
from collections.abc import Mapping, Set
from dataclasses import asdict, replace
from typing import Any

import numpy as np

from converter.errors import ConversionError, Unsupported
from converter.exporters.base import ExportOptions, lower
from converter.exporters.code.files import PackageKind, Source, write_files
from converter.exporters.corners import tell_corners
from converter.exporters.keras.adopt import Adoption, adopt
from converter.exporters.keras.classes import KerasClasses
from converter.exporters.keras.dialect import DIALECT
from converter.exporters.keras.draws import hoist_draws
from converter.exporters.keras.equivalence import TEST_SOURCE
from converter.exporters.keras.helpers import HELPERS
from converter.exporters.keras.loader import loader_source
from converter.exporters.keras.root import KerasRoot
from converter.exporters.keras.rules import TABLE
from converter.exporters.keras.rules_pool import ALIKE, PASSED_OVER, passes_over_nan
from converter.exporters.keras.rules_recurrent import GRU_GATES, NoLayer
from converter.exporters.keras.stacks import prepare_stacks
from converter.exporters.keras.table import NATIVE
from converter.exporters.keras.targets import OWNED
from converter.exporters.keras.wide import NOTE, has_wide, needs_wide
from converter.exporters.nan import carry_notes, settle_max_pool, tell_softmax
from converter.exporters.outline.package import Kind, Parts, write_classes
from converter.exporters.outline.state import drop_unread
from converter.exporters.outline.targets import normalise
from converter.exporters.reals import in_reals
from ir.core import Constant, Model, Node, Signature, Value, copy_model
from ir.data import Lazy, Pieces, Weight

RESERVED = {
    "keras", "layers", "ops", "np", "Any", "NamedTuple", "math", "json", "sys", "Path", "load_file", "load_model", "find",
    "load_source_weights", "of_source", "HERE", "FROZEN", "training", *HELPERS.sources,
}  # fmt: skip
FILES = PackageKind("keras", (("keras", ">=3.8"),), TEST_SOURCE)
_SPATIAL = re.compile(r"layers\.\w*(Conv|Pool|Upsampling|ZeroPadding|Cropping)|ops\.(\w*conv(?!ert)|\w*pool|image)")


def write_package(model: Model, target: pathlib.Path, options: ExportOptions) -> None:
    """Write the package; what it does not carry over is appended to `model.notes`. Raises ConversionError listing
    everything unsupported before anything is written."""
    source = write_source(model, options)
    target.mkdir(parents=True, exist_ok=True)
    write_files(source, target, FILES)
    carry_notes(model, source.model)


def write_source(model: Model, options: ExportOptions) -> Source:
    """The module's source, and the model as it is stored."""
    _check(model)
    try:
        return _written(model, options)
    except NoLayer:
        return _written(model, options, loops=True)


def _written(model: Model, options: ExportOptions, loops: bool = False) -> Source:
    prepared = copy_model(model)
    prepared.signature = _without_mode(prepared.signature)
    refused = in_reals(prepared, "the backends of Keras share", NATIVE)
    if refused:
        raise ConversionError(f"{len(refused)} operations on complex numbers cannot be written for keras", refused)
    prepare_stacks(prepared, loops)
    hoist_draws(prepared)
    lowered = lower(prepared, TABLE)
    drop_unread(lowered)
    settle_max_pool(lowered, passes_over_nan, PASSED_OVER, ALIKE)
    tell_softmax(lowered)
    tell_corners(model, lowered, "keras")
    names = normalise(lowered, OWNED)
    aliases = {name: w.aliases for name, w in lowered.weights.items() if w.aliases}
    for name in aliases:  # one variable, whatever else the source calls it
        lowered.update_weight(name, aliases=())
    adoption = adopt(lowered, names)
    values = [*lowered.graph.inputs, *(v for n in lowered.nodes() for v in (*n.inputs, *n.outputs))]
    floats = {v.type.dtype.name for v in values if v.type.dtype.is_float}
    dialect = replace(DIALECT, form_of=adoption.form_of, casts=floats <= {"float32"})
    rows = second_rows(lowered, adoption, names)
    held: set[str] = set()
    text, more = functools.partial(_module_text, bool(rows)), functools.partial(_more, rows, held)
    source = write_classes(lowered, replace(KIND, dialect=dialect, text=text, more=more), options, names)
    if has_wide(lowered):
        lowered.notes.append(NOTE)
    _store(lowered, adoption, held)
    for name, weight in list(lowered.weights.items()):
        if found := aliases.get(names[name], aliases.get(name)):
            lowered.update_weight(weight.name, aliases=found)
    return source


def _without_mode(signature: Signature) -> Signature:
    """`training=False`, which a source may have been converted for, is what Keras itself hands every layer."""
    kept = (p for p in signature.parameters if p.name != "training" or p.tree not in (Constant(False), Constant(None)))
    return replace(signature, parameters=tuple(kept))


def _check(model: Model) -> None:
    """Refuse what no rule is asked about: inputs, weights and results that Keras cannot hold, a model without inputs."""
    values: list[Value] = [*model.graph.inputs, *(model.weight_value(n) for n in model.weights)]
    results = [v for v in model.graph.outputs if v.type.dtype.is_complex]
    TABLE.check([*values, *results])
    if not model.graph.inputs:
        raise ConversionError("a Keras model has at least one input", (Unsupported("model", "it has no input"),))


def _store(model: Model, adoption: Adoption, held: Set[str]) -> None:
    """Weights in the order of axes that their layers keep: `held` are those that layers have, others are read as they are."""
    for value, axes in adoption.axes.items():
        if value.name not in held:
            continue
        turned = model.weights[value.name].permuted(axes)
        model.update_weight(value.name, data=turned.data, source_axes=turned.source_axes)
    for value, second in adoption.rows.items():
        first = model.weights[value.name]
        both = Lazy(functools.partial(_stacked, first, second), first.type.with_shape((2, *first.type.shape)))
        model.update_weight(value.name, data=both)


def _stacked(*rows: Weight) -> np.ndarray:
    return np.stack([row.data.numpy() for row in rows])


def second_rows(model: Model, adoption: Adoption, names: dict[str, str]) -> dict[str, dict[str, Any]]:
    """Where the second row of a variable comes from, by its name. A variable that is one in the source has no such row."""
    rows: dict[str, dict[str, Any]] = {}
    for value, second in adoption.rows.items():
        first = model.weights[value.name]
        source = first.source_name or names[first.name]
        parts = [first.source_pieces, second.source_pieces]
        plain = [Pieces(row, 0, tuple(range(len(GRU_GATES)))) for row in (0, 1)]
        if source == second.source_name and parts == plain:
            model.update_weight(first.name, source_pieces=None)
            continue
        pieces = {} if second.source_pieces is None else {"pieces": asdict(second.source_pieces)}
        rows[first.name] = {
            "source": second.source_name, **pieces, "aliases": list(second.aliases),
            "persistent": second.persistent and second.kind != "constant",
        }  # fmt: skip
    return rows


def _more(rows: dict[str, dict[str, Any]], held: set[str], parts: Parts) -> Mapping[str, Any]:
    """metadata.json: the input shapes by which layers are built, whether numbers of 64 bits occur, and second rows. `held`
    takes the names of the weights that layers have."""
    held |= {name for i in parts.writer.tree.walk() if i.form is not None for name in i.weights.values()}
    shapes = {
        ".".join(i.path): i.form.shape
        for i in parts.writer.tree.walk()
        if i.form is not None and i.form.shape is not None
    }
    found = {"layers": {name: list(shape) for name, shape in shapes.items()}, "wide": has_wide(parts.model)}
    fixed = next(filter(None, map(_fixed_mode, parts.model.nodes())), None)
    found |= {"fixed_modes": fixed} if fixed else {}
    return {**found, "second_rows": rows} if rows else found


def _fixed_mode(node: Node) -> str | None:
    """Why a graph of layers that is told once whether it trains would not do as the code does."""
    if node.op.name == "by_mode":
        return "what differs in training is code, and no layer"
    always = node.attrs.get("always", False) or (node.op.name == "batch_norm" and node.attrs["frozen"])
    return f"a {node.op.name} does in training as in inference, whatever the call says" if always else None


def _module_text(rows: bool, parts: Parts) -> str:
    root = parts.root.name
    classes = parts.definitions(HELPERS)
    spatial = any(_SPATIAL.search(c) for c in classes)
    body = "\n\n\n".join([*classes, loader_source(parts, spatial, needs_wide(parts.model), rows)])
    return _header(body, root) + "\n\n" + body + "\n"


def _header(body: str, root: str) -> str:
    lines = [f'"""{root} in Keras. Weights: weights.safetensors; origin and signature: metadata.json."""', ""]
    lines += ["import json", "import math", "from pathlib import Path"]
    lines += ["from typing import Any, NamedTuple"] if "(NamedTuple)" in body else []
    lines += ["", "import keras", "import numpy as np"]
    parts = [name for name in ("layers", "ops") if re.search(rf"(?<![.\w]){name}\.", body)]
    lines += [f"from keras import {', '.join(parts)}"] if parts else []
    return "\n".join([*lines, "from safetensors.numpy import load_file", ""])


KIND = Kind(
    "keras",
    DIALECT,
    KerasClasses,
    KerasRoot,
    frozenset(RESERVED),
    functools.partial(_module_text, False),
    tuple_fields="Any",
    names_leaves=False,
)

__all__ = ["Source", "write_package", "write_source"]
