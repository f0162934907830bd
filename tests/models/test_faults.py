"""Verification calls every planted fault a mismatch, in the converted model and in the import."""

import pytest

from converter.runtimes.reference import ReferenceRunner
from converter.verification import verify_models
from ir.core import copy_model
from tests.models.faults import FAULTS
from tests.models.zoo import imported


def planted(fault):
    source, model = imported(fault.model)
    wrong = copy_model(model)
    fault.plant(wrong)
    return source, model, wrong


@pytest.mark.parametrize("fault", FAULTS, ids=str)
def test_a_wrong_export_is_a_mismatch(fault):
    source, model, wrong = planted(fault)
    report = verify_models(source, model, ReferenceRunner(wrong, "exact"), cases=2).report
    assert report.verdict == "mismatch", report.summary()


@pytest.mark.parametrize("fault", FAULTS, ids=str)
def test_a_wrong_import_is_a_mismatch(fault):
    """The converted model agrees with the wrong import in every bit: only the source framework tells."""
    source, _, wrong = planted(fault)
    report = verify_models(source, wrong, ReferenceRunner(wrong, "exact"), cases=2).report
    assert report.verdict == "mismatch", report.summary()
