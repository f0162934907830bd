"""Products of matrices and vectors, diagonals."""

from __future__ import annotations

from typing import Any

import numpy as np

from converter.importers.tensorflow.context import TensorflowContext
from converter.importers.tensorflow.rules_creation import number
from converter.importers.tensorflow.table import rule
from ir.core import Value
from ir.types import Dim, DType, dim_max, dim_min, dtypes, numel, require_same, same


def adjoint(c: TensorflowContext, x: Value, conjugated: bool = True) -> Value:
    """The last two axes swapped, complex numbers conjugated."""
    rank = x.type.rank
    found = c.b.transpose(x, perm=(*range(rank - 2), rank - 1, rank - 2))
    return c.b.conj(found) if conjugated and x.type.dtype.is_complex else found


@rule("MatMul")
def matmul(c: TensorflowContext) -> Value:
    """Of two matrices, each transposed where it says so."""
    c.ignore("grad_a", "grad_b")
    x, y = c.x(0), c.x(1)
    x = adjoint(c, x, False) if c.attr("transpose_a") else x
    y = adjoint(c, y, False) if c.attr("transpose_b") else y
    return c.b.matmul(x, y)


@rule("SparseMatMul")
def sparse_matmul(c: TensorflowContext) -> Value:
    """Of matrices with many zeros, which changes nothing: in float32."""
    c.ignore("a_is_sparse", "b_is_sparse")
    x, y = (c.cast(c.x(i), dtypes.float32) for i in (0, 1))
    x = adjoint(c, x, False) if c.attr("transpose_a") else x
    y = adjoint(c, y, False) if c.attr("transpose_b") else y
    return c.b.matmul(x, y)


@rule("BatchMatMul", "BatchMatMulV2")
def batch_matmul(c: TensorflowContext) -> Value:
    """Batches broadcast (those of the first version are the same)."""
    c.ignore("grad_x", "grad_y")
    return _product(c, c.x(0), c.x(1))


@rule("BatchMatMulV3")
def batch_matmul_v3(c: TensorflowContext) -> Value:
    """Of several types in that of the result."""
    c.ignore("grad_x", "grad_y", "Ta", "Tb")
    kind = c.attr("Tout")
    return _product(c, c.cast(c.x(0), kind), c.cast(c.x(1), kind))


def _product(c: TensorflowContext, x: Value, y: Value) -> Value:
    if c.op == "BatchMatMul" and x.type.rank != y.type.rank:
        c.refuse("batches of several ranks, which do not broadcast here")
    x = adjoint(c, x) if c.attr("adj_x") else x
    y = adjoint(c, y) if c.attr("adj_y") else y
    return c.b.matmul(x, y)


@rule("Einsum")
def einsum(c: TensorflowContext) -> Value:
    """One or two operands. A label that repeats in the result makes a diagonal."""
    equation = c.attr("equation").replace(" ", "")
    result = equation.partition("->")[2].replace("...", "")
    if len(set(result)) != len(result):
        c.refuse(f"einsum {equation}, whose result repeats a label", "use tf.linalg.diag")
    return c.b.einsum(c.xs(), equation=equation)


@rule("TridiagonalMatMul")
def tridiagonal_matmul(c: TensorflowContext) -> Value:
    """Rows of three numbers on the diagonals times a matrix; what stands beyond the matrix counts as nothing."""
    upper, main, lower, x = (c.x(i) for i in range(4))
    b, axis = c.b, x.type.rank - 2

    def row(v: Value) -> Value:
        return b.reshape(v, shape=(*v.type.shape[:-2], v.type.shape[-1], 1))

    def shifted(by: int) -> Value:
        size = x.type.shape[axis]
        start, stop = (1, size) if by > 0 else (0, size - 1)
        kept = b.slice(x, axes=(axis,), starts=(start,), stops=(stop,), steps=(1,))
        pads = [(0, 0)] * x.type.rank
        pads[axis] = (0, 1) if by > 0 else (1, 0)
        return b.pad(kept, pads=tuple(pads), value=0)

    total = b.mul(row(main), x)
    total = b.add(total, b.mul(row(upper), shifted(1)))
    return b.add(total, b.mul(row(lower), shifted(-1)))


# -- diagonals ----------------------------------------------------------------------------------------------------------
def _zero(c: TensorflowContext, kind: DType) -> Value:
    return c.b.constant(np.zeros((), kind.numpy))


def _one_diagonal(c: TensorflowContext, x: Value, k: int, rows: Dim, cols: Dim, other: Value) -> Value:
    """Matrices that hold the last axis on diagonal `k`, and `other` elsewhere."""
    side, along = (rows, x.type.rank) if k >= 0 else (cols, x.type.rank - 1)  # numbered by rows, or by columns
    beyond = side - x.type.shape[-1]
    if beyond != 0:
        none = False if x.type.dtype.is_bool else 0
        x = c.b.pad(x, pads=(*((0, 0),) * (x.type.rank - 1), (0, beyond)), value=none)
    place = c.b.eye(rows=rows, cols=cols, k=k, dtype=dtypes.bool_)
    return c.b.where(place, c.b.unsqueeze(x, axes=(along,)), other)


