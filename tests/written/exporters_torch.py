"""PyTorch source: every sample with its operands as inputs (float32, bfloat16, dynamic sizes), as a layer, with numbers."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

import ir.ops
from converter.errors import ConversionError
from converter.exporters.base import INDEX_POLICIES, ExportOptions
from converter.exporters.torch.package import write_source
from converter.exporters.torch.table import FORMS, form_of
from ir.core import Model
from ir.types import dtypes
from tests.ops import constants, symbolic
from tests.ops.harness import cases_of, model_of
from tests.ops.layers import PATH, has_several_results, variants
from tests.written.areas import Texts

Arrays = dict[str, np.ndarray]
AFTER = "\n\nHERE = Path("
"""What follows is the same in every file."""
SYMBOLIC = "symbolic sizes"
INDEXED = {"indexing", "scatter", "embedding"}
"""Families that the index policy concerns."""


def groups() -> list[str]:
    """Names of ops, and one for those with symbolic attributes."""
    return [*(op.name for op in ir.ops.all_ops()), SYMBOLIC]


def texts(group: str) -> Texts:
    """The source of every sample of an op."""
    if group == SYMBOLIC:
        yield from ((name, source(symbolic.models(name)[0], ExportOptions())) for name in symbolic.CASES)
        return
    policies = INDEX_POLICIES if ir.ops.get(group).family in INDEXED else INDEX_POLICIES[:1]
    for name, model in _models(group):
        for policy in policies:
            yield f"{name}-{policy}", source(model, ExportOptions(index_policy=policy))


def _models(group: str) -> Iterator[tuple[str, Model]]:
    op = ir.ops.get(group)
    for dtype in (dtypes.float32, dtypes.bfloat16):
        for name, _, sample in cases_of(op, dtype):
            yield name, model_of(op, sample)[0]
    for name, _, sample in cases_of(op):
        if sample.dynamic:
            yield f"{name}-dynamic", model_of(op, sample, sample.dynamic)[0]
        if op.name in FORMS or has_several_results(op):
            yield from ((f"{name}-{v}", as_named(model, arrays)[0]) for v, model, arrays in variants(op, sample))
    if op in constants.ops():
        yield from ((f"{name}-numbers", model) for name, model, _ in constants.constant_cases(op))


def as_named(model: Model, arrays: Arrays) -> tuple[Model, Arrays]:
    """The layer with its weights named as its `nn` module names them, where it has one."""
    form = form_of(next(iter(model.graph)))
    for attr, value in form.weights.items() if form else ():
        if value.name != f"{PATH}.{attr}":
            model.rename_weight(value.name, f"{PATH}.{attr}")
    return model, arrays


def source(model: Model, options: ExportOptions) -> str:
    """The classes of a model's `model.py` and what its conversion could not keep; the refusal where it is refused."""
    try:
        written = write_source(model, options)
    except ConversionError as error:
        return str(error)
    return written.text.partition(AFTER)[0] + "".join(f"\n# {note}" for note in written.model.notes)
