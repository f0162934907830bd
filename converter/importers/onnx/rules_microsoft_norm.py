"""Normalisations of ONNX Runtime's own domain: with a residual sum or a sum of embeddings before them."""

from __future__ import annotations

from converter.importers.onnx.context import OnnxContext
from converter.importers.onnx.rules_norm import layer_norm, rms_norm
from converter.importers.onnx.table import microsoft, rule
from ir.core import Value
from ir.types import dtypes, normalize_axis

rule("LayerNormalization", 1)(layer_norm)


@rule("SimplifiedLayerNormalization", 1)
def simplified_layer_norm(c: OnnxContext) -> tuple[Value, ...]:
    """Normalisation by the root of the mean square, which is the second output's reciprocal, always a float32."""
    out = rms_norm(c)
    if not c.used(1):
        return (out,)
    x = c.cast(c.x(), dtypes.float32) if c.type().dtype.is_half else c.x()
    axes = tuple(range(normalize_axis(c.attr("axis"), c.rank()), c.rank()))
    mean = c.b.reduce_mean(c.b.square(x), axes=axes, keepdims=True)
    return out, c.cast(c.b.rsqrt(c.b.add(mean, c.attr("epsilon"))), dtypes.float32)


@microsoft("SkipLayerNormalization")
def skip_layer_norm(c: OnnxContext) -> tuple[Value | None, ...]:
    """Layer normalisation of x + skip + bias, and that sum."""
    total = _sum(c, 4)
    return c.b.layer_norm(total, c.x(2), c.opt(3), axes=(-1,), eps=c.attr("epsilon")), None, None, total


@microsoft("SkipSimplifiedLayerNormalization")
def skip_rms_norm(c: OnnxContext) -> tuple[Value | None, ...]:
    """Normalisation by the root mean square of x + skip + bias, and that sum."""
    total = _sum(c, 3)
    return c.b.rms_norm(total, c.x(2), axes=(-1,), eps=c.attr("epsilon")), None, None, total


def _sum(c: OnnxContext, bias: int) -> Value:
    """x + skip (whose batch may be left out or 1) + bias."""
    c.no_output(1, "its output mean is for training")
    c.no_output(2, "its output inv_std_var is for training")
    if c.rank(1) > c.rank(0):
        c.refuse(f"a skip {c.type(1)} of higher rank than {c.type(0)} is not defined")
    total = c.b.add(c.x(0), c.x(1))
    return c.b.add(total, c.x(bias)) if c.has(bias) else total


@microsoft("GroupNorm")
def group_norm(c: OnnxContext) -> Value:
    """Group normalisation, channels last unless told otherwise, then silu if `activation` is 1."""
    return _grouped(c, c.x(0), bool(c.only("channels_last", 0, 1)))


@microsoft("SkipGroupNorm")
def skip_group_norm(c: OnnxContext) -> tuple[Value, Value]:
    """Group normalisation of x + skip + bias, and that sum. Skip and bias may have channels only."""
    last = bool(c.only("channels_last", 0, 1))
    total = c.b.add(c.x(0), _over_image(c, 3, last))
    if c.has(4):
        total = c.b.add(total, _over_image(c, 4, last))
    return _grouped(c, total, last), total


def _over_image(c: OnnxContext, index: int, last: bool) -> Value:
    """Channels, for each sample or for all, beside axes of size 1 for the image."""
    x = c.x(index)
    if x.type.rank == 4 or last and x.type.rank == 1:
        return x
    lead = x.type.shape[:-1] or (1,)
    channels = x.type.shape[-1]
    return c.b.reshape(x, shape=(*lead, 1, 1, channels) if last else (*lead, channels, 1, 1))


def _grouped(c: OnnxContext, x: Value, last: bool) -> Value:
    kind, gamma, layout = x.type.dtype, c.x(1), "channels_last" if last else "channels_first"
    wide = c.cast(x, gamma.type.dtype)
    out = c.b.group_norm(wide, gamma, c.x(2), groups=c.attr("groups"), eps=c.attr("epsilon"), layout=layout)
    out = c.b.silu(out) if c.only("activation", 0, 1) else out
    return c.cast(out, kind)


@microsoft("EmbedLayerNormalization")
def embed_layer_norm(c: OnnxContext) -> tuple[Value, ...]:
    """Embeddings of words, positions and segments, summed and normalised; and how many words the mask keeps."""
    c.ignore("mask_index_type")  # says whether the second output is there
    b, ids = c.b, c.x(0)
    batch, length = ids.type.shape
    places = c.x(8) if c.has(8) else b.arange(start=0, stop=length, step=1, dtype="int64")
    total = b.add(_rows(c, 2, ids), _rows(c, 3, places))
    if c.has(1) != c.has(4):
        c.refuse("only one of segment_ids and segment_embedding is given")
    if c.has(1):
        total = b.add(total, _rows(c, 4, c.x(1)))
    out = b.layer_norm(total, c.x(5), c.x(6), axes=(-1,), eps=c.attr("epsilon"))
    if c.has(7):
        count = b.reduce_sum(c.x(7), axes=(1,))
    else:
        count = b.full(shape=(batch,), value=0, dtype="int32")
    return out, c.cast(count, dtypes.int32), total


def _rows(c: OnnxContext, table: int, ids: Value) -> Value:
    return c.b.embedding(ids, c.x(table))
