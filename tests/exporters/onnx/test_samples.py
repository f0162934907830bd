"""Every sample of every op, exported and run: the same numbers, or a refusal that is counted."""

from __future__ import annotations

import json

import pytest

import ir.ops
from converter.runtimes.base import RuntimeFailure
from tests.exporters.onnx.generated import DEVIATIONS, EXPECTED, SETTINGS, Setting, chosen, is_refused
from tests.ops.harness import cases_of

REFUSALS = json.loads(EXPECTED.read_text("utf-8"))
ROWS = [(setting, op.name) for setting in SETTINGS for op in ir.ops.all_ops() if chosen(op, setting)]


@pytest.mark.parametrize(("setting", "name"), ROWS, ids=[f"{s.name}-{n}" for s, n in ROWS])
def test_samples(setting: Setting, name: str) -> None:
    failures, refused = [], 0
    for case in chosen(ir.ops.get(name), setting):
        try:
            refused += is_refused(case, setting)
        except (AssertionError, RuntimeFailure) as error:
            failures.append(f"{case[0]}: {error}")
    assert not failures, "\n".join(failures)
    expected = REFUSALS[setting.name].get(name, 0)
    assert refused == expected, f"{refused} samples of {name} are refused, {expected} are known to be (refusals.json)"


def test_deviations_name_samples() -> None:
    """A row of DEVIATIONS that no sample has would excuse nothing, or something new."""
    for key in DEVIATIONS:
        name, _, sample = key.partition("-")
        labels = [label for label, _, _ in cases_of(ir.ops.get(name))]
        assert not sample or any(label.endswith(sample) for label in labels), key
