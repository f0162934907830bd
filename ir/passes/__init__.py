"""Passes over models. `standard()` is the pipeline that every conversion runs."""

from ir.passes.activations import Activations
from ir.passes.base import Pass, Rewriter
from ir.passes.cse import CommonSubexpressions
from ir.passes.dead_code import DeadCode
from ir.passes.decompose import Decompose
from ir.passes.equivalence import equivalent
from ir.passes.fold import Fold
from ir.passes.infer_types import InferTypes
from ir.passes.linear import Linear
from ir.passes.log import Log, Miss, Rewrite, Step, recording
from ir.passes.merge_weights import MergeWeights
from ir.passes.name_weights import NameWeights
from ir.passes.norms import Norms
from ir.passes.pipeline import PassError, Pipeline
from ir.passes.simplify import Simplify
from ir.passes.specialize import Specialize

__all__ = [
    "Activations", "CommonSubexpressions", "DeadCode", "Decompose", "Fold", "InferTypes", "Linear", "Log",
    "MergeWeights", "Miss", "NameWeights", "Norms", "Pass", "PassError", "Pipeline", "Rewrite", "Rewriter", "Simplify",
    "Specialize", "Step", "equivalent", "recognition", "recording", "standard",
]  # fmt: skip


def standard(debug: bool = False, diff: bool = False) -> Pipeline:
    """Fold, simplify, merge and sweep to a fixpoint: what every conversion runs after import."""
    return Pipeline((Fold(), Simplify(), CommonSubexpressions(), DeadCode()), fixpoint=True, debug=debug, diff=diff)


def recognition(keep_weights: bool = False, debug: bool = False, diff: bool = False, inside: bool = True) -> Pipeline:
    """Ops written out in smaller ones become whole again: what every conversion runs after `standard()`.

    `keep_weights` leaves every weight its name and shape; `inside` is whether control flow may call dense layers.
    """
    passes: tuple[Pass, ...] = (Linear(transpose=not keep_weights, inside=inside), Activations(), Norms(), DeadCode())
    named = passes if keep_weights else (*passes, NameWeights())
    return Pipeline(named, fixpoint=True, debug=debug, diff=diff)
