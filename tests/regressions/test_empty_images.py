"""Transposed convolutions of images without extent, and those that leave none, written as PyTorch and run."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from converter.errors import ConversionError
from ir.eval import Evaluator
from ir.text import parse
from tests.exporters.torch import package

TEXT = """isomorph-ir 1
model small

signature (x, w) -> (output.0,)

graph (x: float32[{batch}, 3, {size}], w: float32[3, 2, {window}]):
  y: float32[{batch}, 2, {out}] = conv_transpose(x, w; strides=(1,), dilations=(1,), padding=(({crop}, {crop}),), output_padding=(0,))
  return y
"""


def check(folder: Path, batch: int, size: int, window: int, crop: int) -> None:
    out = size + window - 1 - 2 * crop
    model = parse(TEXT.format(batch=batch, size=size, window=window, crop=crop, out=out))
    given = {"x": np.ones((batch, 3, size), np.float32), "w": np.arange(6 * window, dtype=np.float32).reshape(3, 2, -1)}
    (wanted,) = Evaluator("exact").run(model, given).values()
    (found,) = package.run(package.export(model, folder).load_model(), model, given).values()
    assert wanted.shape == (batch, 2, out)
    np.testing.assert_array_equal(found, wanted)


@pytest.mark.parametrize("window", [1, 3])
def test_no_image_is_refused(window: int, tmp_path: Path) -> None:
    """PyTorch stops at images without extent, whether the window makes something of them or not."""
    with pytest.raises(ConversionError, match="without extent"):
        check(tmp_path, 2, 0, window, 0)


@pytest.mark.parametrize(
    ("batch", "size", "window", "crop"),
    [(0, 0, 1, 0), (0, 0, 3, 0), (2, 1, 3, 0), (2, 2, 1, 1), (2, 2, 3, 2), (2, 4, 3, 1)],
)
def test_an_image_may_be_left_empty(batch: int, size: int, window: int, crop: int, tmp_path: Path) -> None:
    """A batch of none has no image to stop at; PyTorch crops by itself only what leaves something."""
    check(tmp_path, batch, size, window, crop)
