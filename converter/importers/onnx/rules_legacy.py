"""Definitions of opset 6 that opset 7 replaced: limited broadcasting by `axis`, test mode by attribute."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from converter.importers.onnx.context import OnnxContext
from converter.importers.onnx.rules_dropout import unmasked_dropout
from converter.importers.onnx.rules_linalg import product
from converter.importers.onnx.rules_norm import running_batch_norm
from converter.importers.onnx.rules_pool import window_of
from converter.importers.onnx.table import RULES, rule
from ir.core import Value
from ir.types import normalize_axis, same

_BROADCASTING = {
    "Add": (6, "add"), "Sub": (6, "sub"), "Mul": (6, "mul"), "Div": (6, "div"), "Pow": (1, "pow"), "And": (1, "and_"),
    "Or": (1, "or_"), "Xor": (1, "xor"), "Equal": (1, "equal"), "Less": (1, "less"), "Greater": (1, "greater"),
}  # fmt: skip


def _limited(name: str) -> Callable[[OnnxContext], Value]:
    def run(c: OnnxContext) -> Value:
        x, y = c.x(0), _aligned(c)
        op = "trunc_div" if name == "div" and x.type.dtype.is_integer else name
        return getattr(c.b, op)(x, y)

    return run


def _aligned(c: OnnxContext) -> Value:
    """The second operand so that NumPy's broadcasting does what `broadcast` and `axis` say.

    Sizes of 1 spread, as in the files that ONNX itself ships (the text has them as not working yet).
    """
    x, y = c.type(0), c.x(1)
    broadcast, axis = c.attr("broadcast"), c.attr("axis")
    if not broadcast:
        if x.rank != y.type.rank or any(same(a, b) is not True for a, b in zip(x.shape, y.type.shape)):
            c.refuse(f"operands {x} and {y.type} without broadcast=1 are not defined")
        return y
    if all(d == 1 for d in y.type.shape) and y.type.rank <= x.rank:
        return y
    start = x.rank - y.type.rank if axis is None else normalize_axis(axis, x.rank)
    own = x.shape[start : start + y.type.rank]
    if len(own) != y.type.rank or any(b != 1 and same(a, b) is not True for a, b in zip(own, y.type.shape)):
        c.refuse(f"{y.type} is no contiguous part of {x} from axis {start} on")
    after = x.rank - start - y.type.rank
    return c.b.reshape(y, shape=(*y.type.shape, *[1] * after)) if after else y


for _op, (_version, _name) in _BROADCASTING.items():
    RULES.add(("", _op, _version), _limited(_name), _name)


@rule("Gemm", 6)
def gemm(c: OnnxContext) -> Value:
    """C must have the result's shape unless broadcast=1."""
    return product(c, None if c.attr("broadcast") else c.type(2))


@rule("PRelu", 6)
def prelu(c: OnnxContext) -> Value:
    """One slope for all, or one for each channel (axis 1)."""
    x, slope = c.x(0), c.x(1)
    if all(d == 1 for d in slope.type.shape):
        return c.b.prelu(x, slope if slope.type.rank <= x.type.rank else c.b.reshape(slope, shape=()))
    if slope.type.rank != 1 or x.type.rank < 2 or same(slope.type.shape[0], x.type.shape[1]) is not True:
        c.refuse(f"a slope {slope.type} for {x.type} is not defined")
    return c.b.prelu(x, slope, axis=1)


@rule("AveragePool", 1)
def average_pool(c: OnnxContext) -> Value:
    """Padding never counts."""
    return c.b.avg_pool(c.x(), **window_of(c), include_pad=False)


@rule("BatchNormalization", 6)
def batch_norm(c: OnnxContext) -> Value:
    """In test mode."""
    c.only("spatial", 1)
    c.only("is_test", 1, advice="export the model in evaluation mode")
    return running_batch_norm(c)


@rule("Dropout", 6)
def dropout(c: OnnxContext) -> Any:
    """In test mode."""
    c.only("is_test", 1, advice="export the model in evaluation mode")
    return unmasked_dropout(c)
