"""Rows of layers that stand alone: dense, convolutions, pooling, normalisation, activations, regularisation, shapes."""

from __future__ import annotations

from collections.abc import Iterator

from tests.importers.keras.layer_case import Case, made, row

IMAGE, FIRST = (7, 8, 4), (4, 7, 8)
FIRST_ARGS = {"data_format": "channels_first"}
JAX = {"backend_": "jax"}
"""What TensorFlow has no kernel for on a CPU."""


def rows() -> Iterator[Case]:
    """All of this file."""
    yield from core()
    yield from convolutions()
    yield from transposed()
    yield from pooling()
    yield from normalisation()
    yield from activations()
    yield from regularisation()
    yield from reshaping()
    yield from merging()


def core() -> Iterator[Case]:
    yield row("Dense", (5,), units=3)
    yield row("Dense", (4, 5), units=3, activation="relu", use_bias=False)
    yield row("Dense", (None, 5), units=3, activation="gelu")
    yield row("Dense", (5,), units=3, kernel_regularizer="l2", bias_constraint="non_neg")
    yield row("Dense", (5,), units=3, dtype="mixed_float16", rtol_=2e-2)
    yield row("Dense", (5,), units=3, dtype="mixed_bfloat16", rtol_=4e-2)
    yield row("Dense", (5,), units=3, dtype="float64")
    yield row("Dense", (5,), units=3, lora_rank=2)
    yield row("EinsumDense", (6, 5), equation="abc,cd->abd", output_shape=(None, 3), bias_axes="d", activation="tanh")
    yield row("EinsumDense", (None, 5), equation="abc,cde->abde", output_shape=(None, 2, 3), bias_axes="de")
    yield row("EinsumDense", (6, 5), equation="...x,xy->...y", output_shape=3, bias_axes="y")
    yield row("EinsumDense", (5,), equation="ab,bc->ac", output_shape=3)
    yield row("Embedding", (6,), input_dim=9, output_dim=4, ints_=9)
    yield row("Embedding", (6,), input_dim=9, output_dim=4, mask_zero=True, ints_=9)
    yield row("Embedding", (None, 2), input_dim=9, output_dim=4, ints_=9)
    yield row("Embedding", (6,), input_dim=9, output_dim=4, ints_=9, dtype="mixed_bfloat16", rtol_=4e-2)
    yield row("ReversibleEmbedding", (6,), input_dim=9, output_dim=4, ints_=9)
    yield row("ReversibleEmbedding", (6,), input_dim=9, output_dim=4, tie_weights=False, ints_=9,
              call_=lambda one, xs: one(one(xs[0]), reverse=True))  # fmt: skip
    yield row("ReversibleEmbedding", (6,), input_dim=9, output_dim=4, ints_=9, logit_soft_cap=2.0,
              call_=lambda one, xs: one(one(xs[0]), reverse=True))  # fmt: skip
    yield row("Identity", (4, 3))
    yield row("Masking", (6, 3), mask_value=0.0)
    yield row("Masking", (6, 2), ints_=3, call_=_masked_lstm)
    yield row("Lambda", (6, 3), function=_twice)
    yield row("Lambda", (6, 3), function=_scaled, arguments={"factor": 3.0})
    yield row("InputLayer", (3,), call_=lambda one, xs: xs[0] + 1.0, shape=(3,))


def _masked_lstm(one, xs):
    import keras

    return keras.layers.LSTM(3)(one(keras.ops.cast(xs[0], "float32")))


def _twice(x):
    return x * 2 + 1


def _scaled(x, factor=1.0):
    return x * factor


