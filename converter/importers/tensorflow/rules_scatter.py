"""Writes at computed positions. A position out of range is an error, a negative one, too."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from converter.importers.tensorflow.context import TensorflowContext
from converter.importers.tensorflow.rules_indexing import bad_indices
from converter.importers.tensorflow.table import rule
from ir.core import Value
from ir.types import Dim, numel, same

_NAN = "NaN among the updates of a scatter by max or min is passed over by TensorFlow, not by the converted model"


@rule("ScatterNd")
def scatter_nd(c: TensorflowContext) -> Value:
    """Onto zeros; updates of one place add up."""
    indices, updates, shape = c.x(0), c.x(1), c.dims(2, "the shape")
    _check_updates(c, indices, updates, shape)
    zero = c.b.constant(np.zeros((), updates.type.dtype.numpy))
    start = c.b.expand(zero, shape=shape)
    return c.b.scatter_nd(start, indices, updates, reduction="add", bounds=bad_indices(c, "drop"), neg="invalid")


_REDUCTIONS = {
    "TensorScatterUpdate": "none", "TensorScatterAdd": "add", "TensorScatterSub": "add", "TensorScatterMax": "max",
    "TensorScatterMin": "min", "ScatterNdNonAliasingAdd": "add",
}  # fmt: skip


@rule(*_REDUCTIONS)
def tensor_scatter(c: TensorflowContext) -> Value:
    data, indices, updates = c.x(0), c.x(1), c.x(2)
    reduction = _REDUCTIONS[c.op]
    kind = data.type.dtype
    _check_updates(c, indices, updates, data.type.shape)
    if reduction in ("max", "min") and kind.is_float:
        c.note(_NAN)
    if c.op == "TensorScatterSub":
        updates = c.b.neg(updates)
    return c.b.scatter_nd(data, indices, updates, reduction=reduction, bounds=bad_indices(c, "drop"), neg="invalid")


def _check_updates(c: TensorflowContext, indices: Value, updates: Value, shape: Sequence[Dim]) -> None:
    """Updates are not broadcast."""
    depth = indices.type.shape[-1] if indices.type.rank else 1
    if not isinstance(depth, int):
        c.refuse("index vectors of open length")
    want = (*indices.type.shape[:-1], *shape[depth:])
    if len(want) != updates.type.rank or any(
        same(a, b) is False for a, b in zip(want, updates.type.shape, strict=True)
    ):
        c.refuse(f"updates of {updates.type} for {list(want)}")


@rule("InplaceUpdate", "InplaceAdd", "InplaceSub")
def inplace(c: TensorflowContext) -> Value:
    """Rows set or added to, in the order of the indices, each taken modulo the number of rows; a row named twice gets the
    sum, or the last."""
    at = c.const(1)
    size = c.type().shape[0]
    if at is None or not isinstance(size, int) or (at < 0).any() or (at >= size).any():
        c.refuse(
            "rows written in place whose numbers only the run knows, or that are none", "use tensor_scatter_nd_update"
        )
    x, rows = c.x(0), c.x(2)
    rows = c.b.neg(rows) if c.op == "InplaceSub" else rows
    where = c.b.unsqueeze(c.x(1), axes=(1,))
    reduction = "none" if c.op == "InplaceUpdate" else "add"
    return c.b.scatter_nd(x, where, rows, reduction=reduction, bounds="error", neg="invalid")


_ROWS = {
    "ResourceScatterUpdate": "none", "ResourceScatterAdd": "add", "ResourceScatterSub": "add", "ResourceScatterMul": "mul",
    "ResourceScatterMax": "max", "ResourceScatterMin": "min",
}  # fmt: skip


@rule(*_ROWS)
def scatter_rows(c: TensorflowContext) -> None:
    """Rows of a variable set or reduced; one number stands for every row."""
    c.ignore("dtype")
    before, indices, updates = c.value(c.read_variable(0)), c.x(1), c.x(2)
    shape = (*indices.type.shape, *before.type.shape[1:])
    where = c.b.unsqueeze(indices, axes=(indices.type.rank,))
    updates = c.b.expand(updates, shape=shape) if updates.type.rank == 0 and shape else updates
    _assigned(c, before, where, updates, _ROWS[c.op])


_SLICES = {
    "ResourceScatterNdUpdate": "none", "ResourceScatterNdAdd": "add", "ResourceScatterNdSub": "add",
    "ResourceScatterNdMax": "max", "ResourceScatterNdMin": "min",
}  # fmt: skip


@rule(*_SLICES)
def scatter_slices(c: TensorflowContext) -> None:
    """Slices of a variable set or reduced."""
    c.ignore("use_locking")
    _assigned(c, c.value(c.read_variable(0)), c.x(1), c.x(2), _SLICES[c.op], bad_indices(c, "drop"))


def _assigned(
    c: TensorflowContext, before: Value, where: Value, updates: Value, reduction: str, bounds: str = "error"
) -> None:
    _check_updates(c, where, updates, before.type.shape)
    if reduction in ("max", "min") and before.type.dtype.is_float:
        c.note(_NAN)
    updates = c.b.neg(updates) if c.op.endswith("Sub") else updates
    after = c.b.scatter_nd(before, where, updates, reduction=reduction, bounds=bounds, neg="invalid")
    c.assign(c.variable(0), after)


# -- counting -----------------------------------------------------------------------------------------------------------
@rule("Bincount", "DenseBincount")
def bincount(c: TensorflowContext) -> Value:
    """How often each number occurs in a row, or the weights of its places added up. Numbers beyond the last are left out;
    negative ones are an error."""
    x, size, b = c.x(0), c.dims(1, "the number of bins")[0], c.b
    kind = c.type(2).dtype
    binary = c.op == "DenseBincount" and c.attr("binary_output")
    weights = None if _no_weights(c) or binary else c.x(2)
    if c.op == "Bincount" and x.type.rank != 1:
        x = b.reshape(x, shape=(numel(x.type.shape),))
        weights = weights if weights is None else b.reshape(weights, shape=x.type.shape)
    beyond = c.cast(b.dim(size=size), x.type.dtype)
    kept = b.minimum(x, beyond)
    if x.type.rank == 1:
        ones = b.full(shape=x.type.shape, value=1, dtype=kind) if weights is None else weights
        found = b.segment_reduce(ones, kept, num_segments=size + 1, reduction="add", bounds="error")
    else:
        hot = b.one_hot(kept, depth=size + 1, axis=2, on=1, off=0, dtype=kind, neg="invalid", bounds="error")
        hot = hot if weights is None else b.where(b.not_equal(hot, 0), b.unsqueeze(weights, axes=(2,)), hot)
        found = b.reduce_sum(hot, axes=(1,))
    axis = found.type.rank - 1
    found = b.slice(found, axes=(axis,), starts=(0,), stops=(size,), steps=(1,))
    return b.minimum(found, 1) if binary else found


def _no_weights(c: TensorflowContext) -> bool:
    """Whether every number counts as 1."""
    sizes = c.type(2).shape
    if any(d == 0 for d in sizes):
        return True
    if not all(isinstance(d, int) for d in sizes) and c.type(0).shape != sizes:
        c.refuse("weights that may be none at all")
    return False
