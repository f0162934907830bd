"""Operators that come in by the function their definition carries: the IR has no form of their own for them."""

from __future__ import annotations

from typing import Any

from converter.importers.onnx import functions
from converter.importers.onnx.context import OnnxContext
from converter.importers.onnx.table import RULES

_DEFINED: dict[tuple[str, str], tuple[int, ...]] = {
    ("", "CausalConvWithState"): (27,),
    ("", "DynamicQuantizeLinear"): (11,),
    ("", "LinearAttention"): (27,),
    ("", "NegativeLogLikelihoodLoss"): (12, 13, 22),
    ("", "SoftmaxCrossEntropyLoss"): (12, 13),
    ("ai.onnx.preview", "FlexAttention"): (1,),
}


def by_definition(c: OnnxContext) -> list[Any]:
    """Inline the body that the definition gives."""
    return functions.expand(c)


for (domain, op), versions in _DEFINED.items():
    for version in versions:
        RULES.add((domain, op, version), by_definition)
