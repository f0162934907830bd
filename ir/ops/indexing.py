"""Reads at computed positions: the gather family, masks, one-hot. Bounds and duplicates as `ir.ops.positions` says.

Data-dependent sizes: an op whose output length depends on values has an attribute `symbol`, the name of the opaque size
symbol that stands for the length. Each use in a model needs a name of its own; evaluation binds it.

Gradients (`vjp`): the cotangent is added up at the elements read; `clip` and `wrap` credit the element that was read,
`fill`, and `unchecked` out of range, credit nothing.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any, Literal

import numpy as np

from ir.ops.positions import (
    Neg,
    ReadBounds,
    check_prefix,
    check_same_shape,
    flatten_rows,
    resolve,
    resolve_rows,
    static_size,
)
from ir.ops.registry import op
from ir.ops.sampler import Sample, Sampler
from ir.types import Dim, DType, TensorType, dtypes, normalize_axis, symbol
from ir.types.errors import AxisError, DTypeError, PositionError, ShapeError

if TYPE_CHECKING:
    from ir.core.builder import Builder
    from ir.core.graph import Value

Array = np.ndarray
Fill = bool | int | float


def _filled(values: Array, ok: Array | None, bounds: str, fill_value: Fill) -> Array:
    """`values` with those of out-of-range indices replaced under `fill`; `ok` covers the leading axes."""
    if ok is None or bounds != "fill":
        return values
    mask = ok.reshape(ok.shape + (1,) * (values.ndim - ok.ndim))
    return np.where(mask, values, np.asarray(fill_value).astype(values.dtype))


def _check_fill(data: TensorType, bounds: str, fill_value: Fill) -> None:
    """Raise DTypeError where `fill_value` is no value of the data's dtype."""
    if bounds != "fill" or data.dtype.is_float or data.dtype.is_complex:
        return
    whole = isinstance(fill_value, bool) or float(fill_value).is_integer()
    if not whole or not data.dtype.min <= fill_value <= data.dtype.max:
        raise DTypeError(f"fill_value {fill_value!r} is no {data.dtype}")


def _readable(data: Array, axes: Sequence[int]) -> Array:
    """Data to read from along `axes`: where one is empty, and so every index out of range, zeros that are never seen."""
    if all(data.shape[k] for k in axes):
        return data
    return np.zeros([max(n, 1) if k in axes else n for k, n in enumerate(data.shape)], data.dtype)


@op
class Gather:
    """data[:axis] + indices[batch_dims:] + data[axis+1:]: slices of `data` along `axis` (NumPy take, ONNX Gather).

    The first `batch_dims` axes of data and indices run together (tf.gather). A 0-d index drops the axis.
    """

    inputs = ("data: any", "indices: index")
    axis: int = 0
    batch_dims: int = 0
    bounds: ReadBounds = "error"
    neg: Neg = "from_end"
    fill_value: bool | int | float = 0

    @staticmethod
    def infer(
        data: TensorType, indices: TensorType, axis: int, batch_dims: int, bounds: str, neg: str, fill_value: Fill
    ) -> TensorType:
        axis = normalize_axis(axis, data.rank)
        if data.rank == 0:
            raise AxisError("gather: data of rank 0 has no axis to read along")
        if not 0 <= batch_dims <= min(axis, indices.rank):
            raise ShapeError(f"gather: batch_dims {batch_dims} must be at most axis {axis} and rank {indices.rank}")
        check_same_shape(data.shape[:batch_dims], indices.shape[:batch_dims], "gather: batch sizes")
        _check_fill(data, bounds, fill_value)
        return data.with_shape(data.shape[:axis] + indices.shape[batch_dims:] + data.shape[axis + 1 :])

    @staticmethod
    def evaluate(
        data: Array, indices: Array, axis: int, batch_dims: int, bounds: Any, neg: Any, fill_value: Fill
    ) -> Array:
        axis = normalize_axis(axis, data.ndim)
        position, ok = resolve(indices, data.shape[axis], bounds, neg)
        rows = np.moveaxis(_readable(data, [axis]), axis, batch_dims)[(*_batch_grid(position.shape, batch_dims), position)]
        return _place(_filled(rows, ok, bounds, fill_value), indices.ndim, batch_dims, axis)

    @staticmethod
    def vjp(
        cotangent: Array, data: Array, indices: Array, axis: int, batch_dims: int, bounds: Any, neg: Any, **_: Any
    ) -> dict[str, Array]:
        axis = normalize_axis(axis, data.ndim)
        position, ok = resolve(indices, data.shape[axis], bounds, neg)
        rows = _unplace(cotangent, indices.ndim, batch_dims, axis)
        out = np.zeros(data.shape, cotangent.dtype)
        kept = np.ones(position.shape, np.bool_) if ok is None else ok
        grid = np.broadcast_arrays(*_batch_grid(position.shape, batch_dims), position)
        np.add.at(np.moveaxis(out, axis, batch_dims), tuple(g[kept] for g in grid), rows[kept])
        return {"data": out}

    @staticmethod
    def samples(s: Sampler) -> Iterator[Sample]:
        from ir.ops import indexing_samples

        yield from indexing_samples.gather(s)


