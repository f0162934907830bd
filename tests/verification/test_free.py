"""Eigenvalues and eigenvectors are compared in the reference's order and phase; nothing else about them is free."""

from __future__ import annotations

import warnings
from collections.abc import Callable

import numpy as np
import pytest

from converter.verification.free import groups, hanging, in_order
from converter.verification.judge import Expected, Sample, judge
from ir.eval import Evaluator
from ir.ops.eigen_order import aligned
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


# -- the order itself -----------------------------------------------------------------------------------------------
Known = dict[tuple[str, str], np.ndarray]
VALUE, VECTOR = ("values", ""), ("vectors", "")
EYE = np.eye(2)
TILTED = (
    np.array([[1, -1], [1, 1]]) / np.sqrt(2) @ np.array([[np.cos(0.01), np.sin(0.01)], [-np.sin(0.01), np.cos(0.01)]])
)
"""Between both axes, a little nearer to the first."""


def quietly(found: Known, expected: Known) -> Known:
    """In order, with no warning."""
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        return aligned(found, expected)


@pytest.mark.parametrize(
    ("values", "vectors", "wanted", "order"),
    [
        ([1e6 + 9, 1e6 + 1], EYE, [1e6, 1e6 + 10], [0, 1]),  # values that are the same to five digits: the vectors tell
        ([2e-6, 1e-6], TILTED, [1e-6, 2e-6], [1, 0]),  # small values that are not: they tell
        ([2, 1], TILTED, [1, 2], [1, 0]),
        ([np.nan, 1], EYE, [1, np.nan], [1, 0]),
        ([np.inf, 1], EYE, [1, np.inf], [1, 0]),
        ([1, 2], EYE, [np.nan, np.nan], [0, 1]),
        ([2, 1], np.full((2, 2), np.nan), [1, 2], [0, 1]),
        ([0, 0], EYE[::-1], [0, 0], [1, 0]),
    ],
)
def test_values_and_vectors_together(values, vectors, wanted, order) -> None:
    """One order for both, found by differences of values over the largest, and by the angles between vectors."""
    found = {VALUE: np.array(values, np.complex128), VECTOR: np.array(vectors, np.complex128)}
    moved = quietly(found, {VALUE: np.array(wanted, np.complex128), VECTOR: EYE.astype(np.complex128)})
    np.testing.assert_array_equal(moved[VALUE], found[VALUE][order])
    np.testing.assert_allclose(np.abs(moved[VECTOR]), np.abs(found[VECTOR][:, order]))


def test_of_nothing() -> None:
    """Matrices of no rows, and no matrices."""
    for shape in ((0, 0), (3, 0, 0), (0, 2, 2)):
        known = {VALUE: np.zeros(shape[:-1], np.complex64), VECTOR: np.zeros(shape, np.complex64)}
        moved = aligned(known, known)
        assert {k: (a.shape, a.dtype) for k, a in moved.items()} == {k: (a.shape, a.dtype) for k, a in known.items()}


@pytest.mark.parametrize("lead", ((), (3,), (2, 3)))
def test_parts_alone(lead: tuple[int, ...]) -> None:
    """Sizes alone tell an order, and both parts an order and a phase; a real part alone stays as it is."""
    rng = np.random.default_rng(1)
    wanted = rng.standard_normal((*lead, 4, 4)) + 1j * rng.standard_normal((*lead, 4, 4))
    wanted /= np.linalg.norm(wanted, axis=-2, keepdims=True)
    turned = (wanted * np.exp(1j * np.arange(4)))[..., [2, 0, 3, 1]]
    size, real, imag = (("vectors", part) for part in ("abs", "real", "imag"))
    np.testing.assert_allclose(aligned({size: np.abs(turned)}, {size: np.abs(wanted)})[size], np.abs(wanted))
    both = aligned({real: turned.real, imag: turned.imag}, {real: wanted.real, imag: wanted.imag})
    np.testing.assert_allclose(both[real] + 1j * both[imag], wanted)
    np.testing.assert_array_equal(aligned({real: turned.real}, {real: wanted.real})[real], turned.real)
    values = aligned({VALUE: turned[..., 0, :]}, {VALUE: wanted[..., 0, ::-1] * np.exp(1j * np.arange(4))[::-1]})
    np.testing.assert_allclose(values[VALUE], (wanted[..., 0, :] * np.exp(1j * np.arange(4)))[..., ::-1])


def test_a_column_with_no_part_along() -> None:
    """It has no phase to take on, and stays."""
    found = {VECTOR: np.array([[0, 1], [1j, 0]])}
    moved = quietly(found, {VECTOR: np.array([[0, 1], [0, 0]], np.complex128)})
    np.testing.assert_array_equal(moved[VECTOR], found[VECTOR])
