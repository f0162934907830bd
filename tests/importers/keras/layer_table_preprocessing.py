"""Rows of preprocessing layers, and what is refused by name."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from tests.importers.keras.layer_case import Case, made, row

IMAGE, FIRST = (7, 8, 3), (3, 7, 8)
FIRST_ARGS = {"data_format": "channels_first"}
RANGE = (0.0, 1.0)


def rows() -> Iterator[Case]:
    """All of this file."""
    yield from numbers()
    yield from images()
    yield from augmentation()
    yield from signals()
    yield from lookups()


def _layer(name, **args):
    import keras

    return getattr(keras.layers, name)(**args)


def _adapt(layer):
    layer.adapt(np.random.default_rng(1).standard_normal((20, 5)).astype("float32"))


def numbers() -> Iterator[Case]:
    yield row("Rescaling", IMAGE, scale=1 / 127.5, offset=-1.0)
    yield row("Rescaling", IMAGE, scale=[0.5, 2.0, 1.0], offset=[0.0, 1.0, -1.0])
    yield row("Rescaling", IMAGE, scale=1 / 255, ints_=256)
    yield row("Normalization", (5,), mean=[0.5] * 5, variance=[2.0, 1.0, 0.5, 3.0, 1.5])
    yield row("Normalization", (4, 5), axis=None, mean=0.5, variance=2.0)
    yield row("Normalization", (4, 5), axis=(1, 2), mean=np.ones((4, 5)), variance=np.full((4, 5), 2.0))
    yield row("Normalization", (5,), mean=[0.5] * 5, variance=[2.0] * 5, invert=True)
    yield row("Normalization", (5,), prepare_=_adapt)
    yield row("Normalization", (5,), prepare_=_adapt, invert=True)
    yield row("Discretization", (5,), bin_boundaries=[-1.0, 0.0, 0.5])
    for mode in ("one_hot", "multi_hot", "count"):
        yield row("Discretization", (5,), bin_boundaries=[-1.0, 0.0, 0.5], output_mode=mode)
        shape = (1,) if mode == "one_hot" else (4,)
        yield row("CategoryEncoding", shape, num_tokens=6, output_mode=mode, ints_=6)
    yield row("CategoryEncoding", (4,), (4,), num_tokens=6, output_mode="count", ints_=6,
              call_=lambda one, xs: one(xs[0], count_weights=_weights(xs[1])))  # fmt: skip
    yield row(
        "Pipeline",
        IMAGE,
        layers=made(lambda: [_layer("Rescaling", scale=0.5), _layer("CenterCrop", height=4, width=5)]),
    )


def _weights(x):
    import keras

    return keras.ops.cast(x, "float32")


def images() -> Iterator[Case]:
    for interpolation in ("bilinear", "nearest", "bicubic"):
        yield row("Resizing", IMAGE, height=5, width=11, interpolation=interpolation)
        yield row("Resizing", FIRST, height=14, width=4, interpolation=interpolation, **FIRST_ARGS)
    for name in ("lanczos3", "lanczos5", "area"):
        yield row("Resizing", IMAGE, height=5, width=11, interpolation=name)
    yield row("Resizing", IMAGE, height=4, width=9, crop_to_aspect_ratio=True)
    yield row("Resizing", IMAGE, height=4, width=9, pad_to_aspect_ratio=True)
    yield row("CenterCrop", IMAGE, height=4, width=5)
    yield row("CenterCrop", IMAGE, height=5, width=4)
    yield row("CenterCrop", FIRST, height=4, width=5, **FIRST_ARGS)
    yield row("CenterCrop", IMAGE, height=9, width=5)
    yield row("AutoContrast", IMAGE, value_range=RANGE)
    yield row("ContrastLimitedAdaptiveHistogramEqualization", (16, 16, 3), refused_="Contrast")


def augmentation() -> Iterator[Case]:
    """What they do in inference, which for most is nothing."""
    yield row("RandomFlip", IMAGE, random_=True)
    yield row("RandomCrop", IMAGE, height=4, width=5, random_=True)
    yield row("RandomCrop", IMAGE, height=9, width=5, random_=True)
    yield row("RandomRotation", IMAGE, factor=0.2, random_=True)
    yield row("RandomZoom", IMAGE, height_factor=0.2, random_=True)
    yield row("RandomTranslation", IMAGE, height_factor=0.2, width_factor=0.2, random_=True)
    yield row("RandomErasing", IMAGE, random_=True)
    yield row("RandomElasticTransform", IMAGE, random_=True)
    yield row("RandomPerspective", IMAGE, random_=True)
    yield row("RandomGaussianBlur", IMAGE, random_=True)
    yield row("RandomShear", IMAGE, x_factor=0.2, random_=True)
    yield row("RandomInvert", IMAGE, value_range=RANGE, random_=True)
    yield row("RandomPosterization", IMAGE, factor=4, value_range=RANGE, random_=True)
    yield row("RandomGrayscale", IMAGE, random_=True)
    yield row("RandomColorJitter", IMAGE, value_range=RANGE, random_=True)
    for name in ("Brightness", "ColorDegeneration", "Contrast", "Hue", "Saturation", "Sharpness"):
        ranged = {} if name in ("Contrast",) else {"value_range": RANGE}
        yield row(f"Random{name}", IMAGE, factor=0.3, random_=True, **ranged)
    yield row("AugMix", IMAGE, value_range=RANGE, random_=True)
    yield row("RandAugment", IMAGE, value_range=RANGE, random_=True)
    yield row("MixUp", IMAGE, random_=True)
    yield row("CutMix", IMAGE, random_=True)
    yield row("Solarization", IMAGE, value_range=RANGE, random_=True)


def signals() -> Iterator[Case]:
    for mode in ("log", "magnitude", "psd", "real", "imag", "angle", "stft"):
        yield row("STFTSpectrogram", (40, 1), mode=mode, frame_length=16, frame_step=8, fft_length=16, rtol_=1e-4)
    yield row("STFTSpectrogram", (40, 2), mode="log", frame_length=16, frame_step=8, fft_length=16, padding="same")
    yield row(
        "MelSpectrogram", (400,), fft_length=64, sequence_stride=32, num_mel_bins=8, sampling_rate=800, rtol_=1e-3
    )


def lookups() -> Iterator[Case]:
    for words in ([4, 5, 6], [8, 1, 3], [0, 10**12, 7]):
        yield row("IntegerLookup", (3,), vocabulary=words, ints_=9)
    yield row("IntegerLookup", (3,), vocabulary=[8, 1, 3], num_oov_indices=3, ints_=20)
    yield row("IntegerLookup", (3,), vocabulary=list(range(9)), num_oov_indices=0, ints_=9)
    yield row("IntegerLookup", (3,), vocabulary=[8, 1, 3], mask_token=0, ints_=9)
    yield row("IntegerLookup", (3,), vocabulary=[8, 1, 3], mask_token=2, num_oov_indices=2, ints_=9)
    yield row("IntegerLookup", (3,), vocabulary=[8, 1, 3], invert=True, ints_=6)
    for mode in ("one_hot", "multi_hot", "count"):
        shape = (1,) if mode == "one_hot" else (4,)
        yield row("IntegerLookup", shape, vocabulary=[8, 1, 3], output_mode=mode, ints_=9)
        yield row("IntegerLookup", shape, vocabulary=[8, 1], output_mode=mode, max_tokens=5, pad_to_max_tokens=True, ints_=9)
    yield row("IntegerLookup", (4,), vocabulary=[8, 1, 3], output_mode="tf_idf", idf_weights=[0.5, 2.0, 4.0], ints_=9)
    yield row("IntegerLookup", (4,), vocabulary=[8, 1, 3], output_mode="count", mask_token=0, ints_=9)


REFUSED = {
    "StringLookup": "strings", "TextVectorization": "strings", "Hashing": "hash", "HashedCrossing": "hash",
    "TorchModuleWrapper": "PyTorch", "JaxLayer": "JAX", "FlaxLayer": "Flax",
    "TFSMLayer": "SavedModel", "Equalization": "histogram",
}  # fmt: skip
"""Classes that are never read, with a word of the reason."""
ABSTRACT = {
    "Layer": "the base of the others", "Wrapper": "the base of wrappers", "InputSpec": "no layer",
    "Input": "a function that makes inputs", "MaxNumBoundingBoxes": "works on dicts of boxes, which are the data's",
}  # fmt: skip
"""Names in `keras.layers` that no model calls on tensors."""
