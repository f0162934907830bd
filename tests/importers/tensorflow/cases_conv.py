"""Convolutions. What the CPU has no kernel for (channels first, gradients with dilations or groups) is in test_definitions."""

from __future__ import annotations

import itertools
from collections.abc import Iterator

import numpy as np

from tests.importers.tensorflow.harness import Case, Table, array, fixed

IMAGE = array(2, 7, 6, 4)
EXPLICIT = [0, 0, 1, 2, 0, 1, 0, 0]


def cases() -> Iterator[Case]:
    yield from _plain()
    yield from _depthwise()
    yield from _transposed()
    yield from _dilation()


def _plain() -> Iterator[Case]:
    sizes = {"open": (0, 1, 2), "sizes": (5, 8)}
    for padding, strides, dilations in itertools.product(("SAME", "VALID"), ((1, 1), (2, 1), (2, 3)), ((1, 1), (1, 2))):
        attrs = {"strides": [1, *strides, 1], "dilations": [1, *dilations, 1], "padding": padding}
        operands = {"input": IMAGE, "filter": fixed(array(3, 2, 4, 5), "float32")}
        yield Case("Conv2D", f"{padding} {strides} {dilations}", operands, attrs, **sizes)
    plain = {"strides": [1, 2, 1, 1], "padding": "EXPLICIT", "explicit_paddings": EXPLICIT}
    yield Case("Conv2D", "explicit", {"input": IMAGE, "filter": array(3, 2, 4, 5)}, plain)
    same = {"strides": [1, 1, 1, 1], "padding": "SAME"}
    yield Case("Conv2D", "groups", {"input": IMAGE, "filter": array(3, 2, 2, 6)}, same)
    yield Case("Conv2D", "no batch", {"input": IMAGE[:0], "filter": array(3, 2, 4, 5)}, same, open=())
    for kind in ("float64", "float16", "bfloat16"):
        operands = {"input": array(1, 4, 5, 2, dtype=kind), "filter": array(2, 2, 2, 3, dtype=kind)}
        yield Case("Conv2D", kind, operands, same, rtol=2e-2 if kind != "float64" else None)
    whole = {"input": array(1, 4, 5, 2, dtype="int32"), "filter": array(2, 2, 2, 3, dtype="int32")}
    yield Case("Conv2D", "integers", whole, same, refused="a convolution of int32")
    volume = {"input": array(1, 4, 6, 5, 2), "filter": fixed(array(2, 3, 2, 2, 3), "float32")}
    for padding in ("SAME", "VALID"):
        yield Case(
            "Conv3D", padding, volume, {"strides": [1, 1, 2, 1, 1], "padding": padding}, open=(1, 2), sizes=(4, 7)
        )
    own = {"strides": [1, 2, 1, 1], "dilations": [1, 1, 2, 1], "padding": "EXPLICIT", "explicit_paddings": EXPLICIT}
    yield Case("Conv", "image", {"input": IMAGE, "filter": array(3, 2, 4, 5)}, own)
    yield Case("Conv", "volume", volume, {"strides": [1, 1, 2, 1, 1], "padding": "SAME"})
    lead = {"input": array(2, 3, 5, 6, 4), "filter": array(3, 2, 4, 5)}
    yield Case("Conv", "batches", lead, {**same, "batch_dims": 2}, open=(0, 1))


def _depthwise() -> Iterator[Case]:
    for padding, each in itertools.product(("SAME", "VALID"), (1, 2)):
        attrs = {"strides": [1, 2, 2, 1], "padding": padding}
        operands = {"input": IMAGE, "filter": array(3, 2, 4, each)}
        yield Case("DepthwiseConv2dNative", f"{padding} {each}", operands, attrs, open=(0,))
    attrs = {"strides": [1, 1, 1, 1], "padding": "EXPLICIT", "explicit_paddings": EXPLICIT}
    yield Case("DepthwiseConv2dNative", "explicit", {"input": IMAGE, "filter": array(3, 2, 4, 2)}, attrs)


