"""Stored tensors to weights, and which of them are parameters.

The rule: a floating-point tensor that comes with the file is a `parameter` when the graph uses it as a weight (see
`PARAMETER_ROLES` in `partial/roles.py`; scale and shift count when they have more than one element, or follow a product of
weights; tables that are looked up count unless their rows only scale other tensors, as sines and cosines of positions do),
a `buffer` when it is the running mean or variance of a batch normalisation, and a `constant` otherwise. ONNX does not say
what is trained: `trainable` stays unknown unless the file carries our exporter's record or the caller's regular expression
decides.
"""

from __future__ import annotations

import json
import math
from typing import Any

from converter.importers.partial.roles import matches
from converter.importers.partial.values import Stored
from ir.data import Weight
from ir.types import TensorType

WEIGHT_KEY = "isomorph.weight"
"""Initialiser metadata of our own exporter: JSON {kind, trainable, aliases}."""

OUR_LITERALS = 4096
LITERALS = 64
"""Integers and booleans up to this many elements become literals; longer ones are weights of kind `constant`."""


def parse_record(text: str | None) -> dict[str, Any] | None:
    """Our exporter's note on a weight; None where there is none or it is not one."""
    if not text:
        return None
    try:
        record = json.loads(text)
    except ValueError:
        return None
    return record if isinstance(record, dict) and record.get("kind") in ("parameter", "buffer", "constant") else None


def is_literal(stored: Stored, type: TensorType, pattern: str | None, ours: bool = False) -> bool:
    """Whether a stored tensor becomes a constant of the graph instead of a weight with a name.

    `ours`: our own exporter wrote the file, so that every weight carries a record.
    """
    if stored.record is not None or stored.changes:
        return False
    count = math.prod(int(d) for d in type.shape)
    if ours:
        return count <= OUR_LITERALS
    if not (type.dtype.is_float or type.dtype.is_complex):
        return count <= LITERALS
    return type.rank == 0 and not (pattern and matches(pattern, stored.name))


def weight_of(stored: Stored, name: str) -> Weight:
    """A weight record; its kind is decided by `classify` once the whole graph stands, unless the file records it."""
    if stored.record is None:
        return Weight(name, stored.data, "constant")
    aliases = stored.record.get("aliases") or ()
    return Weight(
        name,
        stored.data,
        stored.record["kind"],
        stored.record.get("trainable"),
        tuple(str(a) for a in aliases),
        bool(stored.record.get("persistent", True)),
    )