def _batch_grid(shape: tuple[int, ...], batch_dims: int) -> tuple[Array, ...]:
    """For each batch axis its own positions, shaped to broadcast over `shape`."""
    return tuple(
        np.arange(shape[k]).reshape([-1 if j == k else 1 for j in range(len(shape))]) for k in range(batch_dims)
    )


def _order(rank: int, index_rank: int, batch_dims: int, axis: int) -> list[int]:
    """Axes of batch + index + middle + rest, taken in the order batch + middle + index + rest."""
    index = list(range(batch_dims, index_rank))
    middle = list(range(index_rank, index_rank + axis - batch_dims))
    return [*range(batch_dims), *middle, *index, *range(index_rank + len(middle), rank)]


def _place(rows: Array, index_rank: int, batch_dims: int, axis: int) -> Array:
    return rows.transpose(_order(rows.ndim, index_rank, batch_dims, axis))


def _unplace(cotangent: Array, index_rank: int, batch_dims: int, axis: int) -> Array:
    return cotangent.transpose(np.argsort(_order(cotangent.ndim, index_rank, batch_dims, axis)))


@op
class GatherElements:
    """out[i][j] = data[indices[i][j]][j] for axis 0 (ONNX GatherElements, torch.gather).

    The output has the shape of indices. Off `axis` the indices may be shorter than the data (a prefix is read) and
    never broadcast.
    """

    inputs = ("data: any", "indices: index")
    axis: int = 0
    bounds: ReadBounds = "error"
    neg: Neg = "from_end"
    fill_value: bool | int | float = 0

    @staticmethod
    def infer(data: TensorType, indices: TensorType, axis: int, bounds: str, neg: str, fill_value: Fill) -> TensorType:
        if data.rank == 0:
            raise AxisError("gather_elements: data of rank 0 has no axis to read along")
        check_prefix(indices.shape, data.shape, normalize_axis(axis, data.rank), "gather_elements")
        _check_fill(data, bounds, fill_value)
        return data.with_shape(indices.shape)

    @staticmethod
    def evaluate(data: Array, indices: Array, axis: int, bounds: Any, neg: Any, fill_value: Fill) -> Array:
        axis = normalize_axis(axis, data.ndim)
        position, ok = resolve(indices, data.shape[axis], bounds, neg)
        if not indices.size:
            return np.zeros(indices.shape, data.dtype)
        window = _readable(data, [axis])[_prefix(indices.shape, axis)]
        return _filled(np.take_along_axis(window, position, axis), ok, bounds, fill_value)

    @staticmethod
    def vjp(
        cotangent: Array, data: Array, indices: Array, axis: int, bounds: Any, neg: Any, **_: Any
    ) -> dict[str, Array]:
        axis = normalize_axis(axis, data.ndim)
        position, ok = resolve(indices, data.shape[axis], bounds, neg)
        grid: Array = np.indices(indices.shape)
        grid[axis] = position
        kept = np.ones(indices.shape, np.bool_) if ok is None else ok
        out = np.zeros(data.shape, cotangent.dtype)
        np.add.at(out, tuple(g[kept] for g in grid), cotangent[kept])
        return {"data": out}

    @staticmethod
    def samples(s: Sampler) -> Iterator[Sample]:
        x = s.floats(4, 3, 5)
        for axis in (0, 1, 2, -1):
            yield s.case(x, s.ints(4, 3, 5, low=-3, high=3), axis=axis)
        yield s.case(x, s.ints(2, 7, 3, low=-3, high=3), axis=1, name="prefix")
        i = np.array([[0, -1, 4, 9, -9, 1, np.iinfo(np.int64).min]])
        for bounds in ("clip", "wrap", "fill"):
            for neg in ("from_end", "invalid"):
                yield s.case(s.floats(2, 3), i, axis=1, bounds=bounds, neg=neg, fill_value=-2)
        yield s.case(s.floats(2, 3), s.ints(2, 4, low=0, high=3), axis=1, neg="invalid", bounds="unchecked")
        yield s.case(s.ints(3), s.ints(0), name="no index")
        yield s.case(s.floats(2, 0), s.ints(2, 1), axis=1, bounds="fill", fill_value=1.5, name="empty axis, fill")
        yield s.case(s.floats(2, 3), s.ints(2, 3, low=0, high=2, dtype="int32"), axis=0)
        yield s.case(s.floats(2, 3), np.array([[3]]), axis=1, name="out of range", error=PositionError)
        yield s.case(s.floats(2, 3), np.array([[0, 0, 0, 0]]), axis=0, name="longer than data", error=ShapeError)
        yield s.case(s.floats(2, 3), np.array([0]), axis=0, name="ranks differ", error=ShapeError)


