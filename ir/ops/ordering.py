"""Ops that walk along one axis: positions of extremes, running sums and products, sorting.

Order of floats: NaN is above +inf for `argmax`, `sort` and `top_k` (PyTorch, NumPy and ONNX Runtime's TopK agree), and
`argmin` finds a NaN first as well (NumPy, PyTorch). Equal elements, NaNs among each other included, keep the order of
their positions: the lowest index comes first. PyTorch's topk and unstable sort leave ties open.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np

from ir.ops.families import INTEGERS
from ir.ops.reduction import reduced
from ir.ops.registry import op
from ir.ops.sampler import Array, Sample, Sampler
from ir.types import Dim, DimExpr, TensorType, dtypes, normalize_axis
from ir.types.shape import numel

if TYPE_CHECKING:
    from ir.core.builder import Builder
    from ir.core.graph import Value


# -- positions of extremes ------------------------------------------------------------------------------------------
def _position(x: Array, axis: int, keepdims: bool, select_last: bool, largest: bool) -> Array:
    if x.shape[axis] == 0:
        shape = [1 if i == axis % x.ndim else d for i, d in enumerate(x.shape)]
        if 0 not in shape:
            raise ValueError(f"axis {axis} of shape {x.shape} is empty: there is no extreme")
        out = np.zeros(shape, np.int64)
        return out if keepdims else out.squeeze(axis)
    find = np.argmax if largest else np.argmin
    if select_last:
        return x.shape[axis] - 1 - find(np.flip(x, axis), axis=axis, keepdims=keepdims)
    return find(x, axis=axis, keepdims=keepdims)


class _Position:
    """The index along `axis` of an extreme."""

    inputs: ClassVar[tuple[str, ...]] = ("x: real",)
    discontinuous: ClassVar[bool] = True
    axis: int
    keepdims: bool = False
    select_last: bool = False

    @staticmethod
    def infer(x: TensorType, axis: int, keepdims: bool, select_last: bool) -> TensorType:
        return reduced(x, (axis,), keepdims).with_dtype(dtypes.int64)

    @staticmethod
    def samples(s: Sampler) -> Iterator[Sample]:
        for axis, keepdims, select_last in ((0, False, False), (-1, True, False), (1, True, True)):
            yield s.case(s.floats(2, 3, 4), axis=axis, keepdims=keepdims, select_last=select_last)
            ties = s.ints(3, 5, 2, low=0, high=2, dtype=dtypes.int32)
            yield s.case(ties, axis=axis, keepdims=keepdims, select_last=select_last, name="ties")
            yield s.case(s.floats(4, 6, 3, edge=True), axis=axis, select_last=select_last, name="edges")
        yield s.case(np.array([1, np.nan, 3, np.nan], s.float_dtype.numpy), axis=0, name="NaN")
        yield s.case(np.array([1, np.nan, 3, np.nan], s.float_dtype.numpy), axis=0, select_last=True, name="last NaN")
        for kind in INTEGERS:
            yield s.case(s.int_edges(kind), axis=0, name="integers")
        yield s.case(s.floats(3, 1), axis=1, name="one element")
        yield s.case(s.floats(0, 3), axis=1, name="empty result")
        for keepdims in (False, True):
            yield s.case(s.floats(2, 0, 0), axis=1, keepdims=keepdims, name="nothing at all")
        yield s.case(s.floats(2, 0), axis=1, name="no elements", error=ValueError)
        yield s.case(s.floats(2, 3), axis=2, name="axis out of range", error=ValueError)


@op
class Argmax(_Position):
    """Where the largest element lies along `axis`: the first of equals, or the last with `select_last`."""

    @staticmethod
    def evaluate(x: Array, axis: int, keepdims: bool, select_last: bool) -> Array:
        return _position(x, axis, keepdims, select_last, largest=True)


@op
class Argmin(_Position):
    """Where the smallest element lies along `axis`: the first of equals, or the last with `select_last`."""

    @staticmethod
    def evaluate(x: Array, axis: int, keepdims: bool, select_last: bool) -> Array:
        return _position(x, axis, keepdims, select_last, largest=False)


# -- running totals -------------------------------------------------------------------------------------------------
def _running(x: Array, axis: int, exclusive: bool, reverse: bool, scan: Any, start: int) -> Array:
    x = np.flip(x, axis) if reverse else x
    out = scan(x, axis=axis, dtype=x.dtype)
    if exclusive:
        first = np.full_like(out.take(range(min(1, x.shape[axis])), axis), start)
        out = np.concatenate([first, out.take(range(max(0, x.shape[axis] - 1)), axis)], axis)
    return np.flip(out, axis) if reverse else out


class _Running:
    """A running total along `axis`: of the elements before each one too (`exclusive`: only of those), or after it."""

    inputs: ClassVar[tuple[str, ...]] = ("x: numeric",)
    axis: int
    exclusive: bool = False
    reverse: bool = False

    @staticmethod
    def infer(x: TensorType, axis: int, exclusive: bool, reverse: bool) -> TensorType:
        normalize_axis(axis, x.rank)
        return x

    @staticmethod
    def samples(s: Sampler) -> Iterator[Sample]:
        for axis, exclusive, reverse in ((0, False, False), (-1, True, False), (1, False, True), (-2, True, True)):
            yield s.case(s.floats(2, 3, 4), axis=axis, exclusive=exclusive, reverse=reverse)
            for kind in INTEGERS:
                yield s.case(s.ints(3, 5, dtype=kind), axis=axis, exclusive=exclusive, reverse=reverse)
            yield s.case(s.floats(2, 0), axis=axis, exclusive=exclusive, reverse=reverse, name="empty")
        yield s.case(s.complexes(2, 3), axis=1)
        yield s.case(s.floats(3, 6, edge=True), axis=1, name="edges")
        yield s.case(s.int_edges("int32"), axis=0, name="wraps")
        yield s.case(s.floats(2, 3), axis=-3, name="axis out of range", error=ValueError)


@op
class Cumsum(_Running):
    """Running sum."""

    @staticmethod
    def evaluate(x: Array, axis: int, exclusive: bool, reverse: bool) -> Array:
        return _running(x, axis, exclusive, reverse, np.cumsum, 0)

    @staticmethod
    def decompose(b: Builder, x: Value, axis: int, exclusive: bool, reverse: bool) -> Value:
        return _simpler(b, x, axis, exclusive, reverse, b.cumsum, 0)


@op
class Cumprod(_Running):
    """Running product."""

    @staticmethod
    def evaluate(x: Array, axis: int, exclusive: bool, reverse: bool) -> Array:
        return _running(x, axis, exclusive, reverse, np.cumprod, 1)

    @staticmethod
    def decompose(b: Builder, x: Value, axis: int, exclusive: bool, reverse: bool) -> Value:
        return _simpler(b, x, axis, exclusive, reverse, b.cumprod, 1)


def _simpler(b: Builder, x: Value, axis: int, exclusive: bool, reverse: bool, total: Any, start: int) -> Value:
    """The plain running total of a flipped (reverse) and shifted (exclusive) operand."""
    if not exclusive and not reverse:
        raise NotImplementedError("a plain running total has no smaller form")
    axis = normalize_axis(axis, x.type.rank)
    x = b.flip(x, axes=(axis,)) if reverse else x
    if exclusive and isinstance(x.type.shape[axis], int):
        pads = tuple((1, -1) if i == axis else (0, 0) for i in range(x.type.rank))
        x = x if x.type.shape[axis] == 0 else b.pad(x, pads=pads, value=start)
    elif exclusive:  # of a size that may be 0, nothing can be cropped before something is added
        x = b.pad(x, pads=tuple((1, 0) if i == axis else (0, 0) for i in range(x.type.rank)), value=start)
        x = b.slice(x, axes=(axis,), starts=(None,), stops=(-1,), steps=(1,))
    out = total(x, axis=axis)
    return b.flip(out, axes=(axis,)) if reverse else out


# -- sorting --------------------------------------------------------------------------------------------------------
def _order(x: Array, axis: int, descending: bool) -> Array:
    """Indices that sort `x` along `axis`, equal elements in the order of their positions."""
    if not descending:
        return np.argsort(x, axis=axis, kind="stable")
    backwards = np.flip(np.argsort(np.flip(x, axis), axis=axis, kind="stable"), axis)
    return x.shape[axis] - 1 - backwards


class _Ordering:
    """An ordering along `axis`: values and their positions."""

    inputs: ClassVar[tuple[str, ...]] = ("x: real",)
    outputs: ClassVar[tuple[str, ...]] = ("values", "indices")
    discontinuous: ClassVar[bool] = True


@op
class Sort(_Ordering):
    """Elements along `axis` in ascending or descending order, and where they were. Ties: see the module.

    `stable=False` permits any order of ties; evaluation keeps theirs.
    """

    axis: int = -1
    descending: bool = False
    stable: bool = True

    @staticmethod
    def infer(x: TensorType, axis: int, descending: bool, stable: bool) -> tuple[TensorType, TensorType]:
        normalize_axis(axis, x.rank)
        return x, x.with_dtype(dtypes.int64)

    @staticmethod
    def evaluate(x: Array, axis: int, descending: bool, stable: bool) -> tuple[Array, Array]:
        order = _order(x, axis, descending)
        return np.take_along_axis(x, order, axis), order

    @staticmethod
    def decompose(b: Builder, x: Value, axis: int, descending: bool, stable: bool) -> tuple[Value, Value]:
        return b.top_k(x, k=x.type.shape[axis], axis=axis, largest=descending)

    @staticmethod
    def samples(s: Sampler) -> Iterator[Sample]:
        for axis, descending, stable in ((-1, False, True), (0, True, True), (1, True, False)):
            attrs: dict[str, Any] = {"axis": axis, "descending": descending, "stable": stable}
            yield s.case(s.floats(2, 3, 4), **attrs)
            yield s.case(s.floats(7, 6, edge=True), **attrs, name="edges")
            yield s.case(s.ints(3, 20, low=0, high=3, dtype=dtypes.int32), **attrs, name="ties")
        for kind in INTEGERS:
            yield s.case(s.int_edges(kind)[::-1].copy(), descending=True, axis=0)
        yield s.case(s.floats(2, 0))
        yield s.case(s.floats(2), axis=1, name="axis out of range", error=ValueError)


@op
class TopK(_Ordering):
    """The `k` largest (or smallest) elements along `axis`, best first, and where they were. Ties: see the module.

    `sorted=False` permits any order of the k; evaluation sorts them.
    """

    k: Dim
    axis: int = -1
    largest: bool = True
    sorted: bool = True

    @staticmethod
    def infer(x: TensorType, k: Dim, axis: int, largest: bool, sorted: bool) -> tuple[TensorType, TensorType]:
        axis = normalize_axis(axis, x.rank)
        size = x.shape[axis]
        if not isinstance(k, DimExpr) and (k < 0 or (isinstance(size, int) and k > size)):
            raise ValueError(f"k = {k} elements cannot be taken from an axis of {size}")
        out = x.with_shape(k if i == axis else d for i, d in enumerate(x.shape))
        return out, out.with_dtype(dtypes.int64)

    @staticmethod
    def evaluate(x: Array, k: int, axis: int, largest: bool, sorted: bool) -> tuple[Array, Array]:
        if not 0 <= k <= x.shape[axis]:
            raise ValueError(f"k = {k} elements cannot be taken from an axis of {x.shape[axis]}")
        order = _order(x, axis, largest).take(range(k), axis)
        return np.take_along_axis(x, order, axis), order

    @staticmethod
    def samples(s: Sampler) -> Iterator[Sample]:
        for k, axis, largest, ordered in ((1, -1, True, True), (3, 0, False, True), (2, 1, True, False)):
            attrs: dict[str, Any] = {"k": k, "axis": axis, "largest": largest, "sorted": ordered}
            yield s.case(s.floats(3, 4, 2), **attrs)
            yield s.case(s.floats(7, 6, edge=True), **attrs, name="edges")
            yield s.case(s.ints(5, 20, low=0, high=3), **attrs, name="ties")
        for kind in INTEGERS:
            yield s.case(s.int_edges(kind), k=4, axis=0, largest=True)
            yield s.case(s.int_edges(kind), k=4, axis=0, largest=False)
        yield s.case(s.floats(2, 3), k=0, name="nothing")
        yield s.case(s.floats(2, 3), k=3, name="everything")
        yield s.case(s.floats(0, 3), k=2, name="empty")
        yield s.case(s.floats(2, 3), k=4, name="too many", error=ValueError)
        yield s.case(s.floats(2, 3), k=-1, name="negative", error=ValueError)


# -- counting ---------------------------------------------------------------------------------------------------------
@op
class Histogram:
    """How many elements fall into each of `bins` equal parts of low .. high, both ends included (`torch.histc`).

    The part is (x - low) * bins / (high - low), computed in the dtype of x, half floats in float32, and rounded down; what
    is outside, NaN included, is not counted. The counts have the dtype of x.
    """

    inputs = ("x: float",)
    discontinuous = True
    bins: int
    low: float
    high: float

    @staticmethod
    def infer(x: TensorType, bins: int, low: float, high: float) -> TensorType:
        if bins < 1 or not low < high or not np.isfinite(high - low):
            raise ValueError(f"histogram: {bins} bins from {low} to {high}")
        return x.with_shape((bins,))

    @staticmethod
    def evaluate(x: Array, bins: int, low: float, high: float) -> Array:
        kept = x[(x >= low) & (x <= high)]
        start, width, count = (np.asarray(v, x.dtype) for v in (low, high - low, bins))
        part = np.minimum(((kept - start) * count / width).astype(np.int64), bins - 1)
        return np.bincount(part, minlength=bins).astype(x.dtype)

    @staticmethod
    def decompose(b: Builder, x: Value, bins: int, low: float, high: float) -> Value:
        kind = x.type.dtype
        x = b.reshape(b.cast(x, to=dtypes.float32) if kind.is_half else x, shape=(numel(x.type.shape),))
        start, end, width, count = (b.constant(v, x.type.dtype) for v in (low, high, high - low, bins))
        inside = getattr(b, "and")(b.greater_equal(x, start), b.less_equal(x, end))
        part = b.div(b.mul(b.sub(b.where(inside, x, start), start), count), width)
        part = b.minimum(b.cast(part, to=dtypes.int64), b.constant(bins - 1, dtypes.int64))
        hits = b.one_hot(b.where(inside, part, b.constant(bins, dtypes.int64)), depth=bins, dtype=kind)
        return b.reduce_sum(hits, axes=(0,))

    @staticmethod
    def samples(s: Sampler) -> Iterator[Sample]:
        for bins, low, high in ((4, -1.0, 1.0), (1, 0.0, 2.0), (7, -2.0, 0.5)):
            yield s.case(s.floats(20), bins=bins, low=low, high=high, dynamic=((0, 0),))
            yield s.case(s.floats(3, 5, edge=True), bins=bins, low=low, high=high, name="edges")
        whole = s.ints(30, low=0, high=5).astype(s.float_dtype.numpy)
        yield s.case(whole, bins=5, low=0.0, high=4.0, name="whole numbers")
        yield s.case(s.floats(0), bins=3, low=0.0, high=1.0)
        yield s.case(s.floats(), bins=3, low=-3.0, high=3.0)
        yield s.case(s.floats(4), bins=0, low=0.0, high=1.0, error=ValueError, name="no bins")
        yield s.case(s.floats(4), bins=2, low=1.0, high=1.0, error=ValueError, name="no width")
