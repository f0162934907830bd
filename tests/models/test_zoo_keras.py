"""The zoo of PyTorch models as Keras source, verified on each backend of Keras."""

from __future__ import annotations

import contextlib

import pytest

import fixtures.zoo
from converter.runtimes import open_runner
from converter.runtimes.packages import BACKENDS
from converter.verification import verify_against
from tests.models.zoo import baseline, converted, imported

pytest.importorskip("keras")

IN_BRIEF = {("resnet50", "tensorflow"), ("llama", "torch")}
"""What `make test` runs."""


def _cases() -> list:
    every = [(name, on) for name in fixtures.zoo.NAMES for on in BACKENDS]
    return [
        pytest.param(name, on, marks=() if (name, on) in IN_BRIEF else pytest.mark.models, id=f"{name}-{on}")
        for name, on in every
    ]


@pytest.mark.parametrize(("name", "on"), _cases())
def test_verified(name: str, on: str) -> None:
    path = converted(name, "keras").path
    with contextlib.closing(open_runner(path, provider=on)) as runner:
        report = verify_against(baseline(name), runner).report
    assert report.verdict == "equal", report.summary()


@pytest.mark.models
@pytest.mark.parametrize("on", BACKENDS)
def test_real_size(on: str) -> None:
    """One at its full size: the others differ from their small variants in numbers alone."""
    path = converted("mobilenet_v3", "keras", "full").path
    with contextlib.closing(open_runner(path, provider=on)) as runner:
        report = verify_against(baseline("mobilenet_v3", "full"), runner).report
    assert report.verdict == "equal", report.summary()


@pytest.mark.parametrize("name", ["resnet50", "llama"])
def test_parameters(name: str) -> None:
    """As many trained numbers as in the source."""
    _, model = imported(name)
    written = converted(name, "keras").model
    counts = [sum(w.data.numpy().size for w in m.parameters() if w.trainable is not False) for m in (model, written)]
    assert counts[0] == counts[1]
