"""Eigenvalues and eigenvectors are compared in the reference's order and phase; nothing else about them is free."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest

from converter.verification.free import groups, hanging, in_order
from converter.verification.judge import Expected, Sample, judge
from ir.eval import Evaluator
from ir.text import parse

Outputs = dict[str, np.ndarray]
TEXT = """isomorph-ir 1
model m

signature (x) -> (values, re, im, vectors, parts.re, parts.im, lengths, sum, again)

graph (x: float32[2, 5, 5]):
  (w: complex64[2, 5], v: complex64[2, 5, 5]) = eig(x)
  re: float32[2, 5] = real(w)
  im: float32[2, 5] = imag(w)
  a: float32[2, 5, 5] = real(v)
  b: float32[2, 5, 5] = imag(v)
  both: float32[2, 5, 5, 2] = stack([a, b]; axis=3)
  first: float32[2, 5, 5] = select(both; axis=-1, index=0)
  second: float32[2, 5, 5] = select(both; axis=-1, index=1)
  lengths: float32[2, 5, 5] = abs(v)
  sum: float32[2, 5] = cumsum(re; axis=1)
  return w, re, im, v, first, second, lengths, sum, w
"""
VALUES, VECTORS = ("values", "re", "im"), ("vectors", "parts.re", "parts.im", "lengths")


@pytest.fixture(scope="module")
def runs() -> tuple[list[dict[str, tuple[str, str]]], Outputs, Outputs, object]:
    model = parse(TEXT)
    x = np.random.default_rng(0).standard_normal((2, 5, 5)).astype(np.float32)
    return groups(model), Evaluator().run(model, {"x": x}), Evaluator("exact").run(model, {"x": x}), model


def elsewhere(values: Outputs) -> Outputs:
    """Another routine's answer: the other way round, the vectors with other phases."""
    turn = np.exp(1j * np.arange(1, 6)).astype(np.complex64)
    found = {n: np.ascontiguousarray(a[..., ::-1]) for n, a in values.items()}
    found["vectors"] = found["vectors"] * turn
    found["parts.re"], found["parts.im"] = found["vectors"].real.copy(), found["vectors"].imag.copy()
    found["sum"] = np.cumsum(found["re"], 1)
    return found


def verdicts(runs, other: Outputs) -> dict[str, str]:
    free, reference, exact, model = runs
    exact = in_order(free, exact, reference)
    sample = Sample(Expected([{}], reference, exact, exact), in_order(free, other, reference))
    return {n: judge(n, t.dtype, [sample]).verdict for n, t in model.output_types.items()}


def test_what_is_free(runs) -> None:
    """A second output of one result is no part of the group, so that each has a comparison of its own."""
    free, _, _, model = runs
    assert free == [
        {"values": ("values", ""), "re": ("values", "real"), "im": ("values", "imag"), "vectors": ("vectors", ""),
         "parts.re": ("vectors", "real"), "parts.im": ("vectors", "imag"), "lengths": ("vectors", "abs")}
    ]  # fmt: skip
    assert hanging(model) == set(model.output_types)


def test_another_order_and_phase(runs) -> None:
    """Equal, but for what is computed from the values in their order, and for a result that is given twice."""
    found = verdicts(runs, elsewhere(runs[2]))
    assert {n for n, v in found.items() if v != "equal"} == {"sum", "again"}


@pytest.mark.parametrize(
    ("change", "wrong"),
    [
        (lambda v: v["values"].__setitem__((0, 1), v["values"][0, 0]), {"values"}),  # one of them twice
        (lambda v: v["values"].__imul__(np.float32(1.001)), {"values"}),
        (lambda v: v.update(vectors=v["vectors"][..., ::-1]), {"vectors"}),  # with the values of others
        (lambda v: v["vectors"].__imul__(np.float32(1.001)), {"vectors"}),  # longer than 1
        (lambda v: v.update({"parts.im": -v["parts.im"]}), {"parts.re", "parts.im"}),
        (lambda v: v["lengths"].__setitem__((1, 2, 3), 0), {"lengths"}),
        (lambda v: v["im"].__imul__(-1), {"im"}),
    ],
)
def test_what_is_wrong_stays_wrong(runs, change: Callable[[Outputs], None], wrong: set[str]) -> None:
    other = elsewhere(runs[2])
    change(other)
    found = verdicts(runs, other)
    assert {n for n, v in found.items() if v == "mismatch"} == wrong | {"sum", "again"}
