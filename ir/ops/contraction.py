"""Einstein sums as transposes, reshapes and matrix products: one plan, carried out by NumPy or by a graph builder."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np

from ir.types import Dim, Shape, numel
from ir.types.shape import broadcast_dims

Labels = tuple[str, ...]
_TERM = re.compile(r"^[A-Za-z]*(\.\.\.)?[A-Za-z]*$")


@dataclass(frozen=True)
class Equation:
    """The label of each axis of each operand, and of the output. The axes of `...` are labelled `.1`, `.2` from the right."""

    operands: tuple[Labels, ...]
    output: Labels


def parse(equation: str, ranks: Sequence[int]) -> Equation:
    """An equation in NumPy's notation for operands of these ranks.

    Without `->` the output has the axes of `...`, then the letters that occur once, sorted. Raises ValueError.
    """
    left, arrow, right = equation.replace(" ", "").partition("->")
    terms = left.split(",")
    if len(terms) != len(ranks):
        raise ValueError(f"einsum: {equation!r} names {len(terms)} operands, got {len(ranks)}")
    for term in [*terms, *([right] if arrow else [])]:
        if not _TERM.match(term):
            raise ValueError(f"einsum: {term!r} in {equation!r} is not letters with at most one '...'")
    operands = tuple(_labels(term, rank, equation) for term, rank in zip(terms, ranks))
    widest = max(sum(label.startswith(".") for label in labels) for labels in operands)
    dots = tuple(f".{i}" for i in range(widest, 0, -1))
    if arrow:
        head, ellipsis, tail = right.partition("...")
        output = (*head, *(dots if ellipsis else ()), *tail)
    else:
        output = (*dots, *sorted(c for c in set(left) if c.isalpha() and left.count(c) == 1))
    known = {label for labels in operands for label in labels}
    if len(set(output)) != len(output) or not set(output) <= known:
        raise ValueError(f"einsum: the output of {equation!r} repeats a label or has one that no operand has")
    return Equation(operands, output)


def _labels(term: str, rank: int, equation: str) -> Labels:
    head, ellipsis, tail = term.partition("...")
    spare = rank - len(head) - len(tail)
    if spare < 0 or (spare and not ellipsis):
        raise ValueError(f"einsum: {term!r} in {equation!r} does not label an operand of rank {rank}")
    return (*head, *(f".{i}" for i in range(spare, 0, -1)), *tail)


def label_sizes(equation: Equation, shapes: Sequence[Shape]) -> dict[str, Dim]:
    """The size of each label; sizes of 1 stretch between operands. Raises ValueError where sizes differ."""
    sizes: dict[str, Dim] = {}
    for labels, shape in zip(equation.operands, shapes):
        for label, size in zip(labels, shape):
            sizes[label] = broadcast_dims(sizes.get(label, 1), size, f"einsum label {label}")
    return sizes


class Backend(Protocol):
    """The operations that a contraction is made of."""

    def shape(self, x: Any) -> Shape: ...
    def transpose(self, x: Any, perm: tuple[int, ...]) -> Any: ...
    def reshape(self, x: Any, shape: Shape) -> Any: ...
    def expand(self, x: Any, shape: Shape) -> Any: ...
    def sum(self, x: Any, axes: tuple[int, ...]) -> Any: ...
    def diagonal(self, x: Any, axis1: int, axis2: int) -> Any: ...
    def mul(self, x: Any, y: Any) -> Any: ...
    def matmul(self, x: Any, y: Any) -> Any: ...


class NumpyBackend:
    """Contracts arrays; sums of narrow integers are wider ones."""

    def shape(self, x: Any) -> Shape:
        return x.shape

    def transpose(self, x: Any, perm: tuple[int, ...]) -> Any:
        return x.transpose(perm)

    def reshape(self, x: Any, shape: Shape) -> Any:
        return x.reshape(shape)

    def expand(self, x: Any, shape: Shape) -> Any:
        return np.broadcast_to(x, shape)  # type: ignore[arg-type]

    def sum(self, x: Any, axes: tuple[int, ...]) -> Any:
        return x.sum(axis=axes)

    def diagonal(self, x: Any, axis1: int, axis2: int) -> Any:
        return x.diagonal(0, axis1, axis2)

    def mul(self, x: Any, y: Any) -> Any:
        return x * y

    def matmul(self, x: Any, y: Any) -> Any:
        return np.matmul(x, y)


class GraphBackend:
    """Contracts values of a graph under construction."""

    def __init__(self, builder: Any) -> None:
        self.b = builder

    def shape(self, x: Any) -> Shape:
        return x.type.shape

    def transpose(self, x: Any, perm: tuple[int, ...]) -> Any:
        return self.b.transpose(x, perm=perm)

    def reshape(self, x: Any, shape: Shape) -> Any:
        return self.b.reshape(x, shape=shape)

    def expand(self, x: Any, shape: Shape) -> Any:
        return self.b.expand(x, shape=shape)

    def sum(self, x: Any, axes: tuple[int, ...]) -> Any:
        return self.b.reduce_sum(x, axes=axes)

    def diagonal(self, x: Any, axis1: int, axis2: int) -> Any:
        return self.b.diagonal(x, axis1=axis1, axis2=axis2)

    def mul(self, x: Any, y: Any) -> Any:
        return self.b.mul(x, y)

    def matmul(self, x: Any, y: Any) -> Any:
        return self.b.matmul(x, y)


def contract(equation: Equation, operands: Sequence[Any], be: Backend) -> Any:
    """The value of the equation: operands are combined from left to right, each label summed as soon as it can be."""
    sizes = label_sizes(equation, [be.shape(x) for x in operands])
    result, labels = _solo(operands[0], equation.operands[0], _needed(equation, 1), be)
    for i in range(1, len(operands)):
        own = _needed(equation, i + 1)
        right, right_labels = _solo(operands[i], equation.operands[i], own | set(labels), be)
        result, labels = _pair(result, labels, right, right_labels, own, sizes, be)
    return _permuted(result, labels, equation.output, be)


def _needed(equation: Equation, start: int) -> set[str]:
    """Labels that the output or an operand from `start` on has."""
    return {*equation.output, *(label for labels in equation.operands[start:] for label in labels)}


def _solo(x: Any, labels: Labels, needed: set[str], be: Backend) -> tuple[Any, Labels]:
    """Take diagonals over repeated labels and sum over those that nothing else has."""
    for label in dict.fromkeys(labels):
        while labels.count(label) > 1:
            first = labels.index(label)
            second = labels.index(label, first + 1)
            x = be.diagonal(x, first, second)
            labels = (*(c for i, c in enumerate(labels) if i not in (first, second)), label)
    lonely = tuple(i for i, label in enumerate(labels) if label not in needed)
    if lonely:
        x = be.sum(x, lonely)
    return x, tuple(label for label in labels if label in needed)


def _pair(
    x: Any, x_labels: Labels, y: Any, y_labels: Labels, needed: set[str], sizes: dict[str, Dim], be: Backend
) -> tuple[Any, Labels]:
    """Multiply two operands, summing over the labels that both have and nothing else needs."""
    shared = [label for label in x_labels if label in y_labels]
    batch = tuple(label for label in shared if label in needed)
    summed = tuple(label for label in shared if label not in needed)
    x_only = tuple(label for label in x_labels if label not in shared)
    y_only = tuple(label for label in y_labels if label not in shared)
    out = (*batch, *x_only, *y_only)
    x, y = _stretched(x, x_labels, summed, sizes, be), _stretched(y, y_labels, summed, sizes, be)
    x, y = (
        _permuted(x, x_labels, (*batch, *x_only, *summed), be),
        _permuted(y, y_labels, (*batch, *summed, *y_only), be),
    )
    n, shape_x, shape_y = len(batch), be.shape(x), be.shape(y)
    if not summed:
        x = _reshaped(x, (*shape_x, *(1 for _ in y_only)), be)
        y = _reshaped(y, (*shape_y[:n], *(1 for _ in x_only), *shape_y[n:]), be)
        return be.mul(x, y), out
    depth = numel(sizes[label] for label in summed)
    rows, columns = shape_x[n : n + len(x_only)], shape_y[n + len(summed) :]
    x = _reshaped(x, (*shape_x[:n], numel(rows), depth), be)
    y = _reshaped(y, (*shape_y[:n], depth, numel(columns)), be)
    product = be.matmul(x, y)
    return _reshaped(product, (*be.shape(product)[:n], *rows, *columns), be), out


def _reshaped(x: Any, shape: Shape, be: Backend) -> Any:
    return x if be.shape(x) == shape else be.reshape(x, shape)


def _permuted(x: Any, labels: Labels, order: Labels, be: Backend) -> Any:
    return x if labels == order else be.transpose(x, tuple(labels.index(label) for label in order))


def _stretched(x: Any, labels: Labels, summed: Labels, sizes: dict[str, Dim], be: Backend) -> Any:
    """Axes of size 1 that the other operand sums over with a larger size are repeated."""
    shape = be.shape(x)
    wanted = tuple(sizes[c] if c in summed and d == 1 else d for c, d in zip(labels, shape))
    return x if wanted == shape else be.expand(x, wanted)
