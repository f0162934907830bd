"""NumPy-style subscripts, high level: `x[i, :, mask]` and `x[i, 2:] = v`, lowered to slices, gathers and scatters."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any, Literal

import numpy as np

from ir.ops.index_spec import Entry, Plan, plan
from ir.ops.indexing import GatherNd, opaque
from ir.ops.positions import Neg, ReadBounds, WriteBounds, check_same_shape, static_size
from ir.ops.registry import op
from ir.ops.sampler import Sample, Sampler
from ir.ops.scatter import ScatterNd
from ir.types import Dim, DimExpr, Shape, TensorType, broadcast_shapes, dtypes, type_of
from ir.types.errors import AttributeValueError, DTypeError, PositionError, ShapeError

if TYPE_CHECKING:
    from ir.core.builder import Builder
    from ir.core.graph import Value

Array = np.ndarray
Rule = Literal["numpy", "torch"]
Spec = tuple[tuple[str | Dim | None, ...], ...]


def block_shape(p: Plan, shape: Shape, arrays: Sequence[TensorType], count: Dim) -> Shape:
    """What the index arrays broadcast to; a mask stands for one axis of `count`. Raises ShapeError."""
    for column, axis in zip(p.columns, p.indexed, strict=True):
        if column.mask_axis is not None:
            size = arrays[column.array].shape[column.mask_axis]
            check_same_shape((size,), (shape[axis],), "a mask as an index has the sizes of the axes it covers")
    used = dict.fromkeys(c.array for c in p.columns)
    try:
        return broadcast_shapes(*((count,) if arrays[n].dtype.is_bool else arrays[n].shape for n in used))
    except ValueError as error:
        raise ShapeError(f"index arrays do not broadcast together: {error}") from None


def _has_mask(arrays: Sequence[TensorType]) -> bool:
    return any(t.dtype.is_bool for t in arrays)


def _static_key(p: Plan) -> tuple[Any, ...]:
    items = (slice(None) if i is None else i if isinstance(i, int) else slice(*i) for i in p.static)
    return (*items, Ellipsis)  # so that a 0-d result is a view as well


def _index_rows(p: Plan, arrays: Sequence[Array]) -> Array:
    """The index vectors: int64 [*block, columns]; uint64 stays as it is when alone."""
    found = {n: np.nonzero(a) for n, a in enumerate(arrays) if a.dtype == np.bool_}
    if len({len(v[0]) for v in found.values()}) > 1:
        raise ShapeError("masks in one index have different counts of True")
    parts = [arrays[c.array] if c.mask_axis is None else found[c.array][c.mask_axis] for c in p.columns]
    try:
        return np.stack(np.broadcast_arrays(*(_wide(a) for a in parts)), -1)
    except ValueError as error:
        raise ShapeError(f"index arrays do not broadcast together: {error}") from None


def _wide(index: Array) -> Array:
    if index.dtype == np.uint64 and index.size and index.max() > np.iinfo(np.int64).max:
        raise PositionError(f"index {index.max()} is out of range for any axis")
    return index.astype(np.int64)


def _layout_perm(p: Plan, block_rank: int) -> tuple[int, ...]:
    """The permutation from block + kept axes to the result's order."""
    places: dict[Any, tuple[int, ...]] = {a: (block_rank + k,) for k, a in enumerate(p.kept)}
    places["block"] = tuple(range(block_rank))
    return tuple(k for a in p.layout for k in places[a])


def _new_places(p: Plan, block_rank: int) -> tuple[int, ...]:
    """Where the result has new axes, the block counted with its rank."""
    marks = p.result([0] * (len(p.kept) + len(p.indexed)), [0] * block_rank, one=1)
    return tuple(k for k, mark in enumerate(marks) if mark)


