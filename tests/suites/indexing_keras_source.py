"""The recorded indexing cases as a person would write them in keras.ops, on whichever backend runs.

A case may have several spellings. Each takes the case's operands in order. What it computes where an index is out of
range is the backend's own affair: that is measured, not assumed. `Inexpressible` says what Keras has no words for.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np

Attrs = dict[str, Any]
Spelling = Callable[..., Any]


class Inexpressible(Exception):
    """Keras cannot say the case; the message tells why."""


def model_of(op: str, attrs: Attrs, name: str, inputs: dict[str, np.ndarray]) -> Any:
    """A keras.Model whose call computes the case in one of its spellings."""
    import keras

    spelling = SPELLINGS[op][name]
    table = None
    if name == "Embedding":
        table = keras.layers.Embedding(*inputs["data"].shape)
        table.build((None,))
        table.set_weights([inputs["data"]])

    class Spelled(keras.Model):
        def __init__(self) -> None:
            super().__init__()
            self.table = table

        def call(self, tensors: Any) -> Any:
            return spelling(attrs, *tensors) if table is None else self.table(tensors[1])

    return Spelled()


def names_of(op: str, attrs: Attrs, inputs: dict[str, np.ndarray]) -> list[str]:
    """The spellings that a case has."""
    return [n for n in SPELLINGS[op] if n not in FITS or FITS[n](attrs, inputs)]


def _plain(a: Attrs) -> bool:
    return a.get("bounds", "error") == "error" and a.get("reduction", "none") in ("none", "add")


FITS: dict[str, Callable[[Attrs, dict[str, np.ndarray]], bool]] = {
    "Embedding": lambda a, i: i["data"].ndim == 2 and i["data"].size and i["data"].dtype == "float32" and a["axis"] == 0 and _plain(a)
    and i["indices"].dtype.kind == "i" and not a.get("batch_dims"),
    "subscript, gather": lambda a, i: not a.get("batch_dims") and _plain(a),
    "take, as it is": lambda a, i: a.get("bounds", "error") != "error",
    "take_along_axis, as it is": lambda a, i: a.get("bounds", "error") != "error",
    "scatter_update, as it is": lambda a, i: a.get("bounds", "error") != "error",
    "scatter": lambda a, i: a.get("reduction") == "add",
}  # fmt: skip


# -- reads --------------------------------------------------------------------------------------------------------------
def placed(i: Any, n: int, a: Attrs) -> tuple[Any, Any]:
    """Positions as the case's bounds have them, and under fill and drop which are good."""
    from keras import ops

    bounds = a.get("bounds", "error")
    if bounds == "wrap":
        return ops.mod(i, n), None
    if bounds == "error":
        return i, None
    if a.get("neg", "from_end") == "from_end":
        i = ops.where(i < 0, i + n, i)
    if bounds == "clip":
        return ops.clip(i, 0, n - 1), None
    good = ops.logical_and(i >= 0, i < n)
    return ops.where(good, i, 0), good


def take(a: Attrs, x: Any, i: Any) -> Any:
    from keras import ops

    axis, batch = a["axis"] % len(x.shape), a.get("batch_dims", 0)
    if batch:
        rest = x.shape[axis + 1 :]
        flat = ops.reshape(i, (*i.shape[:batch], -1, *[1] * len(rest)))
        return ops.reshape(
            ops.take_along_axis(x, flat, axis=axis), (*i.shape[:batch], *x.shape[batch:axis], *i.shape[batch:], *rest)
        )
    at, good = placed(i, x.shape[axis], a)
    out = ops.take(x, at, axis=axis)
    if good is None:
        return out
    return ops.where(ops.reshape(good, (*good.shape, *[1] * (len(x.shape) - axis - 1))), out, a["fill_value"])


def take_as_it_is(a: Attrs, x: Any, i: Any) -> Any:
    return take({k: v for k, v in a.items() if k not in ("bounds", "neg")}, x, i)


def subscript_gather(a: Attrs, x: Any, i: Any) -> Any:
    return x[(slice(None),) * (a["axis"] % len(x.shape)) + (i,)]


