"""Random attributes and sizes of the ops with the most of them, some sizes dynamic, against ONNX Runtime."""

from __future__ import annotations

import random
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from onnxruntime.capi.onnxruntime_pybind11_state import (
    Fail,
    InvalidArgument,
    InvalidGraph,
    NotImplemented,
    RuntimeException,
)

from converter.errors import ConversionError
from converter.importers.onnx import load
from tests.importers.onnx.models import FLOAT, agree, floats, model, node, runtime

Case = tuple[Any, list[int], dict[str, np.ndarray], set[int]]
"""Node, shape of x, stored tensors, axes that must stay static."""
ROUNDS = 60


def conv(r: random.Random) -> Case:
    k, g = r.choice((1, 2, 3)), r.choice((1, 2))
    window = [r.randrange(1, 4) for _ in range(k)]
    attributes: dict[str, Any] = {"strides": [r.randrange(1, 4) for _ in range(k)], "group": g}
    if r.random() < 0.4:
        attributes["auto_pad"] = r.choice(("SAME_UPPER", "SAME_LOWER", "VALID"))
    else:
        attributes["pads"] = [r.randrange(3) for _ in range(2 * k)]
        attributes["dilations"] = [r.randrange(1, 3) for _ in range(k)]
    stored = {"w": floats(2 * g, 2, *window), "b": floats(2 * g)}
    return node("Conv", "x w b", "y", **attributes), [2, 2 * g, *_sizes(r, k, 5, 9)], stored, {1}


def conv_transpose(r: random.Random) -> Case:
    k, g = r.choice((1, 2)), r.choice((1, 2))
    window, strides = [r.randrange(1, 4) for _ in range(k)], [r.randrange(1, 4) for _ in range(k)]
    attributes: dict[str, Any] = {"strides": strides, "group": g, "dilations": [r.randrange(1, 3) for _ in range(k)]}
    shape = [2, 2 * g, *_sizes(r, k, 2, 6)]
    kind = r.random()
    if kind < 0.3:
        attributes["auto_pad"] = r.choice(("SAME_UPPER", "SAME_LOWER"))
    elif kind < 0.6:
        full = [
            (n - 1) * s + (w - 1) * d + 1 for n, s, w, d in zip(shape[2:], strides, window, attributes["dilations"])
        ]
        attributes["output_shape"] = [n - r.randrange(3) for n in full]
    else:
        attributes |= {
            "pads": [r.randrange(2) for _ in range(2 * k)],
            "output_padding": [r.randrange(s) for s in strides],
        }
    made = node("ConvTranspose", "x w b", "y", **attributes)
    return made, shape, {"w": floats(2 * g, 2, *window), "b": floats(2 * g)}, {1}


def pool(r: random.Random) -> Case:
    k = r.choice((1, 2, 3))
    window = [r.randrange(1, 4) for _ in range(k)]
    attributes: dict[str, Any] = {"kernel_shape": window, "strides": [r.randrange(1, 4) for _ in range(k)]}
    if r.random() < 0.3:
        attributes["auto_pad"] = r.choice(("SAME_UPPER", "SAME_LOWER", "VALID"))
    else:
        attributes["pads"] = [r.randrange(window[i % k]) for i in range(2 * k)]
        attributes |= {"dilations": [r.randrange(1, 3) for _ in range(k)], "ceil_mode": r.randrange(2)}
    op = r.choice(("MaxPool", "AveragePool"))
    if op == "AveragePool":
        attributes["count_include_pad"] = r.randrange(2)
    return node(op, "x", "y", **attributes), [1, 2, *_sizes(r, k, 6, 10)], {}, set()


def slices(r: random.Random) -> Case:
    rank = r.choice((1, 2, 3))
    axes = r.sample(range(rank), r.randrange(1, rank + 1))
    steps = [r.choice((-3, -2, -1, 1, 2, 3)) for _ in axes]
    far = [-(2**63), -(2**31), -9, -2, -1, 0, 1, 2, 5, 9]
    ends = [r.choice(far if s < 0 else [*far, 2**31 - 1, 2**63 - 1]) for s in steps]
    stored = {
        "s": np.array([r.choice([*far, 2**31 - 1, 2**63 - 1]) for _ in axes]), "e": np.array(ends),
        "a": np.array([a - rank if r.random() < 0.5 else a for a in axes]), "t": np.array(steps),
    }  # fmt: skip
    return node("Slice", "x s e a t", "y"), _sizes(r, rank, 1, 7), stored, set()