def convolutions() -> Iterator[Case]:
    for padding in ("valid", "same", "causal"):
        yield row("Conv1D", (9, 4), filters=6, kernel_size=3, padding=padding)
        yield row("Conv1D", (None, 4), filters=6, kernel_size=3, strides=2, padding=padding, activation="relu")
        yield row("Conv1D", (9, 4), filters=6, kernel_size=3, dilation_rate=2, padding=padding, use_bias=False)
    yield row("Conv1D", (4, 9), filters=6, kernel_size=3, groups=2, **FIRST_ARGS)
    for padding in ("valid", "same"):
        yield row("Conv2D", IMAGE, filters=6, kernel_size=3, padding=padding, groups=2)
        yield row("Conv2D", (None, None, 4), filters=6, kernel_size=(3, 2), strides=(2, 3), padding=padding)
        yield row("Conv2D", IMAGE, filters=6, kernel_size=(2, 3), dilation_rate=2, padding=padding, activation="selu")
        yield row("Conv2D", FIRST, filters=6, kernel_size=3, strides=2, padding=padding, **FIRST_ARGS, **JAX)
        yield row("Conv3D", (5, 6, 4, 2), filters=4, kernel_size=2, padding=padding, groups=2)
        yield row("Conv3D", (5, 6, 4, 2), filters=4, kernel_size=(3, 2, 2), strides=2, padding=padding, use_bias=False)
        yield row("DepthwiseConv1D", (9, 4), kernel_size=3, padding=padding, depth_multiplier=2)
        yield row("DepthwiseConv1D", (None, 4), kernel_size=3, padding=padding, strides=2, activation="relu")
        yield row("DepthwiseConv2D", IMAGE, kernel_size=3, padding=padding, depth_multiplier=2)
        yield row("DepthwiseConv2D", (None, None, 4), kernel_size=3, padding=padding, strides=2, use_bias=False)
        yield row("DepthwiseConv2D", IMAGE, kernel_size=2, padding=padding, dilation_rate=2)
        yield row("DepthwiseConv2D", FIRST, kernel_size=3, padding=padding, depth_multiplier=3, **FIRST_ARGS)
        yield row("SeparableConv1D", (9, 4), filters=5, kernel_size=3, padding=padding, depth_multiplier=2)
        yield row("SeparableConv1D", (9, 4), filters=5, kernel_size=3, padding=padding, strides=2, activation="relu")
        yield row("SeparableConv2D", IMAGE, filters=5, kernel_size=3, padding=padding, depth_multiplier=2)
        yield row("SeparableConv2D", (None, None, 4), filters=5, kernel_size=3, padding=padding, strides=2)
        yield row("SeparableConv2D", FIRST, filters=5, kernel_size=3, padding=padding, use_bias=False, **FIRST_ARGS)
        yield row("SeparableConv2D", IMAGE, filters=5, kernel_size=2, padding=padding, dilation_rate=2)
    yield row("DepthwiseConv1D", (4, 9), kernel_size=3, **FIRST_ARGS)
    yield row("Conv2D", IMAGE, filters=3, kernel_size=3, dtype="mixed_bfloat16", rtol_=4e-2)
    yield row("Conv2D", IMAGE, filters=3, kernel_size=3, lora_rank=2)
    yield row("Conv2D", IMAGE, filters=3, kernel_size=3, kernel_regularizer="l1", activity_regularizer="l2")


def transposed() -> Iterator[Case]:
    for padding in ("valid", "same"):
        for kernel, strides in ((3, 1), (3, 2), (2, 2), (4, 2), (2, 3)):
            yield row("Conv1DTranspose", (5, 3), filters=4, kernel_size=kernel, strides=strides, padding=padding)
        yield row("Conv1DTranspose", (None, 3), filters=4, kernel_size=3, strides=2, padding=padding)
        yield row("Conv1DTranspose", (5, 3), filters=4, kernel_size=3, padding=padding, dilation_rate=2, **JAX)
        yield row("Conv1DTranspose", (5, 3), filters=4, kernel_size=3, strides=2, output_padding=1, padding=padding)
        yield row("Conv2DTranspose", IMAGE, filters=3, kernel_size=(3, 2), strides=(2, 1), padding=padding)
        yield row("Conv2DTranspose", IMAGE, filters=3, kernel_size=3, strides=2, padding=padding, output_padding=(1, 0))
        yield row("Conv2DTranspose", IMAGE, filters=3, kernel_size=2, dilation_rate=2, padding=padding, use_bias=False,
                  **JAX)  # fmt: skip
        yield row("Conv2DTranspose", (None, None, 4), filters=3, kernel_size=3, strides=2, padding=padding)
        yield row("Conv2DTranspose", FIRST, filters=3, kernel_size=3, strides=2, padding=padding, **FIRST_ARGS, **JAX)
        yield row("Conv3DTranspose", (3, 4, 2, 3), filters=4, kernel_size=3, strides=2, padding=padding)
    yield row("Conv3DTranspose", (3, 4, 2, 3), filters=4, kernel_size=2, activation="relu", use_bias=False)