def _prefix(shape: tuple[int, ...], axis: int) -> tuple[slice, ...]:
    return tuple(slice(None) if k == axis else slice(0, n) for k, n in enumerate(shape))


@op
class GatherNd:
    """indices[:-1] + data[batch_dims+d:]: rows of data at index vectors of length d (ONNX GatherND, tf.gather_nd).

    Under `fill` any component out of range fills the whole row. d = 0 yields copies of data.
    """

    inputs = ("data: any", "indices: index")
    batch_dims: int = 0
    bounds: ReadBounds = "error"
    neg: Neg = "from_end"
    fill_value: bool | int | float = 0

    @staticmethod
    def infer(
        data: TensorType, indices: TensorType, batch_dims: int, bounds: str, neg: str, fill_value: Fill
    ) -> TensorType:
        if not 0 <= batch_dims < indices.rank:
            raise ShapeError(f"gather_nd: batch_dims {batch_dims} and one index axis do not fit {indices} into {data}")
        depth = static_size(indices.shape[-1], "gather_nd: the length of index vectors")
        if batch_dims + depth > data.rank:
            raise ShapeError(f"gather_nd: index vectors of length {depth} are too long for {data}")
        check_same_shape(data.shape[:batch_dims], indices.shape[:batch_dims], "gather_nd: batch sizes")
        _check_fill(data, bounds, fill_value)
        return data.with_shape(indices.shape[:-1] + data.shape[batch_dims + depth :])

    @staticmethod
    def evaluate(data: Array, indices: Array, batch_dims: int, bounds: Any, neg: Any, fill_value: Fill) -> Array:
        depth = indices.shape[-1]
        sizes = data.shape[batch_dims : batch_dims + depth]
        position, ok = resolve_rows(indices, sizes, bounds, neg)
        shape = indices.shape[:-1] + data.shape[batch_dims + depth :]
        data = _readable(data, range(batch_dims, batch_dims + depth))
        grid = _batch_grid(position.shape[:-1], batch_dims)
        rows = data[(*grid, *np.moveaxis(position, -1, 0))] if grid or depth else np.broadcast_to(data, shape)
        return _filled(np.broadcast_to(rows, shape), ok, bounds, fill_value)

    @staticmethod
    def vjp(
        cotangent: Array, data: Array, indices: Array, batch_dims: int, bounds: Any, neg: Any, **_: Any
    ) -> dict[str, Array]:
        depth = batch_dims + indices.shape[-1]
        position, ok = resolve_rows(indices, data.shape[batch_dims:depth], bounds, neg)
        lead = [np.broadcast_to(g, position.shape[:-1]) for g in _batch_grid(position.shape[:-1], batch_dims)]
        flat = flatten_rows(
            np.concatenate([np.stack([*lead], -1), position], -1) if lead else position, data.shape[:depth]
        )
        kept = np.ones(flat.shape, np.bool_) if ok is None else ok.ravel()
        out = np.zeros((int(np.prod(data.shape[:depth])), int(np.prod(data.shape[depth:]))), cotangent.dtype)
        np.add.at(out, flat[kept], cotangent.reshape(flat.size, out.shape[1])[kept])
        return {"data": out.reshape(data.shape)}

    @staticmethod
    def samples(s: Sampler) -> Iterator[Sample]:
        from ir.ops import indexing_samples

        yield from indexing_samples.gather_nd(s)


