"""Complex inputs and outputs of our own exporter's files, which hold them as pairs of reals along a last axis."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import numpy as np

from converter.importers.specs import InputSpec, parse_spec
from ir.core import Builder, Model, Value
from ir.types import TensorType, dtype, dtypes

_PARTS = {"complex64": dtypes.float32, "complex128": dtypes.float64}


def held(specs: Mapping[str, Any], kinds: Mapping[str, str]) -> dict[str, Any]:
    """The caller's specs and examples of complex inputs, as the file holds them."""
    return {name: _held(given, kinds[name]) if name in kinds else given for name, given in specs.items()}


def _held(given: Any, kind: str) -> Any:
    if isinstance(given, str):
        given = parse_spec(given)
    if isinstance(given, InputSpec):
        return replace(given, dtype=_PARTS[kind], dims=(*given.dims, 2)) if given.dtype == dtype(kind) else given
    array = np.asarray(given)
    return np.stack([array.real, array.imag], axis=-1) if np.iscomplexobj(array) else given


def restore(model: Model, kinds: Mapping[str, str]) -> None:
    """Give complex inputs and outputs of the model their type; names that no longer fit stay as they are."""
    for value in model.graph.inputs:
        if _fits(value, kinds.get(value.name)):
            _restore_input(model, value, kinds[value.name])
    b = Builder(model.graph)
    outputs = []
    for name, value in zip(model.signature.output_names, model.outputs, strict=True):
        if _fits(value, kinds.get(name)):
            value = b.complex(*(b.select(value, axis=value.type.rank - 1, index=k) for k in (0, 1)))
        outputs.append(value)
    model.graph.set_outputs(outputs)


def _fits(value: Value, kind: str | None) -> bool:
    t = value.type
    return kind is not None and t.dtype == _PARTS.get(kind) and t.rank > 0 and t.shape[-1] == 2


def _restore_input(model: Model, value: Value, kind: str) -> None:
    b = Builder(model.graph, before=next(iter(model.graph), None))
    waiting = Value(value.type, value.name)
    value.replace_all_uses(waiting)
    value.type = TensorType(dtype(kind), value.type.shape[:-1])
    waiting.replace_all_uses(b.stack([b.real(value), b.imag(value)], axis=value.type.rank))
