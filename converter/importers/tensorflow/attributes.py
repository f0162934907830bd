"""AttrValue to Python values."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from ir.types import DType, dtype


@dataclass(frozen=True)
class Function:
    """The name of a function of the library, and the attributes bound to it."""

    name: str
    attrs: tuple[tuple[str, Any], ...] = ()


def decoded(value: Any) -> Any:
    """bool, int, float, str, DType, shape, the TensorProto, `Function`, or a list of those.

    A type that no tensor of the IR has (string, resource, variant, quantised ones) is its name. A shape is a tuple with
    None for an unknown size, and None when its rank is unknown. Text that is no UTF-8 stays bytes.
    """
    kind = value.WhichOneof("value")
    if kind == "list":
        return _list(value.list)
    if kind is None:
        return None
    return _one(kind, getattr(value, kind))


def _one(kind: str, value: Any) -> Any:
    if kind == "s":
        return _text(value)
    if kind == "type":
        return type_of(value)
    if kind == "shape":
        return shape_of(value)
    if kind == "func":
        return Function(value.name, tuple((k, decoded(v)) for k, v in sorted(value.attr.items())))
    return value


def flag(node: Any, name: str) -> bool:
    """An attribute that is a bool; false where the node does not give it. Asking a node for it would add an empty one."""
    return name in node.attr and bool(node.attr[name].b)


def _list(values: Any) -> list[Any]:
    for kind in ("s", "i", "f", "b", "type", "shape", "tensor", "func"):
        found = getattr(values, kind)
        if len(found):
            return [_one(kind, v) for v in found]
    return []


def _text(value: bytes) -> str | bytes:
    try:
        return value.decode()
    except UnicodeDecodeError:
        return value


def shape_of(proto: Any) -> tuple[int | None, ...] | None:
    """A TensorShapeProto as a tuple."""
    return None if proto.unknown_rank else tuple(None if d.size < 0 else int(d.size) for d in proto.dim)


def type_of(number: int) -> DType | str:
    """An element type by its number in TensorFlow's protobufs; its name where the IR has none."""
    import tensorflow as tf

    name = tf.as_dtype(number).name.removesuffix("_ref")
    try:
        return dtype({"half": "float16"}.get(name, name))
    except TypeError:
        return name
