"""Source of the helpers for reads and writes at computed positions."""

# Names of math, np and tf come from the head of the emitted file.
# ruff: noqa: ANN001, ANN201, F821
# mypy: ignore-errors


def product(sizes):
    """How many elements axes of these sizes have."""
    return math.prod(sizes) if all(isinstance(n, int) for n in sizes) else tf.reduce_prod(sizes)


def in_range(index, size):
    """Which indices lie in an axis."""
    return (index >= 0) & (index < tf.cast(size, index.dtype))


def checked_index(index, size):
    """The indices, refused where any is out of range."""
    check(tf.reduce_all(in_range(index, size)), "an index is out of range")
    return tf.identity(index)


def positions(index, size, bounds="error", from_end=False):
    """Positions in an axis, and which indices were in range where others are to be passed over."""
    size = tf.cast(size, index.dtype)
    if bounds == "wrap":
        return index % size, None
    if from_end:
        index = tf.where(index < 0, index + size, index)
    if bounds == "clip":
        return tf.clip_by_value(index, 0, size - 1), None
    if bounds == "check":
        return checked_index(index, size), None
    if bounds in ("fill", "drop"):
        good = in_range(index, size)
        return tf.where(good, index, tf.zeros_like(index)), good
    return index, None


def take(x, index, axis, batch_dims=0, bounds="error", from_end=False, fill=None):
    """Slices of `x` along an axis, the first axes of `x` and `index` running together."""
    at, good = positions(index, shape_of(x)[axis], bounds, from_end)
    out = tf.gather(x, at, axis=axis, batch_dims=batch_dims)
    if fill is None:
        return out
    shape = shape_of(good)
    ones = [1] * (axis - batch_dims), [1] * (len(x.shape) - axis - 1)
    good = tf.reshape(good, [*shape[:batch_dims], *ones[0], *shape[batch_dims:], *ones[1]])
    return tf.where(good, out, tf.constant(fill, x.dtype))


def take_elements(x, index, axis, bounds="error", from_end=False, fill=None):
    """out[i][j] = x[index[i][j]][j] for axis 0; other axes of `index` may be shorter."""
    at, good = positions(index, shape_of(x)[axis], bounds, from_end)
    x = x[tuple(slice(None) if k == axis else slice(0, n) for k, n in enumerate(shape_of(index)))]
    last = len(x.shape) - 1
    order = [*(k for k in range(last + 1) if k != axis), axis]
    out = tf.gather(tf.transpose(x, order), tf.transpose(at, order), axis=last, batch_dims=last)
    out = tf.transpose(out, [order.index(k) for k in range(last + 1)])
    return out if fill is None else tf.where(good, out, tf.constant(fill, x.dtype))


def take_rows(x, index, batch_dims=0, bounds="error", from_end=False, fill=None):
    """Slices of `x` at the vectors along the last axis of `index`."""
    depth = index.shape[-1]
    sizes = shape_of(x)[batch_dims : batch_dims + depth]
    columns = [positions(index[..., k], n, bounds, from_end) for k, n in enumerate(sizes)]
    at = tf.stack([place for place, _ in columns], axis=-1) if columns else index
    out = tf.gather_nd(x, at, batch_dims=batch_dims)
    if fill is None or not columns:
        return out
    good = tf.reduce_all(tf.stack([ok for _, ok in columns]), axis=0)
    good = tf.reshape(good, [*shape_of(good), *[1] * (len(out.shape) - len(good.shape))])
    return tf.where(good, out, tf.constant(fill, x.dtype))


def take_nothing(x, index, batch_dims=0, bounds="unchecked", from_end=False):
    """What `take_rows` gives of slices without elements."""
    depth = index.shape[-1]
    for k, size in enumerate(shape_of(x)[batch_dims : batch_dims + depth]):
        positions(index[..., k], size, bounds, from_end)
    return tf.zeros([*shape_of(index)[:-1], *shape_of(x)[batch_dims + depth :]], x.dtype)


def embedding(table, ids, padding):
    """Rows of a table; the padding row gets no gradient."""
    rows = tf.nn.embedding_lookup(table, ids)
    return tf.where(tf.expand_dims(ids == padding, -1), tf.stop_gradient(rows), rows)


def element_index(index, axis):
    """The position of each element that is written, as a vector: `index` along one axis, its own along the others."""
    shape, rank = shape_of(index), len(index.shape)
    parts = [
        index
        if k == axis
        else tf.reshape(tf.range(tf.cast(n, index.dtype)), [-1 if j == k else 1 for j in range(rank)])
        for k, n in enumerate(shape)
    ]
    return tf.stack([tf.broadcast_to(part, shape) for part in parts], axis=-1)


