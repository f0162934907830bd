"""Cases of convolution, pooling, normalisation, attention, losses and images."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import numpy as np

from tests.importers.keras.op_cases import Case, array

Row = tuple[str, str, Callable[..., Any], tuple[np.ndarray, ...]]


def windows() -> Iterator[Case]:
    """Convolutions and poolings of every rank, in both layouts."""
    from keras import ops

    for rank, size in ((1, (9,)), (2, (7, 8)), (3, (5, 6, 7))):
        for first in (False, True):
            form = "channels_first" if first else "channels_last"
            x = array(2, 3, *size) if first else array(2, *size, 3)
            name = f"{rank} axes, {form}"
            if rank < 3 or not first:
                yield from _convolutions(x, rank, form, name)
            for op in ("MaxPool", "AveragePool"):
                call = {"MaxPool": ops.max_pool, "AveragePool": ops.average_pool}[op]
                for padding in ("same", "valid"):
                    for window, step in ((2, None), (3, 2)):
                        yield Case(
                            op, f"{name}, {padding}, {window}, {step}",
                            lambda x, c=call, w=window, s=step, p=padding, f=form: c(x, w, s, p, f), (x,), sizes=(1,),
                        )  # fmt: skip
            for op in ("AdaptiveMaxPool", "AdaptiveAveragePool"):
                call = {"AdaptiveMaxPool": ops.adaptive_max_pool, "AdaptiveAveragePool": ops.adaptive_average_pool}[op]
                for n in (1, 3):
                    want = (n,) * rank
                    yield Case(op, f"{name}, {n}", lambda x, c=call, w=want, f=form: c(x, w, f), (x,), sizes=(1,))


def _convolutions(x: np.ndarray, rank: int, form: str, name: str) -> Iterator[Case]:
    from keras import ops

    kernel = array(*(3,) * rank, 3, 4, seed=2)
    deep, point = array(*(3,) * rank, 3, 2, seed=3), array(*(1,) * rank, 6, 5, seed=4)
    back = array(*(3,) * rank, 4, 3, seed=5)
    broken = ("tensorflow",) if form == "channels_first" else ()
    for padding in ("same", "valid"):
        for step, gap in ((1, 1), (2, 1), (1, 2)):
            label = f"{name}, {padding}, {step}, {gap}"
            yield Case(
                "Conv",
                label,
                lambda x, s=step, p=padding, g=gap: ops.conv(x, kernel, s, p, form, g),
                (x,),
                sizes=(1,),
                keras_fails=broken,
            )
            if rank < 3:
                yield Case(
                    "DepthwiseConv",
                    label,
                    lambda x, s=step, p=padding, g=gap: ops.depthwise_conv(x, deep, s, p, form, g),
                    (x,),
                    sizes=(1,),
                )
                yield Case(
                    "SeparableConv",
                    label,
                    lambda x, s=step, p=padding, g=gap: ops.separable_conv(x, deep, point, s, p, form, g),
                    (x,),
                    sizes=(1,),
                )
            if form == "channels_last" and (step == 1 or gap == 1):
                yield Case(
                    "ConvTranspose",
                    label,
                    lambda x, s=step, p=padding, g=gap: ops.conv_transpose(x, back, s, p, None, form, g),
                    (x,),
                    sizes=(1,),
                    live=True,
                    keras_fails=("tensorflow",) if gap > 1 else (),
                )
        if form == "channels_last":
            for extra in (0, 1):
                yield Case(
                    "ConvTranspose", f"{name}, {padding}, output padding {extra}",
                    lambda x, p=padding, e=extra: ops.conv_transpose(x, back, 2, p, e, form), (x,), sizes=(1,), live=True,
                )  # fmt: skip


def norms() -> Iterator[Case]:
    """Normalisation by given numbers, and along axes."""
    from keras import ops

    x = array(3, 4, 5)
    mean, var = array(5, seed=2), array(5, low=0.5, high=2, seed=3)
    rows: list[Row] = [
        ("BatchNorm", "last", lambda x: ops.batch_normalization(x, mean, var, -1, mean + 1, var), (x,)),
        ("BatchNorm", "middle, plain", lambda x: ops.batch_normalization(x, mean[:4], var[:4], 1), (x,)),
        ("BatchNorm", "epsilon", lambda x: ops.batch_normalization(x, mean, var, -1, scale=var, epsilon=0.1), (x,)),
        ("LayerNorm", "plain", ops.layer_normalization, (x,)),
        ("LayerNorm", "scaled", lambda x: ops.layer_normalization(x, var, mean), (x,)),
        ("LayerNorm", "two axes", lambda x: ops.layer_normalization(x, axis=(1, 2), epsilon=0.1), (x,)),
        ("LayerNorm", "half", ops.layer_normalization, (x.astype("float16"),)),
        ("RMSNorm", "plain", ops.rms_normalization, (x,)),
        ("RMSNorm", "scaled", lambda x: ops.rms_normalization(x, var, epsilon=0.1), (x,)),
        ("Normalize", "plain", ops.normalize, (x,)), ("Normalize", "one", lambda x: ops.normalize(x, axis=1, order=1), (x,)),
        ("Normalize", "three", lambda x: ops.normalize(x, order=3), (x,)),
    ]  # fmt: skip
    for op, name, call, given in rows:
        yield Case(op, name, call, given, sizes=(1,))
    q, k, v = array(3, 4, 2, 5), array(3, 6, 2, 5, seed=2), array(3, 6, 2, 5, seed=3)
    mask = array(3, 1, 4, 6, dtype="bool")
    mask[0, 0, 1] = False
    for name, extra in (("plain", {}), ("scale", {"scale": 0.3}), ("causal", {"is_causal": True})):
        yield Case(
            "DotProductAttention", name, lambda q, k, v, e=extra: ops.dot_product_attention(q, k, v, **e), (q, k, v)
        )
    yield Case(
        "DotProductAttention", "mask", lambda q, k, v, m: ops.dot_product_attention(q, k, v, mask=m), (q, k, v, mask)
    )
    yield Case(
        "DotProductAttention",
        "bias",
        lambda q, k, v, b: ops.dot_product_attention(q, k, v, bias=b),
        (q, k, v, array(3, 2, 4, 6)),
    )
    yield Case(
        "DotProductAttention", "grouped", lambda q, k, v: ops.dot_product_attention(q, k, v), (array(3, 4, 4, 5), k, v)
    )
    yield Case(
        "DotProductAttention",
        "half",
        lambda q, k, v: ops.dot_product_attention(q, k, v),
        tuple((a / 3).astype("float16") for a in (q, k, v)),
    )


def losses() -> Iterator[Case]:
    """From probabilities and from logits; straight out of a sigmoid or softmax, too."""
    from keras import ops

    p = array(3, 4, low=0, high=1)
    p[0, 0], p[0, 1] = 0, 1
    x, t = array(3, 4, low=-60, high=60), array(3, 4, low=0, high=1, seed=4)
    ids = np.array([0, 3, 1], "int32")
    rows: list[Row] = [
        ("BinaryCrossentropy", "probabilities", ops.binary_crossentropy, (t, p)),
        ("BinaryCrossentropy", "logits", lambda t, x: ops.binary_crossentropy(t, x, from_logits=True), (t, x)),
        ("BinaryCrossentropy", "sigmoid", lambda t, x: ops.binary_crossentropy(t, ops.sigmoid(x)), (t, x)),
        ("CategoricalCrossentropy", "probabilities", ops.categorical_crossentropy, (t, p)),
        ("CategoricalCrossentropy", "logits", lambda t, x: ops.categorical_crossentropy(t, x, from_logits=True), (t, x)),
        ("CategoricalCrossentropy", "softmax", lambda t, x: ops.categorical_crossentropy(t, ops.softmax(x)), (t, x)),
        ("CategoricalCrossentropy", "axis",
         lambda t, p: ops.categorical_crossentropy(t, p, axis=1), (array(3, 4, 2, low=0), array(3, 4, 2, low=0.1, high=1))),
        ("SparseCategoricalCrossentropy", "probabilities", ops.sparse_categorical_crossentropy, (ids, p)),
        ("SparseCategoricalCrossentropy", "logits", lambda t, x: ops.sparse_categorical_crossentropy(t, x, from_logits=True), (ids, x)),
        ("SparseCategoricalCrossentropy", "column",
         lambda t, x: ops.sparse_categorical_crossentropy(t, x, from_logits=True), (ids[:, None], x)),
    ]  # fmt: skip
    for op, name, call, given in rows:
        yield Case(op, name, call, given, sizes=(1,))
    yield Case(
        "PSNR", "plain", lambda x, y: ops.psnr(x, y, 255.0), (array(3, 4, 4, 2), array(3, 4, 4, 2, seed=3)), sizes=(1,)
    )


def images() -> Iterator[Case]:
    """Sizes, colours, edges, pieces."""
    from keras import ops

    im, x, first = ops.image, array(2, 6, 8, 3, low=0, high=1), array(2, 3, 6, 8, low=0, high=1)
    bytes_ = array(2, 6, 8, 3, dtype="uint8", low=0, high=255)
    for form in ("nearest", "bilinear", "bicubic", "area", "lanczos3", "lanczos5"):
        for size in ((3, 5), (9, 12), (6, 8)):
            for wide in (False, True):
                if wide and form in ("nearest", "area"):
                    continue
                yield Case(
                    "Resize",
                    f"{form}, {size}, {wide}",
                    lambda x, f=form, s=size, w=wide: im.resize(x, s, f, w),
                    (x,),
                    sizes=(1,),
                )
    rows: list[Row] = [
        ("Resize", "first", lambda x: im.resize(x, (4, 4), data_format="channels_first"), (first,)),
        ("Resize", "bytes", lambda x: im.resize(x, (4, 4)), (bytes_,)),
        ("Resize", "bytes, nearest", lambda x: im.resize(x, (4, 4), "nearest"), (bytes_,)),
        ("Resize", "half", lambda x: im.resize(x, (4, 4)), (x.astype("float16"),)),
        ("Resize", "cropped", lambda x: im.resize(x, (4, 4), crop_to_aspect_ratio=True), (x,)),
        ("Resize", "padded", lambda x: im.resize(x, (4, 4), pad_to_aspect_ratio=True, fill_value=0.5), (x,)),
        ("RGBToGrayscale", "plain", im.rgb_to_grayscale, (x,)), ("RGBToGrayscale", "bytes", im.rgb_to_grayscale, (bytes_,)),
        ("RGBToGrayscale", "first", lambda x: im.rgb_to_grayscale(x, "channels_first"), (first,)),
        ("RGBToHSV", "plain", im.rgb_to_hsv, (x,)), ("RGBToHSV", "grey", im.rgb_to_hsv, (np.repeat(x[..., :1], 3, -1) * np.float32(0.5),)),
        ("HSVToRGB", "plain", im.hsv_to_rgb, (x,)), ("HSVToRGB", "first", lambda x: im.hsv_to_rgb(x, "channels_first"), (first,)),
        ("PadImages", "pads", lambda x: im.pad_images(x, 1, 2, 3, 0), (x,)),
        ("PadImages", "target", lambda x: im.pad_images(x, top_padding=1, left_padding=0, target_height=9, target_width=9), (x,)),
        ("CropImages", "crops", lambda x: im.crop_images(x, 1, 2, 3, 0), (x,)),
        ("CropImages", "target", lambda x: im.crop_images(x, top_cropping=1, left_cropping=0, target_height=3, target_width=4), (x,)),
        ("ExtractPatches", "plain", lambda x: im.extract_patches(x, 2), (x,)),
        ("ExtractPatches", "same", lambda x: im.extract_patches(x, (3, 2), 2, padding="same"), (x,)),
        ("GaussianBlur", "plain", im.gaussian_blur, (x,)),
        ("GaussianBlur", "uneven", lambda x: im.gaussian_blur(x, (5, 3), (2.0, 0.5)), (x,)),
        ("SobelEdges", "last", lambda x: im.sobel_edges(x, "channels_last"), (x,)),
        ("SobelEdges", "first", lambda x: im.sobel_edges(x, "channels_first"), (first,)),
    ]  # fmt: skip
    for op, name, call, given in rows:
        yield Case(op, name, call, given, sizes=(1,))
    factors, shifts = np.array([0.5, 1.2], "float32"), np.array([0.3, -1.0], "float32")
    for form, wide in (("linear", True), ("cubic", False), ("lanczos3", True)):
        yield Case(
            "ScaleAndTranslate", form,
            lambda x, f=form, w=wide: im.scale_and_translate(x, (2, 4, 9, 3), factors, shifts, (1, 2), f, antialias=w), (x,),
            dynamic=(), sizes=(),
        )  # fmt: skip
    yield Case(
        "SSIM", "plain", lambda x, y: im.ssim(x, y, filter_size=5), (x, x * np.float32(0.9)), dynamic=(), sizes=()
    )
    yield Case("Resize", "one image", lambda x: im.resize(x, (4, 4)), (x[0],), dynamic=(), sizes=())
    yield Case("GaussianBlur", "one image", im.gaussian_blur, (x[0],), dynamic=(), sizes=())
    at = array(2, 7, low=-1, high=6)
    for order in (0, 1):
        for fill in ("constant", "nearest"):
            yield Case(
                "MapCoordinates",
                f"{order}, {fill}",
                lambda x, a, o=order, f=fill: im.map_coordinates(x, a, o, f, 0.5),
                (array(5, 6), at),
                dynamic=(),
                sizes=(),
            )
    nan = np.array([[np.nan, 1, 3, 0.5], [np.nan] * 4, [2, np.nan, 0, 7]], "float32")
    for method in ("linear", "lower", "higher", "nearest", "midpoint"):
        yield Case(
            "Nanquantile", method, lambda x, m=method: ops.nanquantile(x, 0.3, axis=1, method=m), (nan,), sizes=(1,)
        )
    yield Case("Nanpercentile", "plain", lambda x: ops.nanpercentile(x, 30.0, axis=1), (nan,), sizes=(1,))
    yield Case("Nanmedian", "kept", lambda x: ops.nanmedian(x, axis=1, keepdims=True), (nan,), sizes=(1,))
    yield Case("Nanmedian", "all", ops.nanmedian, (nan,), sizes=(1,))
