"""Definitions of operators: those that onnx carries, and those that ONNX Runtime's optimiser writes (`contrib.json`)."""

from __future__ import annotations

import functools
import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import onnx

MICROSOFT = "com.microsoft"
CONTRIB = Path(__file__).with_name("contrib.json")
"""Domain -> op -> inputs, outputs and attributes, all at version 1, as ONNX Runtime itself declares them; rewritten by
`python -m tests.importers.onnx.contrib_table`."""


def definition(op: str, version: int, domain: str) -> onnx.defs.OpSchema | None:
    """The definition of an op that holds at an opset; None where neither onnx nor the table knows one."""
    import onnx

    try:
        return onnx.defs.get_schema(op, version, domain)
    except onnx.defs.SchemaError:
        return _contrib(domain, op) if version >= 1 else None


def takes_sequence(schema: onnx.defs.OpSchema, index: int) -> bool:
    """Whether a definition lets the operand at a position be a sequence."""
    formal = schema.inputs[min(index, len(schema.inputs) - 1)]
    return any("seq(" in kind for kind in formal.types)


def contrib() -> dict[str, dict[str, Any]]:
    """The table of `contrib.json`."""
    return _table()


@functools.cache
def _table() -> dict[str, dict[str, Any]]:
    found: dict[str, dict[str, Any]] = json.loads(CONTRIB.read_text("utf-8"))
    return found


@functools.cache
def _contrib(domain: str, op: str) -> onnx.defs.OpSchema | None:
    from onnx.defs import OpSchema

    row = _table().get(domain, {}).get(op)
    if row is None:
        return None

    def formal(side: str) -> list[OpSchema.FormalParameter]:
        return [
            OpSchema.FormalParameter(
                name, "T", param_option=getattr(OpSchema.FormalParameterOption, option), is_homogeneous=False
            )
            for name, option in row[side]
        ]

    return OpSchema(
        op, domain, 1, inputs=formal("inputs"), outputs=formal("outputs"), type_constraints=[("T", ["tensor(float)"], "")],
        attributes=[_attribute(name, *rest) for name, rest in row["attributes"].items()],
    )  # fmt: skip


def _attribute(name: str, kind: str, required: bool, default: Any) -> onnx.defs.OpSchema.Attribute:
    import onnx
    from onnx.defs import OpSchema

    if default is None:
        return OpSchema.Attribute(name, getattr(OpSchema.AttrType, kind), required=required)
    return OpSchema.Attribute(name, onnx.helper.make_attribute(name, default))
