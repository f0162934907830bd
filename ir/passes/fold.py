"""Computes at conversion what depends on constants alone."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np

from ir.core.binding import bindable_symbols
from ir.core.graph import Node, Value
from ir.core.model import Model
from ir.core.walk import attr_symbols, walk
from ir.eval.evaluator import Evaluator, concrete_attrs, evaluate_op
from ir.passes.base import Pass, Rewriter
from ir.passes.constants import constant_of
from ir.types import TensorType, is_static, numel, type_of

_FAILURES = (ValueError, IndexError, TypeError, KeyError, ZeroDivisionError, OverflowError, np.exceptions.AxisError)


@dataclass(frozen=True)
class Fold(Pass):
    """Replaces nodes whose operands are all constants by their value, as the exact evaluator computes it.

    Constants are `constant` nodes, other ops without operands, and weights of kind constant that cannot be trained;
    parameters and buffers never are, whatever they hold. Nothing of more than `limit` elements is folded. Random and
    modal ops, ops with bodies and symbolic sizes are left. A `dim` of a known size becomes a constant.
    """

    limit: int = 4096
    name: ClassVar[str] = "fold"

    def run(self, model: Model) -> bool:
        rewriter = Rewriter(model, self.name)
        for node in walk(model.graph):
            if node.graph is not None and _pure(node) and (node.inputs or node.op.name == "dim"):
                self._try(node, rewriter)
        return rewriter.changed

    def _try(self, node: Node, rewriter: Rewriter) -> None:
        if not all(_is_constant(v, rewriter.model) for v in node.inputs):
            return None
        if not _is_static(node):
            return rewriter.miss(node, "constants", "it has symbolic sizes")
        if _elements(v.type for v in (*node.inputs, *node.outputs)) > self.limit:
            return rewriter.miss(node, "constants", f"it has more than {self.limit} elements")
        try:
            results = evaluate(node, rewriter.model)
        except _FAILURES as error:
            return rewriter.miss(node, "constants", f"evaluation failed: {error}")
        b = rewriter.builder(node)
        return rewriter.replace(node, [b.constant(r) for r in results], "constants", "all operands are constants")


def _pure(node: Node) -> bool:
    return not (node.bodies or node.op.random or node.op.modal)


def _is_static(node: Node) -> bool:
    return all(is_static(v.type.shape) for v in node.outputs) and not attr_symbols(node) and not bindable_symbols(node)


def _is_constant(value: Value, model: Model) -> bool:
    weight = model.weight_of(value)
    if weight is not None:
        fixed = weight.trainable is False or not (weight.type.dtype.is_float or weight.type.dtype.is_complex)
        return weight.kind == "constant" and fixed and weight.name not in model.state
    node = value.producer
    return node is not None and not node.inputs and _pure(node) and _is_static(node)


def _elements(types: Iterable[TensorType]) -> int:
    return sum(n for t in types if isinstance(n := numel(t.shape), int))


def evaluate(node: Node, model: Model) -> tuple[np.ndarray, ...]:
    """The outputs of a node whose operands are constants, in their declared dtypes.

    Raises what the op's evaluation raises, and ValueError where the result is not of the declared type.
    """
    settings = Evaluator(mode="exact")

    def array(value: Any) -> Any:
        if isinstance(value, tuple):
            return tuple(array(v) for v in value)
        return None if value is None else _read(value, model).astype(settings.compute(value.type.dtype).numpy)

    operands = {k: array(v) for k, v in node.operands.items()}
    attrs = concrete_attrs(node.op, node.attrs, {}, settings)
    results = evaluate_op(settings, node.op, operands, attrs, {}, np.random.default_rng(0))
    arrays = tuple(r.astype(v.type.dtype.numpy) for r, v in zip(results, node.outputs, strict=True))
    for r, v in zip(arrays, node.outputs, strict=True):
        if type_of(r) != v.type:
            raise ValueError(f"declared {v.type}, computed {type_of(r)}")
    return arrays


def _read(value: Value, model: Model) -> np.ndarray:
    weight = model.weight_of(value)
    if weight is not None:
        return weight.data.numpy()
    found = constant_of(value)
    if found is not None:
        return found
    if value.producer is None:
        raise ValueError(f"{value!r} is no constant")
    return evaluate(value.producer, model)[value.index]