@op
class MaskSelect:
    """The slices of data where `mask` is True, in row-major order; the mask covers the leading axes exactly.

    `symbol` names the opaque length of the output.
    """

    inputs = ("data: any", "mask: bool")
    symbol: str

    @staticmethod
    def infer(data: TensorType, mask: TensorType, symbol: str) -> TensorType:
        check_same_shape(mask.shape, data.shape[: mask.rank], "mask_select: mask covers the leading axes of data")
        return data.with_shape((opaque(symbol), *data.shape[mask.rank :]))

    @staticmethod
    def evaluate(data: Array, mask: Array, symbol: str) -> Array:
        return data[mask]

    @staticmethod
    def decompose(b: Builder, data: Value, mask: Value, symbol: str) -> Value:
        if mask.type.rank == 0:
            raise NotImplementedError("mask_select with a 0-d mask has no smaller form")
        return b.gather_nd(data, b.nonzero(mask, symbol=symbol))

    @staticmethod
    def vjp(cotangent: Array, data: Array, mask: Array, **_: Any) -> dict[str, Array]:
        out = np.zeros(data.shape, cotangent.dtype)
        out[mask] = cotangent
        return {"data": out}

    @staticmethod
    def samples(s: Sampler) -> Iterator[Sample]:
        for shape in ((4, 3, 2), (5,), (0, 3)):
            for rank in range(1, len(shape) + 1):
                yield s.case(s.floats(*shape), s.bools(*shape[:rank]), symbol="count")
        yield s.case(s.ints(3, 2), np.zeros(3, np.bool_), symbol="chosen", name="none")
        yield s.case(s.ints(3, 2), np.array(True), symbol="chosen", name="0-d mask")
        yield s.case(s.ints(4), s.bools(3), symbol="count", name="wrong length", error=ShapeError)


def opaque(name: str) -> Dim:
    """The opaque size called `name`; raises ShapeError where no name was given."""
    if not name.isidentifier():
        raise ShapeError(f"a data-dependent size needs a name that is an identifier, got {name!r}")
    return symbol(name, opaque=True)


@op
class Compress:
    """The slices along `axis` where the 1-D mask is True (NumPy compress); the mask is as long as the axis.

    `symbol` names the opaque length of the output along `axis`.
    """

    inputs = ("data: any", "mask: bool")
    axis: int = 0
    symbol: str

    @staticmethod
    def infer(data: TensorType, mask: TensorType, axis: int, symbol: str) -> TensorType:
        axis = normalize_axis(axis, data.rank)
        check_same_shape(mask.shape, data.shape[axis : axis + 1], "compress: mask is as long as the axis")
        return data.with_shape((*data.shape[:axis], opaque(symbol), *data.shape[axis + 1 :]))

    @staticmethod
    def evaluate(data: Array, mask: Array, axis: int, symbol: str) -> Array:
        return np.compress(mask, data, axis)

    @staticmethod
    def decompose(b: Builder, data: Value, mask: Value, axis: int, symbol: str) -> Value:
        found = b.nonzero(mask, symbol=symbol)
        return b.gather(data, b.reshape(found, shape=found.type.shape[:1]), axis=axis)

    @staticmethod
    def samples(s: Sampler) -> Iterator[Sample]:
        for axis, n in ((0, 4), (1, 3), (-1, 2)):
            yield s.case(s.floats(4, 3, 2), s.bools(n), axis=axis, symbol="count")
        yield s.case(s.floats(0, 2), s.bools(0), symbol="kept", name="empty")
        yield s.case(s.floats(4), s.bools(3), symbol="count", name="wrong length", error=ShapeError)


