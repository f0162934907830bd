"""Broadcasting, axes and binding against NumPy and against each other."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ir.eval import bind_shape
from ir.types import broadcast_shapes, normalize_axes, normalize_axis, numel, substitute, symbol, tensor_type, type_of
from ir.types.dim import dim_min, recording_assumptions
from ir.types.shape import check_grows, evaluate_shape, format_shape, has_symbols

SHAPES = st.lists(st.integers(0, 3), max_size=4).map(tuple)
N, M = symbol("n"), symbol("m")


@given(st.lists(SHAPES, max_size=3))
def test_static_broadcast_is_numpys(shapes: list[tuple[int, ...]]) -> None:
    try:
        expected = np.broadcast_shapes(*shapes)
    except ValueError:
        with pytest.raises(ValueError, match="sizes .* differ"):
            broadcast_shapes(*shapes)
    else:
        assert broadcast_shapes(*shapes) == expected


@given(SHAPES, SHAPES, st.sets(st.integers(0, 3)))
def test_symbolic_broadcast_gives_the_static_result(x: tuple[int, ...], y: tuple[int, ...], axes: set[int]) -> None:
    """Sizes other than 1 made symbolic (a symbol against another size is assumed equal to it)."""
    try:
        expected = np.broadcast_shapes(x, y)
    except ValueError:
        return
    named = tuple(symbol(f"n{d}") if i in axes and d != 1 else d for i, d in enumerate(x))
    with recording_assumptions() as log:
        result = broadcast_shapes(named, y)
    env = {f"n{d}": d for d in range(4)}
    assert tuple(substitute(d, env) for d in result) == expected
    assert all(evaluate_shape((a.left, a.right), env)[0] == evaluate_shape((a.left, a.right), env)[1] for a in log)


def test_symbolic_broadcast_records_what_it_assumes() -> None:
    with recording_assumptions() as log:
        assert broadcast_shapes((N, 3), (M, 3), (1, 1)) == (N, 3)
    assert [(a.left, a.right) for a in log] == [(N, M)]
    with recording_assumptions() as log:
        assert broadcast_shapes((N, 3), (1,), (N, 1)) == (N, 3)
    assert log == []


def test_one_or_nothing_stretches() -> None:
    """`x[:1]` has one row unless `x` has none: it stretches as a size of 1 does."""
    first = dim_min(1, N)
    with recording_assumptions() as log:
        assert broadcast_shapes((first, 3), (N, 1)) == broadcast_shapes((N, 1), (first, 3)) == (N, 3)
        assert broadcast_shapes((first,), (0,)) == (0,)
    assert log == []
    with recording_assumptions() as log:
        assert broadcast_shapes((first,), (M,)) == (M,)
        assert broadcast_shapes((first,), (4,)) == (4,)
        assert broadcast_shapes((first,), (dim_min(1, M),)) == (first,)
    assert [(a.left, a.right) for a in log] == [(first, 1), (first, 1), (first, dim_min(1, M))]


def test_growing() -> None:
    """What an axis grows to by `expand`: it stays where it has elements of its own."""
    first = dim_min(1, N)
    with recording_assumptions() as log:
        for old, new in ((1, N), (N, N), (first, N), (first, 0), (0, 0)):
            check_grows(old, new, "expand")
    assert log == []
    with recording_assumptions() as log:
        for old, new in ((first, M), (first, 1), (N, M), (N, 1)):
            check_grows(old, new, "expand")
    assert [(a.left, a.right) for a in log] == [(first, 1), (first, 1), (N, M), (N, 1)]
    with pytest.raises(ValueError, match="differ"):
        check_grows(2, 3, "expand")


@given(st.integers(-6, 6), st.integers(0, 4))
def test_normalize_axis(axis: int, rank: int) -> None:
    if -rank <= axis < rank:
        assert normalize_axis(axis, rank) == range(rank)[axis]
    else:
        with pytest.raises(ValueError, match="out of range"):
            normalize_axis(axis, rank)


def test_normalize_axes_refuses_repeats() -> None:
    assert normalize_axes((2, -3), 3) == (2, 0)
    with pytest.raises(ValueError, match="repeat"):
        normalize_axes((0, -3), 3)


def test_numel() -> None:
    assert numel(()) == 1
    assert numel((2, 0, 3)) == 0
    assert numel((2, N, 3)) == 6 * N
    assert has_symbols((2, N))
    assert not has_symbols((2, 3))


def test_text() -> None:
    assert format_shape((N, 3)) == "[n, 3]"
    assert str(tensor_type("float32", N, 2)) == "float32[n, 2]"
    assert str(type_of(np.zeros((2, 0), np.int8))) == "int8[2, 0]"


# -- binding --------------------------------------------------------------------------------------------------------
def test_bind_solves_linear_expressions() -> None:
    env: dict[str, int] = {}
    bind_shape((N, 2 * M + 1, 3), (4, 7, 3), env)
    assert env == {"n": 4, "m": 3}


def test_bind_waits_for_a_later_axis() -> None:
    env: dict[str, int] = {}
    bind_shape((N * M, N + M, N), (6, 5, 2), env)
    assert env == {"n": 2, "m": 3}


@given(st.integers(0, 9), st.integers(1, 4), st.integers(-3, 3))
def test_bind_undoes_substitution(n: int, factor: int, offset: int) -> None:
    env: dict[str, int] = {}
    size = factor * n + offset
    if size >= 0:
        bind_shape((factor * N + offset,), (size,), env)
        assert env == {"n": n}


@pytest.mark.parametrize(
    ("declared", "actual", "message"),
    [
        ((3,), (4,), "size 3 expected, got 4"),
        ((N, N), (2, 3), "size n = 2 expected, got 3"),
        ((N,), (2, 3), "rank 1 expected, got 2"),
        ((2 * N,), (3,), "no size n"),
        ((N + 3,), (2,), "no size n"),
        ((N * M, 1), (6, 1), "cannot be decided"),
    ],
)
def test_bind_refuses(declared: tuple, actual: tuple, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        bind_shape(declared, actual, {})


def test_bind_checks_known_symbols() -> None:
    with pytest.raises(ValueError, match="size n \\+ 1 = 6 expected, got 5"):
        bind_shape((N + 1,), (5,), {"n": 5})
