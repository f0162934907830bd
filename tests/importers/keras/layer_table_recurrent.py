"""Rows of recurrent layers, wrappers and attention."""

from __future__ import annotations

import itertools
from collections.abc import Iterator

from tests.importers.keras.layer_case import Case, made, row

KINDS = ("LSTM", "GRU", "SimpleRNN")


def rows() -> Iterator[Case]:
    """All of this file."""
    yield from recurrent()
    yield from cells()
    yield from masked()
    yield from wrappers()
    yield from convolutional()
    yield from attention()


def _layer(name, *given, **args):
    import keras

    return getattr(keras.layers, name)(*given, **args)


def recurrent() -> Iterator[Case]:
    for kind in KINDS:
        for every, state, back in itertools.product((False, True), repeat=3):
            yield row(kind, (5, 3), units=4, return_sequences=every, return_state=state, go_backwards=back)
        yield row(kind, (None, 3), units=4, return_sequences=True)
        yield row(kind, (None, 3), units=4, activation="relu", use_bias=False)
        yield row(kind, (5, 3), units=4, unroll=True, return_sequences=True)
        yield row(kind, (5, 3), units=4, use_bias=False)
        yield row(kind, (5, 3), units=4, activation="softsign", go_backwards=True, return_sequences=True)
        yield row(kind, (5, 3), units=4, dropout=0.3, random_=True)
        yield row(kind, (5, 3), units=4, dropout=0.3, recurrent_dropout=0.2, random_=True)
        yield row(kind, (5, 3), units=4, trainable=False)
        yield row(kind, (5, 3), units=4, kernel_regularizer="l2")
        yield row(kind, (5, 3), units=4, dtype="mixed_bfloat16", rtol_=6e-2)
        yield row(kind, (5, 3), units=4, dtype="float64", dtype_="float64")
        yield row(kind, (5, 3), (4,), units=4, call_=lambda one, xs: one(xs[0], initial_state=_states(one, xs[1])))
        yield row(kind, (5, 3), units=4, call_=lambda one, xs: one(xs[0]) + one(xs[0] * 2))
        yield row(kind, (5, 3), units=4, stateful=True, fixed_=3)
        yield row(kind, (5, 3), units=4, stateful=True, return_sequences=True, activation="relu", fixed_=3)
    for kind in ("LSTM", "GRU"):
        yield row(kind, (5, 3), units=4, recurrent_activation="hard_sigmoid")
        yield row(kind, (5, 3), units=4, recurrent_activation="relu", activation="linear")
    yield row("LSTM", (5, 3), units=4, unit_forget_bias=False)
    for every in (False, True):
        yield row("GRU", (5, 3), units=4, reset_after=False, return_sequences=every)
    yield row("GRU", (5, 3), units=4, reset_after=False, go_backwards=True)
    yield row("GRU", (5, 3), units=4, reset_after=False, use_bias=False)


def _states(layer, state):
    return [state, state * 0.5] if type(layer).__name__ == "LSTM" else [state]


def cells() -> Iterator[Case]:
    for kind in KINDS:
        yield row("RNN", (5, 3), cell=made(lambda k=kind: _layer(f"{k}Cell", 4)), return_sequences=True)
        yield row(f"{kind}Cell", (3,), (4,), (4,), units=4, call_=_cell)
    yield row("StackedRNNCells", (5, 3), cells=made(_two_cells), call_=lambda one, xs: _layer("RNN", one)(xs[0]))
    yield row("RNN", (5, 3), cell=made(_two_cells), return_state=True)
    yield row("RNN", (5, 3), cell=made(_two_cells), return_sequences=True, go_backwards=True)
    yield row("RNN", (5, 3), cell=made(_own_cell), return_sequences=True)


def _cell(cell, xs):
    states = [xs[1], xs[2]] if type(cell).__name__ == "LSTMCell" else [xs[1] + xs[2]]
    out, after = cell(xs[0], states)
    return [out, *after]


def _two_cells():
    return [_layer("LSTMCell", 4), _layer("GRUCell", 3)]


