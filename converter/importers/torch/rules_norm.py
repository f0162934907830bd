"""ATen normalisations."""

from __future__ import annotations

from collections.abc import Callable

from converter.importers.torch.context import Call, TorchContext, rule
from converter.importers.torch.dtypes import ir_dtype
from ir.core import Value
from ir.types import Dim, dtypes


def _mixed(c: TorchContext, a: Call, name: str, compute: Callable[[Value, Value | None, Value | None], Value]) -> Value:
    """Run with scale and bias; where their dtype differs from a half input, in float32 as torch's mixed kernels do."""
    x, scale, bias = a.value(name), a.optional("weight"), a.optional("bias") if a.has("bias") else None
    kinds = {v.type.dtype for v in (x, scale, bias) if v is not None}
    if len(kinds) == 1:
        return compute(x, scale, bias)
    if not x.type.dtype.is_half or kinds != {x.type.dtype, dtypes.float32}:
        c.refuse(f"mixed element types {', '.join(sorted(map(str, kinds)))}")
    wide = [None if v is None else c.cast(v, dtypes.float32) for v in (x, scale, bias)]
    assert wide[0] is not None
    return c.cast(compute(wide[0], wide[1], wide[2]), a.dtype)


@rule("aten.layer_norm.default", "aten.native_layer_norm.default")
def layer_norm(c: TorchContext, a: Call) -> Value | list[Value | None]:
    a.raw("cudnn_enable") if a.has("cudnn_enable") else None
    axes = tuple(range(-len(a.dims("normalized_shape")), 0))
    if a.lit("eps") < 0:
        return _spelled_layer_norm(c, a, axes)
    out = _mixed(c, a, "input", lambda x, w, b: c.b.layer_norm(x, w, b, axes=axes, eps=a.lit("eps")))
    if "native" not in str(a.node.target):
        return out
    x = a.value("input")
    return [out, *_statistics(c, a, x, tuple(i % x.type.rank for i in axes), keepdims=True)]


def _spelled_layer_norm(c: TorchContext, a: Call, axes: tuple[int, ...]) -> Value:
    """With a negative eps, which no layer has: NaN where the variance is below its size."""
    x, b = a.value("input"), c.b
    if "native" in str(a.node.target) or x.type.dtype.is_half:
        c.refuse("a negative eps in this form")
    centred = b.sub(x, b.reduce_mean(x, axes=axes, keepdims=True))
    below = b.add(b.reduce_mean(b.square(centred), axes=axes, keepdims=True), c.constant(a.lit("eps"), x.type.dtype))
    out = b.div(centred, b.sqrt(below))
    for name, op in (("weight", b.mul), ("bias", b.add)):
        factor = a.optional(name)
        out = out if factor is None else op(out, factor)
    return out


def _statistics(c: TorchContext, a: Call, x: Value, axes: tuple[int, ...], keepdims: bool) -> list[Value | None]:
    """The mean, and one over the root of the biased variance plus eps, which native forms return beside the result."""
    if a.meta[1].numel() == 0:
        return [None, None]
    kind = ir_dtype(a.meta[1].dtype)
    x = c.cast(x, kind)
    var = c.b.reduce_var(x, axes=axes, keepdims=keepdims, correction=0.0)
    root = c.b.rsqrt(c.b.add(var, c.constant(a.lit("eps"), kind)))
    return [c.b.reduce_mean(x, axes=axes, keepdims=keepdims), root]


