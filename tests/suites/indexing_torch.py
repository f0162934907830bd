"""The recorded indexing cases as a person would write them in PyTorch: native calls where torch has one, else index
arithmetic around them. Each spelling takes the case's operands in order, and is a source of its own: what it computes
is held against the case before it is converted."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor

Attrs = dict[str, Any]
Spelling = Callable[..., Tensor]
_REDUCE = {"add": "sum", "mul": "prod", "max": "amax", "min": "amin", "mean": "mean"}


class Spelled(torch.nn.Module):
    """A module that computes one case."""

    def __init__(self, op: str, attrs: Attrs) -> None:
        super().__init__()
        self.spelling, self.attrs = SPELLINGS[op], attrs

    def forward(self, tensors: tuple[Tensor, ...]) -> Tensor:
        return self.spelling(self.attrs, *tensors)


def placed(i: Tensor, n: int, a: Attrs) -> tuple[Tensor, Tensor | None]:
    """Positions, and under fill and drop which are good: `error` is left to PyTorch's own checks."""
    bounds = a.get("bounds", "error")
    i = i.long()
    if bounds == "wrap":
        return i % n, None
    if a.get("neg", "from_end") == "from_end":
        i = torch.where(i < 0, i + n, i)
    if bounds == "clip":
        return i.clamp(0, n - 1), None
    if bounds in ("fill", "drop"):
        good = (i >= 0) & (i < n)
        return torch.where(good, i, 0), good
    return i, None


def _plain(a: Attrs) -> bool:
    return a.get("bounds", "error") == "error" and a.get("neg", "from_end") == "from_end"


def gather(a: Attrs, x: Tensor, i: Tensor) -> Tensor:
    axis, batch = a["axis"] % x.ndim, a.get("batch_dims", 0)
    if batch:
        lead = [torch.arange(x.shape[k]).reshape(-1, *[1] * (i.ndim - 1 - k)) for k in range(batch)]
        return x[(*lead, i.long())]
    before = (slice(None),) * axis
    if i.is_floating_point() or _plain(a):
        return x[(*before, i)]
    if a.get("bounds", "error") == "error":
        return x.index_select(axis, i)
    at, good = placed(i, x.shape[axis], a)
    out = x[(*before, at)]
    return (
        out
        if good is None
        else torch.where(good.reshape(*good.shape, *[1] * (x.ndim - axis - 1)), out, a["fill_value"])
    )


def gather_elements(a: Attrs, x: Tensor, i: Tensor) -> Tensor:
    if a["axis"] >= x.ndim or i.ndim != x.ndim or a.get("neg") == "invalid":
        return x.gather(a["axis"], i.long())
    axis = a["axis"] % x.ndim
    if a.get("bounds") == "wrap":
        return torch.take_along_dim(x, i, axis)
    at, good = placed(i, x.shape[axis], a)
    out = x.gather(axis, at)
    return out if good is None else torch.where(good, out, a["fill_value"])


def gather_nd(a: Attrs, x: Tensor, i: Tensor) -> Tensor:
    batch = a.get("batch_dims", 0)
    lead = [torch.arange(x.shape[k]).reshape(-1, *[1] * (i.ndim - 2 - k)) for k in range(batch)]
    parts = i.long().unbind(-1)
    if not _plain(a):
        parts = tuple(placed(p, x.shape[batch + k], a)[0] for k, p in enumerate(parts))
    return x[(*lead, *parts)]


def _scattered(x: Tensor, axis: int, i: Tensor, u: Tensor, a: Attrs) -> Tensor:
    form = a.get("reduction", "none")
    if form == "none":
        return x.scatter(axis, i, u)
    if form == "add" and a.get("include_self", True):
        return x.scatter_add(axis, i, u)
    return x.scatter_reduce(axis, i, u, reduce=_REDUCE[form], include_self=a.get("include_self", True))


def _with_spare(x: Tensor, axis: int, i: Tensor, good: Tensor, u: Tensor, a: Attrs) -> Tensor:
    """Written to a place behind the end, which is cut off again."""
    n = x.shape[axis]
    longer = torch.cat([x, x.narrow(axis, 0, 1)], axis)
    return _scattered(longer, axis, torch.where(good, i, n), u, a).narrow(axis, 0, n)


def scatter_elements(a: Attrs, x: Tensor, i: Tensor, u: Tensor) -> Tensor:
    axis = a["axis"] % x.ndim
    at, good = placed(i, x.shape[axis], a)
    return _scattered(x, axis, at, u, a) if good is None else _with_spare(x, axis, at, good, u, a)


def scatter_nd(a: Attrs, x: Tensor, i: Tensor, u: Tensor) -> Tensor:
    form, depth = a.get("reduction", "none"), i.shape[-1]
    if _plain(a) and form in ("none", "add"):
        return x.index_put(i.long().unbind(-1), u, accumulate=form == "add")
    flat, good = torch.zeros(i.shape[:-1], dtype=torch.int64), torch.ones(i.shape[:-1], dtype=torch.bool)
    for k, part in enumerate(i.unbind(-1)):
        at, inside = placed(part, x.shape[k], a)
        flat = flat * x.shape[k] + at
        good = good if inside is None else good & inside
    rows = x.reshape(math.prod(x.shape[:depth]), -1)
    where = flat.reshape(-1, 1).expand(-1, rows.shape[1])
    new = u.reshape(-1, rows.shape[1])
    if a.get("bounds") == "drop":
        return _with_spare(rows, 0, where, good.reshape(-1, 1), new, a).reshape(x.shape)
    return _scattered(rows, 0, where, new, a).reshape(x.shape)


