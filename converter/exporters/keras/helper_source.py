"""Source of the helpers that emitted files may carry. Never imported by us: `helpers.py` reads it as text."""

# Names of math, np, keras, layers and ops come from the head of the emitted file.
# ruff: noqa: ANN001, ANN201, F821
# mypy: ignore-errors


def larger(x, y):
    """The larger of two integers; on PyTorch, ops.maximum has 32 bits."""
    return ops.where(x > y, x, y)


def smaller(x, y):
    """The smaller of two integers; on PyTorch, ops.minimum has 32 bits."""
    return ops.where(x < y, x, y)


def hard_tanh(x, low, high):
    """x within two bounds, at which its gradient is 0."""
    return ops.where(x >= high, ops.full_like(x, high), ops.where(x <= low, ops.full_like(x, low), x))


def trunc_div(x, y):
    """The quotient of integers, rounded towards zero."""
    quotient = x // y
    inexact = quotient * y != x
    return ops.where(ops.logical_and(inexact, (x < 0) != (y < 0)), quotient + 1, quotient)


def integer_power(x, y):
    """x to the power y for integers, by squaring; y is not negative."""
    result = ops.ones_like(x * y)
    one = ops.ones_like(y)
    for _ in range(8 * np.dtype(keras.backend.standardize_dtype(y.dtype)).itemsize - 1):
        result = ops.where(y % 2 == one, result * x, result)
        x, y = x * x, y // 2
    return result


def shift_any(x, y, bits, shift, signed):
    """Bits shifted by any amount: outside of [0, bits) all are shifted out."""
    inside = ops.logical_and(y >= 0, y < bits)
    moved = shift(x, ops.where(inside, y, ops.full_like(y, bits - 1)))
    return moved if signed else ops.where(inside, moved, ops.zeros_like(moved))


def integer_matmul(x, y):
    """The product of matrices of integers, which wraps."""
    products = ops.expand_dims(x, -1) * ops.expand_dims(y, -3)
    return ops.cast(ops.sum(products, axis=-2), x.dtype)


