"""Arithmetic on two tensors, and choices between them. A constant operand prints as a Python number."""

from __future__ import annotations

from converter.exporters.code.expr import Binary, Expr, hole
from converter.exporters.outline.instances import Form
from converter.exporters.outline.operands import divided, numbers
from converter.exporters.tensorflow.context import NN, TF, Context
from converter.exporters.tensorflow.table import form, rule
from ir.core import Node, Value

_OPERATORS = {"add": "+", "sub": "-", "mul": "*", "div": "/"}
COMPILED = "compiled by XLA, `tf.maximum` and `tf.minimum` pass over NaN in their second operand, which the source hands on"


@rule(*_OPERATORS)
def operator(c: Context, node: Node) -> Expr:
    return Binary(_OPERATORS[node.op.name], *numbers(c, node))


@rule("maximum", "minimum")
def extremum(c: Context, node: Node) -> Expr:
    _tell_of_nan(c, node, node.inputs[1])
    return getattr(TF, node.op.name)(*divided(c, node))


def _tell_of_nan(c: Context, node: Node, *values: Value) -> None:
    """Of `values`, which stand where XLA does not look for it; a number is none."""
    if node.output.type.dtype.is_float and any(c.literal(v) is None for v in values):
        c.note(COMPILED)


@rule("atan2")
def atan2(c: Context, node: Node) -> Expr:
    return TF.atan2(*(c.x(v) for v in node.inputs))


@rule("pow")
def power(c: Context, node: Node) -> Expr:
    """TensorFlow has no powers of unsigned integers."""
    if node.output.type.dtype.kind == "uint":
        return c.helper("unsigned_power")(*(c.x(v) for v in node.inputs))
    return TF.pow(*divided(c, node))


def _integers(node: Node) -> str | None:
    return None if node.output.type.dtype.is_integer else "TensorFlow rounds quotients of floats before the floor"


@rule("floor_div", accepts=_integers)
def floor_division(c: Context, node: Node) -> Expr:
    return Binary("//", *numbers(c, node))


@rule("trunc_div", accepts=_integers)
def truncated_division(c: Context, node: Node) -> Expr:
    return TF.truncatediv(*divided(c, node))


@rule("mod")
def remainder(c: Context, node: Node) -> Expr:
    return Binary("%", *numbers(c, node))


@rule("fmod")
def fmod(c: Context, node: Node) -> Expr:
    x, y = divided(c, node)
    kind = node.output.type.dtype
    if kind.is_float:
        return c.widened(kind, "float32" if kind.is_half else kind.name, c.helper("truncated_mod"), x, y)
    if kind.name in ("int32", "int64"):
        return TF.truncatemod(x, y)
    x, y = c.name_once(x), c.name_once(y)
    return x - TF.truncatediv(x, y) * y


@rule("clip")
def clip(c: Context, node: Node) -> Expr:
    """`max` wins where the bounds cross, as minimum behind maximum has it."""
    low, high = node.operands["min"], node.operands["max"]
    _tell_of_nan(c, node, *(v for v in (low, high) if v is not None))
    x = c.x(node.operand("x"))
    bounds = [None if v is None else c.literal(v) for v in (low, high)]
    plain = node.output.type.dtype.name not in ("uint32", "uint64")  # which the function has no kernel for
    if plain and bounds[0] is not None and bounds[1] is not None:
        if bounds[0].value.value <= bounds[1].value.value:
            return TF.clip_by_value(x, *bounds)
    x = x if low is None else TF.maximum(x, c.number_or_x(low))
    return x if high is None else TF.minimum(x, c.number_or_x(high))


@rule("hard_tanh")
def hard_tanh(c: Context, node: Node) -> Expr:
    """`tf.nn.relu6` where it is that; else no gradient passes at the bounds, as it does with `tf.clip_by_value`."""
    if (node.attrs["min"], node.attrs["max"]) == (0.0, 6.0):
        return NN.relu6(c.x(node.operand("x")))
    return c.helper("hard_tanh")(
        c.x(node.operand("x")), hole(node.attrs["min"], "low"), hole(node.attrs["max"], "high")
    )


@form("hard_tanh")
def relu6_form(node: Node) -> Form | None:
    """`tf.nn.relu6`."""
    return Form(NN.relu6) if (node.attrs["min"], node.attrs["max"]) == (0.0, 6.0) else None


@rule("where")
def where(c: Context, node: Node) -> Expr:
    condition, x, y = node.inputs
    return TF.where(c.x(condition), c.choice(x), c.choice(y))


@rule("complex")
def complex_(c: Context, node: Node) -> Expr:
    return c.helper("complex_of")(*(c.x(v) for v in node.inputs))