def take_along_axis(a: Attrs, x: Any, i: Any) -> Any:
    """`prefix` indices are shorter off the axis: the tensor is cut first."""
    from keras import ops

    axis = a["axis"]
    if len(i.shape) == len(x.shape):
        axis = axis % len(x.shape)
        cut = tuple(slice(None) if k == axis else slice(n) for k, n in enumerate(i.shape))
        x = x[cut] if any(i.shape[k] < x.shape[k] for k in range(len(x.shape)) if k != axis) else x
    at, good = placed(i, x.shape[axis], a)
    out = ops.take_along_axis(x, at, axis=axis)
    return out if good is None else ops.where(good, out, a["fill_value"])


def take_along_as_it_is(a: Attrs, x: Any, i: Any) -> Any:
    return take_along_axis({"axis": a["axis"]}, x, i)


def _parts(i: Any) -> list[Any]:
    return [i[..., k] for k in range(i.shape[-1])]


def gather_nd_subscript(a: Attrs, x: Any, i: Any) -> Any:
    from keras import ops

    batch = a.get("batch_dims", 0)
    lead = [
        ops.reshape(ops.arange(x.shape[k], dtype="int32"), (-1, *[1] * (len(i.shape) - 2 - k))) for k in range(batch)
    ]
    return x[(*lead, *(placed(p, x.shape[batch + k], a)[0] for k, p in enumerate(_parts(i))))]


def gather_nd_flat(a: Attrs, x: Any, i: Any) -> Any:
    """One position in the rows laid side by side."""
    from keras import ops

    batch, flat = a.get("batch_dims", 0), 0
    for k in range(batch):
        line = ops.cast(ops.arange(x.shape[k]), i.dtype)
        flat = flat * x.shape[k] + ops.reshape(line, (-1, *[1] * (len(i.shape) - 2 - k)))
    for k, part in enumerate(_parts(i)):
        n = x.shape[batch + k]
        at, _ = placed(part, n, a)
        flat = flat * n + ops.where(at < 0, at + n, at)
    depth = batch + i.shape[-1]
    return ops.take(ops.reshape(x, (-1, *x.shape[depth:])), flat, axis=0)


# -- writes -------------------------------------------------------------------------------------------------------------
def _written(x: Any, at: Any, u: Any, a: Attrs) -> Any:
    """Rows of positions [count, axes] written by scatter_update."""
    from keras import ops

    form = a.get("reduction", "none")
    if form == "mean":
        total = ops.scatter_update(x, at, u, reduction="add")
        count = ops.scatter_update(ops.ones_like(x), at, ops.ones_like(u), reduction="add")
        return total / count if "float" in str(x.dtype) else ops.floor_divide(total, count)
    if not a.get("include_self", True):
        limit = math.inf if "float" in str(x.dtype) else np.iinfo(str(x.dtype)).max
        start = {"add": 0, "mul": 1, "max": -limit, "min": limit}[form]
        x = ops.scatter_update(x, at, ops.full_like(u, start))
    return ops.scatter_update(x, at, u, reduction=None if form == "none" else form)


def _with_spare(x: Any, at: Any, good: Any, u: Any, a: Attrs) -> Any:
    """Written to a place behind the end of the first axis, which is cut off again."""
    from keras import ops

    n = x.shape[0]
    first = ops.where(good[:, None], at, ops.convert_to_tensor([n] + [0] * (at.shape[1] - 1), dtype=at.dtype))
    return _written(ops.concatenate([x, x[:1]], axis=0), first, u, a)[:n]


def scatter_elements(a: Attrs, x: Any, i: Any, u: Any) -> Any:
    from keras import ops

    axis, shape = a["axis"] % len(x.shape), tuple(i.shape)
    at, good = placed(i, x.shape[axis], a)
    grid = np.indices(shape)
    columns = [at if k == axis else ops.convert_to_tensor(grid[k], dtype=at.dtype) for k in range(len(shape))]
    rows = ops.stack([ops.reshape(c, (-1,)) for c in columns], axis=-1)
    new = ops.reshape(u, (-1,))
    return _written(x, rows, new, a) if good is None else _with_spare(x, rows, ops.reshape(good, (-1,)), new, a)


def scatter_elements_as_it_is(a: Attrs, x: Any, i: Any, u: Any) -> Any:
    return scatter_elements({k: v for k, v in a.items() if k not in ("bounds", "neg")}, x, i, u)


def scatter_nd(a: Attrs, x: Any, i: Any, u: Any) -> Any:
    from keras import ops

    if a.get("bounds", "error") == "error":
        return _written(x, i, u, a)
    (part,) = _parts(i)
    at, good = placed(part, x.shape[0], a)
    return _with_spare(x, ops.expand_dims(at, -1), good, u, a)


