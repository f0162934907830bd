"""Kernels over integers whose range lies in other tensors: every integer must be TensorFlow's own."""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from typing import Any

import numpy as np

from tests.importers.tensorflow.harness import INSIDE, Case, Fixed, Table, fixed

RANGES = ((-1.0, 2.0), (-5.3, 6.1), (0.0, 3.3), (-3.0, 0.0), (0.001, 0.002))
BYTES = np.random.default_rng(1).integers(0, 256, (3, 8)).astype("uint8")
BYTES[0, :2] = 0, 255
WORDS = np.random.default_rng(2).integers(-(2**20), 2**20, (3, 8)).astype("int32")
LIMITS = np.concatenate([WORDS, np.array([[2**31 - 1, -(2**31), 2**30 + 77, 0, 1, -1, 5, 2**24 + 1]], "int32")])


def _ends(*names: str, of: Any = (-1.0, 2.0, -1.0, 1.5), given: bool = True) -> dict[str, Any]:
    made = [np.array(v, "float32") for v in of]
    return {n: Fixed(v) if given else v for n, v in zip(names, made, strict=False)}


def _elements() -> Iterator[Case]:
    for low, high in RANGES:
        for kind, x in (("quint8", BYTES), ("qint32", LIMITS)):
            ends = _ends("min_features", "max_features", of=(low, high), given=low != 0)
            for op in ("QuantizedRelu", "QuantizedRelu6"):
                given = {"features": x, **ends}
                yield Case(op, f"{kind} {low} {high}", given, {"out_type": kind}, quantised={"features": kind})
    for kind in ("quint8", "qint32"):
        given = {
            "tensor": WORDS if kind == "qint32" else BYTES,
            "shape": fixed([-1, 4]),
            **_ends("input_min", "input_max"),
        }
        yield Case("QuantizedReshape", kind, given, quantised={"tensor": kind})
    image = np.random.default_rng(3).integers(0, 256, (2, 6, 5, 3)).astype("uint8")
    for kind, padding, size, step in itertools.product(("quint8", "qint8"), ("SAME", "VALID"), (2, 3), (1, 2)):
        attrs = {"ksize": [1, size, size, 1], "strides": [1, step, step, 1], "padding": padding}
        given = {"input": image.view("uint8" if kind == "quint8" else "int8"), **_ends("min_input", "max_input")}
        for op in ("QuantizedMaxPool", "QuantizedAvgPool"):
            yield Case(op, f"{kind} {attrs}", given, attrs, quantised={"input": kind}, open=(0, 1), sizes=(7,))
    for kind, x in (("quint8", BYTES), ("qint32", LIMITS[:3])):
        for a, b in (
            ((-1.0, 2.0), (-3.0, 1.0)),
            ((0.0, 1.0), (0.0, 1.0)),
            ((-1.0, 2.0), (-0.5, 2.0)),
            ((2.0, 2.0), (0.0, 2.0)),
        ):
            two = {"values": [x, x[:, ::-1].copy()], "input_mins": [fixed(r[0], "float32") for r in (a, b)]}
            given = {"concat_dim": fixed(1), **two, "input_maxes": [fixed(r[1], "float32") for r in (a, b)]}
            yield Case("QuantizedConcat", f"{kind} {a} {b}", given, quantised={"values": kind})


def _sums() -> Iterator[Case]:
    rng = np.random.default_rng(4)
    bias, other = rng.integers(0, 256, 8).astype("uint8"), rng.integers(0, 256, (8, 5)).astype("uint8")
    for low, high in RANGES:
        ends = _ends("min_input", "max_input", "min_bias", "max_bias", of=(low, high, -0.3, 7), given=low != 0)
        for kind in ("quint8", "qint8"):
            held = {"input": BYTES.view(kind[1:]), "bias": bias.view(kind[1:])}
            both = {"input": kind, "bias": kind}
            yield Case("QuantizedBiasAdd", f"{kind} {low}", {**held, **ends}, {"out_type": "qint32"}, quantised=both)
        both = {"x": "quint8", "y": "quint8"}
        ends = _ends("min_x", "max_x", "min_y", "max_y", of=(low, high, -1, 1.5), given=low != 0)
        for y in (bias, bias[:1], BYTES[::-1].copy(), np.uint8(7)):
            shape = np.shape(y)
            yield Case("QuantizedMul", f"{low} {shape}", {"x": BYTES, "y": y, **ends}, quantised=both, open=())
            yield Case("QuantizedMul", f"{low} {shape} turned", {"y": BYTES, "x": y, **ends}, quantised=both, open=())
        for a, b in itertools.product((False, True), repeat=2):
            given = {"a": BYTES.T.copy() if a else BYTES, "b": other.T.copy() if b else other}
            ends = _ends("min_a", "max_a", "min_b", "max_b", of=(low, high, -1, 1.5))
            attrs = {"transpose_a": a, "transpose_b": b}
            name, both = f"{low} {attrs}", {"a": "quint8", "b": "quint8"}
            yield Case("QuantizedMatMul", name, {**given, **ends}, attrs, quantised=both, open=(1,) if a else (0,))
    full = {"a": np.full((1, 70000), 255, "uint8"), "b": np.full((70000, 1), 255, "uint8")}
    ends = _ends("min_a", "max_a", "min_b", "max_b", of=(0, 1, 0, 1))
    yield Case("QuantizedMatMul", "wraps", {**full, **ends}, quantised=both, open=())
    point = {"a": BYTES, "b": other, **_ends("min_a", "max_a", "min_b", "max_b", of=(1, 1, 0, 1))}
    yield Case("QuantizedMatMul", "a point", point, quantised=both, open=(), refused="no more than a point")
    column = {"x": BYTES, "y": BYTES[:, :1], **_ends("min_x", "max_x", "min_y", "max_y")}
    both = {"x": "quint8", "y": "quint8"}
    yield Case("QuantizedMul", "a column", column, quantised=both, open=(), refused="lays out otherwise")
    image, filters = (
        rng.integers(0, 256, (2, 6, 5, 3)).astype("uint8"),
        rng.integers(0, 256, (3, 2, 3, 4)).astype("uint8"),
    )
    for (low, high), padding, step in itertools.product(RANGES[:4], ("SAME", "VALID"), (1, 2)):
        ends = _ends("min_input", "max_input", "min_filter", "max_filter", of=(low, high, -1, 1.5))
        given, attrs = (
            {"input": image, "filter": Fixed(filters), **ends},
            {"strides": [1, step, step, 1], "padding": padding},
        )
        both = {"input": "quint8", "filter": "quint8"}
        yield Case("QuantizedConv2D", f"{low} {attrs}", given, attrs, quantised=both, sizes=(1,))
    deep = {"input": np.full((1, 2, 2, 2400), 255, "uint8"), "filter": np.full((2, 2, 2400, 1), 255, "uint8")}
    wide = {"strides": [1, 1, 1, 1], "padding": "SAME"}
    yield Case("QuantizedConv2D", "deep", {**deep, **ends}, wide, quantised=both, open=())
    both = {"input": "quint8", "filter": "qint8"}
    signed = {**given, "filter": filters.view("int8")}
    yield Case("QuantizedConv2D", "signed", signed, attrs, quantised=both, open=(), refused="a kernel of oneDNN's")