def cells(index, sizes, bounds="error", from_end=False):
    """Row-major numbers of the cells that the vectors along the last axis name; -1 for those that name none."""
    cell, good = tf.zeros(shape_of(index)[:-1], tf.int64), None
    for k, size in enumerate(sizes):
        column = tf.cast(index[..., k], tf.int64)
        at, _ = positions(
            column, size, "error" if bounds in ("error", "unchecked", "drop", "check") else bounds, from_end
        )
        ok = in_range(at, size)
        good = ok if good is None else good & ok
        cell = cell * tf.cast(size, tf.int64) + at
    if good is None:
        return cell
    if bounds not in ("drop", "unchecked"):
        check(tf.reduce_all(good), "an index is out of range")
    return tf.where(good, cell, -tf.ones_like(cell))


def last_rows(rows, cell, updates):
    """Rows with updates at the rows `cell`: of several at one row the last remains."""
    count, number = shape_of(rows)[0], tf.range(tf.size(cell))
    last = tf.math.unsorted_segment_max(number, cell, count)
    updates = tf.concat([updates, tf.zeros_like(rows[:1])], axis=0)
    written = last >= 0
    found = tf.gather(updates, tf.where(written, last, tf.size(cell)))
    return tf.where(written[:, None], found, rows)


def extreme_rows(rows, cell, updates, count, largest):
    """The largest or smallest of each row's updates; NaN where there is one."""
    reduce = tf.math.unsorted_segment_max if largest else tf.math.unsorted_segment_min
    if not updates.dtype.is_floating:
        return reduce(updates, cell, count)
    limit = float("-inf") if largest else float("inf")
    missing = tf.math.is_nan(updates)
    best = reduce(tf.where(missing, tf.cast(limit, updates.dtype), updates), cell, count)
    plain = tf.math.unsorted_segment_sum(tf.cast(tf.math.is_finite(updates), tf.int32), cell, count)
    other = tf.math.unsorted_segment_sum(tf.cast(updates == -limit, tf.int32), cell, count)
    best = tf.where((plain == 0) & (other == 0), tf.cast(limit, best.dtype), best)
    seen = tf.math.unsorted_segment_sum(tf.cast(missing, tf.int32), cell, count) > 0
    return tf.where(seen, tf.cast(float("nan"), best.dtype), best)


def reduced_rows(rows, cell, updates, reduction, include_self):
    """Rows with the updates reduced into the rows `cell`; rows without updates stay."""
    count = shape_of(rows)[0]
    hits = tf.math.unsorted_segment_sum(tf.ones_like(cell, tf.int32), cell, count)[:, None]
    if reduction in ("max", "min"):
        if include_self:  # one more candidate of each row, which has its share of the gradient
            cell = tf.concat([tf.range(tf.cast(count, cell.dtype)), cell], axis=0)
            updates = tf.concat([rows, updates], axis=0)
        total = extreme_rows(rows, cell, updates, count, reduction == "max")
    elif reduction == "mul":
        total = tf.math.unsorted_segment_prod(updates, cell, count)
        total = rows * total if include_self else total
    else:
        total = tf.math.unsorted_segment_sum(updates, cell, count)
        total = rows + total if include_self else total
    if reduction == "mean":
        divisor = tf.cast(tf.maximum(hits + (1 if include_self else 0), 1), total.dtype)
        total = total // divisor if total.dtype.is_integer else total / divisor
    return tf.where(hits > 0, total, rows)


def widely(rows, cell, updates, reduction, include_self):
    """`reduced_rows` of half types in float32, of truth values as numbers."""
    kind = rows.dtype
    if kind == tf.bool:
        reduction = {"add": "max", "mul": "min"}.get(reduction, reduction)
    wide = tf.int32 if kind == tf.bool else tf.float32 if kind.is_floating and kind.size == 2 else kind
    return tf.cast(reduced_rows(tf.cast(rows, wide), cell, tf.cast(updates, wide), reduction, include_self), kind)


def scatter(x, index, updates, reduction=None, bounds="error", from_end=False, include_self=True):
    """`x` with the slices at the vectors along the last axis of `index` set (the last remains), or reduced with updates."""
    shape, depth = shape_of(x), index.shape[-1]
    count, width = product(shape[:depth]), product(shape[depth:])
    cell = tf.reshape(cells(index, shape[:depth], bounds, from_end), [-1])
    rows, updates = tf.reshape(x, [count, width]), tf.reshape(updates, [tf.size(cell), width])
    if reduction is None:
        return tf.reshape(last_rows(rows, cell, updates), shape)
    return tf.reshape(widely(rows, cell, updates, reduction, include_self), shape)


