"""The recorded indexing cases as a person would write them in TensorFlow.

Each takes the case's operands in order. A case whose bounds are those of TensorFlow (an error out of range, negative
numbers, too) is written as it is; others write them out. `Inexpressible` says what TensorFlow has no words for.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable
from typing import Any

import numpy as np
import tensorflow as tf

Attrs = dict[str, Any]


class Inexpressible(Exception):
    """TensorFlow cannot say the case; the message tells why."""


def placed(i: Any, n: int, a: Attrs) -> tuple[Any, Any]:
    """Positions as the case's bounds have them, and under fill and drop which are good."""
    if i.dtype.name not in ("int32", "int64"):
        i = tf.cast(i, tf.int64)
    bounds = a.get("bounds", "error")
    if bounds == "wrap":
        return i % n, None
    if a.get("neg", "from_end") == "from_end":
        i = tf.where(i < 0, i + n, i)
    if bounds == "clip":
        return tf.clip_by_value(i, 0, n - 1), None
    if bounds == "error":
        return i, None
    good = (i >= 0) & (i < n)
    return tf.where(good, i, 0), good


def _filled(out: Any, good: Any, a: Attrs) -> Any:
    if good is None:
        return out
    wide = tf.reshape(good, [*good.shape, *[1] * (len(out.shape) - len(good.shape))])
    return tf.where(wide, out, tf.constant(a.get("fill_value", 0), out.dtype))


# -- reads --------------------------------------------------------------------------------------------------------------
def gather(a: Attrs, x: Any, i: Any) -> Any:
    axis = a["axis"] % len(x.shape)
    at, good = placed(i, x.shape[axis], a)
    batch = a.get("batch_dims", 0)
    out = tf.gather(x, at, axis=axis, batch_dims=batch)
    if good is None:
        return out
    lead = [1] * (axis - batch)
    rest = [1] * (len(out.shape) - axis - len(i.shape) + batch)
    wide = tf.reshape(good, [*good.shape[:batch], *lead, *good.shape[batch:], *rest])
    return tf.where(wide, out, tf.constant(a.get("fill_value", 0), out.dtype))


def _grid(at: Any, axis: int) -> Any:
    """Index vectors of every element, `at` along one axis."""
    columns = [at if k == axis else tf.constant(g, at.dtype) for k, g in enumerate(np.indices(tuple(at.shape)))]
    return tf.stack(columns, axis=-1)


def gather_elements(a: Attrs, x: Any, i: Any) -> Any:
    axis = a["axis"] % len(x.shape)
    at, good = placed(i, x.shape[axis], a)
    return _filled(tf.gather_nd(x, _grid(at, axis)), good, a)


def _vectors(i: Any, sizes: Any, a: Attrs) -> tuple[Any, Any]:
    columns, every = [], None
    for k in range(i.shape[-1]):
        at, good = placed(i[..., k], sizes[k], a)
        columns.append(at)
        every = good if every is None else every & good
    return (tf.stack(columns, axis=-1) if columns else tf.cast(i, tf.int64)), every


def gather_nd(a: Attrs, x: Any, i: Any) -> Any:
    batch = a.get("batch_dims", 0)
    at, good = _vectors(i, x.shape[batch:], a)
    return _filled(tf.gather_nd(x, at, batch_dims=batch), good, a)


# -- writes -------------------------------------------------------------------------------------------------------------
def _written(x: Any, at: Any, u: Any, a: Attrs, good: Any) -> Any:
    """Slices of positions [..., axes] written; what is bad goes to a place behind the end, which is cut off."""
    if good is not None:
        spare = tf.constant([x.shape[0]] + [0] * (at.shape[-1] - 1), at.dtype)
        own = {**a, "bounds": "error"}
        return _written(tf.concat([x, x[:1]], 0), tf.where(good[..., None], at, spare), u, own, None)[: x.shape[0]]
    form, own = a.get("reduction", "none"), a.get("include_self", True)
    if form in ("mul", "mean"):
        raise Inexpressible(f"a scatter by {form}")
    if not own:
        limit = math.inf if x.dtype.is_floating else x.dtype.max
        start = {"add": 0, "max": -limit, "min": limit}.get(form)
        if start is not None:
            x = tf.tensor_scatter_nd_update(x, at, tf.fill(tf.shape(u), tf.constant(start, x.dtype)))
    return {
        "none": tf.tensor_scatter_nd_update, "add": tf.tensor_scatter_nd_add, "max": tf.tensor_scatter_nd_max,
        "min": tf.tensor_scatter_nd_min,
    }[form](x, at, u)  # fmt: skip


def scatter_elements(a: Attrs, x: Any, i: Any, u: Any) -> Any:
    axis = a["axis"] % len(x.shape)
    at, good = placed(i, x.shape[axis], a)
    if good is not None and axis:
        raise Inexpressible("writes dropped along a later axis")
    return _written(x, _grid(at, axis), u, a, good)


