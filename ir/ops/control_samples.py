"""Samples of control flow: small bodies, built anew for each use."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import numpy as np

from ir.ops.sampler import Sample, Sampler
from ir.types import DType, TensorType, dtypes, symbol, tensor_type
from ir.types.errors import AttributeValueError, DTypeError, ShapeError

Build = Callable[..., Any]
INDEX = tensor_type("int64")


def body(name: str, types: tuple[TensorType, ...], build: Build) -> Callable[[], Any]:
    """A maker of the graph that `build(b, *inputs)` fills; it returns a value or a tuple of them."""

    def make() -> Any:
        from ir.core.builder import Builder
        from ir.core.graph import Graph

        graph = Graph(name)
        inputs = [graph.add_input(t, f"x{i}") for i, t in enumerate(types)]
        result = build(Builder(graph), *inputs)
        graph.set_outputs(result if isinstance(result, tuple) else (result,))
        return graph

    return make


def floats(kind: DType, *shape: Any) -> TensorType:
    """A float type."""
    return TensorType(kind, shape)


def always(*types: TensorType) -> Callable[[], Any]:
    """The condition that counts on the number of trips alone."""
    return body("cond", types, lambda b, *xs: b.constant(np.array(True)))


# -- cond -----------------------------------------------------------------------------------------------------------
def cond(s: Sampler) -> Iterator[Sample]:
    """Both branches, no capture, sizes that differ, a branch that filters, and what is refused."""
    t = floats(s.float_dtype, 2, 3)
    swap = {
        "then": body("then", (t, t), lambda b, x, y: (b.add(x, y), b.mul(x, x))),
        "else": body("else", (t, t), lambda b, x, y: (b.sub(x, y), y)),
    }
    for flag in (True, False):
        yield s.case(np.array(flag), (s.floats(2, 3), s.floats(2, 3)), bodies=swap)
        fixed = {k: body(k, (), lambda b, v=v: b.constant(np.array(v))) for k, v in (("then", 1), ("else", 2))}
        yield s.case(np.array(flag), (), bodies=fixed, name="no capture")
        sizes = {
            "then": body("then", (t,), lambda b, x: b.slice(x, axes=(1,), starts=(0,), stops=(2,), steps=(1,))),
            "else": body("else", (t,), lambda b, x: x),
        }
        yield s.case(np.array(flag), (s.floats(2, 3),), symbols=("width",), bodies=sizes, name="sizes differ")
        chosen = {
            "then": body("then", (t,), lambda b, x: b.nonzero(x, symbol="inside")),
            "else": body("else", (t,), lambda b, x: b.constant(np.zeros((1, 2), np.int64))),
        }
        yield s.case(np.array(flag), (s.floats(2, 3),), symbols=("found",), bodies=chosen, name="size from inside")
    one, two = s.floats(2, 3), (s.floats(2, 3), s.floats(2, 3))
    yield s.case(np.array(True), (one,), bodies=sizes, name="size without a name", error=AttributeValueError)
    yield s.case(
        np.array(True), two, symbols=("n",), bodies=swap, name="name without a size", error=AttributeValueError
    )
    yield s.case(np.array([True]), two, bodies=swap, name="predicate", error=ShapeError)
    yield s.case(np.array(True), (one,), bodies=swap, name="inputs", error=ShapeError)
    mixed = swap | {"else": body("else", (t, t), lambda b, x, y: (b.greater(x, y), y))}
    yield s.case(np.array(True), two, bodies=mixed, name="dtypes", error=DTypeError)
    fewer = swap | {"else": body("else", (t, t), lambda b, x, y: x)}
    yield s.case(np.array(True), two, bodies=fewer, name="counts", error=ShapeError)


# -- by_mode --------------------------------------------------------------------------------------------------------
def by_mode(s: Sampler) -> Iterator[Sample]:
    """Both modes, a random branch, no capture, sizes that differ, and what is refused."""
    t = floats(s.float_dtype, 2, 3)
    scaled = {
        "train": body("train", (t, t), lambda b, x, y: (b.mul(x, y), x)),
        "infer": body("infer", (t, t), lambda b, x, y: (x, b.add(x, y))),
    }
    drawn = {
        "train": body("train", (t,), lambda b, x: b.add(x, b.random_normal(shape=(2, 3), dtype=s.float_dtype))),
        "infer": body("infer", (t,), lambda b, x: x),
    }
    fixed = {k: body(k, (), lambda b, v=v: b.constant(np.array(v))) for k, v in (("train", 1), ("infer", 2))}
    fewer = {
        "train": body("train", (t,), lambda b, x: b.slice(x, axes=(0,), starts=(0,), stops=(1,), steps=(1,))),
        "infer": body("infer", (t,), lambda b, x: x),
    }
    for training in (True, False):
        yield s.case((s.floats(2, 3), s.floats(2, 3)), bodies=scaled, training=training)
        yield s.case((s.floats(2, 3),), bodies=drawn, training=training, name="draws in training")
        yield s.case((), bodies=fixed, training=training, name="no capture")
        yield s.case((s.floats(2, 3),), symbols=("rows",), bodies=fewer, training=training, name="sizes differ")
    yield s.case((s.floats(2, 3),), bodies=fewer, name="size without a name", error=AttributeValueError)
    yield s.case((s.floats(2, 3),), bodies=scaled, name="inputs", error=ShapeError)
    mixed = scaled | {"infer": body("infer", (t, t), lambda b, x, y: (b.greater(x, y), y))}
    yield s.case((s.floats(2, 3), s.floats(2, 3)), bodies=mixed, name="dtypes", error=DTypeError)


# -- while ----------------------------------------------------------------------------------------------------------
def while_(s: Sampler) -> Iterator[Sample]:
    """Conditions, trip counts from attribute and operand, zero trips, scan outputs, growing tensors, refusals."""
    kind = s.float_dtype
    x = floats(kind, 3)
    below = body("cond", (INDEX, x, INDEX), lambda b, i, x, n: b.less(i, n))
    step = body("body", (INDEX, x, INDEX), lambda b, i, x, n: (b.add(i, 1), b.add(x, b.cast(i, to=kind))))
    for n in (4, 0, -3):
        operands = ((np.array(0), s.floats(3)), (np.array(n),))
        yield s.case(*operands, bodies={"cond": below, "body": step}, name=f"until {n}")
        yield s.case(*operands, trips=2, bodies={"cond": below, "body": step}, name=f"until {n}, two at most")
    halve = body("body", (x,), lambda b, x: (b.mul(x, b.constant(0.5, kind)), b.reduce_sum(x), b.neg(x)))
    for trips in (3, 0):
        yield s.case((s.floats(3),), (), trips=trips, bodies={"cond": always(x), "body": halve}, name="scan outputs")
        for bound in (5, 1, -1):
            bodies = {"cond": always(x), "body": halve}
            last = np.array(bound)
            yield s.case((s.floats(3),), (), last, trips=trips, symbols=("ran",), bodies=bodies, name="trip count")
    yield from _growing(s)
    yield from _loop_of_onnx(s)
    good = {"cond": always(x), "body": halve}
    yield s.case((s.floats(3),), (), bodies=good, name="endless", error=AttributeValueError)
    yield s.case((s.floats(3),), (), np.array(2), bodies=good, name="trips without a name", error=AttributeValueError)
    grows = body("body", (x,), lambda b, x: b.concat(x, x, axis=0))
    yield s.case((s.floats(3),), (), trips=1, bodies=good | {"body": grows}, name="size changes", error=ShapeError)
    other = body("body", (x,), lambda b, x: b.cast(x, to=dtypes.int32))
    yield s.case((s.floats(3),), (), trips=1, bodies=good | {"body": other}, name="dtype changes", error=DTypeError)
    count = body("cond", (x,), lambda b, x: b.reduce_sum(x))
    yield s.case((s.floats(3),), (), trips=1, bodies=good | {"cond": count}, name="no condition", error=DTypeError)
    yield s.case((s.floats(4),), (), trips=1, bodies=good, name="other size", error=ShapeError)


def _growing(s: Sampler) -> Iterator[Sample]:
    """A carried tensor that grows by its last element in each trip."""
    x = floats(s.float_dtype, symbol("rows"), 2)
    last = {"axes": (0,), "starts": (-1,), "stops": (None,), "steps": (1,)}
    append = body("body", (x,), lambda b, x: b.concat(x, b.slice(x, **last), axis=0))
    for trips in (2, 0):
        bodies = {"cond": always(x), "body": append}
        yield s.case((s.floats(1, 2),), (), trips=trips, symbols=("grown",), bodies=bodies, name="grows")
    same = body("body", (x,), lambda b, x: (x, x))
    for trips in (2, 0):
        bodies = {"cond": always(x), "body": same}
        yield s.case(
            (s.floats(3, 2),), (), trips=trips, symbols=("r0", "r1"), bodies=bodies, name="size from the start"
        )
    found = body("body", (INDEX,), lambda b, i: (b.add(i, 1), b.nonzero(b.constant(np.ones(2)), symbol="count")))
    bodies = {"cond": always(INDEX), "body": found}
    yield s.case((np.array(0),), (), trips=2, symbols=("pairs",), bodies=bodies, name="size from inside")
    yield s.case(
        (np.array(0),), (), trips=0, symbols=("pairs",), bodies=bodies, name="unknown size", error=RuntimeError
    )


def _loop_of_onnx(s: Sampler) -> Iterator[Sample]:
    """Loop(M, cond, state): iteration and condition are carried, the condition is computed by the body."""
    flag, x = tensor_type("bool"), floats(s.float_dtype, 2)
    carried = (INDEX, flag, x)
    held = body("cond", carried, lambda b, i, c, x: c)

    def trip(b: Any, i: Any, c: Any, x: Any) -> Any:
        doubled = b.add(x, x)
        return b.add(i, 1), b.less(i, 2), doubled, doubled

    bodies = {"cond": held, "body": body("body", carried, trip)}
    for bound, start in ((10, True), (2, True), (10, False), (0, True)):
        operands = ((np.array(0), np.array(start), s.floats(2)), (), np.array(bound))
        yield s.case(*operands, symbols=("ran",), bodies=bodies, name=f"loop of {bound}, {start}")


# -- scan -----------------------------------------------------------------------------------------------------------
def scan(s: Sampler) -> Iterator[Sample]:
    """Axes and directions, several operands, nothing scanned, zero length, refusals."""
    kind = s.float_dtype
    row, wide = floats(kind, 3), floats(kind, 2, 3)

    def total(b: Any, c: Any, x: Any) -> Any:
        after = b.add(c, x)
        return after, b.mul(after, x)

    sums = {"body": body("body", (row, row), total)}
    for length in (4, 1, 0):
        yield s.case((s.floats(3),), (s.floats(length, 3),), (), bodies=sums, name=f"length {length}")
    for axis, back, out, flipped in (
        (1, False, 1, False),
        (-1, True, -1, True),
        (0, True, 0, False),
        (0, False, 1, True),
    ):
        shape = (4, 3) if axis == 0 else (3, 4)
        attrs: dict[str, Any] = {
            "axes": (axis,),
            "reverse": (back,),
            "output_axes": (out,),
            "output_reverse": (flipped,),
        }
        yield s.case((s.floats(3),), (s.floats(*shape),), (), bodies=sums, name="directions", **attrs)
    yield s.case((s.floats(3),), (s.floats(0, 3),), (), output_axes=(1,), bodies=sums, name="length 0, axis 1")
    mixed = body("body", (row, wide, row, row), lambda b, c, x, y, k: (b.mul(c, k), b.add(x, y)))
    operands = ((s.floats(3),), (s.floats(2, 5, 3), s.floats(5, 3)), (s.floats(3),))
    yield s.case(*operands, axes=(1, 0), reverse=(False, True), bodies={"body": mixed}, name="two operands")
    several = body("body", (row, wide), lambda b, c, x: (c, b.greater(x, 0.0), b.sub(x, c), b.reduce_sum(x, axes=(0,))))
    for length in (2, 0):
        several_scanned = ((s.floats(3),), (s.floats(length, 2, 3),), ())
        yield s.case(*several_scanned, output_axes=(0, -1, 1), bodies={"body": several}, name="three results")
    for size in (1, 0):
        thin = body("body", (floats(kind, size, 2),), lambda b, x: b.neg(x))
        yield s.case((), (s.floats(3, size, 2),), (), output_axes=(1,), bodies={"body": thin}, name=f"rows of {size}")
    power = body("body", (row,), lambda b, c: b.mul(c, b.constant(0.5, kind)))
    for length in (3, 0):
        yield s.case((s.floats(3),), (), (), length=length, bodies={"body": power}, name="nothing scanned")
    square = body("body", (row,), lambda b, x: b.mul(x, x))
    yield s.case((), (s.floats(4, 3),), (), length=4, bodies={"body": square}, name="nothing carried")
    chosen = body("body", (INDEX,), lambda b, x: b.nonzero(b.constant(np.ones(2)), symbol="count"))
    yield s.case((), (s.ints(3),), (), symbols=("pairs",), bodies={"body": chosen}, name="size from inside")
    yield s.case(
        (), (s.ints(0),), (), symbols=("pairs",), bodies={"body": chosen}, name="unknown size", error=RuntimeError
    )
    yield s.case(
        (),
        (),
        (),
        bodies={"body": body("body", (), lambda b: b.constant(1))},
        name="no length",
        error=AttributeValueError,
    )
    unequal = ((s.floats(3),), (s.floats(2, 4, 3), s.floats(5, 3)), (s.floats(3),))
    yield s.case(*unequal, axes=(1, 0), bodies={"body": mixed}, name="lengths", error=ShapeError)
    yield s.case(
        (s.floats(3),), (s.floats(4, 3),), (), axes=(0, 0), bodies=sums, name="axes", error=AttributeValueError
    )
