"""Indices that other converters got wrong, as their users reported. Each test names the report it comes from."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from tests.importers.onnx.models import FLOAT, INT64, floats, model, node
from tests.regressions.facts import kept
from tests.regressions.routes import same_everywhere
from tests.regressions.test_facts_values import module

INT_MIN, INT_MAX = -(2**63), 2**63 - 1
LAST: dict[str, tuple[Any, Any, str]] = {
    "GatherElements": (node("GatherElements", "x i", "y", axis=1), [[-1, 0], [1, -2]], "y"),
    "GatherND": (node("GatherND", "x i", "y"), [[-1, 0], [1, -2]], "y"),
    "ScatterND": (node("ScatterND", "x i u", "y"), [[-1], [0]], "y"),
    "OneHot": (node("OneHot", "i d v", "y"), [-1, 0, 2, -3], "y"),
}


@pytest.mark.parametrize("op", LAST)
@pytest.mark.parametrize("stored", [True, False])
def test_minus_one_is_the_last(op: str, stored: bool) -> None:
    """tvm#20217, onnx-mlir#3611: -1 in GatherElements, GatherND, ScatterND and OneHot, known or computed."""
    made, indices, out = LAST[op]
    i = np.array(indices)
    more: dict[str, Any] = {"d": np.array(3), "v": np.array([0, 1], np.float32), "u": floats(2, 3, seed=2)}
    more = {k: v for k, v in more.items() if k in made.input}
    io: list[Any] = [("x", FLOAT, [2, 3])] if "x" in made.input else []
    feed = {"x": floats(2, 3)} if io else {}
    if stored and io:
        more["i"] = i
    else:
        io, feed = [*io, ("i", INT64, list(i.shape))], {**feed, "i": i}
    same_everywhere(model([made], io, [out], more), feed)


@pytest.mark.parametrize("depth", [1, 2, 3])
@pytest.mark.parametrize("batch", [0, 1])
def test_positions_of_any_depth(depth: int, batch: int) -> None:
    """onnx-mlir#3611: the depth of a position need not be rank - 1."""
    if batch + depth > 3:
        pytest.skip("deeper than the data")
    rng = np.random.default_rng(depth)
    sizes = (2, 3, 4)[batch : batch + depth]
    shape = (2, 5, depth) if batch else (5, depth)
    i = np.stack([rng.integers(-n, n, shape[:-1]) for n in sizes], -1)
    made = node("GatherND", "x i", "y", batch_dims=batch)
    same_everywhere(model([made], [("x", FLOAT, [2, 3, 4])], ["y"], {"i": i}), {"x": floats(2, 3, 4)})


def test_positions_in_five_axes() -> None:
    """onnxruntime#32731, #24070: GatherND and ScatterND of rank 5 (the reports are about WebGPU)."""
    i = np.array([[1, 0, 1, 2], [0, 1, 0, -1]])
    gather = model([node("GatherND", "x i", "y")], [("x", FLOAT, [2, 2, 2, 3, 2])], ["y"], {"i": i})
    scatter = node("ScatterND", "x i u", "y")
    stored = {"i": i, "u": floats(2, 2, seed=1)}
    for proto in (gather, model([scatter], [("x", FLOAT, [2, 2, 2, 3, 2])], ["y"], stored)):
        same_everywhere(proto, {"x": floats(2, 2, 2, 3, 2)})


@pytest.mark.parametrize(
    ("start", "end", "step"), [(INT_MAX, INT_MIN, -1), (-1, INT_MIN, -2), (0, INT_MAX, 3), (INT_MIN, 2, 1)]
)
def test_the_extremes_of_integers_mean_the_ends(start: int, end: int, step: int) -> None:
    """INT_MIN as the end of a slice backwards means before the first element."""
    stored = {"s": np.array([start]), "e": np.array([end]), "a": np.array([1]), "t": np.array([step])}
    proto = model([node("Slice", "x s e a t", "y")], [("x", FLOAT, [2, "n"])], ["y"], stored)
    same_everywhere(proto, {"x": floats(2, 5)}, {"x": floats(2, 1)})


@pytest.mark.parametrize("op", ["ScatterElements", "ScatterND"])
def test_duplicates_are_all_added(op: str) -> None:
    """onnx#3234, #4548: a position named twice."""
    nd = op == "ScatterND"
    stored = {"i": np.array([[1], [1], [0]] if nd else [[1, 1], [1, 0], [0, 0]]), "u": floats(3, 2, seed=1)}
    proto = model([node(op, "x i u", "y", reduction="add")], [("x", FLOAT, [3, 2])], ["y"], stored, opset=18)
    same_everywhere(proto, {"x": floats(3, 2)})


def test_index_tensors_apart() -> None:
    """pytorch#119993: with a slice between two index tensors their axes come first."""

    def reads(m: nn.Module, x: Tensor, i: Tensor, j: Tensor) -> tuple[Tensor, ...]:
        return x[i, :, j], x[:, i, j], x[i, :, 0], x[None, i, :, j], x[:, i[:, None], j[None]]

    case = (torch.randn(3, 3, 3), torch.tensor([0, 2, -1]), torch.tensor([1, -2, 0]))
    kept(module(reads), case, case)


def test_boolean_masks() -> None:
    """pytorch#26034: a mask selects, and is written through."""

    def masked(m: nn.Module, x: Tensor, mask: Tensor) -> tuple[Tensor, ...]:
        y, z = x.clone(), x.clone()
        y[mask] = 0
        z[~mask] *= 2
        return x[mask], y, z, x.masked_fill(mask, -1)

    x = torch.randn(3, 4)
    kept(module(masked), (x, x > 0), (x, x > 0), (x, x > 100))


def test_writes_into_a_cloned_view() -> None:
    """`x[..., ::3] = v`, `x[m] = 0`, `y[:, pos] = v` on a view that was cloned."""

    def writes(m: nn.Module, x: Tensor, pos: Tensor, v: Tensor) -> tuple[Tensor, ...]:
        y = x[:, 1:].clone()
        y[..., ::3] = v[:, :1]
        y[y > 1] = 0
        y[:, pos] = v
        return x, y

    case = (torch.randn(2, 6), torch.tensor([3, 0]), torch.randn(2, 2))
    kept(module(writes), case, case)