@rule("MatrixDiag")
def matrix_diag(c: TensorflowContext) -> Value:
    """Square matrices with the last axis on the diagonal."""
    x = c.x()
    size = x.type.shape[-1]
    return _one_diagonal(c, x, 0, size, size, _zero(c, x.type.dtype))


@rule("MatrixDiagPart")
def matrix_diag_part(c: TensorflowContext) -> Value:
    return c.b.diagonal(c.x(), offset=0, axis1=-2, axis2=-1)


@rule("MatrixSetDiag")
def matrix_set_diag(c: TensorflowContext) -> Value:
    return _set_diagonals(c, c.x(0), c.x(1), (0, 0), "RIGHT_LEFT")


@rule("Diag")
def diag(c: TensorflowContext) -> Value:
    """A tensor of twice the axes, which holds the operand where both halves are the same place."""
    x = c.x()
    shape, size = x.type.shape, numel(x.type.shape)
    flat = c.b.reshape(x, shape=(size, 1))
    place = c.b.eye(rows=size, cols=size, dtype=dtypes.bool_)
    return c.b.reshape(c.b.where(place, flat, _zero(c, x.type.dtype)), shape=(*shape, *shape))


@rule("DiagPart")
def diag_part(c: TensorflowContext) -> Value:
    x = c.x()
    half = x.type.shape[: x.type.rank // 2]
    square = c.b.reshape(x, shape=(numel(half), numel(half)))
    return c.b.reshape(c.b.diagonal(square, offset=0, axis1=0, axis2=1), shape=half)


# -- several diagonals --------------------------------------------------------------------------------------------------
def _span(c: TensorflowContext, index: int) -> tuple[int, int]:
    """The lowest and the highest diagonal, positive ones above the main one."""
    found = c.ints(index, "the diagonals")
    if len(found) not in (1, 2) or found[0] > found[-1]:
        c.refuse(f"diagonals {list(found)}")
    return found[0], found[-1]


def _static(c: TensorflowContext, *sizes: Dim) -> tuple[int, ...]:
    if not all(isinstance(d, int) for d in sizes):
        c.refuse("several diagonals of matrices of open size", "fix the sizes of the last two axes")
    return tuple(int(d) for d in sizes)


def _length(d: int, rows: Dim, cols: Dim) -> Any:
    """How long diagonal `d` is: an integer where both sizes are."""
    return dim_max(dim_min(rows + min(d, 0), cols - max(d, 0)), 0)


def _aligned(d: int, length: int, longest: int, align: str) -> int:
    """Where a diagonal begins in its row: RIGHT_LEFT puts those above to the right and those below to the left."""
    above, below = align.split("_")
    side = above if d >= 0 else below
    return longest - length if side == "RIGHT" else 0


def _places(
    c: TensorflowContext, span: tuple[int, int], sides: tuple[int, ...], align: str, width: int = 0
) -> tuple[np.ndarray, np.ndarray]:
    """For each element of a matrix its place among the flat diagonals, and whether it lies on one. Rows of diagonals are as
    long as the longest, or `width`."""
    (low, high), (rows, cols) = span, sides
    if rows * cols > LARGEST:
        c.refuse(f"several diagonals of matrices of {rows} rows and {cols} columns", "set one diagonal at a time")
    lengths = {d: _length(d, rows, cols) for d in range(low, high + 1)}
    longest = width or max(lengths.values(), default=0)
    at, held = np.zeros((rows, cols), np.int64), np.zeros((rows, cols), bool)
    for d, length in lengths.items():
        steps = np.arange(length)
        i, j = steps - min(d, 0), steps + max(d, 0)
        at[i, j] = (high - d) * longest + _aligned(d, length, longest, align) + steps
        held[i, j] = True
    return at, held


LARGEST = 2**16
"""Elements of a matrix whose places are listed in the graph."""


def _align(c: TensorflowContext, old: str) -> str:
    """Version 3 says it; version 2 has `LEFT_LEFT`."""
    return (
        c.only("align", *(f"{a}_{b}" for a in ("LEFT", "RIGHT") for b in ("LEFT", "RIGHT")))
        if c.op.endswith("V3")
        else old
    )


@rule("MatrixDiagV2", "MatrixDiagV3")
def matrix_diag_v3(c: TensorflowContext) -> Value:
    """Matrices with the given diagonals; as small as they fit where a size is -1."""
    x, span, align = c.x(), _span(c, 1), _align(c, "LEFT_LEFT")
    count = span[1] - span[0] + 1
    if count == 1:
        rows, cols = _sizes(c, span, x.type.shape[-1])
        return _one_diagonal(c, x, span[0], rows, cols, _padding(c, 4))
    longest = _static(c, x.type.shape[-1])[0]
    if x.type.shape[-2] != count:
        c.refuse(f"{x.type.shape[-2]} rows for {count} diagonals")
    at, held = _places(c, span, _static(c, *_sizes(c, span, longest)), align)
    return c.b.where(c.b.constant(held), _taken(c, x, at), _padding(c, 4))


def banded(c: TensorflowContext, diagonals: Value, span: tuple[int, int], align: str) -> Value:
    """Square matrices of as many rows as the diagonals [..., count, rows] have elements, 0 beside these."""
    rows = _static(c, diagonals.type.shape[-1])[0]
    at, held = _places(c, span, (rows, rows), align, rows)
    return c.b.where(c.b.constant(held), _taken(c, diagonals, at), _zero(c, diagonals.type.dtype))


def _taken(c: TensorflowContext, diagonals: Value, at: np.ndarray) -> Value:
    """What stands at places of the flat rows of diagonals."""
    lead = diagonals.type.shape[:-2]
    flat = c.b.reshape(diagonals, shape=(*lead, numel(diagonals.type.shape[-2:])))
    return c.b.gather(flat, c.b.constant(at), axis=len(lead), bounds="error", neg="invalid")


def _sizes(c: TensorflowContext, span: tuple[int, int], longest: Dim) -> tuple[Dim, Dim]:
    """Rows and columns as given, or as few as hold the longest diagonal."""
    rows, cols = (c.dims(i, "rows and columns")[0] for i in (2, 3))
    low, high = span
    least = longest - min(high, 0), longest + max(low, 0)
    if rows == -1 and cols == -1:
        side = dim_max(*least)
        return side, side
    rows, cols = (least[0] if rows == -1 else rows), (least[1] if cols == -1 else cols)
    fitting: Dim = 0
    for d in range(low, high + 1):
        fitting = dim_max(fitting, _length(d, rows, cols))
    require_same(fitting, longest, "the longest diagonal fits the matrix")
    return rows, cols


def _padding(c: TensorflowContext, index: int) -> Value:
    value = number(c, index)
    return c.x(index) if value is None else c.b.constant(value, c.type(index).dtype)


@rule("MatrixDiagPartV2", "MatrixDiagPartV3")
def matrix_diag_part_v3(c: TensorflowContext) -> Value:
    """The given diagonals from the highest down, padded to the longest."""
    x, (low, high) = c.x(), _span(c, 1)
    align = _align(c, "LEFT_LEFT")
    if low == high:
        rows, cols = x.type.shape[-2:]
        if low and (same(_length(low, rows, cols), 0) is True):
            c.refuse(f"diagonal {low} of a matrix of {rows} rows and {cols} columns")
        return c.b.diagonal(x, offset=low, axis1=-2, axis2=-1)
    rows, cols = _static(c, *x.type.shape[-2:])
    if not -rows < low <= high < cols:
        c.refuse(f"diagonals {low} to {high} of a matrix of {rows} rows and {cols} columns")
    longest = max(_length(d, rows, cols) for d in range(low, high + 1))
    at, held = np.zeros((high - low + 1, longest), np.int64), np.zeros((high - low + 1, longest), bool)
    for k, d in enumerate(range(high, low - 1, -1)):
        length = _length(d, rows, cols)
        start = _aligned(d, length, longest, align)
        steps = np.arange(length)
        at[k, start : start + length] = (steps - min(d, 0)) * cols + steps + max(d, 0)
        held[k, start : start + length] = True
    lead = x.type.shape[:-2]
    flat = c.b.reshape(x, shape=(*lead, rows * cols))
    taken = c.b.gather(flat, c.b.constant(at), axis=len(lead), bounds="error", neg="invalid")
    return taken if held.all() else c.b.where(c.b.constant(held), taken, _padding(c, 2))


@rule("MatrixSetDiagV2", "MatrixSetDiagV3")
def matrix_set_diag_v3(c: TensorflowContext) -> Value:
    return _set_diagonals(c, c.x(0), c.x(1), _span(c, 2), _align(c, "LEFT_LEFT"))


def _set_diagonals(c: TensorflowContext, x: Value, diagonals: Value, span: tuple[int, int], align: str) -> Value:
    rows, cols = x.type.shape[-2:]
    if span[0] == span[1]:
        require_same(_length(span[0], rows, cols), diagonals.type.shape[-1], "the diagonal fits the matrix")
        return _one_diagonal(c, diagonals, span[0], rows, cols, x)
    sides = _static(c, rows, cols)
    longest = _static(c, diagonals.type.shape[-1])[0]
    at, held = _places(c, span, sides, align)
    if longest != max((_length(d, *sides) for d in range(span[0], span[1] + 1)), default=0):
        c.refuse(f"diagonals of {longest} elements for a matrix of {rows} rows and {cols} columns")
    return c.b.where(c.b.constant(held), _taken(c, diagonals, at), x)