def same_widths(x, window, strides, dilations, lower=False):
    """Padding of the spatial axes that makes a sliding window give ceil(size / stride) results."""
    widths = []
    for size, w, s, d in zip(ops.shape(x)[1:-1], window, strides, dilations):
        total = ops.maximum((-(-size // s) - 1) * s + (w - 1) * d + 1 - size, 0)
        half = total // 2
        widths.append((total - half, half) if lower else (half, total - half))
    return widths


def pad_any(x, widths, value=0.0):
    """Pad the spatial axes by widths that may be tensors."""
    for axis, (before, after) in enumerate(widths, 1):
        shape = list(ops.shape(x))
        parts = []
        for width in (before, after):
            shape[axis] = int(width) if keras.backend.backend() != "tensorflow" else width
            parts.append(ops.full(shape, value, dtype=x.dtype))
        x = ops.concatenate([parts[0], x, parts[1]], axis=axis)
    return x


def pad_same(x, window, strides, dilations, lower=False, value=0.0):
    """Pad the spatial axes so that a sliding window gives ceil(size / stride) results."""
    return pad_any(x, same_widths(x, window, strides, dilations, lower), value)


def window_counts(x, window, strides, dilations, widths, ceil_mode):
    """How many windows fit along each spatial axis; a partial last one must not start in the padding behind."""
    counts = []
    for size, w, s, d, (before, after) in zip(ops.shape(x)[1:-1], window, strides, dilations, widths):
        room = size + before + after - (w - 1) * d - 1
        count = -(-room // s) + 1 if ceil_mode else room // s + 1
        counts.append(ops.minimum(count, -(-(size + before) // s)) if ceil_mode else count)
    return counts


def windows(x, window, strides, dilations, widths, counts, value):
    """One strided view of the padded `x` for every element of so many windows."""
    sizes = ops.shape(x)[1:-1]
    reach = [(n - 1) * s + (w - 1) * d + 1 for n, s, w, d in zip(counts, strides, window, dilations)]
    behind = [ops.maximum(r - n - before, 0) for r, n, (before, _) in zip(reach, sizes, widths)]
    x = pad_any(x, [(before, after) for (before, _), after in zip(widths, behind)], value)
    views = [x]
    for axis, (w, s, d, n) in enumerate(zip(window, strides, dilations, counts), 1):
        views = [
            v[(slice(None),) * axis + (slice(k * d, k * d + (n - 1) * s + 1, s),)] for v in views for k in range(w)
        ]
    return views


def max_pool(x, window, strides, dilations, widths, ceil_mode):
    """Largest element of each window, for any padding and element type."""
    kind = keras.backend.standardize_dtype(x.dtype)
    lowest = float("-inf") if "float" in kind else int(np.iinfo(kind).min)
    counts = window_counts(x, window, strides, dilations, widths, ceil_mode)
    best, *others = windows(x, window, strides, dilations, widths, counts, lowest)
    for part in others:  # of equal elements the first has the gradient; NaN is handed on
        best = ops.where(ops.logical_or(part > best, part != part), part, best)
    return best


def avg_pool(x, window, strides, dilations, widths, ceil_mode, include_pad=True, divisor=None):
    """Mean of each window, for any padding and dilation."""
    counts = window_counts(x, window, strides, dilations, widths, ceil_mode)
    total = ops.sum(ops.stack(windows(x, window, strides, dilations, widths, counts, 0.0)), axis=0)
    if divisor is not None:
        return total / divisor
    ones = ops.ones_like(x[:1, ..., :1])
    if include_pad:
        inside = pad_any(ones, widths, 1.0)
        found = windows(inside, window, strides, dilations, [(0, 0)] * len(window), counts, 0.0)
    else:
        found = windows(ones, window, strides, dilations, widths, counts, 0.0)
    return total / ops.sum(ops.stack(found), axis=0)


def conv_transpose(x, weight, strides, dilations, groups, crop):
    """The gradient of a convolution with respect to its input; `weight` is (in, out of a group, *window)."""
    inner, outer, *window = weight.shape
    for axis, s in enumerate(strides, 1):
        if s > 1:  # zeros between the elements
            shape = list(ops.shape(x))
            spread = ops.stack([x, *[ops.zeros_like(x)] * (s - 1)], axis=axis + 1)
            shape[axis] = shape[axis] * s
            x = ops.reshape(spread, shape)[(slice(None),) * axis + (slice(None, 1 - s),)]
    extents = [(w - 1) * d for w, d in zip(window, dilations)]
    widths = [(max(e - before, 0), max(e - after, 0)) for e, (before, after) in zip(extents, crop)]
    x = ops.pad(x, [(0, 0), *widths, (0, 0)])
    kernel = ops.flip(weight, axis=tuple(range(2, len(window) + 2)))
    kernel = ops.reshape(kernel, (groups, inner // groups, outer, *window))
    order = (*range(3, len(window) + 3), 1, 0, 2)
    kernel = ops.reshape(ops.transpose(kernel, order), (*window, inner // groups, groups * outer))
    y = ops.conv(x, kernel, strides=1, padding="valid", dilation_rate=dilations)
    for axis, (e, (before, after)) in enumerate(zip(extents, crop), 1):
        start, stop = max(before - e, 0), max(after - e, 0)
        if start or stop:
            y = y[(slice(None),) * axis + (slice(start, -stop or None),)]
    return y


def batch_norm(x, mean, var, axis, training, momentum, epsilon, unbiased, gamma=None, beta=None):
    """(normalised x, next running mean, next running variance), over all axes but `axis`."""
    shape = [-1 if i == axis else 1 for i in range(len(x.shape))]
    others = [i for i in range(len(x.shape)) if i != axis]
    center, spread = mean, var
    if training:
        center = ops.mean(x, axis=others)
        spread = ops.mean(ops.square(x - ops.reshape(center, shape)), axis=others)
        count = 1
        for i in others:
            count = count * ops.shape(x)[i]
        kept = spread * (count / max(count - 1, 1)) if unbiased else spread
        mean = (1 - momentum) * mean + momentum * ops.stop_gradient(center)
        var = (1 - momentum) * var + momentum * ops.stop_gradient(kept)
    y = (x - ops.reshape(center, shape)) * ops.rsqrt(ops.reshape(spread, shape) + epsilon)
    y = y if gamma is None else y * ops.reshape(gamma, shape)
    return (y if beta is None else y + ops.reshape(beta, shape)), mean, var


def layer_norm(x, axes, epsilon, gamma=None, beta=None):
    """x standardised over its last axes, scaled and shifted."""
    centred = x - ops.mean(x, axis=axes, keepdims=True)
    y = centred * ops.rsqrt(ops.mean(ops.square(centred), axis=axes, keepdims=True) + epsilon)
    y = y if gamma is None else y * gamma
    return y if beta is None else y + beta


def rms_norm(x, axes, epsilon, gamma):
    """x divided by its root mean square over the last axes, and scaled."""
    return x * ops.rsqrt(ops.mean(ops.square(x), axis=axes, keepdims=True) + epsilon) * gamma


def group_norm(x, groups, epsilon, gamma=None, beta=None):
    """x standardised over each group of channels (the last axis) and all positions, scaled and shifted."""
    shape = ops.shape(x)
    y = ops.reshape(x, (shape[0], -1, groups, shape[-1] // groups))
    y = y - ops.mean(y, axis=(1, 3), keepdims=True)
    y = y * ops.rsqrt(ops.mean(ops.square(y), axis=(1, 3), keepdims=True) + epsilon)
    y = ops.reshape(y, shape)
    y = y if gamma is None else y * gamma
    return y if beta is None else y + beta


def adaptive_pool(x, sizes, reduce):
    """`reduce` over each of `sizes` parts of every spatial axis."""
    for axis, out in enumerate(sizes, 1):
        n = x.shape[axis]
        if out is not None:
            bounds = [(i * n // out, -(-(i + 1) * n // out)) for i in range(out)]
            parts = [x[(slice(None),) * axis + (slice(a, b),)] for a, b in bounds]
            x = ops.concatenate([reduce(p, axis=axis, keepdims=True) for p in parts], axis=axis)
    return x


def local_response(x, size, before, alpha, beta, k):
    """x divided by a power of the squares of the channels around (the last axis), `before` of them before each."""
    rank = len(x.shape)
    squares = ops.pad(ops.square(x), [(0, 0)] * (rank - 1) + [(before, size - 1 - before)])
    total = squares[..., : x.shape[-1]]
    for i in range(1, size):
        total = total + squares[..., i : i + x.shape[-1]]
    return x / ops.power(k + alpha / size * total, beta)


def wide_matmul(x, y):
    """The product of matrices in float64; on PyTorch, ops.matmul gives float32."""
    if x.shape[:-2] != y.shape[:-2]:  # not every backend's einsum broadcasts
        return ops.sum(ops.expand_dims(x, -1) * ops.expand_dims(y, -3), axis=-2)
    return ops.einsum("...ij,...jk->...ik", x, y)


def wide_maximum(x, y):
    """The larger of two numbers in float64, NaN if either is; on PyTorch, ops.maximum gives float32."""
    return ops.where(ops.logical_or(x > y, ops.isnan(x)), x, y)


def wide_minimum(x, y):
    """The smaller of two numbers in float64, NaN if either is; on PyTorch, ops.minimum gives float32."""
    return ops.where(ops.logical_or(x < y, ops.isnan(x)), x, y)


def attention(query, key, value, scale, mask=None, causal=False, dropout=None, training=False):
    """softmax(query @ key.T * scale + mask) @ value; a position that sees no key gives zeros."""
    scores = ops.matmul(query, ops.swapaxes(key, -1, -2)) * scale
    if causal:
        rows, columns = (ops.arange(n, dtype="int32") for n in ops.shape(scores)[-2:])
        scores = ops.where(ops.expand_dims(rows, -1) >= columns, scores, float("-inf"))
    if mask is not None:
        is_bool = keras.backend.standardize_dtype(mask.dtype) == "bool"
        scores = ops.where(mask, scores, float("-inf")) if is_bool else scores + mask
    weights = ops.softmax(scores, axis=-1)
    if mask is not None:
        weights = ops.where(ops.max(scores, axis=-1, keepdims=True) == float("-inf"), 0.0, weights)
    if dropout is not None:
        weights = dropout(weights, training=training)
    return ops.matmul(weights, value)


def wide_mean(x, axes, keepdims=False):
    """The mean in float64; on PyTorch, ops.mean gives float32."""
    count = 1
    for axis in axes:
        count = count * ops.shape(x)[axis]
    return ops.sum(x, axis=axes, keepdims=keepdims) / ops.cast(count, "float64")


def pad_by_index(x, pads, mode):
    """Pad by reflecting, repeating the edge, or wrapping around; negative widths crop."""
    for axis, (before, after) in enumerate(pads):
        if (before, after) != (0, 0):
            kept = np.arange(x.shape[axis])[max(-before, 0) : x.shape[axis] - max(-after, 0)]
            at = np.pad(kept, (max(before, 0), max(after, 0)), mode=mode)
            x = ops.take(x, ops.convert_to_tensor(at, dtype="int32"), axis=axis)
    return x


def number_range(start, stop, step, dtype):
    """Numbers from `start` on, below `stop`, of which there may be none."""
    count = math.ceil((stop - start) / step) if isinstance(step, float) else -((start - stop) // step)
    return ops.convert_to_tensor(np.arange(max(count, 0)) * step + start, dtype=dtype)
