"""Writes at computed positions: the scatter family, masks, segments. Bounds as `ir.ops.positions` says.

Duplicates are visited in row-major order of the indices. Without a reduction the last visited wins (`unique` promises
that there are none). `add` and `mul` accumulate in the data's dtype in that order (the evaluator holds half floats in
float32, rounded once); `mean` divides by the count, integers floor; `max` and `min` propagate NaN. On booleans add and
max are or, mul and min are and. `include_self=False`: touched cells start from their first update.

Gradients (`vjp`), the canonical ones where frameworks disagree:
- none: data gets 0 where written, and only the winning update of a cell is credited;
- add: data gets the cotangent, updates the cotangent of their cell; mean: that, divided by the count;
- mul: the product of the other factors, without division; max, min: shared equally among all that equal the result.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any, Literal

import numpy as np

from ir.ops.accumulate import Reduction, accumulate, accumulate_vjp, check_reduction
from ir.ops.positions import (
    Neg,
    WriteBounds,
    check_prefix,
    check_same_shape,
    flatten_rows,
    resolve,
    resolve_rows,
    static_size,
)
from ir.ops.registry import op
from ir.ops.sampler import Sample, Sampler
from ir.types import Dim, DimExpr, TensorType, broadcast_shapes, normalize_axis
from ir.types.errors import AxisError, DTypeError, PositionError, ShapeError

if TYPE_CHECKING:
    from ir.core.builder import Builder
    from ir.core.graph import Value

Array = np.ndarray
REDUCTIONS = ("none", "add", "mul", "max", "min", "mean")


@op
class ScatterElements:
    """data with out[indices[i][j]][j] set to, or reduced with, updates[i][j] for axis 0 (ONNX ScatterElements).

    updates have the shape of indices, which off `axis` may be shorter than data.
    """

    inputs = ("data: any", "indices: index", "updates: data")
    axis: int = 0
    reduction: Reduction = "none"
    include_self: bool = True
    bounds: WriteBounds = "error"
    neg: Neg = "from_end"
    unique: bool = False

    @staticmethod
    def infer(
        data: TensorType, indices: TensorType, updates: TensorType, axis: int, reduction: str, **_: Any
    ) -> TensorType:
        if data.rank == 0:
            raise AxisError("scatter_elements: data of rank 0 has no axis to write along")
        check_prefix(indices.shape, data.shape, normalize_axis(axis, data.rank), "scatter_elements")
        check_same_shape(updates.shape, indices.shape, "scatter_elements: updates have the shape of indices")
        check_reduction(data.dtype, reduction, "scatter_elements")
        return data

    @staticmethod
    def evaluate(
        data: Array,
        indices: Array,
        updates: Array,
        axis: int,
        reduction: Reduction,
        include_self: bool,
        bounds: Any,
        neg: Any,
        unique: bool,
    ) -> Array:
        cells, kept = _element_cells(data, indices, axis, bounds, neg)
        out = accumulate(_column(data), cells[kept], _column(updates)[kept], reduction, include_self)
        return out.reshape(data.shape)

    @staticmethod
    def vjp(
        cotangent: Array,
        data: Array,
        indices: Array,
        updates: Array,
        axis: int,
        reduction: Reduction,
        include_self: bool,
        bounds: Any,
        neg: Any,
        **_: Any,
    ) -> dict[str, Array]:
        cells, kept = _element_cells(data, indices, axis, bounds, neg)
        g, column, parts = (_column(a) for a in (cotangent, data, updates))
        return _shaped_vjp(g, column, parts, cells, kept, reduction, include_self, data, updates)

    @staticmethod
    def samples(s: Sampler) -> Iterator[Sample]:
        for reduction in REDUCTIONS:
            for include_self in (True, False):
                attrs: dict[str, Any] = {"reduction": reduction, "include_self": include_self}
                yield s.case(s.floats(4, 3), s.ints(5, 3, low=-4, high=4), s.floats(5, 3), **attrs)
                yield s.case(
                    s.floats(3, 4), s.ints(2, 6, low=0, high=4), s.floats(2, 6), axis=1, neg="invalid", **attrs
                )
                yield s.case(s.ints(6), s.ints(9, low=-6, high=6), s.ints(9), **attrs)
            for bounds in ("clip", "wrap", "drop"):
                i = np.array([[0, -1, 4, 9, -9, 1, np.iinfo(np.int64).min]])
                yield s.case(s.floats(2, 4), i, s.floats(1, 7), axis=-1, reduction=reduction, bounds=bounds)
            yield s.case(
                s.ints(4, dtype="uint8"), s.ints(0), s.ints(0, dtype="uint8"), reduction=reduction, name="no index"
            )
        for reduction in ("none", "add", "mul", "max", "min"):
            yield s.case(s.bools(4), s.ints(7, low=0, high=4), s.bools(7), reduction=reduction)
            edge = s.floats(40, edge=True, low=-1, high=1)
            yield s.case(
                s.floats(5, edge=True),
                s.ints(40, low=0, high=5),
                edge,
                reduction=reduction,
                include_self=False,
                name="edges",
                rtol=1e-4,
            )
        yield s.case(s.floats(5), s.permutation(5), s.floats(5), unique=True, bounds="unchecked", neg="invalid")
        yield s.case(s.floats(5), s.permutation(5), s.floats(5), axis=-1, unique=True, name="last axis of one")
        yield s.case(s.floats(0), s.ints(2), s.floats(2), bounds="drop", name="empty axis, drop")
        yield s.case(s.floats(0), s.ints(2), s.floats(2), bounds="clip", name="empty axis", error=PositionError)
        yield s.case(s.floats(4), np.array([4]), s.floats(1), name="out of range", error=PositionError)
        yield s.case(s.floats(4), np.array([-1]), s.floats(1), neg="invalid", name="negative", error=PositionError)
        yield s.case(s.floats(4), s.ints(2, low=0), s.floats(3), name="updates", error=ShapeError)
        yield s.case(
            s.bools(4), s.ints(2, low=0, high=4), s.bools(2), reduction="mean", name="mean of bool", error=DTypeError
        )


def _element_cells(data: Array, indices: Array, axis: int, bounds: Any, neg: Any) -> tuple[Array, Array]:
    """Flat offset in data of each index element, and which of them write."""
    axis = normalize_axis(axis, data.ndim)
    position, ok = resolve(indices, data.shape[axis], bounds, neg)
    grid: list[Array] = list(np.ix_(*map(np.arange, indices.shape)))
    grid[axis] = position
    flat = flatten_rows(np.stack(np.broadcast_arrays(*grid), -1), data.shape)
    return flat, np.ones(flat.shape, np.bool_) if ok is None else ok.ravel()


def _column(a: Array) -> Array:
    """The elements of `a`, one a row."""
    return a.reshape(a.size, 1)


def _shaped_vjp(
    g: Array,
    data: Array,
    updates: Array,
    cells: Array,
    kept: Array,
    reduction: Reduction,
    include_self: bool,
    like: Array,
    like_updates: Array,
) -> dict[str, Array]:
    """Cotangents in the operands' shapes; updates that were dropped get 0."""
    g_data, g_kept = accumulate_vjp(g, data, cells[kept], updates[kept], reduction, include_self)
    g_updates = np.zeros(updates.shape, g.dtype)
    g_updates[kept] = g_kept
    return {"data": g_data.reshape(like.shape), "updates": g_updates.reshape(like_updates.shape)}


