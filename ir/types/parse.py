"""Reading dims and types from text: `float32[batch, 3, (width - 3) // 2 + 1]`."""

from __future__ import annotations

import ast
import re

from ir.types.dim import Dim, dim_max, dim_min, floordiv, mod, symbol
from ir.types.dtypes import dtype
from ir.types.tensor import TensorType

_TYPE = re.compile(r"^\s*(?P<dtype>\w+)\s*\[(?P<dims>.*)\]\s*$", re.DOTALL)
_MAX_LENGTH = 2000


def parse_type(text: str, opaque: frozenset[str] = frozenset()) -> TensorType:
    """The type that `str(type)` wrote; raises ValueError. Names in `opaque` become opaque symbols."""
    match = _TYPE.match(text) if len(text) <= _MAX_LENGTH else None
    if match is None:
        raise ValueError(f"{text[:80]!r} is not a type such as float32[batch,3]")
    try:
        kind = dtype(match["dtype"])
        call = ast.parse(f"_({match['dims']})", mode="eval").body
    except (TypeError, SyntaxError) as error:
        raise ValueError(f"{text!r} is not a type: {error}") from None
    if not isinstance(call, ast.Call) or call.keywords:
        raise ValueError(f"{text!r} is not a type such as float32[batch,3]")
    return TensorType(kind, tuple(_dim(node, opaque) for node in call.args))


def parse_dim(text: str, opaque: frozenset[str] = frozenset()) -> Dim:
    """The dim that `str(dim)` wrote; raises ValueError."""
    try:
        return _dim(ast.parse(text[:_MAX_LENGTH].strip(), mode="eval").body, opaque)
    except SyntaxError:
        raise ValueError(f"{text!r} is not a size expression") from None


def _dim(node: ast.expr, opaque: frozenset[str]) -> Dim:
    if isinstance(node, ast.Constant) and type(node.value) is int:
        return node.value
    if isinstance(node, ast.Name):
        return symbol(node.id, node.id in opaque)
    if isinstance(node, ast.UnaryOp) and isinstance(node.op, ast.USub):
        return -_dim(node.operand, opaque)
    if isinstance(node, ast.BinOp):
        return _binary(node, opaque)
    if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and len(node.args) == 2 and not node.keywords:
        fn = {"min": dim_min, "max": dim_max}.get(node.func.id)
        if fn is not None:
            return fn(_dim(node.args[0], opaque), _dim(node.args[1], opaque))
    raise ValueError(f"{ast.unparse(node)!r} is not a size expression")


def _binary(node: ast.BinOp, opaque: frozenset[str]) -> Dim:
    left, right = _dim(node.left, opaque), _dim(node.right, opaque)
    match node.op:
        case ast.Add():
            return left + right
        case ast.Sub():
            return left - right
        case ast.Mult():
            return left * right
        case ast.FloorDiv():
            return floordiv(left, right)
        case ast.Mod():
            return mod(left, right)
    raise ValueError(f"{ast.unparse(node)!r} is not a size expression")
