"""Python numbers computed from sizes and tensors at run time: `x.shape[1] ** 0.5`, `t.item()`."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from converter.importers.base import Refusal
from converter.importers.torch.context import Call, TorchContext, rule
from ir.core import Value
from ir.types import dtypes, symbol

_BINARY = {"truediv": "div", "mul": "mul", "add": "add", "sub": "sub", "pow": "pow", "sym_max": "maximum", "sym_min": "minimum"}
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
    """A number out of a tensor; an integer may serve as a size from here on, which binds a symbol to it."""
    x = a.value("self")
    if x.type.rank:
        x = c.b.reshape(x, shape=())
    value = a.node.meta.get("val")
    if type(value).__name__ != "SymInt":
        return x
    name = f"value_{a.node.name}"
    c.sizes.bind(str(value.node.expr), symbol(name, opaque=True))
    return c.b.bind_dim(x, symbol=name)
