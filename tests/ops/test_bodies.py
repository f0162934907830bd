"""Sizes of bodies: which symbols are whose, and in which order a node's `symbols` name them outside."""

from __future__ import annotations

from typing import Any

import pytest

from ir.core import Graph
from ir.ops import get
from ir.ops.control_samples import always, body
from ir.types import TensorType, dtypes, symbol, tensor_type
from ir.types.dim import recording_assumptions

K, N = symbol("k"), symbol("n")
FLAG, MASK = tensor_type("bool"), tensor_type("bool", 4)
DATA = tensor_type("float32", 4)


def of(*shape: Any) -> TensorType:
    return TensorType(dtypes.float32, shape)


def cond(symbols: tuple[str, ...], captures: tuple[TensorType, ...], then: Graph, other: Graph) -> list[str]:
    results = get("cond").infer(FLAG, captures, symbols, **{"then": then, "else": other})
    return [str(t) for t in results]


def loop(carried: tuple[TensorType, ...], invariant: tuple[TensorType, ...], made: Graph, **options: Any) -> list[str]:
    settings = {"trip_count": None, "trips": None, "symbols": (), "cond": always(*carried, *invariant)(), **options}
    return [str(t) for t in get("while").infer(carried=carried, invariant=invariant, body=made, **settings)]


def scan(carried: tuple[TensorType, ...], made: Graph, **options: Any) -> list[str]:
    settings = dict.fromkeys(("axes", "reverse", "output_axes", "output_reverse", "scanned", "invariant", "symbols"), ())
    results = get("scan").infer(carried=carried, body=made, length=None, **{**settings, **options})
    return [str(t) for t in results]


def test_symbols_name_sizes_in_the_order_of_results() -> None:
    then = body("then", (DATA,), lambda b, x: (b.slice(x, axes=(0,), starts=(1,), stops=(None,), steps=(1,)), x))
    other = body("else", (DATA,), lambda b, x: (x, b.slice(x, axes=(0,), starts=(2,), stops=(None,), steps=(1,))))
    assert cond(("first", "second"), (DATA,), then(), other()) == ["float32[first]", "float32[second]"]


@pytest.mark.parametrize("filtered", ["then", "else"])
def test_a_size_that_one_branch_makes_is_not_that_of_the_same_name_outside(filtered: str) -> None:
    outside = symbol("k", opaque=True)
    captures = (DATA, MASK, of(outside))
    made = {
        "then": body("then", captures, lambda b, x, mask, y: y)(),
        "else": body("else", captures, lambda b, x, mask, y: y)(),
        filtered: body(filtered, captures, lambda b, x, mask, y: b.compress(x, mask, axis=0, symbol="k"))(),
    }
    with pytest.raises(ValueError, match=r"must name, once each, these sizes: cond: result 0, axis 0"):
        cond((), captures, made["then"], made["else"])
    assert cond(("rows",), captures, made["then"], made["else"]) == ["float32[rows]"]


def test_branches_that_differ_are_told_apart() -> None:
    same = body("then", (DATA,), lambda b, x: x)
    with pytest.raises(TypeError, match="cond: result 0 is float32 in then and float16 in else"):
        cond((), (DATA,), same(), body("else", (DATA,), lambda b, x: b.cast(x, to="float16"))())
    with pytest.raises(ValueError, match="cond: result 0 has rank 1 in then and 2 in else"):
        cond((), (DATA,), same(), body("else", (DATA,), lambda b, x: b.unsqueeze(x, axes=(0,)))())
    shorter = body("else", (DATA,), lambda b, x: b.slice(x, axes=(0,), starts=(1,), stops=(None,), steps=(1,)))
    with pytest.raises(ValueError, match=r"cond: result 0, axis 0 \(4 or 3\)"):
        cond((), (DATA,), same(), shorter())


def test_a_branch_has_no_sizes_of_its_own() -> None:
    other = body("else", (DATA,), lambda b, x: x)
    with pytest.raises(ValueError, match=r"cond: then: input 0 \(x0\) is float32\[k\], given float32\[4\]"):
        cond(("k",), (DATA,), body("then", (of(K),), lambda b, x: x)(), other())


def test_what_a_loop_does_not_carry_keeps_its_sizes() -> None:
    made = body("body", (DATA, of(K)), lambda b, x, y: x)
    with pytest.raises(ValueError, match=r"while: body: input 1 \(x1\) is float32\[k\], given float32\[4\]"):
        loop((DATA,), (DATA,), made(), trips=2)
    same = body("body", (DATA, DATA), lambda b, x, y: x)
    assert loop((DATA,), (DATA,), same(), trips=2) == ["float32[4]"]


def test_what_ends_a_loop() -> None:
    same = body("body", (DATA,), lambda b, x: x)
    with pytest.raises(ValueError, match="while: nothing ends the loop"):
        loop((DATA,), (), same())
    assert loop((DATA,), (), same(), trips=2) == ["float32[4]"]
    assert loop((DATA,), (), same(), trip_count=tensor_type("int64")) == ["float32[4]"]
    never = body("cond", (DATA,), lambda b, x: b.less(b.reduce_sum(x), 1.0))
    assert loop((DATA,), (), same(), cond=never()) == ["float32[4]"]


def test_a_trip_that_filters_what_keeps_its_size() -> None:
    """No assumption makes a size that only a trip knows one of the surroundings."""
    made = body("body", (of(N), tensor_type("bool", N)), lambda b, x, m: b.compress(x, m, axis=0, symbol="k"))
    with recording_assumptions() as assumed, pytest.raises(ValueError, match="keeps its size along axis 0 .*: n becomes k"):
        loop((of(N),), (tensor_type("bool", N),), made(), trips=2)
    assert not assumed


def test_what_a_scan_carries_may_grow() -> None:
    made = body("body", (of(K), of(2)), lambda b, x, row: b.concat(x, row, axis=0))
    assert scan((of(2),), made(), scanned=(of(3, 2),), symbols=("grown",)) == ["float32[grown]"]


@pytest.mark.parametrize(
    ("axis", "shape"),
    [(0, "3, 2, 5"), (1, "2, 3, 5"), (2, "2, 5, 3"), (-1, "2, 5, 3"), (-2, "2, 3, 5"), (-3, "3, 2, 5")],
)
def test_where_the_axis_of_trips_goes(axis: int, shape: str) -> None:
    made = body("body", (of(2, 5),), lambda b, row: row)
    assert scan((), made(), scanned=(of(3, 2, 5),), output_axes=(axis,)) == [f"float32[{shape}]"]


@pytest.mark.parametrize("axis", [3, -4])
def test_the_axis_of_trips_is_one_of_the_result(axis: int) -> None:
    made = body("body", (of(2, 5),), lambda b, row: row)
    with pytest.raises(ValueError, match=f"axis {axis}"):
        scan((), made(), scanned=(of(3, 2, 5),), output_axes=(axis,))
