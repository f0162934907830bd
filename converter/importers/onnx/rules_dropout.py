"""Dropout."""

from __future__ import annotations

from typing import Any

import numpy as np

from converter.importers.onnx.context import OnnxContext
from converter.importers.onnx.table import rule
from ir.core import Value
from ir.types import dtypes


@rule("Dropout", 7, 10)
def unmasked_dropout(c: OnnxContext) -> Value:
    """Dropout that drops while training only, by the attribute `ratio`: a file of these versions describes inference.

    The text leaves open what the mask holds then; ONNX Runtime has it all zeros.
    """
    c.no_output(1, "what its mask holds in inference is not defined before version 12")
    return c.b.dropout(c.x(), p=c.attr("ratio"))


@rule("Dropout", 12, 13, 22)
def dropout(c: OnnxContext) -> Any:
    """Dropout stays for training; with `training_mode` it drops in inference as well."""
    _unseeded(c)
    training = c.const(2) if c.has(2) else np.array(False)
    if training is None:
        return _as_told(c)
    if bool(training.reshape(())):
        if c.used(1) or (c.has(1) and c.const(1) is None):
            return _as_told(c)
        return c.b.dropout(c.x(), p=_ratio(c), always=True)
    if not c.used(1):
        return c.b.dropout(c.x(), p=_ratio(c))
    ones = c.b.full(shape=c.type().shape, value=True, dtype=dtypes.bool_)
    return c.b.dropout(c.x(), p=_ratio(c), frozen=True), ones


def _ratio(c: OnnxContext) -> float:
    ratio = float(c.fixed(1, "the ratio").reshape(())) if c.has(1) else 0.5
    return float(str(np.float32(ratio)))


def _as_told(c: OnnxContext) -> Any:
    """Drops or not as the run says; the mask is what was kept."""
    b, x = c.b, c.x()
    kind = x.type.dtype if x.type.dtype == dtypes.float64 else dtypes.float32
    ratio = b.constant(0.5, kind)
    if c.has(1):
        ratio = b.reshape(c.cast(c.x(1), kind), shape=())
    share = b.sub(1.0, ratio)
    kept = b.bernoulli(b.expand(share, shape=x.type.shape), dtype=dtypes.bool_)
    mask = b.or_(kept, b.not_(b.reshape(c.x(2), shape=())))
    dropped = b.where(kept, c.cast(b.div(c.cast(x, kind), share), x.type.dtype), b.constant(0, x.type.dtype))
    out = b.where(b.reshape(c.x(2), shape=()), dropped, x)
    return (out, mask) if c.used(1) else out


def _unseeded(c: OnnxContext) -> None:
    if c.attr("seed") is not None:
        c.note("Dropout: the seed in the file is not carried over, frameworks draw different numbers from it")