def mask_scatter(x, mask, source):
    """`x` with the slices where the mask over its first axes is true replaced by those of `source`, in order."""
    shape, flat = shape_of(x), tf.cast(tf.reshape(mask, [-1]), tf.int32)
    check(tf.reduce_sum(flat) == tf.shape(source)[0], "source must have one slice for each place that is chosen")
    source = tf.concat([source, tf.zeros([1, *shape[len(mask.shape) :]], x.dtype)], axis=0)
    found = tf.gather(source, tf.where(flat > 0, tf.cumsum(flat) - 1, tf.shape(source)[0] - 1))
    chosen = tf.reshape(mask, [*shape_of(mask), *[1] * (len(x.shape) - len(mask.shape))])
    return tf.where(chosen, tf.reshape(found, shape), x)


def segment_reduce(x, ids, count, reduction, drop=False, zero=False):
    """Row k reduces the slices of `x` whose id is k; a row without any holds what changes nothing, or 0."""
    shape, rank = shape_of(x), len(ids.shape)
    width, ids = product(shape[rank:]), tf.reshape(ids, [-1])
    good = in_range(ids, count)
    if not drop:
        check(tf.reduce_all(good), "a segment's number is out of range")
    kind = x.dtype
    limits = (
        (False, True)
        if kind == tf.bool
        else (float("-inf"), float("inf"))
        if kind.is_floating
        else (kind.min, kind.max)
    )
    start = 0 if zero else {"mul": 1, "max": limits[0], "min": limits[1]}.get(reduction, 0)
    start = tf.fill([count, width], tf.constant(bool(start) if kind == tf.bool else start, kind))
    cell = tf.where(good, ids, -tf.ones_like(ids))
    out = widely(start, cell, tf.reshape(x, [tf.size(ids), width]), reduction, False)
    return tf.reshape(out, [count, *shape[rank:]])


def block_starts(x, starts, sizes, bounds="error", from_end=False):
    """Starts at which a block fits."""
    found = []
    for start, size, n in zip(starts, sizes, shape_of(x)):
        start, room = tf.cast(start, tf.int64), tf.cast(n - size, tf.int64)
        start = tf.where(start < 0, start + tf.cast(n, tf.int64), start) if from_end else start
        if bounds == "error":
            check((start >= 0) & (start <= room), "a block is out of range")
        found.append(tf.clip_by_value(start, 0, tf.maximum(room, 0)))
    return tf.stack(found)


def take_block(x, starts, sizes, bounds="error", from_end=False):
    """The block of these sizes at run-time starts."""
    return tf.slice(x, block_starts(x, starts, sizes, bounds, from_end), tf.cast(sizes, tf.int64))


def write_block(x, update, starts, bounds="error", from_end=False):
    """`x` with a block at run-time starts replaced."""
    at = block_starts(x, starts, shape_of(update), bounds, from_end)
    ramps = tf.meshgrid(
        *[tf.range(tf.cast(n, tf.int64)) + s for n, s in zip(shape_of(update), tf.unstack(at))], indexing="ij"
    )
    return tf.tensor_scatter_nd_update(x, tf.stack(ramps, axis=-1), update)


def pad_by_index(x, pads, mode):
    """Pad by reflecting, repeating the edge, or wrapping around; negative widths crop."""
    for axis, (before, after) in enumerate(pads):
        size = shape_of(x)[axis]
        first, end = tf.maximum(-before, 0), size - tf.maximum(-after, 0)
        at, count = tf.range(-tf.maximum(before, 0), end - first + tf.maximum(after, 0)), end - first
        if mode == "edge":
            at = tf.clip_by_value(at, 0, count - 1)
        elif mode == "wrap":
            at = at % count
        else:
            at = count - 1 - tf.abs(count - 1 - tf.abs(at))
        x = tf.gather(x, at + first, axis=axis)
    return x


def pad_or_crop(x, pads, value=None):
    """Pad with zeros, or a value, by widths that may be negative, which crop."""
    cuts = [(tf.maximum(-before, 0), tf.maximum(-after, 0)) for before, after in pads]
    x = x[tuple(slice(first, n - last) for (first, last), n in zip(cuts, shape_of(x)))]
    widths = [(tf.maximum(before, 0), tf.maximum(after, 0)) for before, after in pads]
    return tf.pad(x, widths, constant_values=tf.zeros([], x.dtype) if value is None else tf.constant(value, x.dtype))
