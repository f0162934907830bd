"""Source of the helpers for reads and writes at computed positions, the same on every backend."""

# Names of math, np, keras, layers and ops come from the head of the emitted file.
# ruff: noqa: ANN001, ANN003, ANN201, F821
# mypy: ignore-errors


def refuse_unless(good, text):
    """Raise IndexError unless all of `good` holds; a call that is being traced has no values to check."""
    try:
        fine = bool(ops.all(good))
    except (TypeError, RuntimeError):
        return
    if not fine:
        raise IndexError(text)


def product(sizes):
    """How many elements axes of these sizes have."""
    total = 1
    for size in sizes:
        total = total * size
    return total


def between(index, last):
    """The nearest of 0 .. last; ops.minimum and ops.maximum cut 64 bits on PyTorch."""
    index = ops.where(index < 0, ops.zeros_like(index), index)
    return ops.where(index > last, ops.zeros_like(index) + last, index)


def positions(index, size, bounds="error", from_end=True):
    """Positions in an axis and which indices were in range; what is not is read at 0, unless `bounds` moves it."""
    index = index if keras.backend.standardize_dtype(index.dtype) == "int64" else ops.cast(index, "int32")
    size = size if isinstance(size, int) else ops.cast(size, index.dtype)
    if bounds == "wrap":
        return index % size, None
    if from_end:
        index = ops.where(index < 0, index + size, index)
    if bounds == "clip":
        return between(index, size - 1), None
    good = ops.logical_and(index >= 0, index < size)
    if bounds == "error":
        refuse_unless(good, f"an index is out of range for an axis of size {size}")
    return ops.where(good, index, ops.zeros_like(index)), good


def where_read(good, x, fill):
    """`x` with the slices of indices that were out of range filled."""
    good = ops.reshape(good, tuple(ops.shape(good)) + (1,) * (len(x.shape) - len(good.shape)))
    return ops.where(good, x, ops.cast(fill, x.dtype))


def take(x, index, axis, bounds="error", from_end=True, fill=None):
    """Slices of `x` along an axis."""
    at, good = positions(index, ops.shape(x)[axis], bounds, from_end)
    out = ops.take(x, at, axis=axis)
    if fill is None:
        return out
    first, final = list(range(axis)), list(range(-axis, 0))
    return ops.moveaxis(where_read(good, ops.moveaxis(out, first, final), fill), final, first)


def take_batched(x, index, axis, batch_dims, bounds="error", from_end=True, fill=None):
    """Slices of `x` along an axis, the first axes of `x` and `index` running together."""
    rank, index_rank = len(x.shape), len(index.shape)
    order = [*range(batch_dims), axis, *range(batch_dims, axis), *range(axis + 1, rank)]
    rows = take_rows(
        ops.transpose(x, order), ops.expand_dims(index, -1), batch_dims, bounds=bounds, from_end=from_end, fill=fill
    )
    end = index_rank + axis - batch_dims
    order = [*range(batch_dims), *range(index_rank, end), *range(batch_dims, index_rank), *range(end, len(rows.shape))]
    return ops.transpose(rows, order)


def take_elements(x, index, axis, bounds="error", from_end=True, fill=None):
    """out[i][j] = x[index[i][j]][j] for axis 0; other axes of `index` may be shorter."""
    at, good = positions(index, ops.shape(x)[axis], bounds, from_end)
    if bounds != "wrap" and bounds != "clip":
        at = ops.where(good, at, ops.zeros_like(at))
    sizes = list(ops.shape(index))
    x = x[tuple(slice(None) if k == axis else slice(0, n) for k, n in enumerate(sizes))]
    out = ops.take_along_axis(x, at, axis=axis)
    return out if fill is None else where_read(good, out, fill)


def cells(index, sizes, bounds="error", from_end=True, batch=()):
    """Row-major numbers of the cells that the vectors along the last axis name, and which of them were in range."""
    cell, every = ops.zeros(ops.shape(index)[:-1], dtype="int64"), None
    rank = len(index.shape) - 1
    for k, size in enumerate(batch):
        ramp = ops.reshape(ops.arange(size, dtype="int64"), [-1 if j == k else 1 for j in range(rank)])
        cell = cell * size + ramp
    for k, size in enumerate(sizes):
        at, good = positions(index[..., k], size, bounds, from_end)
        cell = cell * (size if isinstance(size, int) else ops.cast(size, "int64")) + ops.cast(at, "int64")
        every = good if every is None or good is None else ops.logical_and(every, good)
    return cell, every


