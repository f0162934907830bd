"""Attributes that a call to a builder gives, though the op has them anyway: leaving one out means the same."""

from __future__ import annotations

import ast
import math
from typing import Any

BUILDERS = ("b", "builder")
"""How the rules call a `Builder`: `c.b.softmax(x, axis=-1)`."""


def given_anyway(call: ast.Call, name: str) -> bool:
    """Whether the call makes a node of an op whose attribute `name` is by default what the call gives: a literal, an
    element type or one of `math`."""
    from ir.types.attrs import coerce

    record = _op_called(call)
    spec = next((a for a in record.attributes if a.name == name), None) if record is not None else None
    given = next((k.value for k in call.keywords if k.arg == name), None)
    if spec is None or spec.required or given is None:
        return False
    try:
        said, default = (coerce(v, spec.annotation, name) for v in (_value(given), spec.default))
    except (ValueError, TypeError):
        return False
    return (type(said), said) == (type(default), default)


def _op_called(call: ast.Call) -> Any:
    """The record of the op, or None where the call is another."""
    from ir.ops import registry

    func = call.func
    if not isinstance(func, ast.Attribute) or ast.unparse(func.value).rpartition(".")[2] not in BUILDERS:
        return None
    try:
        return registry.get(func.attr.rstrip("_"))
    except KeyError:
        return None


def _value(node: ast.expr) -> Any:
    """Raises ValueError for what is neither a literal nor a name of `math` or `dtypes`."""
    from ir.types import dtypes

    match node:
        case ast.Attribute(value=ast.Name(id="math"), attr=name) if hasattr(math, name):
            return getattr(math, name)
        case ast.Attribute(value=ast.Name(id="dtypes"), attr=name) if hasattr(dtypes, name):
            return getattr(dtypes, name)
    return ast.literal_eval(node)
