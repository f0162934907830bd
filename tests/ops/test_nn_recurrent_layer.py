"""Recurrent layers with options of their own against ONNX Runtime's kernels."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from ir.ops.recurrent_cell import ACTIVATIONS, DEFAULTS
from tests.ops.nn_ort import run_op
from tests.ops.nn_samples import Case, cases, close

ORDER = {"lstm": (0, 3, 1, 2), "gru": (1, 0, 2), "rnn": (0,)}
"""Gates in ONNX's order."""


def _rows(w: np.ndarray, order: tuple[int, ...]) -> np.ndarray:
    parts = np.split(w, len(order))
    return np.concatenate([parts[i] for i in order])


def onnx_attributes(case: Case) -> dict[str, Any]:
    a = case.attrs
    count = 2 if a["direction"] == "bidirectional" else 1
    names = a["activations"] or DEFAULTS[a["kind"]] * count
    attrs: dict[str, Any] = {"hidden_size": a["hidden_size"], "direction": a["direction"]}
    attrs["activations"] = ["".join(part.capitalize() for part in n.split("_")) for n in names]
    takes = {
        "affine": "ab",
        "leaky_relu": "a",
        "thresholded_relu": "a",
        "scaled_tanh": "ab",
        "hard_sigmoid": "ab",
        "elu": "a",
    }
    for key, letter in (("alpha", "a"), ("beta", "b")):
        given = [v for n, v in zip(names, a[key] or (0.0,) * len(names)) if letter in takes.get(n, "")]
        attrs |= {f"activation_{key}": given} if given else {}
    attrs |= {"clip": a["clip"]} if a["clip"] is not None else {}
    attrs |= {"input_forget": int(a["coupled"])} if a["kind"] == "lstm" else {}
    attrs |= {"linear_before_reset": int(a["linear_before_reset"])} if a["kind"] == "gru" else {}
    return attrs


def onnx_inputs(case: Case) -> dict[str, Any]:
    a, o, order = case.attrs, case.operands, ORDER[case.attrs["kind"]]
    each = 4 if a["bias"] else 2
    groups = [o["weights"][i : i + each] for i in range(0, len(o["weights"]), each)]
    given = {
        "x": o["x"], "w": np.stack([_rows(g[0], order) for g in groups]), "r": np.stack([_rows(g[1], order) for g in groups]),
        "b": np.stack([np.concatenate([_rows(v, order) for v in g[2:]]) for g in groups]) if a["bias"] else None,
        "n": o["lengths"], "h": o["initial_h"],
    }  # fmt: skip
    if a["kind"] == "lstm":
        given |= {
            "c": o["initial_c"],
            "p": np.stack([_rows(p, (0, 2, 1)) for p in o["peepholes"]]) if o["peepholes"] else None,
        }
    return {k: v if v is None or k == "n" else v.astype(np.float32) for k, v in given.items()}


def onnx_result(case: Case) -> list[np.ndarray]:
    outs = ("y", "h1", "c1") if case.attrs["kind"] == "lstm" else ("y", "h1")
    want = run_op(case.attrs["kind"].upper(), onnx_inputs(case), onnx_attributes(case), 14, outs)
    time, count, batch, hidden = want[0].shape
    want[0] = np.moveaxis(want[0], 1, 2).reshape(time, batch, count * hidden)
    return want


def test_against_onnxruntime() -> None:
    """Every option but what the runtime does in its own way: empty sequences, and the clip of an LSTM's cell."""
    seen: set[str] = set()
    for case in cases("recurrent_layer"):
        a, lengths = case.attrs, case.operands["lengths"]
        if 0 in case.operands["x"].shape or (a["kind"] == "lstm" and a["clip"] is not None):
            continue
        live = slice(None) if lengths is None else lengths > 0  # of an empty sequence the runtime's final state is 0
        for have, expected in zip(case.run(), onnx_result(case), strict=True):
            close(have[:, live], expected[:, live].astype(np.float64), 1e-5, 1e-6, case)
        seen |= {a["kind"], a["direction"], *a["activations"]}
    assert seen == {*ORDER, *ACTIVATIONS, "forward", "reverse", "bidirectional"}


@pytest.mark.parametrize("name", ["affine", "hard_sigmoid", "scaled_tanh", "elu"])
def test_numbers_that_are_not_given_are_zero(name: str) -> None:
    """As ONNX says of an activation whose numbers are left out where it has no default."""
    case = next(c for c in cases("recurrent_layer") if c.attrs["kind"] == "rnn" and c.attrs["activations"] == (name,))
    for given in ("alpha", "beta", ""):
        numbers = {k: (0.75,) if k == given else (0.0,) for k in ("alpha", "beta")}
        left_out = {k: v if k == given else () for k, v in numbers.items()}
        results = []
        for own in (numbers, left_out):
            case.attrs = {**case.attrs, **own}
            results.append(case.run())
        for a, b in zip(*results, strict=True):
            np.testing.assert_array_equal(a, b)


def test_the_clip_bounds_what_enters_the_last_activation() -> None:
    """ONNX says "the input of activations", of which h is one; the runtime leaves it alone."""
    differ = []
    for case in cases("recurrent_layer"):
        a, bound = case.attrs, case.attrs["clip"]
        if a["kind"] != "lstm" or bound is None or case.operands["lengths"] is not None or not case.operands["x"].size:
            continue
        y, want = case.run()[0], onnx_result(case)[0]
        assert (np.abs(y) <= np.tanh(bound) + 1e-9).all()
        differ.append(np.abs(y - want).max() > 1e-3)
    assert any(differ), "no sample has a cell beyond the clip"
