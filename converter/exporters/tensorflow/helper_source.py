"""Source of the helpers that emitted files may carry. Never imported by us: `helpers.py` reads it as text."""

# Names of math, np and tf come from the head of the emitted file.
# ruff: noqa: ANN001, ANN002, ANN201, ANN202, ANN204, F821
# mypy: ignore-errors


def shape_of(x):
    """The sizes of x: numbers where they are known, else tensors."""
    sizes = tf.shape(x)
    return [sizes[i] if n is None else n for i, n in enumerate(x.shape)]


def check(test, message):
    """Raise an error where a condition does not hold: at once where it is known, else when the graph runs."""
    if tf.is_tensor(test):
        tf.debugging.Assert(test, [message])
    elif not test:
        raise ValueError(message)


def hard_tanh(x, low, high):
    """x within two bounds, at which its gradient is 0."""
    return tf.where(x >= high, tf.constant(high, x.dtype), tf.where(x <= low, tf.constant(low, x.dtype), x))


def truncated_mod(x, y):
    """What a division that rounds towards zero leaves; TensorFlow's own has no gradient."""
    whole = x * y
    x, y = (tf.broadcast_to(tf.convert_to_tensor(v, whole.dtype), tf.shape(whole)) for v in (x, y))

    @tf.custom_gradient
    def rest(x, y):
        left = tf.truncatemod(x, y)
        return left, lambda g: (g, -g * tf.round((x - left) / y))

    return rest(x, y)


def unsigned_power(x, y):
    """x to the power y for unsigned integers, by squaring."""
    result = tf.ones_like(x * y)
    for _ in range(8 * x.dtype.size):
        result = tf.where(y % 2 == 1, result * x, result)
        x, y = x * x, y // 2
    return result


def shift_any(x, y, bits, shift, signed):
    """Bits shifted by any amount: outside of [0, bits) all are shifted out."""
    inside = (y >= 0) & (y < bits)
    moved = shift(x, tf.where(inside, y, tf.cast(bits - 1, y.dtype)))
    return moved if signed else tf.where(inside, moved, tf.zeros_like(moved))


def complex_of(real, imag):
    """real + i imag; the two are broadcast."""
    shape = tf.broadcast_dynamic_shape(tf.shape(real), tf.shape(imag))
    return tf.complex(tf.broadcast_to(real, shape), tf.broadcast_to(imag, shape))


def number_range(start, stop, step, dtype):
    """Numbers from `start` on, before `stop`, of which there may be none."""
    wide = tf.float64 if dtype.is_floating else tf.int64
    start, stop, step = (tf.cast(n, wide) for n in (start, stop, step))
    count = tf.cast(tf.math.ceil((stop - start) / step), tf.int64) if dtype.is_floating else -((start - stop) // step)
    return tf.cast(tf.range(tf.maximum(count, 0)), dtype) * tf.cast(step, dtype) + tf.cast(start, dtype)


def digamma(x):
    """The derivative of lgamma, with its limits at 0 and at infinity."""
    return tf.where(x == 0, -1 / x, tf.where(x == float("inf"), x, tf.math.digamma(x)))


def of_positive(function, x, limit):
    """A function of positive numbers with its limit at 0."""
    out = tf.where(x == 0, tf.constant(limit, x.dtype), function(x))
    return tf.where(x < 0, tf.constant(float("nan"), x.dtype), out)


def mantissa_and_exponent(x):
    """x as mantissa times two to the exponent, from the bits of a float64; what is not finite is its own mantissa."""
    wide = tf.cast(x, tf.float64)
    small = tf.abs(wide) < 2.0**-1022
    bits = tf.bitcast(tf.where(small, wide * 2.0**54, wide), tf.int64)
    field = tf.bitwise.right_shift(bits, tf.constant(52, tf.int64)) & 2047
    plain = (wide != 0) & tf.math.is_finite(wide)
    rest = bits & ~tf.constant(2047 << 52, tf.int64)
    mantissa = tf.where(plain, tf.bitcast(rest | tf.constant(1022 << 52, tf.int64), tf.float64), wide)
    exponent = tf.where(plain, field - tf.where(small, tf.constant(1076, tf.int64), 1022), tf.zeros_like(field))
    return tf.cast(mantissa, x.dtype), tf.cast(exponent, tf.int32)


def stacked(rows, count, shape=None):
    """The first rows of a TensorArray side by side; zeros of a row's `shape` where there is none. XLA, whose arrays do not
    grow, says so."""

    def joined():
        found = rows.stack()
        return tf.reshape(found, tf.concat([[tf.cast(count, tf.int32)], tf.shape(found)[1:]], 0))

    if shape is None:
        return joined()
    return tf.cond(count > 0, joined, lambda: tf.zeros([0, *shape], rows.dtype))


class Sequential(tf.Module):
    """Modules and functions, called one after the other."""

    def __init__(self, *layers):
        super().__init__()
        self.layers = list(layers)

    def __call__(self, x):
        for layer in self.layers:
            x = layer(x)
        return x