def _bits() -> Iterator[Case]:
    q = {"quantised": {"input": "qint32"}}
    for low, high in RANGES:
        ends = _ends("input_min", "input_max", of=(low, high), given=low != 0)
        for name, x in (("small", WORDS), ("limits", LIMITS)):
            given = {"input": x, **ends}
            yield Case("RequantizationRange", f"{name} {low}", given, sizes=(2,), **q)
        yield Case("QuantizeDownAndShrinkRange", f"{low}", {"input": WORDS, **ends}, {"out_type": "quint8"}, **q)
        for start, end in ((-1.0, 2.0), (-0.001, 0.002), (0.0, 3.0), (-3.0, 0.0), (0.0, 0.0)):
            asked = _ends("requested_output_min", "requested_output_max", of=(start, end), given=low != 0)
            for to in ("quint8", "qint8"):
                given = {"input": LIMITS, **ends, **asked}
                yield Case("Requantize", f"{low} {start} {end} {to}", given, {"out_type": to}, **q)
    wrong = {**given, **_ends("requested_output_min", "requested_output_max", of=(0.5, 1))}
    yield Case("Requantize", "without 0", wrong, {"out_type": "quint8"}, open=(), refused="a range without 0", **q)


def _uniform() -> Iterator[Case]:
    x = np.concatenate(
        [np.random.default_rng(5).uniform(-6, 6, 60), np.arange(-2, 2, 0.125), [np.inf, -np.inf, np.nan, 1e30]]
    )
    for kind, least, most in (
        ("qint8", -128, 127),
        ("qint8", -7, 8),
        ("quint8", 0, 255),
        ("qint32", -(2**31), 2**31 - 1),
    ):
        ends = {"quantization_min_val": least, "quantization_max_val": most}
        for scale, zero in ((0.037, 3), (0.25, 0), (0.5, -7)):
            numbers = {"scales": fixed(scale, "float32"), "zero_points": fixed(zero)}
            given = {"input": x.astype("float32"), **numbers}
            yield Case("UniformQuantize", f"{kind} {most} {scale}", given, {**ends, "Tout": kind})
            whole = {"input": np.array([least, most, 0, 5, -3 if least else 3]).astype(INSIDE[kind]), **numbers}
            back = {**ends, "Tout": "float32"}
            yield Case("UniformDequantize", f"{kind} {most} {scale}", whole, back, quantised={"input": kind})
    each = {"scales": np.array([0.1, 0.2, 0.3], "float32"), "zero_points": np.array([0, 1, -2], "int32")}
    for axis in (0, 1):
        some = {**ends, "quantization_axis": axis, "quantization_min_val": -128, "quantization_max_val": 127}
        rows = np.moveaxis(x[:12].reshape(3, 4), 0, axis).astype("float32")
        yield Case(
            "UniformQuantize", f"axis {axis}", {"input": rows, **each}, {**some, "Tout": "qint8"}, open=(1 - axis,)
        )
        held = {"input": np.moveaxis(BYTES.view("int8"), 0, axis), **each}
        back = {**some, "Tout": "float32"}
        yield Case("UniformDequantize", f"axis {axis}", held, back, quantised={"input": "qint8"}, open=(1 - axis,))


TABLES: dict[str, Table] = {"elements": _elements, "sums": _sums, "bits": _bits, "uniform": _uniform}
