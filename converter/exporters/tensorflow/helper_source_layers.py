"""Source of the helpers for attention and recurrent layers."""

# Names of math, np and tf come from the head of the emitted file.
# ruff: noqa: ANN001, ANN201, ANN202, F821
# mypy: ignore-errors


def attention(query, key, value, scale=None, mask=None, causal=False, dropout=0.0, training=False):
    """softmax(query @ key.T * scale + mask) @ value; a position that sees no key gives zeros."""
    kind, (query, key, value) = query.dtype, (widened(x) for x in (query, key, value))
    if scale is None:
        scale = 1 / tf.sqrt(tf.cast(tf.maximum(shape_of(query)[-1], 1), query.dtype))
    scores = tf.matmul(query, key, transpose_b=True) * scale
    if causal:
        rows, columns = (tf.range(n) for n in shape_of(scores)[-2:])
        scores = tf.where(rows[:, None] >= columns, scores, float("-inf"))
    if mask is not None:
        scores = tf.where(mask, scores, float("-inf")) if mask.dtype == tf.bool else scores + widened(mask)
    blind = tf.reduce_all(scores == float("-inf"), axis=-1, keepdims=True)
    weights = tf.nn.softmax(tf.where(blind, tf.zeros_like(scores), scores))
    weights = tf.where(blind, tf.zeros_like(weights), weights)
    if training and dropout:
        weights = tf.nn.dropout(weights, dropout) if dropout < 1 else tf.zeros_like(weights)
    return tf.cast(tf.matmul(weights, value), kind)


def dense(x, weight, bias=None):
    """x @ weight.T + bias."""
    product = tf.matmul(x, weight, transpose_b=True)
    return product if bias is None else product + bias


def run_cell(step, x, states, lengths=None, reverse=False):
    """A cell over x [time, batch, gates]: its outputs, then its last states. Behind a sequence's end outputs are 0 and states
    stand still, so that a reversed run begins at each sequence's own last element."""
    time = shape_of(x)[0]
    if lengths is not None:
        check(tf.reduce_all((lengths >= 0) & (lengths <= tf.cast(time, lengths.dtype))), "a length is out of range")

    def turn(count, states, rows):
        at = time - 1 - count if reverse else count
        new = step(tf.gather(x, at), *states)
        out = new[0]
        if lengths is not None:
            live = (tf.cast(at, lengths.dtype) < lengths)[:, None]
            new = tuple(tf.where(live, a, b) for a, b in zip(new, states))
            out = tf.where(live, out, tf.zeros_like(out))
        return count + 1, tuple(new), rows.write(at, out)

    rows = tf.TensorArray(x.dtype, size=time, element_shape=states[0].shape)
    start = (tf.constant(0), tuple(states), rows)
    _, states, rows = tf.while_loop(lambda count, *_: count < time, turn, start, maximum_iterations=time)
    return rows.stack(), *states


def lstm(x, h, c, w_ih, w_hh, b_ih=None, b_hh=None, projection=None, lengths=None, reverse=False):
    """One layer over x [time, batch, features] in one direction: all outputs, the last h, the last c. Gates: i, f, g, o."""

    def step(given, h, c):
        i, f, g, o = tf.split(given + dense(h, w_hh, b_hh), 4, axis=-1)
        c = tf.sigmoid(f) * c + tf.sigmoid(i) * tf.tanh(g)
        h = tf.sigmoid(o) * tf.tanh(c)
        return (h if projection is None else dense(h, projection)), c

    return run_cell(step, dense(x, w_ih, b_ih), (h, c), lengths, reverse)


def gru(x, h, w_ih, w_hh, b_ih=None, b_hh=None, lengths=None, reverse=False):
    """One layer over x [time, batch, features] in one direction: all outputs, the last h. Gates: r, z, n."""

    def step(given, h):
        xr, xz, xn = tf.split(given, 3, axis=-1)
        hr, hz, hn = tf.split(dense(h, w_hh, b_hh), 3, axis=-1)
        z = tf.sigmoid(xz + hz)
        n = tf.tanh(xn + tf.sigmoid(xr + hr) * hn)
        return ((1 - z) * n + z * h,)

    return run_cell(step, dense(x, w_ih, b_ih), (h,), lengths, reverse)


def gru_reset_first(x, h, w_ih, w_hh, b_ih=None, b_hh=None, lengths=None, reverse=False):
    """As `gru`, with the state reset before its product."""
    w_r, w_z, w_n = tf.split(w_hh, 3)
    b_r, b_z, b_n = (None,) * 3 if b_hh is None else tf.split(b_hh, 3)

    def step(given, h):
        xr, xz, xn = tf.split(given, 3, axis=-1)
        z = tf.sigmoid(xz + dense(h, w_z, b_z))
        n = tf.tanh(xn + dense(tf.sigmoid(xr + dense(h, w_r, b_r)) * h, w_n, b_n))
        return ((1 - z) * n + z * h,)

    return run_cell(step, dense(x, w_ih, b_ih), (h,), lengths, reverse)


def rnn(x, h, w_ih, w_hh, b_ih=None, b_hh=None, lengths=None, reverse=False, activation=tf.tanh):
    """One layer over x [time, batch, features] in one direction: all outputs, the last h."""

    def step(given, h):
        return (activation(given + dense(h, w_hh, b_hh)),)

    return run_cell(step, dense(x, w_ih, b_ih), (h,), lengths, reverse)
