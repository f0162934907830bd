"""Decompositions that must give every bit: neighbours and bits of floats, zeros with their signs."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from ir.core import Model
from ir.eval import Evaluator
from ir.ops import get
from ir.ops.sampler import Sample
from ir.types import dtype
from tests.ops.harness import decomposed_model, model_of


def both(name: str, *operands: np.ndarray, **attrs: Any) -> tuple[list[np.ndarray], list[np.ndarray]]:
    """The results of an op and those of its decomposition, exactly."""

    def run(made: tuple[Model, dict[str, np.ndarray]]) -> list[np.ndarray]:
        return list(Evaluator(mode="exact").run(*made).values())

    sample = Sample(operands, attrs)
    return run(model_of(get(name), sample)), run(decomposed_model(get(name), sample))


def bits(x: np.ndarray) -> list[int]:
    """The bits of each element."""
    return np.ascontiguousarray(x).view(f"u{x.dtype.itemsize}").reshape(-1).tolist()


def patterns(width: int, fraction: int) -> np.ndarray:
    """Bits of floats: each exponent with the least, the greatest and an odd fraction, of both signs, but no NaN."""
    exponents = np.arange(2 ** (width - 1 - fraction) - 1, dtype=np.uint64)
    fractions = np.array([0, 1, 2**fraction - 1, 2**fraction // 3 | 1], np.uint64)
    positive = (exponents[:, None] * np.uint64(2**fraction) + fractions).reshape(-1)
    infinity = np.array([(2 ** (width - 1 - fraction) - 1) * 2**fraction], np.uint64)
    sizes = np.concatenate([positive, infinity])
    return np.concatenate([sizes, sizes + np.uint64(2 ** (width - 1))]).astype(f"u{width // 8}")


FORMS = {"float16": (16, 10), "bfloat16": (16, 7), "float32": (32, 23), "float64": (64, 52)}


@pytest.mark.parametrize("unsigned", [True, False], ids=["unsigned", "signed"])
@pytest.mark.parametrize("kind", FORMS)
def test_floats_of_bits(kind: str, unsigned: bool) -> None:
    given = patterns(*FORMS[kind])
    given = given if unsigned else given.view(f"i{given.dtype.itemsize}")
    (own,), (form,) = both("bitcast", given, to=dtype(kind))
    assert form.dtype == own.dtype == dtype(kind).numpy
    assert bits(form) == bits(own) == bits(given)


@pytest.mark.parametrize("kind", ["float32", "float64"])
def test_bits_of_floats(kind: str) -> None:
    width = FORMS[kind][0]
    given = patterns(*FORMS[kind])
    for to in (f"int{width}", f"uint{width}"):
        (own,), (form,) = both("bitcast", given.view(dtype(kind).numpy), to=to)
        assert bits(form) == bits(own) == bits(given)


@pytest.mark.parametrize("kind", ["float32", "float64"])
def test_neighbours(kind: str) -> None:
    form = np.finfo(kind)
    sizes = [0.0, float(form.smallest_subnormal), float(form.tiny), 0.25, 0.5, 1.0, 1.5, 3.0, float(form.max), np.inf]
    edges = np.array([*sizes, *(-x for x in sizes)], kind)
    (own,), (made,) = both("nextafter", edges[:, None], edges[None, :], of=kind)
    with np.errstate(over="ignore"):
        assert bits(own) == bits(np.nextafter(edges[:, None], edges[None, :]))
    assert bits(made) == bits(own)


def test_parts_of_powers_of_two_and_their_neighbours() -> None:
    """The logarithms of some are just below a whole number."""
    powers = np.ldexp(np.float32(1), np.arange(-149, 128)).astype(np.float32)
    x = np.concatenate([powers, np.nextafter(powers, np.float32(np.inf)), np.nextafter(powers, np.float32(0))])
    x = np.concatenate([x, -x, np.array([0, np.inf, -np.inf], np.float32)])
    own, form = both("frexp", x)
    mantissa, exponent = np.frexp(x)
    assert bits(form[0]) == bits(own[0]) == bits(mantissa)
    assert form[1].tolist() == own[1].tolist() == np.where(np.isfinite(x), exponent, 0).tolist()


@pytest.mark.parametrize("kind", ["float16", "bfloat16", "float32", "float64"])
def test_a_histogram_divides_in_the_type_of_x_or_float32(kind: str) -> None:
    """Products with the number of bins that would round up to the next bin in a narrower type."""
    numpy = dtype(kind).numpy
    wide = np.float64 if kind == "float64" else np.float32
    edges = np.arange(1, 41).astype(wide) / wide(40)
    x = np.concatenate([np.nextafter(edges, -wide(1)), edges, np.arange(1024) / 1024]).astype(numpy)
    x = np.concatenate([x, np.array([-0.25, 1.5, np.nan, np.inf], numpy)])
    counts = np.zeros(40, int)
    for value in x.astype(wide):
        if 0 <= value <= 1:
            counts[min(int(value * wide(40)), 39)] += 1
    (own,), (form,) = both("histogram", x, bins=40, low=0.0, high=1.0)
    assert own.astype(int).tolist() == form.astype(int).tolist() == counts.tolist()


SLOPES = [("leaky_relu", {"alpha": -1.5}), ("elu", {"alpha": -1.0}), ("selu", {"alpha": -0.5, "gamma": 2.0})]


@pytest.mark.parametrize(("name", "attrs"), SLOPES, ids=[row[0] for row in SLOPES])
def test_zero_is_below(name: str, attrs: dict[str, float]) -> None:
    """`x > 0` leaves zero to the other branch, which a negative factor gives another sign."""
    (own,), (form,) = both(name, np.array([0.0, -0.0, 1.0, -1.0], np.float32), **attrs)
    assert np.signbit(own)[:2].tolist() == np.signbit(form)[:2].tolist() == [True, False]
