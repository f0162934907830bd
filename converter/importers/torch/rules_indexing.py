"""ATen reads at computed positions, masks and one-hot (bounds and negatives as measured per API)."""

from __future__ import annotations

from typing import Any

from converter.importers.torch.context import Call, TorchContext, rule
from ir.core import Value
from ir.types import Dim, broadcast_shapes, dtypes


@rule("aten.index_select.default")
def index_select(c: TorchContext, a: Call) -> Value:
    """Negative indices are errors; a 0-d index keeps an axis of size 1."""
    x, index = a.value("self"), a.value("index")
    axis = a.axis("dim", x.type.rank)
    if index.type.rank == 0:
        index = c.b.unsqueeze(index, axes=(0,))
    if x.type.rank == 0:  # one element, whatever the count of indices
        found = c.b.gather(c.b.unsqueeze(x, axes=(0,)), index, neg="invalid")
        return c.b.reshape(found, shape=())
    return c.b.gather(x, index, axis=axis, neg="invalid")


@rule("aten.gather.default")
def gather(c: TorchContext, a: Call) -> Value:
    if a.lit("sparse_grad"):
        c.refuse("sparse gradients")
    x, index = a.value("self"), a.value("index")
    axis, shape = a.axis("dim", x.type.rank), index.type.shape
    found = c.b.gather_elements(listed(c, x), listed(c, index), axis=axis, neg="invalid")
    return found if shape else c.b.reshape(found, shape=())


def listed(c: TorchContext, x: Value) -> Value:
    """A number as a tensor of one element, which it counts as wherever torch picks elements."""
    return x if x.type.rank else c.b.unsqueeze(x, axes=(0,))


@rule("aten.take_along_dim.default")
def take_along_dim(c: TorchContext, a: Call) -> Value:
    """Both sides broadcast off the axis; positions out of range wrap. Without an axis: positions in the flat tensor."""
    x, index = a.value("self"), a.value("indices")
    if a.raw("dim") is None:
        flat, positions = (v if v.type.rank == 1 else c.b.reshape(v, shape=(_numel(v.type.shape),)) for v in (x, index))
        return c.b.gather(flat, positions, neg="invalid")
    axis = a.axis("dim", x.type.rank)
    off = broadcast_shapes(*(tuple(d for i, d in enumerate(v.type.shape) if i != axis) for v in (x, index)))
    x, index = (_expand(c, v, (*off[:axis], v.type.shape[axis], *off[axis:])) for v in (x, index))
    return c.b.gather_elements(x, index, axis=axis, bounds="wrap", neg="from_end")


def _expand(c: TorchContext, x: Value, shape: tuple[Dim, ...]) -> Value:
    return x if x.type.shape == shape else c.b.expand(x, shape=shape)


@rule("aten.take.default")
def take(c: TorchContext, a: Call) -> Value:
    x = a.value("self")
    flat = c.b.reshape(x, shape=(_numel(x.type.shape),)) if x.type.rank != 1 else x
    return c.b.gather(flat, a.value("index"))


def _numel(shape: tuple[Dim, ...]) -> Dim:
    total: Dim = 1
    for d in shape:
        total = d * total
    return total


@rule("aten.masked_fill.Scalar", "aten.masked_fill.Tensor")
def masked_fill(c: TorchContext, a: Call) -> Value:
    x, mask = a.value("self"), a.value("mask")
    return c.b.where(c.cast(mask, dtypes.bool_), a.operand("value", x.type.dtype), x)


@rule("aten.masked_select.default")
def masked_select(c: TorchContext, a: Call) -> Value:
    x, mask = a.value("self"), a.value("mask")
    shape = broadcast_shapes(x.type.shape, mask.type.shape)
    return c.b.mask_select(_expand(c, x, shape), _expand(c, mask, shape), symbol=count_name(a))