@op
class IndexGet:
    """data[spec] with NumPy's or torch's placement of index arrays; see `ir.ops.index_spec`.

    Masks make the size data-dependent: `symbol` then names the opaque count of True (several masks need equal counts).
    """

    inputs = ("data: any", "arrays*: any")
    spec: tuple[tuple[str | Dim | None, ...], ...]
    rule: Rule = "numpy"
    bounds: ReadBounds = "error"
    neg: Neg = "from_end"
    fill_value: bool | int | float = 0
    symbol: str = ""

    @staticmethod
    def infer(
        data: TensorType, arrays: tuple[TensorType, ...], spec: Spec, rule: Rule, symbol: str, **_: Any
    ) -> TensorType:
        p = plan(spec, data.shape, arrays, rule)
        shape = p.static_shape(data.shape)
        count = opaque(symbol) if _has_mask(arrays) else 0
        return data.with_shape(p.result(shape, block_shape(p, shape, arrays, count)))

    @staticmethod
    def evaluate(
        data: Array,
        arrays: tuple[Array, ...],
        spec: Spec,
        rule: Rule,
        bounds: Any,
        neg: Any,
        fill_value: Any,
        symbol: str,
    ) -> Array:
        p = plan(spec, data.shape, tuple(type_of(a) for a in arrays), rule)
        view = data[_static_key(p)]
        if not p.columns:
            return np.expand_dims(view, p.newaxes)
        rows = _index_rows(p, arrays)
        found = GatherNd.evaluate(view.transpose(*p.indexed, *p.kept), rows, 0, bounds, neg, fill_value)
        return np.expand_dims(found.transpose(_layout_perm(p, rows.ndim - 1)), _new_places(p, rows.ndim - 1))

    @staticmethod
    def decompose(
        b: Builder,
        data: Value,
        arrays: tuple[Value, ...],
        spec: Spec,
        rule: Rule,
        bounds: Any,
        neg: Any,
        fill_value: Any,
        symbol: str,
    ) -> Value:
        p = plan(spec, data.type.shape, tuple(a.type for a in arrays), rule)
        out = _static_get(b, p, data)
        rank = 0
        if p.columns:
            rows = _build_rows(b, p, out, arrays, symbol)
            rank = rows.type.rank - 1
            out = b.gather_nd(
                _transpose(b, out, (*p.indexed, *p.kept)), rows, bounds=bounds, neg=neg, fill_value=fill_value
            )
            out = _transpose(b, out, _layout_perm(p, rank))
        new = _new_places(p, rank)
        out = b.unsqueeze(out, axes=new) if new else out
        return b.identity(out) if out is data else out

    @staticmethod
    def vjp(
        cotangent: Array,
        data: Array,
        arrays: tuple[Array, ...],
        spec: Spec,
        rule: Rule,
        bounds: Any,
        neg: Any,
        **_: Any,
    ) -> dict[str, Array]:
        p = plan(spec, data.shape, tuple(type_of(a) for a in arrays), rule)
        out = np.zeros(data.shape, cotangent.dtype)
        view = out[_static_key(p)]
        if not p.columns:
            view[...] = np.squeeze(cotangent, p.newaxes)
            return {"data": out}
        rows = _index_rows(p, arrays)
        g = _to_rows(p, cotangent, rows.ndim - 1)
        moved = view.transpose(*p.indexed, *p.kept)
        moved[...] = GatherNd.vjp(g, moved, rows, 0, bounds, neg)["data"]
        return {"data": out}

    @staticmethod
    def samples(s: Sampler) -> Iterator[Sample]:
        x = s.floats(2, 3, 4, 5)
        for rule in ("numpy", "torch"):
            for spec, shapes in SPECS:
                yield s.case(x, tuple(s.ints(*shape, low=-2, high=2) for shape in shapes), spec=spec, rule=rule)
            for spec, masks, shapes in MASK_SPECS:
                arrays = (*(_mask(s, shape) for shape in masks), *(s.ints(*shape, low=-2, high=2) for shape in shapes))
                yield s.case(x, arrays, spec=spec, rule=rule, symbol="count", name="mask")
        far = np.array([0, -1, 7, -9])
        for bounds in ("clip", "wrap", "fill"):
            for neg in ("from_end", "invalid"):
                yield s.case(x, (far, s.ints(4, low=0, high=2)), spec=TWO, bounds=bounds, neg=neg, fill_value=3)
        yield s.case(x, (s.ints(2, low=0, high=2),), spec=(A,), bounds="unchecked")
        yield s.case(s.ints(0, 3), (s.ints(0),), spec=(A,), name="empty")
        yield s.case(x, (far,), spec=(A,), name="out of range", error=PositionError)
        yield s.case(x, (), spec=(("int", 2),), name="integer out of range", error=PositionError)
        yield s.case(x, (s.ints(2, low=0), s.ints(3, low=0)), spec=TWO, name="no broadcast", error=ShapeError)
        yield s.case(x, (s.bools(3),), spec=(A,), symbol="count", name="mask size", error=ShapeError)
        yield s.case(x, (s.floats(2),), spec=(A,), name="float index", error=DTypeError)
        yield s.case(x, (), spec=(("slice", 0, 1),), name="entry", error=AttributeValueError)


