"""ATen reads at computed positions, masks and one-hot (bounds and negatives as measured per API)."""

from __future__ import annotations

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
        found = c.b.gather(c.b.unsqueeze(x, axes=(0,)), index, axis=0, bounds="error", neg="invalid")
        return c.b.reshape(found, shape=())
    return c.b.gather(x, index, axis=axis, bounds="error", neg="invalid")


@rule("aten.gather.default")
def gather(c: TorchContext, a: Call) -> Value:
    if a.lit("sparse_grad"):
        c.refuse("sparse gradients")
    x, index = a.value("self"), a.value("index")
    if x.type.rank == 0 or index.type.rank != x.type.rank:
        c.refuse("gather with 0-d or differently ranked tensors")
    return c.b.gather_elements(x, index, axis=a.axis("dim", x.type.rank), bounds="error", neg="invalid")


@rule("aten.take_along_dim.default")
def take_along_dim(c: TorchContext, a: Call) -> Value:
    """Both sides broadcast off the axis; positions out of range wrap."""
    x, index = a.value("self"), a.value("indices")
    if a.raw("dim") is None:
        c.refuse("take_along_dim without dim")
    axis = a.axis("dim", x.type.rank)
    off = tuple(1 if i == axis else d for i, d in enumerate(x.type.shape))
    off_index = tuple(1 if i == axis else d for i, d in enumerate(index.type.shape))
    common = broadcast_shapes(off, off_index)
    x = _expand(c, x, tuple(x.type.shape[axis] if i == axis else d for i, d in enumerate(common)))
    index = _expand(c, index, tuple(index.type.shape[axis] if i == axis else d for i, d in enumerate(common)))
    return c.b.gather_elements(x, index, axis=axis, bounds="wrap", neg="from_end")


def _expand(c: TorchContext, x: Value, shape: tuple[Dim, ...]) -> Value:
    return x if x.type.shape == shape else c.b.expand(x, shape=shape)


@rule("aten.take.default")
def take(c: TorchContext, a: Call) -> Value:
    x = a.value("self")
    flat = c.b.reshape(x, shape=(_numel(x.type.shape),)) if x.type.rank != 1 else x
    return c.b.gather(flat, a.value("index"), axis=0, bounds="error", neg="from_end")


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
    classes = a.dim("num_classes")
    if isinstance(classes, int) and classes < 0:
        c.refuse("num_classes is taken from the data", "pass num_classes")
    return c.b.one_hot(
        a.value("self"), depth=classes, axis=-1, on=1, off=0, dtype=dtypes.int64, neg="invalid", bounds="error"
    )


# -- x[i, :, j] -----------------------------------------------------------------------------------------------------
def selection(c: TorchContext, x: Value, items: list[Value | None]) -> tuple[list[int], Value | None, list[int]]:
    """Indexed axes, one int64 index array [..., k] over them, and the axes order that puts them in front.

    Torch's rule: adjacent index tensors leave their result where they stood, separated ones put it first. Here the
    indexed axes are always moved to the front; the caller moves the result back (see `front_axis`).
    """
    axes = [i for i, item in enumerate(items) if item is not None]
    tensors = [c.cast(item, dtypes.int64) for item in items if item is not None]
    shape = broadcast_shapes(*(t.type.shape for t in tensors))
    parts = [c.b.unsqueeze(_expand(c, t, shape), axes=(len(shape),)) for t in tensors]
    index = parts[0] if len(parts) == 1 else c.b.concat(parts, axis=len(shape))
    return axes, index, axes + [i for i in range(x.type.rank) if i not in axes]


def front_axis(axes: list[int]) -> int:
    """Where the broadcast index axes stand in torch's result."""
    adjacent = axes == list(range(axes[0], axes[-1] + 1))
    return axes[0] if adjacent else 0


def index_arguments(c: TorchContext, a: Call) -> list[Value | None]:
    """The index tensors by axis; a boolean or uint8 mask becomes one int64 tensor for each axis it covers."""
    out: list[Value | None] = []
    for item in a.raw("indices"):
        value = None if item is None else c.value(item)
        if value is not None and (value.type.dtype.is_bool or value.type.dtype == dtypes.uint8):
            out += _mask_positions(c, a, c.cast(value, dtypes.bool_), len(out))
        else:
            out.append(value)
    return out


def _mask_positions(c: TorchContext, a: Call, mask: Value, at: int) -> list[Value | None]:
    if mask.type.rank == 0:
        c.refuse("a 0-d mask as an index")
    found = c.b.nonzero(mask, symbol=f"{count_name(a)}_{at}" if at else count_name(a))
    return [c.b.select(found, axis=1, index=i) for i in range(mask.type.rank)]


@rule("aten.index.Tensor", "aten._unsafe_index.Tensor")
def index(c: TorchContext, a: Call) -> Value:
    x = a.value("self")
    masks = [c.value(i) for i in a.raw("indices") if i is not None]
    if len(masks) == 1 and masks[0].type.dtype.is_bool and a.raw("indices")[0] is not None and masks[0].type.rank:
        return c.b.mask_select(x, masks[0], symbol=count_name(a))
    items = index_arguments(c, a)
    used = [i for i, item in enumerate(items) if item is not None]
    if not used:
        return x
    if len(used) == 1:
        only = items[used[0]]
        return c.b.gather(x, only, axis=used[0], bounds="error", neg="from_end")
    axes, positions, order = selection(c, x, items)
    assert positions is not None
    moved = x if order == list(range(x.type.rank)) else c.b.transpose(x, perm=tuple(order))
    out = c.b.gather_nd(moved, positions, bounds="error", neg="from_end")
    return restore(c, out, positions.type.rank - 1, front_axis(axes))


def restore(c: TorchContext, out: Value, width: int, at: int) -> Value:
    """Move the first `width` axes to position `at`."""
    if at == 0 or width == 0:
        return out
    perm = [*range(width, width + at), *range(width), *range(width + at, out.type.rank)]
    return c.b.transpose(out, perm=tuple(perm))
