"""Verification: source, reference and converted model on the same inputs, with a tolerance measured rather than chosen."""

from converter.verification.report import OutputResult, VerificationReport
from converter.verification.run import Verification, verify_models

__all__ = ["OutputResult", "Verification", "VerificationReport", "verify_models"]
