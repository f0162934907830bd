"""What changed between two definitions of an ONNX op, read from the schemas that `onnx` ships."""

from __future__ import annotations

import re
from collections import defaultdict
from dataclasses import dataclass
from typing import Any

import onnx

OLDEST = 7
"""The oldest opset that is read: changes that came with it or before do not count."""


@dataclass(frozen=True)
class Change:
    """One op at the version that changed it. `signature` lists attributes, defaults, inputs and outputs that are not
    what they were; `reworded` tells that the text of the definition is another."""

    op: str
    before: int
    version: int
    signature: tuple[str, ...]
    reworded: bool

    @property
    def key(self) -> tuple[str, int]:
        return self.op, self.version


def changes() -> list[Change]:
    """Every change of the standard domain after OLDEST, by op and version."""
    found = []
    histories: dict[str, list[onnx.defs.OpSchema]] = defaultdict(list)
    for schema in onnx.defs.get_all_schemas_with_history():
        if schema.domain == "":
            histories[schema.name].append(schema)
    for op, schemas in sorted(histories.items()):
        schemas.sort(key=lambda s: s.since_version)
        for old, new in zip(schemas, schemas[1:]):
            if new.since_version > OLDEST:
                diff = tuple(_signature_diff(old, new))
                found.append(Change(op, old.since_version, new.since_version, diff, _text(old) != _text(new)))
    return found


def _signature_diff(old: onnx.defs.OpSchema, new: onnx.defs.OpSchema) -> list[str]:
    left, right = ({k: _attribute(v) for k, v in s.attributes.items()} for s in (old, new))
    found = [f"attribute {k}" for k in sorted(left.keys() | right.keys()) if left.get(k) != right.get(k)]
    found += ["inputs"] if _slots(old.inputs) != _slots(new.inputs) else []
    found += ["outputs"] if _slots(old.outputs) != _slots(new.outputs) else []
    return found + (["deprecated"] if new.deprecated and not old.deprecated else [])


def _attribute(attribute: Any) -> tuple[str, bool, Any]:
    default = attribute.default_value
    value = onnx.helper.get_attribute_value(default) if default.type else None
    return str(attribute.type), attribute.required, value


def _slots(parameters: Any) -> list[tuple[str, str]]:
    return [(p.name, str(p.option)) for p in parameters]


def _text(schema: onnx.defs.OpSchema) -> str:
    """The description without layout: of the op, its attributes, inputs and outputs."""
    parts = [schema.doc, *(f"{k}: {v.description}" for k, v in sorted(schema.attributes.items()))]
    parts += [p.description for p in (*schema.inputs, *schema.outputs)]
    return re.sub(r"\s+|`", " ", " | ".join(parts)).strip().lower()
