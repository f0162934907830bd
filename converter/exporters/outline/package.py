"""From a lowered model to the text of its classes: regions, instances, classes, the root."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from converter.exporters.base import ExportOptions
from converter.exporters.code import stmt as s
from converter.exporters.code.files import Source
from converter.exporters.code.helpers import Helpers
from converter.exporters.code.names import class_name
from converter.exporters.code.printer import Printer
from converter.exporters.outline.context import Shared
from converter.exporters.outline.dialect import Dialect
from converter.exporters.outline.instances import Instance, assign_forms, build_instances, number, weight_inputs
from converter.exporters.outline.leaf_names import name_leaves
from converter.exporters.outline.optional import insert_identities
from converter.exporters.outline.regions import build_regions, connect, dissolve, steps_of
from converter.exporters.outline.root import RootWriter, root_class
from converter.exporters.outline.state import kept_state
from converter.exporters.outline.tuples import NamedTuples
from converter.exporters.outline.writer import CallsDiffer, ClassWriter
from ir.core import Model


@dataclass(eq=False)
class Parts:
    """All that the text of model.py is made of."""

    model: Model
    shared: Shared
    writer: ClassWriter
    tuples: NamedTuples
    root: s.ClassDef

    def definitions(self, helpers: Helpers) -> list[str]:
        """Helpers, named tuples and classes, in the order in which they are needed."""
        printer = Printer()
        classes = ["\n".join(printer.block([d])) for d in (*self.writer.definitions, self.root)]
        return [*helpers.source_of(list(self.shared.helpers)), *self.tuples.definitions(), *classes]

    def extra(self) -> dict[str, np.ndarray]:
        """State that modules of the library keep beside the model's own weights, and large constants."""
        found = {name: buffer.value for name, buffer in self.writer.large.items()}
        for instance in self.writer.tree.walk():
            for attr, value in (instance.form.state if instance.form else {}).items():
                if attr not in instance.weights:
                    found[".".join((*instance.path, attr))] = value
        return found


@dataclass(frozen=True)
class Kind:
    """How packages of one framework are written: its words, its writers, the names its files use, and their text.

    `more` gives entries of metadata.json that are the framework's own.
    """

    framework: str
    dialect: Dialect
    classes: type[ClassWriter]
    root: type[RootWriter]
    reserved: frozenset[str]
    text: Callable[[Parts], str]
    more: Callable[[Parts], Mapping[str, Any]] | None = None
    names_leaves: bool = True  # False where the framework's own way of finding layers has named their weights
    tuple_fields: str = "Tensor"


def write_classes(model: Model, kind: Kind, options: ExportOptions, names: dict[str, str]) -> Source:
    """The source of a lowered model whose names are settled; `names` tell the source's names of its weights."""
    own = model.metadata.get("framework") == kind.framework  # a framework's own modules keep the names they have
    if kind.names_leaves and not own:
        name_leaves(model, kind.dialect.form_of, names)
    insert_identities(model, steps_of(model))
    steps = steps_of(model)
    while True:
        try:
            return _attempt(model, kind, options, steps, names)
        except CallsDiffer as differ:
            region = differ.region
            dissolve(list(region.nodes()), len(region.steps) - 1, steps)


def _attempt(model: Model, kind: Kind, options: ExportOptions, steps: dict, names: dict[str, str]) -> Source:
    root = build_regions(model, steps)
    tree = build_instances(model, root)
    leaves = assign_forms(model, root, tree, kind.dialect.form_of)
    connect(root, model, kept_state(model, leaves, kind.dialect.updates))
    number(tree, model, root, leaves)
    shared = Shared(kind.dialect, model, tree, leaves, options.index_policy == "strict", regions=list(root.regions()))
    for region in shared.regions:
        shared.extra_weights[region] = weight_inputs(model, region, leaves)
    shared.containers = {i.path: len(i.children) for i in tree.walk() if _is_list(i)}
    name = class_name(options.name or model.name or "Model", "Model")
    name = f"{name}Model" if name in kind.reserved else name
    writer = kind.classes(shared, tree, {*kind.reserved, name})
    writer.run()
    tuples = NamedTuples(model.signature, writer.names.taken, kind.tuple_fields)
    taken = writer.names.taken.union(tuples.names.values())
    definition = root_class(writer, kind.root(shared, root, taken, tuples), name, _doc(model))
    parts = Parts(model, shared, writer, tuples, definition)
    text = kind.text(parts)
    model.notes += [f"{n} is a plain tuple: its fields have no names in Python" for n in tuples.unnamed]
    model.notes += [n for n in shared.notes if n not in model.notes]
    return Source(text, model, name, parts.extra(), names, kind.more(parts) if kind.more else {})


def _is_list(instance: Instance) -> bool:
    names = list(instance.children)
    return not instance.regions and not instance.weights and sorted(names) == sorted(str(i) for i in range(len(names)))


def _doc(model: Model) -> str:
    source = model.metadata.get("framework")
    return f"Converted from {source}." if source else "The whole model."
