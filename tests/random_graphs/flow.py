"""Branches and loops whose bodies are drawn like the graph around them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from ir.core import Graph, Value
from ir.types import DimExpr, TensorType, symbols, tensor_type
from tests.random_graphs.fit import fit
from tests.random_graphs.level import Level, Unfit, clone

if TYPE_CHECKING:
    from tests.random_graphs.draw import Composer


def add(composer: Composer, level: Level, depth: int) -> None:
    """Add a node of a random kind with drawn bodies; raises Unfit, TypeError or ValueError."""
    composer.drawing.pick((_branches, _while, _scan))(composer, level, depth)


def _captures(composer: Composer, level: Level, most: int = 3) -> list[Value]:
    found = [composer.choose(level) for _ in range(int(composer.drawing.rng.integers(1, most + 1)))]
    return [v for v in dict.fromkeys(found) if not v.type.dtype.is_complex] or _nothing()


def _nothing() -> Any:
    raise Unfit("nothing real to capture")


def _inside(composer: Composer, level: Level, given: list[tuple[TensorType, np.ndarray]], depth: int) -> Level:
    """A body with these inputs and a few nodes."""
    inner = Level(level.drawing, Graph("body"), main=False)
    for i, (kind, array) in enumerate(given):
        inner.arrays[inner.graph.add_input(kind, f"a{i}")] = array
    for _ in range(int(composer.drawing.rng.integers(1, 4))):
        composer.step(inner, depth + 1)
    return inner


def _result(composer: Composer, inner: Level, outer: set[str]) -> Value:
    """A value of a body whose sizes the surroundings know."""
    value = composer.choose(inner)
    for _ in range(8):
        known = all(s.name in outer for d in value.type.shape if isinstance(d, DimExpr) for s in symbols(d))
        if known and not value.type.dtype.is_complex:
            return value
        value = composer.choose(inner)
    raise Unfit("a body gives sizes of its own only")


def _sizes(values: list[Value]) -> set[str]:
    return {s.name for v in values for d in v.type.shape if isinstance(d, DimExpr) for s in symbols(d)}


def _pairs(level: Level, values: list[Value]) -> list[tuple[TensorType, np.ndarray]]:
    return [(v.type, level.arrays[v]) for v in values]


def _as(inner: Level, value: Value, wanted: TensorType, like: np.ndarray) -> Value:
    return value if value.type == wanted else fit(inner, value, wanted, like)


def _branches(composer: Composer, level: Level, depth: int) -> None:
    """`cond` or `by_mode`."""
    rng = composer.drawing.rng
    captures = _captures(composer, level)
    first, second = (_inside(composer, level, _pairs(level, captures), depth) for _ in range(2))
    mine, theirs = [], []
    for _ in range(int(rng.integers(1, 3))):
        value = _result(composer, first, _sizes(captures))
        mine.append(value)
        theirs.append(_as(second, _result(composer, second, _sizes(captures)), value.type, first.arrays[value]))
    first.graph.set_outputs(mine)
    second.graph.set_outputs(theirs)
    makers = [lambda: clone(first.graph), lambda: clone(second.graph)]
    if composer.drawing.chance(0.3):
        level.add("by_mode", tuple(captures), bodies=dict(zip(("train", "infer"), makers)))
        return
    flag = fit(level, composer.choose(level), tensor_type("bool"), np.array(True))
    level.add("cond", flag, tuple(captures), bodies=dict(zip(("then", "else"), makers)))


def _while(composer: Composer, level: Level, depth: int) -> None:
    """A loop of 0 to 3 trips, counted by an attribute, an operand or its condition, with or without scan outputs."""
    rng, drawing = composer.drawing.rng, composer.drawing
    values = _captures(composer, level)
    carried, invariant = values[:1], values[1:]
    trips = int(rng.integers(4))
    start = level.one("constant", value=np.array(0))
    inner = _inside(composer, level, _pairs(level, [start, *carried, *invariant]), depth)
    counter, state = inner.graph.inputs[0], inner.graph.inputs[1]
    after = _as(inner, _result(composer, inner, _sizes(values)), state.type, inner.arrays[state])
    outs = [inner.one("add", counter, inner.one("constant", value=np.array(1))), after]
    rows = drawing.chance(0.5)
    if rows:
        outs.append(_result(composer, inner, _sizes(values)))
    inner.graph.set_outputs(outs)
    attrs: dict[str, Any] = {}
    composer.names += 1
    kind = drawing.pick(("attribute", "operand", "condition"))
    condition = _condition(inner.graph, trips if kind == "condition" else None)
    if kind == "attribute":
        attrs["trips"] = trips
    elif rows:
        attrs["symbols"] = (f"t{composer.names}",)
    last = level.one("constant", value=np.array(trips)) if kind == "operand" else None
    bodies = {"cond": lambda: clone(condition), "body": lambda: clone(inner.graph)}
    level.add("while", (start, *carried), tuple(invariant), last, bodies=bodies, **attrs)


def _condition(body: Graph, below: int | None) -> Graph:
    """While the counter is below a number, or always."""
    from ir.core import Builder

    graph = Graph("cond")
    inputs = [graph.add_input(v.type, v.name) for v in body.inputs]
    b = Builder(graph)
    graph.set_outputs([b.constant(np.array(True)) if below is None else b.less(inputs[0], below)])
    return graph


def _scan(composer: Composer, level: Level, depth: int) -> None:
    """Over an axis of a value, either way, with something carried and something read as it is."""
    drawing = composer.drawing
    values = _captures(composer, level)
    scanned = [v for v in values if v.type.rank]
    if not scanned:
        raise Unfit("nothing to scan")
    over, rest = scanned[0], [v for v in values if v is not scanned[0]]
    axis = int(drawing.rng.integers(over.type.rank))
    row = over.type.with_shape(d for i, d in enumerate(over.type.shape) if i != axis)
    turned = np.moveaxis(level.arrays[over], axis, 0)
    one = turned[0] if len(turned) else np.zeros(turned.shape[1:], turned.dtype)
    carried, invariant = rest[:1], rest[1:]
    given = [*_pairs(level, carried), (row, one), *_pairs(level, invariant)]
    inner = _inside(composer, level, given, depth)
    outs = []
    for value in inner.graph.inputs[: len(carried)]:
        outs.append(_as(inner, _result(composer, inner, _sizes(values)), value.type, inner.arrays[value]))
    last = _result(composer, inner, _sizes(values))
    inner.graph.set_outputs([*outs, last])
    place = int(drawing.rng.integers(last.type.rank + 1))
    flags = {"reverse": (drawing.chance(0.5),), "output_reverse": (drawing.chance(0.5),)}
    bodies = {"body": lambda: clone(inner.graph)}
    level.add(
        "scan", tuple(carried), (over,), tuple(invariant), bodies=bodies, axes=(axis,), output_axes=(place,), **flags
    )