def scatter_nd_as_it_is(a: Attrs, x: Any, i: Any, u: Any) -> Any:
    return _written(x, i, u, a)


def scatter_nd_onto_zeros(a: Attrs, x: Any, i: Any, u: Any) -> Any:
    from keras import ops

    return ops.add(x, ops.scatter(i, u, tuple(x.shape)))


def index_put(a: Attrs, x: Any, *rest: Any) -> Any:
    """Positions of what the subscript names, one row each; what is left of the axes is written whole."""
    from keras import ops

    *arrays, update = rest
    columns = []
    for place, entry in enumerate(a["spec"]):
        if entry[0] == "array" and len(arrays[entry[1]].shape) != 1:
            raise Inexpressible("index arrays of several axes in a write")
        lines = [e[0] == "array" for e in a["spec"]]
        line = arrays[entry[1]] if entry[0] == "array" else ops.arange(*slice(*entry[1:]).indices(x.shape[place]))
        line = ops.cast(line, "int64" if "int64" in str(arrays[0].dtype) else "int32")
        columns.append(line if all(lines) else ops.reshape(line, [-1 if k == place else 1 for k in range(len(lines))]))
    shape = np.broadcast_shapes(*(tuple(c.shape) for c in columns))
    at = ops.stack([ops.reshape(ops.broadcast_to(c, shape), (-1,)) for c in columns], axis=-1)
    rows = (*shape, *x.shape[len(columns) :])
    new = ops.reshape(ops.broadcast_to(update, rows), (-1, *x.shape[len(columns) :]))
    return _written(x, at, new, a)


# -- blocks -------------------------------------------------------------------------------------------------------------
def _key(a: Attrs, x: Any) -> tuple[slice, ...]:
    found = [slice(None)] * len(x.shape)
    for axis, start, stop, step in zip(a["axes"], a["starts"], a["stops"], a["steps"], strict=True):
        found[axis] = slice(start, stop, step)
    return tuple(found)


def slice_subscript(a: Attrs, x: Any) -> Any:
    return x[_key(a, x)]


def slice_by_take(a: Attrs, x: Any) -> Any:
    from keras import ops

    for axis, part in enumerate(_key(a, x)):
        x = ops.take(x, np.arange(x.shape[axis], dtype="int32")[part], axis=axis)
    return x


def slice_update(a: Attrs, x: Any, update: Any) -> Any:
    from keras import ops

    first, *others = (part.indices(n) for part, n in zip(_key(a, x), x.shape, strict=True))
    if first[2] == 1:
        return ops.slice_update(x, [first[0], *(o[0] for o in others)], update)
    return ops.scatter_update(x, np.arange(*first, dtype="int32")[:, None], update)


def dynamic_slice(a: Attrs, x: Any, *starts: Any) -> Any:
    from keras import ops

    return ops.slice(x, ops.stack(starts), a["sizes"])


def dynamic_update_slice(a: Attrs, x: Any, update: Any, *starts: Any) -> Any:
    from keras import ops

    return ops.slice_update(x, ops.stack(starts), update)


# -- masks, segments, subscripts ----------------------------------------------------------------------------------------
def mask_select(a: Attrs, x: Any, mask: Any) -> Any:
    return x[mask]


def mask_fill(a: Attrs, x: Any, mask: Any, value: Any) -> Any:
    from keras import ops

    return ops.where(mask, value, x)


def mask_scatter(a: Attrs, x: Any, mask: Any, source: Any) -> Any:
    """Each chosen row takes the next one of the source."""
    from keras import ops

    depth = len(mask.shape)
    nth = ops.reshape(ops.cumsum(ops.cast(ops.reshape(mask, (-1,)), "int32")) - 1, mask.shape)
    rows = ops.take(source, ops.where(mask, nth, 0), axis=0)
    return ops.where(ops.reshape(mask, (*mask.shape, *[1] * (len(x.shape) - depth))), rows, x)


def compress(a: Attrs, x: Any, mask: Any) -> Any:
    from keras import ops

    return ops.take(x, ops.nonzero(mask)[0], axis=a["axis"])


def compress_subscript(a: Attrs, x: Any, mask: Any) -> Any:
    return x[(slice(None),) * a["axis"] + (mask,)]


def nonzero(a: Attrs, x: Any) -> Any:
    from keras import ops

    return ops.stack([*ops.nonzero(x)], axis=-1)


