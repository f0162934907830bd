"""TensorFlow functions called in a functional model of tf.keras (`TFOpLambda`, `SlicingOpLambda`), as `keras.ops` calls."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from converter.importers.base import Refusal, RuleTable
from converter.importers.keras.legacy import values
from converter.importers.keras.legacy.units import Arguments, Unit, rules

Function = Callable[..., Any]
functions: RuleTable[Function] = RuleTable("converter/importers/keras/legacy")

_UNARY = {
    "exp": "exp", "log": "log", "sqrt": "sqrt", "rsqrt": "rsqrt", "square": "square", "abs": "absolute", "negative": "negative",
    "sign": "sign", "floor": "floor", "ceil": "ceil", "sin": "sin", "cos": "cos", "tan": "tan", "tanh": "tanh", "log1p": "log1p",
    "expm1": "expm1", "sigmoid": "sigmoid", "softplus": "softplus", "softsign": "softsign", "erf": "erf", "logical_not": "logical_not",
    "reciprocal": "reciprocal", "round": "round",
}  # fmt: skip
_BINARY = {
    "add": "add", "subtract": "subtract", "multiply": "multiply", "maximum": "maximum", "minimum": "minimum", "greater": "greater",
    "greater_equal": "greater_equal", "less": "less", "less_equal": "less_equal", "equal": "equal", "not_equal": "not_equal",
    "logical_and": "logical_and", "logical_or": "logical_or",
}  # fmt: skip
_FLOATING = {"truediv": "true_divide", "divide": "true_divide", "pow": "power", "atan2": "arctan2"}
_REDUCING = {
    "reduce_sum": "sum", "reduce_max": "max", "reduce_min": "min", "reduce_prod": "prod", "reduce_mean": "mean", "reduce_all": "all",
    "reduce_any": "any", "reduce_logsumexp": "logsumexp", "reduce_variance": "var", "reduce_std": "std",
}  # fmt: skip
_FLOATS_ONLY = ("reduce_mean", "reduce_logsumexp", "reduce_variance", "reduce_std")


def call(symbol: str) -> Function:
    """The function of TensorFlow's public name, as one of its first argument and keywords; raises Refusal where unknown."""
    rule = functions.get(symbol.removeprefix("compat.v1."))
    if rule is None:
        raise Refusal(
            f"tf.{symbol}: no rule for this function", "use a layer for it, or a function of keras.ops in today's Keras"
        )
    return rule.fn


@rules("TFOpLambda")
def function(a: Arguments) -> Unit:
    """A call of a TensorFlow function."""
    symbol = str(a.take("function"))
    made = call(symbol)

    def apply(x: Any, **given: Any) -> Any:
        kept = {k: v for k, v in given.items() if k != "name" and v is not None}
        try:
            return made(x, **kept)
        except TypeError as error:
            raise Refusal(f"tf.{symbol} with {', '.join(kept) or 'these arguments'}: {error}") from None

    return Unit(a.kind, a.name, apply)


@rules("SlicingOpLambda")
def slicing(a: Arguments) -> Unit:
    """x[...] by whole numbers and slices of whole numbers."""

    def apply(x: Any, slice_spec: Any, **given: Any) -> Any:
        return x[tuple(_index(s) for s in (slice_spec if isinstance(slice_spec, list) else [slice_spec]))]

    return Unit(a.kind, a.name, apply)


def _index(item: Any) -> Any:
    if isinstance(item, dict) and "step" in item:
        bounds = [item["start"], item["stop"], item["step"]]
        if all(b is None or isinstance(b, int) for b in bounds):
            return slice(*bounds)
    if isinstance(item, dict) and item.get("class_name") == "__ellipsis__":
        return Ellipsis
    if item is None or (isinstance(item, int) and not isinstance(item, bool)):
        return item
    raise Refusal(f"an index {item!r} that is neither a number nor a slice of numbers")


def _is_tensor(x: Any) -> bool:
    return hasattr(x, "dtype") and hasattr(x, "shape")


def _pair(x: Any, y: Any) -> tuple[Any, Any]:
    """Two operands, of which one may be a number or a list of them: it takes the other's dtype."""
    like = x if _is_tensor(x) else y
    made = [v if _is_tensor(v) or not isinstance(v, list) else np.asarray(v, str(like.dtype)) for v in (x, y)]
    return made[0], made[1]


def _floating(x: Any, what: str) -> None:
    if _is_tensor(x) and "float" not in str(x.dtype):
        raise Refusal(f"{what} of {x.dtype}, which TensorFlow rounds otherwise than keras.ops")


def _constant(value: Any, what: str) -> Any:
    """An argument that is written in the file; raises Refusal for one that is computed."""
    if _is_tensor(value) or (isinstance(value, (list, tuple)) and any(_is_tensor(v) for v in value)):
        raise Refusal(f"{what} that is computed")
    return values.frozen(value)


def _register() -> None:
    """Functions that are one function of keras.ops."""
    for name, op in _UNARY.items():
        keys = [f"math.{name}", *([f"nn.{name}"] if name in ("sigmoid", "tanh", "softplus", "softsign") else [])]
        for key in (*keys, *([name] if name == "round" else [])):
            functions.add(key, _unary(op), name)
    for name, op in {**_BINARY, **_FLOATING}.items():
        for key in [f"math.{name}", *(["__operators__.add"] if name == "add" else [])]:
            functions.add(key, _binary(op, name in _FLOATING), name)
    for name, op in _REDUCING.items():
        functions.add(f"math.{name}", _reducing(op, name in _FLOATS_ONLY), name)
    for name in ("relu", "relu6", "elu", "selu", "silu", "swish"):
        functions.add(f"nn.{name}", _unary("silu" if name == "swish" else name), name)