ALL: Entry = ("slice", None, None, None)
A: Entry = ("array", 0)
B: Entry = ("array", 1)
NEW: Entry = ("newaxis",)
DOTS: Entry = ("ellipsis",)
TWO: Spec = (A, B)
SPECS: tuple[tuple[Spec, tuple[tuple[int, ...], ...]], ...] = (
    ((A, B), ((3,), (3,))), ((ALL, A, B), ((2, 1), (4,))), ((A, ALL, B), ((3,), (3,))),
    ((ALL, A, ALL, B), ((3,), (1,))), ((ALL, A, NEW, B), ((3,), ())), ((ALL, A, DOTS, B, ALL), ((3,), (3,))),
    ((("int", 0), ALL, A), ((3,),)), ((ALL, ("int", -1), ALL, A), ((3,),)), ((ALL, ("int", 1), A), ((3,),)),
    ((ALL, A, ("int", 1), B), ((3,), (3,))), ((A, ALL, B), ((), (3,))), ((ALL, A, ALL, B), ((), ())),
    ((DOTS, A), ((2, 3),)), ((("slice", 1, None, None), A, ("slice", None, None, -2)), ((2, 2),)),
    ((NEW, ("int", 1), NEW), ()), ((("int", 1), ("int", -1), ("int", 0), ("int", 2)), ()),
    ((("slice", -1, None, None), DOTS, NEW, ("slice", 0, 3, 2)), ()), ((), ()),
    ((A, NEW, ("slice", 0, 2, None)), ((2, 0),)), ((ALL, A), ((),)),
)  # fmt: skip
MASK_SPECS: tuple[tuple[Spec, tuple[tuple[int, ...], ...], tuple[tuple[int, ...], ...]], ...] = (
    ((A,), ((2, 3),), ()), ((ALL, A), ((3, 4),), ()), ((A, ALL, B), ((2,),), ((1,),)),
    ((DOTS, A, ("slice", 1, None, None)), ((4,),), ()), ((ALL, A, ("int", 0)), ((3,),), ()),
    ((A, ("int", 0), ALL, B), ((2,),), ((),)),
)  # fmt: skip


def _mask(s: Sampler, shape: tuple[int, ...]) -> Array:
    """A mask with two True, so that it broadcasts with index arrays of size 1 alone."""
    mask = np.zeros(int(np.prod(shape)), np.bool_)
    mask[s.permutation(mask.size)[:2]] = True
    return mask.reshape(shape)


def _transpose(b: Builder, x: Value, perm: tuple[int, ...]) -> Value:
    return x if perm == tuple(range(len(perm))) else b.transpose(x, perm=perm)


