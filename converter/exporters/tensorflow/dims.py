"""What the sizes of a weight are called where a class takes them as arguments, from the op that reads it."""

from __future__ import annotations

from ir.core import Node, Value

_MATRIX = {"linear": ("outputs", "inputs"), "embedding": ("count", "width")}
_WINDOWS = {"conv": ("outputs", "inputs"), "conv_transpose": ("inputs", "outputs")}
_VECTORS = {"linear": "outputs", "conv": "outputs", "conv_transpose": "outputs"}
_CHANNELS = {"batch_norm", "instance_norm", "group_norm", "layer_norm", "rms_norm"}


def dim_names(value: Value) -> list[str]:
    """A name for each axis, in the source's order; names that are alike mean sizes that often are."""
    node = next((use.user for use in value.uses if isinstance(use.user, Node)), None)
    rank, op = value.type.rank, node.op.name if node is not None else ""
    if op in _MATRIX and rank == 2:
        return list(_MATRIX[op])
    if op in _WINDOWS and rank > 2:
        return [*_WINDOWS[op], *["window"] * (rank - 2)]
    if rank == 1:
        return [_VECTORS.get(op, "channels" if op in _CHANNELS else "size")]
    return [f"dim{i}" for i in range(rank)]


__all__ = ["dim_names"]
