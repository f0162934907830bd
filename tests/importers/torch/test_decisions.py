"""The algebra of decisions on sizes, against plain counting."""

from __future__ import annotations

import itertools

import pytest

from converter.importers.torch.decisions import SIGNS, Decision, example_sizes, few_values
from ir.types import evaluate_dim, mod, symbol

N, T = symbol("n"), symbol("t")
RANGE = range(200)


@pytest.mark.parametrize("kind", SIGNS)
def test_relations_of_one_size(kind: str) -> None:
    for scale, offset, right in itertools.product((-3, -1, 1, 2), range(-7, 8), (-2, 0, 3)):
        decision = Decision(kind, N * scale + offset, right)
        fits = [v for v in RANGE if decision.holds({"n": v})]
        assert [v for v in RANGE if decision.flipped.holds({"n": v})] == [v for v in RANGE if v not in fits]
        left, equal = decision.equality
        assert [v for v in RANGE if evaluate_dim(left, {"n": v}) == evaluate_dim(equal, {"n": v})] == fits
        assert few_values([decision], 3) == (("n", fits) if len(fits) <= 3 else None)
        assert not decision.certain or fits == list(RANGE)


def test_several_decisions_leave_what_all_admit() -> None:
    path = [Decision("Unequality", N, 1), Decision("LessThan", N, 2), Decision("StrictLessThan", T, N)]
    assert few_values(path, 3) == ("n", [0, 2])
    assert few_values(path, 1) is None
    assert few_values([Decision("Equality", mod(N, 2), 0)], 3) is None, "no bound"


def test_examples_lie_on_the_path_and_are_told_apart() -> None:
    given = {"n": 5, "t": 7}
    path = [Decision("StrictGreaterThan", N, T), Decision("Equality", mod(N, 4), 0)]
    sizes = example_sizes(path, given)
    assert sizes is not None and all(d.holds(sizes) for d in path)
    assert min(sizes.values()) > 1 and len(set(sizes.values())) == 2
    assert example_sizes([Decision("Equality", N, T)], given) is None, "equal sizes would be taken for one"
    assert example_sizes([Decision("StrictGreaterThan", symbol("k"), 3)], given) is None, "no input has this size"
    assert example_sizes([Decision("StrictLessThan", N, 2)], given) is None, "0 and 1 are tried as numbers"