@rule("aten.native_group_norm.default")
def native_group_norm(c: TorchContext, a: Call) -> list[Value | None]:
    groups = a.lit("group")
    for name in ("N", "C", "HxW"):
        a.raw(name)
    out = _mixed(c, a, "input", lambda x, w, b: c.b.group_norm(x, w, b, groups=groups, eps=a.lit("eps")))
    x = a.value("input")
    batch, channels, *rest = x.type.shape
    parts = c.b.reshape(x, shape=(batch, groups, channels // groups, *rest))
    return [out, *_statistics(c, a, parts, tuple(range(2, parts.type.rank)), keepdims=False)]


@rule("aten.rms_norm.default")
def rms_norm(c: TorchContext, a: Call) -> Value:
    axes = tuple(range(-len(a.dims("normalized_shape")), 0))
    eps = a.lit("eps")
    if eps is None:
        eps = a.dtype.eps  # torch.finfo(dtype).eps
    if eps < 0:  # which no layer has
        x, weight = a.value("input"), a.optional("weight")
        if x.type.dtype.is_half:
            c.refuse("a negative eps in this form")
        below = c.b.add(c.b.reduce_mean(c.b.square(x), axes=axes, keepdims=True), c.constant(eps, x.type.dtype))
        out = c.b.mul(x, c.b.rsqrt(below))
        return out if weight is None else c.b.mul(out, weight)
    return _mixed(c, a, "input", lambda x, w, _: c.b.rms_norm(x, w, axes=axes, eps=eps))


@rule("aten.group_norm.default")
def group_norm(c: TorchContext, a: Call) -> Value:
    a.raw("cudnn_enabled")
    groups = a.lit("num_groups")
    return _mixed(c, a, "input", lambda x, w, b: c.b.group_norm(x, w, b, groups=groups, eps=a.lit("eps")))


@rule("aten.instance_norm.default")
def instance_norm(c: TorchContext, a: Call) -> Value:
    """By its own statistics, which move the running ones where there are any; or by the running ones (inference)."""
    a.raw("cudnn_enabled")
    a.lit("momentum")
    if not a.lit("use_input_stats"):
        return _by_statistics(c, a, a.value("input"), a.value("running_mean"), a.value("running_var"))
    if any(a.raw(name) is not None for name in ("running_var", "running_mean")):
        _move_statistics(c, a, a.value("running_mean"), a.value("running_var"))
    return _mixed(c, a, "input", lambda x, w, b: c.b.instance_norm(x, w, b, eps=a.lit("eps")))


def _by_statistics(c: TorchContext, a: Call, x: Value, mean: Value, var: Value) -> Value:
    """(x - mean) / sqrt(var + eps) per channel, scaled and shifted."""
    b = c.b
    if any(v.type.dtype != x.type.dtype for v in (mean, var)):
        c.refuse("running statistics of another element type")
    shape = _by_channel(x)
    root = b.sqrt(b.add(b.reshape(var, shape=shape), c.constant(a.lit("eps"), x.type.dtype)))
    return _scaled(c, a, x, b.div(b.sub(x, b.reshape(mean, shape=shape)), root))


def _by_channel(x: Value) -> tuple[Dim, ...]:
    """The shape in which one number for each channel meets x."""
    return (1, x.type.shape[1], *(1,) * (x.type.rank - 2))


def _scaled(c: TorchContext, a: Call, x: Value, out: Value) -> Value:
    """What has been normalised, scaled and shifted channel by channel where there is a scale, a shift."""
    for name, op in (("weight", c.b.mul), ("bias", c.b.add)):
        factor = a.optional(name)
        out = out if factor is None else op(out, c.b.reshape(factor, shape=_by_channel(x)))
    return out


def _move_statistics(c: TorchContext, a: Call, mean: Value, var: Value) -> None:
    """Running statistics move towards the average over the batch of each sample's mean and unbiased variance."""
    x, momentum = a.value("input"), a.lit("momentum")
    axes = tuple(range(2, x.type.rank))
    found = c.b.reduce_mean(x, axes=axes), c.b.reduce_var(x, axes=axes, correction=1.0)
    for name, before, now in zip(("running_mean", "running_var"), (mean, var), found, strict=True):
        kept = c.b.mul(before, c.constant(1 - momentum, before.type.dtype))
        share = c.b.mul(c.b.reduce_mean(now, axes=(0,)), c.constant(momentum, x.type.dtype))
        c.move(a.node, c.stored(a.raw(name)), c.b.add(kept, c.cast(share, before.type.dtype)))


@rule("isomorph.batch_norm.default")
def batch_norm(c: TorchContext, a: Call) -> Value:
    """Both modes of `nn.BatchNorm`; running statistics become state, chained when a layer is called twice."""
    names = c.stored(a.raw("mean")), c.stored(a.raw("var"))
    out, *following = c.b.batch_norm(
        a.value("x"), a.optional("weight"), a.optional("bias"), a.value("mean"), a.value("var"), eps=a.lit("eps"),
        momentum=a.lit("momentum"), frozen=a.lit("frozen"),
    )  # fmt: skip
    for name, now in zip(names, following if not a.lit("frozen") else ()):
        c.move(a.node, name, now)
    return out


@rule("isomorph.batch_norm_of.default")
def batch_norm_of(c: TorchContext, a: Call) -> list[Value]:
    """A batch norm in training that moves statistics of nobody's: the result, and both statistics after."""
    return list(c.b.batch_norm(
        a.value("x"), a.optional("weight"), a.optional("bias"), a.value("mean"), a.value("var"), eps=a.lit("eps"),
        momentum=a.lit("momentum"),
    ))  # fmt: skip


@rule("aten._native_batch_norm_legit.no_stats")
def batch_norm_by_batch(c: TorchContext, a: Call) -> list[Value | None]:
    for name in ("momentum", "training"):
        a.lit(name)
    return [_by_batch(c, a), None, None]


def _by_batch(c: TorchContext, a: Call) -> Value:
    x = a.value("input")
    axes = (0, *range(2, x.type.rank))
    mean = c.b.reduce_mean(x, axes=axes, keepdims=True)
    var = c.b.reduce_var(x, axes=axes, keepdims=True, correction=0.0)
    root = c.b.sqrt(c.b.add(var, c.constant(a.lit("eps"), x.type.dtype)))
    out = c.b.div(c.b.sub(x, mean), root)
    return _scaled(c, a, x, out)


@rule("aten._native_batch_norm_legit_no_training.default")
def batch_norm_inference(c: TorchContext, a: Call) -> list[Value | None]:
    """The inference form of a decomposed program; its training behaviour is gone before we see it."""
    c.note("a batch norm of this program was exported for inference only; it is kept frozen")
    momentum = a.lit("momentum")
    out, _, _ = c.b.batch_norm(
        a.value("input"), a.optional("weight"), a.optional("bias"), a.value("running_mean"), a.value("running_var"),
        eps=a.lit("eps"), momentum=momentum, frozen=True,
    )  # fmt: skip
    return [out, None, None]
