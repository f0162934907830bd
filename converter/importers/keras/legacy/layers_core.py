"""Layers that compute in every Keras what their arguments say: dense, activations, dropout, shapes, normalisation."""

from __future__ import annotations

from typing import Any

from converter.importers.base import Refusal
from converter.importers.keras.legacy import masks, values
from converter.importers.keras.legacy.units import Arguments, Unit, rules, today, unit


@rules(
    "Dense", "Activation", "Dropout", "Permute", "RepeatVector", "Masking", "ActivityRegularization", "GaussianNoise",
    "GaussianDropout", "AlphaDropout", "Softmax", "EinsumDense",
    "UnitNormalization", "GroupNormalization", "CenterCrop", "Cropping1D", "Cropping2D", "Cropping3D",
    "ZeroPadding1D", "ZeroPadding2D", "ZeroPadding3D", "UpSampling1D", "UpSampling3D",
)  # fmt: skip
def same(a: Arguments) -> Unit:
    """Layers whose arguments have kept their names and meanings."""
    return unit(a, today(a.kind, a))


@rules("Flatten")
def flatten(a: Arguments) -> Unit:
    """Flatten; where an old file says nothing of a data format, it reads the elements in the order they lie."""
    a.config.setdefault("data_format", "channels_last")
    if a.config["data_format"] is None:
        a.config["data_format"] = "channels_last"
    return unit(a, today("Flatten", a))


@rules("SpatialDropout1D", "SpatialDropout2D", "SpatialDropout3D")
def spatial_dropout(a: Arguments) -> Unit:
    """Dropout of whole channels; the shape of its noise follows from the layer."""
    a.only("noise_shape", None)
    return unit(a, today(a.kind, a))


@rules("Reshape")
def reshape(a: Arguments) -> Unit:
    """Reshape; a -1 is the open size, as today."""
    return unit(a, today("Reshape", a))


@rules("LeakyReLU")
def leaky_relu(a: Arguments) -> Unit:
    """LeakyReLU: its `alpha` is today's `negative_slope`."""
    slope = a.take("negative_slope") if "negative_slope" in a.config else a.take("alpha")
    return unit(a, today("LeakyReLU", a, negative_slope=values.number(slope)))


@rules("ELU")
def elu(a: Arguments) -> Unit:
    """ELU with its `alpha`."""
    return unit(a, today("ELU", a, alpha=values.number(a.take("alpha"))))


@rules("ReLU")
def relu(a: Arguments) -> Unit:
    """ReLU with limits; a missing `max_value` is none."""
    limit = a.take("max_value")
    slope, threshold = values.number(a.take("negative_slope", 0.0)), values.number(a.take("threshold", 0.0))
    limit = None if limit is None else values.number(limit)
    return unit(a, today("ReLU", a, max_value=limit, negative_slope=slope, threshold=threshold))


@rules("ThresholdedReLU")
def thresholded_relu(a: Arguments) -> Unit:
    """x where x > theta, else 0: two operations today."""
    theta = values.number(a.take("theta"))

    def call(x: Any) -> Any:
        from keras import ops

        if masks.of(x) is not None:
            raise Refusal("ThresholdedReLU of a masked sequence")
        return ops.multiply(x, ops.cast(ops.greater(x, theta), x.dtype))

    return Unit(a.kind, a.name, call)


@rules("PReLU")
def prelu(a: Arguments) -> Unit:
    """PReLU. Keras 1 does not write which axes share a slope: slopes of another shape than the input's do not fit then."""
    return unit(a, today("PReLU", a))


@rules("BatchNormalization", "BatchNormalizationV1", "BatchNormalizationV2", "SyncBatchNormalization")
def batch_normalization(a: Arguments) -> Unit:
    """BatchNormalization; Keras 1 has modes, tf.keras lists of axes."""
    mode = a.take("mode", 0)
    if mode != 0:
        raise Refusal(f"mode={mode}: statistics of the batch or the sample at inference, which no later Keras has")
    a.drop("fused", "experimental_run_tf_function")
    a.only("renorm", False)
    a.only("virtual_batch_size", None)
    a.only("adjustment", None)
    axis = a.take("axis", -1)
    axes = axis if isinstance(axis, list) else [axis]
    if len(axes) != 1:
        raise Refusal(f"axis={axes}: statistics over more than one axis at once")
    if "epsilon" not in a.config or "momentum" not in a.config:
        raise Refusal("no epsilon or momentum in the file")
    return unit(a, today("BatchNormalization", a, axis=int(axes[0])))


