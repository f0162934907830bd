"""ATen slices and scalar reads; bounds clamp as in Python."""

from __future__ import annotations

from typing import Any

from converter.importers.torch.context import Call, TorchContext, rule
from ir.core import Value
from ir.types import Dim


def _bounds(c: TorchContext, a: Call, axis: int) -> dict[str, Any]:
    start, stop = a.bound("start"), a.bound("end")
    start = None if isinstance(start, int) and start == 0 else start
    return {"axes": (axis,), "starts": (start,), "stops": (stop,), "steps": (a.lit("step"),)}


@rule("aten.slice.Tensor", "aten.slice_copy.Tensor")
def slice_(c: TorchContext, a: Call) -> Value:
    x = a.value("self")
    where = _bounds(c, a, a.axis("dim", x.type.rank))
    if where["starts"] == where["stops"] == (None,) and where["steps"] == (1,):
        return x
    if a.shape[where["axes"][0]] == 1 and not isinstance(x.type.shape[where["axes"][0]], int):
        return _one(c, x, where)
    return c.b.slice(x, **where)


def _one(c: TorchContext, x: Value, where: dict[str, Any]) -> Value:
    """A slice of one element of a dynamic axis, as torch found: a read that fails on an empty axis, so that the size 1
    is certain and broadcasts."""
    (axis,), (start,) = where["axes"], where["starts"]
    return c.b.unsqueeze(c.b.select(x, axis=axis, index=0 if start is None else start), axes=(axis,))


@rule("aten.slice_scatter.default")
def slice_scatter(c: TorchContext, a: Call) -> Value:
    x, src = a.value("self"), a.value("src")
    where = _bounds(c, a, a.axis("dim", x.type.rank))
    if where["starts"] == where["stops"] == (None,) and where["steps"] == (1,):
        return src
    return c.b.slice_update(x, src, **where)


@rule("aten.narrow_copy.default")
def narrow(c: TorchContext, a: Call) -> Value:
    x, start = a.value("self"), a.dim("start")
    axis = a.axis("dim", x.type.rank)
    if isinstance(start, int) and start < 0:
        start = x.type.shape[axis] + start
    stop: Dim = start + a.dim("length")
    return c.b.slice(x, axes=(axis,), starts=(start,), stops=(stop,), steps=(1,))


@rule("aten.select.int", "aten.select_copy.int")
def select(c: TorchContext, a: Call) -> Value:
    """A position that only a tensor knows is a 0-d index: it may be negative."""
    x = a.value("self")
    axis = a.axis("dim", x.type.rank)
    if a.raw("index") in c.numbers:
        return c.b.gather(x, a.value("index"), axis=axis, bounds="error", neg="from_end")
    return c.b.select(x, axis=axis, index=a.dim("index"))


@rule("aten.select_scatter.default")
def select_scatter(c: TorchContext, a: Call) -> Value:
    x = a.value("self")
    axis = a.axis("dim", x.type.rank)
    if a.raw("index") in c.numbers:
        row = c.b.reshape(a.value("index"), shape=(1, 1))
        perm = (axis, *(k for k in range(x.type.rank) if k != axis))
        update = c.b.unsqueeze(a.value("src"), axes=(0,))
        moved = c.b.scatter_nd(c.b.transpose(x, perm=perm), row, update, bounds="error", neg="from_end")
        return c.b.transpose(moved, perm=tuple(perm.index(k) for k in range(x.type.rank)))
    return c.b.select_update(x, a.value("src"), axis=axis, index=a.dim("index"))