def pad(r: random.Random) -> Case:
    rank, mode = r.choice((1, 2, 3)), r.choice(("constant", "reflect", "edge", "wrap"))
    low = -2 if mode == "constant" else 0
    stored = {"p": np.array([r.randrange(low, 3) for _ in range(2 * rank)]), "v": np.array(1.5, np.float32)}
    return node("Pad", "x p v" if mode == "constant" else "x p", "y", mode=mode), _sizes(r, rank, 4, 7), stored, set()


def resize(r: random.Random) -> Case:
    attributes: dict[str, Any] = {
        "mode": r.choice(("nearest", "linear", "cubic")),
        "coordinate_transformation_mode": r.choice(("half_pixel", "align_corners", "asymmetric", "pytorch_half_pixel")),
    }
    if attributes["mode"] == "nearest":
        attributes["nearest_mode"] = r.choice(("round_prefer_floor", "round_prefer_ceil", "floor", "ceil"))
    if attributes["mode"] == "cubic":
        attributes |= {"cubic_coeff_a": r.choice((-0.75, -0.5)), "exclude_outside": r.randrange(2)}
    shape = [1, 2, *_sizes(r, 2, 2, 7)]
    if r.random() < 0.5:
        stored = {"z": np.array([1, 2, r.randrange(1, 9), r.randrange(1, 9)])}
        return node("Resize", "x _ _ z", "y", **attributes), shape, stored, {0, 1}
    stored = {"f": np.array([1, 1, r.choice((0.5, 1, 2, 3)), r.choice((0.5, 1, 1.5, 2))], np.float32)}
    return node("Resize", "x _ f", "y", **attributes), shape, stored, set()


def recurrent(r: random.Random) -> Case:
    kind, direction = r.choice(("LSTM", "GRU", "RNN")), r.choice(("forward", "reverse", "bidirectional"))
    gates, d = {"LSTM": 4, "GRU": 3, "RNN": 1}[kind], 2 if direction == "bidirectional" else 1
    time, batch, hidden = r.randrange(1, 5), r.randrange(1, 3), 3
    attributes: dict[str, Any] = {"hidden_size": hidden, "direction": direction}
    if kind == "GRU":
        attributes["linear_before_reset"] = r.randrange(2)
    stored = {
        "w": floats(d, gates * hidden, 2), "r": floats(d, gates * hidden, hidden, seed=1), "b": floats(d, 2 * gates * hidden, seed=2),
        "n": np.array([r.randrange(1, time + 1) for _ in range(batch)], np.int32), "h": floats(d, batch, hidden, seed=3),
        "c": floats(d, batch, hidden, seed=4),
    }  # fmt: skip
    names = ["x", "w", "r", r.choice("b_"), r.choice("n_"), "h", *(["c"] if kind == "LSTM" else [])]
    return node(kind, " ".join(names), "y last", **attributes), [time, batch, 2], stored, {1, 2}


def _sizes(r: random.Random, count: int, low: int, high: int) -> list[int]:
    return [r.randrange(low, high) for _ in range(count)]


@pytest.mark.parametrize("draw", [conv, conv_transpose, pool, slices, pad, resize, recurrent])
def test_agrees_with_the_runtime(draw: Callable[[random.Random], Case]) -> None:
    """What the importer refuses, or the runtime, is left out; most cases must remain."""
    rng = random.Random(draw.__name__)
    compared = 0
    for _ in range(ROUNDS):
        made, shape, stored, static = draw(rng)
        dims = [f"d{i}" if i not in static and rng.random() < 0.3 else n for i, n in enumerate(shape)]
        stored = {k: v for k, v in stored.items() if k in made.input}
        proto = model([made], [("x", FLOAT, dims)], list(made.output), stored, opset=19)
        inputs = {"x": floats(*shape)}
        try:
            taken = load(proto)
            runtime(proto, inputs)
        except (ConversionError, Fail, InvalidArgument, InvalidGraph, NotImplemented, RuntimeException):
            continue
        agree(proto, inputs, taken)
        compared += 1
    assert compared >= ROUNDS // 2
