"""Dim expressions against integer arithmetic: whatever is built symbolically evaluates to what integers give."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ir.types import (
    Dim,
    DimExpr,
    ceildiv,
    dim_max,
    dim_min,
    evaluate_dim,
    floordiv,
    mod,
    require_same,
    same,
    substitute,
    symbol,
    symbols,
)
from ir.types.dim import bounds, recording_assumptions

NAMES = ("a", "b", "n")
A, B, N = (symbol(name) for name in NAMES)
Build = Callable[[dict[str, Any]], Any]

OPERATIONS: dict[str, Callable[[Any, Any], Any]] = {
    "+": lambda x, y: x + y,
    "-": lambda x, y: x - y,
    "*": lambda x, y: x * y,
    "min": dim_min,
    "max": dim_max,
}


def leaf() -> st.SearchStrategy[Build]:
    numbers = st.integers(-4, 6).map(lambda v: lambda env: v)
    return numbers | st.sampled_from(NAMES).map(lambda name: lambda env: env[name])


def combine(children: st.SearchStrategy[Build]) -> st.SearchStrategy[Build]:
    def binary(kind: str, x: Build, y: Build) -> Build:
        return lambda env: OPERATIONS[kind](x(env), y(env))

    def divided(kind: Callable[[Any, Any], Any], x: Build, by: int) -> Build:
        return lambda env: kind(x(env), by)

    return st.builds(binary, st.sampled_from(sorted(OPERATIONS)), children, children) | st.builds(
        divided, st.sampled_from((floordiv, mod, ceildiv)), children, st.integers(1, 5)
    )


BUILDS = st.recursive(leaf(), combine, max_leaves=6)
ENVS = st.fixed_dictionaries({name: st.integers(0, 9) for name in NAMES})
SYMBOLIC = {name: symbol(name) for name in NAMES}


@given(BUILDS, ENVS)
def test_evaluation_is_integer_arithmetic(build: Build, env: dict[str, int]) -> None:
    assert evaluate_dim(build(SYMBOLIC), env) == build(env)


@given(BUILDS, ENVS)
def test_substituting_all_symbols_gives_the_integer(build: Build, env: dict[str, int]) -> None:
    assert substitute(build(SYMBOLIC), env) == build(env)


@given(BUILDS, ENVS)
def test_substituting_one_symbol_commutes_with_evaluation(build: Build, env: dict[str, int]) -> None:
    partly = substitute(build(SYMBOLIC), {"a": env["a"], "b": N + 1})
    assert evaluate_dim(partly, {"n": env["n"]}) == build({**env, "b": env["n"] + 1})


@given(BUILDS, ENVS)
def test_bounds_hold(build: Build, env: dict[str, int]) -> None:
    low, high = bounds(build(SYMBOLIC))
    value = build(env)
    assert low is None or low <= value
    assert high is None or value <= high


@given(BUILDS, BUILDS, ENVS)
def test_same_is_never_wrong(x: Build, y: Build, env: dict[str, int]) -> None:
    verdict = same(x(SYMBOLIC), y(SYMBOLIC))
    if verdict is not None:
        assert verdict == (x(env) == y(env)) or (verdict is False and x(env) != y(env))


@given(BUILDS, BUILDS)
def test_sums_and_products_are_canonical(x: Build, y: Build) -> None:
    a, b = x(SYMBOLIC), y(SYMBOLIC)
    assert a + b == b + a
    assert a * b == b * a
    assert a - a == 0
    assert (a + b) * 2 == 2 * b + a * 2
    assert hash(a + b) == hash(b + a)


@given(BUILDS)
def test_text_reads_back(build: Build) -> None:
    """The text is a Python expression of the same value, with // and % as Python's."""
    dim = build(SYMBOLIC)
    scope = {**SYMBOLIC, "min": dim_min, "max": dim_max}
    assert eval(str(dim), {"__builtins__": {}}, scope) == dim  # noqa: S307 - our own text


@given(st.integers(-20, 20), st.integers(-6, 6).filter(bool))
def test_integers_stay_integers(a: int, b: int) -> None:
    assert floordiv(a, b) == a // b
    assert mod(a, b) == a % b
    assert dim_min(a, b) == min(a, b)
    assert dim_max(a, b) == max(a, b)
    assert b < 0 or ceildiv(a, b) == -(-a // b)


@pytest.mark.parametrize(
    ("dim", "expected"),
    [
        (N - N, 0),
        ((2 * N) // 2, N),
        ((4 * N + 2) // 2, 2 * N + 1),
        ((A * N) // N, A),
        ((A * N) % N, 0),
        ((6 * N) % 3, 0),
        (floordiv(N, 1), N),
        (mod(N, N), 0),
        (dim_max(N, 0), N),
        (dim_min(N, N + 3), N),
        (dim_max(N + 1, 0), N + 1),
        ((N + 1) * (N - 1), N * N - 1),
    ],
)
def test_simplification(dim: Dim, expected: Dim) -> None:
    assert dim == expected


@pytest.mark.parametrize(
    ("a", "b", "verdict"),
    [
        (N, N, True),
        (N + 1, N, False),
        (N, A, None),
        (N, 3, None),
        (N + 4, 3, False),
        (3, 3, True),
        (3, 4, False),
        (N // 2, N, None),
    ],
)
def test_same(a: Dim, b: Dim, verdict: bool | None) -> None:
    assert same(a, b) is verdict
    assert same(b, a) is verdict


def test_unknown_equality_is_recorded() -> None:
    with recording_assumptions() as log:
        assert require_same(N, 4, "test") == 4
        assert require_same(N, A, "test") == N
        assert require_same(N, N, "test") == N
    assert [str(entry) for entry in log] == ["n == 4 (test)", "n == a (test)"]


def test_certain_difference_is_refused() -> None:
    with pytest.raises(ValueError, match="test: sizes n \\+ 4 and 3 differ"):
        require_same(N + 4, 3, "test")


def test_symbolic_sizes_have_no_integer_or_truth() -> None:
    for convert in (int, bool, range):
        with pytest.raises(TypeError, match="symbolic|unknown"):
            convert(N)


def test_symbols_are_found_inside_functions() -> None:
    assert {s.name for s in symbols(floordiv(A + 1, B) + dim_min(N, 4))} == {"a", "b", "n"}
    assert list(symbols(5)) == []


def test_unbound_symbol_is_named() -> None:
    with pytest.raises(KeyError, match="n"):
        evaluate_dim(N + 1, {})


def test_opaque_symbols_are_others() -> None:
    assert symbol("n", opaque=True) != N
    assert isinstance(N, DimExpr)
    assert N.is_symbol
    assert not (N + 1).is_symbol
    with pytest.raises(ValueError, match="not a bare symbol"):
        _ = (N + 1).symbol
