"""The judgement of one output, from errors that are given."""

import numpy as np
import pytest

from converter.verification.judge import Expected, Sample, judge
from converter.verification.sensitivity import conditioned
from ir.eval import Evaluator
from ir.text import parse
from ir.types import dtypes

SCALE = 1.0
LEAST = 4 * dtypes.float32.eps


def verdict(source: float, exact: float, converted: float) -> str:
    """With errors in units of the least floor."""
    reference = np.array([SCALE, 0.0])
    off = [{"y": np.array([SCALE, n * LEAST]).astype(np.float32)} for n in (source, exact, converted)]
    sample = Sample(Expected([{}], {"y": reference}, exact=off[1], source=off[0]), off[2])
    return judge("y", dtypes.float32, [sample]).verdict


@pytest.mark.parametrize(
    ("source", "exact", "converted", "wanted"),
    [
        (0.1, 0.1, 3.9, "equal"),
        (0.1, 0.1, 4.1, "mismatch"),
        (5, 5, 19, "equal"),
        (5, 5, 21, "mismatch"),
        (5, 10, 21, "equal"),  # the evaluator shows that rounding takes the model further than the source's run went
        (5, 10, 39, "equal"),
        (5, 10, 41, "mismatch"),
        (10, 2, 5, "mismatch"),  # the source is further off than rounding explains: the import is wrong
    ],
)
def test_noise(source: float, exact: float, converted: float, wanted: str) -> None:
    assert verdict(source, exact, converted) == wanted


@pytest.mark.parametrize(
    ("reference", "converted", "wanted"),
    [(5e-45, 1e-44, "inconclusive"), (1e-38, 0.0, "inconclusive"), (0.0, 1e-38, "equal"), (1e-30, 2e-30, "mismatch")],
)
def test_numbers_below_the_normal_ones(reference: float, converted: float, wanted: str) -> None:
    """They have few digits, and TensorFlow takes them for 0."""
    found = {"y": np.array([converted], np.float32)}
    exact = {"y": np.array([reference])}
    assert judge("y", dtypes.float32, [Sample(Expected([{}], exact, exact, exact), found)]).verdict == wanted


@pytest.mark.parametrize(
    ("rounded", "wanted"),
    [([], "mismatch"), ([2], "mismatch"), ([2, 3], "equal"), ([np.nan], "mismatch"), ([np.inf, 3], "equal")],
)
def test_a_source_further_off_than_one_draw_of_rounding(rounded: list[float], wanted: str) -> None:
    """The import is wrong unless another draw explains it; what is no number explains nothing."""
    reference = np.array([SCALE, 0.0])
    off = {n: {"y": np.array([SCALE, n * LEAST])} for n in (*rounded, 1, 9)}
    near, far = ({"y": off[n]["y"].astype(np.float32)} for n in (1, 9))
    expected = Expected([{}], {"y": reference}, exact=near, source=far, rounded=lambda: [off[n] for n in rounded])
    assert judge("y", dtypes.float32, [Sample(expected, near)]).verdict == wanted


def test_rounding_of_what_is_given_tells_how_well_a_model_is_conditioned() -> None:
    """A difference of nearly equal numbers takes a rounding a thousand times further than a sum."""
    found = []
    for op in ("sub", "add"):
        model = parse(
            "isomorph-ir 1\nmodel m\n\nsignature (x, y) -> (output.0,)\n\n"
            f"graph (x: float32[9], y: float32[9]):\n  z: float32[9] = {op}(x, y)\n  return z\n"
        )
        case = {"x": np.full(9, 1.0, np.float32), "y": np.full(9, 1.002, np.float32)}
        (exact,) = Evaluator().run(model, case).values()
        runs = conditioned(model, [case])
        assert len(runs) == 3
        found.append(max(np.abs(next(iter(r.values())) / exact - 1).max() for r in runs))
    assert found[1] <= dtypes.float32.eps < found[0] / 100
