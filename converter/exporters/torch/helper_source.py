"""Source of the helpers that emitted files may carry. Never imported by us: `helpers.py` reads it as text."""

# Names of math, torch, F and nn come from the head of the emitted file.
# ruff: noqa: ANN001, ANN002, ANN201, F821
# mypy: ignore-errors


def grouped_matmul(x, weight, ends):
    """Rows of x before ends[0] times weight[0], from there to ends[1] times weight[1], and so on; zeros behind the last."""
    start, parts = 0, []
    for end, w in zip(ends.tolist(), weight):
        if not start <= end <= x.shape[0]:
            raise ValueError(f"ends of groups must rise to at most {x.shape[0]}: {end} after {start}")
        parts.append(x[start:end] @ w)
        start = end
    return torch.cat([*parts, x.new_zeros(x.shape[0] - start, weight.shape[2])])


def same_widths(x, window, stride, dilation, lower=False):
    """Padding, last axis first, that makes a sliding window give ceil(size / stride) results."""
    widths = []
    for size, w, s, d in zip(x.shape[2:], window, stride, dilation):
        total = max((-(-size // s) - 1) * s + (w - 1) * d + 1 - size, 0)
        half = total // 2
        widths = [total - half, half, *widths] if lower else [half, total - half, *widths]
    return widths


def pad_same(x, window, stride, dilation, lower=False, value=0.0):
    """Pad the spatial axes so that a sliding window gives ceil(size / stride) results."""
    return F.pad(x, same_widths(x, window, stride, dilation, lower), value=value)


def window_counts(x, window, stride, dilation, widths, ceil_mode):
    """How many windows fit along each spatial axis; a partial last one must not start in the right padding."""
    counts = []
    for i, (size, w, s, d) in enumerate(zip(x.shape[2:], window, stride, dilation)):
        before, after = widths[len(widths) - 2 * i - 2], widths[len(widths) - 2 * i - 1]
        room = size + before + after - (w - 1) * d - 1
        count = -(-room // s) + 1 if ceil_mode else room // s + 1
        counts.append(min(count, -(-(size + before) // s)) if ceil_mode else count)
    return counts


def windows(x, window, stride, dilation, counts):
    """One strided view of `x` for every element of the window."""
    views = [x]
    for axis, (w, s, d, n) in enumerate(zip(window, stride, dilation, counts), 2):
        views = [v.narrow(axis, k * d, (n - 1) * s + 1)[(slice(None),) * axis + (slice(None, None, s),)]
                 for v in views for k in range(w)]  # fmt: skip
    return views


def overhang(window, stride, dilation, counts, x):
    """Padding at the far end of each axis so that every window lies inside."""
    widths = []
    for size, w, s, d, n in zip(x.shape[2:], window, stride, dilation, counts):
        widths = [0, max((n - 1) * s + (w - 1) * d + 1 - size, 0), *widths]
    return widths


def max_pool(x, window, stride, dilation, widths, ceil_mode=False):
    """Largest element of each window, for any padding and element type."""
    lowest = float("-inf") if x.is_floating_point() else torch.iinfo(x.dtype).min
    counts = window_counts(x, window, stride, dilation, widths, ceil_mode)
    x = F.pad(x, widths, value=lowest)
    x = F.pad(x, overhang(window, stride, dilation, counts, x), value=lowest)
    return torch.stack(windows(x, window, stride, dilation, counts)).max(0).values


def avg_pool(x, window, stride, dilation, widths, ceil_mode=False, include_pad=True, divisor=None):
    """Mean of each window, for any padding and dilation."""
    counts = window_counts(x, window, stride, dilation, widths, ceil_mode)
    ones = F.pad(torch.ones_like(x[:1, :1]), widths, value=1.0 if include_pad else 0.0)
    x = F.pad(x, widths)
    extra = overhang(window, stride, dilation, counts, x)
    total = torch.stack(windows(F.pad(x, extra), window, stride, dilation, counts)).sum(0)
    if divisor is not None:
        return total / divisor
    return total / torch.stack(windows(F.pad(ones, extra), window, stride, dilation, counts)).sum(0)


def adaptive_max_pool(x, sizes):
    """Largest element of each of `sizes` parts of every spatial axis, for any element type."""
    for axis, out in enumerate(sizes, 2):
        n = x.shape[axis]
        if out is not None:
            bounds = [(i * n // out, -(-(i + 1) * n // out)) for i in range(out)]
            x = torch.cat([x.narrow(axis, a, b - a).amax(axis, keepdim=True) for a, b in bounds], axis)
    return x


def integer_power(x, y):
    """x to the power y for integers; a negative power has no integer value."""
    if (y < 0).any():
        raise ValueError("negative power of an integer")
    return torch.pow(x, y)


def number_range(start, stop, step, dtype, device=None):
    """torch.arange, empty where the stop lies behind the start."""
    if (stop - start) * step <= 0:
        return torch.empty(0, dtype=dtype, device=device)
    return torch.arange(start, stop, step, dtype=dtype, device=device)


def integer_div(x, y, mode):
    """Division of integers; the lowest one by -1 wraps, where the processor would stop the program."""
    negated = y == -1
    return torch.where(negated, -x, torch.div(x, torch.where(negated, 1, y), rounding_mode=mode))


def integer_mod(x, y, kind):
    """Remainder of integers (torch.remainder or torch.fmod), 0 for the divisor -1."""
    divide = torch.remainder if kind == "remainder" else torch.fmod
    return divide(x, torch.where(y == -1, 1, y))


def top_k(x, k, dim, largest=True):
    """The k largest (or smallest) elements and their positions; of equal ones the first."""
    values, order = x.sort(dim=dim, descending=largest, stable=True)
    if k > x.shape[dim]:
        raise ValueError(f"{k} elements cannot be taken from {x.shape[dim]}")
    return values.narrow(dim, 0, k), order.narrow(dim, 0, k)


def positions(index, size, from_end=True, bounds="error"):
    """(positions in [0, size), which of them were given inside); `bounds` says what outside means."""
    index = index.long()
    if bounds == "wrap":
        return index % size, None
    if from_end:
        index = torch.where(index < 0, index + size, index)
    inside = (index >= 0) & (index < size)
    if bounds == "error" and not inside.all():
        raise IndexError(f"index out of range for an axis of {size}")
    return (index if bounds == "unchecked" else index.clamp(0, max(size - 1, 0))), inside


def nonempty(x, axis):
    """`x` with at least one element along `axis`, for reads whose result is replaced anyway."""
    if x.shape[axis]:
        return x
    return x.new_zeros([1 if i == axis else n for i, n in enumerate(x.shape)])


def gather(x, index, axis, batch_dims=0, from_end=True, bounds="error", fill=0):
    """Elements of `x` at `index` along `axis`, the leading `batch_dims` axes matched."""
    index, inside = positions(index, x.shape[axis], from_end, bounds)
    x = (nonempty(x, axis) if bounds == "fill" else x).movedim(axis, batch_dims)
    lead = [
        torch.arange(n, device=x.device).reshape(-1, *[1] * (index.ndim - d - 1))
        for d, n in enumerate(index.shape[:batch_dims])
    ]
    rest, between = index.ndim - batch_dims, axis - batch_dims
    out = x[(*lead, index)]
    out = out.movedim(tuple(range(batch_dims, batch_dims + rest)), tuple(range(axis, axis + rest)))
    if bounds == "fill":
        shape = (
            *inside.shape[:batch_dims],
            *[1] * between,
            *inside.shape[batch_dims:],
            *[1] * (out.ndim - axis - rest),
        )
        out = torch.where(inside.reshape(shape), out, fill)
    return out


def gather_elements(x, index, axis, from_end=True, bounds="error", fill=0):
    """torch.gather with a stated meaning of negative and outside indices."""
    index, inside = positions(index, x.shape[axis], from_end, bounds)
    if bounds != "fill":
        return x.gather(axis, index)
    return torch.where(inside, nonempty(x, axis).gather(axis, index), fill)


def flat_positions(shape, index, from_end, bounds):
    """Row numbers in the flattened leading axes `shape` for index tuples on the last axis of `index`."""
    flat = torch.zeros(index.shape[:-1], dtype=torch.int64, device=index.device)
    inside = torch.ones(index.shape[:-1], dtype=torch.bool, device=index.device)
    for size, part in zip(shape, index.unbind(-1)):
        at, ok = positions(part, size, from_end, bounds)
        flat = flat * size + at
        inside = inside if ok is None else inside & ok
    return flat, inside


def gather_nd(x, index, batch_dims=0, from_end=True, bounds="error", fill=0):
    """Blocks of `x` at the index tuples on the last axis of `index`, the leading `batch_dims` axes matched."""
    if batch_dims:
        lead = torch.meshgrid(*(torch.arange(n, device=x.device) for n in x.shape[:batch_dims]), indexing="ij")
        shape = (*x.shape[:batch_dims], *[1] * (index.ndim - 1 - batch_dims))
        lead = [g.reshape(shape).expand(index.shape[:-1]) for g in lead]
        index = torch.cat([torch.stack(lead, -1), index.long()], -1)
    depth = index.shape[-1]
    flat, inside = flat_positions(x.shape[:depth], index, from_end, bounds)
    rows = x.reshape(math.prod(x.shape[:depth]), *x.shape[depth:])
    if bounds != "fill":
        return rows[flat]
    out = nonempty(rows, 0)[torch.where(inside, flat, 0)]
    return torch.where(inside.reshape(*inside.shape, *[1] * (out.ndim - inside.ndim)), out, fill)


def segment_start(dtype, reduce):
    """What a reduction of nothing gives."""
    if reduce in ("amax", "amin"):
        sign = -1 if reduce == "amax" else 1
        if dtype == torch.bool:
            return reduce == "amin"
        if dtype.is_floating_point:
            return sign * math.inf
        return torch.iinfo(dtype).min if reduce == "amax" else torch.iinfo(dtype).max
    return 1 if reduce == "prod" else 0


def with_spare(x, axis, index, inside):
    """One more place along `axis`, where updates that are to be dropped go."""
    spare = x.new_zeros([1 if i == axis else n for i, n in enumerate(x.shape)])
    return torch.cat([x, spare], axis), torch.where(inside, index, x.shape[axis])


def last_writes(shape, axis, index):
    """Which of the writes to one place along `axis` comes last."""
    number = torch.arange(index.shape[axis], device=index.device)
    number = number.reshape([-1 if i == axis else 1 for i in range(index.ndim)]).expand(index.shape)
    last = torch.full(shape, -1, device=index.device).scatter_reduce(axis, index, number, reduce="amax")
    return last.gather(axis, index) == number


def scatter_rows(x, axis, index, updates, reduce, include_self, last=False):
    """torch.scatter or scatter_reduce along `axis`; booleans as numbers. `last` keeps the last write to a place."""
    if reduce == "none" and last:
        size = x.shape[axis]
        x, index = with_spare(x, axis, index, last_writes(x.shape, axis, index))
        return x.scatter(axis, index, updates).narrow(axis, 0, size)
    if reduce == "none":
        return x.scatter(axis, index, updates)
    if x.dtype == torch.bool:
        kind = {"sum": "amax", "prod": "amin"}.get(reduce, reduce)
        return scatter_rows(x.to(torch.uint8), axis, index, updates.to(torch.uint8), kind, include_self).bool()
    if reduce in ("amax", "amin") and not include_self:  # torch has a gradient for what was there before as well
        x, include_self = x.scatter(axis, index, segment_start(x.dtype, reduce)), True
    return x.scatter_reduce(axis, index, updates, reduce=reduce, include_self=include_self)


def scatter_elements(
    x, index, updates, axis, reduce="none", include_self=True, from_end=True, bounds="error", last=False
):
    """`x` with `updates` written, or reduced into, the places `index` along `axis`."""
    size = x.shape[axis]
    index, inside = positions(index, size, from_end, bounds)
    if bounds == "drop":
        x, index = with_spare(x, axis, index, inside)
    return scatter_rows(x, axis, index, updates, reduce, include_self, last).narrow(axis, 0, size)


def scatter_nd(x, index, updates, reduce="none", include_self=True, from_end=True, bounds="error", last=False):
    """`x` with blocks written, or reduced into, the places that the index tuples on the last axis name."""
    depth = index.shape[-1]
    flat, inside = flat_positions(x.shape[:depth], index, from_end, bounds)
    count, width = math.prod(x.shape[:depth]), math.prod(x.shape[depth:])
    rows, flat = x.reshape(count, width), flat.reshape(-1)
    if bounds == "drop":
        rows = torch.cat([rows, rows.new_zeros(1, width)])
        flat = torch.where(inside.reshape(-1), flat, count)
    updates = updates.reshape(len(flat), width)
    out = scatter_rows(rows, 0, flat[:, None].expand(-1, width), updates, reduce, include_self, last)
    return out[:count].reshape(x.shape)


def mask_scatter(x, mask, source):
    """`x` with the elements under `mask` replaced by those of `source`, in order."""
    if int(mask.sum()) != len(source):
        raise ValueError(f"{len(source)} values for {int(mask.sum())} places")
    return x.masked_scatter(mask.reshape(*mask.shape, *[1] * (x.ndim - mask.ndim)), source)


def segment_reduce(x, ids, segments, reduce, drop=False, zero=False):
    """Reduce the blocks of `x` that share an id; a segment without blocks keeps the reduction's start, or zero."""
    tail = x.shape[ids.ndim :]
    blocks = x.reshape(ids.numel(), math.prod(tail))
    ids, inside = positions(ids.reshape(-1), segments, from_end=False, bounds="drop" if drop else "error")
    start = 0 if zero else segment_start(x.dtype, reduce)
    rows = x.new_full((segments + 1, blocks.shape[1]), start)
    flat = torch.where(inside, ids, segments)[:, None].expand(-1, blocks.shape[1])
    out = scatter_rows(rows, 0, flat, blocks, reduce, include_self=False)
    return out[:segments].reshape(segments, *tail)


def one_hot(index, depth, dim=-1, from_end=False, bounds="unchecked"):
    """True at the index along a new axis; all False where the index is outside, if it may be."""
    index, _ = positions(index, depth, from_end, bounds)
    return (index.unsqueeze(-1) == torch.arange(depth, device=index.device)).movedim(-1, dim)


def slice_any(x, *parts):
    """Python slices with steps of either sign."""
    for axis, part in enumerate(parts):
        chosen = range(*part.indices(x.shape[axis]))
        if part.step is not None and part.step < 0:
            x = x.index_select(axis, torch.tensor(list(chosen), dtype=torch.int64, device=x.device))
        else:
            x = x[(slice(None),) * axis + (part,)]
    return x


def block_starts(x, sizes, starts, clip, from_end):
    """Where a block begins along each axis, as numbers."""
    found = []
    for total, size, start in zip(x.shape, sizes, (int(s) for s in starts)):
        start = start + total if from_end and start < 0 else start
        start = min(max(start, 0), total - size) if clip else start
        if start < 0 or start + size > total:
            raise IndexError(f"a block of {size} at {start} does not fit an axis of {total}")
        found.append(start)
    return found


def take_block(x, starts, sizes, clip, from_end):
    """The block of the given sizes at `starts`."""
    for axis, start in enumerate(block_starts(x, sizes, starts, clip, from_end)):
        x = x.narrow(axis, start, sizes[axis])
    return x


def write_block(x, update, starts, clip, from_end):
    """`x` with the block at `starts` replaced."""
    found = block_starts(x, update.shape, starts, clip, from_end)
    out = x.clone()
    out[tuple(slice(s, s + n) for s, n in zip(found, update.shape))] = update
    return out


def pad_by_index(x, pads, mode):
    """Pad by reflecting, repeating the edge, or wrapping around; negative widths crop."""
    for axis, (before, after) in enumerate(pads):
        if (before, after) != (0, 0):
            x = x.narrow(axis, max(-before, 0), x.shape[axis] + min(before, 0) + min(after, 0))
            n = x.shape[axis]
            at = torch.arange(-max(before, 0), n + max(after, 0), device=x.device)
            if mode == "edge":
                at = at.clamp(0, n - 1)
            elif mode == "wrap":
                at = at % n
            else:
                period = max(2 * (n - 1), 1)
                at = at % period
                at = torch.minimum(at, period - at) if n > 1 else at * 0
            x = x.index_select(axis, at)
    return x


def shared_dropout(x, p, axes, training):
    """Dropout with one decision along each of `axes`."""
    axes = [a % x.ndim for a in axes]
    shape = [1 if i in axes else n for i, n in enumerate(x.shape)]
    return x * F.dropout(x.new_ones(shape), p, training=training) if training else x


def source_coordinates(size, out, scale, system, device):
    """Where each of `out` elements lies among `size` ones."""
    i = torch.arange(out, dtype=torch.float64, device=device)
    if system == "align_corners":
        return i * (size - 1) / (out - 1) if out > 1 else i * 0
    if system == "pytorch_half_pixel" and out == 1:
        return i * 0
    centre = 0 if system == "asymmetric" else 0.5
    at = (i + centre) * size / out if scale is None else (i + centre) / scale
    if system in ("half_pixel", "pytorch_half_pixel", "half_pixel_symmetric"):
        at = at - 0.5
    if system == "half_pixel_symmetric" and scale is not None:
        at = at + size / 2 * (1 - out / (scale * size))
    return at


def nearest_quotient(size, out, scale, coordinates, axes, device):
    """The elements that F.interpolate picks along one of so many axes; of two, it copies one that is doubled or kept."""
    aten, whole = torch.ops.aten, coordinates == "asymmetric"
    place = torch.arange(size, dtype=torch.float32, device=device)[None, None]
    if axes == 2:
        pick = aten.upsample_nearest2d if whole else aten._upsample_nearest_exact2d
        return pick(place[:, :, None], [1, out], None, scale)[0, 0, 0].long()
    pick = aten.upsample_nearest1d if whole else aten._upsample_nearest_exact1d
    return pick(place, [out], scale)[0, 0].long()


def cubic_kernel(distance, a):
    """Keys' cubic convolution kernel."""
    d = distance.abs()
    near = ((a + 2) * d - (a + 3)) * d * d + 1
    far = ((a * d - 5 * a) * d + 8 * a) * d - 4 * a
    return torch.where(d <= 1, near, torch.where(d < 2, far, 0.0))


def resize_taps(size, out, scale, mode, coordinates, cubic_a, antialias, device):
    """(positions, weights) of the elements that make up each output element, one row each."""
    if antialias:
        ratio = size / out if scale is None else 1 / scale
        stretch = max(ratio, 1.0)
        support = stretch * (1 if mode == "linear" else 2)
        centre = (torch.arange(out, dtype=torch.float64, device=device)[:, None] + 0.5) * ratio
        taps = torch.floor(centre - support + 0.5) + torch.arange(math.ceil(2 * support) + 1, device=device)
        distance = (taps + 0.5 - centre) / stretch
        weights = (1 - distance.abs()).clamp(min=0) if mode == "linear" else cubic_kernel(distance, cubic_a)
        weights = torch.where(taps < torch.floor(centre + support + 0.5), weights, 0.0)
        return taps, weights
    at = source_coordinates(size, out, scale, coordinates, device)
    at = at.clamp(0, size - 1) if mode == "linear" else at
    low = at.floor()[:, None]
    part = at[:, None] - low
    if mode == "linear":
        return torch.cat([low, low + 1], 1), torch.cat([1 - part, part], 1)
    steps = torch.arange(-1, 3, device=device)
    return low + steps, cubic_kernel(part - steps, cubic_a)


def resize(
    x, sizes, scales=None, mode="nearest", coordinates="half_pixel", nearest="round_prefer_floor", cubic_a=-0.75,
    exclude_outside=False, antialias=False,
):  # fmt: skip
    """Interpolate the spatial axes one after the other."""
    rounding = {
        "round_prefer_floor": lambda at: torch.ceil(at - 0.5), "round_prefer_ceil": lambda at: torch.floor(at + 0.5),
        "floor": torch.floor, "ceil": torch.ceil,
    }  # fmt: skip
    for axis, out in enumerate(sizes, 2):
        size, scale = x.shape[axis], None if scales is None else scales[axis - 2]
        if nearest == "quotient":
            x = x.index_select(axis, nearest_quotient(size, out, scale, coordinates, len(sizes), x.device))
            continue
        if mode == "nearest":
            at = rounding[nearest](source_coordinates(size, out, scale, coordinates, x.device))
            x = x.index_select(axis, at.clamp(0, size - 1).long())
            continue
        taps, weights = resize_taps(size, out, scale, mode, coordinates, cubic_a, antialias, x.device)
        if exclude_outside:
            weights = torch.where((taps >= 0) & (taps < size), weights, 0.0)
        if exclude_outside or antialias:
            weights = weights / weights.sum(1, keepdim=True)
        taken = x.index_select(axis, taps.clamp(0, size - 1).long().reshape(-1))
        taken = taken.unflatten(axis, taps.shape) * weights.to(x.dtype).reshape(
            *weights.shape, *[1] * (x.ndim - axis - 1)
        )
        x = taken.sum(axis + 1)
    return x
