"""Python numbers computed from sizes and tensors at run time: `x.shape[1] ** 0.5`, `t.item()`."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from converter.importers.base import Refusal
from converter.importers.torch.checks import is_check
from converter.importers.torch.context import Call, TorchContext, rule
from ir.core import Value
from ir.types import dtypes, symbol

_BINARY = {"truediv": "div", "mul": "mul", "add": "add", "sub": "sub", "pow": "pow", "sym_max": "maximum", "sym_min": "minimum"}
_WHOLE = {
    "add": "add", "sub": "sub", "mul": "mul", "neg": "neg", "sym_max": "maximum", "sym_min": "minimum", "floordiv": "floor_div",
    "mod": "mod",
}  # fmt: skip
POSITIONS = ("aten.select.int", "aten.select_copy.int", "aten.select_scatter.default")
"""Ops whose `index` is one position, counted from the end where it is negative."""
_UNARY: dict[str, Callable[[TorchContext, Value], Value]] = {
    "sym_float": lambda c, x: x,
    "_sym_sqrt": lambda c, x: c.b.sqrt(x),
    "sqrt": lambda c, x: c.b.sqrt(x),
    "neg": lambda c, x: c.b.neg(x),
}


def convert_number(c: TorchContext, node: Any) -> Value:
    """A float64 scalar for an fx node that computes a Python float; raises Refusal."""
    name = getattr(node.target, "__name__", str(node.target))
    parts = [number(c, item) for item in node.args]
    if name in _BINARY and len(parts) == 2:
        return getattr(c.b, _BINARY[name])(*parts)
    if name in _UNARY and len(parts) == 1:
        return _UNARY[name](c, parts[0])
    raise Refusal(f"the Python function {name} on a number known only at run time")


def convert_integer(c: TorchContext, node: Any) -> Value:
    """An int64 scalar for an fx node that computes a Python integer from one that is no size; raises Refusal."""
    name = getattr(node.target, "__name__", str(node.target))
    if name not in _WHOLE:
        raise Refusal(f"the Python function {name} on an integer known only at run time", "keep it a tensor")
    c.numbers.add(node)
    return getattr(c.b, _WHOLE[name])(*(_whole(c, item) for item in node.args))


def _whole(c: TorchContext, item: Any) -> Value:
    if not hasattr(item, "meta"):
        return c.constant(item, dtypes.int64)
    if item in c.numbers:
        return c.value(item)
    return c.size_value(c.sizes.dim(item.meta["val"]), dtypes.int64)


def _may_be_negative(value: Any) -> bool:
    """Whether nothing keeps an integer that was read from a tensor from being negative, as its use as a size would."""
    bounds = value.node.shape_env.var_to_range.get(value.node.expr)
    return bounds is not None and bool(bounds.lower < 0)


def _only_counts(node: Any) -> bool:
    """Whether an integer is used where any number may stand, and nowhere as a size, a bound or an axis."""
    return all(_counts_in(user, node) for user in node.users)


def _counts_in(user: Any, node: Any) -> bool:
    if user.op == "output" or is_check(str(user.target)):
        return True
    schema = getattr(user.target, "_schema", None)
    if schema is None:  # Python arithmetic, or a comparison that is asserted
        return all(is_check(str(u.target)) for u in user.users) or (
            getattr(user.target, "__name__", "") in _WHOLE and _only_counts(user)
        )
    given = [a for a, item in zip(schema.arguments, user.args) if item is node]
    given += [a for a in schema.arguments if user.kwargs.get(a.name) is node]
    kinds = [str(a.type) for a in given]
    if str(user.target) in POSITIONS and [a.name for a in given] == ["index"]:
        return True
    return bool(kinds) and all(k in ("Tensor", "number", "Optional[number]") for k in kinds)


def number(c: TorchContext, item: Any) -> Value:
    """A literal, a size or a computed number as a float64 scalar."""
    if not hasattr(item, "meta"):
        return c.constant(item, dtypes.float64)
    found = c.env.get(item)
    if isinstance(found, Value):
        return c.cast(found, dtypes.float64)
    value = item.meta.get("val")
    if isinstance(value, (bool, int, float)):
        return c.constant(value, dtypes.float64)
    return c.size_value(c.sizes.dim(value), dtypes.float64)


@rule("aten.item.default", "aten._local_scalar_dense.default")
def item(c: TorchContext, a: Call) -> Value:
    """A number out of a tensor; an integer that serves as a size, or may, binds a symbol to it."""
    x = a.value("self")
    if x.type.rank:
        x = c.b.reshape(x, shape=())
    value = a.node.meta.get("val")
    if type(value).__name__ != "SymInt":
        return x
    if _may_be_negative(value) and _only_counts(a.node):
        c.numbers.add(a.node)
        return c.cast(x, dtypes.int64)
    name = f"value_{a.node.name}"
    c.sizes.bind(str(value.node.expr), symbol(name, opaque=True))
    return c.b.bind_dim(x, symbol=name)
