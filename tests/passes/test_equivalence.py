"""What `equivalent` takes for the same, and what it must not."""

from __future__ import annotations

import numpy as np
import pytest

from ir.core import Builder, Leaf, Model, Parameter, Signature, Value
from ir.data import Array, Weight
from ir.passes import equivalent
from ir.types import symbol, tensor_type


def model(build: object, *weights: tuple[str, str, float], rows: int = 3) -> Model:
    """A model of one input; weights are (name, kind, fill)."""
    made = Model("net", Signature((Parameter("x", Leaf("x")),), Leaf("output")))
    x = made.graph.add_input(tensor_type("float32", symbol("n"), rows, 4), "x")
    values: list[Value] = [
        made.add_weight(Weight(name, Array(np.full((4,), fill, np.float32)), kind, False))  # type: ignore[arg-type]
        for name, kind, fill in weights
    ]
    made.graph.set_outputs([build(Builder(made.graph), x, *values)])  # type: ignore[operator]
    return made


SAME = {
    "a dead node": (lambda b, x: b.relu(x), lambda b, x: (b.exp(x), b.relu(x))[1]),
    "another order": (
        lambda b, x: b.add(b.relu(x), b.exp(x)),
        lambda b, x: (lambda e: b.add(b.relu(x), e))(b.exp(x)),
    ),
    "a view undone": (lambda b, x: b.relu(x), lambda b, x: b.relu(b.squeeze(b.unsqueeze(x, axes=(0,)), axes=(0,)))),
    "a composite and its parts": (
        lambda b, x: b.softmax(x, axis=-1),
        lambda b, x: b.div(
            (e := b.exp(b.sub(x, b.reduce_max(x, axes=(-1,), keepdims=True)))), b.reduce_sum(e, axes=(-1,), keepdims=True)
        ),
    ),
}
DIFFERENT = {
    "another op": (lambda b, x: b.relu(x), lambda b, x: b.exp(x)),
    "another attribute": (lambda b, x: b.softmax(x, axis=-1), lambda b, x: b.softmax(x, axis=1)),
    "operands exchanged": (lambda b, x: b.sub(x, b.relu(x)), lambda b, x: b.sub(b.relu(x), x)),
    "one draw and two": (
        lambda b, x: (lambda d: b.add(d, d))(b.dropout(x, p=0.5)),
        lambda b, x: b.add(b.dropout(x, p=0.5), b.dropout(x, p=0.5)),
    ),
    "another constant": (lambda b, x: b.add(x, 1.0), lambda b, x: b.add(x, 1.0 + 2**-20)),
}


@pytest.mark.parametrize("name", SAME)
def test_the_same(name: str) -> None:
    a, b = (model(f) for f in SAME[name])
    assert equivalent(a, b) and equivalent(b, a)


@pytest.mark.parametrize("name", DIFFERENT)
def test_not_the_same(name: str) -> None:
    a, b = (model(f) for f in DIFFERENT[name])
    assert not equivalent(a, b) and not equivalent(b, a)


def test_weights_count_by_name_and_constants_by_their_bytes() -> None:
    def plus(b: Builder, x: Value, w: Value) -> Value:
        return b.add(x, w)

    assert equivalent(model(plus, ("w", "parameter", 1.0)), model(plus, ("w", "parameter", 2.0)))
    assert not equivalent(model(plus, ("w", "parameter", 1.0)), model(plus, ("v", "parameter", 1.0)))
    assert equivalent(model(plus, ("w", "constant", 1.0)), model(plus, ("v", "constant", 1.0)))
    assert not equivalent(model(plus, ("w", "constant", 1.0)), model(plus, ("w", "constant", 2.0)))


def test_tensors_without_elements_are_their_type() -> None:
    assert equivalent(model(lambda b, x: b.relu(x), rows=0), model(lambda b, x: b.exp(x), rows=0))
    other = model(lambda b, x: b.reshape(x, shape=(symbol("n"), 4, 0)), rows=0)
    assert not equivalent(model(lambda b, x: b.relu(x), rows=0), other)


def test_state_counts() -> None:
    def with_state(fill: str) -> Model:
        made = model(lambda b, x, w: b.add(x, w), ("w", "buffer", 1.0))
        b = Builder(made.graph)
        made.set_state("w", getattr(b, fill)(made.weight_value("w")))
        return made

    assert equivalent(with_state("relu"), with_state("relu"))
    assert not equivalent(with_state("relu"), with_state("exp"))
