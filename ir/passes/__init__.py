"""Passes over models. `standard()` is the pipeline that every conversion runs."""

from ir.passes.base import Pass, Rewriter
from ir.passes.cse import CommonSubexpressions
from ir.passes.dead_code import DeadCode
from ir.passes.decompose import Decompose
from ir.passes.equivalence import equivalent
from ir.passes.fold import Fold
from ir.passes.infer_types import InferTypes
from ir.passes.log import Log, Miss, Rewrite, Step, recording
from ir.passes.merge_weights import MergeWeights
from ir.passes.pipeline import PassError, Pipeline
from ir.passes.simplify import Simplify
from ir.passes.specialize import Specialize

__all__ = [
    "CommonSubexpressions", "DeadCode", "Decompose", "Fold", "InferTypes", "Log", "MergeWeights", "Miss", "Pass",
    "PassError", "Pipeline", "Rewrite", "Rewriter", "Simplify", "Specialize", "Step", "equivalent", "recording", "standard",
]  # fmt: skip


def standard(debug: bool = False, diff: bool = False) -> Pipeline:
    """Fold, simplify, merge and sweep to a fixpoint: what every conversion runs after import."""
    return Pipeline((Fold(), Simplify(), CommonSubexpressions(), DeadCode()), fixpoint=True, debug=debug, diff=diff)
