"""Merging what a model does in inference with what it does in training: any two graphs, whatever pairs up."""

from __future__ import annotations

import random
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from ir.core import Branch, Builder, Leaf, Model, Parameter, Signature, Value, copy_model
from ir.data import Array, Weight
from ir.eval import Evaluator
from ir.modes import Unmergeable, merge_modes
from ir.passes import standard
from ir.text import format_model, parse
from ir.types import symbol, tensor_type
from ir.verify import check

INPUTS = {"x": np.linspace(-2, 2, 6).reshape(2, 3), "y": np.linspace(1, 3, 6).reshape(2, 3)}
Step = tuple[str, int, int]
UNARY, BINARY = ("tanh", "neg", "abs", "sigmoid", "relu"), ("add", "sub", "mul", "maximum")


def built(steps: list[Step], outputs: list[int], moved: int | None = None) -> Model:
    """A program over two inputs and a weight: each step reads earlier values by number. `moved`: the weight's next value."""
    model = Model("m", Signature(tuple(Parameter(n, Leaf(n)) for n in INPUTS), Branch("tuple", (Leaf("a"), Leaf("b")))))
    values: list[Value] = [model.graph.add_input(tensor_type("float64", symbol("n"), 3), n) for n in INPUTS]
    values.append(model.add_weight(Weight("w", Array(np.array([[0.5, -1.0, 2.0]])), "buffer", False)))
    b = Builder(model.graph)
    for op, i, j in steps:
        i, j = i % len(values), j % len(values)
        if op == "constant":
            values.append(b.add(values[i], b.constant(np.array(j / 3))))
        else:
            values.append(getattr(b, op)(values[i], values[j]) if op in BINARY else getattr(b, op)(values[i]))
    whole = [b.add(values[o % len(values)], values[0]) for o in outputs]  # of the inputs' shape
    model.graph.set_outputs(whole)
    if moved is not None:
        model.set_state("w", b.reduce_mean(b.add(values[moved % len(values)], values[0]), axes=(0,), keepdims=True))
    check(model)
    return model


def changed(steps: list[Step], rng: random.Random) -> list[Step]:
    """The steps with some left out, put in, or made to read other values."""
    out = []
    for op, i, j in steps:
        chance = rng.random()
        if chance < 0.15:
            continue
        if chance < 0.3:
            out.append((rng.choice((*UNARY, *BINARY, "constant")), rng.randrange(20), rng.randrange(20)))
        out.append((op, i + rng.randrange(3), j) if chance > 0.85 else (op, i, j))
    return out


def agrees(merged: Model, inference: Model, training: Model) -> None:
    for mode, model in ((False, inference), (True, training)):
        got, state = Evaluator(training=mode).run_with_state(merged, INPUTS)
        want, moved = Evaluator(training=mode).run_with_state(model, INPUTS)
        for name in want:
            np.testing.assert_allclose(got[name], want[name], rtol=1e-12)
        np.testing.assert_allclose(state.get("w", [[0.5, -1, 2]]), moved.get("w", [[0.5, -1, 2]]), rtol=1e-12)


@pytest.mark.parametrize("seed", range(60))
def test_any_two_programs_merge(seed: int) -> None:
    rng = random.Random(seed)
    steps = [
        (rng.choice((*UNARY, *BINARY, "constant")), rng.randrange(20), rng.randrange(20))
        for _ in range(rng.randrange(1, 14))
    ]
    other = changed(steps, rng) if seed % 3 else [(op, i + 1, j) for op, i, j in reversed(steps)]
    ends = [rng.randrange(20) for _ in range(4)]
    states = [rng.choice((None, rng.randrange(20))) for _ in range(2)]
    inference, training = built(steps, ends[:2], states[0]), built(other, rng.choice((ends[:2], ends[2:])), states[1])
    merged = copy_model(inference)
    merge_modes(merged, copy_model(training))
    check(merged)
    agrees(merged, inference, training)
    assert parse(format_model(merged)).graph.outputs[0].type == merged.graph.outputs[0].type
    standard().run(merged)
    check(merged)
    agrees(merged, inference, training)


def made(fill: Callable[[Builder, Value, Value], Value]) -> Model:
    model = Model("m", Signature((Parameter("x", Leaf("x")),), Leaf("output")))
    x = model.graph.add_input(tensor_type("float64", symbol("n"), 3), "x")
    w = model.add_weight(Weight("w", Array(np.full(3, 2.0)), trainable=True))
    model.graph.set_outputs([fill(Builder(model.graph), x, w)])
    return model


def merged_ops(inference: Any, training: Any) -> list[str]:
    merged = made(inference)
    merge_modes(merged, made(training))
    check(merged)
    return [n.op.name for n in merged.graph if n.op.name != "constant"]


def test_equal_programs_stay_as_they_are() -> None:
    same = lambda b, x, w: b.tanh(b.mul(x, b.constant(np.array(2.0))))  # noqa: E731
    assert merged_ops(same, same) == ["mul", "tanh"]


def test_what_only_training_does_is_one_choice() -> None:
    def noise(b: Builder, x: Value, w: Value) -> Value:
        y = b.mul(x, w)
        return b.tanh(b.add(y, b.random_normal(shape=y.type.shape, dtype="float64")))

    assert merged_ops(lambda b, x, w: b.tanh(b.mul(x, w)), noise) == ["mul", "by_mode", "tanh"]


def test_dropout_needs_no_choice_and_takes_the_rate_of_training() -> None:
    assert merged_ops(lambda b, x, w: b.tanh(x), lambda b, x, w: b.tanh(b.dropout(x, p=0.5))) == ["dropout", "tanh"]
    merged = made(lambda b, x, w: b.dropout(x, p=0.5))
    merge_modes(merged, made(lambda b, x, w: b.dropout(x, p=0.25, frozen=True)))
    (node,) = merged.graph
    assert (node.attrs["p"], node.attrs["frozen"]) == (0.25, True)


def test_dropout_that_only_inference_does_is_a_choice() -> None:
    always = lambda b, x, w: b.tanh(b.dropout(x, p=0.5, always=True))  # noqa: E731
    assert merged_ops(always, lambda b, x, w: b.tanh(x)) == ["by_mode", "tanh"]
    assert merged_ops(always, lambda b, x, w: b.tanh(b.dropout(x, p=0.5))) == ["dropout", "tanh"]


def test_sizes_may_differ_in_between() -> None:
    def half(b: Builder, x: Value, w: Value) -> Value:
        return b.reduce_sum(b.tanh(b.slice(x, axes=(1,), starts=(0,), stops=(2,), steps=(1,))), axes=(1,))

    assert merged_ops(lambda b, x, w: b.reduce_sum(b.tanh(x), axes=(1,)), half) == ["by_mode"]


def test_results_of_another_type_are_refused() -> None:
    with pytest.raises(Unmergeable, match="result output is"):
        merge_modes(made(lambda b, x, w: x), made(lambda b, x, w: b.reduce_sum(x, axes=(0,))))
