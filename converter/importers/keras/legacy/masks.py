"""Masks where several meet: Keras 1 and 2 keep a step that all inputs keep, Keras 3 one that any keeps."""

from __future__ import annotations

from typing import Any


def of(x: Any) -> Any:
    """The mask of a symbolic tensor, or None."""
    return getattr(x, "_keras_mask", None)


def as_it_was(layer: Any, inputs: Any) -> None:
    """Let a merging layer join the masks of these inputs as Keras 1 and 2 did; where all have one and the same mask, or none
    has any, that is what today's layer does."""
    masks = [of(x) for x in inputs]
    if all(m is masks[0] for m in masks):
        return
    kind = type(layer)
    if kind.__name__ == "Dot":
        return
    join = _concatenated if kind.__name__ == "Concatenate" else _all
    layer.__class__ = type(kind.__name__, (kind,), {"compute_mask": join, "__module__": __name__})


def _all(layer: Any, inputs: Any, mask: Any = None) -> Any:
    """Steps that every mask keeps; inputs without one keep all."""
    from keras import ops

    found = [m for m in mask or () if m is not None]
    if not found:
        return None
    joined = found[0]
    for other in found[1:]:
        joined = ops.logical_and(joined, other)
    return joined


def _concatenated(layer: Any, inputs: Any, mask: Any = None) -> Any:
    """Steps that are kept in all of what is concatenated."""
    from keras import ops

    if mask is None or all(m is None for m in mask):
        return None
    wide = []
    for x, m in zip(inputs, mask):
        if m is None:
            wide.append(ops.ones_like(x, dtype="bool"))
        elif len(m.shape) < len(x.shape):
            wide.append(ops.logical_and(ops.expand_dims(m, -1), ops.ones_like(x, dtype="bool")))
        else:
            wide.append(m)
    return ops.all(ops.concatenate(wide, axis=layer.axis), axis=-1)
