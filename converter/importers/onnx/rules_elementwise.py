"""Arithmetic and elementwise functions."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from converter.importers.onnx.context import OnnxContext
from converter.importers.onnx.table import RULES, rule
from ir.core import Value
from ir.types import DType, dtypes, require_same

_UNARY: dict[str, tuple[str, tuple[int, ...]]] = {
    "Abs": ("abs", (6, 13)), "Neg": ("neg", (6, 13)), "Exp": ("exp", (6, 13)), "Log": ("log", (6, 13)), "Sqrt": ("sqrt", (6, 13)),
    "Reciprocal": ("reciprocal", (6, 13)), "Floor": ("floor", (6, 13)), "Ceil": ("ceil", (6, 13)), "Round": ("round", (11, 22)),
    "Sign": ("sign", (9, 13)), "Erf": ("erf", (9, 13)), "Sin": ("sin", (7, 22)), "Cos": ("cos", (7, 22)), "Tan": ("tan", (7, 22)),
    "Asin": ("asin", (7, 22)), "Acos": ("acos", (7, 22)), "Atan": ("atan", (7, 22)), "Sinh": ("sinh", (9, 22)), "Cosh": ("cosh", (9, 22)),
    "Tanh": ("tanh", (6, 13)), "Asinh": ("asinh", (9, 22)), "Acosh": ("acosh", (9, 22)), "Atanh": ("atanh", (9, 22)),
}  # fmt: skip
_BINARY: dict[str, tuple[str, tuple[int, ...]]] = {
    "Add": ("add", (7, 13, 14)),
    "Sub": ("sub", (7, 13, 14)),
    "Mul": ("mul", (7, 13, 14)),
}
_VARIADIC: dict[str, tuple[str, tuple[int, ...]]] = {
    "Sum": ("add", (6, 8, 13)), "Max": ("maximum", (6, 8, 12, 13)), "Min": ("minimum", (6, 8, 12, 13)),
}  # fmt: skip


def unary(name: str) -> Callable[[OnnxContext], Value]:
    return lambda c: getattr(c.b, name)(c.x())


def binary(name: str) -> Callable[[OnnxContext], Value]:
    return lambda c: getattr(c.b, name)(c.x(0), c.x(1))


def _fold(name: str) -> Callable[[OnnxContext], Value]:
    def run(c: OnnxContext) -> Value:
        total, *rest = c.xs()
        for x in rest:
            total = getattr(c.b, name)(total, x)
        return total

    return run


def register(table: dict[str, tuple[str, tuple[int, ...]]], make: Callable[[str], Callable[..., Any]]) -> None:
    for op, (name, versions) in table.items():
        for version in versions:
            RULES.add(("", op, version), make(name), name)


register(_UNARY, unary)
register(_BINARY, binary)
register(_VARIADIC, _fold)


@rule("Div", 7, 13, 14)
def div(c: OnnxContext) -> Value:
    """Integers divide towards zero."""
    return c.b.trunc_div(c.x(0), c.x(1)) if c.type().dtype.is_integer else c.b.div(c.x(0), c.x(1))


@rule("Mod", 10, 13, 28)
def mod(c: OnnxContext) -> Value:
    """fmod=0 takes the divisor's sign, fmod=1 the dividend's. Before version 28, floats must ask for fmod=1."""
    if c.attr("fmod"):
        return c.b.fmod(c.x(0), c.x(1))
    if c.type().dtype.is_float and c.version < 28:
        c.refuse("fmod=0 is not defined for floats")
    return c.b.mod(c.x(0), c.x(1))


@rule("Pow", 7, 12, 13, 15)
def pow(c: OnnxContext) -> Value:
    """The base's type is the result's; operands of two types meet in one that holds both."""
    base, exponent = c.x(0), c.x(1)
    kind = base.type.dtype
    common = kind if kind == exponent.type.dtype else _common(c, kind, exponent.type.dtype)
    return c.cast(c.b.pow(c.cast(base, common), c.cast(exponent, common)), kind)


def _common(c: OnnxContext, kind: DType, other: DType) -> DType:
    """Integers stay exact, as in ONNX Runtime: an exponent that is rounded may become even, which turns signs."""
    if kind.is_integer:
        return dtypes.int64 if other.is_integer else dtypes.float64
    if other.is_integer:
        known = c.const(1)
        exact = known is not None and np.array_equal(known.astype(kind.numpy).astype(np.float64), known)
        return kind if exact else dtypes.float64
    if kind.bits == other.bits:
        return dtypes.float32  # one half type holds what the other rounds
    return max(kind, other, key=lambda k: k.bits)


@rule("Mean", 6, 8, 13)
def mean(c: OnnxContext) -> Value:
    values = c.xs()
    total = _fold("add")(c)
    return c.b.div(total, float(len(values))) if len(values) > 1 else total


@rule("Clip", 6)
def clip_attributes(c: OnnxContext) -> Value:
    """Bounds as attributes; their defaults are the finite float32 range, which also bounds infinities."""
    return c.b.clip(c.x(), c.attr("min"), c.attr("max"))


@rule("Clip", 11, 12, 13)
def clip(c: OnnxContext) -> Value:
    """An absent bound is the type's largest finite number, which also bounds infinities.

    So the text says and ONNX Runtime does (the function body that ONNX gives along leaves that side open).
    """
    kind = c.type().dtype
    low, high = (None if v is None else c.b.reshape(v, shape=()) if v.type.rank else v for v in (c.opt(1), c.opt(2)))
    if kind.is_float:
        low = c.b.constant(kind.min, kind) if low is None else low
        high = c.b.constant(kind.max, kind) if high is None else high
    return c.b.identity(c.x()) if low is None and high is None else c.b.clip(c.x(), low, high)


@rule("Where", 9, 16)
def where(c: OnnxContext) -> Value:
    return c.b.where(c.x(0), c.x(1), c.x(2))


@rule("Det", 11, 22)
def det(c: OnnxContext) -> Value:
    """Of 1 x 1 to 3 x 3 matrices by cofactors."""
    if c.rank() < 2:
        c.refuse(f"the determinant of {c.type()} is not defined")
    x, (rows, n) = c.x(), c.type().shape[-2:]
    require_same(rows, n, "rows and columns of a determinant")
    if n not in (1, 2, 3):
        return c.b.determinant(x)

    def at(i: int, j: int) -> Value:
        return c.b.select(c.b.select(x, axis=-1, index=j), axis=-1, index=i)

    def minor(i: int, j: int, k: int, m: int) -> Value:
        return c.b.sub(c.b.mul(at(i, k), at(j, m)), c.b.mul(at(i, m), at(j, k)))

    if n == 1:
        return at(0, 0)
    if n == 2:
        return minor(0, 1, 0, 1)
    terms = [c.b.mul(at(0, k), minor(1, 2, *[m for m in range(3) if m != k])) for k in range(3)]
    return c.b.add(c.b.sub(terms[0], terms[1]), terms[2])


@rule("CumSum", 11, 14)
def cumsum(c: OnnxContext) -> Value:
    return _running(c, "cumsum")


@rule("CumProd", 26)
def cumprod(c: OnnxContext) -> Value:
    return _running(c, "cumprod")


def _running(c: OnnxContext, name: str) -> Value:
    axis = int(np.asarray(c.fixed(1, "the axis")).reshape(()))
    return getattr(c.b, name)(c.x(), axis=axis, exclusive=bool(c.attr("exclusive")), reverse=bool(c.attr("reverse")))
