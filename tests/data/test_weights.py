"""Weights that lie otherwise than in the source, and what their records say of it."""

from __future__ import annotations

import itertools

import numpy as np
import pytest

from ir.data import Array, Blocks, Pieces, Weight

SOURCE = np.arange(12 * 5).reshape(12, 5).astype(np.float32)


def as_recorded(weight: Weight) -> np.ndarray:
    """The source's tensor, laid as the record says."""
    array = SOURCE if weight.source_pieces is None else weight.source_pieces.of(np.stack([SOURCE, -SOURCE]))
    if weight.source_blocks is not None:
        array = np.take(array, weight.source_blocks.positions, weight.source_blocks.axis)
    return array.transpose(weight.source_axes or range(array.ndim))


@pytest.mark.parametrize("steps", itertools.permutations(["turn", "reorder", "turn again"]))
def test_the_record_tells_how_to_lay_the_source(steps: tuple[str, ...]) -> None:
    weight = Weight("w", Array(SOURCE))
    for step in steps:
        inputs = weight.type.shape.index(12)
        weight = weight.reordered(inputs, (2, 3, 2), (2, 0, 1)) if step == "reorder" else weight.permuted((1, 0))
        np.testing.assert_array_equal(weight.data.numpy(), as_recorded(weight))
    assert weight.source_axes is None and weight.source_blocks == Blocks(0, (2, 3, 2), (2, 0, 1))


def test_pieces_come_before_all_else() -> None:
    """The second of two rows, its axis of 12 in thirds."""
    pieces = Pieces(1, 0, (2, 0, 1))
    own = np.roll(-SOURCE, 4, axis=0)
    np.testing.assert_array_equal(pieces.of(np.stack([SOURCE, -SOURCE])), own)
    weight = Weight("w", Array(own), source_pieces=pieces).permuted((1, 0)).reordered(1, (2, 3, 2), (2, 0, 1))
    np.testing.assert_array_equal(weight.data.numpy(), as_recorded(weight))


def test_elements_go_where_a_transpose_takes_them() -> None:
    weight = Weight("w", Array(SOURCE)).reordered(0, (2, 3, 2), (2, 0, 1))
    expected = SOURCE.reshape(2, 3, 2, 5).transpose(2, 0, 1, 3).reshape(12, 5)
    np.testing.assert_array_equal(weight.data.numpy(), expected)
    with pytest.raises(ValueError, match="already"):
        weight.reordered(0, (12,), (0,))
