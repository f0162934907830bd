"""Tensors of sizes: functions that make them from nothing are the backend's own."""

from __future__ import annotations

from typing import Any

from converter.importers.keras.context import KerasContext, rule
from converter.importers.keras.operands import on_tensorflow
from converter.importers.keras.spelled import spelled
from converter.importers.keras.tensors import Size, is_traced
from ir.core import Value
from ir.types import Dim, DType
from ir.types import dtype as as_dtype


def _full(name: str, number: float) -> None:
    def convert(c: KerasContext, shape: Any, dtype: Any = None) -> Value:
        return filled(c, shape, number, dtype)

    rule.add(f"backend.numpy.{name}", convert, name)


for _name, _number in (("zeros", 0), ("ones", 1)):
    _full(_name, _number)


@rule("backend.numpy.empty")
def empty(c: KerasContext, shape: Any, dtype: Any = None) -> Value:
    """What it holds is left open, except that TensorFlow fills it with zeros."""
    if not on_tensorflow():
        c.refuse("a tensor of whatever was in memory", "use ops.zeros")
    return filled(c, shape, 0, dtype)


def filled(c: KerasContext, shape: Any, number: Any, kind: Any) -> Value:
    """A tensor of one number."""
    wanted = _kind(kind)
    return c.b.expand(c.number(number, wanted), shape=c.dims(shape))


def _kind(kind: Any) -> DType:
    from keras import config

    return as_dtype(kind or config.floatx())


@rule("backend.numpy.full")
def full(c: KerasContext, shape: Any, fill_value: Any, dtype: Any = None) -> Value:
    return c.b.expand(c.value(fill_value, _kind(dtype)), shape=c.dims(shape))


@rule("ops.Full")
def full_op(c: KerasContext, op: Any, fill_value: Any) -> Value:
    return c.b.expand(c.value(fill_value, _kind(op.dtype)), shape=c.dims(op.shape))


@rule("ops.ZerosLike", "ops.OnesLike", "ops.EmptyLike")
def like(c: KerasContext, op: Any, x: Any, **_: Any) -> Value:
    form = type(op).__name__
    if form == "EmptyLike" and not on_tensorflow():
        c.refuse("a tensor of whatever was in memory", "use ops.zeros_like")
    return _like(c, c.value(x), 1 if form == "OnesLike" else 0, op.dtype)


def _like(c: KerasContext, value: Value, number: float, kind: Any) -> Value:
    wanted = value.type.dtype if kind is None else as_dtype(kind)
    return c.b.full(shape=value.type.shape, value=bool(number) if wanted.is_bool else number, dtype=wanted)


@rule("ops.FullLike")
def full_like(c: KerasContext, op: Any, x: Any, fill_value: Any) -> Value:
    value = c.value(x)
    kind = value.type.dtype if op.dtype is None else as_dtype(op.dtype)
    return c.b.expand(c.value(fill_value, kind), shape=value.type.shape)


# -- ranges -------------------------------------------------------------------------------------------------------------
@rule("backend.numpy.arange")
def arange(c: KerasContext, start: Any, stop: Any = None, step: Any = None, dtype: Any = None) -> Value:
    """Sizes decide the bounds; numbers of tensors are another matter (`ops.Arange`)."""
    given = [x for x in (start, stop, step) if x is not None]
    if stop is None:
        start, stop = 0, start
    step = 1 if step is None else step
    kind = as_dtype(dtype or c.result_type(*given))
    bounds = [_bound(c, x) for x in (start, stop, step)]
    return c.b.arange(start=bounds[0], stop=bounds[1], step=bounds[2], dtype=kind)


def _bound(c: KerasContext, item: Any) -> Dim | float:
    return item if isinstance(item, float) else c.dim(item)


@rule("ops.Arange")
def arange_op(c: KerasContext, op: Any, start: Any, stop: Any = None, step: Any = None) -> Value:
    """Bounds that are sizes in disguise give a length known by name, others one that the run finds."""
    given = [x for x in (start, stop, step) if x is not None]
    kind = as_dtype(op.dtype or c.result_type(*given))
    start, stop, step = (0, start, step) if stop is None else (start, stop, step)
    step = 1 if step is None else step
    if not any(is_traced(x) and _unknown(c, x) for x in (start, stop, step)):
        return arange(c, start, stop, step, kind.name)
    values = [c.b.reshape(v, shape=()) if v.type.rank else v for v in (c.value(x, kind) for x in (start, stop, step))]
    return c.b.range(*values, symbol=c.fresh_size("range"))


def _unknown(c: KerasContext, item: Any) -> bool:
    from converter.importers.base import Refusal

    try:
        c.dim(item)
    except Refusal:
        return True
    return False


@spelled("ops.Linspace")
def linspace(op: Any, start: Any, stop: Any) -> Any:
    return _linspace(start, stop, op.num, op.endpoint, op.retstep, op.dtype, op.axis)