def take_rows(x, index, batch_dims=0, bounds="error", from_end=True, fill=None):
    """Slices of `x` at the vectors along the last axis of `index`."""
    shape, depth = tuple(ops.shape(x)), batch_dims + index.shape[-1]
    cell, good = cells(index, shape[batch_dims:depth], bounds, from_end, shape[:batch_dims])
    rows = ops.reshape(x, (product(shape[:depth]), *shape[depth:]))
    out = ops.take(rows, cell, axis=0)
    return out if fill is None or good is None else where_read(good, out, fill)


def reduce_runs(values, ids, combine):
    """Along the first axis, each value reduced with those before it that have the same id; equal ids are neighbours."""
    count, step = ops.shape(ids)[0], 1
    ramp = ops.arange(count)
    for _ in range(count.bit_length() if isinstance(count, int) else 31):
        before = ops.maximum(ramp - step, 0)
        same = ops.logical_and(ramp >= step, ops.take(ids, before, axis=0) == ids)
        joined = combine(ops.take(values, before, axis=0), values)
        values = ops.where(ops.reshape(same, (-1,) + (1,) * (len(values.shape) - 1)), joined, values)
        step = step * 2
    return values


def running(x, axis, combine):
    """Running totals along an axis of 64-bit numbers, which Keras cuts to 32 on PyTorch; those of floats one by one."""
    if "float" in keras.backend.standardize_dtype(x.dtype):
        totals = ops.unstack(x, axis=axis)[:1]
        for part in ops.unstack(x, axis=axis)[1:]:
            totals = [*totals, combine(totals[-1], part)]
        return ops.stack(totals, axis=axis)
    x = ops.moveaxis(x, axis, 0)
    return ops.moveaxis(reduce_runs(x, ops.zeros(ops.shape(x)[:1], dtype="int32"), combine), 0, axis)