def _own_cell():
    """A cell whose output is not its state."""
    import keras

    class Own(keras.layers.Layer):
        state_size = 3

        def build(self, shape):
            self.kernel = self.add_weight(shape=(shape[-1], 3), name="kernel")

        def call(self, inputs, states):
            after = keras.ops.tanh(inputs @ self.kernel + states[0])
            return after * 2.0 + 1.0, [after]

    return Own()


def masked() -> Iterator[Case]:
    """Zeros anywhere, not only behind the sequence; a whole sample may be masked."""
    for kind in KINDS:
        for args in ({}, {"return_sequences": True}, {"return_sequences": True, "zero_output_for_mask": True},
                     {"zero_output_for_mask": True}, {"go_backwards": True, "return_sequences": True},
                     {"unroll": True, "return_sequences": True, "return_state": True}):  # fmt: skip
            yield row(kind, (6,), units=4, ints_=3, call_=_embedded, **args)
    yield row("RNN", (6,), cell=made(_own_cell), return_sequences=True, ints_=3, call_=_embedded)
    yield row("RNN", (6,), cell=made(_two_cells), return_sequences=True, ints_=3, call_=_embedded)
    for mode in ("concat", "sum", None):
        yield row("Bidirectional", (6,), layer=made(lambda: _layer("LSTM", 4, return_sequences=True)), merge_mode=mode,
                  ints_=3, call_=_embedded)  # fmt: skip
    yield row("TimeDistributed", (6,), layer=made(lambda: _layer("Dense", 2)), ints_=3, call_=_embedded)


def _embedded(one, xs):
    import keras

    return one(keras.layers.Embedding(9, 4, mask_zero=True)(xs[0]))


def wrappers() -> Iterator[Case]:
    for kind in KINDS:
        for mode in ("concat", "sum", "mul", "ave", None):
            yield row("Bidirectional", (5, 3), layer=made(lambda k=kind: _layer(k, 4)), merge_mode=mode)
        yield row("Bidirectional", (None, 3), layer=made(lambda k=kind: _layer(k, 4, return_sequences=True)))
        yield row("Bidirectional", (5, 3), layer=made(lambda k=kind: _layer(k, 4, return_state=True)))
    yield row("Bidirectional", (5, 3), layer=made(lambda: _layer("LSTM", 4, return_sequences=True)),
              backward_layer=made(lambda: _layer("GRU", 4, return_sequences=True, go_backwards=True)))  # fmt: skip
    yield row("Bidirectional", (5, 3), layer=made(lambda: _layer("LSTM", 4, stateful=True)), fixed_=3)
    yield row("TimeDistributed", (5, 3), layer=made(lambda: _layer("Dense", 2, activation="relu")))
    yield row("TimeDistributed", (None, 3), layer=made(lambda: _layer("Dense", 2)))
    yield row("TimeDistributed", (None, 3, 2), layer=made(lambda: _layer("TimeDistributed", layer=_layer("Dense", 2))))
    yield row("TimeDistributed", (2, 6, 6, 3), layer=made(lambda: _layer("Conv2D", 2, 3)))
    yield row("TimeDistributed", (3, 5), layer=made(lambda: _layer("BatchNormalization")))


def convolutional() -> Iterator[Case]:
    for rank, shape in ((1, (3, 6, 2)), (2, (3, 5, 6, 2)), (3, (2, 4, 3, 5, 2))):
        name = f"ConvLSTM{rank}D"
        yield row(name, shape, filters=2, kernel_size=2)
        yield row(name, shape, filters=2, kernel_size=3, padding="same", return_sequences=True)
        first = (shape[0], shape[-1], *shape[1:-1])
        yield row(name, first, filters=2, kernel_size=2, data_format="channels_first", use_bias=False,
                  backend_="jax" if rank < 3 else "")  # fmt: skip
    yield row("ConvLSTM2D", (3, 6, 7, 2), filters=2, kernel_size=2, strides=2, return_state=True, go_backwards=True)
    yield row("ConvLSTM2D", (3, 6, 7, 2), filters=2, kernel_size=2, dropout=0.3, recurrent_dropout=0.2, random_=True)


