"""No correct conversion is called a mismatch: 200 seeds a zoo model with `make test-models`, three with `make test`."""

import pytest

import fixtures.zoo
from converter.runtimes import open_runner
from converter.verification import verify_models
from tests.models.zoo import converted, imported

SEEDS = [pytest.param(range(3), id="3-seeds"), pytest.param(range(200), id="200-seeds", marks=pytest.mark.models)]


@pytest.mark.parametrize("seeds", SEEDS)
@pytest.mark.parametrize("name", fixtures.zoo.NAMES)
def test_correct_conversions_are_equal_at_every_seed(name, seeds):
    source, model = imported(name)
    runner = open_runner(converted(name, "onnx").path)  # another framework's kernels: the noise is real
    wrong = []
    for seed in seeds:
        report = verify_models(source, model, runner, seed=seed).report
        if report.verdict != "equal":
            wrong.append(f"seed {seed}: {report.verdict}: {report.summary()}")
    assert not wrong, "\n".join(wrong)
