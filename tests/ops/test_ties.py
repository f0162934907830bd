"""Agreed gradients where the derivative does not exist: ties share equally, relu gives 0 at 0."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from ir.ops import get

torch = pytest.importorskip("torch")


def gradients(fn: Any, cotangent: np.ndarray, *operands: np.ndarray) -> list[np.ndarray]:
    leaves = [torch.from_numpy(x.copy()).requires_grad_() for x in operands]
    fn(*leaves).backward(torch.from_numpy(cotangent))
    return [leaf.grad.numpy() for leaf in leaves]


@pytest.mark.parametrize("name", ["reduce_max", "reduce_min"])
@pytest.mark.parametrize(("axes", "keepdims"), [(None, False), ((1,), False), ((0, 2), True), ((-1,), True)])
def test_ties_of_extremes_share(name: str, axes: Any, keepdims: bool) -> None:
    rng = np.random.default_rng(3)
    x = rng.integers(0, 3, (2, 3, 4)).astype(np.float64)
    fn = torch.amax if name == "reduce_max" else torch.amin
    shape = get(name).evaluate(x=x, axes=axes, keepdims=keepdims, ties="share").shape
    cotangent = rng.standard_normal(shape)
    (expected,) = gradients(lambda t: fn(t, tuple(range(3)) if axes is None else axes, keepdims), cotangent, x)
    mine = get(name).vjp(cotangent=cotangent, x=x, axes=axes, keepdims=keepdims, ties="share")
    assert list(mine) == ["x"]
    np.testing.assert_allclose(mine["x"], expected)


@pytest.mark.parametrize("name", ["reduce_max", "reduce_min"])
@pytest.mark.parametrize(("axis", "keepdims"), [(1, False), (0, True), (-1, True)])
def test_the_first_of_tied_extremes(name: str, axis: int, keepdims: bool) -> None:
    rng = np.random.default_rng(3)
    x = rng.integers(0, 3, (2, 3, 4)).astype(np.float64)
    settings = {"axes": (axis,), "keepdims": keepdims, "ties": "first"}
    cotangent = rng.standard_normal(get(name).evaluate(x=x, **settings).shape)
    fn = torch.max if name == "reduce_max" else torch.min
    (expected,) = gradients(lambda t: fn(t, axis, keepdims).values, cotangent, x)
    np.testing.assert_array_equal(get(name).vjp(cotangent=cotangent, x=x, **settings)["x"], expected)


@pytest.mark.parametrize("name", ["maximum", "minimum"])
@pytest.mark.parametrize(("left", "right"), [((3, 4), (3, 4)), ((3, 1), (2, 1, 4)), ((4,), ()), ((1,), (2, 1))])
def test_ties_of_two_are_halved(name: str, left: tuple, right: tuple) -> None:
    rng = np.random.default_rng(4)
    x, y = (rng.integers(0, 2, shape).astype(np.float64) for shape in (left, right))
    cotangent = rng.standard_normal(np.broadcast_shapes(left, right))
    expected = gradients(getattr(torch, name), cotangent, x, y)
    mine = get(name).vjp(cotangent=cotangent, x=x, y=y)
    for key, gradient in zip("xy", expected, strict=True):
        np.testing.assert_allclose(mine[key], gradient)


def test_hard_tanh_at_its_bounds() -> None:
    x = np.array([-1.0, 0.0, 1.0, 2.0, 6.0])
    for low, high in ((0.0, 6.0), (-1.0, 2.0)):
        (expected,) = gradients(lambda t, a=low, b=high: torch.nn.functional.hardtanh(t, a, b), np.ones(5), x)
        mine = get("hard_tanh").vjp(cotangent=np.ones(5), x=x, min=low, max=high)["x"]
        np.testing.assert_array_equal(mine, expected)


def test_relu_at_zero() -> None:
    x = np.array([-1.0, 0.0, 0.25, 2.0])
    (expected,) = gradients(torch.relu, np.ones(4), x)
    np.testing.assert_array_equal(get("relu").vjp(cotangent=np.ones(4), x=x)["x"], expected)
    assert expected[1] == 0
