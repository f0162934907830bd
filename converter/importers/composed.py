"""What several frameworks take from TensorFlow as one operation, in the IR's own ops."""

from __future__ import annotations

from ir.core import Builder, Value
from ir.types import dtypes


def in_top_k(b: Builder, scores: Value, targets: Value, k: Value) -> Value:
    """bool [batch]: whether fewer than `k` (0-d int64) of the scores [batch, classes] are above that of the target class
    (int64 [batch]). False where any score of the row is not finite, and for a class that is none."""
    there = b.and_(b.greater_equal(targets, 0), b.less(targets, b.dim(size=scores.type.shape[1])))
    own = b.gather_elements(scores, b.unsqueeze(targets, axes=(1,)), axis=1, bounds="fill", neg="invalid", fill_value=0)
    above = b.reduce_sum(b.cast(b.greater(scores, own), to=dtypes.int64), axes=(1,))
    finite = b.reduce_all(b.isfinite(scores), axes=(1,))
    return b.and_(b.and_(b.less(above, k), finite), there)
