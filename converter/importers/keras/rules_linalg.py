"""Products, and what is solved with matrices."""

from __future__ import annotations

from typing import Any

from converter.importers.keras.context import KerasContext, rule
from converter.importers.keras.layers import finish
from converter.importers.keras.operands import axis_of, both, flat, on_tensorflow
from converter.importers.keras.rules_indexing import backend
from converter.importers.keras.rules_shape import moved, turned
from converter.importers.keras.spelled import spelled
from ir.core import Value
from ir.types import dtypes


def product(c: KerasContext, x1: Any, x2: Any, compute: Any, wide: bool = False) -> Value:
    """A product in the common dtype. TensorFlow's backend takes integers by way of floats (and 8-bit ones as int32)."""
    x, y = both(c, x1, x2)
    kind = x.type.dtype
    if kind.is_float or kind.is_complex:
        return compute(x, y)
    if kind.name == "int8" and wide:
        return compute(c.cast(x, dtypes.int32), c.cast(y, dtypes.int32))
    if not on_tensorflow():
        if kind.is_bool:
            c.refuse("a product of booleans", "cast them first")
        return compute(x, y)
    from keras import config

    floats = config.floatx()
    return c.cast(compute(c.cast(x, floats), c.cast(y, floats)), kind)


@rule("ops.Matmul")
def matmul(c: KerasContext, _: Any, x1: Any, x2: Any) -> Value:
    wide = all(len(x.shape) != 1 for x in (x1, x2)) or not on_tensorflow()
    return product(c, x1, x2, c.b.matmul, wide)


@rule("layers.Dense")
def dense(c: KerasContext, layer: Any, inputs: Any, training: Any = None) -> Any:
    kernel = c.weight(layer.kernel, "I O", "O I")
    x = c.value(inputs, kernel.type.dtype)
    bias = c.optional(layer.bias, kernel.type.dtype) if layer.use_bias else None
    return finish(c, layer, c.b.linear(x, kernel, bias))


@rule("ops.Dot")
def dot(c: KerasContext, _: Any, x1: Any, x2: Any) -> Value:
    """NumPy's: the last axis with the last but one, all others beside each other."""

    def compute(x: Value, y: Value) -> Value:
        if not x.type.rank or not y.type.rank:
            return c.b.mul(x, y)
        a = "abcdefghij"[: x.type.rank - 1]
        if y.type.rank == 1:
            return c.b.einsum([x, y], equation=f"{a}z,z->{a}")
        b, last = "klmnopqrst"[: y.type.rank - 2], "y"
        return c.b.einsum([x, y], equation=f"{a}z,{b}z{last}->{a}{b}{last}")

    if all(len(x.shape) == 2 for x in (x1, x2)):
        return product(c, x1, x2, c.b.matmul)
    return product(c, x1, x2, compute)


@rule("ops.Inner")
def inner(c: KerasContext, _: Any, x1: Any, x2: Any) -> Value:
    def compute(x: Value, y: Value) -> Value:
        if not x.type.rank or not y.type.rank:
            return c.b.mul(x, y)
        a, b = "abcdefghij"[: x.type.rank - 1], "klmnopqrst"[: y.type.rank - 1]
        return c.b.einsum([x, y], equation=f"{a}z,{b}z->{a}{b}")

    return product(c, x1, x2, compute)


@rule("ops.Vdot")
def vdot(c: KerasContext, _: Any, x1: Any, x2: Any) -> Value:
    """Of the flat tensors (complex ones as they are on TensorFlow, the first conjugated elsewhere)."""

    def compute(x: Value, y: Value) -> Value:
        first = c.b.conj(x) if x.type.dtype.is_complex and not on_tensorflow() else x
        return c.b.matmul(flat(c, first), flat(c, y))

    return product(c, x1, x2, compute)


@rule("ops.Outer")
def outer(c: KerasContext, _: Any, x1: Any, x2: Any) -> Value:
    x, y = (flat(c, v) for v in both(c, x1, x2))
    return c.b.mul(c.b.unsqueeze(x, axes=(1,)), c.b.unsqueeze(y, axes=(0,)))


