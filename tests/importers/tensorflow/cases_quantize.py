"""Rounding to a few bits and back. Values halfway between two steps are left to rounding, and do not occur."""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from typing import Any

import numpy as np

from tests.importers.tensorflow.harness import INSIDE, Case, Fixed, Table, array, fixed

X = array(6, 5, low=-8, high=8)
RANGES = ((-6.0, 6.0), (0.0, 1.0), (-1.0, 3.3), (0.5, 3.0), (-3.0, -1.0), (-0.1, 0.2), (0.0, 0.0))


def _fake() -> Iterator[Case]:
    for (low, high), bits, narrow in itertools.product(RANGES, (8, 3), (False, True)):
        attrs = {"num_bits": bits, "narrow_range": narrow}
        name = f"{low} {high} {attrs}"
        if low < high:
            yield Case("FakeQuantWithMinMaxArgs", name, {"inputs": X}, {**attrs, "min": low, "max": high})
        ends = {"min": np.array(low, "float32"), "max": np.array(high, "float32")}
        yield Case("FakeQuantWithMinMaxVars", name, {"inputs": X, **ends}, attrs)
        each = {
            "min": np.array([low, -1, -2, -0.5, 0.0], "float32"),
            "max": np.array([high, 2, 1, 0.7, 0.0], "float32"),
        }
        yield Case("FakeQuantWithMinMaxVarsPerChannel", name, {"inputs": X, **each}, attrs, open=())
    odd = np.array([np.inf, -np.inf, np.nan, 0.3], "float32")
    yield Case("FakeQuantWithMinMaxArgs", "edges", {"inputs": odd})


def _steps() -> Iterator[Case]:
    forms = ((True, False), (True, True), (False, False))
    ranges = ((-1.0, 1.0), (-2.0, 1.0), (-1.0, 3.0), (0.0, 2.0), (-3.0, 0.0))
    for (low, high), bits, (signed, narrow), given in itertools.product(ranges, (8, 4), forms, (True, False)):
        x = X if signed else np.abs(X)
        ends = {"input": x, "input_min": fixed(low, "float32"), "input_max": fixed(high, "float32")}
        attrs = {"signed_input": signed, "range_given": given, "narrow_range": narrow}
        name = f"{low} {high} {bits} {attrs}"
        op, mode = ("QuantizeAndDequantizeV2", "HALF_TO_EVEN") if bits == 8 else ("QuantizeAndDequantizeV4", "HALF_UP")
        yield Case(op, f"{name} {mode}", ends, {**attrs, "num_bits": bits, "round_mode": mode})
        yield Case("QuantizeAndDequantizeV3", name, {**ends, "num_bits": fixed(bits)}, attrs)
    each = {"input": X, "input_min": array(5, low=-3, high=-1), "input_max": array(5, low=1, high=4)}
    own = {"range_given": False, "axis": 1}
    yield Case("QuantizeAndDequantizeV2", "axis", each, own, open=())
    whole = {"range_given": True, "axis": 1}
    yield Case("QuantizeAndDequantizeV4", "axis, given", each, whole, open=(), refused="a range for each slice")
    half = {"input": X.astype("float16"), "input_min": fixed(-1, "float16"), "input_max": fixed(1, "float16")}
    yield Case("QuantizeAndDequantizeV2", "half", half, refused="rounding of float16")


# -- integers and their range -------------------------------------------------------------------------------------------
NARROW = ("quint8", "qint8", "quint16", "qint16")
GIVEN = ((-1.0, 2.0), (-5.3, 6.1), (0.0, 3.3), (1.0, 4.0), (-3.0, -1.0), (2.0, 2.0))
MODES = ("MIN_COMBINED", "MIN_FIRST", "SCALED")
WIDE = np.concatenate([array(200, low=-7, high=7), np.array([np.inf, -np.inf, 0, -0.0, 1e30], "float32")])


def _ends(low: float, high: float, fixed_ones: bool = True) -> dict[str, Any]:
    made = [np.array(v, "float32") for v in (low, high)]
    low_, high_ = (Fixed(v) for v in made) if fixed_ones else made
    return {"min_range": low_, "max_range": high_}


