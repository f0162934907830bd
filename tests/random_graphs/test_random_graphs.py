"""300 random graphs through every step of a conversion, and the judge judged."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from ir.text import format_model, parse
from ir.types import Assumption, symbol
from tests.random_graphs import stages
from tests.random_graphs.draw import Case, draw
from tests.random_graphs.level import Unfit
from tests.random_graphs.noise import measure, regrown
from tests.random_graphs.shrink import shrink
from tests.random_graphs.trial import run_seed

GRAPHS, CHUNK, NODES = 300, 20, 5


@pytest.mark.parametrize("first", range(0, GRAPHS, CHUNK))
def test_graphs_keep_their_results(first: int) -> None:
    outcomes = [run_seed(seed, most=NODES) for seed in range(first, first + CHUNK)]
    bad = [o for o in outcomes if o.verdict in ("wrong", "crashed")]
    assert not bad, "\n\n".join(f"seed {o.seed}, {o.step}: {o.detail}\n{o.text}" for o in bad)
    assert sum(o.verdict == "agreed" for o in outcomes) > CHUNK // 3


def test_a_seed_draws_one_model() -> None:
    first, second = draw(11), draw(11)
    assert format_model(first.model) == format_model(second.model)
    assert all(np.array_equal(first.inputs[k], second.inputs[k]) for k in first.inputs)


def case(graph: str, **inputs: Any) -> Case:
    """A model in text form."""
    model = parse(f"isomorph-ir 1\nmodel small\n\nsignature ({', '.join(inputs)}) -> (output.0,)\n\n{graph}")
    return Case(0, model, {n: np.asarray(a, model.input_types[n].dtype.numpy) for n, a in inputs.items()})


DIFFERENCE = """graph (x: float32[3], y: float32[3]):
  a: float32[3] = exp(x)
  b: float32[3] = tanh(y)
  c: float32[3] = sub(a, b)
  d: float32[3] = relu(c)
  return d
"""


def test_swapped_operands_are_found_and_shrunk(monkeypatch: pytest.MonkeyPatch) -> None:
    """A fault planted in what a pass makes: the judge sees it, the model becomes the nodes that show it."""
    given = case(DIFFERENCE, x=[1, 2, 3], y=[0.5, 0.25, -1])
    stages.own(measure(given))
    evaluated = stages.evaluated

    def swapped(measured: Any, model: Any, *args: Any, **kwargs: Any) -> Any:
        turned = parse(format_model(model))
        for node in turned.nodes():
            if node.op.name == "sub":
                x, y = node.operand("x"), node.operand("y")
                node.set_operand("x", y)
                node.set_operand("y", x)
        return evaluated(measured, turned, *args, **kwargs)

    def fails(candidate: Case) -> bool:
        try:
            stages.own(measure(candidate))
        except stages.Diverged:
            return True
        return False

    monkeypatch.setattr(stages, "evaluated", swapped)
    smallest = shrink(given, fails)
    assert [n.op.name for n in smallest.model.graph] == ["sub", "relu"]


def test_what_rounding_decides_is_told_and_not_judged() -> None:
    """A sum that cancels says nothing; a floor of noise is decided by rounding."""
    cancels = case(
        """graph (x: float32[3], y: float32[3]):
  a: float32[3] = add(x, y)
  b: float32[3] = sub(a, y)
  return b
""",
        x=[1e-3, 2e-3, 3e-3], y=[9000, 9000, 9000],
    )  # fmt: skip
    assert stages.own(measure(cancels)).inconclusive
    decided = case(
        """graph (x: float32[3]):
  a: float32[3] = floor(x)
  return a
""",
        x=[1, 2.5, 3],
    )
    assert stages.own(measure(decided)).inconclusive


def test_the_sign_of_a_zero_that_is_computed_decides_nothing() -> None:
    """Kernels of ReLU differ in it; behind a cut of the plane it is a whole turn."""
    turned = case(
        """graph (x: float32[3]):
  a: float32[3] = relu(x)
  b: float32[3] = atan2(a, x)
  return b
""",
        x=[-1, -2, -0.5],
    )
    assert stages.own(measure(turned)).inconclusive


def test_values_that_say_nothing_are_refused() -> None:
    for x in ([np.nan], [np.inf], [3e6]):
        with pytest.raises(Unfit):
            measure(case("graph (x: float32[1]):\n  a: float32[1] = neg(x)\n  return a\n", x=x))


def sized(text: str, **inputs: Any) -> Case:
    """A case of two symbolic sizes."""
    given = case(text, **inputs)
    given.sizes = {"n2": 2, "n3": 3}
    return given


def test_other_sizes_keep_what_the_model_assumes() -> None:
    """The written models rightly stopped: sizes were drawn that the model excludes."""
    text = """graph (x: float32[n2, n3]):
  a: float32[n2, n3] = neg(x)
  return a
"""
    for seed in range(20):
        given = sized(text, x=np.ones((2, 3)))
        given.seed = seed
        given.model.assumptions = [Assumption(symbol("n3"), 3, "a test")]
        grown = regrown(given)
        assert grown is None or grown["x"].shape[1] == 3
    given.model.assumptions = [Assumption(symbol("n2"), 9, "a test")]
    assert regrown(given) is None


def test_an_index_that_breaks_its_promise_says_nothing() -> None:
    """ONNX Runtime rightly stopped at an index that was in range at the first sizes only."""
    text = """graph (x: float32[n2, n3], i: int64[2]):
  a: float32[n2, 2] = gather(x, i; axis=1, bounds="unchecked")
  return a
"""
    assert measure(sized(text, x=np.ones((2, 3)), i=[0, 2]))
    with pytest.raises(Unfit):
        measure(sized(text, x=np.ones((2, 3)), i=[0, 3]))


def test_a_float_outside_the_integers_it_is_cast_to_says_nothing() -> None:
    text = """graph (x: float32[2]):
  a: int32[2] = cast(x; to=int32)
  return a
"""
    assert measure(case(text, x=[1, 2]))
    with pytest.raises(Unfit):
        measure(case(text.replace("int32", "int8"), x=[1, 200]))
