"""Normalisation."""

from __future__ import annotations

from converter.importers.tensorflow.context import TensorflowContext
from converter.importers.tensorflow.table import rule
from converter.importers.tensorflow.windows import LAYOUTS
from ir.core import Value
from ir.ops.axes import channel_axis
from ir.types import Dim


@rule("BiasAdd", "BiasAddV1")
def bias_add(c: TensorflowContext) -> Value:
    """On the channels: the last axis, or the second of three and more where the channels come first."""
    b, x, bias = c.b, c.x(0), c.x(1)
    first = c.op == "BiasAdd" and LAYOUTS[c.attr("data_format")] == "channels_first"
    rank = x.type.rank
    if first and rank > 2:
        return b.add(x, b.reshape(bias, shape=(bias.type.shape[0], *(1,) * (rank - 2))))
    return b.add(x, bias)


@rule("FusedBatchNorm", "FusedBatchNormV2", "FusedBatchNormV3")
def batch_norm(c: TensorflowContext) -> list[Value | None]:
    """By given statistics, or with `is_training` by those of the batch, in inference, too: the graph says which.

    The second and third results are the statistics as they go on: (1 - factor) * old + factor * the batch's, whose variance
    is the unbiased one; without `is_training` they are the given ones. What only gradients read is not computed.
    """
    b = c.b
    axis = channel_axis(LAYOUTS[c.attr("data_format")], c.rank())
    training, factor = c.attr("is_training"), float(c.attr("exponential_avg_factor"))
    given = c.x(0)
    kind = c.type(1).dtype
    x = c.cast(given, kind)
    scale, offset, old_mean, old_var = (c.x(i) for i in range(1, 5))
    news = (old_mean, old_var)
    if training:
        mean, var, unbiased = _statistics(c, x, axis)
        news = (_moved(c, old_mean, mean, factor), _moved(c, old_var, unbiased, factor))
        out = _standardised(c, x, (scale, offset, mean, var), axis)
    else:
        out, *_ = b.batch_norm(
            x, scale, offset, old_mean, old_var, axis=axis, eps=float(c.attr("epsilon")), frozen=True
        )
    return [c.cast(out, given.type.dtype), *news, *(None,) * (c.outputs - 3)]


def _standardised(c: TensorflowContext, x: Value, vectors: tuple[Value, ...], axis: int) -> Value:
    """By statistics that gradients pass through, which those of a layer are not."""
    b, rank = c.b, x.type.rank
    shape = [1] * rank

    def along(v: Value) -> Value:
        return v if axis == rank - 1 else b.reshape(v, shape=(*shape[:axis], v.type.shape[0], *shape[axis + 1 :]))

    scale, offset, mean, var = vectors
    factor = b.mul(b.rsqrt(b.add(var, float(c.attr("epsilon")))), scale)
    return b.add(b.mul(b.sub(x, along(mean)), along(factor)), along(offset))


def _statistics(c: TensorflowContext, x: Value, axis: int) -> tuple[Value, Value, Value]:
    """Mean, biased and unbiased variance for each channel of a batch."""
    b = c.b
    axes = tuple(a for a in range(x.type.rank) if a != axis)
    mean = b.reduce_mean(x, axes=axes, keepdims=False)
    var = b.reduce_var(x, axes=axes, keepdims=False, correction=0.0)
    count: Dim = 1
    for a in axes:
        count = count * x.type.shape[a]
    if isinstance(count, int):
        return mean, var, var if count < 2 else b.mul(var, count / (count - 1))
    size = b.cast(b.dim(size=count), to=x.type.dtype)
    return mean, var, b.mul(var, b.div(size, b.maximum(b.sub(size, 1.0), 1.0)))


def _moved(c: TensorflowContext, old: Value, new: Value, factor: float) -> Value:
    if factor == 1:
        return new
    return c.b.add(c.b.mul(old, 1 - factor), c.b.mul(new, factor))


@rule("LRN")
def local_response_norm(c: TensorflowContext) -> Value:
    """x / (bias + alpha * the sum of squares over `depth_radius` channels on both sides) ** beta."""
    size = 2 * int(c.attr("depth_radius")) + 1
    return c.b.lrn(
        c.x(), size=size, alpha=float(c.attr("alpha")) * size, beta=float(c.attr("beta")), k=float(c.attr("bias")),
        layout="channels_last",
    )  # fmt: skip
