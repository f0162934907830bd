"""A SavedModel to PyTorch source and back to a SavedModel: the same signatures, the same names, the same answers."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

pytest.importorskip("tensorflow")
pytest.importorskip("torch")

import tensorflow as tf

import converter
from converter.errors import ConversionError, UsageError
from fixtures.tensorflow.base import seeded
from fixtures.tensorflow.files import two_ways

SIGNATURES = ("serving_default", "locate")


@pytest.fixture(scope="module")
def trip(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """The folder in which each signature is a package of PyTorch and one of TensorFlow, and the SavedModel it began with."""
    folder = tmp_path_factory.mktemp("trip")
    with seeded():
        file = two_ways(folder)
    for name in SIGNATURES:
        converter.convert(file, "torch", folder / f"torch_{name}", signature=name, verify=False)
    converter.convert(folder / "torch_locate", "tensorflow", folder / "locate", verify=False)
    converter.convert(
        folder / "torch_serving_default", "tensorflow", folder / "both", verify=False,
        artifacts=("saved_model",), serve_with=(folder / "locate",),
    )  # fmt: skip
    return folder, file


def _names(loaded: Any) -> dict[str, Any]:
    """Names and types of inputs, names of outputs, of every signature."""
    return {
        name: ({s.name: (s.dtype, s.shape.rank) for s in f.structured_input_signature[1].values()}, set(f.structured_outputs))
        for name, f in loaded.signatures.items()
    }  # fmt: skip


def test_it_serves_the_same(trip: tuple[Path, Path]) -> None:
    folder, file = trip
    before, after = tf.saved_model.load(str(file)), tf.saved_model.load(str(folder / "both" / "saved_model"))
    assert _names(after) == _names(before) and set(_names(after)) == set(SIGNATURES)
    rng = np.random.default_rng(0)
    for size in ((2, 6, 7, 3), (1, 9, 5, 3)):
        inputs = {"image": rng.standard_normal(size).astype(np.float32), "scale": np.float32(2)}
        for name, function in before.signatures.items():
            given = {n: tf.constant(inputs[n]) for n in function.structured_input_signature[1]}
            want, got = function(**given), after.signatures[name](**given)
            for key in want:
                np.testing.assert_allclose(got[key], want[key], rtol=1e-5, atol=1e-6, err_msg=f"{name}: {key}")


def test_what_signatures_share_is_shared(trip: tuple[Path, Path]) -> None:
    folder, file = trip
    before, after = (_trained(tf.saved_model.load(str(f))) for f in (file, folder / "both" / "saved_model"))
    assert after == before
    assert before.count([3, 3, 3, 6]) == 1, "the kernel that both signatures read"


def _trained(loaded: Any) -> list[list[int]]:
    """Shapes of all variables that any signature reads and that train."""
    found = {id(v): v for f in loaded.signatures.values() for v in f.trainable_variables}
    return sorted(v.shape.as_list() for v in found.values())


def test_refused(trip: tuple[Path, Path], tmp_path: Path) -> None:
    folder, _ = trip
    again = {"to": "tensorflow", "output": tmp_path / "out", "verify": False}
    with pytest.raises(UsageError, match="ask for the artifact saved_model"):
        converter.convert(folder / "torch_locate", serve_with=[folder / "locate"], **again)
    with pytest.raises(UsageError, match="packages of TensorFlow; this is package:torch"):
        converter.convert(
            folder / "torch_locate", artifacts=("saved_model",), serve_with=[folder / "torch_locate"], **again
        )
    with pytest.raises(ConversionError) as refused:
        converter.convert(folder / "torch_locate", artifacts=("saved_model",), serve_with=[folder / "locate"], **again)
    assert "served under one name: locate, locate" in refused.value.unsupported[0].reason
    assert not (tmp_path / "out").exists()
