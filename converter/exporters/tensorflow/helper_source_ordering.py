"""Source of the helpers that order elements: NaN above all numbers, equal elements by their places."""

# Names of math, np and tf come from the head of the emitted file.
# ruff: noqa: ANN001, ANN201, F821
# mypy: ignore-errors


def place_of(x, axis, largest=True, last=False):
    """Where the extreme of an axis lies, the first (or last) of equals; NaN is an extreme of both kinds."""
    reduce = tf.reduce_max if largest else tf.reduce_min
    if x.dtype.is_floating:
        missing = tf.math.is_nan(x)
        numbers = tf.where(missing, tf.cast(float("-inf" if largest else "inf"), x.dtype), x)
        hit = x == reduce(numbers, axis=axis, keepdims=True)
        hit = tf.where(tf.reduce_any(missing, axis=axis, keepdims=True), missing, hit)
    else:
        hit = x == reduce(x, axis=axis, keepdims=True)
    if not last:
        return tf.argmax(tf.cast(hit, tf.int32), axis=axis)
    back = tf.argmax(tf.cast(tf.reverse(hit, [axis]), tf.int32), axis=axis)
    return tf.cast(shape_of(x)[axis], tf.int64) - 1 - back


def order_key(x):
    """Integers in the order of the elements: NaN above all numbers, -0 equal to 0."""
    if not x.dtype.is_floating:
        return x
    wide, kind = (x, tf.int64) if x.dtype == tf.float64 else (tf.cast(x, tf.float32), tf.int32)
    bits = tf.bitcast(tf.where(wide == 0, tf.zeros_like(wide), wide), kind)
    key = tf.where(bits < 0, tf.bitwise.bitwise_xor(bits, tf.constant(kind.max, kind)), bits)
    return tf.where(tf.math.is_nan(wide), tf.constant(kind.max, kind), key)


def best_places(x, count, axis, largest=True):
    """Where the `count` largest or smallest elements of an axis lie, best first, equal ones in their order."""
    last = len(x.shape) - 1
    order = [*(k for k in range(last + 1) if k != axis), axis]
    key = tf.transpose(order_key(x), order)
    _, found = tf.math.top_k(key if largest else tf.bitwise.invert(key), count)
    return tf.cast(tf.transpose(found, [order.index(k) for k in range(last + 1)]), tf.int64)
