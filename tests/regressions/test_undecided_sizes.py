"""Verification of models whose rounding decides how many elements a result has."""

from __future__ import annotations

import numpy as np

from converter.verification.sensitivity import undecided
from ir.core import Builder, Leaf, Model, Parameter, Signature
from ir.eval import Evaluator
from ir.types import tensor_type


def test_a_size_that_rounding_decides_is_undecided() -> None:
    """Equal neighbours, moved by a few units of rounding, are equal no more: one element became many."""
    model = Model("runs", Signature((Parameter("x", Leaf("x")),), Leaf("output")))
    x = model.graph.add_input(tensor_type("float32", 5), "x")
    b = Builder(model.graph)
    differs = b.not_equal(x, b.roll(x, shifts=(1,), axes=(0,)))
    model.graph.set_outputs([b.compress(x, differs, axis=0, symbol="count")])
    case = {"x": np.array([1, 1, 2, 2, 2], np.float32)}
    reference, exact = Evaluator("reference").run(model, case), Evaluator("exact").run(model, case)
    assert reference["output"].shape == (2,)
    assert undecided(model, [case], reference, exact)["output"].all()
