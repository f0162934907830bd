"""Source of the helpers that normalise: in float32 where an element type is a half one."""

# Names of math, np and tf come from the head of the emitted file.
# ruff: noqa: ANN001, ANN201, F821
# mypy: ignore-errors


def widened(x):
    """x in the element type in which means are taken."""
    return tf.cast(x, tf.float32) if x.dtype.size == 2 else x


def standardized(x, axes, epsilon):
    """x less its mean over the axes, divided by its deviation."""
    mean, variance = tf.nn.moments(x, axes, keepdims=True)
    return (x - mean) / tf.sqrt(variance + epsilon)


def scaled(x, kind, scale=None, offset=None, shape=None):
    """x scaled and shifted by weights of this shape, in the element type `kind`."""
    for weight, combine in ((scale, tf.multiply), (offset, tf.add)):
        if weight is not None:
            weight = tf.cast(weight, x.dtype)
            x = combine(x, weight if shape is None else tf.reshape(weight, shape))
    return tf.cast(x, kind)


def along(axis, rank):
    """The shape in which one number for each element of an axis is broadcast to so many axes."""
    return [-1 if i == axis % rank else 1 for i in range(rank)]


def batch_norm(x, mean, variance, epsilon, scale=None, offset=None, axis=-1):
    """x standardised by a mean and a variance for each element of an axis, scaled and shifted."""
    shape, wide = along(axis, len(x.shape)), widened(x)
    mean, variance = (tf.reshape(tf.cast(n, wide.dtype), shape) for n in (mean, variance))
    return scaled((wide - mean) / tf.sqrt(variance + epsilon), x.dtype, scale, offset, shape)


def batch_statistics(x, mean, variance, momentum, unbiased=False, axis=-1):
    """Mean and variance of a batch, and the running ones after it; `unbiased` corrects the latter, n / (n - 1)."""
    wide = widened(x)
    now = tf.nn.moments(wide, [i for i in range(len(x.shape)) if i != axis % len(x.shape)])
    kept = list(now)
    if unbiased:
        count = tf.size(x) // tf.size(mean)
        check(count > 1, "training needs more than one value for each channel")
        count = tf.cast(count, wide.dtype)
        kept[1] = kept[1] * (count / (count - 1))
    moved = [
        (1 - momentum) * tf.cast(old, wide.dtype) + momentum * tf.stop_gradient(new)
        for old, new in zip((mean, variance), kept)
    ]
    return *now, *(tf.cast(n, x.dtype) for n in moved)


def trained_batch_norm(
    x, mean, variance, epsilon, training, momentum, scale=None, offset=None, axis=-1, unbiased=False
):
    """x standardised by the running statistics; in training by those of the batch, which move the running ones."""
    if training:
        *now, next_mean, next_variance = batch_statistics(x, mean, variance, momentum, unbiased, axis)
        mean.assign(next_mean)
        variance.assign(next_variance)
        mean, variance = now
    return batch_norm(x, mean, variance, epsilon, scale, offset, axis)


def counted_batch_norm(
    x, mean, variance, epsilon, training, momentum, scale=None, offset=None, axis=-1, unbiased=False
):
    """(x standardised, next running mean, next running variance); in training by the statistics of the batch."""
    kept = (mean, variance)
    if training:
        mean, variance, *kept = batch_statistics(x, mean, variance, momentum, unbiased, axis)
    return batch_norm(x, mean, variance, epsilon, scale, offset, axis), *kept


def layer_norm(x, axes, epsilon, scale=None, offset=None):
    """x standardised over these axes, scaled and shifted."""
    return scaled(standardized(widened(x), axes, epsilon), x.dtype, scale, offset)


def rms_norm(x, axes, epsilon, scale=None):
    """x divided by its root mean square over these axes, and scaled."""
    wide = widened(x)
    power = tf.reduce_mean(tf.square(wide), axis=axes, keepdims=True)
    return scaled(wide / tf.sqrt(power + epsilon), x.dtype, scale)


def group_norm(x, groups, epsilon, scale=None, offset=None, axis=-1):
    """Each sample standardised over each group of channels and all positions, scaled and shifted."""
    shape, rank = shape_of(x), len(x.shape)
    axis %= rank
    split = tf.reshape(widened(x), [*shape[:axis], groups, shape[axis] // groups, *shape[axis + 1 :]])
    y = standardized(split, [i for i in range(1, rank + 1) if i != axis], epsilon)
    return scaled(tf.reshape(y, shape), x.dtype, scale, offset, along(axis, rank))


def instance_norm(x, epsilon, scale=None, offset=None, axis=-1):
    """Each channel of each sample standardised over all positions, scaled and shifted."""
    rank = len(x.shape)
    y = standardized(widened(x), [i for i in range(1, rank) if i != axis % rank], epsilon)
    return scaled(y, x.dtype, scale, offset, along(axis, rank))


def local_response(x, size, before, alpha, beta, k, axis=-1):
    """x divided by a power of the squares of the channels around, `before` of them before each."""
    wide, axis = widened(x), axis % len(x.shape)
    widths = [(before, size - 1 - before) if i == axis else (0, 0) for i in range(len(x.shape))]
    squares, count = tf.pad(tf.square(wide), widths), shape_of(x)[axis]
    total = sum(squares[(slice(None),) * axis + (slice(i, i + count),)] for i in range(size))
    return tf.cast(wide / tf.pow(k + alpha / size * total, beta), x.dtype)


def normalize(x, order, axis, epsilon):
    """x divided by its norm of any order along an axis, by `epsilon` where that is larger."""
    wide = widened(x)
    size = tf.abs(wide)
    if math.isinf(order):
        norm = (tf.reduce_max if order > 0 else tf.reduce_min)(size, axis=axis, keepdims=True)
    elif order == 0:
        norm = tf.math.count_nonzero(size, axis=axis, keepdims=True, dtype=size.dtype)
    else:
        norm = tf.reduce_sum(size**order, axis=axis, keepdims=True) ** (1 / order)
    return tf.cast(wide / tf.maximum(norm, epsilon), x.dtype)
