"""What is certain about indices: each way they are made, and the nearest one that proves nothing."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from converter.exporters.index_facts import distinct_elements, distinct_rows, never_negative, repeats
from ir.core import Builder, Model, Value
from ir.types import DType, dtypes, symbol, tensor_type

N = symbol("n")
Make = Callable[[Builder, Callable[..., Value]], Value]


def made(make: Make) -> Value:
    """The value, with inputs of any type and shape at hand."""
    model = Model("net")

    def given(kind: str = "int64", *shape: Any) -> Value:
        return model.graph.add_input(tensor_type(kind, *shape), f"x{len(model.graph.inputs)}")

    return make(Builder(model.graph), given)


def ramp(b: Builder, stop: Any = 4, start: int = 0, step: int = 1, dtype: DType = dtypes.int64) -> Value:
    return b.arange(start=start, stop=stop, step=step, dtype=dtype)


NEVER: dict[str, tuple[Make, Make]] = {
    "dtype": (lambda b, x: x("uint8", 3), lambda b, x: x("int8", 3)),
    "constant": (lambda b, x: b.constant(np.array([0, 3])), lambda b, x: b.constant(np.array([0, -3]))),
    "empty constant": (lambda b, x: b.constant(np.zeros(0, np.int64)), lambda b, x: b.constant(np.array([-1]))),
    "range": (lambda b, x: ramp(b, N), lambda b, x: ramp(b, N, start=-1)),
    "falling range": (lambda b, x: ramp(b, 9, step=2), lambda b, x: ramp(b, -4, start=3, step=-1)),
    "widened": (lambda b, x: b.cast(x("uint8", 3), to=dtypes.int64), lambda b, x: b.cast(x("uint64", 3), to=dtypes.int64)),
    "narrowed": (
        lambda b, x: b.cast(ramp(b, dtype=dtypes.int32), to=dtypes.int64), lambda b, x: b.cast(ramp(b, N), to=dtypes.int32),
    ),
    "from float": (lambda b, x: b.cast(ramp(b), to=dtypes.int64), lambda b, x: b.cast(x("float32", 3), to=dtypes.int64)),
    "maximum": (lambda b, x: b.maximum(x("int64", 3), 0), lambda b, x: b.maximum(x("int64", 3), -1)),
    "minimum": (lambda b, x: b.minimum(ramp(b), 2), lambda b, x: b.minimum(x("int64", 3), 2)),
    "choice": (
        lambda b, x: b.where(x("bool", 4), ramp(b), b.constant(0)), lambda b, x: b.where(x("bool", 4), x("int64", 4), ramp(b)),
    ),
    "other choice": (
        lambda b, x: b.where(x("bool", 4), b.constant(1), ramp(b)), lambda b, x: b.where(x("bool", 4), ramp(b), x("int64", 4)),
    ),
    "sum": (lambda b, x: b.add(ramp(b), b.dim(size=N)), lambda b, x: b.add(ramp(b), x("int64", 4))),
    "small sum": (
        lambda b, x: b.add(ramp(b), ramp(b)), lambda b, x: b.add(ramp(b, dtype=dtypes.int8), ramp(b, dtype=dtypes.int8)),
    ),
    "joined": (lambda b, x: b.concat(ramp(b), ramp(b), axis=0), lambda b, x: b.concat(ramp(b), x("int64", 2), axis=0)),
    "shape only": (
        lambda b, x: b.flip(b.unsqueeze(ramp(b), axes=(0,)), axes=(1,)), lambda b, x: b.unsqueeze(x("int64", 4), axes=(0,)),
    ),
    "difference": (lambda b, x: b.argmax(x("float32", 3, 4), axis=0), lambda b, x: b.sub(ramp(b), 1)),
    "order": (lambda b, x: b.sort(x("int64", 4))[1], lambda b, x: b.sort(x("int64", 4))[0]),
    "positions": (lambda b, x: b.nonzero(x("bool", 3), symbol="k"), lambda b, x: b.neg(ramp(b))),
}  # fmt: skip
COLUMN = (1,)
ROWS: dict[str, tuple[Make, Make]] = {
    "constant": (lambda b, x: b.constant(np.array([[0, 1], [1, 0]])), lambda b, x: b.constant(np.array([[0, 1], [0, 1]]))),
    "sign": (lambda b, x: b.constant(np.array([[0], [3]])), lambda b, x: b.constant(np.array([[-1], [3]]))),
    "one row": (lambda b, x: x("int64", 1, 2), lambda b, x: x("int64", 2, 2)),
    "positions": (lambda b, x: b.nonzero(x("bool", 3, 2), symbol="k"), lambda b, x: b.sort(x("int64", 3, 2))[1]),
    "range": (lambda b, x: b.unsqueeze(ramp(b, N), axes=COLUMN), lambda b, x: b.unsqueeze(x("uint8", N), axes=COLUMN)),
    "part of a range": (
        lambda b, x: b.unsqueeze(b.slice(ramp(b, 9), axes=(0,), starts=(2,), stops=(5,), steps=(1,)), axes=COLUMN),
        lambda b, x: b.unsqueeze(b.minimum(ramp(b, 9), 3), axes=COLUMN),
    ),
    "cast": (
        lambda b, x: b.unsqueeze(b.cast(ramp(b, dtype=dtypes.int32), to=dtypes.int64), axes=COLUMN),
        lambda b, x: b.unsqueeze(b.cast(b.cast(ramp(b), to=dtypes.uint8), to=dtypes.int64), axes=COLUMN),
    ),
    "list": (
        lambda b, x: b.unsqueeze(b.constant(np.array([2, 0])), axes=COLUMN),
        lambda b, x: b.unsqueeze(b.constant(np.array([2, 2])), axes=COLUMN),
    ),
    "one column of two": (
        lambda b, x: b.stack([ramp(b), b.cast(x("uint8", 4), to=dtypes.int64)], axis=-1),
        lambda b, x: b.stack([b.cast(x("uint8", 4), to=dtypes.int64)] * 2, axis=-1),
    ),
    "columns side by side": (
        lambda b, x: b.concat(b.unsqueeze(ramp(b), axes=COLUMN), b.constant(np.zeros((4, 1), np.int64)), axis=1),
        lambda b, x: b.concat(*(b.constant(np.zeros((4, 1), np.int64)) for _ in range(2)), axis=1),
    ),
    "grid": (
        lambda b, x: b.stack([b.expand(b.unsqueeze(ramp(b), axes=(1,)), shape=(4, 3)), b.expand(ramp(b, 3), shape=(4, 3))], axis=2),
        lambda b, x: b.stack([b.expand(ramp(b, 3), shape=(4, 3)), b.expand(ramp(b, 3), shape=(4, 3))], axis=2),
    ),
    "columns of positions": (lambda b, x: _columns(b, x, (0, 1)), lambda b, x: _columns(b, x, (1, 1))),
}  # fmt: skip


def _columns(b: Builder, x: Any, chosen: tuple[int, ...]) -> Value:
    found = b.nonzero(x("bool", 3, 2), symbol="k")
    return b.stack([b.select(found, axis=1, index=k) for k in chosen], axis=-1)


@pytest.mark.parametrize("name", NEVER)
def test_never_negative(name: str) -> None:
    certain, open_ = NEVER[name]
    assert never_negative(made(certain)) and not never_negative(made(open_))


@pytest.mark.parametrize("name", ROWS)
def test_distinct_rows(name: str) -> None:
    certain, open_ = ROWS[name]
    assert distinct_rows(made(certain)) and not distinct_rows(made(open_))


@pytest.mark.parametrize("rows", [(3, 2), (2,), (0,)])
def test_vectors_of_no_index_name_the_whole_tensor(rows: tuple[int, ...]) -> None:
    """A write of scatter_nd through them raised."""
    assert not distinct_rows(made(lambda b, x: b.constant(np.zeros((*rows, 0), np.int64))))
    assert distinct_rows(made(lambda b, x: b.constant(np.zeros((1, 0), np.int64))))


def test_distinct_elements_along_an_axis() -> None:
    grid = np.array([[0, 1], [1, 0], [2, 2]])
    assert distinct_elements(made(lambda b, x: b.constant(grid)), 0)
    assert not distinct_elements(made(lambda b, x: b.constant(grid)), 1)
    assert not distinct_elements(made(lambda b, x: b.constant(grid - 2)), 0)
    wide: Make = lambda b, x: b.expand(b.unsqueeze(ramp(b), axes=(1,)), shape=(4, 3))  # noqa: E731
    assert distinct_elements(made(wide), 0) and not distinct_elements(made(wide), 1)
    assert distinct_elements(made(lambda b, x: x("uint8", 1, 3)), 0)
    assert not distinct_elements(made(lambda b, x: x("uint8", 2, 3)), 0)


@pytest.mark.parametrize(("expected", "arrays"), [
    (False, lambda b, x: (ramp(b), x("uint8", 4))), (True, lambda b, x: (x("uint8", 4),)),
    (False, lambda b, x: (x("int64", 1), x("int64"))), (True, lambda b, x: (x("int64", 1), x("int64", 2))),
    (False, lambda b, x: (b.unsqueeze(ramp(b), axes=(1,)), ramp(b, 3))), (True, lambda b, x: (x("uint8", 4, 1), ramp(b, 3))),
    (False, lambda b, x: (x("bool", 4), x("int64", 1))), (True, lambda b, x: (ramp(b, -3, start=1, step=-1), x("uint8", 4))),
])  # fmt: skip
def test_writes_through_a_subscript_repeat(expected: bool, arrays: Any) -> None:
    model = Model("net")
    b = Builder(model.graph)
    data = model.graph.add_input(tensor_type("float32", 9, 9), "data")
    count = 0

    def given(kind: str = "int64", *shape: Any) -> Value:
        nonlocal count
        count += 1
        return model.graph.add_input(tensor_type(kind, *((9,) if kind == "bool" else shape)), f"x{count}")

    found = arrays(b, given)
    spec = tuple(("array", k) for k in range(len(found)))
    value = b.constant(np.float32(1))
    kept = b.index_put(data, found, value, spec=spec).producer
    assert kept is not None and repeats(kept) is expected
    for settled in ({"reduction": "add"}, {"unique": True}):
        node = b.index_put(data, found, value, spec=spec, **settled).producer
        assert node is not None and not repeats(node)
