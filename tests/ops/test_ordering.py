"""What top_k's inference refuses by itself, before any value is known."""

from __future__ import annotations

import pytest

from ir.core import Builder, Graph
from ir.types import Dim, symbol, tensor_type

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
