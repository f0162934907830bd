"""The passes every conversion runs between import and export."""

from __future__ import annotations

from collections import Counter

from ir.core import Model
from ir.passes import standard
from ir.passes.log import Log


def prepare(model: Model, diff: bool = False) -> Log:
    """Run the standard passes on `model` in place; the log tells each edit and its reason."""
    return standard(diff=diff).run(model)


def op_counts(model: Model) -> dict[str, int]:
    """How often each op occurs, most frequent first."""
    return dict(Counter(node.op.name for node in model.nodes()).most_common())
