"""Writes at positions. Indices out of range are errors on TensorFlow (negative ones, too); jax leaves them out; torch and
jax count negative ones from the end."""

from __future__ import annotations

from typing import Any

from converter.importers.keras.context import KerasContext, rule
from converter.importers.keras.rules_indexing import backend, indices_of
from ir.core import Value

_REDUCTIONS = {None: "none", "add": "add", "max": "max", "min": "min", "mul": "mul"}


def _places() -> dict[str, Any]:
    if backend() == "tensorflow":
        return {"bounds": "error", "neg": "invalid"}
    return {"bounds": "drop" if backend() == "jax" else "error", "neg": "from_end"}


@rule("ops.Scatter")
def scatter(c: KerasContext, op: Any, indices: Any, values: Any) -> Value:
    """Into zeros; what meets at one place is added up."""
    index, updates = indices_of(c, indices), c.value(values)
    kind = updates.type.dtype
    if kind.is_bool:
        c.refuse("a scatter of booleans", "cast them to int32")
    zeros = c.b.full(shape=c.dims(op.shape), value=0, dtype=kind)
    return c.b.scatter_nd(zeros, index, updates, reduction="add", **_places())


@rule("ops.ScatterUpdate")
def scatter_update(c: KerasContext, op: Any, inputs: Any, indices: Any, updates: Any) -> Value:
    data, index = c.value(inputs), indices_of(c, indices)
    if index.type.rank != 2 and backend() != "tensorflow":
        c.refuse("index vectors of more than one axis, which only TensorFlow takes so", "flatten them to [count, axes]")
    given = c.value(updates, data.type.dtype if isinstance(updates, (list, tuple, int, float)) else None)
    if given.type.dtype != data.type.dtype and backend() == "tensorflow":
        c.refuse(f"updates whose dtype, {given.type.dtype}, must match {data.type.dtype} on TensorFlow", "cast them")
    given = c.cast(given, data.type.dtype)
    if op.reduction in ("max", "min") and backend() == "tensorflow" and data.type.dtype.is_float:
        c.note(
            "NaN among the updates of a scatter by max or min is passed over by TensorFlow, not by the converted model"
        )
    return c.b.scatter_nd(data, index, given, reduction=_REDUCTIONS[op.reduction], **_places())
