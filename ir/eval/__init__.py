"""Evaluation in NumPy: the oracle of every test and the reference of every verification."""

from ir.eval.bind import bind_shape
from ir.eval.evaluator import EvaluationError, Evaluator

__all__ = ["EvaluationError", "Evaluator", "bind_shape"]
