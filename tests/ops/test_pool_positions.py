"""Positions of maxima against PyTorch: windows with gaps, over edges, of padding alone, and of equal elements."""

from __future__ import annotations

import itertools
from typing import Any

import numpy as np
import pytest

from ir.core import Builder, Leaf, Model, Parameter, Signature
from ir.eval import Evaluator
from ir.ops import get
from ir.ops.axes import concrete_windows
from ir.ops.pool import has_empty_windows
from ir.ops.pool_positions import largest_positions
from ir.ops.sampler import Sample
from ir.types import symbol, type_of
from tests.ops.harness import decomposed_model, model_of

torch = pytest.importorskip("torch")
F = torch.nn.functional
Attrs = dict[str, Any]

ONE_AXIS = [
    (size, {"window": (w,), "strides": (s,), "dilations": (d,), "padding": ((p, p),), "ceil_mode": ceil})
    for size, w, s, d, p, ceil in itertools.product((1, 3, 8), (2, 3), (1, 3), (1, 2, 4), (0, 1), (False, True))
    if (w - 1) * d + 1 <= size + 2 * p
]  # fmt: skip
FLAT: Attrs = {"strides": (1, 2), "dilations": (1, 1), "padding": ((0, 0), (0, 0)), "ceil_mode": False}
PLANES: list[tuple[tuple[int, ...], Attrs]] = [
    ((5, 7), {**FLAT, "window": (3, 2)}),
    ((5, 8), {**FLAT, "window": (2, 3), "padding": ((1, 1), (1, 1)), "ceil_mode": True}),
    ((8, 7), {**FLAT, "window": (3, 2), "dilations": (2, 3), "padding": ((1, 1), (0, 0))}),
    ((4, 3), {**FLAT, "window": (1, 2), "strides": (1, 1), "dilations": (1, 4), "padding": ((0, 0), (1, 1))}),
    ((4, 3), {**FLAT, "window": (1, 2), "strides": (3, 1), "dilations": (1, 4), "padding": ((0, 0), (1, 1))}),
    ((5, 3), {**FLAT, "window": (2, 2), "strides": (2, 1), "dilations": (3, 4), "padding": ((1, 1), (1, 1))}),
    ((3, 2), {**FLAT, "window": (2, 2), "strides": (1, 1), "dilations": (4, 3), "padding": ((1, 1), (1, 1))}),
    ((4, 5, 3), {**FLAT, "window": (2, 3, 2), "strides": (1, 2, 1), "dilations": (2, 1, 1), "padding": ((1, 1), (1, 1), (0, 0))}),
]  # fmt: skip


def images(*sizes: int) -> np.ndarray:
    """Two planes with many equal elements, one with planted infinities, and one of -inf alone."""
    rng = np.random.default_rng(5)
    x = rng.integers(-2, 3, (2, 2, *sizes)).astype(np.float64)
    x[1, 0][rng.random(sizes) < 0.7] = -np.inf
    x[1, 1] = -np.inf
    return x


def of_torch(x: np.ndarray, attrs: Attrs) -> list[np.ndarray]:
    run = {1: F.max_pool1d, 2: F.max_pool2d, 3: F.max_pool3d}[x.ndim - 2]
    pads = [before for before, _ in attrs["padding"]]
    given = (attrs["window"], attrs["strides"], pads, attrs["dilations"], attrs["ceil_mode"])
    return [t.numpy() for t in run(torch.from_numpy(x), *given, return_indices=True)]


@pytest.mark.parametrize(("sizes", "attrs"), [*(((n,), attrs) for n, attrs in ONE_AXIS), *PLANES])
def test_positions_are_those_of_torch(sizes: tuple[int, ...], attrs: Attrs) -> None:
    x = images(*sizes)
    values, positions = of_torch(x, attrs)
    sample = Sample((x,), attrs)
    for model, inputs in (model_of(get("max_pool_with_positions"), sample), decomposed_model(get("max_pool_with_positions"), sample)):
        own = list(Evaluator("exact").run(model, inputs).values())
        np.testing.assert_array_equal(own[0], values)
        np.testing.assert_array_equal(own[1], positions)
    alone = bool(np.isneginf(get("max_pool").evaluate(np.zeros_like(x), **attrs, layout="channels_first")).any())
    assert has_empty_windows(x.shape, **attrs) == alone


def test_some_windows_are_padding_alone() -> None:
    found = [has_empty_windows((1, 1, *sizes), **attrs) for sizes, attrs in [*(((n,), a) for n, a in ONE_AXIS), *PLANES]]
    assert {True, False} == set(found)
    one = {"window": (2,), "strides": (1,), "dilations": (4,), "ceil_mode": False}
    assert has_empty_windows((1, 1, 3), padding=((1, 3),), **one)  # the first of three
    assert not has_empty_windows((1, 1, 4), padding=((1, 3),), **one)


def test_windows_of_open_sizes_are_not_known_to_be_empty() -> None:
    attrs = {**FLAT, "window": (1, 2), "strides": (1, 1), "dilations": (1, 4), "padding": ((0, 0), (1, 1))}
    n = symbol("n")
    assert not has_empty_windows((1, 1, n, 3), **attrs)
    assert not has_empty_windows((1, 1, 3, n), **attrs)
    assert has_empty_windows((n, n, 3, 3), **attrs)


def positions_of(x: np.ndarray, places: list[np.ndarray]) -> np.ndarray:
    """The positions that the graph finds, for windows of any shape."""
    model = Model(signature=Signature((Parameter("x", Leaf("x")),), Leaf("output")))
    b = Builder(model.graph)
    model.graph.set_outputs([largest_positions(b, model.graph.add_input(type_of(x), "x"), places)])
    return Evaluator("exact").run(model, {"x": x})["output"]


def test_windows_of_several_widths() -> None:
    """As an adaptive pooling has them: -1 fills a row whose window is shorter."""
    x = images(7, 5)
    rows = np.array([[0, 1, 2], [2, 3, 4], [4, 5, 6]])
    columns = np.array([[0, 1], [1, 2], [2, 3], [3, 4]])
    np.testing.assert_array_equal(
        positions_of(x, [rows, columns]), F.adaptive_max_pool2d(torch.from_numpy(x), (3, 4), return_indices=True)[1].numpy()
    )
    uneven = np.array([[0, 1, -1], [1, 2, 3], [3, 4, -1]])
    want = F.adaptive_max_pool2d(torch.from_numpy(x), (3, 3), return_indices=True)[1].numpy()
    np.testing.assert_array_equal(positions_of(x, [rows, uneven]), want)


@pytest.mark.parametrize("ceil_mode", [False, True])
def test_places_are_those_of_the_windows(ceil_mode: bool) -> None:
    """`max_pool` of a ramp tells the last place that each window covers."""
    for size, attrs in ONE_AXIS:
        if attrs["ceil_mode"] != ceil_mode:
            continue
        ramp = np.arange(float(size)).reshape(1, 1, size)
        values, positions = get("max_pool_with_positions").evaluate(ramp, **attrs)
        (count,), ((before, _),) = concrete_windows(
            (size,), attrs["window"], attrs["strides"], attrs["dilations"], attrs["padding"], ceil_mode
        )
        assert values.shape == (1, 1, count)
        for i in range(count):
            covered = range(i * attrs["strides"][0] - before, 10**6, attrs["dilations"][0])[: attrs["window"][0]]
            inside = [p for p in covered if 0 <= p < size]
            if inside:
                assert values[0, 0, i] == positions[0, 0, i] == max(inside)
