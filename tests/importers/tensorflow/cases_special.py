"""Special functions, at their ordinary values and at the borders of their domains."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from tests.importers.tensorflow.harness import Case, Table, array

ONE = ("I0", "I0e", "I1", "I1e", "J0", "J1", "K0", "K0e", "K1", "K1e", "Y0", "Y1")


def cases() -> Iterator[Case]:
    borders = np.array([-20, -1, -0.1, -0.0, 0, 0.1, 0.5, 2, 30, np.nan, np.inf, -np.inf], "float32")
    for name in ONE:
        for kind in ("float32", "float64"):
            x = array(4, 3, low=0.1, high=12, dtype=kind)
            yield Case(f"Bessel{name}", kind, {"x": x}, rtol=1e-4 if kind == "float32" else 1e-10)
        yield Case(f"Bessel{name}", "borders", {"x": borders}, rtol=1e-4)
    for kind in ("float32", "float64"):
        inner = array(4, 3, low=0.02, high=0.98, dtype=kind)
        yield Case("Ndtri", kind, {"x": inner}, rtol=1e-4 if kind == "float32" else 1e-10)
    yield Case("Ndtri", "borders", {"x": np.array([-1, 0, 1, 2, np.nan, 0.5], "float32")}, rtol=1e-4)
    yield from _of_two()


def _of_two() -> Iterator[Case]:
    some = np.array([-1, -0.5, 0, 0.5, 1, 2, 3, 4.5, np.inf, np.nan], "float32")
    first, second = (np.ascontiguousarray(a) for a in np.meshgrid(some, some, indexing="ij"))
    natural = np.array([0, 1, 2, 3, 4, 5], "float32")
    for op, a, b in (("Igamma", "a", "x"), ("Igammac", "a", "x"), ("Zeta", "x", "q"), ("Polygamma", "a", "x")):
        for kind in ("float32", "float64"):
            one, other = array(4, 3, low=1.1, high=5, dtype=kind), array(4, 3, low=0.2, high=5, dtype=kind, seed=9)
            given = {a: np.floor(one) if op == "Polygamma" else one, b: other}
            yield Case(op, kind, given, rtol=1e-4 if kind == "float32" else 1e-8)
        yield Case(op, "borders", {a: first, b: second}, open=(), rtol=1e-4)
        yield Case(op, "broadcast", {a: natural[:, None], b: array(3, low=0.2, high=4)}, open=(), rtol=1e-4)


TABLES: dict[str, Table] = {"all": cases}
