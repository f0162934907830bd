"""Cases of reductions, orders and running sums."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import numpy as np

from tests.importers.keras.op_cases import Case, array, edges

_REDUCE = {
    "Sum": "sum", "Prod": "prod", "Mean": "mean", "Max": "max", "Min": "min", "Amax": "amax", "Amin": "amin", "Any": "any",
    "All": "all", "Var": "var", "Std": "std", "Nansum": "nansum", "Nanprod": "nanprod", "Nanmean": "nanmean",
    "Nanmax": "nanmax", "Nanmin": "nanmin", "Nanvar": "nanvar", "Nanstd": "nanstd", "Logsumexp": "logsumexp", "Ptp": "ptp",
}  # fmt: skip
_KINDS = ("float32", "float16", "bfloat16", "float64", "int32", "int64", "int8", "uint8", "int16", "uint16", "bool")
_FLOATS_ONLY = ("Logsumexp", "Ptp")
_NO_BOOL = ("Ptp",)


def _op(name: str) -> Callable[..., Any]:
    from keras import ops

    return getattr(ops, name)


def reductions() -> Iterator[Case]:
    """Axes, kept or not, in every dtype; NaN; empty batches where Keras takes them."""
    for op, name in _REDUCE.items():
        call = _op(name)
        sizes = (1,) if op in ("Max", "Min", "Amax", "Amin", "Nanmax", "Nanmin", "Ptp") else (1, 0)
        for kind in _KINDS:
            if op in _FLOATS_ONLY and "float" not in kind:
                continue
            yield Case(op, kind, lambda x, call=call: call(x, axis=-1), (array(3, 4, dtype=kind),), sizes=sizes)
        x = array(3, 4, 2)
        yield Case(op, "all", call, (x,), sizes=(1,))
        yield Case(op, "two axes, kept", lambda x, call=call: call(x, axis=(2, 0), keepdims=True), (x,), sizes=(1,))
        yield Case(op, "first axis", lambda x, call=call: call(x, axis=0), (x,), sizes=(1,))
        special = (
            edges()
            if op not in ("Nanvar", "Nanstd", "Var", "Std", "Ptp")
            else np.where(np.isinf(edges()), np.nan, edges())
        )
        yield Case(op, "special numbers", lambda x, call=call: call(x, axis=1), (special,), sizes=(1,))
        if op.startswith("Nan"):
            nan = np.array([[np.nan, np.nan], [1, np.nan]], "float32")
            yield Case(op, "nothing but NaN", lambda x, call=call: call(x, axis=1, keepdims=True), (nan,), sizes=(1,))
            yield Case(op, "half with NaN", lambda x, call=call: call(x, axis=1), (nan.astype("float16"),), sizes=(1,))


def settings() -> Iterator[Case]:
    """Initial values, weights, counts, moments, traces."""
    from keras import ops

    x, whole = array(3, 4), array(3, 4, dtype="int32")
    one: list[tuple[str, str, Callable[..., Any], np.ndarray]] = [
        ("Max", "initial", lambda x: ops.max(x, axis=1, initial=1.5), x),
        ("Min", "initial", lambda x: ops.min(x, axis=1, initial=-1.5), x),
        ("Max", "initial, integers", lambda x: ops.max(x, axis=1, initial=2), whole),
        ("Max", "initial, booleans", lambda x: ops.max(x, axis=1, initial=False), array(3, 4, dtype="bool")),
        ("CountNonzero", "all", ops.count_nonzero, whole),
        ("CountNonzero", "axis", lambda x: ops.count_nonzero(x, axis=1), x),
        ("CountNonzero", "booleans", lambda x: ops.count_nonzero(x, axis=0), array(3, 4, dtype="bool")),
        ("Average", "plain", lambda x: ops.average(x, axis=1), x),
        ("Average", "integers", lambda x: ops.average(x, axis=0), whole),
        ("Average", "vector of weights", lambda x: ops.average(x, axis=1, weights=np.arange(1, 5, dtype="float32")), x),
        ("Average", "all", ops.average, x),
        ("Trace", "plain", ops.trace, array(3, 4, 4)),
        ("Trace", "below", lambda x: ops.trace(x, offset=-1, axis1=1, axis2=2), array(3, 4, 4)),
        ("Trace", "small integers", lambda x: ops.trace(x, axis1=1, axis2=2), array(3, 4, 4, dtype="int8")),
        ("Trace", "wide", lambda x: ops.trace(x, offset=2, axis1=-1, axis2=1), array(3, 4, 5, dtype="uint8")),
    ]  # fmt: skip
    for op, name, call, given in one:
        yield Case(op, name, call, (given,), sizes=(1,))
    for kind in ("float32", "float16", "bfloat16"):
        yield Case("Moments", kind, lambda x: ops.moments(x, axes=[1]), (array(3, 4, 2, dtype=kind),))
        yield Case(
            "Moments",
            f"{kind}, kept",
            lambda x: ops.moments(x, axes=[0, 1], keepdims=True),
            (array(3, 4, 2, dtype=kind),),
        )
    yield Case(
        "Average",
        "weights of the same shape",
        lambda x, w: ops.average(x, axis=1, weights=w),
        (x, array(3, 4, low=0, seed=3)),
    )
    yield Case("Prod", "a dtype of its own", lambda x: ops.prod(x, axis=1, dtype="float64"), (x,), refused=True)


def orders() -> Iterator[Case]:
    """Positions of extremes, sorting, top k, running sums, searches, quantiles."""
    from keras import ops

    ties = np.array([[1, 3, 3, 0], [2, 2, 0, 0], [5, 1, 5, 1]])
    for kind in ("float32", "float16", "bfloat16", "float64", "int32", "int64", "uint8", "int8"):
        x = ties.astype(np.dtype(kind))
        for op in ("Argmax", "Argmin"):
            call = _op(op.lower())
            yield Case(op, kind, lambda x, call=call: call(x, axis=1), (x,), sizes=(1,))
        yield Case("Sort", kind, ops.sort, (x,), sizes=(1, 0))
        yield Case("TopK", kind, lambda x: ops.top_k(x, 2), (x,), sizes=(1,), left_open=("torch",))
        yield Case("Argsort", kind, ops.argsort, (x,), sizes=(1,))
        for op in ("Cumsum", "Cumprod", "Nancumsum", "Nancumprod"):
            call = _op(op.lower())
            yield Case(op, kind, lambda x, call=call: call(x, axis=1), (x,), sizes=(1,))
    x = array(3, 4, 2)
    for op in ("Argmax", "Argmin", "Nanargmax", "Nanargmin"):
        call = _op(op.lower())
        yield Case(op, "all", call, (x,), sizes=(1,))
        yield Case(op, "all, kept", lambda x, call=call: call(x, keepdims=True), (x,), sizes=(1,))
        yield Case(op, "axis, kept", lambda x, call=call: call(x, axis=-2, keepdims=True), (x,), sizes=(1,))
    nan = np.array([[np.nan, 1, 3], [np.nan, np.nan, np.nan], [2, np.nan, 0]], "float32")
    for op in ("Nanargmax", "Nanargmin", "Nancumsum", "Nancumprod"):
        call = _op(op.lower())
        yield Case(op, "NaN", lambda x, call=call: call(x, axis=1), (nan,), sizes=(1,))
        yield Case(op, "integers", lambda x, call=call: call(x, axis=1), (ties.astype("int32"),), sizes=(1,))
    yield Case("Argmax", "a note of NaN", lambda x: ops.argmax(x, axis=1), (x,), sizes=(1,), notes=("NaN comes after",))
    one: list[tuple[str, str, Callable[..., Any], np.ndarray]] = [
        ("Argmax", "booleans", lambda x: ops.argmax(x, axis=1), array(3, 4, dtype="bool")),
        ("Sort", "flat", lambda x: ops.sort(x, axis=None), x), ("Sort", "middle", lambda x: ops.sort(x, axis=1), x),
        ("Sort", "booleans", ops.sort, array(3, 4, dtype="bool")),
        ("Argsort", "booleans", ops.argsort, array(3, 4, dtype="bool")),
        ("Argsort", "flat", lambda x: ops.argsort(x, axis=None), x),
        ("Argsort", "middle", lambda x: ops.argsort(x, axis=1), x),
        ("TopK", "unsorted", lambda x: ops.top_k(x, 1, sorted=False), x),
        ("Cumsum", "flat", ops.cumsum, x),
        ("Cumprod", "flat", ops.cumprod, x),
        ("Cumsum", "booleans", lambda x: ops.cumsum(x, axis=1), array(3, 4, dtype="bool")),
        ("Cumsum", "dtype", lambda x: ops.cumsum(x, axis=1, dtype="float64"), x),
        ("Cumsum", "first", lambda x: ops.cumsum(x, axis=0), x),
        ("SearchSorted", "left", lambda x: ops.searchsorted(np.array([-1.0, 0.0, 0.5, 2.0], "float32"), x), array(7)),
        ("SearchSorted", "right", lambda x: ops.searchsorted(np.array([0, 1, 1, 2], "int32"), x, side="right"), array(7, dtype="int32")),
        ("Digitize", "floats", lambda x: ops.digitize(x, np.array([-1.0, 0.1, 2.0], "float32")), array(3, 4)),
        ("Digitize", "integers", lambda x: ops.digitize(x, np.array([0.0, 1.0, 2.0], "float32")), array(3, 4, dtype="int32")),
        ("Digitize", "half", lambda x: ops.digitize(x, np.array([0.0, 1.0, 2.0], "float32")), array(3, 4, dtype="float16")),
    ]  # fmt: skip
    for op, name, call, given in one:
        yield Case(op, name, call, (given,), sizes=(1,))
    yield Case("InTopK", "plain", lambda t, p: ops.in_top_k(t, p, 2), (np.array([0, 2, 1], "int32"), array(3, 4)))
    scores = np.array([[1, 3, 3, 2], [np.inf, 1, 2, 3], [np.nan, 1, 2, 3], [4, 4, 4, 4]], "float32")
    for place in ([0, 1, 2, 3], [3, 3, 3, 0], [1, 9, -1, 4]):
        targets = np.array(place, "int32")
        yield Case("InTopK", f"special {place}", lambda t, p: ops.in_top_k(t, p, 4), (targets, scores))
    yield from _quantiles()


def _quantiles() -> Iterator[Case]:
    from keras import ops

    x = array(3, 4, 2)
    for method in ("linear", "lower", "higher", "nearest", "midpoint"):
        yield Case("Quantile", method, lambda x, m=method: ops.quantile(x, 0.3, axis=1, method=m), (x,), sizes=(1,))
        yield Case(
            "Percentile", method, lambda x, m=method: ops.percentile(x, 30.0, axis=1, method=m), (x,), sizes=(1,)
        )
    yield Case(
        "Quantile",
        "several",
        lambda x: ops.quantile(x, np.array([0.1, 0.5, 1.0], "float32"), axis=(1, 2), keepdims=False),
        (x,),
        sizes=(1,),
    )
    yield Case("Quantile", "all", lambda x: ops.quantile(x, 0.25), (x,), sizes=(1,))
    yield Case("Quantile", "kept", lambda x: ops.quantile(x, 0.25, axis=1, keepdims=True), (x,), sizes=(1,))
    yield Case(
        "Quantile", "integers", lambda x: ops.quantile(x, 0.25, axis=1), (array(3, 4, dtype="int32"),), sizes=(1,)
    )
    for op in ("median",):
        yield Case("Median", "axis", lambda x: ops.median(x, axis=1), (x,), sizes=(1,))
        yield Case("Median", "kept", lambda x: ops.median(x, axis=(1, 2), keepdims=True), (x,), sizes=(1,))
        yield Case("Median", "all", getattr(ops, op), (x,), sizes=(1,))
    nan = np.array([[np.nan, 1, 3], [2, 1, 0]], "float32")
    yield Case("Median", "NaN", lambda x: ops.median(x, axis=1), (nan,), sizes=(1,))