def _linspace(start: Any, stop: Any, num: int, endpoint: bool, retstep: bool, dtype: Any, axis: int) -> Any:
    """The last element is the end itself, as TensorFlow and NumPy have it."""
    from keras import ops
    from keras.src.backend.common.dtypes import result_type

    kinds = [getattr(x, "dtype", type(x)) for x in (start, stop)]
    kind = result_type(*kinds, float) if dtype is None else dtype
    from keras import config

    if num == 1 and config.backend() == "torch":
        raise_refusal("a single one of evenly spaced numbers on torch, which is NaN between tensors", "take the start")
    if "int" in kind or num < 1:
        raise_refusal("evenly spaced integers, or none", "space floats and cast them")
    start, stop = ops.cast(start, kind), ops.cast(stop, kind)
    rank = max(len(start.shape), len(stop.shape))
    parts = num - 1 if endpoint else num
    step = ops.divide(ops.subtract(stop, start), float(parts)) if parts else ops.full_like(start, float("nan"))
    at = axis % (rank + 1)
    shape = [1] * (rank + 1)
    shape[at] = num
    places = ops.reshape(ops.cast(ops.arange(num), kind), shape)
    base = ops.expand_dims(ops.broadcast_to(start, step.shape), at)
    result = ops.add(base, ops.multiply(places, ops.expand_dims(step, at))) if num > 1 else base
    if endpoint and num > 1:
        last = ops.equal(ops.reshape(ops.arange(num), shape), num - 1)
        result = ops.where(last, ops.expand_dims(ops.broadcast_to(stop, step.shape), at), result)
    return (result, step) if retstep else result


def raise_refusal(reason: str, advice: str) -> None:
    from converter.importers.base import Refusal

    raise Refusal(reason, advice)


@spelled("ops.Logspace")
def logspace(op: Any, start: Any, stop: Any) -> Any:
    from keras import ops

    powers = _linspace(start, stop, op.num, op.endpoint, False, op.dtype, op.axis)
    return ops.power(ops.cast(op.base, powers.dtype), powers)


@spelled("ops.Geomspace")
def geomspace(op: Any, start: Any, stop: Any) -> Any:
    from keras import config, ops

    kind = op.dtype or config.floatx()
    ends = [ops.log10(ops.cast(ops.abs(ops.convert_to_tensor(x)), kind)) for x in (start, stop)]
    powers = _linspace(ends[0], ends[1], op.num, op.endpoint, False, op.dtype, op.axis)
    sign = ops.cast(ops.sign(ops.cast(start, kind)), powers.dtype)
    found = ops.power(ops.cast(10, powers.dtype), powers)
    return ops.multiply(found, ops.expand_dims(sign, op.axis % len(found.shape)) if len(sign.shape) else sign)


# -- matrices -----------------------------------------------------------------------------------------------------------
@rule("backend.numpy.eye")
def eye(c: KerasContext, N: Any, M: Any = None, k: Any = 0, dtype: Any = None) -> Value:
    """On TensorFlow, Keras makes a matrix of another size where the diagonal is not cut off by the far side."""
    rows, k = c.dim(N), int(k)
    cols = rows if M is None else c.dim(M)
    if k and on_tensorflow():
        known = isinstance(rows, int) and isinstance(cols, int)
        if not known or (cols - k > rows if k > 0 else rows + k > cols):
            c.refuse(
                f"the {k}-th diagonal of {rows} x {cols}, which Keras makes of another size on TensorFlow",
                "use ops.tri",
            )
    return c.b.eye(rows=rows, cols=cols, k=k, dtype=_kind(dtype))


@rule("backend.numpy.identity")
def identity(c: KerasContext, n: Any, dtype: Any = None) -> Value:
    return c.b.eye(rows=c.dim(n), cols=c.dim(n), k=0, dtype=_kind(dtype))


@rule("backend.numpy.tri")
def tri(c: KerasContext, N: Any, M: Any = None, k: Any = 0, dtype: Any = None) -> Value:
    if isinstance(k, Size):
        c.refuse("a diagonal that a size decides", "give a number")
    rows = c.dim(N)
    shape = (rows, rows if M is None else c.dim(M))
    kind = _kind(dtype)
    return c.b.tril(c.b.full(shape=shape, value=True if kind.is_bool else 1, dtype=kind), k=int(k))


@rule("ops.Meshgrid")
def meshgrid(c: KerasContext, op: Any, *xs: Any) -> list[Value]:
    from converter.importers.keras.operands import flat

    values = [flat(c, c.value(x)) for x in xs]
    places = list(range(len(values)))
    if op.indexing == "xy" and len(values) > 1:
        places[:2] = [1, 0]
    shape: list[Any] = [0] * len(values)
    for value, place in zip(values, places):
        shape[place] = value.type.shape[0]
    found = []
    for value, place in zip(values, places):
        others = tuple(i for i in range(len(values)) if i != place)
        found.append(c.b.expand(c.b.unsqueeze(value, axes=others) if others else value, shape=tuple(shape)))
    return found


@spelled("ops.Vander")
def vander(op: Any, x: Any) -> Any:
    """By floating powers, as TensorFlow has it."""
    from keras import ops
    from keras.src.backend.common.dtypes import result_type

    size = x.shape[0] if op.N is None else op.N
    wide = result_type(x.dtype, "float32")
    powers = ops.arange(size) if op.increasing else ops.flip(ops.arange(size))
    return ops.cast(ops.power(ops.cast(ops.expand_dims(x, -1), wide), ops.cast(powers, wide)), x.dtype)
