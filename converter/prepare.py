"""The passes every conversion runs between import and export."""

from __future__ import annotations

from collections import Counter

from ir.core import Model
from ir.passes.cse import CommonSubexpressions
from ir.passes.dead_code import DeadCode
from ir.passes.fold import Fold
from ir.passes.log import Log
from ir.passes.pipeline import Pipeline
from ir.passes.simplify import Simplify


def prepare(model: Model, diff: bool = False) -> Log:
    """Fold, simplify, merge and prune `model` in place until nothing changes; the log tells each edit and its reason."""
    passes = (Fold(), Simplify(), CommonSubexpressions(), DeadCode())
    return Pipeline(passes, fixpoint=True, diff=diff).run(model)


def op_counts(model: Model) -> dict[str, int]:
    """How often each op occurs, most frequent first."""
    return dict(Counter(node.op.name for node in model.nodes()).most_common())
