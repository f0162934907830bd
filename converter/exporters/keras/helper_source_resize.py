"""Source of the helpers that read between elements: resizing, and grids of coordinates."""

# Names of math, np, keras, layers and ops come from the head of the emitted file.
# ruff: noqa: ANN001, ANN201, F821
# mypy: ignore-errors


def source_coordinates(size, out, scale, coordinates):
    """Where each of `out` elements lies among `size` ones."""
    i = np.arange(out, dtype=np.float64)
    if coordinates == "align_corners":
        return i * (size - 1) / (out - 1) if out > 1 else np.zeros(out)
    if coordinates == "pytorch_half_pixel" and out == 1:
        return np.zeros(1)
    centre = 0 if coordinates == "asymmetric" else 0.5
    at = (i + centre) * size / out if scale is None else (i + centre) / scale
    if coordinates in ("half_pixel", "pytorch_half_pixel", "half_pixel_symmetric"):
        at = at - 0.5
    if coordinates == "half_pixel_symmetric" and scale is not None:
        at = at + size / 2 * (1 - out / (scale * size))
    return at


def nearest_places(size, out, scale, coordinates, nearest, axes):
    """The positions of the nearest elements along one of so many axes."""
    if nearest == "quotient":
        if coordinates == "asymmetric" and axes == 2 and out in (size, 2 * size):
            return np.arange(out) // max(out // max(size, 1), 1)
        step = np.float32(size) / np.float32(max(out, 1)) if scale is None else np.float32(1.0 / scale)
        at = np.arange(out).astype(np.float32) + np.float32(0.0 if coordinates == "asymmetric" else 0.5)
        return np.minimum(np.floor(at * step), size - 1).astype(np.int64)
    at = source_coordinates(size, out, scale, coordinates)
    rounded = {
        "round_prefer_floor": lambda: np.ceil(at - 0.5),
        "round_prefer_ceil": lambda: np.floor(at + 0.5),
        "floor": lambda: np.floor(at),
        "ceil": lambda: np.ceil(at),
    }[nearest]()
    return np.clip(rounded, 0, size - 1).astype(np.int64)


def cubic_weights(distance, a):
    """Keys' cubic convolution kernel."""
    d = np.abs(distance)
    near = ((a + 2) * d - (a + 3)) * d * d + 1
    far = ((a * d - 5 * a) * d + 8 * a) * d - 4 * a
    return np.where(d <= 1, near, np.where(d < 2, far, 0.0))


def resize_taps(size, out, scale, mode, coordinates, cubic_a, antialias):
    """Positions and weights of the elements that make up each output element, one row each."""
    if mode == "area":
        i = np.arange(out)[:, None]
        first, end = i * size // max(out, 1), -(-(i + 1) * size // max(out, 1))
        taps = first + np.arange(int(np.max(end - first, initial=0)))
        return taps, np.where(taps < end, 1 / (end - first), 0.0)
    if antialias:
        ratio = size / max(out, 1) if scale is None else 1 / scale
        stretch = max(ratio, 1.0)
        support = stretch * (1 if mode == "linear" else 2)
        centre = (np.arange(out)[:, None] + 0.5) * ratio
        taps = np.floor(centre - support + 0.5) + np.arange(math.ceil(2 * support) + 1)
        distance = (taps + 0.5 - centre) / stretch
        weights = np.maximum(1 - np.abs(distance), 0) if mode == "linear" else cubic_weights(distance, cubic_a)
        return taps, np.where(taps < np.floor(centre + support + 0.5), weights, 0.0)
    at = source_coordinates(size, out, scale, coordinates)
    at = np.clip(at, 0, size - 1) if mode == "linear" else at
    low = np.floor(at)[:, None]
    part = at[:, None] - low
    if mode == "linear":
        return np.concatenate([low, low + 1], 1), np.concatenate([1 - part, part], 1)
    steps = np.arange(-1, 3)
    return low + steps, cubic_weights(part - steps, cubic_a)


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
    for out in sizes:
        size, scale = ops.shape(x)[axis], None if scales is None else scales[0]
        scales = None if scales is None else scales[1:]
        if mode == "nearest":
            x = ops.take(x, nearest_places(size, out, scale, coordinates, nearest, len(sizes)), axis=axis)
        else:
            taps, weights = resize_taps(size, out, scale, mode, coordinates, cubic_a, antialias)
            if exclude_outside:
                weights = np.where((taps >= 0) & (taps < size), weights, 0.0)
            if exclude_outside or antialias:
                weights = weights / weights.sum(1, keepdims=True)
            shape = list(ops.shape(x))
            read = ops.take(x, np.clip(taps, 0, size - 1).astype(np.int64).reshape(-1), axis=axis)
            read = ops.reshape(read, [*shape[:axis], *taps.shape, *shape[axis + 1 :]])
            weights = weights.reshape(*taps.shape, *[1] * (len(shape) - axis - 1))
            x = ops.sum(read * ops.convert_to_tensor(weights, dtype=x.dtype), axis=axis + 1)
        axis += 1
    return x


