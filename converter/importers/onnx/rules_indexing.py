"""Gathers, masks and one-hot. ONNX counts negative positions from the end and fails outside."""

from __future__ import annotations

from typing import Any

import numpy as np

from converter.importers.onnx.context import OnnxContext
from converter.importers.onnx.table import rule
from converter.importers.partial.reshaping import reversed_sequences
from converter.importers.partial.values import Element
from ir.core import Value
from ir.types import dtypes, normalize_axis, numel, same

NEGATIVES = (
    "embeddings: a negative index, which ONNX counts from the end of the table, is an error here "
    "(--index-policy strict counts it from the end)"
)


@rule("Gather", 1, 11, 13)
def gather(c: OnnxContext) -> Value:
    """A single known position is a read. Rows of a table are an embedding where the file says that an embedding module
    reads them: such a module fails on negative indices, while ONNX counts them from the end."""
    axis = normalize_axis(c.attr("axis"), c.rank())
    position = c.ref(1).elements() if c.rank(1) == 0 else None
    if position is not None and not isinstance(position[()], Element):
        return c.b.select(c.x(), axis=axis, index=position[()])
    if axis == 0 and _is_table(c) and _from_embedding(c):
        if c.options.index_policy == "strict":
            return c.b.embedding(c.x(1), c.x(0), neg="from_end")
        c.note(NEGATIVES)
        return c.b.embedding(c.x(1), c.x(0))
    return c.b.gather(c.x(0), c.x(1), axis=axis, bounds="error", neg="from_end")


def _is_table(c: OnnxContext) -> bool:
    """Whether input 0 is a floating matrix of the file, looked up at positions that only the run knows."""
    data = c.ref(0)
    stored = data.stored is not None or (data.value is not None and data.value.is_weight)
    return stored and data.dtype.is_float and data.type.rank == 2 and c.const(1) is None


def _from_embedding(c: OnnxContext) -> bool:
    """Whether the exporter recorded that the innermost module around this node is an embedding."""
    path = c.b.origin.path
    if not path:
        return False
    kind = path[-1].cls or c.importer.recorded_file.modules.get(".".join(s.name for s in path), "")
    return kind.rpartition(".")[2] == "Embedding"


@rule("GatherElements", 11, 13)
def gather_elements(c: OnnxContext) -> Value:
    return c.b.gather_elements(
        c.x(0), c.x(1), axis=normalize_axis(c.attr("axis"), c.rank()), bounds="error", neg="from_end"
    )


@rule("GatherND", 11, 12, 13)
def gather_nd(c: OnnxContext) -> Value:
    batch = c.attr("batch_dims") if c.version >= 12 else 0
    return c.b.gather_nd(c.x(0), c.x(1), batch_dims=batch, bounds="error", neg="from_end")


@rule("NonZero", 9, 13)
def nonzero(c: OnnxContext) -> Value:
    """ONNX has the positions of an element in a column."""
    if c.rank() == 0:
        c.refuse("the positions of a scalar are not defined alike by the runtimes")
    found = c.b.nonzero(c.x(), symbol=c.importer.fresh_symbol("count"))
    return c.b.transpose(found, perm=(1, 0))


@rule("Compress", 9, 11, 28)
def compress(c: OnnxContext) -> Value:
    """Without axis the operand is flattened; a condition shorter than the axis leaves the rest out."""
    axis, x = c.attr("axis"), c.x()
    if c.rank(1) != 1:
        c.refuse(f"its condition must be a vector, got {c.type(1)}")
    if axis is None:
        x, axis = (x if x.type.rank == 1 else c.b.reshape(x, shape=(numel(x.type.shape),))), 0
    axis = normalize_axis(axis, x.type.rank)
    known = c.const(1)
    size, length = x.type.shape[axis], c.type(1).shape[0]
    if known is not None:
        kept = np.flatnonzero(known)
        if isinstance(size, int) and np.any(kept >= size):
            c.refuse(f"a condition of {length} elements for an axis of {size} is not defined alike by the runtimes")
        return c.b.gather(x, c.b.constant(kept, dtypes.int64), axis=axis, bounds="error")
    mask = c.x(1)
    if isinstance(size, int) and isinstance(length, int) and length < size:
        x = c.b.slice(x, axes=(axis,), starts=(0,), stops=(length,), steps=(1,))
    elif same(size, length) is False:
        c.refuse(f"a condition of {length} elements for an axis of {size} is not defined alike by the runtimes")
    return c.b.compress(x, mask, axis=axis, symbol=c.importer.fresh_symbol("count"))


@rule("OneHot", 9, 11, 28)
def one_hot(c: OnnxContext) -> Value:
    """Indices in [-depth, depth) count from the end when negative; others give a row of `off`."""
    indices, kind = c.x(0), c.type(2).dtype
    if not indices.type.dtype.is_integer:
        indices = c.b.cast(indices, to=dtypes.int64)
    depth: Any = c.dims(1, "the depth") if c.type(1).dtype.is_integer else c.ints(1, "the depth")
    if len(depth) != 1 or c.type(2).shape != (2,):
        c.refuse(f"depth and values must have 1 and 2 elements, got {c.type(1)} and {c.type(2)}")
    axis = normalize_axis(c.attr("axis"), c.rank() + 1)
    values = c.const(2)
    if values is not None and values.dtype.kind in "biuf":
        off, on = values.tolist()
        return c.b.one_hot(indices, depth=depth[0], axis=axis, on=on, off=off, dtype=kind, neg="from_end")
    hot = c.b.one_hot(indices, depth=depth[0], axis=axis, on=True, off=False, dtype=dtypes.bool_, neg="from_end")
    pair = c.x(2)
    return c.b.where(hot, c.b.select(pair, axis=0, index=1), c.b.select(pair, axis=0, index=0))


@rule("ReverseSequence", 10, 28)
def reverse_sequence(c: OnnxContext) -> Value:
    """Each sequence of the batch reversed over its own length: a gather at computed positions."""
    batch, time = c.attr("batch_axis"), c.attr("time_axis")
    if {batch, time} != {0, 1}:
        c.refuse(f"batch_axis={batch} with time_axis={time} is not defined")
    return reversed_sequences(c, c.x(), c.x(1), batch, time, neg="from_end")
