"""Bodies of loops and branches: carried tensors may change their sizes, and some sizes are known only inside."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Protocol, TypeVar

from converter.importers.base import Refusal
from converter.importers.partial.importer import PartialImporter
from converter.importers.partial.values import Element, Ref
from ir.core import Graph, Value
from ir.types import DimExpr, TensorType, same, symbol
from ir.types.dim import recording_assumptions
from ir.types.errors import AttributeValueError

MAX_SYMBOLS = 64


class Imported(Protocol):
    """A body that was imported: its graph, and what its outputs are."""

    graph: Graph

    @property
    def outputs(self) -> Sequence[Ref]: ...


B = TypeVar("B", bound=Imported)


def everywhere(ref: Ref) -> bool:
    """Whether a tensor is readable in any body: a weight, stored bytes, or content known at conversion."""
    if ref.value is not None:
        return ref.value.is_weight
    return ref.stored is not None or (ref.known is not None and not any(isinstance(e, Element) for e in ref.known.flat))


def settle(
    importer: PartialImporter,
    types: Sequence[TensorType],
    carried: Sequence[int],
    results: Sequence[int],
    make: Callable[[list[TensorType]], B],
) -> B:
    """The body of a loop, made for input types. `carried` and `results` are places of the carried values among its inputs
    and outputs.

    An axis of a carried value that a trip changes gets a size symbol of its own in the body's input, found by trying.
    """
    tried, own = list(types), set[str]()
    while True:
        weights, refused = importer.mark(), len(importer.plan.items)
        with recording_assumptions() as assumptions:
            body = make(tried)
        changed = False
        for place, result in zip(carried, results, strict=True):
            grown = _widened(importer, tried[place], body.outputs[result].type, own)
            changed, tried[place] = changed or grown != tried[place], grown
        if not changed:
            importer.assume(assumptions)
            return body
        discard(importer, body.graph, weights, refused)


def discard(importer: PartialImporter, graph: Graph, mark: int, refused: int) -> None:
    """Take back a body that is imported again: its nodes, weights that only it read, and what was refused in it."""
    for node in graph:
        node.detach()
    graph.set_outputs([])
    importer.forget(mark)
    del importer.plan.items[refused:]


def _widened(importer: PartialImporter, before: TensorType, after: TensorType, own: set[str]) -> TensorType:
    """The type with a new symbol on each axis that is not certainly of one size before and after a trip. `own` are the names
    of this loop's new symbols, which stand for any size; one of a loop around it is one size in here."""
    if before.rank != after.rank or before.dtype != after.dtype:
        raise Refusal(f"a carried value is {before} before and {after} after a trip")
    dims = []
    for a, b in zip(before.shape, after.shape, strict=True):
        if same(a, b) is True or (isinstance(a, DimExpr) and a.is_symbol and a.symbol.name in own):
            dims.append(a)
        else:
            name = importer.fresh_symbol("n")
            importer.changing.add(name)
            own.add(name)
            dims.append(symbol(name))
    return before.with_shape(dims)


def with_symbols(importer: PartialImporter, make: Callable[[tuple[str, ...]], tuple[Value, ...]]) -> tuple[Value, ...]:
    """Make a node with as many names for sizes known only inside its bodies as it turns out to need."""
    names: tuple[str, ...] = ()
    while True:
        try:
            return make(names)
        except AttributeValueError:
            if len(names) >= MAX_SYMBOLS:
                raise
            names = (*names, importer.fresh_symbol("n"))
