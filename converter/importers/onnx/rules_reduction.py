"""Reductions, positions of extremes, top-k."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

from converter.importers.onnx.context import OnnxContext
from converter.importers.onnx.table import RULES, rule
from ir.core import Value
from ir.types import dtypes, normalize_axes

_VERSIONS: dict[str, tuple[int, ...]] = {
    "ReduceSum": (1, 11, 13), "ReduceMean": (1, 11, 13, 18), "ReduceProd": (1, 11, 13, 18), "ReduceMax": (1, 11, 12, 13, 18, 20),
    "ReduceMin": (1, 11, 12, 13, 18, 20), "ReduceL1": (1, 11, 13, 18), "ReduceL2": (1, 11, 13, 18), "ReduceSumSquare": (1, 11, 13, 18),
    "ReduceLogSum": (1, 11, 13, 18, 28), "ReduceLogSumExp": (1, 11, 13, 18, 28),
}  # fmt: skip


def _reduce(c: OnnxContext) -> Value:
    """Axes are an attribute, later an input; none given means all, or none at all with noop_with_empty_axes."""
    since = 13 if c.schema.name == "ReduceSum" else 18
    axes = c.axes("axes", 1, since)
    noop = bool(c.attr("noop_with_empty_axes")) if c.version >= since else False
    reduced = tuple(axes) if axes else (() if noop else None)
    if reduced:
        reduced = normalize_axes(reduced, c.rank())
    keep = bool(c.attr("keepdims"))
    x = c.x()
    if x.type.dtype.is_bool:
        return _reduce_bool(c, x, reduced, keep)
    return _KINDS[c.schema.name](c, x, {"axes": reduced, "keepdims": keep})


def _reduce_bool(c: OnnxContext, x: Value, axes: tuple[int, ...] | None, keep: bool) -> Value:
    if c.schema.name not in ("ReduceMax", "ReduceMin") or c.version < 20:
        c.refuse("booleans are not defined for it")
    return (c.b.reduce_any if c.schema.name == "ReduceMax" else c.b.reduce_all)(x, axes=axes, keepdims=keep)


def _simple(name: str) -> Callable[[OnnxContext, Value, dict[str, Any]], Value]:
    return lambda c, x, attrs: getattr(c.b, name)(x, **attrs)


def _extreme(name: str) -> Callable[[OnnxContext, Value, dict[str, Any]], Value]:
    """Over no elements: the lowest (for max) or highest value of the type, infinities for floats."""

    def run(c: OnnxContext, x: Value, attrs: dict[str, Any]) -> Value:
        axes = range(x.type.rank) if attrs["axes"] is None else attrs["axes"]
        if not any(x.type.shape[a] == 0 for a in axes):
            return getattr(c.b, name)(x, **attrs)
        kind = x.type.dtype
        low, high = (-math.inf, math.inf) if kind.is_float else (kind.min, kind.max)
        dims = tuple(1 if i in axes else d for i, d in enumerate(x.type.shape) if attrs["keepdims"] or i not in axes)
        return c.b.full(shape=dims, value=low if name == "reduce_max" else high, dtype=kind)

    return run


def _by_sum(name: str, before: str) -> Callable[[OnnxContext, Value, dict[str, Any]], Value]:
    """Integers: the sum of |x| or x * x."""

    def run(c: OnnxContext, x: Value, attrs: dict[str, Any]) -> Value:
        if x.type.dtype.is_float:
            return getattr(c.b, name)(x, **attrs)
        return c.b.reduce_sum(getattr(c.b, before)(x), **attrs)

    return run


def _rounded(name: str) -> Callable[[OnnxContext, Value, dict[str, Any]], Value]:
    """Integers: the float64 result towards zero, as ONNX Runtime does it."""

    def run(c: OnnxContext, x: Value, attrs: dict[str, Any]) -> Value:
        if x.type.dtype.is_float:
            return getattr(c.b, name)(x, **attrs)
        return c.b.cast(getattr(c.b, name)(c.b.cast(x, to=dtypes.float64), **attrs), to=x.type.dtype)

    return run


def _logarithm(reduce: Callable[[OnnxContext, Value, dict[str, Any]], Value]) -> Callable[..., Value]:
    """Of floats: the runtimes do not agree where in between integers are rounded."""

    def run(c: OnnxContext, x: Value, attrs: dict[str, Any]) -> Value:
        if x.type.dtype.is_integer:
            c.refuse(
                "the logarithm of integers is rounded in other places by each runtime", "cast to a float before it"
            )
        return reduce(c, x, attrs)

    return run


def _log_sum(c: OnnxContext, x: Value, attrs: dict[str, Any]) -> Value:
    return c.b.log(c.b.reduce_sum(x, **attrs))


_KINDS: dict[str, Callable[[OnnxContext, Value, dict[str, Any]], Value]] = {
    "ReduceSum": _simple("reduce_sum"), "ReduceMean": _rounded("reduce_mean"), "ReduceProd": _simple("reduce_prod"),
    "ReduceMax": _extreme("reduce_max"), "ReduceMin": _extreme("reduce_min"), "ReduceL1": _by_sum("reduce_l1", "abs"),
    "ReduceL2": _rounded("reduce_l2"), "ReduceSumSquare": _by_sum("reduce_sum_square", "square"), "ReduceLogSum": _logarithm(_log_sum),
    "ReduceLogSumExp": _logarithm(_simple("reduce_log_sum_exp")),
}  # fmt: skip
for _op, _versions in _VERSIONS.items():
    for _version in _versions:
        RULES.add(("", _op, _version), _reduce, "reduce")


@rule("ArgMax", 1, 11, 12, 13)
def argmax(c: OnnxContext) -> Value:
    return _position(c, "argmax")


@rule("ArgMin", 1, 11, 12, 13)
def argmin(c: OnnxContext) -> Value:
    return _position(c, "argmin")


def _position(c: OnnxContext, name: str) -> Value:
    last = bool(c.attr("select_last_index")) if c.version >= 12 else False
    return getattr(c.b, name)(c.x(), axis=c.attr("axis"), keepdims=bool(c.attr("keepdims")), select_last=last)


@rule("TopK", 1, 10, 11, 24)
def top_k(c: OnnxContext) -> Any:
    if c.version < 10:
        k = c.attr("k")
    else:
        sizes = c.dims(1, "k")
        if len(sizes) != 1:
            c.refuse(f"k must hold one number, got {c.type(1)}")
        k = sizes[0]
    newer = c.version >= 11
    largest, ordered = (bool(c.attr("largest")), bool(c.attr("sorted"))) if newer else (True, True)
    return c.b.top_k(c.x(), k=k, axis=c.attr("axis"), largest=largest, sorted=ordered)