@op
class ScatterNd:
    """data with the slices at index vectors (last axis of indices) set to, or reduced with, the updates' slices
    (ONNX ScatterND): updates have the shape indices[:-1] + data[d:]."""

    inputs = ("data: any", "indices: index", "updates: data")
    reduction: Reduction = "none"
    include_self: bool = True
    bounds: WriteBounds = "error"
    neg: Neg = "from_end"
    unique: bool = False

    @staticmethod
    def infer(data: TensorType, indices: TensorType, updates: TensorType, reduction: str, **_: Any) -> TensorType:
        if indices.rank == 0:
            raise ShapeError("scatter_nd: indices need a last axis of index vectors")
        depth = static_size(indices.shape[-1], "scatter_nd: the length of index vectors")
        if depth > data.rank:
            raise ShapeError(f"scatter_nd: index vectors of length {depth} are too long for {data}")
        expected = indices.shape[:-1] + data.shape[depth:]
        check_same_shape(updates.shape, expected, "scatter_nd: updates have the shape indices[:-1] + data[d:]")
        check_reduction(data.dtype, reduction, "scatter_nd")
        return data

    @staticmethod
    def evaluate(
        data: Array,
        indices: Array,
        updates: Array,
        reduction: Reduction,
        include_self: bool,
        bounds: Any,
        neg: Any,
        unique: bool,
    ) -> Array:
        rows, cells, kept, parts = _row_cells(data, indices, updates, bounds, neg)
        return accumulate(rows, cells[kept], parts[kept], reduction, include_self).reshape(data.shape)

    @staticmethod
    def vjp(
        cotangent: Array,
        data: Array,
        indices: Array,
        updates: Array,
        reduction: Reduction,
        include_self: bool,
        bounds: Any,
        neg: Any,
        **_: Any,
    ) -> dict[str, Array]:
        rows, cells, kept, parts = _row_cells(data, indices, updates, bounds, neg)
        return _shaped_vjp(
            cotangent.reshape(rows.shape), rows, parts, cells, kept, reduction, include_self, data, updates
        )

    @staticmethod
    def samples(s: Sampler) -> Iterator[Sample]:
        for reduction in REDUCTIONS:
            for include_self in (True, False):
                attrs: dict[str, Any] = {"reduction": reduction, "include_self": include_self}
                yield s.case(s.floats(4, 3), s.ints(6, 1, low=-4, high=4), s.floats(6, 3), **attrs)
                yield s.case(s.ints(3, 2), s.ints(2, 4, 2, low=0, high=2), s.ints(2, 4), neg="invalid", **attrs)
            for bounds in ("clip", "wrap", "drop"):
                i = np.array([[0, -1], [5, 0], [0, 9], [-1, -9], [np.iinfo(np.int64).min, 1]])
                yield s.case(s.floats(3, 2, 2), i, s.floats(5, 2), reduction=reduction, bounds=bounds)
            yield s.case(s.floats(2, 2), s.ints(3, 0), s.floats(3, 2, 2), reduction=reduction, name="depth 0")
            rows = s.floats(3, 2, 2, 2)
            yield s.case(s.floats(2, 2), s.ints(3, 2, 0), rows, reduction=reduction, name="rows of depth 0")
        for reduction in ("none", "add", "mul", "max", "min"):
            yield s.case(s.bools(4), s.ints(7, 1, low=0, high=4), s.bools(7), reduction=reduction)
        yield s.case(s.floats(3, 2), s.permutation(3)[:, None], s.floats(3, 2), unique=True, bounds="unchecked")
        yield s.case(s.floats(3), s.ints(0, 1), s.floats(0), name="no index")
        for reduction in ("none", "add"):
            yield s.case(
                s.floats(3, 0), s.ints(2, 1, low=0, high=3), s.floats(2, 0), reduction=reduction, name="no width"
            )
        for reduction in REDUCTIONS:
            yield s.case(s.floats(4, 3), s.ints(1, low=-4, high=4), s.floats(3), reduction=reduction, name="one vector")
            one = (s.ints(3, 2), s.ints(2, low=0, high=2), s.ints())
            yield s.case(*one, neg="invalid", reduction=reduction, name="one place")
        yield s.case(s.floats(3), np.array([[3]]), s.floats(1), name="out of range", error=PositionError)
        yield s.case(s.floats(3), s.ints(2, 2), s.floats(2), name="vectors too long", error=ShapeError)
        yield s.case(s.floats(3), s.ints(2, 1), s.ints(2), name="dtypes", error=DTypeError)
        yield s.case(s.floats(3, 2), s.ints(2, 1), s.floats(2), name="updates", error=ShapeError)
        yield s.case(
            s.complexes(3), s.ints(2, 1), s.complexes(2), reduction="max", name="order of complex", error=DTypeError
        )


