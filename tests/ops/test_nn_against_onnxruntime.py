"""Convolutions, pools and norms against ONNX Runtime: `same_*` padding, asymmetric pads, dilated mean pools."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from ir.ops.axes import to_channels_first
from tests.ops.nn_ort import run_op
from tests.ops.nn_samples import Case, cases, close

AUTO_PAD = {"valid": "VALID", "same_upper": "SAME_UPPER", "same_lower": "SAME_LOWER"}


def _inputs(case: Case, *names: str) -> dict[str, np.ndarray | None]:
    """Operands as contiguous float32, the data with its channels first."""
    out: dict[str, np.ndarray | None] = {"x": to_channels_first(case.operands["x"], case.attrs["layout"])}
    out |= {name: case.operands[name] for name in names}
    return {k: None if v is None else np.ascontiguousarray(v.astype(np.float32)) for k, v in out.items()}


def _padding(case: Case) -> dict[str, Any] | None:
    """ONNX's padding attributes, None where it has no such padding (causal; `same` together with dilation)."""
    padding = case.attrs["padding"]
    if isinstance(padding, tuple):
        return {"pads": [before for before, _ in padding] + [after for _, after in padding]}
    dilated = padding.startswith("same") and set(case.attrs["dilations"]) - {1}
    return None if padding == "causal" or dilated else {"auto_pad": AUTO_PAD[padding]}


def _check(case: Case, expected: np.ndarray) -> None:
    close(to_channels_first(case.run()[0], case.attrs["layout"]), expected.astype(np.float64), 1e-3, 1e-4, case)


def _kernel(case: Case) -> dict[str, Any]:
    a = case.attrs
    return {"strides": a["strides"], "dilations": a["dilations"] or [1] * (case.operands["x"].ndim - 2)}


def test_conv() -> None:
    seen = set()
    for case in cases("conv"):
        pads = _padding(case)
        if pads is not None and case.operands["x"].size:
            given = _inputs(case, "weight", "bias")
            _check(case, run_op("Conv", given, {**_kernel(case), **pads, "group": case.attrs["groups"]}, 22)[0])
            seen.add(pads.get("auto_pad", "explicit"))
    assert seen == {"VALID", "SAME_UPPER", "SAME_LOWER", "explicit"}


def test_conv_transpose() -> None:
    for case in cases("conv_transpose"):
        a = case.attrs
        steps = zip(a["output_padding"], a["strides"], a["dilations"], strict=True)
        if case.operands["x"].size and all(p < max(s, d) for p, s, d in steps):  # ONNX Runtime refuses others
            attrs = {
                **_kernel(case),
                **(_padding(case) or {}),
                "group": a["groups"],
                "output_padding": a["output_padding"],
            }
            _check(case, run_op("ConvTranspose", _inputs(case, "weight", "bias"), attrs, 22)[0])


@pytest.mark.parametrize("name", ["max_pool", "avg_pool"])
def test_pool(name: str) -> None:
    seen = set()
    for case in cases(name):
        a, pads = case.attrs, _padding(case)
        if pads is None or not case.operands["x"].size or a.get("divisor") or np.isinf(case.operands["x"]).any():
            continue
        if any(p >= w for p, w in zip(pads.get("pads", ()), (*a["window"], *a["window"]))):
            continue  # ONNX Runtime pads less than a window
        attrs = {**_kernel(case), **pads, "kernel_shape": a["window"], "ceil_mode": int(a["ceil_mode"])}
        if name == "avg_pool":
            attrs["count_include_pad"] = int(a["include_pad"])
        _check_pool(case, run_op("MaxPool" if name == "max_pool" else "AveragePool", _inputs(case), attrs, 22)[0])
        seen.add((pads.get("auto_pad", "explicit"), a["ceil_mode"], max(_kernel(case)["dilations"]) > 1))
    assert {p for p, _, _ in seen} == {"VALID", "SAME_UPPER", "SAME_LOWER", "explicit"}
    assert ("explicit", False, True) in seen


def _check_pool(case: Case, expected: np.ndarray) -> None:
    out = to_channels_first(case.run()[0], case.attrs["layout"]).astype(np.float64)
    close(out, expected.astype(np.float64), 1e-4, 1e-5, case)


def test_lrn_of_odd_size() -> None:
    compared = 0
    for case in cases("lrn"):
        a = case.attrs
        if a["size"] % 2 and case.operands["x"].ndim == 4:
            attrs = {"size": a["size"], "alpha": a["alpha"], "beta": a["beta"], "bias": a["k"]}
            _check(case, run_op("LRN", _inputs(case), attrs, 13)[0])
            compared += 1
    assert compared > 5