def inside_grid(at, size, padding, align_corners):
    """Coordinates brought inside an axis, unless zeros lie beyond it."""
    if padding == "zeros":
        return at
    if padding == "reflection":
        low, span = (0.0, size - 1.0) if align_corners else (-0.5, size * 1.0)
        if span == 0:
            return ops.zeros_like(at)
        turn = ops.abs(at - low) % (2 * span)
        at = low + ops.where(turn > span, 2 * span - turn, turn)
    return ops.clip(at, 0.0, size - 1.0)


def cubic_parts(distance, a):
    """Keys' cubic convolution kernel."""
    d = ops.abs(distance)
    near = ((a + 2) * d - (a + 3)) * d * d + 1
    far = ((a * d - 5 * a) * d + 8 * a) * d - 4 * a
    return ops.where(d <= 1, near, ops.where(d < 2, far, ops.zeros_like(d)))


def grid_taps(at, size, mode, padding, align_corners):
    """Positions and weights of the elements of one axis that coordinates read."""
    at = (at + 1) / 2 * (size - 1) if align_corners else ((at + 1) * size - 1) / 2
    if mode != "cubic":
        at = inside_grid(at, size, padding, align_corners)
    if mode == "nearest":
        found = [(ops.round(at), ops.ones_like(at))]
    else:
        low = ops.floor(at)
        part = at - low
        if mode == "linear":
            found = [(low, 1 - part), (low + 1, part)]
        else:
            found = [
                (inside_grid(low + k, size, padding, align_corners), cubic_parts(part - k, -0.75)) for k in range(-1, 3)
            ]
    taps = []
    for place, weight in found:
        good = ops.logical_and(place >= 0, place <= size - 1)
        taps.append((ops.cast(ops.where(good, place, ops.zeros_like(place)), "int32"), weight, good))
    return taps


def grid_sample(x, grid, mode="linear", padding="zeros", align_corners=False):
    """x [batch, channels, *spatial] at coordinates from -1 to 1, innermost axis first."""
    kind = keras.backend.standardize_dtype(x.dtype)
    wide = "float64" if kind == "float64" else "float32"
    shape, grid = ops.shape(x), ops.cast(grid, wide)
    rows = ops.reshape(ops.moveaxis(ops.cast(x, wide), 1, -1), (-1, shape[1]))
    batch = ops.reshape(ops.arange(shape[0], dtype="int32"), (-1,) + (1,) * (len(shape) - 2))
    reads = [(batch, None, None)]
    for k, size in enumerate(shape[2:]):
        taps = grid_taps(grid[..., -1 - k], size, mode, padding, align_corners)
        reads = [
            (
                cell * size + place,
                weight if before is None else before * weight,
                good if before is None else ops.logical_and(inside, good),
            )
            for cell, before, inside in reads
            for place, weight, good in taps
        ]
    out = 0.0
    for cell, weight, inside in reads:
        part = ops.take(rows, cell, axis=0)
        part = ops.where(ops.expand_dims(inside, -1), part, ops.zeros_like(part))
        out = out + part * ops.expand_dims(weight, -1)
    return ops.cast(ops.moveaxis(out, -1, 1), kind)
