"""What max pooling and softmax make of NaN: one note where source and target differ, none where they do alike.

The ops of the IR hand NaN on. In max pooling, kernels of TensorFlow and of ONNX Runtime pass over it, those of PyTorch and JAX
do not; in softmax, TensorFlow's kernel of oneDNN keeps it in its place.
"""

from __future__ import annotations

from collections.abc import Callable

from converter.exporters.corners import computed_by
from converter.policies import MAX_POOL_NAN
from ir.core import Model, Node

OPS = ("max_pool", "max_pool_with_positions")
SOFTMAX = ("softmax", "attention")
ONEDNN = ("float32", "bfloat16")
"""The types for which TensorFlow computes by oneDNN."""
BESIDE_NAN = (
    "beside NaN or infinity in a row, softmax gives 0 in TensorFlow where oneDNN computes it, the default on a CPU; the "
    "source gives NaN"
)


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


def tell_softmax(model: Model) -> None:
    """Put the note on softmax into the lowered model where it is one of a framework that does otherwise."""
    if computed_by(model) in ("tensorflow", "keras"):
        return
    if any(n.op.name in SOFTMAX and n.output.type.dtype.name in ONEDNN for n in model.nodes()):
        model.notes.append(BESIDE_NAN)


def carry_notes(model: Model, written: Model) -> None:
    """Give a model the notes of what was written of it; one on max pooling that does not hold any more goes."""
    if MAX_POOL_NAN not in written.notes and MAX_POOL_NAN in model.notes:
        model.notes.remove(MAX_POOL_NAN)
    model.notes += [n for n in written.notes if n not in model.notes]


__all__ = ["carry_notes", "settle_max_pool", "tell_softmax"]
