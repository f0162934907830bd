"""What top_k's inference refuses by itself, before any value is known; running totals of sizes that may be 0."""

from __future__ import annotations

import numpy as np
import pytest

from ir.core import Builder, Graph, Leaf, Model, Parameter, Signature
from ir.eval import Evaluator
from ir.ops import get
from ir.types import Dim, TensorType, dtypes, symbol, tensor_type

N = symbol("n")


@pytest.mark.parametrize(("size", "k"), [(3, 4), (3, -1), (N, -1)])
def test_impossible_counts_are_refused(size: Dim, k: Dim) -> None:
    graph = Graph()
    x = graph.add_input(tensor_type("float32", size), "x")
    with pytest.raises(ValueError, match="cannot be taken"):
        Builder(graph).top_k(x, k=k)


@pytest.mark.parametrize(("size", "k"), [(3, 3), (3, 0), (N, 4), (N, N), (3, N)])
def test_possible_counts_become_the_size(size: Dim, k: Dim) -> None:
    graph = Graph()
    values, indices = Builder(graph).top_k(graph.add_input(tensor_type("float32", 2, size), "x"), k=k)
    assert values.type.shape == indices.type.shape == (2, k)


@pytest.mark.parametrize("name", ["argmax", "argmin"])
@pytest.mark.parametrize("keepdims", [False, True])
def test_no_extremes_along_an_empty_last_axis(name: str, keepdims: bool) -> None:
    for axis in (1, -1):
        found = get(name).evaluate(np.zeros((0, 0, 3)), axis=axis - (axis < 0), keepdims=keepdims, select_last=False)
        assert found.dtype == np.int64
        assert found.shape == ((0, 1, 3) if keepdims else (0, 3))


@pytest.mark.parametrize("reverse", [False, True])
def test_exclusive_totals_of_open_sizes_take_nothing(reverse: bool) -> None:
    """The decomposition at a size that is 0 at run time only, where nothing can be cropped."""
    model = Model(signature=Signature((Parameter("x", Leaf("x")),), Leaf("output")))
    x = model.graph.add_input(TensorType(dtypes.float32, (symbol("n"), 2)), "x")
    record, b = get("cumprod"), Builder(model.graph)
    attrs = {"axis": 0, "exclusive": True, "reverse": reverse}
    model.graph.set_outputs([record.decompose(b, x, **attrs)])
    assert not any(low < 0 or high < 0 for n in model.graph if n.op.name == "pad" for low, high in n.attrs["pads"])
    for size in (0, 1, 4):
        given = np.arange(2 * size, dtype=np.float32).reshape(size, 2) + 1
        found = Evaluator("exact").run(model, {"x": given})["output"]
        np.testing.assert_array_equal(found, record.evaluate(given, **attrs))
