"""What our own exporter leaves in a file's metadata: structure, module classes, notes, names and state.

All of it is optional and none of it is trusted: an entry that is malformed or no longer fits the graph is left out.
"""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from converter.importers.onnx.scopes import metadata
from ir.core import Signature
from ir.core.signature import from_json

if TYPE_CHECKING:
    import onnx

PREFIX = "isomorph."


@dataclass
class Recorded:
    """`ours` tells whether our exporter wrote the file; `names` maps ONNX names of inputs and outputs to flat names,
    `state` initialisers to the outputs that hold their next values, `complex` flat names of inputs and outputs that the
    file holds as pairs of reals to their types."""

    ours: bool = False
    signature: Signature | None = None
    modules: dict[str, str] = field(default_factory=dict)
    notes: list[str] = field(default_factory=list)
    names: dict[str, str] = field(default_factory=dict)
    state: dict[str, str] = field(default_factory=dict)
    complex: dict[str, str] = field(default_factory=dict)


def read(model: onnx.ModelProto) -> Recorded:
    """The records of a file; empty ones for a file of another exporter."""
    props = {k[len(PREFIX) :]: v for k, v in metadata(model.metadata_props).items() if k.startswith(PREFIX)}
    stored = {t.name for t in model.graph.initializer} | {s.values.name for s in model.graph.sparse_initializer}
    outputs = {o.name for o in model.graph.output}
    notes = _json(props.get("notes"))
    return Recorded(
        ours="signature" in props,
        signature=_signature(_json(props.get("signature"))),
        modules=_strings(_json(props.get("modules"))),
        notes=[n for n in notes if isinstance(n, str)] if isinstance(notes, list) else [],
        names=_strings(_json(props.get("names"))),
        complex={k: v for k, v in _strings(_json(props.get("complex"))).items() if v in ("complex64", "complex128")},
        state={k: v for k, v in _strings(_json(props.get("state"))).items() if k in stored and v in outputs},
    )


def _json(text: str | None) -> Any:
    try:
        return json.loads(text) if text else None
    except ValueError:
        return None


def _strings(value: Any) -> dict[str, str]:
    if not isinstance(value, dict) or not all(isinstance(v, str) for v in value.values()):
        return {}
    return value


def _signature(value: Any) -> Signature | None:
    try:
        return from_json(value) if isinstance(value, dict) else None
    except ValueError:
        return None
