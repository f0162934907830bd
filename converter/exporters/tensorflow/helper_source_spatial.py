"""Source of the helpers for convolutions and windows, channels last."""

# Names of math, np and tf come from the head of the emitted file.
# ruff: noqa: ANN001, ANN003, ANN201, F821
# mypy: ignore-errors


def same_widths(x, window, strides, dilations, lower=False):
    """Padding of the spatial axes that makes a sliding window give ceil(size / stride) results."""
    widths = []
    for size, w, s, d in zip(shape_of(x)[1:-1], window, strides, dilations):
        total = tf.maximum((-(-size // s) - 1) * s + (w - 1) * d + 1 - size, 0)
        half = total // 2
        widths.append((total - half, half) if lower else (half, total - half))
    return widths


def pad_same(x, window, strides, dilations, lower=False, value=0):
    """Pad the spatial axes so that a sliding window gives ceil(size / stride) results."""
    widths = same_widths(x, window, strides, dilations, lower)
    return tf.pad(x, [(0, 0), *widths, (0, 0)], constant_values=tf.cast(value, x.dtype))


def grouped_conv(x, kernel, groups, **settings):
    """A convolution in groups of channels, one by one: TensorFlow has no gradient of it on a CPU."""
    parts = zip(tf.split(x, groups, axis=-1), tf.split(kernel, groups, axis=-1))
    return tf.concat([tf.nn.convolution(part, own, **settings) for part, own in parts], axis=-1)


def conv_transpose(x, kernel, strides, dilations, groups, crop):
    """A transposed convolution in groups and with dilation, by one over zeros between the elements; `crop` is cut off."""
    *window, _, _ = kernel.shape
    strides, dilations = ((n,) * len(window) if isinstance(n, int) else n for n in (strides, dilations))
    for axis, s in enumerate(strides, 1):
        if s > 1:
            shape = shape_of(x)
            spread = tf.stack([x, *[tf.zeros_like(x)] * (s - 1)], axis=axis + 1)
            shape[axis] = shape[axis] * s
            x = tf.reshape(spread, shape)[(slice(None),) * axis + (slice(None, 1 - s),)]
    extents = [(w - 1) * d for w, d in zip(window, dilations)]
    widths = [(max(e - before, 0), max(e - after, 0)) for e, (before, after) in zip(extents, crop)]
    x = tf.pad(x, [(0, 0), *widths, (0, 0)])
    kernel = tf.linalg.matrix_transpose(tf.reverse(kernel, axis=range(len(window))))
    parts = zip(tf.split(x, groups, axis=-1), tf.split(kernel, groups, axis=-2))
    layout = ("NWC", "NHWC", "NDHWC")[len(window) - 1]  # in three dimensions the gradient asks for it
    y = tf.concat([tf.nn.convolution(p, k, 1, "VALID", layout, dilations) for p, k in parts], axis=-1)
    for axis, (e, (before, after)) in enumerate(zip(extents, crop), 1):
        start, stop = max(before - e, 0), max(after - e, 0)
        y = y[(slice(None),) * axis + (slice(start, -stop or None),)]
    return y


def window_counts(x, window, strides, dilations, widths, ceil_mode):
    """How many windows fit along each spatial axis; a partial last one must not start in the padding behind."""
    counts = []
    for size, w, s, d, (before, after) in zip(shape_of(x)[1:-1], window, strides, dilations, widths):
        room = size + before + after - (w - 1) * d - 1
        count = -(-room // s) + 1 if ceil_mode else room // s + 1
        counts.append(tf.minimum(count, -(-(size + before) // s)) if ceil_mode else count)
    return counts


def windows(x, window, strides, dilations, widths, counts, value):
    """One strided view of the padded `x` for every element of so many windows."""
    sizes = shape_of(x)[1:-1]
    reach = [(n - 1) * s + (w - 1) * d + 1 for n, s, w, d in zip(counts, strides, window, dilations)]
    behind = [tf.maximum(r - n - before, 0) for r, n, (before, _) in zip(reach, sizes, widths)]
    pads = [(0, 0), *((before, after) for (before, _), after in zip(widths, behind)), (0, 0)]
    views = [tf.pad(x, pads, constant_values=tf.cast(value, x.dtype))]
    for axis, (w, s, d, n) in enumerate(zip(window, strides, dilations, counts), 1):
        views = [
            v[(slice(None),) * axis + (slice(k * d, k * d + (n - 1) * s + 1, s),)] for v in views for k in range(w)
        ]
    return views


def max_pool(x, window, strides, dilations, widths, ceil_mode=False):
    """Largest element of each window, for any padding, dilation and element type."""
    lowest = float("-inf") if x.dtype.is_floating else x.dtype.min
    counts = window_counts(x, window, strides, dilations, widths, ceil_mode)
    best, *others = windows(x, window, strides, dilations, widths, counts, lowest)
    for part in others:  # of equal elements the first has the gradient; NaN is handed on
        best = tf.where((part > best) | (part != part), part, best)
    return best


def avg_pool(x, window, strides, dilations, widths, ceil_mode=False, include_pad=True, divisor=None):
    """Mean of each window, for any padding and dilation."""
    counts = window_counts(x, window, strides, dilations, widths, ceil_mode)
    total = tf.reduce_sum(tf.stack(windows(x, window, strides, dilations, widths, counts, 0)), axis=0)
    if divisor is not None:
        return total / divisor
    ones = tf.ones_like(x[:1, ..., :1])
    if include_pad:
        ones = tf.pad(ones, [(0, 0), *widths, (0, 0)], constant_values=tf.cast(1, x.dtype))
        widths = [(0, 0)] * len(window)
    return total / tf.reduce_sum(tf.stack(windows(ones, window, strides, dilations, widths, counts, 0)), axis=0)


def adaptive_pool(x, sizes, reduce):
    """`reduce` over each of `sizes` parts of every spatial axis."""
    for axis, out in enumerate(sizes, 1):
        if out is not None:
            n = shape_of(x)[axis]
            bounds = [(i * n // out, -(-(i + 1) * n // out)) for i in range(out)]
            parts = [x[(slice(None),) * axis + (slice(a, b),)] for a, b in bounds]
            x = tf.concat([reduce(p, axis=axis, keepdims=True) for p in parts], axis=axis)
    return x
