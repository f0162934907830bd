"""What the suites of others found in emitted TensorFlow."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import onnx.parser
import pytest

import converter
from tests.exporters.tensorflow.process import WAYS, process

HEAD = '<ir_version: 10, opset_import: ["" : 21]>\n'


def run(text: str, folder: Path, way: str, **inputs: np.ndarray) -> list[np.ndarray]:
    """The results of an ONNX model, given as text, as emitted TensorFlow."""
    done = converter.convert(
        onnx.parser.parse_model(HEAD + text), "tensorflow", folder / "net", framework="onnx", verify=False
    )
    return list(process().run(done.path, inputs, way).values())


@pytest.mark.parametrize("way", WAYS[:2])
def test_a_run_time_width_of_booleans(way: str, tmp_path: Path) -> None:
    """A value of the run pads where a padded mask of the places says so: TypeError, cannot convert 0 to bool."""
    text = "net (float[2, 3] x, int64[4] pads, float value) => (float[n, m] y) { y = Pad(x, pads, value) }"
    x = np.arange(6, dtype=np.float32).reshape(2, 3)
    (y,) = run(text, tmp_path, way, x=x, pads=np.array([1, 0, 0, 2]), value=np.float32(7.5))
    np.testing.assert_array_equal(y, np.pad(x, ((1, 0), (0, 2)), constant_values=7.5))
