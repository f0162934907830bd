"""Shapes: tuples of dims, with the broadcasting and axis rules every op shares."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

from ir.types.dim import Dim, DimExpr, bounds, dim_min, evaluate_dim, require_same
from ir.types.errors import AxisError

Shape = tuple[Dim, ...]


def is_static(shape: Iterable[Dim]) -> bool:
    """Whether every dim is an integer."""
    return all(isinstance(d, int) for d in shape)


def numel(shape: Iterable[Dim]) -> Dim:
    """The number of elements."""
    total: Dim = 1
    for d in shape:
        total = d * total
    return total


def broadcast_dims(a: Dim, b: Dim, why: str = "broadcast") -> Dim:
    """The size that `a` and `b` broadcast to. A symbolic size against another size is assumed equal, and recorded; one
    that is 1 unless there is nothing (`x[:1]`) stretches to the other."""
    if a == b or b == 1:
        return a
    if a == 1:
        return b
    for own, other in ((a, b), (b, a)):
        if bounds(own) == _ONE_OR_NONE != bounds(other):
            check_grows(own, other, why)
            return other
    return require_same(a, b, why)


_ONE_OR_NONE = (0, 1)
"""The bounds of a size that is 1 unless there is nothing, as `min(1, n)` is."""


def check_grows(old: Dim, new: Dim, why: str) -> None:
    """See that an axis of `old` elements can be repeated to `new`; what depends on run-time sizes is recorded."""
    one = bounds(old) == _ONE_OR_NONE
    if old not in (1, new, dim_min(1, new)) and not (one and new == 0):
        require_same(old, 1 if one else new, why)


def broadcast_shapes(*shapes: Sequence[Dim], why: str = "broadcast") -> Shape:
    """NumPy broadcasting: aligned at the right, size 1 stretches; raises ValueError on a certain mismatch."""
    rank = max((len(s) for s in shapes), default=0)
    out: list[Dim] = [1] * rank
    for shape in shapes:
        for i, d in enumerate(shape, rank - len(shape)):
            out[i] = broadcast_dims(out[i], d, why)
    return tuple(out)


def normalize_axis(axis: int, rank: int) -> int:
    """A non-negative axis; raises AxisError (a ValueError) when outside [-rank, rank)."""
    if not -rank <= axis < rank:
        raise AxisError(f"axis {axis} is out of range for rank {rank}")
    return axis % rank if rank else 0


def normalize_axes(axes: Iterable[int], rank: int) -> tuple[int, ...]:
    """Non-negative axes in the given order; raises AxisError (a ValueError) on a repeat or out-of-range one."""
    out = tuple(normalize_axis(a, rank) for a in axes)
    if len(set(out)) != len(out):
        raise AxisError(f"axes {tuple(axes)} repeat for rank {rank}")
    return out


def evaluate_shape(shape: Iterable[Dim], env: Mapping[str, int]) -> tuple[int, ...]:
    """The integer shape with symbols read from `env`."""
    return tuple(evaluate_dim(d, env) for d in shape)


def format_shape(shape: Iterable[Dim]) -> str:
    """`[batch, 3, 224]`."""
    return "[" + ", ".join(str(d) for d in shape) + "]"


def has_symbols(shape: Iterable[Dim]) -> bool:
    """Whether any dim is symbolic."""
    return any(isinstance(d, DimExpr) for d in shape)