@rule("aten.nonzero.default")
def nonzero(c: TorchContext, a: Call) -> Value:
    """Of a 0-d tensor: no position or one, of no axes."""
    x = a.value("self")
    if x.type.rank:
        return c.b.nonzero(x, symbol=count_name(a))
    found = c.b.nonzero(c.b.reshape(x, shape=(1,)), symbol=count_name(a))
    return c.b.slice(found, axes=(1,), starts=(0,), stops=(0,), steps=(1,))


@rule("aten.nonzero_static.default")
def nonzero_static(c: TorchContext, a: Call) -> Value:
    """The first `size` of them, and `fill_value` for those that are missing."""
    x, size = a.value("self"), a.lit("size")
    if not x.type.rank:
        a.lit("fill_value")
        return c.b.expand(c.constant(0, dtypes.int64), shape=(size, 0))
    found = c.b.nonzero(x, symbol=count_name(a))
    rows = c.b.arange(start=0, stop=size, step=1, dtype=dtypes.int64)
    return c.b.gather(found, rows, axis=0, bounds="fill", neg="invalid", fill_value=a.lit("fill_value"))


def count_name(a: Call) -> str:
    """A name for a length that depends on values: one a node."""
    return f"count_{a.node.name}"


@rule("aten.one_hot.default")
def one_hot(c: TorchContext, a: Call) -> Value:
    """Indices out of range are errors."""
    return c.b.one_hot(
        a.value("self"), depth=a.dim("num_classes"), axis=-1, on=1, off=0, dtype=dtypes.int64, neg="invalid", bounds="error"
    )


# -- x[i, :, j]: what a subscript means is `ir.ops.index_spec`'s alone ------------------------------------------------
def subscript(c: TorchContext, a: Call) -> dict[str, Any]:
    """The operand `arrays` and the attributes `spec` and `symbol` of an `index_get` or `index_put`.

    A list of index tensors by axis. uint8 ones are masks; where there are several, each becomes the positions of its
    True elements, so that their counts may differ where they broadcast. 0-d tensors count as arrays here, as in NumPy.
    """
    items = [None if item is None else c.value(item) for item in a.raw("indices")]
    given = [v for v in items if v is not None]
    masks = [v for v in given if v.type.dtype.is_bool or v.type.dtype == dtypes.uint8]
    if any(v.type.rank == 0 for v in masks):
        c.refuse("a 0-d mask as an index")
    spec: list[tuple[Any, ...]] = []
    arrays: list[Value] = []
    for item in items:
        parts: list[Value] = [] if item is None else [item]
        if item is not None and any(item is m for m in masks):
            mask = c.cast(item, dtypes.bool_)
            parts = [mask] if len(masks) == 1 else _positions(c, mask, f"{count_name(a)}_{len(spec)}")
        spec += [("array", len(arrays) + k) for k in range(len(parts))] or [("slice", None, None, None)]
        arrays += parts
    symbol = {"symbol": count_name(a)} if len(masks) == 1 else {}
    return {"arrays": tuple(arrays), "spec": tuple(spec), "rule": "numpy", **symbol}


def _positions(c: TorchContext, mask: Value, symbol: str) -> list[Value]:
    found = c.b.nonzero(mask, symbol=symbol)
    return [c.b.select(found, axis=1, index=i) for i in range(mask.type.rank)]


@rule("aten.index.Tensor", "aten._unsafe_index.Tensor")
def index(c: TorchContext, a: Call) -> Value:
    """One mask over the leading axes is a selection, one index tensor a gather; else a subscript."""
    x, given = a.value("self"), subscript(c, a)
    arrays, spec = given["arrays"], given["spec"]
    if not arrays:
        return x
    (only, *more) = arrays
    if not more and not only.type.dtype.is_bool:
        return c.b.gather(x, only, axis=spec.index(("array", 0)))
    if not more and spec[0] == ("array", 0):
        return c.b.mask_select(x, only, symbol=given["symbol"])
    return c.b.index_get(x, **given)