def scatter_nd(a: Attrs, x: Any, i: Any, u: Any) -> Any:
    at, good = _vectors(i, x.shape, a)
    return _written(x, at, u, a, good)


def mask_scatter(a: Attrs, x: Any, mask: Any, source: Any) -> Any:
    return tf.tensor_scatter_nd_update(x, tf.where(mask), source)


# -- blocks -------------------------------------------------------------------------------------------------------------
def _key(a: Attrs, x: Any) -> tuple[slice, ...]:
    found = [slice(None)] * len(x.shape)
    for axis, start, stop, step in zip(a["axes"], a["starts"], a["stops"], a["steps"], strict=True):
        found[axis] = slice(start, stop, step)
    return tuple(found)


def slice_(a: Attrs, x: Any) -> Any:
    return x[_key(a, x)]


def slice_update(a: Attrs, x: Any, update: Any) -> Any:
    lines = [range(*part.indices(n)) for part, n in zip(_key(a, x), x.shape, strict=True)]
    at = np.array(list(itertools.product(*lines)), np.int64).reshape(*(len(r) for r in lines), len(lines))
    return tf.tensor_scatter_nd_update(x, at, update)


def dynamic_slice(a: Attrs, x: Any, *starts: Any) -> Any:
    at = []
    for start, size, n in zip(starts, a["sizes"], x.shape, strict=True):
        moved = tf.cast(start, tf.int64)
        moved = tf.where(moved < 0, moved + n, moved) if a.get("neg") == "from_end" else moved
        at.append(tf.clip_by_value(moved, 0, n - size) if a.get("bounds") == "clip" else moved)
    return tf.slice(x, tf.stack(at), tf.constant(a["sizes"], tf.int64))


# -- masks, segments, subscripts ----------------------------------------------------------------------------------------
def segment_reduce(a: Attrs, x: Any, ids: Any) -> Any:
    form = {"add": "sum", "mul": "prod"}.get(a["reduction"], a["reduction"])
    return getattr(tf.math, f"unsorted_segment_{form}")(x, ids, a["num_segments"])


def one_hot(a: Attrs, i: Any) -> Any:
    i = tf.where(i < 0, i + a["depth"], i) if a.get("neg") == "from_end" else i
    return tf.one_hot(
        i,
        a["depth"],
        on_value=a.get("on", 1),
        off_value=a.get("off", 0),
        axis=a["axis"],
        dtype=str(a.get("dtype", "float32")),
    )


def index_get(a: Attrs, x: Any, *arrays: Any) -> Any:
    """One array by `gather` behind what else the subscript says."""
    kinds: dict[str, Callable[..., Any]] = {
        "slice": slice, "int": int, "newaxis": lambda: None, "ellipsis": lambda: ..., "array": lambda _: slice(None),
    }  # fmt: skip
    names = [entry[0] for entry in a["spec"]]
    if len(arrays) != 1 or names.count("array") != 1 or "int" in names or arrays[0].dtype == tf.bool:
        raise Inexpressible("index arrays beside each other, integers or masks in a subscript")
    x = x[tuple(kinds[entry[0]](*entry[1:]) for entry in a["spec"])]
    place = names.index("array")
    axis = place if "ellipsis" not in names[:place] else len(x.shape) - (len(names) - place)
    at, _ = placed(arrays[0], x.shape[axis], {"neg": "from_end"})
    return tf.gather(x, at, axis=axis)


SPELLINGS: dict[str, Callable[..., Any]] = {
    "gather": gather, "gather_elements": gather_elements, "gather_nd": gather_nd, "scatter_elements": scatter_elements,
    "scatter_nd": scatter_nd, "slice": slice_, "slice_update": slice_update, "dynamic_slice": dynamic_slice,
    "mask_select": lambda a, x, mask: tf.boolean_mask(x, mask), "mask_fill": lambda a, x, mask, v: tf.where(mask, v, x),
    "compress": lambda a, x, mask: tf.boolean_mask(x, mask, axis=a["axis"]), "mask_scatter": mask_scatter,
    "nonzero": lambda a, x: tf.where(x), "segment_reduce": segment_reduce, "one_hot": one_hot, "index_get": index_get,
}  # fmt: skip
"""By op."""


def function_of(op: str, attrs: Attrs, inputs: dict[str, np.ndarray]) -> Any:
    """A concrete function that computes a case. Raises Inexpressible, and what TensorFlow raises while it traces."""
    if op not in SPELLINGS:
        raise Inexpressible(f"{op}, which TensorFlow has no function for")
    specs = [tf.TensorSpec(v.shape, v.dtype, n) for n, v in inputs.items()]
    return tf.function(lambda *xs: SPELLINGS[op](attrs, *xs), autograph=False).get_concrete_function(*specs)
