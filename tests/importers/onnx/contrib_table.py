"""Reads ONNX Runtime's own declarations of the operators its optimiser writes.

`python -m tests.importers.onnx.contrib_table` rewrites `converter/importers/onnx/contrib.json`.
"""

from __future__ import annotations

import json
import re
from typing import Any

from converter.importers.onnx.definitions import CONTRIB
from converter.importers.onnx.rules import FAMILIES

Table = dict[str, dict[str, Any]]


def ruled() -> set[tuple[str, str]]:
    """(domain, op) of every op that a rule of the microsoft families names."""
    found = set()
    for path in sorted(CONTRIB.parent.glob("rules_microsoft_*.py")):
        text = path.read_text("utf-8")
        found |= {
            ("com.microsoft", op)
            for op in re.findall(r"microsoft\(([^)]*)\)", text)
            for op in re.findall(r'"(\w+)"', op)
        }
        found |= {("", op) for op in re.findall(r'rule\("(\w+)", 1\)', text)}
    assert any(f.startswith("microsoft") for f in FAMILIES)
    return found


def installed() -> Table:
    """Domain -> op -> inputs, outputs, attributes of the installed ONNX Runtime."""
    import onnx
    from onnxruntime.capi.onnxruntime_pybind11_state import get_all_operator_schema

    found: Table = {}
    wanted = ruled()
    for schema in get_all_operator_schema():
        if (schema.domain, schema.name) not in wanted or schema.since_version != 1:
            continue
        attributes = {}
        for name, declared in schema.attributes.items():
            default = onnx.AttributeProto()
            default.ParseFromString(declared._default_value)
            value = onnx.helper.get_attribute_value(default) if default.name else None
            value = value.decode() if isinstance(value, bytes) else value
            attributes[name] = [declared.type.name, declared.required, value]
        sides = {side: [[p.name, p.option.name] for p in getattr(schema, side)] for side in ("inputs", "outputs")}
        found.setdefault(schema.domain, {})[schema.name] = {**sides, "attributes": dict(sorted(attributes.items()))}
    return {domain: dict(sorted(ops.items())) for domain, ops in sorted(found.items())}


def render(table: Table) -> str:
    """The text of contrib.json: one op a line."""
    domains = []
    for domain, ops in table.items():
        rows = [f"  {json.dumps(op)}: {json.dumps(row)}" for op, row in ops.items()]
        domains.append(f"{json.dumps(domain)}: {{\n" + ",\n".join(rows) + "\n}")
    return "{\n" + ",\n".join(domains) + "\n}\n"


if __name__ == "__main__":
    CONTRIB.write_text(render(installed()), "utf-8")