def _row_cells(data: Array, indices: Array, updates: Array, bounds: Any, neg: Any) -> tuple[Array, Array, Array, Array]:
    """data as [cells, slice], the cell of each index vector, which of them write, and updates as [vectors, slice]."""
    depth = indices.shape[-1]
    position, ok = resolve_rows(indices, data.shape[:depth], bounds, neg)
    cells = flatten_rows(position, data.shape[:depth])
    width = int(np.prod(data.shape[depth:]))
    kept = np.ones(cells.shape, np.bool_) if ok is None else ok.ravel()
    return data.reshape(int(np.prod(data.shape[:depth])), width), cells, kept, updates.reshape(cells.size, width)


@op
class MaskFill:
    """data with the 0-d `value` where `mask`, broadcast to data, is True."""

    inputs = ("data: any", "mask: bool", "value: data")

    @staticmethod
    def infer(data: TensorType, mask: TensorType, value: TensorType) -> TensorType:
        if value.rank:
            raise ShapeError(f"mask_fill: value must be 0-d, got {value}")
        check_same_shape(broadcast_shapes(data.shape, mask.shape), data.shape, "mask_fill: mask broadcasts to data")
        return data

    @staticmethod
    def evaluate(data: Array, mask: Array, value: Array) -> Array:
        return np.where(mask, value, data)

    @staticmethod
    def decompose(b: Builder, data: Value, mask: Value, value: Value) -> Value:
        return b.where(mask, value, data)

    @staticmethod
    def samples(s: Sampler) -> Iterator[Sample]:
        for shape in ((3, 4), (4,), (3, 1), (), (1, 1)):
            yield s.case(s.floats(3, 4), s.bools(*shape), s.floats())
        yield s.case(s.ints(0, 2), s.bools(2), s.ints())
        yield s.case(s.bools(3), s.bools(3), s.bools())
        yield s.case(s.floats(3), s.bools(2, 3), s.floats(), name="mask of higher rank", error=ShapeError)
        yield s.case(s.floats(1, 3), s.bools(2, 3), s.floats(), name="mask larger", error=ShapeError)
        yield s.case(s.floats(3), s.bools(3), s.floats(1), name="value", error=ShapeError)


