"""Attributes of ops: immutable Python values, checked against the annotation in the op's class."""

from __future__ import annotations

import types
import typing
from dataclasses import dataclass
from typing import Any, Literal, Union

import numpy as np

from ir.types import dtypes as dt
from ir.types.dim import DimExpr


@dataclass(frozen=True, eq=False, slots=True)
class ArrayAttr:
    """A small constant tensor as an attribute: compared and hashed by dtype, shape and bytes (so NaN equals NaN)."""

    value: np.ndarray

    def __post_init__(self) -> None:
        array = np.array(self.value, order="C", copy=True)
        array.setflags(write=False)
        object.__setattr__(self, "value", array)

    def _key(self) -> tuple[str, tuple[int, ...], bytes]:
        return (self.value.dtype.name, self.value.shape, self.value.tobytes())

    def __eq__(self, other: object) -> bool:
        return isinstance(other, ArrayAttr) and self._key() == other._key()

    def __hash__(self) -> int:
        return hash(self._key())

    def __repr__(self) -> str:
        return f"ArrayAttr({self.value.tolist()}, {self.value.dtype.name})"


def coerce(value: Any, annotation: Any, where: str) -> Any:
    """`value` as the annotated type, lists frozen to tuples and NumPy scalars to Python ones; raises TypeError otherwise."""
    ok, out = _coerce(value, annotation)
    if not ok:
        raise TypeError(f"{where} must be {_name(annotation)}, got {value!r}")
    return out


def _coerce(value: Any, ann: Any) -> tuple[bool, Any]:
    origin, args = typing.get_origin(ann), typing.get_args(ann)
    if origin in (Union, types.UnionType):
        for option in args:
            ok, out = _coerce(value, option)
            if ok:
                return True, out
        return False, None
    if origin is Literal:
        return value in args, value
    if origin is tuple:
        return _coerce_tuple(value, args)
    if ann is Any:
        return True, value
    return _coerce_scalar(value, ann)


def _coerce_tuple(value: Any, args: tuple[Any, ...]) -> tuple[bool, Any]:
    if not isinstance(value, (tuple, list)):
        return False, None
    kinds = [args[0]] * len(value) if len(args) == 2 and args[1] is Ellipsis else list(args)
    if len(kinds) != len(value):
        return False, None
    results = [_coerce(v, k) for v, k in zip(value, kinds, strict=True)]
    return all(ok for ok, _ in results), tuple(out for _, out in results)


def _coerce_scalar(value: Any, ann: Any) -> tuple[bool, Any]:
    if isinstance(value, np.generic):
        value = value.item()
    if ann is type(None):
        return value is None, None
    if ann is dt.DType:
        if isinstance(value, (dt.DType, str)):
            return True, dt.dtype(value)
        return False, None
    if ann is ArrayAttr:
        return isinstance(value, (ArrayAttr, np.ndarray)), value if isinstance(value, ArrayAttr) else ArrayAttr(
            np.asarray(value)
        )
    if ann is float:
        return isinstance(value, (int, float)) and not isinstance(value, bool), float(value) if isinstance(
            value, (int, float)
        ) else None
    if ann is int:
        return isinstance(value, int) and not isinstance(value, bool), value
    return isinstance(value, ann), value


def _name(ann: Any) -> str:
    if ann is DimExpr:
        return "a size expression"
    return getattr(ann, "__name__", str(ann)) if not typing.get_args(ann) else str(ann).replace("typing.", "")
