"""What the suites of others found in emitted TensorFlow."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import onnx.parser
import pytest

import converter
from converter.exporters import tensorflow
from converter.exporters.base import ExportOptions
from ir.core import Builder, Leaf, Model, Parameter, Signature
from ir.eval import Evaluator
from ir.types import type_of
from tests.exporters.tensorflow.process import WAYS, PackageFailed, process

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


def emitted(folder: Path, name: str, *arrays: np.ndarray, **attrs: object) -> np.ndarray:
    """The result of one op as emitted TensorFlow."""
    names = [f"x{i}" for i in range(len(arrays))]
    model = Model("net", Signature(tuple(Parameter(n, Leaf(n)) for n in names), Leaf("output")))
    values = [model.graph.add_input(type_of(a), n) for n, a in zip(names, arrays)]
    model.graph.set_outputs([getattr(Builder(model.graph), name)(*values, **attrs)])
    tensorflow.write(model, folder / name, ExportOptions())
    (found,) = process().run(folder / name, dict(zip(names, arrays, strict=True))).values()
    np.testing.assert_allclose(found, Evaluator("exact").run(model, dict(zip(names, arrays)))["output"], 1e-4)
    return found


def test_functions_of_positive_numbers(tmp_path: Path) -> None:
    """Infinite below 0, where there is none; no number at 0, where there is a limit."""
    x = np.array([-3, -0.5, 0, 0.5, 2], np.float32)
    for name in ("bessel_k0", "bessel_k1", "bessel_k0e", "bessel_k1e", "bessel_y0", "bessel_y1"):
        found = emitted(tmp_path, name, x)
        assert np.isnan(found[:2]).all() and np.isinf(found[2])


def test_zeta_of_negative_numbers(tmp_path: Path) -> None:
    """In float32 the sum ended before it came to positive numbers."""
    emitted(tmp_path, "zeta", np.full(3, 2, np.float32), np.array([-8.4784, -7.9506, 0.5], np.float32))


def test_rows_of_nothing(tmp_path: Path) -> None:
    """Requested more than 0 entries, but params is empty. The indices are checked all the same."""
    x, at = np.zeros((2, 0), np.float32), np.array([[1], [0], [-1]])
    assert emitted(tmp_path, "gather_nd", x, at).shape == (3, 0)
    with pytest.raises(PackageFailed, match="out of range"):
        process().run(tmp_path / "gather_nd", {"x0": x, "x1": at + 1})


def test_reflections_of_nothing(tmp_path: Path) -> None:
    """Paddings must be less than the dimension size: 0, 0 not less than 0."""
    assert emitted(tmp_path, "pad", np.zeros((0, 3), np.float32), pads=((0, 0), (2, 1)), mode="reflect").shape == (0, 6)
