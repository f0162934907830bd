"""Arithmetic on two tensors, and choices between them. A constant operand prints as a Python number."""

from __future__ import annotations

from converter.exporters.code.expr import Binary, Expr, Name, hole, lift
from converter.exporters.keras.context import OPS, Context, bare
from converter.exporters.keras.table import form, rule
from converter.exporters.outline.instances import Form
from converter.exporters.outline.operands import numbers
from ir.core import Node

_OPERATORS = {"add": "+", "sub": "-", "mul": "*", "div": "/"}
_FUNCTIONS = {"maximum": "maximum", "minimum": "minimum", "fmax": "fmax", "fmin": "fmin", "atan2": "arctan2"}


@rule(*_OPERATORS)
def operator(c: Context, node: Node) -> Expr:
    x, y = numbers(c, node)
    return Binary(_OPERATORS[node.op.name], bare(x), bare(y))


@rule(*_FUNCTIONS)
def function(c: Context, node: Node) -> Expr:
    """Numbers of 64 bits by a choice: on PyTorch, Keras' own functions cut them to 32."""
    if node.output.type.dtype.name == "float64" and node.op.name in ("maximum", "minimum"):
        x, y = (c.name_once(c.x(v)) for v in node.inputs)
        first = OPS.logical_or(x > y if node.op.name == "maximum" else x < y, OPS.isnan(x))
        return OPS.where(first, x, y)
    if node.output.type.dtype.is_integer:
        x, y = (c.name_once(c.x(v)) for v in node.inputs)
        return OPS.where(x > y if node.op.name.endswith("max") or node.op.name == "maximum" else x < y, x, y)
    if node.output.type.dtype.name == "float64" and node.op.name in ("maximum", "minimum"):
        return c.helper("wide_" + node.op.name)(*(c.x(v) for v in node.inputs))
    return getattr(OPS, _FUNCTIONS[node.op.name])(*(c.x(v) for v in node.inputs))


@rule("pow")
def power(c: Context, node: Node) -> Expr:
    x, y = (c.x(v) for v in node.inputs)
    return c.helper("integer_power")(x, y) if node.output.type.dtype.is_integer else OPS.power(x, y)


def _integers(node: Node) -> str | None:
    return None if node.output.type.dtype.is_integer else "Keras' backends round quotients of floats before the floor"


@rule("floor_div", accepts=_integers)
def floor_division(c: Context, node: Node) -> Expr:
    return Binary("//", *(c.x(v) for v in node.inputs))


@rule("trunc_div", accepts=_integers)
def truncated_division(c: Context, node: Node) -> Expr:
    return c.helper("trunc_div")(*(c.x(v) for v in node.inputs))


@rule("mod")
def remainder(c: Context, node: Node) -> Expr:
    return OPS.mod(*(c.x(v) for v in node.inputs))


@rule("fmod")
def fmod(c: Context, node: Node) -> Expr:
    x, y = (c.x(v) for v in node.inputs)
    if not node.output.type.dtype.is_integer:
        return OPS.fmod(x, y)
    x, y = c.name_once(x), c.name_once(y)
    return x - c.helper("trunc_div")(x, y) * y


@rule("clip")
def clip(c: Context, node: Node) -> Expr:
    """`max` wins where the bounds cross, as minimum behind maximum has it."""
    low, high = node.operands["min"], node.operands["max"]
    x = c.x(node.operand("x"))
    if node.output.type.dtype.is_integer:
        x = x if low is None else c.helper("larger")(x, c.x(low))
        return x if high is None else c.helper("smaller")(x, c.x(high))
    if node.output.type.dtype.name == "float64":  # on PyTorch, ops.clip gives float32
        x = x if low is None else c.helper("wide_maximum")(x, c.x(low))
        return x if high is None else c.helper("wide_minimum")(x, c.x(high))
    numbers_ = [None if v is None else c.literal(v) for v in (low, high)]
    if low is not None and high is not None and all(n is not None for n in numbers_):
        if numbers_[0].value.value <= numbers_[1].value.value:  # type: ignore[union-attr]
            return OPS.clip(x, *numbers_)
    x = x if low is None else OPS.maximum(x, c.number_or_x(low))
    return x if high is None else OPS.minimum(x, c.number_or_x(high))


@rule("hard_tanh")
def hard_tanh(c: Context, node: Node) -> Expr:
    """`ops.relu6` where it is that; else no gradient passes at the bounds, as it does with `ops.clip`."""
    if (node.attrs["min"], node.attrs["max"]) == (0.0, 6.0):
        return OPS.relu6(c.x(node.operand("x")))
    return c.helper("hard_tanh")(
        c.x(node.operand("x")), hole(node.attrs["min"], "low"), hole(node.attrs["max"], "high")
    )


@form("hard_tanh")
def relu6_layer(node: Node) -> Form | None:
    """`layers.Activation("relu6")`."""
    numbered = bool(node.origin.path) and node.origin.path[-1].name.isdigit()
    relu6 = (node.attrs["min"], node.attrs["max"]) == (0.0, 6.0)
    return Form(Name("layers.Activation")(lift("relu6"))) if relu6 and numbered else None


@rule("where")
def where(c: Context, node: Node) -> Expr:
    return OPS.where(*(c.x(v) for v in node.inputs))
