"""Source of the helpers that read between elements: resizing, and grids of coordinates."""

# Names of math, np and tf come from the head of the emitted file.
# ruff: noqa: ANN001, ANN201, F821
# mypy: ignore-errors


def source_coordinates(size, out, scale, coordinates):
    """Where each of `out` elements lies among `size` ones, in float64."""
    i, n, m = (tf.cast(v, tf.float64) for v in (tf.range(out), size, out))
    if coordinates == "align_corners":
        return i * (n - 1) / tf.maximum(m - 1, 1)
    centre = 0.0 if coordinates == "asymmetric" else 0.5
    at = (i + centre) * n / m if scale is None else (i + centre) / scale
    if coordinates in ("half_pixel", "pytorch_half_pixel", "half_pixel_symmetric"):
        at = at - 0.5
    if coordinates == "pytorch_half_pixel":
        return tf.where(m == 1, tf.zeros_like(at), at)
    if coordinates == "half_pixel_symmetric" and scale is not None:
        at = at + n / 2 * (1 - m / (scale * n))
    return at


def nearest_places(size, out, scale, coordinates, nearest, axes):
    """The positions of the nearest elements along one of so many axes."""
    if nearest == "quotient":
        i, n, m = (tf.cast(v, tf.float32) for v in (tf.range(out), size, out))
        step = n / tf.maximum(m, 1) if scale is None else tf.constant(1 / scale, tf.float32)
        at = tf.floor((i + (0.0 if coordinates == "asymmetric" else 0.5)) * step)
        at = tf.cast(tf.minimum(at, n - 1), tf.int32)
        whole = (out == size) | (out == 2 * size) if coordinates == "asymmetric" and axes == 2 else False
        return tf.where(whole, tf.range(out) // tf.maximum(out // tf.maximum(size, 1), 1), at)
    at = source_coordinates(size, out, scale, coordinates)
    if nearest == "round_prefer_floor":
        at = tf.math.ceil(at - 0.5)
    elif nearest == "round_prefer_ceil":
        at = tf.floor(at + 0.5)
    else:
        at = tf.floor(at) if nearest == "floor" else tf.math.ceil(at)
    return tf.clip_by_value(tf.cast(at, tf.int32), 0, size - 1)


def cubic_weights(distance, a):
    """Keys' cubic convolution kernel."""
    d = tf.abs(distance)
    near = ((a + 2) * d - (a + 3)) * d * d + 1
    far = ((a * d - 5 * a) * d + 8 * a) * d - 4 * a
    return tf.where(d <= 1, near, tf.where(d < 2, far, tf.zeros_like(d)))


def area_taps(size, out):
    """Positions and weights of the elements of each part, all of one weight."""
    i = tf.range(out)[:, None]
    first, end = i * size // tf.maximum(out, 1), -(-(i + 1) * size // tf.maximum(out, 1))
    taps = first + tf.range(tf.maximum(tf.reduce_max(end - first), 0))
    weights = 1 / tf.cast(end - first, tf.float64)
    return taps, tf.where(taps < end, weights, tf.zeros_like(weights))


def smooth_taps(size, out, scale, mode, cubic_a):
    """Positions and weights of the elements under a kernel that is stretched where the axis shrinks."""
    n, m = tf.cast(size, tf.float64), tf.cast(tf.maximum(out, 1), tf.float64)
    ratio = n / m if scale is None else tf.constant(1 / scale, tf.float64)
    stretch = tf.maximum(ratio, 1.0)
    support = stretch * (1 if mode == "linear" else 2)
    centre = (tf.cast(tf.range(out), tf.float64)[:, None] + 0.5) * ratio
    width = tf.cast(tf.math.ceil(2 * support), tf.int32) + 1
    taps = tf.floor(centre - support + 0.5) + tf.cast(tf.range(width), tf.float64)
    distance = (taps + 0.5 - centre) / stretch
    weights = tf.maximum(1 - tf.abs(distance), 0) if mode == "linear" else cubic_weights(distance, cubic_a)
    weights = tf.where(taps < tf.floor(centre + support + 0.5), weights, tf.zeros_like(weights))
    return tf.cast(taps, tf.int32), weights


def resize_taps(size, out, scale, mode, coordinates, cubic_a, antialias):
    """Positions and weights (float64) of the elements that make up each output element, one row each."""
    if mode == "area":
        return area_taps(size, out)
    if antialias:
        return smooth_taps(size, out, scale, mode, cubic_a)
    at = source_coordinates(size, out, scale, coordinates)
    if mode == "linear":
        at = tf.clip_by_value(at, 0.0, tf.cast(size - 1, at.dtype))
    low = tf.floor(at)[:, None]
    part, first = at[:, None] - low, tf.cast(low, tf.int32)
    if mode == "linear":
        return tf.concat([first, first + 1], axis=1), tf.concat([1 - part, part], axis=1)
    steps = tf.range(-1, 3)
    return first + steps, cubic_weights(part - tf.cast(steps, part.dtype), cubic_a)


def resize_axis(x, axis, out, scale, mode, coordinates, cubic_a, exclude_outside, antialias):
    """One axis interpolated."""
    size, shape = shape_of(x)[axis], shape_of(x)
    taps, weights = resize_taps(size, out, scale, mode, coordinates, cubic_a, antialias)
    if exclude_outside:
        weights = tf.where((taps >= 0) & (taps < size), weights, tf.zeros_like(weights))
    if exclude_outside or antialias:
        weights = weights / tf.reduce_sum(weights, axis=1, keepdims=True)
    read = tf.gather(x, tf.clip_by_value(taps, 0, size - 1), axis=axis)
    weights = tf.reshape(tf.cast(weights, x.dtype), [*shape_of(taps), *[1] * (len(shape) - axis - 1)])
    return tf.reduce_sum(read * weights, axis=axis + 1)


def resize(
    x,
    axis,
    sizes,
    scales=None,
    mode="nearest",
    coordinates="half_pixel",
    nearest="round_prefer_floor",
    cubic_a=-0.75,
    exclude_outside=False,
    antialias=False,
):
    """Interpolate the axes from `axis` on, one after the other."""
    kind, x = x.dtype, x if mode == "nearest" else widened(x)
    for k, out in enumerate(sizes):
        scale = None if scales is None else scales[k]
        if mode == "nearest":
            place = nearest_places(shape_of(x)[axis + k], out, scale, coordinates, nearest, len(sizes))
            x = tf.gather(x, place, axis=axis + k)
        else:
            x = resize_axis(x, axis + k, out, scale, mode, coordinates, cubic_a, exclude_outside, antialias)
    return tf.cast(x, kind)


def inside_grid(at, size, padding, align_corners):
    """Coordinates brought inside an axis, unless zeros lie beyond it."""
    if padding == "zeros":
        return at
    size = tf.cast(size, at.dtype)
    if padding == "reflection":
        low, span = (tf.zeros_like(size), size - 1) if align_corners else (tf.zeros_like(size) - 0.5, size)
        turn = tf.math.floormod(tf.abs(at - low), tf.where(span == 0, tf.ones_like(span), 2 * span))
        turned = low + tf.where(turn > span, 2 * span - turn, turn)
        at = tf.where(span == 0, tf.zeros_like(at), turned)
    return tf.clip_by_value(at, 0.0, size - 1)


def grid_taps(at, size, mode, padding, align_corners):
    """Positions and weights of the elements of one axis that coordinates read."""
    n = tf.cast(size, at.dtype)
    at = (at + 1) / 2 * (n - 1) if align_corners else ((at + 1) * n - 1) / 2
    if mode != "cubic":
        at = inside_grid(at, size, padding, align_corners)
    if mode == "nearest":
        found = [(tf.round(at), tf.ones_like(at))]
    else:
        low = tf.floor(at)
        part = at - low
        if mode == "linear":
            found = [(low, 1 - part), (low + 1, part)]
        else:
            found = [
                (inside_grid(low + k, size, padding, align_corners), cubic_weights(part - k, -0.75))
                for k in range(-1, 3)
            ]
    taps = []
    for place, weight in found:
        good = (place >= 0) & (place <= n - 1)
        taps.append((tf.cast(tf.where(good, place, tf.zeros_like(place)), tf.int32), weight, good))
    return taps


def grid_sample(x, grid, mode="linear", padding="zeros", align_corners=False):
    """x [batch, channels, *spatial] at coordinates from -1 to 1, innermost axis first."""
    kind, x, grid = x.dtype, widened(x), widened(grid)
    shape, rank = shape_of(x), len(x.shape)
    rows = tf.reshape(tf.transpose(x, [0, *range(2, rank), 1]), [product([shape[0], *shape[2:]]), shape[1]])
    batch, one = tf.reshape(tf.range(shape[0]), [-1] + [1] * (rank - 2)), [1] * (rank - 1)
    reads = [(batch, tf.ones(one, x.dtype), tf.ones(one, tf.bool))]
    for k, size in enumerate(shape[2:]):
        taps = grid_taps(grid[..., -1 - k], size, mode, padding, align_corners)
        reads = [
            (cell * size + place, before * weight, inside & good)
            for cell, before, inside in reads
            for place, weight, good in taps
        ]
    out = tf.zeros([*shape_of(grid)[:-1], shape[1]], x.dtype)
    for cell, weight, inside in reads:
        part = tf.gather(rows, cell)
        out = out + tf.where(inside[..., None], part, tf.zeros_like(part)) * weight[..., None]
    return tf.cast(tf.transpose(out, [0, rank - 1, *range(1, rank - 1)]), kind)