def _transposed() -> Iterator[Case]:
    """Sizes of the result as the forward convolution's input; each output size has more than one of them."""
    for name, size, strides, padding in (
        ("same", (7, 6), (1, 1), "SAME"), ("same, strides", (7, 6), (2, 3), "SAME"), ("same, wide strides", (10, 8), (5, 4), "SAME"),
        ("valid", (7, 6), (2, 1), "VALID"), ("valid, rest", (8, 7), (2, 3), "VALID"), ("valid, gap", (11, 6), (5, 1), "VALID"),
    ):  # fmt: skip
        grown = [-(-n // s) if padding == "SAME" else (n - k) // s + 1 for n, s, k in zip(size, strides, (3, 2))]
        operands = {
            "input_sizes": fixed([2, *size, 4]),
            "filter": array(3, 2, 4, 5),
            "out_backprop": array(2, *grown, 5),
        }
        yield Case("Conv2DBackpropInput", name, operands, {"strides": [1, *strides, 1], "padding": padding}, open=())
        run = {**operands, "input_sizes": np.array(size, "int32")}
        yield Case(
            "Conv2DBackpropInput",
            f"{name}, at run time",
            run,
            {"strides": [1, *strides, 1], "padding": padding},
            open=(),
        )
    grouped = {
        "input_sizes": np.array([2, 7, 6, 4], "int32"),
        "filter": array(3, 2, 4, 5),
        "out_backprop": array(2, 7, 6, 5),
    }
    attrs = {"strides": [1, 1, 1, 1], "padding": "SAME"}
    yield Case("Conv2DBackpropInput", "open channels", grouped, attrs, open=(), refused="by filters of 4")
    attrs = {"strides": [1, 2, 1, 1], "padding": "EXPLICIT", "explicit_paddings": EXPLICIT}
    operands = {"input_sizes": fixed([2, 7, 6, 4]), "filter": array(3, 2, 4, 5), "out_backprop": array(2, 4, 6, 5)}
    yield Case("Conv2DBackpropInput", "explicit", operands, attrs, open=())
    volume = {
        "input_sizes": fixed([1, 4, 6, 5, 2]),
        "filter": array(2, 3, 2, 2, 3),
        "out_backprop": array(1, 4, 3, 5, 3),
    }
    yield Case("Conv3DBackpropInputV2", "volume", volume, {"strides": [1, 1, 2, 1, 1], "padding": "SAME"}, open=())
    depth = {"input_sizes": fixed([2, 7, 6, 4]), "filter": array(3, 2, 4, 2), "out_backprop": array(2, 4, 3, 8)}
    attrs = {"strides": [1, 2, 2, 1], "padding": "SAME"}
    yield Case("DepthwiseConv2dNativeBackpropInput", "same", depth, attrs, open=())


def _dilation() -> Iterator[Case]:
    for padding, strides, rates in (("SAME", (2, 1), (1, 2)), ("VALID", (1, 1), (1, 1)), ("SAME", (1, 3), (2, 1))):
        attrs = {"strides": [1, *strides, 1], "rates": [1, *rates, 1], "padding": padding}
        operands = {"input": IMAGE, "filter": fixed(array(3, 2, 4), "float32")}
        yield Case("Dilation2D", f"{padding} {strides} {rates}", operands, attrs, open=(0, 1), sizes=(5, 8))
    odd = np.array([np.nan, -np.inf, 1.0, np.nan, np.nan, -np.inf], "float32").reshape(1, 2, 3, 1)
    attrs = {"strides": [1, 1, 1, 1], "rates": [1, 1, 1, 1], "padding": "VALID"}
    yield Case("Dilation2D", "edges", {"input": odd, "filter": array(1, 2, 1)}, attrs, open=())
    whole = {"input": array(1, 4, 4, 2, dtype="int32"), "filter": array(2, 2, 2, dtype="int32")}
    yield Case("Dilation2D", "integers", whole, attrs, refused="a convolution of int32")


TABLES: dict[str, Table] = {"all": cases}