def _parts(a: Attrs, x: Tensor) -> list[tuple[int, slice]]:
    rows = zip(a["axes"], a["starts"], a["stops"], a["steps"], strict=True)
    return [(axis % x.ndim, slice(start, stop, step)) for axis, start, stop, step in rows]


def slice_(a: Attrs, x: Tensor) -> Tensor:
    for axis, part in _parts(a, x):
        if part.step < 0:
            x = x.index_select(axis, torch.tensor(list(range(*part.indices(x.shape[axis]))), dtype=torch.int64))
        else:
            x = x[(slice(None),) * axis + (part,)]
    return x


def slice_update(a: Attrs, x: Tensor, update: Tensor) -> Tensor:
    ((axis, part),) = _parts(a, x)
    if part.step < 0:
        return x.index_copy(axis, torch.tensor(list(range(*part.indices(x.shape[axis])))), update)
    return x.slice_scatter(update, axis, part.start, part.stop, part.step)


def _block(a: Attrs, x: Tensor, sizes: Any, starts: tuple[Tensor, ...]) -> list[Tensor]:
    lines = []
    for n, size, start in zip(x.shape, sizes, starts, strict=True):
        start = torch.where(start < 0, start + n, start) if a["neg"] == "from_end" else start
        lines.append(start.clamp(0, n - size) + torch.arange(size))
    return lines


def dynamic_slice(a: Attrs, x: Tensor, *starts: Tensor) -> Tensor:
    for axis, line in enumerate(_block(a, x, a["sizes"], starts)):
        x = x.index_select(axis, line)
    return x


def dynamic_update_slice(a: Attrs, x: Tensor, update: Tensor, *starts: Tensor) -> Tensor:
    y = x.clone()
    y[torch.meshgrid(*_block(a, x, update.shape, starts), indexing="ij")] = update
    return y


def mask_select(a: Attrs, x: Tensor, mask: Tensor) -> Tensor:
    return x[mask]


def mask_fill(a: Attrs, x: Tensor, mask: Tensor, value: Tensor) -> Tensor:
    return x.masked_fill(mask, value)


def mask_scatter(a: Attrs, x: Tensor, mask: Tensor, source: Tensor) -> Tensor:
    y = x.clone()
    y[mask] = source
    return y


def compress(a: Attrs, x: Tensor, mask: Tensor) -> Tensor:
    return x[(slice(None),) * a["axis"] + (mask,)]


def nonzero(a: Attrs, x: Tensor) -> Tensor:
    return x.nonzero()


def segment_reduce(a: Attrs, x: Tensor, ids: Tensor) -> Tensor:
    count, form = a["num_segments"], a["reduction"]
    info = torch.finfo(x.dtype) if x.is_floating_point() else torch.iinfo(x.dtype)
    lowest, highest = (-math.inf, math.inf) if x.is_floating_point() else (info.min, info.max)
    start = {"add": 0, "mul": 1, "mean": 0, "max": lowest, "min": highest}[form]
    out = torch.full((count, *x.shape[1:]), start, dtype=x.dtype)
    where = ids.long().reshape(-1, *[1] * (x.ndim - 1)).expand(x.shape)
    own = {"reduction": form, "include_self": False}
    if a["bounds"] == "error":
        return _scattered(out, 0, where, x, own)
    return _with_spare(out, 0, where, (where >= 0) & (where < count), x, own)


def one_hot(a: Attrs, i: Tensor) -> Tensor:
    return (torch.where(i < 0, i + a["depth"], i).unsqueeze(-1) == torch.arange(a["depth"])).float()


def _subscript(a: Attrs, arrays: tuple[Tensor, ...]) -> tuple[Any, ...]:
    kinds: dict[str, Callable[..., Any]] = {
        "slice": slice, "int": int, "newaxis": lambda: None, "ellipsis": lambda: ..., "array": lambda n: arrays[n],
    }  # fmt: skip
    return tuple(kinds[entry[0]](*entry[1:]) for entry in a["spec"])


def index_get(a: Attrs, x: Tensor, *arrays: Tensor) -> Tensor:
    return x[_subscript(a, arrays)]


def index_put(a: Attrs, x: Tensor, *rest: Tensor) -> Tensor:
    *arrays, update = rest
    if a["reduction"] == "add":
        return x.index_put(_subscript(a, tuple(arrays)), update, accumulate=True)
    y = x.clone()
    y[_subscript(a, tuple(arrays))] = update
    return y


SPELLINGS: dict[str, Spelling] = {
    "gather": gather, "gather_elements": gather_elements, "gather_nd": gather_nd, "scatter_elements": scatter_elements,
    "scatter_nd": scatter_nd, "slice": slice_, "slice_update": slice_update, "dynamic_slice": dynamic_slice,
    "dynamic_update_slice": dynamic_update_slice, "mask_select": mask_select, "mask_fill": mask_fill, "mask_scatter": mask_scatter,
    "compress": compress, "nonzero": nonzero, "segment_reduce": segment_reduce, "one_hot": one_hot, "index_get": index_get,
    "index_put": index_put,
}  # fmt: skip
