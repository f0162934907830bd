"""Signatures of bodies: what their inputs must be, and what their outputs are to the surroundings."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from ir.types import Dim, DimExpr, TensorType, normalize_axis, require_same, symbol, symbols
from ir.types.errors import AttributeValueError, DTypeError, ShapeError

if TYPE_CHECKING:
    from ir.core.graph import Graph

Types = Sequence[TensorType]


@dataclass(frozen=True)
class BodyScope:
    """Names of size symbols: `own` ones its input types introduce, `local` ones end with the body (own included)."""

    own: frozenset[str]
    local: frozenset[str]


@dataclass
class Fresh:
    """Hands out the opaque symbols that the attribute `symbols` of a node names."""

    op: str
    names: tuple[str, ...]
    wanted: list[str] = field(default_factory=list)

    def take(self, what: str) -> Dim:
        """The next symbol, for the size described; `done` complains when there are too few."""
        self.wanted.append(what)
        used = len(self.wanted)
        return symbol(self.names[used - 1], opaque=True) if used <= len(self.names) else 0

    def done(self) -> None:
        """Raise AttributeValueError unless exactly the names given were needed."""
        if len(self.wanted) != len(self.names) or len(set(self.names)) != len(self.names):
            needs = "; ".join(self.wanted) or "none"
            raise AttributeValueError(f"{self.op}: symbols {self.names} must name, once each, these sizes: {needs}")

    @staticmethod
    def mentions(dim: Dim, names: frozenset[str]) -> bool:
        """Whether a size reads one of the symbols."""
        return any(s.name in names for s in symbols(dim))


def _names(types: Types) -> frozenset[str]:
    return frozenset(s.name for t in types for d in t.shape for s in symbols(d))


def outer_symbols(body: Graph, operands: Types) -> BodyScope:
    """Which symbols the body introduces: in its input types, and by attributes `symbol` and `symbols` of its nodes."""
    own = _names([v.type for v in body.inputs]) - _names(operands)
    declared: set[str] = set()
    for node in body:
        name, several = node.attrs.get("symbol"), node.attrs.get("symbols")
        declared.update([name] if name else [])
        declared.update(several if isinstance(several, tuple) else [])
    return BodyScope(own, own | declared)


def check_inputs(body: Graph, operands: Types, what: str, changing: int = 0) -> None:
    """Raise unless the body's inputs have the operands' types; the first `changing` may have sizes of their own."""
    if len(body.inputs) != len(operands):
        raise ShapeError(f"{what} has {len(body.inputs)} inputs, {len(operands)} are given")
    outer = _names(operands)
    for k, (value, given) in enumerate(zip(body.inputs, operands, strict=True)):
        label = f"{what}: input {k} ({value.name or 'unnamed'}) is {value.type}, given {given}"
        if value.type.dtype != given.dtype:
            raise DTypeError(label)
        if value.type.rank != given.rank:
            raise ShapeError(label)
        for inside, outside in zip(value.type.shape, given.shape, strict=True):
            if inside != outside and not (k < changing and _is_own(inside, outer)):
                raise ShapeError(label)


def _is_own(dim: Dim, outer: frozenset[str]) -> bool:
    return isinstance(dim, DimExpr) and dim.is_symbol and dim.symbol.name not in outer


def carried_results(body: Graph, carried: Types, scope: BodyScope, fresh: Fresh, op: str) -> Iterator[TensorType]:
    """Types of the carried values after the loop; raises where a trip changes what it may not change."""
    for k, start in enumerate(carried):
        inside, after = body.inputs[k].type, body.outputs[k].type
        if after.dtype != start.dtype:
            raise DTypeError(f"{op}: carried value {k} is {start.dtype} before and {after.dtype} after a trip")
        if after.rank != start.rank:
            raise ShapeError(f"{op}: carried value {k} is {start} before and {after} after a trip")
        dims: list[Dim] = []
        for axis, (entry, leave) in enumerate(zip(inside.shape, after.shape, strict=True)):
            if Fresh.mentions(entry, scope.own):
                dims.append(fresh.take(f"{op}: carried value {k}, axis {axis}"))
                continue
            why = f"{op}: carried value {k} keeps its size along axis {axis} (else give it a symbol of its own)"
            if Fresh.mentions(leave, scope.local):
                raise ShapeError(f"{why}: {entry} becomes {leave}")
            require_same(entry, leave, why)
            dims.append(entry)
        yield start.with_shape(dims)


def stacked_result(one: TensorType, length: Dim, axis: int, scope: BodyScope, fresh: Fresh, what: str) -> TensorType:
    """The type of a scan output: the trips' values along a new axis."""
    place = normalize_axis(axis, one.rank + 1)
    dims = [
        fresh.take(f"{what}, axis {k} ({d})") if Fresh.mentions(d, scope.local) else d for k, d in enumerate(one.shape)
    ]
    return one.with_shape((*dims[:place], length, *dims[place:]))


def is_always(cond: Graph) -> bool:
    """Whether a condition returns the constant True."""
    producer = cond.outputs[0].producer
    return producer is not None and producer.op.name == "constant" and bool(producer.attrs["value"].value)