@rules("LayerNormalization")
def layer_normalization(a: Arguments) -> Unit:
    """LayerNormalization over one axis or several."""
    axis = a.take("axis", -1)
    axes = list(axis) if isinstance(axis, list) else [axis]
    return unit(a, today("LayerNormalization", a, axis=axes[0] if len(axes) == 1 else axes))


@rules("Rescaling")
def rescaling(a: Arguments) -> Unit:
    """x scale + offset, behind which there was no mask."""
    return _masks_end(unit(a, today("Rescaling", a)))


def _masks_end(made: Unit) -> Unit:
    """A layer that did not pass masks on."""
    made.layer.supports_masking = False
    return made


@rules("Normalization")
def normalization(a: Arguments) -> Unit:
    """Normalization by numbers in the file's configuration or among its weights; behind it there was no mask."""
    axis = a.take("axis", -1)
    axis = tuple(axis) if isinstance(axis, list) else axis
    mean, variance = a.take("mean"), a.take("variance")
    if mean is not None:
        return _masks_end(unit(a, today("Normalization", a, axis=axis, mean=mean, variance=variance)))
    return _masks_end(unit(a, today("Normalization", a, axis=axis)))


@rules("Embedding")
def embedding(a: Arguments) -> Unit:
    """Embedding; `input_length` says a size that the input says as well."""
    a.drop("input_length", "sparse")
    a.config.setdefault("mask_zero", False)
    return unit(a, today("Embedding", a))


@rules("UpSampling2D")
def upsampling(a: Arguments) -> Unit:
    """UpSampling2D; before tf.keras 2 the bilinear one had its samples at the corners of pixels."""
    if a.config.get("interpolation", "nearest") != "nearest" and not a.era.modern:
        raise Refusal("interpolation='bilinear' of a Keras that had its samples at the corners of pixels")
    return unit(a, today("UpSampling2D", a))


@rules("Resizing")
def resizing(a: Arguments) -> Unit:
    """Resizing without cropping: bilinear and nearest, whose samples lie at the centres of pixels as today."""
    a.only("crop_to_aspect_ratio", False)
    if a.config.get("interpolation", "bilinear") not in ("bilinear", "nearest"):
        raise Refusal(f"interpolation={a.config['interpolation']!r}")
    return unit(a, today("Resizing", a, crop_to_aspect_ratio=False))


@rules("RandomFlip", "RandomRotation", "RandomZoom", "RandomTranslation", "RandomContrast", "RandomBrightness")
def augmentation(a: Arguments) -> Unit:
    """Augmentations, which do nothing but in training."""
    return unit(a, today(a.kind, a))


@rules("MultiHeadAttention")
def multi_head_attention(a: Arguments) -> Unit:
    """MultiHeadAttention; the shapes it was built with are those of its inputs."""
    a.drop("query_shape", "key_shape", "value_shape")
    axes = a.take("attention_axes")
    return unit(a, today("MultiHeadAttention", a, attention_axes=tuple(axes) if axes else None))


@rules("Attention", "AdditiveAttention")
def attention(a: Arguments) -> Unit:
    """Dot-product and additive attention; causal masks were an argument of the layer once."""
    a.only("causal", False)
    a.config.setdefault("dropout", 0.0)
    return unit(a, today(a.kind, a))


_GONE = {
    "Lambda": "code of the user's own, which is not executed",
    "MaxoutDense": "a layer of Keras 1 that no later Keras has",
    "Highway": "a layer of Keras 1 that no later Keras has",
    "ParametricSoftplus": "a layer of Keras 1 that no later Keras has",
    "SReLU": "a layer of Keras 1 that no later Keras has",
    "LocallyConnected1D": "a layer that Keras 3 does not have",
    "LocallyConnected2D": "a layer that Keras 3 does not have",
    "RandomFourierFeatures": "a layer that Keras 3 does not have",
    "StringLookup": "text, and a table of words, which is no tensor arithmetic",
    "IntegerLookup": "a table of words, which is no tensor arithmetic",
    "TextVectorization": "text, and a table of words, which is no tensor arithmetic",
    "Hashing": "hashes of text, which are no tensor arithmetic",
    "ClassMethod": "a method of a TensorFlow class",
    "InstanceMethod": "a method of a TensorFlow object",
    "InstanceProperty": "a property of a TensorFlow object",
}


@rules(*_GONE)
def gone(a: Arguments) -> Unit:
    """Layers that have no counterpart."""
    raise Refusal(_GONE[a.kind], "rebuild this part of the model in today's Keras and convert the live model")
