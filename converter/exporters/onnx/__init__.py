"""ONNX exporter: one `.onnx` file, and `<name>.onnx.data` beside it when the weights need it."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from converter.errors import ConversionError, Unsupported, UsageError
from converter.exporters.base import ExportOptions
from converter.policies import MAX_POOL_NAN
from ir.core import Model

if TYPE_CHECKING:
    import onnx

DEFAULT_OPSET = 20
OLDEST_OPSET = 13
NEWEST_OPSET = 26
FOUR_BITS = 21
"""The first opset with integers of four bits."""

__all__ = ["DEFAULT_OPSET", "NEWEST_OPSET", "OLDEST_OPSET", "load", "write"]


def write(model: Model, target: Path, options: ExportOptions | None = None) -> None:
    """Write `model` as ONNX at `target`.

    What the ONNX model does not carry over is appended to `model.notes`. Raises ConversionError listing everything that
    cannot be written exactly, UsageError for an opset outside the supported range.
    """
    from converter.exporters.onnx import rules
    from converter.exporters.onnx.complex import complex_notes, complex_ports
    from converter.exporters.onnx.graph import GraphWriter
    from converter.exporters.onnx.lowering import lower
    from converter.exporters.onnx.rules_modes import training_notes
    from converter.exporters.onnx.rules_pool import NAN
    from converter.exporters.onnx.writer import write_model

    settings = options or ExportOptions()
    opset = max(DEFAULT_OPSET, oldest_opset(model)) if settings.opset is None else settings.opset
    if not OLDEST_OPSET <= opset <= NEWEST_OPSET:
        raise UsageError(f"opset {opset} cannot be written; opsets {OLDEST_OPSET} to {NEWEST_OPSET} can")
    if opset < oldest_opset(model):
        reason = f"4-bit integers need opset {oldest_opset(model)}; this export has opset {opset}"
        raise ConversionError("the model cannot be written for ONNX", (Unsupported(model.name, reason),))
    rules.register()
    lowered = lower(model, opset, settings.index_policy == "strict")
    if settings.name:
        lowered.name = settings.name
    built = GraphWriter(lowered, opset).build()
    built.notes += training_notes(model)
    built.complex = complex_ports(model)
    built.notes += complex_notes(built.complex)
    if NAN in built.notes and MAX_POOL_NAN in model.notes:  # both pass over NaN
        built.notes.remove(NAN)
        for told in (lowered.notes, model.notes):
            told.remove(MAX_POOL_NAN)
    write_model(lowered, built, opset, Path(target), settings.external_data)
    model.notes += [n for n in built.notes if n not in model.notes]


def oldest_opset(model: Model) -> int:
    """The first opset that has the element types of the model."""
    kinds = {w.type.dtype for w in model.weights.values()} | {v.type.dtype for v in model.graph.inputs}
    kinds |= {v.type.dtype for node in model.nodes() for v in (*node.inputs, *node.outputs)}
    return FOUR_BITS if any(k.is_integer and k.bits < 8 for k in kinds) else OLDEST_OPSET


def load(path: Path) -> onnx.ModelProto:
    """The written model with its external data, as a `ModelProto`."""
    import onnx

    return onnx.load(str(path))