def _static_fields(p: Plan, ints: bool) -> dict[str, Any]:
    """Attributes of the slice (integers as slices of length 1 when `ints`) that the static step takes."""
    rows = [(a, i) for a, i in enumerate(p.static) if isinstance(i, tuple)]
    if ints:
        rows = [
            (a, (i, None if i == -1 else i + 1, 1) if isinstance(i, int) else i)
            for a, i in enumerate(p.static)
            if i is not None
        ]
    names = ("starts", "stops", "steps")
    return {"axes": tuple(a for a, _ in rows), **{n: tuple(i[k] for _, i in rows) for k, n in enumerate(names)}}


def _static_get(b: Builder, p: Plan, data: Value) -> Value:
    fields = _static_fields(p, ints=False)
    out = b.slice(data, **fields) if fields["axes"] else data
    for axis in range(len(p.static) - 1, -1, -1):
        if isinstance(p.static[axis], int):
            out = b.select(out, axis=axis, index=p.static[axis])
    return out


def _build_rows(b: Builder, p: Plan, view: Value, arrays: tuple[Value, ...], symbol: str) -> Value:
    """The index vectors as a value: int64 [*block, columns]."""
    if any(a.type.dtype.name == "uint64" for a in arrays):
        raise NotImplementedError("uint64 indices: int64 cannot hold them all")
    masks = {n: b.nonzero(a, symbol=symbol) for n, a in enumerate(arrays) if a.type.dtype.is_bool}
    count = next(iter(masks.values())).type.shape[0] if masks else 0
    block = block_shape(p, view.type.shape, [a.type for a in arrays], count)
    parts = []
    for c in p.columns:
        part = arrays[c.array] if c.mask_axis is None else b.select(masks[c.array], axis=1, index=c.mask_axis)
        part = part if part.type.dtype == dtypes.int64 else b.cast(part, to=dtypes.int64)
        parts.append(part if part.type.shape == block else b.expand(part, shape=block))
    return b.stack(parts, axis=-1)


def _to_rows(p: Plan, selected: Array, block_rank: int) -> Array:
    """A tensor shaped like the selection, rearranged to block + kept axes."""
    plain = np.squeeze(selected, _new_places(p, block_rank))
    return plain.transpose(np.argsort(_layout_perm(p, block_rank)))


