"""Which IR op each framework reads and writes, from the registries themselves."""

from __future__ import annotations

import importlib
from dataclasses import dataclass

from ir.ops import all_ops

EXPORTERS = ("torch", "onnx")


@dataclass(frozen=True, slots=True)
class OpRow:
    """One IR op: its family, first line of its meaning, and how each target writes it (`rule`, `decomposed`, `no`)."""

    name: str
    family: str
    meaning: str
    targets: dict[str, str]


def op_rows() -> list[OpRow]:
    """Every op of the IR, by family and name."""
    tables = {name: importlib.import_module(f"converter.exporters.{name}").RULES for name in EXPORTERS}
    rows = []
    for op in sorted(all_ops(), key=lambda o: (o.family, o.name)):
        fallback = "decomposed" if op.decompose is not None else "no"
        targets = {name: "rule" if op.name in table else fallback for name, table in tables.items()}
        rows.append(OpRow(op.name, op.family, op.doc.splitlines()[0], targets))
    return rows


def source_ops(framework: str) -> list[str]:
    """The source ops that a framework's importer has rules for."""
    table = importlib.import_module(f"converter.importers.{framework}").RULES
    return sorted({str(rule.key) for rule in table})