def pooling() -> Iterator[Case]:
    bodies = {1: (9, 4), 2: IMAGE, 3: (5, 6, 4, 2)}
    for rank, shape in bodies.items():
        first = (shape[-1], *shape[:-1])
        for kind in ("Max", "Average"):
            for padding in ("valid", "same"):
                yield row(f"{kind}Pooling{rank}D", shape, pool_size=2, padding=padding)
                yield row(f"{kind}Pooling{rank}D", shape, pool_size=3, strides=2, padding=padding)
                yield row(f"{kind}Pooling{rank}D", (*(None,) * rank, 4), pool_size=3, strides=2, padding=padding)
                yield row(f"{kind}Pooling{rank}D", first, pool_size=2, strides=1, padding=padding, **FIRST_ARGS)
            yield row(f"Adaptive{kind}Pooling{rank}D", shape, output_size=2)
            yield row(f"Adaptive{kind}Pooling{rank}D", shape, output_size=(3, 4, 2)[:rank])
            yield row(f"Adaptive{kind}Pooling{rank}D", first, output_size=3, **FIRST_ARGS)
            for keepdims in (False, True):
                yield row(f"Global{kind}Pooling{rank}D", shape, keepdims=keepdims)
                yield row(f"Global{kind}Pooling{rank}D", (*(None,) * rank, 4), keepdims=keepdims)
                yield row(f"Global{kind}Pooling{rank}D", first, keepdims=keepdims, **FIRST_ARGS)
    yield row("MaxPooling2D", IMAGE, pool_size=(2, 3), strides=(3, 1))
    yield row("AveragePooling2D", IMAGE, pool_size=(2, 3), padding="same")
    yield row("GlobalAveragePooling1D", (6,), ints_=4, call_=_embedded)


def _embedded(one, xs):
    """The layer behind an embedding whose mask reaches it."""
    import keras

    return one(keras.layers.Embedding(9, 4, mask_zero=True)(xs[0]))


def normalisation() -> Iterator[Case]:
    for args in ({}, {"axis": 1}, {"momentum": 0.9, "epsilon": 0.01}, {"center": False},
                 {"scale": False}, {"center": False, "scale": False}, {"trainable": False},
                 {"dtype": "mixed_float16", "rtol_": 2e-2}, {"dtype": "mixed_bfloat16", "rtol_": 4e-2},
                 {"dtype": "float64", "dtype_": "float64"}):  # fmt: skip
        yield row("BatchNormalization", IMAGE, **args)
    yield row("BatchNormalization", (5,))
    yield row("BatchNormalization", (None, 5), epsilon=0.5)
    yield row("BatchNormalization", (6,), ints_=4, call_=_embedded)
    yield row("BatchNormalization", (5,), call_=lambda one, xs: one(xs[0], training=False))
    yield row("BatchNormalization", (5,), call_=lambda one, xs: one(xs[0], training=True))
    yield row("BatchNormalization", (5,), call_=lambda one, xs: one(one(xs[0])))
    for args in ({}, {"axis": 1}, {"axis": [1, 2]}, {"axis": [2, 3], "epsilon": 0.1}, {"axis": (1, 3)},
                 {"center": False}, {"scale": False}, {"center": False, "scale": False},
                 {"dtype": "mixed_float16", "rtol_": 2e-2}, {"dtype": "float64", "dtype_": "float64"}):  # fmt: skip
        yield row("LayerNormalization", IMAGE, **args)
    for args in ({}, {"groups": -1}, {"groups": 1}, {"axis": 1, "groups": 7}, {"center": False}, {"scale": False},
                 {"epsilon": 0.1}, {"axis": 2, "groups": 2}, {"dtype": "mixed_float16", "rtol_": 2e-2}):  # fmt: skip
        yield row("GroupNormalization", IMAGE, **{"groups": 2, **args})
    yield row("GroupNormalization", (6,), groups=3)
    for args in ({}, {"axis": [2, 3]}, {"axis": -1, "epsilon": 0.1}, {"dtype": "mixed_float16", "rtol_": 2e-2}):
        yield row("RMSNormalization", IMAGE, **args)
    for axis in (-1, 1, [1, 2]):
        yield row("UnitNormalization", IMAGE, axis=axis)
    yield row("SpectralNormalization", (5,), layer=made(lambda: _layer("Dense", units=4)))
    yield row("SpectralNormalization", (5,), layer=made(lambda: _layer("Dense", units=4)), power_iterations=3)
    yield row("SpectralNormalization", IMAGE, layer=made(lambda: _layer("Conv2D", filters=3, kernel_size=2)))


