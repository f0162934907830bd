"""ONNX graphs: every sample under every setting of the exporter's generated tests, as a layer, and with numbers."""

from __future__ import annotations

from collections.abc import Iterator

import ir.ops
from converter.errors import ConversionError
from ir.core import Model
from tests.exporters.onnx.generated import SETTINGS, chosen
from tests.ops import constants, symbolic
from tests.ops.harness import cases_of, model_of
from tests.ops.layers import OWNED, has_several_results, variants
from tests.written.areas import Texts

DEFAULT = 20
DTYPES = ("float32", "bfloat16")
SYMBOLIC = "symbolic sizes"
INDEXED = {"indexing", "scatter", "embedding"}
"""Families that the index policy concerns."""


def groups() -> list[str]:
    """Names of ops, and one for those with symbolic attributes."""
    return [*(op.name for op in ir.ops.all_ops()), SYMBOLIC]


def texts(group: str) -> Texts:
    """The graph of every sample of an op."""
    if group == SYMBOLIC:
        yield from ((name, graph(symbolic.models(name)[0], DEFAULT, False)) for name in symbolic.CASES)
        return
    policies = (False, True) if ir.ops.get(group).family in INDEXED else (False,)
    for name, model, opset in _models(group):
        for strict in policies:
            yield f"{name}-strict" if strict else name, graph(model, opset, strict)


def _models(group: str) -> Iterator[tuple[str, Model, int]]:
    op = ir.ops.get(group)
    for setting in (s for s in SETTINGS if s.dtype in DTYPES):
        for name, _, sample in chosen(op, setting):
            try:
                model, _ = model_of(op, sample, setting.dynamic and not sample.bodies)
            except (TypeError, ValueError):
                continue  # inference itself refuses these symbolic sizes
            yield f"{name}-{setting.name}", model, setting.opset
    for name, _, sample in cases_of(op):
        if sample.training and not (op.random and op.family == "creation"):
            yield f"{name}-{DEFAULT}", model_of(op, sample)[0], DEFAULT
        if OWNED.intersection(s.name for s in op.operands) or has_several_results(op):
            yield from ((f"{name}-{v}", model, DEFAULT) for v, model, _ in variants(op, sample))
    if op in constants.ops():
        yield from ((f"{name}-numbers", model, DEFAULT) for name, model, _ in constants.constant_cases(op))


def graph(model: Model, opset: int, strict: bool) -> str:
    """A model's graph in ONNX's text syntax and what its conversion could not keep; the refusal where it is refused."""
    from onnx import printer

    from converter.exporters.onnx import rules
    from converter.exporters.onnx.graph import GraphWriter
    from converter.exporters.onnx.lowering import lower

    rules.register()
    try:
        built = GraphWriter(lower(model, opset, strict), opset).build()
    except ConversionError as error:
        return str(error)
    return printer.to_text(built.graph) + "".join(f"\n# {note}" for note in built.notes)
