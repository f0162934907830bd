"""Every rule against eager PyTorch, over the values of its attributes: float64 and float32, static and dynamic sizes. What
is read is the recorded one, what is refused is refused in the expected words, and no rule is without a case."""

from __future__ import annotations

import functools

import numpy as np
import pytest

from converter.errors import ConversionError
from converter.importers.torch import families
from converter.importers.torch.context import rule
from ir.core import Model
from ir.eval import Evaluator
from ir.verify import check
from tests.importers.torch import cases
from tests.importers.torch.programs import (
    FAMILIES,
    FIXED_SIZE,
    PROGRAMS,
    READ,
    REFUSED,
    RUNS,
    Reading,
    bundle,
    imported,
)
from tests.importers.torch.support import close, expected, flat_inputs
from tests.written.areas import AREAS
from tests.written.record import digest, recorded


@functools.cache
def results(family: str, run: str) -> tuple[dict[str, list], dict[str, list], Reading]:
    """All outputs of a family in one import: by case, what the reference gives and what eager PyTorch gives."""
    model, reading = imported(family, run)
    assert isinstance(model, Model), str(model)
    check(model)
    module, _, _ = bundle(family, run)
    dtype, sizes, _ = RUNS[run]
    got: dict[str, list] = {}
    want: dict[str, list] = {}
    for n, h in sizes:
        values = cases.pool(dtype, n, h, seed=n)
        outputs = Evaluator().run(model, flat_inputs(module, (values,), {}))
        for name, array in expected(module, (values,), {}).items():
            case = name.partition(".")[0]
            got.setdefault(case, []).append(outputs[name])
            want.setdefault(case, []).append(array)
    return got, want, reading


@functools.cache
def refusals(run: str) -> tuple[ConversionError, Reading]:
    """Everything refused of the cases that are to be, in one import."""
    error, reading = imported("refused", run)
    assert isinstance(error, ConversionError)
    return error, reading


@pytest.mark.parametrize(("family", "case", "run"), [(f, c, r) for f, r in PROGRAMS for c in FAMILIES[f]])
def test_rule(family: str, case: str, run: str) -> None:
    if run == "dynamic" and f"{family}/{case}" in FIXED_SIZE:
        pytest.skip("exists for other sizes only")
    got, want, _ = results(family, run)
    assert got[case], "no output"
    for a, b in zip(got[case], want[case], strict=True):
        close(a, b, tolerance(run, b, case), f"{family}/{case}")


@pytest.mark.parametrize(("run", "case"), [(r, c) for r, cs in REFUSED.items() for c in cs])
def test_refused(run: str, case: str) -> None:
    wanted = REFUSED[run][case]
    found = refusals(run)[0].unsupported
    assert any(u.op == wanted.op and wanted.reason in u.reason for u in found), [
        str(u) for u in found if u.op == wanted.op
    ]


@pytest.mark.parametrize("run", REFUSED)
def test_nothing_else_is_refused(run: str) -> None:
    wanted = [(c.op, c.reason) for c in REFUSED[run].values()]
    assert not [
        str(u)
        for u in refusals(run)[0].unsupported
        if not any(u.op == op and reason in u.reason for op, reason in wanted)
    ]


def reading(family: str, run: str) -> Reading:
    """What was read of a family, or of the refused cases."""
    return refusals(run)[1] if family == "refused" else results(family, run)[2]


@pytest.mark.parametrize(("family", "run"), READ)
def test_read_as_recorded(family: str, run: str) -> None:
    text = reading(family, run).text
    assert recorded(AREAS["importers_torch"])[f"{family}-{run}"] == digest(text), (
        f"read otherwise than recorded:\n{text}"
    )


IN_TRAINING = {"isomorph.batch_norm_of.default"}
"""What only a reading in training mode makes (the programs here are read in inference): see `test_uncorrected.py`."""


def test_no_rule_without_a_case() -> None:
    families.load()
    reached = frozenset().union(*(reading(*program).targets for program in READ))
    assert not reached & IN_TRAINING
    assert not sorted(str(r.key) for r in rule if r.key not in reached | IN_TRAINING)


def tolerance(run: str, want: np.ndarray, case: str) -> float:
    """A result held in float32 or float16 carries that much rounding, whatever the inputs are."""
    kind = {2: 2e-3, 4: 2e-5}.get(want.dtype.itemsize, 0.0) if want.dtype.kind == "f" else 0.0
    return max(RUNS[run][2], 2e-3 if case.startswith("half") else kind)
