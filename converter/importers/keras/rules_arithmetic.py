"""Arithmetic of several operands."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from converter.importers.base import Refusal
from converter.importers.keras.context import KerasContext, rule
from converter.importers.keras.operands import both, floating, on_tensorflow, strong
from converter.importers.keras.spelled import spelled
from ir.core import Value
from ir.types import dtypes

_TABLE = {
    "Add": "add", "Subtract": "sub", "Multiply": "mul", "Maximum": "maximum", "Minimum": "minimum", "Fmax": "fmax",
    "Fmin": "fmin",
}  # fmt: skip


def _binary(name: str, op: str) -> None:
    def convert(c: KerasContext, _: Any, x1: Any, x2: Any) -> Value:
        x, y = both(c, x1, x2)
        if x.type.dtype.is_bool:
            return _of_booleans(c, name, x, y)
        return getattr(c.b, op)(x, y)

    rule.add(f"ops.{name}", convert, op)


for _name, _op in _TABLE.items():
    _binary(_name, _op)


def _of_booleans(c: KerasContext, name: str, x: Value, y: Value) -> Value:
    """The largest of truth values is whether one holds; sums of them the backends take as they like."""
    found = {"Maximum": c.b.or_, "Fmax": c.b.or_, "Minimum": c.b.and_, "Fmin": c.b.and_}.get(name)
    if found is None or on_tensorflow():
        c.refuse("arithmetic of booleans", "cast them first")
    return found(x, y)


@rule("ops.Divide", "ops.TrueDivide")
def divide(c: KerasContext, _: Any, x1: Any, x2: Any) -> Value:
    kind = c.result_type(x1, x2, float)
    return c.b.div(c.value(x1, kind), c.value(x2, kind))


@rule("ops.DivideNoNan")
def divide_no_nan(c: KerasContext, _: Any, x1: Any, x2: Any) -> Value:
    x, y = both(c, x1, x2, float)
    zero, one = (c.number(n, y.type.dtype) for n in (0, 1))
    none = c.b.equal(y, zero)
    return c.b.where(none, zero, c.b.div(x, c.b.where(none, one, y)))


@rule("ops.FloorDivide")
def floor_divide(c: KerasContext, _: Any, x1: Any, x2: Any) -> Value:
    """On TensorFlow the floor of the rounded quotient: 55 of 5.5 and 0.1, where the others have 54."""
    x, y = both(c, x1, x2)
    if x.type.dtype.is_float and on_tensorflow():
        return c.b.floor(c.b.div(x, y))
    return c.b.floor_div(x, y)


@rule("ops.Mod", "ops.Fmod")
def mod(c: KerasContext, op: Any, x1: Any, x2: Any) -> Value:
    x, y = strong(c, x1, x2)
    if x.type.dtype.is_bool:
        x, y = (c.cast(v, dtypes.int32) for v in (x, y))
    return c.b.mod(x, y) if type(op).__name__ == "Mod" else c.b.fmod(x, y)


@rule("ops.Power")
def power(c: KerasContext, _: Any, x1: Any, x2: Any) -> Value:
    """TensorFlow takes unsigned integers by way of int32."""
    x, y = both(c, x1, x2)
    kind = x.type.dtype
    if kind.is_bool:
        c.refuse("powers of booleans", "cast them first")
    if kind.kind == "uint" and on_tensorflow():
        return c.cast(c.b.pow(c.cast(x, dtypes.int32), c.cast(y, dtypes.int32)), kind)
    return c.b.pow(x, y)


@rule("ops.Arctan2")
def arctan2(c: KerasContext, _: Any, x1: Any, x2: Any) -> Value:
    x, y = (floating(c, v) for v in strong(c, x1, x2))
    return c.b.atan2(x, y)


@rule("ops.Nextafter")
def nextafter(c: KerasContext, _: Any, x1: Any, x2: Any) -> Value:
    """TensorFlow steps in float64 and rounds the result, which so is mostly where it began."""
    x, y = (floating(c, v) for v in strong(c, x1, x2))
    kind = x.type.dtype
    if not on_tensorflow():
        return c.b.nextafter(x, y, of=kind)
    wide = [c.cast(v, dtypes.float64) for v in (x, y)]
    return c.cast(c.b.nextafter(*wide, of=dtypes.float64), kind)


@rule("ops.Clip")
def clip(c: KerasContext, op: Any, x: Any) -> Value:
    value = c.value(x)
    if value.type.dtype.is_bool:
        value = c.cast(value, dtypes.int32)
    low, high = (None if b is None else c.value(b, value.type.dtype) for b in (op.x_min, op.x_max))
    if on_tensorflow() and low is not None and high is not None:  # the upper bound first: the lower wins
        return c.b.maximum(c.b.minimum(value, high), low) if _crossing(op) else c.b.clip(value, low, high)
    return c.b.clip(value, low, high)


def _crossing(op: Any) -> bool:
    plain = (int, float)
    return not (isinstance(op.x_min, plain) and isinstance(op.x_max, plain)) or op.x_min > op.x_max


@spelled("ops.Hypot")
def hypot(_: Any, x1: Any, x2: Any) -> Any:
    from keras import ops

    x, y = _doubles(x1, x2)
    a, b = ops.abs(x), ops.abs(y)
    high, low = ops.maximum(a, b), ops.minimum(a, b)
    found = ops.multiply(high, ops.sqrt(ops.add(1.0, ops.square(ops.divide_no_nan(low, high)))))
    if on_tensorflow():
        return found
    return ops.where(ops.logical_or(ops.isinf(x), ops.isinf(y)), math.inf, found)  # beside NaN, too


@spelled("ops.Heaviside")
def heaviside(_: Any, x1: Any, x2: Any) -> Any:
    if not on_tensorflow():
        raise Refusal("steps whose answer to NaN differs from backend to backend", "write it with ops.where")
    from keras import ops

    x, y = _doubles(x1, x2)
    zero, one = ops.zeros_like(x), ops.ones_like(x)
    return ops.where(ops.less(x, 0), zero, ops.where(ops.greater(x, 0), one, y))


def _doubles(x1: Any, x2: Any) -> tuple[Any, Any]:
    """Two tensors in their common dtype; integers as floats, 64-bit ones as doubles on TensorFlow."""
    from keras import config, ops
    from keras.src.backend.common.dtypes import result_type

    kind = result_type(*(getattr(x, "dtype", type(x)) for x in (x1, x2)))
    if kind == "int64":
        if not on_tensorflow():
            raise Refusal("64-bit integers, of which torch makes floats of one width or the other", "cast them first")
        kind = "float64"
    elif "int" in kind or kind == "bool":
        kind = config.floatx()
    return ops.cast(x1, kind), ops.cast(x2, kind)


@spelled("ops.Logaddexp", "ops.Logaddexp2")
def logaddexp(op: Any, x1: Any, x2: Any) -> Any:
    """To base e or 2; TensorFlow keeps log(2) as float32, for doubles, too."""
    from keras import ops
    from keras.src.backend.common.dtypes import result_type

    kind = result_type(x1.dtype, x2.dtype, float)
    x1, x2 = ops.cast(x1, kind), ops.cast(x2, kind)
    apart = ops.subtract(x1, x2)
    far = ops.negative(ops.abs(apart))
    if type(op).__name__ == "Logaddexp":
        rest = ops.log1p(ops.exp(far))
    else:
        base = float(np.float32(math.log(2))) if on_tensorflow() else math.log(2)
        rest = ops.divide(ops.log1p(ops.exp(ops.multiply(far, base))), base)
    return ops.where(ops.isnan(apart), ops.add(x1, x2), ops.add(ops.maximum(x1, x2), rest))


@rule("ops.Ldexp")
def ldexp(c: KerasContext, _: Any, x1: Any, x2: Any) -> Value:
    x, y = both(c, x1, x2, float)
    kind = x.type.dtype
    moved = c.b.mul(x, c.b.pow(c.number(2, kind), y))
    kept = c.b.or_(c.b.isinf(x), c.b.equal(x, c.number(0, kind)))
    return c.b.where(kept, x, moved)


@spelled("ops.Gcd")
def gcd(_: Any, x1: Any, x2: Any) -> Any:
    return _gcd(*_integers(x1, x2))


@spelled("ops.Lcm")
def lcm(_: Any, x1: Any, x2: Any) -> Any:
    from keras import ops

    x, y = _integers(x1, x2)
    divisor = _gcd(x, y)
    none = ops.equal(divisor, 0)
    found = ops.multiply(x, ops.floor_divide(y, ops.where(none, ops.ones_like(divisor), divisor)))
    return ops.where(none, ops.zeros_like(found), found)


def _integers(x1: Any, x2: Any) -> tuple[Any, Any]:
    """Their sizes in their common dtype and shape."""
    from keras import ops
    from keras.src.backend.common.dtypes import result_type

    kind = result_type(*(getattr(x, "dtype", "int32") for x in (x1, x2)))
    x, y = ops.abs(ops.cast(x1, kind)), ops.abs(ops.cast(x2, kind))
    return ops.add(x, ops.zeros_like(y)), ops.add(y, ops.zeros_like(x))


def _gcd(x: Any, y: Any) -> Any:
    from keras import ops

    def step(a: Any, b: Any) -> Any:
        rest, done = ops.mod(a, ops.where(ops.equal(b, 0), ops.ones_like(b), b)), ops.equal(b, 0)
        return ops.where(done, a, b), ops.where(done, ops.zeros_like(b), rest)

    return ops.while_loop(lambda a, b: ops.any(ops.not_equal(b, 0)), step, (x, y))[0]
