"""ATen table look-ups."""

from __future__ import annotations

from typing import Any

from converter.importers.torch.context import Call, TorchContext, rule
from ir.core import Value
from ir.types import Dim, dtypes, floordiv, same


@rule("aten.embedding.default")
def embedding(c: TorchContext, a: Call) -> Value:
    _note_gradients(c, a)
    padding = a.lit("padding_idx")
    weight = a.value("weight")
    if padding >= 0:
        return c.b.embedding(a.value("indices"), weight, padding_idx=padding)
    return c.b.embedding(a.value("indices"), weight)


def _note_gradients(c: TorchContext, a: Call) -> None:
    if a.lit("scale_grad_by_freq"):
        c.note(f"{c.b.origin.scope}: scale_grad_by_freq changes gradients and is not carried over")
    if a.lit("sparse"):
        c.note(f"{c.b.origin.scope}: gradients are dense, the source's are sparse")


_MODES: dict[int, Any] = {0: "add", 1: "mean", 2: "max"}


@rule("aten._embedding_bag.default", "aten._embedding_bag_forward_only.default")
def embedding_bag(c: TorchContext, a: Call) -> list[Value | None]:
    """Rows of a table, reduced bag by bag; an empty bag gives 0. `padding_idx` (-1: none) counts in no bag."""
    _note_gradients(c, a)
    mode, padding = _MODES[a.lit("mode")], a.lit("padding_idx")
    indices, offsets = a.value("indices"), a.value("offsets")
    if indices.type.rank != 1:
        c.refuse("indices of another rank than 1 in this form")
    bags = offsets.type.shape[0]
    if a.lit("include_last_offset"):
        bags = bags - 1
        c.note(
            "embedding_bag: the last offset is to be the number of indices, as PyTorch documents; what a smaller one does "
            "differs between its kernels"
        )
    rows = c.b.embedding(indices, a.value("weight"), **({"padding_idx": padding} if padding >= 0 else {}))
    scales = a.optional("per_sample_weights")
    if scales is not None:
        rows = c.b.mul(rows, c.b.unsqueeze(scales, axes=(1,)))
    even = _even(c, a, indices.type.shape[0], bags)
    if even is not None and padding < 0:
        return [_reduce_even(c, rows, *even, mode), None, None, None]
    ids = _bag_of_each(c, indices, offsets)
    if padding >= 0:
        here = c.b.equal(indices, c.constant(padding, indices.type.dtype))
        ids = c.b.where(here, c.size_value(bags, ids.type.dtype), ids)
    out = c.b.segment_reduce(rows, ids, num_segments=bags, reduction=mode, bounds="drop", empty="zero")
    return [out, None, None, None]


def _even(c: TorchContext, a: Call, count: Dim, bags: Dim) -> tuple[Dim, Dim] | None:
    """Number and length of bags that all have one length, their offsets being 0, L, 2L, ... (`nn.EmbeddingBag` of a matrix);
    None elsewhere."""
    offsets = a.raw("offsets")
    if str(offsets.target) != "aten.arange.start_step" or len(offsets.args) < 3:
        return None
    start, stop, length = (c.sizes.dim(d.meta["val"] if hasattr(d, "meta") else d) for d in offsets.args)
    if a.lit("include_last_offset") and (same(stop, count) is True or same(count, bags * length) is False):
        c.refuse("offsets whose last one is not the number of indices", "leave include_last_offset out")
    if same(stop, count) is True:
        bags = floordiv(count, length)
    return (bags, length) if start == 0 and same(count, bags * length) is True else None


def _reduce_even(c: TorchContext, rows: Value, bags: Dim, length: Dim, mode: str) -> Value:
    grid = c.b.reshape(rows, shape=(bags, length, rows.type.shape[1]))
    reduce = {"add": c.b.reduce_sum, "mean": c.b.reduce_mean, "max": c.b.reduce_max}[mode]
    return reduce(grid, axes=(1,))


def _bag_of_each(c: TorchContext, indices: Value, offsets: Value) -> Value:
    """The number of the bag that each index lies in: how many offsets are at or before its place, less one."""
    place = c.b.arange(start=0, stop=indices.type.shape[0], step=1, dtype=dtypes.int64)
    begun = c.b.greater_equal(c.b.unsqueeze(place, axes=(1,)), c.cast(offsets, dtypes.int64))
    return c.b.sub(c.b.reduce_sum(c.cast(begun, dtypes.int64), axes=(1,)), c.b.constant(1))