def add_rows(rows, cell, updates, include_self, mean):
    """Rows with updates added to the rows `cell`, or averaged with them."""
    counts = ops.zeros(ops.shape(rows)[:1], dtype="int32")
    counts = ops.scatter_update(counts, cell[:, None], ops.ones_like(cell, dtype="int32"), reduction="add")[:, None]
    if not include_self:
        rows = ops.where(counts > 0, ops.zeros_like(rows), rows)
    total = ops.scatter_update(rows, cell[:, None], updates, reduction="add")
    if not mean:
        return total
    divisor = ops.cast(ops.maximum(counts + (1 if include_self else 0), 1), total.dtype)
    whole = "int" in keras.backend.standardize_dtype(total.dtype)
    return ops.where(counts > 0, total // divisor if whole else total / divisor, rows)


def extreme(reduction, a, b):
    """The larger or smaller of two, NaN where either is; ops.maximum and ops.minimum cut 64 bits on PyTorch."""
    return ops.where(ops.logical_or(a > b if reduction == "max" else a < b, a != a), a, b)


def write_rows(rows, cell, updates, reduction=None, include_self=True, unique=False):
    """Rows with updates set at, or reduced into, the rows `cell`: of several at one row the last is set."""
    if reduction is None and unique:
        return ops.scatter_update(rows, cell[:, None], updates)
    if reduction in ("add", "mean"):
        return add_rows(rows, cell, updates, include_self, reduction == "mean")
    order = ops.argsort(cell)
    cell, updates = ops.take(cell, order, axis=0), ops.take(updates, order, axis=0)
    last = ops.concatenate([cell[1:] != cell[:-1], ops.ones((1,), dtype="bool")], axis=0)
    target = ops.where(last, cell, ops.shape(rows)[0] - 1)
    if reduction is not None:
        combine = ops.multiply if reduction == "mul" else lambda a, b: extreme(reduction, a, b)
        updates = reduce_runs(updates, cell, combine)
        updates = combine(ops.take(rows, target, axis=0), updates) if include_self else updates
    return ops.scatter_update(rows, target[:, None], updates)


def scatter(x, cell, good, updates, depth, reduction=None, include_self=True, unique=False):
    """`x` with updates written at cells of its first `depth` axes; those out of range go to a spare row."""
    shape, kind = tuple(ops.shape(x)), keras.backend.standardize_dtype(x.dtype)
    count, width = product(shape[:depth]), product(shape[depth:])
    cell = cell if good is None else ops.where(good, cell, ops.cast(count, cell.dtype))
    flat, rows = ops.reshape(updates, (product(ops.shape(cell)), width)), ops.reshape(x, (count, width))
    wide = {"bool": "int32", "uint8": "int32", "int8": "int32", "int16": "int32"}.get(kind, kind)
    wide = "float32" if kind in ("float16", "bfloat16") and reduction is not None else wide
    rows = ops.concatenate([rows, ops.zeros((1, width), dtype=x.dtype)], axis=0)
    if kind == "bool":
        reduction = {"add": "max", "mul": "min"}.get(reduction, reduction)
    rows = write_rows(
        ops.cast(rows, wide), ops.reshape(cell, (-1,)), ops.cast(flat, wide), reduction, include_self, unique
    )
    return ops.cast(ops.reshape(rows[:-1], shape), kind)


def scatter_rows(x, index, updates, bounds="error", from_end=True, **settings):
    """`x` with slices written at the vectors along the last axis of `index`."""
    depth = index.shape[-1]
    cell, good = cells(index, ops.shape(x)[:depth], bounds, from_end)
    return scatter(x, cell, good, updates, depth, **settings)


def scatter_elements(x, index, updates, axis, bounds="error", from_end=True, **settings):
    """out[index[i][j]][j] = updates[i][j] for axis 0, on a copy of `x`."""
    cell, good, rank = 0, None, len(x.shape)
    for k, (size, length) in enumerate(zip(ops.shape(x), ops.shape(index))):
        if k == axis:
            at, good = positions(index, size, bounds, from_end)
        else:
            at = ops.reshape(ops.arange(length, dtype="int64"), [-1 if j == k else 1 for j in range(rank)])
        cell = cell * (size if isinstance(size, int) else ops.cast(size, "int64")) + ops.cast(at, "int64")
    return scatter(x, cell, good, updates, rank, **settings)


def mask_scatter(x, mask, source):
    """`x` with the slices where the mask over its first axes is true replaced by those of `source`, in order."""
    shape, rank = tuple(ops.shape(x)), len(mask.shape)
    flat = ops.reshape(mask, (-1,))
    number = ops.cumsum(ops.cast(flat, "int32"), axis=0) - 1
    refuse_unless(
        ops.sum(ops.cast(flat, "int32")) == ops.shape(source)[0], "source must have the shape that the mask asks for"
    )
    rows = ops.reshape(x, (product(shape[:rank]), *shape[rank:]))
    source = ops.concatenate([source, ops.zeros((1, *shape[rank:]), dtype=x.dtype)], axis=0)
    chosen = ops.reshape(flat, (-1,) + (1,) * (len(x.shape) - rank))
    return ops.reshape(ops.where(chosen, ops.take(source, ops.maximum(number, 0), axis=0), rows), shape)


def take_block(x, starts, sizes, clip=False, from_end=False):
    """The block of these sizes at run-time starts."""
    at = block_starts(x, starts, sizes, clip, from_end)
    for axis, (start, size) in enumerate(zip(at, sizes)):
        x = ops.take(x, ops.arange(size, dtype=start.dtype) + start, axis=axis)
    return x


def write_block(x, update, starts, clip=False, from_end=False):
    """`x` with a block at run-time starts replaced."""
    at = block_starts(x, starts, ops.shape(update), clip, from_end)
    return ops.slice_update(x, ops.stack([ops.cast(k, "int32") for k in at]), update)


def block_starts(x, starts, sizes, clip, from_end):
    """Starts at which a block fits."""
    found = []
    for start, size, n in zip(starts, sizes, ops.shape(x)):
        start = start if keras.backend.standardize_dtype(start.dtype) == "int64" else ops.cast(start, "int32")
        n, room = ops.cast(n, start.dtype), ops.cast(n - size, start.dtype)
        start = ops.where(start < 0, start + n, start) if from_end else start
        if not clip:
            refuse_unless(ops.logical_and(start >= 0, start <= room), "a block is out of range")
        found.append(between(start, room))
    return found