@op
class IndexPut:
    """A copy of data with data[spec] set to `updates`, or updates added to it; updates broadcast to the selection.

    Where index arrays repeat a position, `none` keeps the last in row-major order of the arrays, `add` counts each.
    With a mask, `symbol` may name its opaque count of True; lowering needs that name, or updates of such a length.
    """

    inputs = ("data: any", "arrays*: any", "updates: data")
    spec: tuple[tuple[str | Dim | None, ...], ...]
    rule: Rule = "numpy"
    reduction: Literal["none", "add"] = "none"
    bounds: WriteBounds = "error"
    neg: Neg = "from_end"
    unique: bool = False
    symbol: str = ""

    @staticmethod
    def infer(
        data: TensorType, arrays: tuple[TensorType, ...], updates: TensorType, spec: Spec, rule: Rule, **_: Any
    ) -> TensorType:
        p = plan(spec, data.shape, arrays, rule)
        shape = p.static_shape(data.shape)
        selection = p.result(shape, block_shape(p, shape, arrays, _update_count(p, shape, arrays, updates)))
        if updates.rank > len(selection):
            raise ShapeError(f"index_put: updates {updates} have more axes than the selection {list(selection)}")
        check_same_shape(
            broadcast_shapes(selection, updates.shape), selection, "index_put: updates broadcast to the selection"
        )
        return data

    @staticmethod
    def evaluate(
        data: Array,
        arrays: tuple[Array, ...],
        updates: Array,
        spec: Spec,
        rule: Rule,
        reduction: Any,
        bounds: Any,
        neg: Any,
        unique: bool,
        symbol: str,
    ) -> Array:
        p = plan(spec, data.shape, tuple(type_of(a) for a in arrays), rule)
        out = data.copy()
        view = out[_static_key(p)]
        if not p.columns:
            values = np.squeeze(_broadcast(updates, np.expand_dims(view, p.newaxes).shape), p.newaxes)
            view[...] = values if reduction == "none" else view + values
            return out
        rows = _index_rows(p, arrays)
        values = _to_rows(p, _broadcast(updates, p.result(view.shape, rows.shape[:-1])), rows.ndim - 1)
        moved = view.transpose(*p.indexed, *p.kept)
        moved[...] = ScatterNd.evaluate(moved, rows, values, reduction, True, bounds, neg, unique)
        return out

    @staticmethod
    def decompose(
        b: Builder,
        data: Value,
        arrays: tuple[Value, ...],
        updates: Value,
        spec: Spec,
        rule: Rule,
        reduction: Any,
        bounds: Any,
        neg: Any,
        unique: bool,
        symbol: str,
    ) -> Value:
        types = tuple(a.type for a in arrays)
        p = plan(spec, data.type.shape, types, rule)
        symbol = symbol or _count_name(p, data.type, types, updates.type)
        view = _static_get(b, p, data)
        rows = _build_rows(b, p, view, arrays, symbol) if p.columns else None
        block = rows.type.shape[:-1] if rows is not None else ()
        selection = p.result(view.type.shape, block)
        values = updates if updates.type.shape == selection else b.expand(updates, shape=selection)
        new = _new_places(p, len(block))
        values = b.squeeze(values, axes=new) if new else values
        if rows is not None:
            order = (*p.indexed, *p.kept)
            perm = tuple(int(k) for k in np.argsort(_layout_perm(p, len(block))))
            attrs = {"reduction": reduction, "bounds": bounds, "neg": neg, "unique": unique}
            written = b.scatter_nd(_transpose(b, view, order), rows, _transpose(b, values, perm), **attrs)
            values = _transpose(b, written, tuple(int(k) for k in np.argsort(order)))
        elif reduction == "add":
            values = b.or_(view, values) if data.type.dtype.is_bool else b.add(view, values)
        return _static_put(b, p, data, values)

    @staticmethod
    def vjp(
        cotangent: Array,
        data: Array,
        arrays: tuple[Array, ...],
        updates: Array,
        spec: Spec,
        rule: Rule,
        reduction: Any,
        bounds: Any,
        neg: Any,
        **_: Any,
    ) -> dict[str, Array]:
        p = plan(spec, data.shape, tuple(type_of(a) for a in arrays), rule)
        g_data = cotangent.copy()
        view = g_data[_static_key(p)]
        if not p.columns:
            g_updates = np.expand_dims(view, p.newaxes).copy()
            view[...] = view if reduction == "add" else 0
            return {"data": g_data, "updates": _sum_to(g_updates, updates.shape)}
        rows = _index_rows(p, arrays)
        block = rows.ndim - 1
        moved = view.transpose(*p.indexed, *p.kept)
        values = np.zeros((*rows.shape[:-1], *moved.shape[rows.shape[-1] :]), cotangent.dtype)
        grads = ScatterNd.vjp(moved.copy(), moved, rows, values, reduction, True, bounds, neg)
        moved[...] = grads["data"]
        selected = np.expand_dims(grads["updates"].transpose(_layout_perm(p, block)), _new_places(p, block))
        return {"data": g_data, "updates": _sum_to(selected, updates.shape)}

    @staticmethod
    def samples(s: Sampler) -> Iterator[Sample]:
        x = s.floats(2, 3, 4, 5)
        for rule in ("numpy", "torch"):
            for spec, shapes in SPECS:
                arrays = tuple(s.ints(*shape, low=-2, high=2) for shape in shapes)
                shape = IndexGet.infer(type_of(x), tuple(type_of(a) for a in arrays), spec, rule, "").shape
                full = tuple(static_size(d, "a sample's size") for d in shape)
                yield s.case(
                    x, arrays, s.floats(*full), spec=spec, rule=rule, reduction="add" if rule == "numpy" else "none"
                )
                yield s.case(x, arrays, s.floats(*full[-1:]), spec=spec, rule=rule, name="broadcast")
            for spec, masks, shapes in MASK_SPECS:
                arrays = (*(_mask(s, shape) for shape in masks), *(s.ints(*shape, low=-2, high=2) for shape in shapes))
                for symbol in ("", "count"):
                    yield s.case(x, arrays, s.floats(), spec=spec, rule=rule, symbol=symbol, name="mask")
        for bounds in ("clip", "wrap", "drop"):
            for neg in ("from_end", "invalid"):
                yield s.case(
                    s.ints(4, 2),
                    (np.array([0, -1, 7, -9]),),
                    s.ints(4, 2),
                    spec=(A,),
                    bounds=bounds,
                    neg=neg,
                )
        yield s.case(s.ints(4), (s.permutation(4),), s.ints(4), spec=(A,), bounds="unchecked", unique=True)
        yield s.case(s.bools(4), (s.ints(6, low=0, high=4),), s.bools(6), spec=(A,), reduction="add")
        yield s.case(s.bools(4), (), s.bools(2), spec=(("slice", 1, 3, 1),), reduction="add")
        yield s.case(x, (np.array([2]),), s.floats(), spec=(A,), name="out of range", error=PositionError)
        yield s.case(x, (np.array([0]),), s.floats(4), spec=(A,), name="updates", error=ShapeError)
        yield s.case(x, (), s.floats(1, 1, 1, 1, 1), spec=(), name="updates of higher rank", error=ShapeError)


