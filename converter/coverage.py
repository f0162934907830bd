"""Which IR op each framework writes and which source ops it reads, from the registries themselves."""

from __future__ import annotations

import importlib
import pkgutil
from dataclasses import dataclass
from typing import Any

from ir.ops import all_ops

WRITERS = {
    "torch": "converter.exporters.torch.table:TABLE",
    "onnx": "converter.exporters.onnx.table:RULES",
    "keras": "converter.exporters.keras.table:TABLE",
    "tensorflow": "converter.exporters.tensorflow.table:TABLE",
}
EXPANSIONS = {
    "onnx": ("converter.exporters.onnx.table:EXPANSIONS", "ir.passes.real_pairs_rules:RULES"),
    "keras": ("ir.passes.real_pairs_rules:RULES",),
}
"""Ops that an exporter itself writes as smaller ones."""
READERS = {
    "torch": "converter.importers.torch.context:rule",
    "onnx": "converter.importers.onnx.table:RULES",
    "keras": "converter.importers.keras.context:rule",
    "tensorflow": "converter.importers.tensorflow.table:rule",
}
REFUSED = {"keras": "converter.importers.keras.refused:REASONS"}
"""Source ops that are refused for good, by name: the reason, and advice."""
WAYS = {"rule": "written as it is", "decomposed": "written as smaller ops", "no": "refused"}


@dataclass(frozen=True, slots=True)
class OpRow:
    """One IR op: its family, first line of its meaning, and how each target writes it (a key of WAYS)."""

    name: str
    family: str
    meaning: str
    targets: dict[str, str]


def op_rows() -> list[OpRow]:
    """Every op of the IR, by family and name."""
    tables = {name: _table(place) for name, place in WRITERS.items()}
    expansions = {name: {op for place in places for op in _table(place)} for name, places in EXPANSIONS.items()}
    rows = []
    for op in sorted(all_ops(), key=lambda o: (o.family, o.name)):
        targets = {
            name: "rule" if op.name in table
            else "decomposed" if op.decompose is not None or op.name in expansions.get(name, ())
            else "no"
            for name, table in tables.items()
        }  # fmt: skip
        rows.append(OpRow(op.name, op.family, " ".join(op.doc.split("\n\n")[0].split()), targets))
    return rows


def source_ops(framework: str) -> list[str]:
    """The source ops that a framework's importer has rules for: `aten.relu.default`, `Conv-11`."""
    keys = (rule.key for rule in _table(READERS[framework]))
    return sorted("-".join(str(p) for p in k if p != "") if isinstance(k, tuple) else str(k) for k in keys)


def _table(place: str) -> Any:
    """The rule table at `module:name`, with every file of its package imported."""
    module, name = place.split(":")
    package = importlib.import_module(module.rpartition(".")[0])
    for info in pkgutil.iter_modules(package.__path__):
        if not info.name.startswith("helper_source"):  # text that is only emitted
            importlib.import_module(f"{package.__name__}.{info.name}")
    return getattr(importlib.import_module(module), name)


def markdown() -> str:
    """docs/coverage.md: op by target, then the source ops of each importer."""
    rows = op_rows()
    lines = ["# Coverage", "", "Generated from the rules by `isomorph ops --markdown`; a test keeps it current.", ""]
    lines += [f"`{way}`: {meaning}." for way, meaning in WAYS.items()]
    for name in WRITERS:
        counts = {way: sum(r.targets[name] == way for r in rows) for way in WAYS}
        lines += ["", f"To {name}: " + ", ".join(f"{n} {way}" for way, n in counts.items()) + f" of {len(rows)} ops."]
    lines += [
        "",
        "## Operations",
        "",
        "| op | family | " + " | ".join(WRITERS) + " | meaning |",
        "|---" * (3 + len(WRITERS)) + "|",
    ]
    lines += [
        f"| {r.name} | {r.family} | {' | '.join(r.targets.values())} | {r.meaning.replace('|', chr(92) + '|')} |"
        for r in rows
    ]
    for name in READERS:
        found = source_ops(name)
        lines += ["", f"## Read from {name}", "", f"{len(found)} source ops:", "", ", ".join(f"`{op}`" for op in found)]
        if name in REFUSED:
            reasons = sorted(_table(REFUSED[name]).items())
            lines += ["", "Refused:", "", *(f"- `{op}`: {reason}; {advice}." for op, (reason, advice) in reasons)]
    return "\n".join(lines) + "\n"
