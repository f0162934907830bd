"""Products."""

from __future__ import annotations

from typing import Any

from converter.importers.keras.context import KerasContext, rule
from converter.importers.keras.layers import finish
from converter.importers.keras.operands import both
from ir.core import Value


@rule("ops.Matmul")
def matmul(c: KerasContext, _: Any, x1: Any, x2: Any) -> Value:
    x, y = both(c, x1, x2)
    return c.b.matmul(x, y)


@rule("layers.Dense")
def dense(c: KerasContext, layer: Any, inputs: Any, training: Any = None) -> Any:
    kernel = c.weight(layer.kernel, "I O", "O I")
    x = c.value(inputs, kernel.type.dtype)
    bias = c.optional(layer.bias, kernel.type.dtype) if layer.use_bias else None
    return finish(c, layer, c.b.linear(x, kernel, bias))
