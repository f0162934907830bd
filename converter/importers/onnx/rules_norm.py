"""Normalisations."""

from __future__ import annotations

from typing import Any

from converter.importers.onnx.attributes import short
from converter.importers.onnx.context import OnnxContext
from converter.importers.onnx.table import rule
from ir.core import Value
from ir.types import DType, dtypes, normalize_axes, normalize_axis


@rule("BatchNormalization", 7, 9)
def batch_norm_inference(c: OnnxContext) -> Value:
    """Further outputs would mean training mode, which these versions leave open."""
    if c.version < 9:
        c.only("spatial", 1)
    if any(c.node.output[1:]):
        c.refuse(
            "its outputs of statistics are of training, which this version leaves open", "export it in evaluation mode"
        )
    return running_batch_norm(c)


@rule("BatchNormalization", 14, 15)
def batch_norm(c: OnnxContext) -> Any:
    return _batch(c) if c.only("training_mode", 0, 1) else running_batch_norm(c)


def running_batch_norm(c: OnnxContext) -> Value:
    """Inference with running statistics. They are state of the model where they are weights of this node alone, so
    that it can be trained on; ONNX's momentum weighs the old value, and does not say how training counts variance:
    PyTorch's unbiased estimate is taken."""
    values, kinds = _operands(c)
    weights = [c.model.weight_of(v) for v in values[3:]]
    names = [w.name for w in weights if w is not None]
    own = len(set(names)) == 2 and not any(n in c.model.state for n in names)
    own = own and not any(v.uses for v in values[3:]) and c.b.graph is c.model.graph
    momentum = short(1 - c.attr("momentum"))
    out, mean, var = c.b.batch_norm(*values, eps=c.attr("epsilon"), momentum=momentum, frozen=not own)
    if own:
        c.model.set_state(names[0], mean)
        c.model.set_state(names[1], var)
    return c.cast(out, kinds[0])


def _operands(c: OnnxContext) -> tuple[list[Value], list[DType]]:
    """x, scale, bias, mean and variance in their widest type, and the types they have; the result has that of x."""
    kinds = [c.type(i).dtype for i in range(5)]
    widest = max(kinds, key=lambda d: d.bits)
    if len({d.name for d in kinds if d.bits == widest.bits}) > 1:
        widest = dtypes.float32
    return [c.cast(c.x(i), widest) for i in range(5)], kinds


def _batch(c: OnnxContext) -> tuple[Value, ...]:
    """training_mode: statistics of the batch, in inference too; running ones are outputs (biased variance)."""
    (x, scale, bias, mean, var), kinds = _operands(c)
    b, axes = c.b, tuple(a for a in range(c.rank()) if a != 1)
    new_mean = b.reduce_mean(x, axes=axes, keepdims=True)
    centred = b.sub(x, new_mean)
    new_var = b.reduce_mean(b.square(centred), axes=axes, keepdims=True)
    shape = tuple(d if i == 1 else 1 for i, d in enumerate(x.type.shape))
    factor = b.mul(b.rsqrt(b.add(new_var, c.attr("epsilon"))), b.reshape(scale, shape=shape))
    out = b.add(b.mul(centred, factor), b.reshape(bias, shape=shape))
    momentum, results = c.attr("momentum"), [c.cast(out, kinds[0])]
    for old, new, kind in zip((mean, var), (new_mean, new_var), kinds[3:], strict=True):
        moved = b.add(b.mul(old, momentum), b.mul(b.reshape(new, shape=old.type.shape), 1 - momentum))
        results.append(c.cast(moved, kind))
    return tuple(results)


@rule("LayerNormalization", 17)
def layer_norm(c: OnnxContext) -> tuple[Value, ...]:
    """Mean and deviation are float32 whatever x is, as `stash_type` says."""
    c.only("stash_type", 1)
    x, eps = c.x(), c.attr("epsilon")
    axes = tuple(range(normalize_axis(c.attr("axis"), c.rank()), c.rank()))
    block = x.type.shape[axes[0] :]
    scale, bias = _block(c, 1, block), _block(c, 2, block)
    out = c.b.layer_norm(x, scale, bias, axes=axes, eps=eps)
    if not (c.used(1) or c.used(2)):
        return (out,)
    wide = c.cast(x, dtypes.float32) if x.type.dtype.is_half else x
    mean = c.b.reduce_mean(wide, axes=axes, keepdims=True)
    variance = c.b.reduce_mean(c.b.square(c.b.sub(wide, mean)), axes=axes, keepdims=True)
    return out, *(c.cast(v, dtypes.float32) for v in (mean, c.b.rsqrt(c.b.add(variance, eps))))