@op
class Nonzero:
    """Index vectors of the elements that are not zero (NaN is not zero), row-major: int64 [count, rank].

    `symbol` names the opaque count.
    """

    inputs = ("data: any",)
    discontinuous = True
    symbol: str

    @staticmethod
    def infer(data: TensorType, symbol: str) -> TensorType:
        if data.rank == 0:
            raise ShapeError("nonzero: data needs at least one axis")
        return TensorType(dtypes.int64, (opaque(symbol), data.rank))

    @staticmethod
    def evaluate(data: Array, symbol: str) -> Array:
        return np.argwhere(data).astype(np.int64)

    @staticmethod
    def samples(s: Sampler) -> Iterator[Sample]:
        yield s.case(s.floats(6, 5, edge=True), symbol="count")
        for data in (s.bools(3, 2, 2), s.ints(7, low=-1, high=2), s.complexes(2), s.bools(0, 3), np.zeros(3)):
            yield s.case(data, symbol="found")
        yield s.case(s.floats(), symbol="count", name="0-d", error=ShapeError)


@op
class OneHot:
    """`on` where the index equals the position along the new `axis` of size `depth`, else `off`.

    An index out of range gives a row of `off`, or is an error; `neg=from_end` counts -depth .. -1 from the end first.
    """

    inputs = ("indices: index",)
    discontinuous = True
    depth: Dim
    axis: int = -1
    on: bool | int | float = 1
    off: bool | int | float = 0
    dtype: DType = dtypes.float32
    neg: Neg = "invalid"
    bounds: Literal["drop", "error"] = "drop"

    @staticmethod
    def infer(
        indices: TensorType, depth: Dim, axis: int, on: Fill, off: Fill, dtype: DType, neg: str, bounds: str
    ) -> TensorType:
        axis = normalize_axis(axis, indices.rank + 1)
        if isinstance(depth, int) and depth < 0:
            raise ShapeError(f"one_hot: depth {depth} must not be negative")
        return TensorType(dtype, (*indices.shape[:axis], depth, *indices.shape[axis:]))

    @staticmethod
    def evaluate(
        indices: Array, depth: int, axis: int, on: Fill, off: Fill, dtype: DType, neg: Any, bounds: Any
    ) -> Array:
        axis = normalize_axis(axis, indices.ndim + 1)
        position, ok = resolve(indices, depth, bounds, neg)
        hit = np.expand_dims(position, -1) == np.arange(depth)
        hit = hit if ok is None else hit & np.expand_dims(ok, -1)
        return np.where(
            np.moveaxis(hit, -1, axis), np.asarray(on).astype(dtype.numpy), np.asarray(off).astype(dtype.numpy)
        )

    @staticmethod
    def decompose(
        b: Builder, indices: Value, depth: Dim, axis: int, on: Fill, off: Fill, dtype: DType, neg: Any, bounds: Any
    ) -> Value:
        if indices.type.dtype.name == "uint64":
            raise NotImplementedError("one_hot of uint64 indices: int64 cannot hold them all")
        axis = normalize_axis(axis, indices.type.rank + 1)
        wide = b.unsqueeze(
            indices if indices.type.dtype == dtypes.int64 else b.cast(indices, to=dtypes.int64), axes=(axis,)
        )
        if bounds == "error":  # reading nothing but zeros, for the sake of the check
            zeros = b.full(shape=(depth,), value=0, dtype=dtypes.int64)
            wide = b.add(wide, b.gather(zeros, wide, axis=0, bounds="error", neg=neg))
        if neg == "from_end":
            last = b.dim(size=depth)
            wide = b.where(b.less(wide, 0), b.add(wide, last), wide)
        ramp = b.arange(start=0, stop=depth, step=1, dtype=dtypes.int64)
        ramp = b.reshape(ramp, shape=tuple(depth if k == axis else 1 for k in range(indices.type.rank + 1)))
        return b.where(b.equal(wide, ramp), b.constant(on, dtype), b.constant(off, dtype))

    @staticmethod
    def samples(s: Sampler) -> Iterator[Sample]:
        from ir.ops import indexing_samples

        yield from indexing_samples.one_hot(s)
