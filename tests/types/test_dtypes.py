"""Dtypes: one record a type, its NumPy counterpart, its bounds; attributes checked against annotations."""

from __future__ import annotations

from typing import Literal

import ml_dtypes
import numpy as np
import pytest

from ir.types import Dim, DimExpr, DType, dtype, dtypes, symbol
from ir.types.attrs import ArrayAttr, coerce


@pytest.mark.parametrize("kind", dtypes.ALL, ids=str)
def test_lookups_agree(kind: DType) -> None:
    assert dtype(kind.name) is kind
    assert dtype(kind.numpy) is kind
    assert dtype(kind) is kind
    assert kind.is_float + kind.is_complex + kind.is_integer + kind.is_bool == 1


@pytest.mark.parametrize("kind", [k for k in dtypes.ALL if k.is_integer], ids=str)
def test_integer_bounds(kind: DType) -> None:
    signed = kind.kind == "int"
    assert kind.min == (-(2 ** (kind.bits - 1)) if signed else 0)
    assert kind.max == 2 ** (kind.bits - signed) - 1
    assert kind.eps == 0
    assert not kind.is_half


@pytest.mark.parametrize("kind", [k for k in dtypes.ALL if k.is_float or k.is_complex], ids=str)
def test_float_bounds(kind: DType) -> None:
    one = np.asarray(1, kind.real.numpy)
    assert float(one + np.asarray(kind.eps, kind.real.numpy)) > 1
    assert kind.max == float(ml_dtypes.finfo(kind.real.numpy).max) == -kind.min
    assert kind.is_half == (kind.is_float and kind.bits < 32)


@pytest.mark.parametrize(
    ("kind", "value", "held"),
    [
        ("int8", 127, True), ("int8", 128, False), ("uint8", -1, False), ("int64", 2.0, True), ("int64", 2.5, False),
        ("int64", float("inf"), False), ("int64", float("nan"), False), ("bool", 1, True), ("bool", 2, False),
        ("bool", 0.0, True), ("float16", 1e9, True), ("float32", float("nan"), True), ("int4", -8, True),
        ("int4", 8, False),
    ],
)  # fmt: skip
def test_numbers_a_type_holds(kind: str, value: float, held: bool) -> None:
    assert dtype(kind).holds(value) is held


def test_parts_of_complex() -> None:
    assert dtypes.complex64.real is dtypes.float32
    assert dtypes.float64.complex is dtypes.complex128
    with pytest.raises(KeyError):
        _ = dtypes.float16.complex


@pytest.mark.parametrize("spec", ["float31", "U4", np.dtype("datetime64[s]"), object])
def test_unknown_types_are_refused(spec: object) -> None:
    with pytest.raises(TypeError, match="no dtype in the IR"):
        dtype(spec)  # type: ignore[arg-type]


# -- attributes -----------------------------------------------------------------------------------------------------
@pytest.mark.parametrize(
    ("value", "annotation", "expected"),
    [
        (3, int, 3),
        (np.int32(3), int, 3),
        (3, float, 3.0),
        (np.float32(0.5), float, 0.5),
        ([1, 2], tuple[int, ...], (1, 2)),
        (((0, 1), [2, 3]), tuple[tuple[int, int], ...], ((0, 1), (2, 3))),
        (None, int | None, None),
        ("tanh", Literal["none", "tanh"], "tanh"),
        ("float16", DType, dtypes.float16),
        (symbol("n"), int | DimExpr, symbol("n")),
        (True, bool | int | float, True),
        (2.0, bool | int | float, 2.0),
    ],
)
def test_coercion(value: object, annotation: object, expected: object) -> None:
    result = coerce(value, annotation, "op.attr")
    assert result == expected
    assert type(result) is type(expected)


@pytest.mark.parametrize(
    ("value", "annotation"),
    [
        (True, int),
        (1.0, int),
        (True, float),
        ("3", int),
        ((1, 2.5), tuple[int, ...]),
        ((1,), tuple[int, int]),
        ("sigmoid", Literal["none", "tanh"]),
        (None, int),
        (np.zeros(2), tuple[int, ...]),
        ("nothing", DType),
    ],
)
def test_wrong_attributes_are_refused(value: object, annotation: object) -> None:
    with pytest.raises(TypeError):
        coerce(value, annotation, "op.attr")


def test_dims_as_attributes() -> None:
    assert coerce((2, symbol("n")), tuple[Dim, ...], "op.shape") == (2, symbol("n"))


def test_array_attributes_compare_by_bytes() -> None:
    nan = np.array([np.nan, 1.0], np.float32)
    assert ArrayAttr(nan) == ArrayAttr(nan.copy())
    assert hash(ArrayAttr(nan)) == hash(ArrayAttr(nan.copy()))
    assert ArrayAttr(nan) != ArrayAttr(nan.astype(np.float64))
    assert ArrayAttr(nan) != ArrayAttr(nan.reshape(2, 1))
    assert ArrayAttr(np.array([0.0])) != ArrayAttr(np.array([-0.0]))


def test_array_attributes_are_frozen_copies() -> None:
    source = np.zeros(2)
    held = ArrayAttr(source)
    source[0] = 1
    assert held.value[0] == 0
    with pytest.raises(ValueError, match="read-only"):
        held.value[0] = 1
