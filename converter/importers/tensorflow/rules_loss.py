"""Losses of logits, and whether the right answer is among the best."""

from __future__ import annotations

from converter.importers.tensorflow.context import TensorflowContext
from converter.importers.tensorflow.table import rule
from ir.core import Value
from ir.types import dtypes


@rule("SoftmaxCrossEntropyWithLogits")
def softmax_cross_entropy(c: TensorflowContext) -> list[Value | None]:
    """The sum of labels times -log(softmax); both broadcast. The second result is softmax - labels, the gradient."""
    b, logits, labels = c.b, c.x(0), c.x(1)
    loss = b.neg(b.reduce_sum(b.mul(labels, b.log_softmax(logits, axis=-1)), axes=(-1,), keepdims=False))
    return [loss, b.sub(b.softmax(logits, axis=-1), labels) if c.used(1) else None]


@rule("SparseSoftmaxCrossEntropyWithLogits")
def sparse_softmax_cross_entropy(c: TensorflowContext) -> list[Value | None]:
    """-log(softmax) at the label; a label out of range is an error (on GPUs NaN). The second result is the gradient."""
    b, logits, labels = c.b, c.x(0), c.x(1)
    at = b.unsqueeze(c.cast(labels, dtypes.int64), axes=(1,))
    picked = b.gather_elements(b.log_softmax(logits, axis=-1), at, axis=1, bounds="error", neg="invalid")
    loss = b.neg(b.squeeze(picked, axes=(1,)))
    if not c.used(1):
        return [loss, None]
    hot = b.one_hot(labels, depth=logits.type.shape[1], axis=1, on=1.0, off=0.0, dtype=logits.type.dtype)
    return [loss, b.sub(b.softmax(logits, axis=-1), hot)]
