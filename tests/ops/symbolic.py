"""Models of one op whose attributes follow sizes that only the run knows, and arrays at several of them."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator

import numpy as np

from ir.core import Builder, Leaf, Model, Parameter, Signature, Value
from ir.types import Dim, TensorType, dim_max, dim_min, dtypes, symbol, tensor_type
from ir.types.shape import evaluate_shape

N, M = symbol("n"), symbol("m")
SIZES = ({"n": 2, "m": 3}, {"n": 5, "m": 1}, {"n": 1, "m": 4}, {"n": 12, "m": 6})
EMPTY = {"n": 0, "m": 2}
Make = Callable[[Builder, Value], Value]


def _input(*shape: Dim) -> TensorType:
    return tensor_type("float32", *shape)


def _reshape(*shape: Dim) -> Make:
    return lambda b, x: b.reshape(x, shape=shape)


def _slice(*parts: tuple[int, Dim | None, Dim | None, int]) -> Make:
    axes, starts, stops, steps = zip(*parts, strict=True)
    return lambda b, x: b.slice(x, axes=axes, starts=starts, stops=stops, steps=steps)


def _arange(start: Dim, stop: Dim, step: Dim = 1) -> Make:
    return lambda b, x: b.arange(start=start, stop=stop, step=step, dtype=dtypes.int64)


def _split(sizes: tuple[Dim, ...], axis: int, part: int) -> Make:
    return lambda b, x: b.split(x, sizes=sizes, axis=axis)[part]


def _pad(*pads: tuple[Dim, Dim]) -> Make:
    return lambda b, x: b.pad(x, pads=pads)


def _scaled(factor: float, mode: str, coordinates: str = "half_pixel", nearest: str = "round_prefer_floor") -> Make:
    return lambda b, x: b.resize(x, scales=(factor, factor), mode=mode, coordinates=coordinates, nearest=nearest)


CASES: dict[str, tuple[TensorType, Make]] = {
    # reshape: one axis apart, together, moved
    "split_last": (_input(N, 12), _reshape(N, 3, 4)),
    "split_last_in_three": (_input(N, 12), _reshape(N, 2, 3, 2)),
    "split_first": (_input(12, N), _reshape(3, 4, N)),
    "split_middle": (_input(N, 6, M), _reshape(N, 3, 2, M)),
    "split_symbolic_last": (_input(N, 2 * M), _reshape(N, 2, M)),
    "split_symbolic_other_way": (_input(N, 2 * M), _reshape(N, M, 2)),
    "split_symbolic_first": (_input(3 * N, M), _reshape(N, 3, M)),
    "split_two": (_input(N, 4, 6), _reshape(N, 2, 2, 3, 2)),
    "split_beside_equal_sizes": (_input(N, 4, 4), _reshape(N, 2, 2, 4)),
    "split_last_of_equal_sizes": (_input(4, 4, N), _reshape(4, 2, 2, N)),
    "split_before_exchanged": (_input(N, 4, 2, 3), _reshape(N, 2, 2, 3, 2)),
    "split_behind_exchanged": (_input(2, 3, 4, N), _reshape(3, 2, 2, 2, N)),
    "split_of_nothing": (_input(N, 0), _reshape(N, 0, 3)),
    "joined": (_input(N, 3, 4), _reshape(N, 12)),
    "joined_symbolic": (_input(N, M, 4), _reshape(N * M, 4)),
    "joined_all": (_input(N, M), _reshape(N * M)),
    "moved_border": (_input(N, 6, 4), _reshape(N, 4, 6)),
    "factor_moved": (_input(2 * N, 3), _reshape(N, 6)),
    "factor_moved_back": (_input(N, 6), _reshape(2 * N, 3)),
    "one_in_front": (_input(N, M), _reshape(1, N, M)),
    "one_between": (_input(N, M), _reshape(N, 1, M)),
    "one_behind": (_input(N, M), _reshape(N, M, 1)),
    "ones_gone": (_input(1, N, 1, M), _reshape(N, M)),
    "exchanged": (_input(N, M), _reshape(M, N)),
    # sizes as results
    "expanded": (_input(1, M, 1), lambda b, x: b.expand(x, shape=(5, M, M))),
    "expanded_in_front": (_input(N, 1), lambda b, x: b.expand(x, shape=(M_OF_N, N, 3))),
    "tiled": (_input(N, 2), lambda b, x: b.tile(x, repeats=(1, N))),
    "tiled_along": (_input(N, 2), lambda b, x: b.tile(x, repeats=(N, 2))),
    "full": (_input(N, M), lambda b, x: b.full(shape=(M, N, 2), value=1.5, dtype=dtypes.float32)),
    "eye": (_input(N, M), lambda b, x: b.eye(rows=N, cols=M)),
    "size": (_input(N, M), lambda b, x: b.dim(size=N * M + 1)),
    # counting
    "count": (_input(N, M), _arange(0, N)),
    "count_from": (_input(N, M), _arange(1, N + 1)),
    "count_between": (_input(N, M), _arange(N, 2 * N + M)),
    "count_from_to_number": (_input(N, M), _arange(N, 4)),
    "count_to_less": (_input(N, M), _arange(3, N)),
    "count_by_two": (_input(N, M), _arange(0, N, 2)),
    "count_by_three_from": (_input(N, M), _arange(2, M, 3)),
    "count_down": (_input(N, M), _arange(N - 1, -1, -1)),
    "count_down_to": (_input(N, M), _arange(N, M, -1)),
    # parts
    "all_but_last": (_input(N, M), _slice((0, 0, N - 1, 1))),
    "all_but_first": (_input(N, M), _slice((0, 1, None, 1))),
    "first_half": (_input(N, M), _slice((0, 0, N // 2, 1))),
    "second_half": (_input(N, M), _slice((0, N // 2, None, 1))),
    "every_second": (_input(N, M), _slice((0, 0, None, 2), (1, 0, M, 1))),
    "from_one_by_two": (_input(N, M), _slice((0, 1, None, 2))),
    "backwards": (_input(N, M), _slice((0, None, None, -1))),
    "backwards_by_two": (_input(N, M), _slice((1, M - 1, None, -2))),
    "up_to_the_other": (_input(N, M), _slice((0, 0, dim_min(N, M), 1))),
    "last_few": (_input(N, M), _slice((0, dim_max(N - 2, 0), N, 1))),
    "row": (_input(N, M), lambda b, x: b.select(x, axis=0, index=N - 1)),
    "middle_column": (_input(N, M), lambda b, x: b.select(x, axis=1, index=M // 2)),
    "halves": (_input(2 * N, M), _split((N, N), 0, 1)),
    "unequal_parts": (_input(N, M), _split((1, N - 1), 0, 1)),
    "unequal_parts_first": (_input(M, N + 2), _split((2, N), 1, 0)),
    "rolled": (_input(N, M), lambda b, x: b.roll(x, shifts=(N // 2,), axes=(0,))),
    "rows_or_else": (
        _input(N, M), lambda b, x: b.gather(x, np.array([0, -1, 7, 1, -8]), bounds="fill", neg="from_end", fill_value=-2.0),
    ),
    "elements_or_else": (
        _input(N, M), lambda b, x: b.gather_elements(x, np.array([[0], [7], [-1], [1]]), bounds="fill", fill_value=1.5),
    ),
    "places_or_else": (
        _input(N, M),
        lambda b, x: b.gather_nd(x, np.array([[0, 0], [1, 7], [-1, 2], [5, -1], [1, 1]]), bounds="fill", fill_value=3.0),
    ),
    # frames
    "padded": (_input(N, M), _pad((0, N), (M, 1))),
    "padded_to_even": (_input(N, M), _pad((0, N % 2), (0, 0))),
    "one_hot": (_input(N, M), lambda b, x: b.one_hot(b.arange(start=0, stop=N, step=1, dtype=dtypes.int64), depth=N + 1)),
    "doubled": (_input(1, 2, N, M), lambda b, x: b.resize(x, sizes=(2 * N, 3 * M), coordinates="asymmetric", nearest="floor")),
    "to_another": (_input(1, 2, 4, N), lambda b, x: b.resize(x, sizes=(N, 8), coordinates="asymmetric", nearest="floor")),
    "quotient_beside_fixed": (
        _input(1, 2, 4, N), lambda b, x: b.resize(x, sizes=(7, 2 * N), coordinates="half_pixel", nearest="quotient"),
    ),
    "fixed_of_open": (_input(1, 2, N, 4), lambda b, x: b.resize(x, sizes=(6, 8), coordinates="asymmetric", nearest="floor")),
    "quotient_by_half": (_input(1, 2, 2 * N, 2 * M), _scaled(0.5, "nearest", "asymmetric", "quotient")),
    "quotient_by_one_and_two": (
        _input(1, 2, N, M),
        lambda b, x: b.resize(x, scales=(1.0, 2.0), coordinates="asymmetric", nearest="quotient"),
    ),
    "quotient_by_half_more": (_input(1, 2, N, M), _scaled(1.5, "nearest", "asymmetric", "quotient")),
    "quotient_by_two_or_more": (_input(1, 2, N, M), _scaled(2.0625, "nearest", "asymmetric", "quotient")),
    "quotient_by_two": (_input(1, 2, N, M), _scaled(2.0, "nearest", "asymmetric", "quotient")),
    "quotient_by_less": (_input(1, 2, 2 * N, M + 1), _scaled(0.75, "nearest", "half_pixel", "quotient")),
    "quotient_to_another": (
        _input(1, 2, N, M), lambda b, x: b.resize(x, sizes=(M + 1, N), coordinates="asymmetric", nearest="quotient"),
    ),
    "quotient_of_one_axis": (
        _input(1, 2, N, M), lambda b, x: b.resize(x, sizes=(N, M + 3), coordinates="half_pixel", nearest="quotient"),
    ),
    "quotient_by_one_and_more": (
        _input(1, 2, N, M),
        lambda b, x: b.resize(x, scales=(1.0, 1.5), coordinates="half_pixel", nearest="quotient"),
    ),
    "by_two": (_input(1, 2, N, M), _scaled(2.0, "nearest", "asymmetric", "floor")),
    "by_three": (_input(1, 2, N, M), _scaled(3.0, "nearest", "asymmetric", "floor")),
    "by_two_up": (_input(1, 2, N, M), _scaled(2.0, "nearest", "asymmetric", "ceil")),
    "by_four_of_centres": (_input(1, 2, N, M), _scaled(4.0, "nearest", "half_pixel", "round_prefer_ceil")),
    "by_half": (_input(1, 2, 2 * N, 2 * M), _scaled(0.5, "linear")),
    "by_a_quarter_more": (_input(1, 2, N, M), _scaled(1.25, "linear")),
    "by_one_and_two": (_input(1, 2, N, M), lambda b, x: b.resize(x, scales=(1.0, 2.0), mode="linear")),
    "by_half_more": (_input(1, 2, N, M), _scaled(1.5, "linear")),
    "as_large_as_another": (_input(1, 2, N, M), lambda b, x: b.resize(x, sizes=(M + 1, N), mode="linear")),
}  # fmt: skip
M_OF_N = N + 1


def models(name: str) -> tuple[Model, TensorType]:
    """The model of a case, and the type of its input."""
    kind, make = CASES[name]
    model = Model(name)
    x = model.graph.add_input(kind, "x")
    result = make(Builder(model.graph), x)
    model.graph.set_outputs([result])
    model.signature = Signature((Parameter("x", Leaf("x")),), Leaf("output"))
    return model, kind


def arrays(kind: TensorType) -> Iterator[np.ndarray]:
    """Inputs at every size, without any element last."""
    for env in (*SIZES, EMPTY):
        shape = evaluate_shape(kind.shape, env)
        yield np.arange(math.prod(shape), dtype=np.float32).reshape(shape) / 4 - 1