def _layer(name, **args):
    import keras

    return getattr(keras.layers, name)(**args)


def activations() -> Iterator[Case]:
    for name in ("relu", "relu6", "leaky_relu", "elu", "selu", "celu", "gelu", "softmax", "log_softmax", "softplus",
                 "softsign", "sigmoid", "tanh", "exponential", "hard_sigmoid", "hard_silu", "hard_tanh", "silu",
                 "swish", "mish", "linear", "log_sigmoid", "glu", "squareplus", "sparse_plus", "sparse_sigmoid",
                 "soft_shrink", "hard_shrink", "tanh_shrink", "sparsemax"):  # fmt: skip
        yield row("Activation", (4, 6), activation=name)
    for args in ({}, {"max_value": 1.0}, {"negative_slope": 0.2}, {"threshold": 0.5},
                 {"max_value": 1.5, "negative_slope": 0.1, "threshold": 0.3}):  # fmt: skip
        yield row("ReLU", (4, 6), **args)
    yield row("LeakyReLU", (4, 6))
    yield row("LeakyReLU", (4, 6), negative_slope=0.1)
    yield row("ELU", (4, 6))
    yield row("ELU", (4, 6), alpha=0.3)
    yield row("PReLU", (5, 6))
    yield row("PReLU", IMAGE, shared_axes=[1, 2])
    yield row("PReLU", FIRST, shared_axes=[2, 3])
    yield row("PReLU", IMAGE, shared_axes=[1, 2, 3])
    yield row("Softmax", (4, 6))
    yield row("Softmax", (4, 6), axis=1)
    yield row("Softmax", (4, 6), axis=[1, 2])
    yield row("Softmax", (4, 6), (4, 6), call_=lambda one, xs: one(xs[0], mask=xs[1] > 0))
    yield row("Softmax", (4, 6), (4, 6), axis=[1, 2], call_=lambda one, xs: one(xs[0], mask=xs[1] > 0))


def regularisation() -> Iterator[Case]:
    yield row("Dropout", (4, 5), rate=0.5, random_=True)
    yield row("Dropout", (4, 5), rate=0.3, seed=3, noise_shape=(None, 1, 5), random_=True)
    yield row("Dropout", (4, 5), rate=0.0)
    yield row("Dropout", (4, 5), rate=0.5, random_=True, call_=lambda one, xs: one(xs[0], training=False))
    yield row("SpatialDropout1D", (4, 5), rate=0.5, random_=True)
    yield row("SpatialDropout2D", IMAGE, rate=0.5, random_=True)
    yield row("SpatialDropout2D", FIRST, rate=0.5, random_=True, **FIRST_ARGS)
    yield row("SpatialDropout3D", (3, 4, 5, 2), rate=0.5, random_=True)
    yield row("GaussianNoise", (4, 5), stddev=0.5, random_=True)
    yield row("GaussianNoise", (4, 5), stddev=0.0)
    yield row("GaussianDropout", (4, 5), rate=0.5, random_=True)
    yield row("AlphaDropout", (4, 5), rate=0.5, random_=True)
    yield row("AlphaDropout", (4, 5), rate=0.5, noise_shape=(None, 1, 5), random_=True)
    yield row("ActivityRegularization", (4, 5), l1=0.1, l2=0.2)


