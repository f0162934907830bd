"""Cases of reads and writes at positions, and of segments."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import numpy as np

from tests.importers.keras.op_cases import Case, array

X = array(3, 4, 2)
KEYS: dict[str, Any] = {
    "int": 1, "negative": -1, "slice": slice(1, None), "axes": (slice(None), 1), "steps": (slice(None), slice(None, None, 2)),
    "backwards": (slice(None), slice(None, None, -1)), "last": (slice(None), slice(-2, None)),
    "ellipsis": (Ellipsis, 0), "new axes": (None, slice(None), None, 1), "dots between": (0, Ellipsis, slice(0, 1)),
    "beyond": (slice(None), slice(1, 99)), "nothing": (slice(None), slice(3, 1)), "two ints": (slice(None), -1, 0),
}  # fmt: skip


def subscripts() -> Iterator[Case]:
    """Keys that a functional model takes, and those that only the `call` of a layer does."""
    from keras import ops

    for name, key in KEYS.items():
        yield Case("GetItem", name, lambda x, key=key: x[key], (X,), sizes=(2,), live=name == "slice")
    yield Case("GetItem", "open sizes", lambda x: x[:, : ops.shape(x)[0]], (X,), live=True, sizes=(1, 2))
    yield Case("GetItem", "from the end by a size", lambda x: x[: ops.shape(x)[0] - 1], (X,), live=True, sizes=(2, 5))
    yield Case(
        "GetItem",
        "a position in a tensor",
        lambda x, i: x[:, i],
        (X, np.array([-1, 1, 0], "int32")),
        live=True,
        sizes=(),
        keras_fails=("tensorflow",),
    )
    yield Case(
        "GetItem", "a number in a tensor", lambda x, i: x[i[0]], (X, np.array([-1, 1, 0], "int32")), live=True, sizes=()
    )
    yield Case(
        "GetItem", "a mask", lambda x, m: ops.sum(x[m], 0), (X, np.array([True, False, True])), live=True, sizes=(1,)
    )
    yield Case("GetItem", "a mask of two axes", lambda x: ops.sum(x[x > 0]), (X,), live=True, sizes=(1,))


def reads() -> Iterator[Case]:
    """Look-ups along an axis; negative positions; one-hot; positions of what is not zero."""
    from keras import ops

    index = np.array([[0, -1, 3], [1, 2, -4], [0, 0, 1]], "int32")
    rows: list[tuple[str, str, Callable[..., Any], tuple[np.ndarray, ...]]] = [
        ("Take", "axis", lambda x, i: ops.take(x, i, axis=1), (X, index)), ("Take", "flat", lambda x, i: ops.take(x, i), (X, index)),
        ("Take", "number", lambda x: ops.take(x, -1, axis=1), (X,)), ("Take", "list", lambda x: ops.take(x, [0, 2, -1], axis=1), (X,)),
        ("Take", "small indices", lambda x, i: ops.take(x, i, axis=-2), (X, np.abs(index).astype("int64") % 4)),
        ("TakeAlongAxis", "axis", lambda x, i: ops.take_along_axis(x, i, axis=1), (array(3, 4), index)),
        ("TakeAlongAxis", "broadcasting", lambda x, i: ops.take_along_axis(x, i, axis=1), (X, index[:, :, None])),
        ("TakeAlongAxis", "flat", lambda x: ops.take_along_axis(x, np.array([0, 2, -1], "int32")), (X,)),
        ("OneHot", "plain", lambda i: ops.one_hot(i, 4), (index,)), ("OneHot", "axis", lambda i: ops.one_hot(i, 3, axis=1), (index,)),
        ("OneHot", "dtype", lambda i: ops.one_hot(i, 3, dtype="int32"), (index,)),
        ("OneHot", "bool", lambda i: ops.one_hot(i, 3, dtype="bool"), (index,)),
        ("MultiHot", "plain", lambda i: ops.multi_hot(i, 4), (np.abs(index),)),
        ("MultiHot", "vector", lambda i: ops.multi_hot(i, 4), (np.array([0, 2], "int32"),)),
        ("Where", "plain", lambda m, x: ops.where(m, x, 0.0), (array(3, 4, dtype="bool"), array(3, 4))),
        ("Where", "dtypes", lambda m, x, y: ops.where(m, x, y), (array(3, 4), array(3, 4, dtype="int32"), array(3, 1, dtype="float16"))),
        ("Select", "plain", lambda x, y: ops.select([x > 1, y > 0], [x, y], 9.0), (array(3, 4), array(3, 4, seed=3))),
        ("UnravelIndex", "plain", lambda i: ops.unravel_index(i, (3, 4)), (np.array([0, 5, 11], "int32"),)),
    ]  # fmt: skip
    for op, name, call, given in rows:
        yield Case(op, name, call, given, sizes=(1, 0) if op in ("Take", "OneHot") and name != "flat" else (1,))
    counted = array(3, 4, dtype="int32", low=-1, high=1)
    yield Case("Nonzero", "plain", ops.nonzero, (counted,), live=True, sizes=(1, 0))
    yield Case("Nonzero", "floats", ops.nonzero, (counted.astype("float32"),), live=True, sizes=(1,))
    yield Case("Where", "positions", lambda x: ops.where(x), (counted,), live=True, sizes=(1,))


def writes() -> Iterator[Case]:
    """Scatters, blocks, segments: duplicates add up or the last one wins."""
    from keras import ops

    x, places = array(3, 4), np.array([[0, 1], [2, 3], [0, 1]], "int32")
    new = np.array([1.5, 2.5, 4.5], "float32")
    yield Case("Scatter", "plain", lambda i, v: ops.scatter(i, v, (3, 4)), (places, new), sizes=(1, 0))
    yield Case("Scatter", "rows", lambda i, v: ops.scatter(i, v, (3, 4)), (places[:, :1], array(3, 4)), sizes=(1,))
    yield Case("Scatter", "integers", lambda i, v: ops.scatter(i, v, (3, 4)), (places, new.astype("int32")), sizes=(1,))
    for reduction in (None, "add", "max", "min", "mul"):
        yield Case(
            "ScatterUpdate", str(reduction), lambda x, r=reduction: ops.scatter_update(x, places[:2], new[:2], reduction=r), (x,), sizes=(),
            dynamic=(),
        )  # fmt: skip
    for reduction in ("add", "mul"):
        yield Case(
            "ScatterUpdate", f"{reduction}, one place twice", lambda x, r=reduction: ops.scatter_update(x, places, new, reduction=r), (x,),
            sizes=(), dynamic=(),
        )  # fmt: skip
    yield Case("Slice", "plain", lambda x: ops.slice(x, (0, 1, 0), (2, 2, 2)), (X,), sizes=(), dynamic=())
    yield Case("Slice", "the rest", lambda x: ops.slice(x, (1, 1, 0), (-1, 2, -1)), (X,), sizes=(), dynamic=())
    yield Case(
        "Slice",
        "computed",
        lambda x, i: ops.slice(x, i, (2, 2, 2)),
        (X, np.array([1, 2, 0], "int32")),
        sizes=(),
        dynamic=(),
        live=True,
    )
    yield Case(
        "SliceUpdate",
        "plain",
        lambda x, u: ops.slice_update(x, (0, 1, 1), u),
        (X, array(2, 2, 1)),
        sizes=(),
        dynamic=(),
    )
    yield Case("SliceUpdate", "all", lambda x, u: ops.slice_update(x, (0, 0, 0), u), (X, X + 1), sizes=(), dynamic=())
    yield Case(
        "SliceUpdate",
        "computed",
        lambda x, u, i: ops.slice_update(x, i, u),
        (X, array(2, 2, 1), np.array([2, 1, 0], "int32")),
        sizes=(),
        dynamic=(),
        live=True,
    )
    ids = np.array([0, 2, 0], "int32")
    for op in ("Sum", "Max", "Min", "Prod"):
        call = getattr(ops, f"segment_{op.lower()}")
        for kind in ("float32", "float64", "int32"):
            yield Case(
                f"Segment{op}",
                kind,
                lambda x, i, call=call: call(x, i, num_segments=4),
                (array(3, 4, dtype=kind), ids),
                sizes=(1, 0),
            )
        yield Case(
            f"Segment{op}",
            "below zero",
            lambda x, i, call=call: call(x, i, num_segments=3),
            (array(3), np.array([0, -1, 2], "int32")),
            sizes=(1,),
        )
    yield Case(
        "SegmentSum",
        "counted",
        lambda x, i: ops.segment_sum(x, i),
        (array(3), np.array([0, 1, 0], "int32")),
        sizes=(),
        refused=True,
    )