def _quantize() -> Iterator[Case]:
    for kind, mode, (low, high), narrow in itertools.product(NARROW, MODES, GIVEN, (False, True)):
        if narrow and mode != "SCALED":
            continue
        for rounding in ("HALF_AWAY_FROM_ZERO", "HALF_TO_EVEN")[: 1 + (mode == "SCALED")]:
            attrs = {"T": kind, "mode": mode, "round_mode": rounding, "narrow_range": narrow}
            yield Case("QuantizeV2", f"{attrs} {low} {high}", {"input": WIDE, **_ends(low, high)}, attrs)
    x = array(3, 4, 2, low=-4, high=4)
    each = {"min_range": np.array([-1, 0, -3], "float32"), "max_range": np.array([2, 3, -1], "float32")}
    for kind, mode, axis in itertools.product(NARROW, ("MIN_COMBINED", "SCALED"), (0, 1)):
        given = {"input": np.moveaxis(x, 0, axis), **each}
        yield Case("QuantizeV2", f"{kind} {mode} {axis}", given, {"T": kind, "mode": mode, "axis": axis}, open=(2,))
    one = {"input": x[:1], "min_range": np.array([-1], "float32"), "max_range": np.array([2], "float32")}
    yield Case("QuantizeV2", "one slice", one, {"T": "qint8", "mode": "SCALED", "axis": 0}, open=())
    halves = {"input": np.arange(-8, 8, 0.25, "float32"), **_ends(-8, 7.9375)}
    for kind, mode in itertools.product(NARROW, MODES):
        yield Case("QuantizeV2", f"halves {kind} {mode}", halves, {"T": kind, "mode": mode})
    for least, high in ((0.0, 0.0), (0.5, 0.1), (0.0, 0.001)):
        given = {"input": WIDE, **_ends(0, high)}
        for kind, mode in itertools.product(NARROW[:2], MODES[0 if high else 2 :]):
            attrs = {"T": kind, "mode": mode, "ensure_minimum_range": least}
            yield Case("QuantizeV2", f"{attrs} {high}", given, attrs)
    yield Case("QuantizeV2", "empty", {"input": WIDE[:0], **_ends(-1, 1)}, {"T": "qint8"}, open=())
    run = {"input": WIDE, **_ends(-1, 1, False)}
    yield Case("QuantizeV2", "ends of the run", run, {"T": "quint8"}, notes=("a range that ends before it starts",))
    yield Case("QuantizeV2", "wide", {"input": WIDE, **_ends(-1, 1)}, {"T": "qint32"}, refused="quantising to qint32")


def _dequantize() -> Iterator[Case]:
    for kind in (*NARROW, "qint32"):
        info = np.iinfo(INSIDE[kind])
        x = np.linspace(info.min, info.max, 60).astype(info.dtype)
        x[:2] = info.max, info.min
        for mode, (low, high), narrow in itertools.product(MODES, (*GIVEN, (0.0, 0.0), (4.0, 1.0)), (False, True)):
            if narrow and mode != "SCALED":
                continue
            attrs = {"mode": mode, "narrow_range": narrow}
            given = {"input": x, **_ends(low, high, low != 1)}
            yield Case("Dequantize", f"{kind} {attrs} {low} {high}", given, attrs, quantised={"input": kind})
        half = {"dtype": "bfloat16"}
        yield Case("Dequantize", f"{kind} half", {"input": x, **_ends(-1, 2)}, half, quantised={"input": kind})
        each = {"min_range": array(4, low=-3, high=0), "max_range": array(4, low=0, high=3, seed=2)}
        for mode, axis in itertools.product(("MIN_COMBINED", "SCALED"), (0, 1)):
            given = {"input": np.moveaxis(x[:24].reshape(4, 6), 0, axis), **each}
            attrs = {"mode": mode, "axis": axis}
            yield Case("Dequantize", f"{kind} {attrs}", given, attrs, quantised={"input": kind}, open=(1 - axis,))
    few = {"input": np.zeros((0, 2), "int8"), **_ends(-1, 1)}
    yield Case("Dequantize", "empty", few, quantised={"input": "qint8"}, open=())


def _moved() -> Iterator[Case]:
    """Ops that move integers of a quantised type, and those that are refused."""
    x, q = np.arange(12, dtype="uint8").reshape(3, 4), {"quantised": {"input": "quint8"}}
    yield Case("Reshape", "quantised", {"tensor": x, "shape": fixed([4, 3])}, quantised={"tensor": "quint8"}, open=())
    yield Case("ExpandDims", "quantised", {"input": x, "axis": fixed(1)}, **q)
    yield Case("Squeeze", "quantised", {"input": x[:, :1]}, {"axis": [1]}, **q)
    two = {"values": [x, x[:2]], "axis": fixed(0)}
    yield Case("ConcatV2", "quantised", two, quantised={"values": "qint8"}, open=())
    yield Case("Shape", "quantised", {"input": x}, **q)
    yield Case("Slice", "quantised", {"input": x, "begin": fixed([1, 0]), "size": fixed([2, 3])}, open=(), **q)
    yield Case(
        "GatherV2",
        "quantised",
        {"params": x, "indices": fixed([2, 0]), "axis": fixed(1)},
        quantised={"params": "qint8"},
    )
    yield Case("Pad", "quantised", {"input": x, "paddings": fixed([[1, 0], [0, 2]])}, **q)
    yield Case("Pack", "quantised", {"values": [x, x + 1]}, quantised={"values": "quint8"})
    yield Case("Identity", "quantised", {"input": x}, **q)
    yield Case("Bitcast", "quantised", {"input": x}, {"type": "int8"}, **q)
    yield Case(
        "Cast", "quantised", {"x": x}, {"DstT": "int32"}, quantised={"x": "quint8"}, refused="a tensor of quint8"
    )


TABLES: dict[str, Table] = {
    "fake": _fake, "steps": _steps, "quantize": _quantize, "dequantize": _dequantize, "moved": _moved,
}  # fmt: skip