def _block(c: OnnxContext, index: int, block: tuple[Any, ...]) -> Value | None:
    """Scale or bias in the shape of the normalised axes (ONNX lets it broadcast)."""
    value = c.opt(index)
    if value is None or value.type.shape == block:
        return value
    if value.type.rank > len(block):
        extra = value.type.rank - len(block)
        if any(d != 1 for d in value.type.shape[:extra]):
            c.refuse(f"a scale or bias {value.type} differs between the blocks {list(block)} that are normalised")
        value = c.b.reshape(value, shape=value.type.shape[extra:])
    return value if value.type.shape == block else c.b.expand(value, shape=block)


@rule("RMSNormalization", 23)
def rms_norm(c: OnnxContext) -> Value:
    c.only("stash_type", 1)
    axes = tuple(range(normalize_axis(c.attr("axis"), c.rank()), c.rank()))
    return c.b.rms_norm(c.x(), _block(c, 1, c.type().shape[axes[0] :]), axes=axes, eps=c.attr("epsilon"))


@rule("GroupNormalization", 21)
def group_norm(c: OnnxContext) -> Value:
    c.only("stash_type", 1)
    return c.b.group_norm(c.x(0), c.x(1), c.x(2), groups=c.attr("num_groups"), eps=c.attr("epsilon"))


@rule("GroupNormalization", 18)
def group_norm_by_group(c: OnnxContext) -> Value:
    """Version 18 has one scale and bias for each group instead of each channel."""
    groups, channels = c.attr("num_groups"), c.type().shape[1]
    if not isinstance(channels, int) or channels % groups:
        c.refuse(f"{channels} channels do not divide into {groups} groups")

    def spread(value: Value) -> Value:
        wide = c.b.expand(c.b.unsqueeze(value, axes=(1,)), shape=(groups, channels // groups))
        return c.b.reshape(wide, shape=(channels,))

    return c.b.group_norm(c.x(0), spread(c.x(1)), spread(c.x(2)), groups=groups, eps=c.attr("epsilon"))


@rule("InstanceNormalization", 6, 22)
def instance_norm(c: OnnxContext) -> Value:
    return c.b.instance_norm(c.x(0), c.x(1), c.x(2), eps=c.attr("epsilon"))


@rule("LRN", 1, 13)
def lrn(c: OnnxContext) -> Value:
    """Of an even window, the longer half lies after the channel."""
    return c.b.lrn(c.x(), size=c.attr("size"), alpha=c.attr("alpha"), beta=c.attr("beta"), k=c.attr("bias"))


@rule("LpNormalization", 1, 22)
def lp_normalization(c: OnnxContext) -> Value:
    """x over its norm, zeros where that is zero."""
    x, axes = c.x(), (c.attr("axis"),)
    reduce = c.b.reduce_l1 if c.only("p", 1, 2) == 1 else c.b.reduce_l2
    norm = reduce(x, axes=axes, keepdims=True)
    return c.b.where(c.b.equal(norm, 0.0), 0.0, c.b.div(x, norm))


@rule("MeanVarianceNormalization", 9, 13)
def mean_variance_normalization(c: OnnxContext) -> Value:
    """(x - mean) / (std + 1e-9), as the definition's own function spells it out."""
    x, b = c.x(), c.b
    axes = normalize_axes(c.attr("axes"), c.rank())
    mean = b.reduce_mean(x, axes=axes, keepdims=True)
    squares = b.reduce_mean(b.square(x), axes=axes, keepdims=True)
    deviation = b.sqrt(b.sub(squares, b.square(mean)))
    return b.div(b.sub(x, mean), b.add(deviation, 1e-9))