def _unary(op: str) -> Function:
    def apply(x: Any) -> Any:
        import keras

        return getattr(keras.ops, op)(x)

    return apply


def _binary(op: str, floating: bool) -> Function:
    def apply(x: Any, y: Any) -> Any:
        import keras

        if floating:
            _floating(x, op)
            _floating(y, op)
        return getattr(keras.ops, op)(*_pair(x, y))

    return apply


def _reducing(op: str, floating: bool) -> Function:
    def apply(x: Any, axis: Any = None, keepdims: bool = False) -> Any:
        import keras

        if floating:
            _floating(x, op)
        return getattr(keras.ops, op)(x, axis=_constant(axis, "an axis"), keepdims=bool(keepdims))

    return apply


_register()


@functions("cast")
def cast(x: Any, dtype: Any) -> Any:
    """tf.cast."""
    from keras import ops

    return ops.cast(x, values.dtype(dtype))


@functions("reshape")
def reshape(x: Any, shape: Any) -> Any:
    """tf.reshape."""
    from keras import ops

    return ops.reshape(x, _constant(shape, "a shape"))


@functions("transpose")
def transpose(x: Any, perm: Any = None, conjugate: bool = False) -> Any:
    """tf.transpose."""
    from keras import ops

    return ops.transpose(x, _constant(perm, "an order of axes"))


@functions("expand_dims")
def expand_dims(x: Any, axis: Any) -> Any:
    """tf.expand_dims."""
    from keras import ops

    return ops.expand_dims(x, _constant(axis, "an axis"))


@functions("squeeze")
def squeeze(x: Any, axis: Any = None) -> Any:
    """tf.squeeze."""
    from keras import ops

    axis = _constant(axis, "an axis")
    return ops.squeeze(x, axis if axis != () else None)


@functions("concat")
def concat(x: Any, axis: Any) -> Any:
    """tf.concat."""
    from keras import ops

    return ops.concatenate(x, axis=_constant(axis, "an axis"))


@functions("stack")
def stack(x: Any, axis: Any = 0) -> Any:
    """tf.stack."""
    from keras import ops

    return ops.stack(x, axis=_constant(axis, "an axis"))


@functions("split")
def split(x: Any, num_or_size_splits: Any, axis: Any = 0) -> Any:
    """tf.split into equal parts, or parts of these sizes."""
    from keras import ops

    parts = _constant(num_or_size_splits, "sizes")
    if not isinstance(parts, int):
        if any(p < 0 for p in parts):
            raise Refusal("tf.split with a size left open")
        parts = tuple(int(p) for p in np.cumsum(parts)[:-1])
    return ops.split(x, parts, axis=_constant(axis, "an axis"))


@functions("tile")
def tile(x: Any, multiples: Any) -> Any:
    """tf.tile."""
    from keras import ops

    return ops.tile(x, _constant(multiples, "repetitions"))


@functions("reverse")
def reverse(x: Any, axis: Any) -> Any:
    """tf.reverse."""
    from keras import ops

    return ops.flip(x, axis=_constant(axis, "an axis"))


@functions("clip_by_value")
def clip(x: Any, clip_value_min: Any, clip_value_max: Any) -> Any:
    """tf.clip_by_value."""
    from keras import ops

    return ops.clip(x, _constant(clip_value_min, "a limit"), _constant(clip_value_max, "a limit"))


@functions("linalg.matmul")
def matmul(x: Any, b: Any, transpose_a: bool = False, transpose_b: bool = False) -> Any:
    """tf.matmul, each side turned where asked."""
    from keras import ops

    x, b = _pair(x, b)
    sides = [ops.swapaxes(v, -1, -2) if turn else v for v, turn in ((x, transpose_a), (b, transpose_b))]
    return ops.matmul(*sides)


@functions("nn.softmax")
def softmax(x: Any, axis: Any = -1) -> Any:
    """tf.nn.softmax."""
    from keras import ops

    return ops.softmax(x, axis=_constant(axis, "an axis"))


@functions("nn.log_softmax")
def log_softmax(x: Any, axis: Any = -1) -> Any:
    """tf.nn.log_softmax."""
    from keras import ops

    return ops.log_softmax(x, axis=_constant(axis, "an axis"))


@functions("nn.leaky_relu")
def leaky_relu(x: Any, alpha: float = 0.2) -> Any:
    """tf.nn.leaky_relu."""
    from keras import ops

    return ops.leaky_relu(x, negative_slope=float(alpha))


@functions("nn.gelu")
def gelu(x: Any, approximate: bool = False) -> Any:
    """tf.nn.gelu."""
    from keras import ops

    return ops.gelu(x, approximate=bool(approximate))


@functions("math.squared_difference")
def squared_difference(x: Any, y: Any) -> Any:
    """(x - y)**2."""
    from keras import ops

    x, y = _pair(x, y)
    return ops.square(ops.subtract(x, y))


@functions("math.add_n")
def add_n(x: Any) -> Any:
    """The sum of several."""
    from keras import ops

    total = x[0]
    for other in x[1:]:
        total = ops.add(total, other)
    return total
