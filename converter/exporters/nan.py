"""What max pooling makes of NaN: one note where source and target differ, none where they do alike.

The op of the IR hands NaN on. Kernels of TensorFlow and of ONNX Runtime pass over it, those of PyTorch and JAX do not.
"""

from __future__ import annotations

from collections.abc import Callable

from converter.policies import MAX_POOL_NAN
from ir.core import Model, Node

OPS = ("max_pool", "max_pool_with_positions")


def settle_max_pool(model: Model, passes_over: Callable[[Node], bool], note: str, alike: str | None = None) -> None:
    """Put the notes of the lowered model right. `passes_over` says whether what the target writes for a max pooling of
    floats passes over NaN; `note` tells it where the source hands NaN on, `alike` what is left to tell where the source
    passes over it, too."""
    found = [passes_over(n) for n in model.nodes() if n.op.name in OPS and n.outputs[0].type.dtype.is_float]
    if not any(found):
        return
    if MAX_POOL_NAN not in model.notes:
        model.notes.append(note)
        return
    if all(found):
        model.notes.remove(MAX_POOL_NAN)
    if alike is not None:
        model.notes.append(alike)


def carry_notes(model: Model, written: Model) -> None:
    """Give a model the notes of what was written of it; one on max pooling that does not hold any more goes."""
    if MAX_POOL_NAN not in written.notes and MAX_POOL_NAN in model.notes:
        model.notes.remove(MAX_POOL_NAN)
    model.notes += [n for n in written.notes if n not in model.notes]


__all__ = ["carry_notes", "settle_max_pool"]