@op
class MaskScatter:
    """data with the slices where `mask` (its leading axes) is True replaced by those of `source`, row-major.

    source has exactly as many slices as there are True; torch.masked_scatter, which takes more, is cropped on import.
    `symbol` may name the opaque count of True; lowering needs that name, or a source of such a length.
    """

    inputs = ("data: any", "mask: bool", "source: data")
    symbol: str = ""

    @staticmethod
    def infer(data: TensorType, mask: TensorType, source: TensorType, symbol: str) -> TensorType:
        check_same_shape(mask.shape, data.shape[: mask.rank], "mask_scatter: mask covers the leading axes of data")
        if source.rank != 1 + data.rank - mask.rank:
            raise ShapeError(f"mask_scatter: source {source} must hold one slice of {data} for each True")
        check_same_shape(source.shape[1:], data.shape[mask.rank :], "mask_scatter: slices of source and data")
        return data

    @staticmethod
    def evaluate(data: Array, mask: Array, source: Array, symbol: str) -> Array:
        if len(source) != np.count_nonzero(mask):
            raise ShapeError(f"mask_scatter: {len(source)} slices for {np.count_nonzero(mask)} True")
        out = data.copy()
        out[mask] = source
        return out

    @staticmethod
    def decompose(b: Builder, data: Value, mask: Value, source: Value, symbol: str) -> Value:
        count = source.type.shape[0]
        if isinstance(count, DimExpr) and count.is_symbol and count.symbol.opaque:
            symbol = symbol or count.symbol.name
        if not symbol or mask.type.rank == 0:
            raise NotImplementedError("mask_scatter: a 0-d mask, or one whose count of True has no name, is not listed")
        return b.scatter_nd(data, b.nonzero(mask, symbol=symbol), source, neg="invalid", unique=True)

    @staticmethod
    def samples(s: Sampler) -> Iterator[Sample]:
        for shape in ((4, 3, 2), (5,)):
            for rank in range(1, len(shape) + 1):
                mask = s.bools(*shape[:rank])
                for symbol in ("", "count"):
                    yield s.case(s.floats(*shape), mask, s.floats(int(mask.sum()), *shape[rank:]), symbol=symbol)
        yield s.case(s.ints(3), np.zeros(3, np.bool_), s.ints(0), name="none")
        yield s.case(s.floats(3, 2), np.array(True), s.floats(1, 3, 2), name="0-d mask")
        yield s.case(s.floats(4), np.ones(4, np.bool_), s.floats(3), name="count", error=ShapeError)
        yield s.case(s.floats(4, 2), s.bools(4), s.floats(4), name="rank", error=ShapeError)


