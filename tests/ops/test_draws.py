"""Random ops at the ends of what a generator draws, and which ops draw at all."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from ir.ops import get
from ir.ops.dropout import draw_keep, draws_in_inference
from ir.types import dtypes


class Drawing:
    """A generator whose uniform numbers are all the same."""

    def __init__(self, number: float) -> None:
        self.number = number

    def random(self, shape: tuple[int, ...]) -> np.ndarray:
        return np.full(shape, self.number)


@pytest.mark.parametrize("number", [0.0, 0.25, np.nextafter(1.0, 0.0)])
def test_certain_draws(number: float) -> None:
    """Numbers are drawn from [0, 1): the end that is drawn makes no impossible event, and the other none uncertain."""
    rng: Any = Drawing(number)
    assert get("bernoulli").evaluate(p=np.array([0.0, 1.0]), dtype=dtypes.int64, rng=rng).tolist() == [0, 1]
    assert draw_keep(rng, (2,), 0.0).all()
    assert not draw_keep(rng, (2,), 1.0).any()


def test_dropping_everything_gives_zeros() -> None:
    x = np.array([1.0, -2.0, np.inf, np.nan], np.float32)
    with np.errstate(all="ignore"):
        out = get("dropout").evaluate(
            x=x, p=1.0, broadcast_axes=(), frozen=False, always=False, training=True, rng=np.random.default_rng(1)
        )
    assert out.dtype == x.dtype and out.tolist() == [0, 0, 0, 0]


@pytest.mark.parametrize(
    ("random", "modal", "always", "draws"),
    [
        (False, False, False, False), (False, True, True, False), (True, False, False, True), (True, True, False, False),
        (True, True, True, True), (True, False, True, True), (False, False, True, False),
    ],
)  # fmt: skip
def test_what_draws_in_inference(random: bool, modal: bool, always: bool, draws: bool) -> None:
    assert draws_in_inference(random, modal, {"p": 0.5, "always": always}) is draws


def test_an_op_without_the_attribute_draws_in_training_alone() -> None:
    assert draws_in_inference(True, True, {}) is False