def _count_name(p: Plan, data: TensorType, arrays: Sequence[TensorType], updates: TensorType) -> str:
    """The name of the count of True where updates state it; raises NotImplementedError where it has none."""
    count = _update_count(p, p.static_shape(data.shape), arrays, updates)
    if isinstance(count, DimExpr) and count.is_symbol and count.symbol.opaque:
        return count.symbol.name
    if _has_mask(arrays):
        raise NotImplementedError("index_put: the mask's count of True has no name (attribute symbol)")
    return ""


def _update_count(p: Plan, shape: Shape, arrays: Sequence[TensorType], updates: TensorType) -> Dim:
    """The count of True as the updates state it: their size that lies over the block, 1 where they have none."""
    if not _has_mask(arrays):
        return 0
    other = [t.shape for t in arrays if not t.dtype.is_bool]
    rank = max([1, *(len(s) for s in other)])
    marks = p.result([0] * len(shape), [*([0] * (rank - 1)), 1], one=0)
    behind = len(marks) - marks.index(1)
    return updates.shape[-behind] if updates.rank >= behind else 1


def _broadcast(updates: Array, shape: tuple[int, ...]) -> Array:
    try:
        return np.broadcast_to(updates, shape)
    except ValueError:
        raise ShapeError(f"updates {list(updates.shape)} do not broadcast to the selection {list(shape)}") from None


def _sum_to(g: Array, shape: tuple[int, ...]) -> Array:
    """The cotangent of an array of `shape` that was broadcast to g's shape."""
    g = g.sum(tuple(range(g.ndim - len(shape))))
    return g.sum(tuple(k for k, n in enumerate(shape) if n == 1), keepdims=True)


def _static_put(b: Builder, p: Plan, data: Value, values: Value) -> Value:
    """`data` with the static part of the selection replaced."""
    fields = _static_fields(p, ints=True)
    if not fields["axes"]:
        return values
    ints = tuple(a for a, i in enumerate(p.static) if isinstance(i, int))
    return b.slice_update(data, b.unsqueeze(values, axes=ints) if ints else values, **fields)
