"""The zoo of PyTorch models and the digits classifier as TensorFlow source, verified."""

from __future__ import annotations

import contextlib

import pytest

import converter
import fixtures.zoo
from converter.runtimes import open_runner
from converter.verification import verify_against
from fixtures.digits.demo import HERE, SPEC
from tests.models.zoo import baseline, converted, imported

pytest.importorskip("tensorflow")

IN_BRIEF = {"llama"}
"""What `make test` runs."""


@pytest.mark.parametrize(
    "name", [pytest.param(n, marks=() if n in IN_BRIEF else pytest.mark.models) for n in fixtures.zoo.NAMES]
)
def test_verified(name: str) -> None:
    done = converted(name, "tensorflow")
    with contextlib.closing(open_runner(done.path)) as runner:
        report = verify_against(baseline(name), runner).report
    assert report.verdict == "equal", report.summary()
    _, model = imported(name)
    counts = [sum(w.data.numpy().size for w in m.parameters() if w.trainable is not False) for m in (model, done.model)]
    assert counts[0] == counts[1], "as many trained numbers as in the source"


@pytest.mark.models
def test_digits(tmp_path) -> None:
    """The bundled classifier, from PyTorch and from its Keras file."""
    for source, inputs in ((f"{HERE / 'digits_model.py'}:build", SPEC), (HERE / "digits.keras", None)):
        done = converter.convert(source, "tensorflow", tmp_path / "digits", inputs, overwrite=True)
        assert done.report.verification is not None and done.report.verification.verdict == "equal"
        text = (done.path / "model.py").read_text()
        assert "tf.nn.conv2d(" in text and text.count("tf.transpose") <= 1, "nothing turns inside"
