"""Rounding to a few bits and back. Values halfway between two steps are left to rounding, and do not occur."""

from __future__ import annotations

import itertools
from collections.abc import Iterator

import numpy as np

from tests.importers.tensorflow.harness import Case, Table, array, fixed

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


TABLES: dict[str, Table] = {"fake": _fake, "steps": _steps}
