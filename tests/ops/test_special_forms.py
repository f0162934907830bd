"""Special functions made of elementary ones against scipy, over ranges wider than the ops' samples."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import scipy.special

from ir.core import Branch, Builder, Leaf, Model, Parameter, Signature
from ir.eval import Evaluator
from ir.ops import special_forms, special_loops
from ir.types import tensor_type

ONE = {
    "bessel_i0": ("i0", -80, 80), "bessel_i0e": ("i0e", -800, 80), "bessel_i1": ("i1", -80, 80),
    "bessel_i1e": ("i1e", -800, 80), "bessel_k0": ("k0", -1, 80), "bessel_k1": ("k1", -1, 80),
    "bessel_k0e": ("k0e", -1, 80), "bessel_k1e": ("k1e", -1, 80), "bessel_j0": ("j0", -50, 50), "bessel_j1": ("j1", -50, 50),
    "bessel_y0": ("y0", -1, 50), "bessel_y1": ("y1", -1, 50), "erfcx": ("erfcx", -9, 50), "ndtri": ("ndtri", -0.1, 1.1),
    "erfinv": ("erfinv", -1.1, 1.1), "lgamma": ("gammaln", -20, 50), "digamma": ("psi", -20, 50),
}  # fmt: skip
TWO = {
    "zeta": ("zeta", (1, 30), (-20, 60)), "gamma_inc": ("gammainc", (0, 60), (0, 60)),
    "gamma_incc": ("gammaincc", (0, 60), (0, 60)),
}  # fmt: skip
EDGES = np.array([0.0, np.inf, np.nan, -2.5, 2.5, 0.5, -0.5, 1, -1, -3, 8, 2, 7.999, 8.001, 1e-30])


def run(form: Callable[..., Any], *arrays: np.ndarray) -> np.ndarray:
    names = [f"x{i}" for i in range(len(arrays))]
    model = Model("form", Signature(tuple(Parameter(n, Leaf(n)) for n in names), Branch("tuple", (Leaf("output"),))))
    values = [model.graph.add_input(tensor_type("float64", *a.shape), n) for a, n in zip(arrays, names)]
    model.graph.set_outputs([form(Builder(model.graph), *values)])
    return next(iter(Evaluator("exact").run(model, dict(zip(names, arrays))).values()))


def check(have: np.ndarray, want: np.ndarray) -> None:
    finite = np.isfinite(want)
    np.testing.assert_array_equal(have[~finite], want[~finite])
    error = np.abs(have - want)[finite] / (1 + np.abs(want[finite]))
    assert error.max() < 1e-11


@pytest.mark.parametrize("name", ONE)
def test_functions_of_one_number(name: str) -> None:
    scipy_name, low, high = ONE[name]
    edges = EDGES[np.isfinite(EDGES)] if name in ("bessel_i0", "bessel_i1", "bessel_j0", "bessel_j1") else EDGES
    x = np.concatenate([np.random.default_rng(0).uniform(low, high, 3000), edges])
    with np.errstate(all="ignore"):
        check(run(getattr(special_forms, name), x), getattr(scipy.special, scipy_name)(x))


@pytest.mark.parametrize("name", TWO)
def test_functions_of_two_numbers(name: str) -> None:
    scipy_name, first, second = TWO[name]
    rng = np.random.default_rng(0)
    x, y = rng.uniform(*first, 2000), rng.uniform(*second, 2000)
    if name == "zeta":
        x[:1000] = np.floor(x[:1000])
    edges = EDGES[np.isfinite(EDGES)]
    x, y = np.concatenate([x, np.repeat(edges, edges.size)]), np.concatenate([y, np.tile(edges, edges.size)])
    with np.errstate(all="ignore"):
        check(run(getattr(special_loops, name), x, y), getattr(scipy.special, scipy_name)(x, y))


def test_upper_incomplete_gamma_function_of_small_orders() -> None:
    """It is about as small as its order is: 1 less the lower function would keep nothing of it."""
    a = np.concatenate([10.0 ** np.arange(-45, 0, 3.0), [0.009, 0.0101, 0.3, 0.999]])
    a, x = (v.reshape(-1) for v in np.meshgrid(a, [1e-30, 1e-3, 0.2, 0.64, 0.999, 1.05, 1.5, 1.98]))
    want = scipy.special.gammaincc(a, x)
    np.testing.assert_allclose(run(special_loops.gamma_incc, a, x), want, rtol=1e-10)