def reshaping() -> Iterator[Case]:
    yield row("Flatten", IMAGE)
    yield row("Flatten", FIRST, **FIRST_ARGS)
    yield row("Flatten", ())
    yield row("Flatten", (None, 3))
    yield row("Reshape", (4, 6), target_shape=(3, 8))
    yield row("Reshape", (4, 6), target_shape=(-1, 2))
    yield row("Reshape", (None, 6), target_shape=(-1, 3))
    yield row("Permute", (4, 6, 3), dims=(3, 1, 2))
    yield row("RepeatVector", (5,), n=3)
    yield row("Cropping1D", (9, 4), cropping=(1, 2))
    yield row("Cropping1D", (None, 4), cropping=2)
    yield row("Cropping2D", IMAGE, cropping=((1, 0), (2, 1)))
    yield row("Cropping2D", FIRST, cropping=1, **FIRST_ARGS)
    yield row("Cropping2D", (None, None, 4), cropping=((0, 0), (1, 2)))
    yield row("Cropping3D", (5, 6, 4, 2), cropping=((1, 0), (2, 1), (0, 1)))
    yield row("Cropping3D", (2, 5, 6, 4), cropping=1, **FIRST_ARGS)
    yield row("ZeroPadding1D", (9, 4), padding=(1, 2))
    yield row("ZeroPadding1D", (4, 9), padding=2, **FIRST_ARGS)
    yield row("ZeroPadding2D", IMAGE, padding=((1, 0), (2, 1)))
    yield row("ZeroPadding2D", FIRST, padding=(1, 2), **FIRST_ARGS)
    yield row("ZeroPadding3D", (3, 4, 2, 2), padding=((1, 0), (2, 1), (0, 1)))
    yield row("UpSampling1D", (4, 3), size=3)
    yield row("UpSampling1D", (None, 3), size=2)
    for interpolation in ("nearest", "bilinear", "bicubic", "lanczos3", "lanczos5"):
        yield row("UpSampling2D", (4, 5, 2), size=2, interpolation=interpolation)
        yield row("UpSampling2D", (2, 4, 5), size=(2, 3), interpolation=interpolation, **FIRST_ARGS)
        filtered = "open size" if interpolation not in ("nearest", "bilinear") else ""
        yield row("UpSampling2D", (None, None, 2), size=2, interpolation=interpolation, refused_=filtered)
    yield row("UpSampling3D", (2, 3, 4, 2), size=(2, 1, 3))
    yield row("UpSampling3D", (2, 2, 3, 4), size=2, **FIRST_ARGS)


def merging() -> Iterator[Case]:
    for name in ("Add", "Average", "Maximum", "Minimum", "Multiply"):
        yield row(name, (4, 5), (4, 5), (4, 5))
        yield row(name, (4, 5), (1, 5))
        yield row(name, (4, 5), (5,))
    yield row("Subtract", (4, 5), (4, 5))
    yield row("Concatenate", (4, 5), (4, 2))
    yield row("Concatenate", (4, 5), (3, 5), axis=1)
    yield row("Concatenate", (None, 5), (None, 5), axis=-2)
    yield row("Dot", (5,), (5,), axes=1)
    yield row("Dot", (5,), (5,), axes=-1, normalize=True)
    yield row("Dot", (4, 5), (3, 5), axes=2)
    yield row("Dot", (4, 5), (5, 3), axes=(2, 1), normalize=True)
    yield row("Dot", (4, 5), (5,), axes=(2, 1))
    for name in ("Add", "Concatenate", "Maximum"):
        yield row(name, (6,), (6,), ints_=3, call_=_both_masked)


def _both_masked(one, xs):
    """Merged masks decide what an average behind them counts."""
    import keras

    embedding = keras.layers.Embedding(9, 4, mask_zero=True)
    return keras.layers.GlobalAveragePooling1D()(one([embedding(x) for x in xs]))
