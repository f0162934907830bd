"""Writing attributes, sizes, types and constant tensors as text. `ir.text.parser` reads what this writes."""

from __future__ import annotations

import base64
from typing import Any

import numpy as np

from ir.text.lexer import quote, quote_name
from ir.types import Dim, DimExpr, DType, Symbol, TensorType, dtypes
from ir.types.attrs import ArrayAttr

RESERVED = frozenset(
    {d.name for d in dtypes.ALL} | {"True", "False", "None", "nan", "inf", "min", "max", "tensor", "return"}
)
"""Names that mean something else in an expression: quoted when a value, weight or size is called so."""
INLINE = 32  # elements; longer tensors are written as base64


def name_text(name: str) -> str:
    """A value, weight, size or field name."""
    return quote_name(name, RESERVED)


def dim_text(dim: Dim) -> str:
    """A size: `batch`, `2 * n + 1`, `(n + 1) // 2`, `max(n, 1)`; opaque symbols are marked `?n`."""
    if not isinstance(dim, DimExpr):
        return str(dim)
    text = ""
    for mono, coef in dim.terms:
        minus = "-" if coef < 0 else "+"
        text += f" {minus} " if text else minus.strip("+")
        text += _term(mono, abs(coef), coef < 0)
    return text


def _term(mono: Any, coef: int, negative: bool) -> str:
    factors = [_atom(atom) for atom, power in mono for _ in range(power)]
    if coef != 1 or not factors:
        factors.insert(0, str(coef))
    if negative or len(factors) > 1:
        factors = [f"({f})" if "//" in f or "%" in f else f for f in factors]
    return " * ".join(factors)


def _atom(atom: Any) -> str:
    if isinstance(atom, Symbol):
        return ("?" if atom.opaque else "") + name_text(atom.name)
    a, b = (dim_text(x) for x in atom.args)
    if atom.kind in ("min", "max"):
        return f"{atom.kind}({a}, {b})"
    a, b = (t if isinstance(x, int) or x.is_symbol else f"({t})" for x, t in zip(atom.args, (a, b), strict=True))
    return f"{a} {'//' if atom.kind == 'floordiv' else '%'} {b}"


def type_text(t: TensorType) -> str:
    """`float32[batch, 3]`."""
    return f"{t.dtype.name}[{', '.join(dim_text(d) for d in t.shape)}]"


def literal_text(value: Any) -> str:
    """Any attribute value; raises TypeError for a kind that has no literal."""
    if value is None or isinstance(value, (bool, int)):
        return str(value)
    if isinstance(value, float):
        return repr(value)
    if isinstance(value, str):
        return quote(value)
    if isinstance(value, DType):
        return value.name
    if isinstance(value, DimExpr):
        return dim_text(value)
    if isinstance(value, ArrayAttr):
        return tensor_text(value.value)
    if isinstance(value, tuple):
        return "(" + ", ".join(literal_text(v) for v in value) + ("," if len(value) == 1 else "") + ")"
    raise TypeError(f"an attribute of type {type(value).__name__} has no text form: {value!r}")


def tensor_text(array: np.ndarray) -> str:
    """`tensor(float32[2], [1.0, nan])`, or the bytes as base64 where that is shorter or the only exact form."""
    dtype = dtypes.dtype(array.dtype)
    shape = f"{dtype.name}[{', '.join(map(str, array.shape))}]"
    if array.size <= INLINE and not dtype.is_complex:
        texts = [_number_text(x) for x in array.reshape(-1)]
        if tensor_of_numbers([_number(t) for t in texts], dtype, array.shape).tobytes() == array.tobytes():
            return f"tensor({shape}, {_nested(texts, array.shape)})"
    return f'tensor({shape}, "{base64.b64encode(array.tobytes()).decode()}")'


def tensor_of_numbers(numbers: list[Any], dtype: DType, shape: tuple[int, ...]) -> np.ndarray:
    """The tensor with these elements; raises ValueError when they do not fit."""
    try:
        return np.array(numbers, dtype=object if dtype.bits < 8 else None).astype(dtype.numpy).reshape(shape)
    except (OverflowError, TypeError) as error:
        raise ValueError(f"elements do not fit {dtype}: {error}") from None


def tensor_of_bytes(text: str, dtype: DType, shape: tuple[int, ...]) -> np.ndarray:
    """The tensor with these base64 bytes; raises ValueError when they are too few or too many."""
    return np.frombuffer(base64.b64decode(text, validate=True), dtype.numpy).reshape(shape)


def _number_text(x: Any) -> str:
    item = x.item() if x.dtype.kind in "biuf" else float(x) if np.issubdtype(type(x), np.floating) else None
    if item is None:  # ml_dtypes scalars
        item = int(x) if "int" in x.dtype.name else float(x)
    if isinstance(item, (bool, int)):
        return str(item)
    short = str(x)
    return short if short[-1:].isdigit() and not short.isdigit() and x.dtype.type(float(short)) == x else repr(item)


def _number(text: str) -> bool | int | float:
    if text in ("True", "False"):
        return text == "True"
    return int(text) if text.lstrip("-").isdigit() else float(text)


def _nested(texts: list[str], shape: tuple[int, ...]) -> str:
    if not shape:
        return texts[0]
    if len(shape) == 1 or 0 in shape:
        return "[" + ", ".join(texts) + "]"
    step = len(texts) // shape[0]
    return "[" + ", ".join(_nested(texts[i : i + step], shape[1:]) for i in range(0, len(texts), step)) + "]"
