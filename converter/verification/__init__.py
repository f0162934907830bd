"""Verification: source, reference and converted model on the same inputs, with a tolerance measured rather than chosen."""

from converter.verification.report import OutputResult, VerificationReport
from converter.verification.run import Baseline, Verification, measure, verify_against, verify_models

__all__ = [
    "Baseline", "OutputResult", "Verification", "VerificationReport", "measure", "verify_against", "verify_models",
]  # fmt: skip