def attention() -> Iterator[Case]:
    for args in ({}, {"use_scale": True}, {"score_mode": "concat"}, {"use_scale": True, "score_mode": "concat"}):
        yield row("Attention", (4, 6), (5, 6), **args)
        yield row("Attention", (4, 6), (5, 3), (5, 6), **args)
    yield row("Attention", (4, 6), (5, 6), dropout=0.3, random_=True)
    yield row("Attention", (5, 6), (5, 6), call_=lambda one, xs: one(xs, use_causal_mask=True))
    yield row("Attention", (4, 6), (5, 6), call_=lambda one, xs: one(xs, return_attention_scores=True))
    yield row("AdditiveAttention", (4, 6), (5, 6))
    yield row("AdditiveAttention", (4, 6), (5, 6), use_scale=False)
    yield row("AdditiveAttention", (4, 6), (5, 6), call_=lambda one, xs: one(xs, use_causal_mask=True))
    for name in ("Attention", "AdditiveAttention"):
        yield row(name, (4,), (5,), ints_=3, call_=_masked_pair)
    heads = {"num_heads": 2, "key_dim": 3}
    pair = {"call_": lambda one, xs: one(xs[0], xs[1])}
    yield row("MultiHeadAttention", (4, 6), (5, 6), **heads, **pair)
    yield row("MultiHeadAttention", (None, 6), (None, 6), **heads, **pair)
    yield row("MultiHeadAttention", (4, 6), (5, 6), **heads, value_dim=2, use_bias=False, output_shape=7, **pair)
    yield row("MultiHeadAttention", (4, 6), (5, 6), **heads, dropout=0.2, random_=True, **pair)
    yield row("MultiHeadAttention", (5, 6), **heads, call_=lambda one, xs: one(xs[0], xs[0], use_causal_mask=True))
    yield row("MultiHeadAttention", (4, 6), (5, 6), **heads,
              call_=lambda one, xs: one(xs[0], xs[1], return_attention_scores=True))  # fmt: skip
    yield row("MultiHeadAttention", (2, 4, 6), (2, 5, 6), **heads, attention_axes=2, **pair)
    yield row("MultiHeadAttention", (2, 4, 6), (2, 4, 6), **heads, **pair)
    yield row("MultiHeadAttention", (4, 6), (5, 6), (4, 5), **heads,
              call_=lambda one, xs: one(xs[0], xs[1], attention_mask=xs[2] > 0))  # fmt: skip
    yield row("MultiHeadAttention", (4, 6), (5, 6), **heads, dtype="mixed_bfloat16", rtol_=6e-2, **pair)
    yield row("MultiHeadAttention", (4,), (5,), **heads, ints_=3, call_=_masked_self)
    grouped = {"head_dim": 3, "num_query_heads": 4, "num_key_value_heads": 2}
    yield row("GroupQueryAttention", (4, 6), (5, 6), **grouped, **pair)
    yield row("GroupQueryAttention", (4, 6), (5, 6), **grouped, use_bias=False, **pair)
    yield row("GroupQueryAttention", (5, 6), **grouped, call_=lambda one, xs: one(xs[0], xs[0], use_causal_mask=True))
    yield row("GroupQueryAttention", (4, 6), (5, 6), **grouped,
              call_=lambda one, xs: one(xs[0], xs[1], return_attention_scores=True))  # fmt: skip
    yield row("GroupQueryAttention", (4, 6), (5, 6), **grouped, dropout=0.2, random_=True, **pair)


def _masked_pair(one, xs):
    import keras

    embedding = keras.layers.Embedding(9, 4, mask_zero=True)
    return keras.layers.GlobalAveragePooling1D()(one([embedding(x) for x in xs]))


def _masked_self(one, xs):
    """Query, key and value masks reach the layer, and the query's what is behind it."""
    import keras

    embedding = keras.layers.Embedding(9, 4, mask_zero=True)
    q, k = (embedding(x) for x in xs)
    return keras.layers.GlobalAveragePooling1D()(one(q, k, k, use_causal_mask=False))
