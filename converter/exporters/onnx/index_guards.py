"""What the strict index policy adds to reads and writes, in terms of the IR.

ONNX counts negative indices from the end and leaves open which of several writes to one place remains. Guarded, a
negative index that is an error becomes the first position behind the axis, where the runtime stops; of several writes
the last in row-major order of the indices is kept, and the others are dropped.
"""

from __future__ import annotations

from typing import Any

from converter.exporters.index_facts import never_negative, repeats
from ir.core import Builder, Node, Value
from ir.types import Dim, dtypes, normalize_axis

_READS = ("gather", "gather_elements", "gather_nd")
_WRITES = ("scatter_elements", "scatter_nd")


def guarded(b: Builder, node: Node) -> Any:
    """The node with its next guard; None where it needs none."""
    if node.op.name == "embedding":
        a = {"bounds": "error", "neg": node.attrs["neg"]}
        return b.gather(node.operand("weight"), node.operand("indices"), axis=0, **a) if _negatives(node) else None
    if node.op.name in _READS + _WRITES and _negatives(node):
        return b.op(node.op, **{**node.operands, **node.attrs, "indices": _behind(b, node), "neg": "from_end"})
    if node.op.name in _WRITES and repeats(node):
        return _last_only(b, node)
    return None


def _negatives(node: Node) -> bool:
    """Whether a negative index is an error that ONNX would not notice."""
    errors = node.op.name == "embedding" or node.attrs["bounds"] == "error"
    return errors and node.attrs["neg"] == "invalid" and not never_negative(node.operand("indices"))


def _sizes(b: Builder, node: Node) -> Value:
    """int64: the size of the axis that each index is into; a vector for index vectors."""
    from converter.exporters.onnx.rules_indexing import size_vector

    shape, indices = node.operand("data").type.shape, node.operand("indices")
    if not node.op.name.endswith("_nd"):
        return b.dim(size=shape[normalize_axis(node.attrs["axis"], len(shape))])
    first, depth = node.attrs.get("batch_dims", 0), int(indices.type.shape[-1])
    return size_vector(b, shape[first : first + depth])


def _behind(b: Builder, node: Node) -> Value:
    """Indices as int64, negative ones moved behind the axis."""
    indices = node.operand("indices")
    at = indices if indices.type.dtype == dtypes.int64 else b.cast(indices, to=dtypes.int64)
    return b.where(b.less(at, 0), _sizes(b, node), at)


def _last_only(b: Builder, node: Node) -> Any:
    """Every write carries its number; a place remembers the highest, and only that one is kept."""
    data, indices, a = node.operand("data"), node.operand("indices"), node.attrs
    nd = node.op.name == "scatter_nd"
    shape = indices.type.shape[:-1] if nd else indices.type.shape
    places = data.type.shape[: int(indices.type.shape[-1])] if nd else data.type.shape
    number = _rows(b, shape) if nd else _along(b, shape, normalize_axis(a["axis"], len(shape)))
    free = b.full(shape=places, value=-1, dtype=dtypes.int64)
    last = b.op(node.op, **{**node.operands, **a, "data": free, "updates": number, "reduction": "max"})
    where = {} if nd else {"axis": a["axis"]}
    read = b.gather_nd if nd else b.gather_elements
    kept = b.equal(read(last, indices, bounds=a["bounds"], neg=a["neg"], **where), number)
    kept = b.unsqueeze(kept, axes=(len(shape),)) if nd else kept
    at = indices if indices.type.dtype == dtypes.int64 else b.cast(indices, to=dtypes.int64)
    size = _sizes(b, node)
    at = b.where(b.less(at, 0), b.add(at, size), at) if a["neg"] == "from_end" else at
    return b.op(
        node.op, **{**node.operands, **a, "indices": b.where(kept, at, size), "bounds": "drop", "neg": "invalid", "unique": True}
    )  # fmt: skip


def _rows(b: Builder, shape: tuple[Dim, ...]) -> Value:
    """0, 1, 2, ... in row-major order of a shape."""
    count: Dim = 1
    for size in shape:
        count = size * count
    return b.reshape(b.arange(start=0, stop=count, step=1, dtype=dtypes.int64), shape=shape)


def _along(b: Builder, shape: tuple[Dim, ...], axis: int) -> Value:
    """The position along `axis`, spread over a shape."""
    line = b.arange(start=0, stop=shape[axis], step=1, dtype=dtypes.int64)
    line = b.reshape(line, shape=tuple(n if k == axis else 1 for k, n in enumerate(shape)))
    return b.expand(line, shape=shape)