def segment_reduce(a: Attrs, x: Any, ids: Any) -> Any:
    from keras import ops

    count, form = a["num_segments"], a["reduction"]
    if form == "mean":
        total = ops.segment_sum(x, ids, num_segments=count)
        return total / ops.maximum(ops.segment_sum(ops.ones_like(x), ids, num_segments=count), 1)
    names = {"add": "segment_sum", "mul": "segment_prod", "max": "segment_max", "min": "segment_min"}
    return getattr(ops, names[form])(x, ids, num_segments=count)


def one_hot(a: Attrs, i: Any) -> Any:
    from keras import ops

    i = ops.where(i < 0, i + a["depth"], i) if a.get("neg") == "from_end" else i
    return ops.one_hot(i, a["depth"], axis=a["axis"])


def one_hot_as_it_is(a: Attrs, i: Any) -> Any:
    from keras import ops

    return ops.one_hot(i, a["depth"], axis=a["axis"])


def index_get(a: Attrs, x: Any, *arrays: Any) -> Any:
    kinds: dict[str, Callable[..., Any]] = {
        "slice": slice, "int": int, "newaxis": lambda: None, "ellipsis": lambda: ..., "array": lambda n: arrays[n],
    }  # fmt: skip
    return x[tuple(kinds[entry[0]](*entry[1:]) for entry in a["spec"])]


def index_get_by_take(a: Attrs, x: Any, *arrays: Any) -> Any:
    """Slices and new axes first, then the one array by `take`, or neighbours in the flat axes."""
    from keras import ops

    if len([e for e in a["spec"] if e[0] == "array"]) != len(arrays) or any(e[0] == "int" for e in a["spec"]):
        raise Inexpressible("a subscript of more than arrays and slices")
    plain: dict[str, Callable[..., Any]] = {
        "array": lambda _: slice(None), "slice": slice, "newaxis": lambda: None, "ellipsis": lambda: ...,
    }  # fmt: skip
    key = tuple(plain[entry[0]](*entry[1:]) for entry in a["spec"])
    places = [k for k, e in enumerate(a["spec"]) if e[0] == "array"]
    if places != list(range(places[0], places[0] + len(places))):
        raise Inexpressible("index arrays apart from each other, by take")
    x, first, flat = x[key], places[0], 0
    for k, array in enumerate(arrays):
        n = x.shape[first + k]
        flat = flat * n + (ops.where(array < 0, array + n, array) if len(arrays) > 1 else array)
    together = math.prod(x.shape[first : first + len(arrays)])
    joined = ops.reshape(x, (*x.shape[:first], together, *x.shape[first + len(arrays) :]))
    return ops.take(joined, flat, axis=first)


SPELLINGS: dict[str, dict[str, Spelling]] = {
    "gather": {"take": take, "take, as it is": take_as_it_is, "subscript, gather": subscript_gather, "Embedding": take},
    "gather_elements": {"take_along_axis": take_along_axis, "take_along_axis, as it is": take_along_as_it_is},
    "gather_nd": {"subscript": gather_nd_subscript, "take": gather_nd_flat},
    "scatter_elements": {"scatter_update": scatter_elements, "scatter_update, as it is": scatter_elements_as_it_is},
    "scatter_nd": {
        "scatter_update": scatter_nd, "scatter_update, as it is": scatter_nd_as_it_is, "scatter": scatter_nd_onto_zeros,
    },
    "slice": {"subscript": slice_subscript, "take": slice_by_take},
    "slice_update": {"slice_update": slice_update},
    "dynamic_slice": {"ops.slice, as it is": dynamic_slice},
    "dynamic_update_slice": {"slice_update, as it is": dynamic_update_slice},
    "mask_select": {"subscript": mask_select},
    "mask_fill": {"where": mask_fill},
    "mask_scatter": {"where and take": mask_scatter},
    "compress": {"take": compress, "subscript": compress_subscript},
    "nonzero": {"nonzero": nonzero},
    "segment_reduce": {"segment, as it is": segment_reduce},
    "one_hot": {"one_hot": one_hot, "one_hot, as it is": one_hot_as_it_is},
    "index_get": {"subscript": index_get, "take": index_get_by_take},
    "index_put": {"scatter_update": index_put},
}  # fmt: skip
"""By op and name. Those `as it is` leave positions out of range to the backend whatever the case says of them."""
