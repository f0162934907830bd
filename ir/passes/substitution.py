"""Replacing size symbols everywhere in a model: types, attributes, assumptions."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ir.core.binding import binders
from ir.core.model import Model
from ir.core.walk import graphs
from ir.types import Assumption, Dim, DimExpr, same, substitute


def substitute_symbols(model: Model, sizes: Mapping[str, Dim]) -> bool:
    """Replace the symbols named in `sizes`; whether anything changed.

    Raises ValueError for a symbol that a node binds (its size is data), and where a recorded assumption cannot hold
    any more. Assumptions that became certain are dropped.
    """
    bound = {n for names in binders(model.graph).values() for n in names} & set(sizes)
    if bound:
        raise ValueError(f"the size {', '.join(sorted(bound))} is computed by the model and cannot be set")
    changed = _substitute_assumptions(model, sizes)
    for graph in graphs(model.graph):
        for value in graph.inputs:
            new = value.type.with_shape(substitute(d, sizes) for d in value.type.shape)
            changed, value.type = changed or new != value.type, new
        for node in graph:
            for value in node.outputs:
                new = value.type.with_shape(substitute(d, sizes) for d in value.type.shape)
                changed, value.type = changed or new != value.type, new
            attrs = {k: _in_attr(v, sizes) for k, v in node.attrs.items()}
            changed, node.attrs = changed or attrs != node.attrs, attrs
    return changed


def _in_attr(value: Any, sizes: Mapping[str, Dim]) -> Any:
    if isinstance(value, DimExpr):
        return substitute(value, sizes)
    return tuple(_in_attr(v, sizes) for v in value) if isinstance(value, tuple) else value


def _substitute_assumptions(model: Model, sizes: Mapping[str, Dim]) -> bool:
    kept = []
    for a in model.assumptions:
        left, right = substitute(a.left, sizes), substitute(a.right, sizes)
        verdict = same(left, right)
        if verdict is False:
            raise ValueError(f"the sizes break the assumption {a}")
        if verdict is None:
            kept.append(Assumption(left, right, a.why))
    changed = kept != model.assumptions
    model.assumptions = kept
    return changed