@rule("ops.Tensordot")
def tensordot(c: KerasContext, op: Any, x1: Any, x2: Any) -> Value:
    def compute(x: Value, y: Value) -> Value:
        left, right = _paired(op.axes, x.type.rank, y.type.rank)
        names = {b: "ABCDEFGHIJ"[i] for i, b in enumerate(left)}
        a = "".join(names.get(i, "abcdefghij"[i]) for i in range(x.type.rank))
        other = {b: "ABCDEFGHIJ"[i] for i, b in enumerate(right)}
        b = "".join(other.get(i, "klmnopqrst"[i]) for i in range(y.type.rank))
        out = "".join(s for s in a + b if s.islower())
        return c.b.einsum([x, y], equation=f"{a},{b}->{out}")

    kind = c.result_type(x1, x2)
    if kind in ("int32", "int64") and on_tensorflow():  # these it multiplies as they are
        return compute(*both(c, x1, x2))
    return product(c, x1, x2, compute)


def _paired(axes: Any, rank1: int, rank2: int) -> tuple[list[int], list[int]]:
    if isinstance(axes, int):
        return list(range(rank1 - axes, rank1)), list(range(axes))
    left, right = ([a] if isinstance(a, int) else list(a) for a in axes)
    return [axis_of(a, rank1) for a in left], [axis_of(a, rank2) for a in right]


@rule("ops.Einsum")
def einsum(c: KerasContext, op: Any, *operands: Any, **kwargs: Any) -> Value:
    """Of several dtypes in the common one; integers on TensorFlow by way of floats."""
    kind = c.result_type(*operands)
    equation = op.subscripts.replace(" ", "")
    names = {c.dtype_of(x) for x in operands}
    result, wide = kind, kind
    if names == {"int8"}:
        result = wide = "int32"
    if ("int" in kind or kind == "bool") and on_tensorflow():
        from keras import config

        wide = config.floatx()
    found = c.b.einsum([c.value(x, wide) for x in operands], equation=equation)
    return c.cast(found, result)


@rule("ops.Cross")
def cross(c: KerasContext, op: Any, x1: Any, x2: Any) -> Value:
    """Vectors of two elements count as three with a last 0; of two such only the third element is left."""
    if backend() == "torch":
        c.refuse("a cross product, for which Keras lets torch choose the axis by its size", "write it with products")
    x, y = both(c, x1, x2)
    axes = op.axisa, op.axisb, op.axisc
    x, y = (turned(c, v, moved(v.type.rank, a, -1)) for v, a in zip((x, y), axes))
    sizes = [v.type.shape[-1] for v in (x, y)]
    if any(not isinstance(n, int) or n not in (2, 3) for n in sizes):
        c.refuse("the cross product of vectors of open length, or of other than 2 or 3 elements")

    def part(v: Value, i: int) -> Value | None:
        return None if v.type.shape[-1] == i else c.b.select(v, axis=v.type.rank - 1, index=i)

    found = [_minor(c, part(x, i), part(y, j), part(x, j), part(y, i), x) for i, j in ((1, 2), (2, 0), (0, 1))]
    if sizes == [2, 2]:
        return found[2]
    shape = found[2].type.shape
    found = [v if v.type.shape == shape else c.b.expand(v, shape=shape) for v in found]
    whole = c.b.stack(found, axis=len(shape))
    return turned(c, whole, moved(whole.type.rank, -1, axes[2]))


def _minor(c: KerasContext, a: Value | None, b: Value | None, d: Value | None, e: Value | None, like: Value) -> Value:
    """a * b - d * e, where what is absent is 0."""
    first = c.b.mul(a, b) if a is not None and b is not None else None
    second = c.b.mul(d, e) if d is not None and e is not None else None
    if first is None:
        return c.b.neg(second) if second is not None else c.number(0, like.type.dtype)
    return first if second is None else c.b.sub(first, second)


