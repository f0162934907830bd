"""Arithmetic on two tensors, and choices between them. A constant operand prints as a Python number."""

from __future__ import annotations

from converter.exporters.code.expr import Binary, Expr, Lit, Name, hole, lift
from converter.exporters.outline.instances import Form
from converter.exporters.outline.operands import divided, numbers
from converter.exporters.torch.context import TORCH, Context, F
from converter.exporters.torch.table import form, rule
from ir.core import Node

_OPERATORS = {"add": "+", "sub": "-", "mul": "*", "div": "/"}
_FUNCTIONS = {
    "maximum": "maximum", "minimum": "minimum", "fmax": "fmax", "fmin": "fmin", "atan2": "atan2", "complex": "complex",
}  # fmt: skip


@rule(*_OPERATORS)
def operator(c: Context, node: Node) -> Expr:
    return Binary(_OPERATORS[node.op.name], *numbers(c, node))


@rule(*_FUNCTIONS)
def function(c: Context, node: Node) -> Expr:
    return getattr(TORCH, _FUNCTIONS[node.op.name])(*(c.x(v) for v in node.inputs))


@rule("pow")
def power(c: Context, node: Node) -> Expr:
    x, y = node.operand("x"), node.operand("y")
    number = c.literal(y)
    if number is not None and c.literal(x) is None:
        return c.x(x).pow(number)
    if x.type.dtype.is_integer and y.type.dtype.kind == "int":
        return c.helper("integer_power")(c.x(x), c.x(y))
    return TORCH.pow(c.x(x), c.x(y))


def _may_overflow(c: Context, node: Node) -> bool:
    """The lowest integer divided by -1 ends the process (a hardware trap); it wraps elsewhere."""
    y = node.operand("y")
    number = c.literal(y)
    known = number is not None and c.literal(node.operand("x")) is None and number.value != Lit(-1)
    return y.type.dtype.kind == "int" and not known


@rule("floor_div", "trunc_div")
def rounded_division(c: Context, node: Node) -> Expr:
    mode = "floor" if node.op.name == "floor_div" else "trunc"
    if _may_overflow(c, node):
        return c.helper("integer_div")(c.x(node.operand("x")), c.x(node.operand("y")), lift(mode))
    return TORCH.div(*divided(c, node), rounding_mode=mode)


@rule("mod", "fmod")
def remainder(c: Context, node: Node) -> Expr:
    if _may_overflow(c, node):
        function = lift("remainder" if node.op.name == "mod" else "fmod")
        return c.helper("integer_mod")(c.x(node.operand("x")), c.x(node.operand("y")), function)
    if node.op.name == "fmod":
        return TORCH.fmod(*divided(c, node))
    x, y = numbers(c, node)
    return Binary("%", x, y) if c.literal(node.operand("x")) is None else TORCH.remainder(x, y)


@rule("clip")
def clip(c: Context, node: Node) -> Expr:
    low, high = node.operands["min"], node.operands["max"]
    given = [v for v in (low, high) if v is not None]
    plain = all(c.literal(v) is not None for v in given)
    read = c.literal if plain else c.x
    bounds = {k: read(v) for k, v in (("min", low), ("max", high)) if v is not None}
    return c.x(node.operand("x")).clamp(**bounds) if bounds else c.x(node.operand("x"))


def _limits(node: Node) -> dict[str, Expr] | None:
    """The settings of `F.hardtanh`; None for `F.relu6`."""
    low, high = node.attrs["min"], node.attrs["max"]
    if (low, high) == (0.0, 6.0):
        return None
    return {"min_val": hole(low, "min_val", -1.0), "max_val": hole(high, "max_val", 1.0)}


@rule("hard_tanh")
def hard_tanh(c: Context, node: Node) -> Expr:
    x, limits = c.x(node.operand("x")), _limits(node)
    return F.relu6(x) if limits is None else F.hardtanh(x, **limits)


@form("hard_tanh")
def hard_tanh_module(node: Node) -> Form | None:
    """`nn.ReLU6` or `nn.Hardtanh`, where the source has a module at a numbered place of a container."""
    if not node.origin.path or not node.origin.path[-1].name.isdigit():
        return None
    limits = _limits(node)
    return Form(Name("nn.ReLU6")()) if limits is None else Form(Name("nn.Hardtanh")(**limits))


@rule("where")
def where(c: Context, node: Node) -> Expr:
    condition = c.x(node.operand("condition"))
    x, y = node.operand("x"), node.operand("y")
    if c.literal(x) is not None and c.literal(y) is not None:
        return TORCH.where(condition, c.x(x), c.number_or_x(y))
    return TORCH.where(condition, *numbers(c, node))