@op
class SegmentReduce:
    """Row k of the result reduces the slices of data whose id is k; ids cover the leading axes of data.

    Negative ids are out of range, never counted from the end; `drop` ignores ids out of range. A segment without
    slices holds the identity (0, 1, -inf or the lowest integer for max, the mirror image for min; 0 for mean), or 0
    with `empty=zero` (as tf.math.segment_max).
    """

    inputs = ("data: any", "ids: index")
    num_segments: Dim
    reduction: Literal["add", "mul", "max", "min", "mean"]
    bounds: Literal["drop", "error"] = "error"
    empty: Literal["identity", "zero"] = "identity"

    @staticmethod
    def infer(
        data: TensorType, ids: TensorType, num_segments: Dim, reduction: str, bounds: str, empty: str
    ) -> TensorType:
        check_same_shape(ids.shape, data.shape[: ids.rank], "segment_reduce: ids cover the leading axes of data")
        check_reduction(data.dtype, reduction, "segment_reduce")
        if isinstance(num_segments, int) and num_segments < 0:
            raise ShapeError(f"segment_reduce: {num_segments} segments")
        return data.with_shape((num_segments, *data.shape[ids.rank :]))

    @staticmethod
    def evaluate(data: Array, ids: Array, num_segments: int, reduction: Reduction, bounds: Any, empty: str) -> Array:
        rest = data.shape[ids.ndim :]
        start = np.full((num_segments, *rest), _empty_value(data.dtype, reduction, empty), data.dtype)
        rows, cells, kept, parts = _row_cells(start, ids[..., None], data, bounds, "invalid")
        return accumulate(rows, cells[kept], parts[kept], reduction, False).reshape(start.shape)

    @staticmethod
    def decompose(
        b: Builder, data: Value, ids: Value, num_segments: Dim, reduction: Any, bounds: Any, empty: str
    ) -> Value:
        kind = data.type.dtype
        value = _empty_value(kind.numpy, reduction, empty)
        start = b.full(shape=(num_segments, *data.type.shape[ids.type.rank :]), value=value, dtype=kind)
        where = b.unsqueeze(ids, axes=(ids.type.rank,))
        return b.scatter_nd(start, where, data, reduction=reduction, include_self=False, bounds=bounds, neg="invalid")

    @staticmethod
    def vjp(
        cotangent: Array, data: Array, ids: Array, num_segments: int, reduction: Reduction, bounds: Any, **_: Any
    ) -> dict[str, Array]:
        start = np.zeros((num_segments, *data.shape[ids.ndim :]), data.dtype)
        rows, cells, kept, parts = _row_cells(start, ids[..., None], data, bounds, "invalid")
        grads = _shaped_vjp(cotangent.reshape(rows.shape), rows, parts, cells, kept, reduction, False, start, data)
        return {"data": grads["updates"]}

    @staticmethod
    def samples(s: Sampler) -> Iterator[Sample]:
        for reduction in REDUCTIONS[1:]:
            for empty in ("identity", "zero"):
                yield s.case(s.floats(7, 2), s.ints(7, low=0, high=4), num_segments=5, reduction=reduction, empty=empty)
                yield s.case(
                    s.ints(3, 2),
                    s.ints(3, 2, low=-2, high=6),
                    num_segments=4,
                    reduction=reduction,
                    empty=empty,
                    bounds="drop",
                )
            yield s.case(s.floats(0, 2), s.ints(0), num_segments=2, reduction=reduction, name="no data")
        for reduction in ("add", "mul", "max", "min"):
            yield s.case(s.bools(6), s.ints(6, low=0, high=3), num_segments=4, reduction=reduction)
        yield s.case(
            s.floats(2), np.array([0, -1]), num_segments=2, reduction="add", name="negative", error=PositionError
        )
        yield s.case(s.floats(3), s.ints(2), num_segments=2, reduction="add", name="ids", error=ShapeError)


def _empty_value(dtype: np.dtype, reduction: str, empty: str) -> bool | int | float:
    """What a segment without slices holds."""
    if empty == "zero" or reduction in ("add", "mean"):
        return 0
    if reduction == "mul":
        return 1
    if dtype == np.bool_:
        return reduction == "min"
    if np.issubdtype(dtype, np.integer):
        info = np.iinfo(dtype)
        return int(info.min if reduction == "max" else info.max)
    return float("-inf") if reduction == "max" else float("inf")