@spelled("ops.CDist")
def cdist(_: Any, x: Any, y: Any) -> Any:
    from keras import ops

    apart = ops.subtract(ops.expand_dims(x, -2), ops.expand_dims(y, -3))
    return ops.sqrt(ops.sum(ops.square(apart), axis=-1))


@spelled("ops.Corrcoef")
def corrcoef(_: Any, x: Any) -> Any:
    """The correlation of the rows."""
    from keras import ops

    from converter.importers.keras.rules_creation import raise_refusal

    if len(x.shape) != 2 or "complex" in x.dtype or x.dtype == "int64":
        raise_refusal("correlations of other than a matrix of real numbers", "use a matrix of floats")
    x = x if "float" in x.dtype else ops.cast(x, "float32")
    apart = ops.subtract(x, ops.mean(x, axis=-1, keepdims=True))
    count = ops.cast(ops.convert_to_tensor(x.shape[-1]), x.dtype)
    covariance = ops.divide(ops.matmul(apart, ops.transpose(apart)), ops.subtract(count, 1))
    deviation = ops.sqrt(ops.diagonal(covariance))
    return ops.clip(ops.divide(covariance, ops.outer(deviation, deviation)), -1.0, 1.0)


@rule("ops.Correlate")
def correlate(c: KerasContext, op: Any, x1: Any, x2: Any) -> Value:
    """Sliding products of two vectors; integers in floats."""
    kind = c.result_type(x1, x2)
    if on_tensorflow():
        kind = "float64" if kind == "int64" else kind if "float" in kind else "float32"
    elif "float" not in kind:
        c.refuse("sliding products of integers, whose dtype differs between backends", "cast to floats")
    x, y = c.value(x1, kind), c.value(x2, kind)
    n, m = x.type.shape[0], y.type.shape[0]
    if not isinstance(n, int) or not isinstance(m, int):
        c.refuse("sliding products of vectors of open length", "fix the sizes")
    if op.mode == "valid" and m > n:
        c.refuse("a second vector that is longer than the first")
    pad = 0 if op.mode == "valid" else m - 1
    found = c.b.conv(
        c.b.reshape(x, shape=(1, 1, n)), c.b.reshape(y, shape=(1, 1, m)), None, strides=(1,), padding=((pad, pad),),
        dilations=(1,), groups=1, layout="channels_first",
    )  # fmt: skip
    found = c.b.reshape(found, shape=(n + 2 * pad - m + 1,))
    if op.mode != "same":
        return found
    start = (n + m - 1 - max(n, m)) // 2
    return c.b.slice(found, axes=(0,), starts=(start,), stops=(start + max(n, m),), steps=(1,))


@rule("ops.Trapezoid")
def trapezoid(c: KerasContext, op: Any, y: Any, x: Any = None) -> Value:
    """Means of neighbours times their distances."""
    kind = c.result_type(y, float)
    value = c.value(y, kind)
    given = x if x is not None else op.x
    axis = axis_of(op.axis, value.type.rank)

    def ends(v: Value, a: int) -> tuple[Value, Value]:
        return (
            c.b.slice(v, axes=(a,), starts=(1,), stops=(None,), steps=(1,)),
            c.b.slice(v, axes=(a,), starts=(None,), stops=(-1,), steps=(1,)),
        )

    later, earlier = ends(value, axis)
    heights = c.b.mul(c.number(0.5, value.type.dtype), c.b.add(later, earlier))
    if given is None:
        widths = c.number(op.dx, value.type.dtype)
    else:
        points = c.value(given, kind)
        if points.type.rank not in (1, value.type.rank) or (points.type.rank == 1 and axis != value.type.rank - 1):
            c.refuse("distances that are neither a vector along the last axis nor of the rank of what is summed")
        widths = c.b.sub(*ends(points, axis if points.type.rank > 1 else 0))
    return c.b.reduce_sum(c.b.mul(heights, widths), axes=(axis,))
