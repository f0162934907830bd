"""Python's operators on traced tensors, where a backend's own tensors answer in another way than Keras' symbolic ones.

The code of a model sees the backend's tensors when it runs. Those compare element by element with `==`, which Keras leaves to
Python (no two tensors are one); `&`, `|`, `^` and `~` work on their bits where they are integers, and TensorFlow divides
integers of 32 and 64 bits into float64, multiplies anything by booleans as booleans and takes a number for one of the
tensor's type, which `keras.ops.mod` there does not.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

Method = Callable[..., Any]

WIDE = ("int32", "int64", "uint32", "uint64")
"""Integers that TensorFlow divides in float64."""


def operators(base: type) -> dict[str, Method]:
    """The methods by which a class of traced tensors differs from `base`, Keras' symbolic tensors."""
    found: dict[str, Method] = {"__eq__": _equal, "__invert__": _inverted(base)}
    for name, function in (("and", "bitwise_and"), ("or", "bitwise_or"), ("xor", "bitwise_xor")):
        for method in (f"__{name}__", f"__r{name}__"):
            found[method] = _bits(getattr(base, method), function)
    for method in ("__truediv__", "__rtruediv__"):
        found[method] = _divided(getattr(base, method))
    for method in ("__mod__", "__rmod__"):
        found[method] = _rest(getattr(base, method))
    for method in ("__mul__", "__rmul__"):
        found[method] = _multiplied(getattr(base, method))
    return found


def _equal(self: Any, other: Any) -> Any:
    from keras import ops

    if not (hasattr(other, "dtype") or isinstance(other, (bool, int, float, list, tuple))):
        return NotImplemented
    return ops.equal(self, other)


def _bits(logical: Method, function: str) -> Method:
    def method(self: Any, other: Any) -> Any:
        from keras import ops

        if self.dtype == "bool" and (_dtype(other) == "bool" or isinstance(other, bool)):
            return logical(self, other)
        return getattr(ops, function)(self, _as_own(self, other))  # of either order the same

    return method


def _inverted(base: Any) -> Method:
    def method(self: Any) -> Any:
        from keras import ops

        return base.__invert__(self) if self.dtype == "bool" else ops.bitwise_not(self)

    return method


def _divided(plain: Method) -> Method:
    def method(self: Any, other: Any) -> Any:
        from keras import ops

        if not _on_tensorflow() or self.dtype not in WIDE or "int" not in _dtype(other):
            return plain(self, other)
        return plain(ops.cast(self, "float64"), ops.cast(other, "float64"))

    return method


def _rest(plain: Method) -> Method:
    return lambda self, other: plain(self, _as_own(self, other))


def _as_own(tensor: Any, other: Any) -> Any:
    """A number as TensorFlow takes it beside a tensor: of the tensor's type."""
    from keras import ops

    number = _on_tensorflow() and type(other) in (int, float)
    return ops.convert_to_tensor(other, dtype=tensor.dtype) if number else other


def _multiplied(plain: Method) -> Method:
    def method(self: Any, other: Any) -> Any:
        from keras import ops

        tensors = hasattr(other, "dtype")
        if not _on_tensorflow() or "bool" not in (self.dtype, _dtype(other) if tensors else ""):
            return plain(self, other)
        return ops.logical_and(ops.cast(self, "bool"), ops.cast(other, "bool"))

    return method


def _dtype(item: Any) -> str:
    """The element type of a tensor, variable or array, the kind of a number (of a size, too)."""
    from keras.src.backend import standardize_dtype

    if hasattr(item, "dtype"):
        return standardize_dtype(item.dtype)
    return "int" if isinstance(item, int) and not isinstance(item, bool) else type(item).__name__


def _on_tensorflow() -> bool:
    from keras import backend

    return str(backend.backend()) == "tensorflow"
