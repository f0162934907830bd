"""What rules that read and write at computed positions share: TensorFlow's types of indices, its bounds, what is told.

On a CPU TensorFlow refuses every index out of range, negative ones too. On a GPU it reads zeros and drops writes, and what
XLA compiles reads the nearest element and drops writes. An error of the source is one on a CPU by itself; the rest is told
in a note, and under the strict policy checked wherever XLA does not compile.
"""

from __future__ import annotations

from typing import Any

from converter.exporters.code.expr import Expr, lift
from converter.exporters.index_facts import never_negative
from converter.exporters.tensorflow.context import TF, Context
from ir.core import Node, Value
from ir.types import Dim, dtypes

READS = (
    "an index out of range is an error in the source, and in TensorFlow on a CPU; on a GPU TensorFlow reads zeros, and compiled "
    "by XLA the nearest element (--index-policy strict checks indices, except where XLA compiles)"
)
WRITES = (
    "an index out of range is an error in the source, and in TensorFlow on a CPU; on a GPU, and compiled by XLA, TensorFlow drops "
    "what is written there (--index-policy strict checks indices, except where XLA compiles)"
)


def as_index(c: Context, value: Value) -> Expr:
    """Indices in a type that every function takes."""
    kind = value.type.dtype
    if kind.name in ("int32", "int64"):
        return c.x(value)
    return c.cast(c.x(value), dtypes.int32 if kind.bits < 32 else dtypes.int64)


def from_end(c: Context, index: Expr, size: Dim) -> Expr:
    """`tf.where(index < 0, index + 5, index)`: negative indices counted from the end."""
    index = c.name_once(index, "index")
    width: Expr = c.dim(size)
    if not isinstance(size, int):
        width = TF.cast(width, index.dtype)
    return TF.where(index < 0, index + width, index)


def checked(c: Context, index: Expr, size: Dim) -> Expr:
    """The indices, refused where any is out of range."""
    return c.helper("checked_index")(index, c.dim(size))


def is_own(c: Context) -> bool:
    """Whether the source is TensorFlow itself, which does the same."""
    return bool(c.model.metadata.get("framework") == "tensorflow")


def guards(c: Context) -> bool:
    """Whether code checks what TensorFlow would treat in another way than the source."""
    return c.strict and not is_own(c)


def is_safe(value: Value, size: Dim, negative: bool) -> bool:
    """Whether every index is certainly in range: constants of a known axis."""
    made = value.producer
    if made is None or made.op.name != "constant" or not isinstance(size, int):
        return False
    array = made.attrs["value"].value
    return bool(array.size == 0 or (array.max() < size and array.min() >= (-size if negative else 0)))


def tell_read(c: Context, node: Node, indices: Value, size: Dim) -> None:
    """Note what becomes of reads out of range, where they are an error in the source."""
    _tell(c, READS, is_safe(indices, size, node.attrs.get("neg") == "from_end"))


def tell_write(c: Context, node: Node) -> None:
    """The same for writes."""
    if node.attrs["bounds"] == "error":
        _tell(c, WRITES, False)


def _tell(c: Context, text: str, safe: bool) -> None:
    if safe or is_own(c):
        return
    if c.strict:
        c.tell_checked("indices out of range")
    else:
        c.note(text)


def index_settings(c: Context, node: Node, indices: Value) -> dict[str, Any]:
    """Keyword arguments of the helpers, defaults left out: what becomes of indices out of range, and of negative ones."""
    a = node.attrs
    settings: dict[str, Any] = {}
    if a["bounds"] != "error" or guards(c):
        settings["bounds"] = lift("check" if a["bounds"] == "error" else a["bounds"])
    if a["neg"] == "from_end" and not never_negative(indices):
        settings["from_end"] = lift(True)
    if a["bounds"] == "fill":
        settings["fill"] = lift(a["fill_value"])
    return settings


__all__ = [
    "as_index",
    "checked",
    "from_end",
    "guards",
    "index_settings",
    "is_own",
    "is_safe",
    "tell_read",
    "tell_write",
]
