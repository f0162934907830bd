"""Sequences and optional values that resolve at conversion: their elements are known one by one, so that none is left."""

from __future__ import annotations

from typing import Any

import numpy as np

from converter.importers.onnx.context import OnnxContext
from converter.importers.onnx.table import rule
from converter.importers.partial.values import Ref, Sequence, known
from ir.core import Value
from ir.types import dtypes, normalize_axis


@rule("SequenceConstruct", 11)
def sequence_construct(c: OnnxContext) -> Sequence:
    return Sequence(tuple(c.ref(i) for i in range(len(c.inputs))))


@rule("SequenceEmpty", 11)
def sequence_empty(c: OnnxContext) -> Sequence:
    c.ignore("dtype")  # an element brings its own
    return Sequence(())


@rule("SequenceLength", 11)
def sequence_length(c: OnnxContext) -> Ref:
    return _number(len(c.sequence(0).items))


@rule("SequenceAt", 11)
def sequence_at(c: OnnxContext) -> Ref:
    items = c.sequence(0).items
    return items[_position(c, 1, len(items), len(items) - 1)]


@rule("SequenceInsert", 11)
def sequence_insert(c: OnnxContext) -> Sequence:
    """At the end unless a position is given, which may be one past the last element."""
    items = c.sequence(0).items
    at = _position(c, 2, len(items), len(items)) if c.has(2) else len(items)
    return Sequence((*items[:at], c.ref(1), *items[at:]))


@rule("SequenceErase", 11)
def sequence_erase(c: OnnxContext) -> Sequence:
    """The last element unless a position is given."""
    items = c.sequence(0).items
    at = _position(c, 1, len(items), len(items) - 1) if c.has(1) else len(items) - 1
    if at < 0:
        c.refuse("there is nothing to erase in an empty sequence")
    return Sequence((*items[:at], *items[at + 1 :]))


def _position(c: OnnxContext, index: int, count: int, last: int) -> int:
    """A position known at conversion, negative ones counted from the end."""
    at = int(c.fixed(index, "its position").reshape(()))
    if not -count <= at <= last:
        c.refuse(f"position {at} of a sequence of {count} is not defined")
    return at + count if at < 0 else at


@rule("SplitToSequence", 11, 24)
def split_to_sequence(c: OnnxContext) -> Sequence:
    """Slices of one (dropping the axis if told so), of a given size, the last one smaller, or of given sizes."""
    x = c.x()
    axis = normalize_axis(c.attr("axis"), x.type.rank)
    size = x.type.shape[axis]
    if not isinstance(size, int):
        c.refuse(f"how many parts {x.type} has along axis {axis} is known at run time only")
    if c.has(1):
        c.only("keepdims", 1)  # ignored where sizes are given, says the definition; ONNX Runtime does not ignore it
    sizes = c.fixed(1, "the sizes of its parts") if c.has(1) else np.ones(size)
    if sizes.ndim == 0:
        step = int(sizes)
        if step <= 0:
            c.refuse(f"parts of {step} are not defined")
        sizes = np.array([min(step, size - i) for i in range(0, size, step)])
    if (sizes < 0).any() or sizes.sum() != size:
        c.refuse(f"parts of {sizes.tolist()} do not make {size}")
    if not sizes.size:
        return Sequence(())
    parts = list(c.b.split(x, axis=axis, sizes=tuple(int(s) for s in sizes)))
    return _sequence([c.b.squeeze(p, axes=(axis,)) for p in parts] if not c.attr("keepdims") else parts)


def _sequence(parts: list[Value]) -> Sequence:
    return Sequence(tuple(Ref(p.type, p) for p in parts))


@rule("ConcatFromSequence", 11)
def concat_from_sequence(c: OnnxContext) -> Value:
    parts = [c.value(r) for r in c.sequence(0).items]
    if not parts:
        c.refuse("an empty sequence has no concatenation")
    axis, new = c.attr("axis"), c.only("new_axis", 0, 1)
    return c.b.stack(parts, axis=axis) if new else c.b.concat(parts, axis=axis)


@rule("SequenceMap", 17)
def sequence_map(c: OnnxContext) -> tuple[Sequence, ...]:
    """The body once for each element; further operands are sequences of as many elements, or tensors for all."""
    body = c.attr("body")
    count = len(c.sequence(0).items)
    given = [x.items if isinstance(x, Sequence) else (x,) * count for x in c.inputs]
    counts = list(dict.fromkeys(len(items) for items in given))
    if len(counts) > 1:
        c.refuse(f"sequences of {' and '.join(map(str, counts))} elements are mapped together")
    found = []
    for items in zip(*given, strict=True):
        frame = c.frame.inside()
        frame.names.update(zip((i.name for i in body.input), items, strict=True))
        results = [r for r in c.importer.branch(body, frame) if r is not None]
        if len(results) != len(body.output):
            c.refuse(f"its graph {body.name!r} returns an absent value")
        found.append(results)
    return tuple(Sequence(tuple(row[k] for row in found)) for k in range(len(body.output)))


@rule("Optional", 15, 28)
def optional(c: OnnxContext) -> Any:
    c.ignore("type")
    if not c.has(0):
        c.refuse("an optional value without an element has no tensor to stand for it")
    return c.inputs[0]


@rule("OptionalHasElement", 15, 18, 28)
def optional_has_element(c: OnnxContext) -> Ref:
    """Known: absent values are absent operands."""
    found = np.empty((), object)
    found[()] = c.has(0)
    return known(dtypes.bool_, found)


@rule("OptionalGetElement", 15, 18, 28)
def optional_get_element(c: OnnxContext) -> Any:
    if not c.has(0):
        c.refuse("an optional value without an element has none to give")
    return c.inputs[0]


def _number(value: int) -> Ref:
    found = np.empty((), object)
    found[()] = value
    return known(dtypes.int64, found)
