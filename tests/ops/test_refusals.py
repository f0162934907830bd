"""What inference refuses, by its words: the nearest thing that is right beside each."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pytest

from ir.ops import get
from ir.types import DimExpr, TensorType, dtypes, symbol, tensor_type

N = symbol("n")


def of(*shape: Any) -> TensorType:
    return tensor_type("float32", *shape)


def inferred(name: str, attrs: Mapping[str, Any], *operands: Any) -> str:
    """The types that an op infers, as text."""
    record = get(name)
    given = dict(zip((s.name for s in record.operands), operands, strict=False))
    return ", ".join(map(str, record.infer_types(given, record.complete(attrs), {})))


GROUPED = {"grouped": True}
ONE_AXIS = {"strides": (1,), "dilations": (1,)}
PLANE = {"strides": (1, 1), "dilations": (1, 1)}
CROPPED = {**ONE_AXIS, "padding": ((0, 0),), "output_padding": (0,)}
IMAGE, KERNEL = of(1, 4, 8, 8), of(6, 2, 3, 3)
INT = tensor_type("int64")
REFUSED = [
    ("attention", {}, (of(4), of(5, 4), of(5, 4)), "attention needs .* got"),
    ("attention", GROUPED, (of(3, 4), of(5, 4), of(5, 4)), "attention needs .*heads, length, features"),
    ("attention", GROUPED, (of(2, 3, 4), of(5, 4), of(5, 4)), "attention needs .*heads, length, features"),
    ("attention", {"dropout": 1.5}, (of(3, 4), of(5, 4), of(5, 4)), r"dropout must lie in \[0, 1\], got 1.5"),
    ("attention", {}, (of(2, 3, 4), of(2, 5, 4), of(2, 5, 4), of(3, 6)), "attention mask: sizes 6 and 5 differ"),
    ("attention", {}, (of(2, 1, 4), of(2, 5, 4), of(2, 5, 4), of(N, 5)), "mask .* is larger than the scores"),
    ("conv", ONE_AXIS, (of(1, 3, 8), of(4, 3, 0)), r"conv: weight \(0,\) must be positive"),
    ("conv_transpose", CROPPED, (of(1, 3, 8), of(3, 4, 0)), r"conv_transpose: weight \(0,\) must be positive"),
    ("conv", {**PLANE, "strides": (1, 0), "groups": 2}, (IMAGE, KERNEL), r"strides \(1, 0\) must be positive"),
    ("conv", {**PLANE, "dilations": (0, 1), "groups": 2}, (IMAGE, KERNEL), r"dilations \(0, 1\) must be positive"),
    ("conv", {**PLANE, "dilations": (1,), "groups": 2}, (IMAGE, KERNEL), "one number for each of 2 spatial axes"),
    ("conv", {**PLANE, "groups": 2}, (IMAGE, of(3, 2, 3, 3)), "conv: 3 channels do not divide into 2 groups"),
    ("conv_transpose", {**CROPPED, "strides": (0,)}, (of(1, 3, 8), of(3, 4, 2)), r"strides \(0,\) must be positive"),
    ("conv_transpose", {**CROPPED, "dilations": (0,)}, (of(1, 3, 8), of(3, 4, 2)), r"dilations \(0,\) must be positive"),
    ("conv_transpose", {**CROPPED, "strides": (1, 1)}, (of(1, 3, 8), of(3, 4, 2)), "one number for each of 1 spatial"),
    ("conv_transpose", {**CROPPED, "groups": 2}, (of(1, 3, 8), of(3, 4, 2)), "3 channels do not divide into 2 groups"),
    ("conv_transpose", {**CROPPED, "padding": ((1, 2),)}, (of(1, 3, 1), of(3, 4, 2)), "crops more than the whole output"),
    ("einsum", {"equation": "ij->i1"}, ((of(2, 3),),), "'i1' in 'ij->i1' is not letters"),
    ("einsum", {"equation": "i,i"}, ((of(2), of(3)),), "einsum label i: sizes 2 and 3 differ"),
    ("arange", {"start": 0, "stop": N, "step": 0.5, "dtype": dtypes.float32}, (), "symbolic bounds needs integer bounds and step"),
    ("arange", {"start": N, "stop": 4, "step": 0.5, "dtype": dtypes.float32}, (), "symbolic bounds needs integer bounds and step"),
    ("arange", {"start": 0.5, "stop": N, "step": 1, "dtype": dtypes.float32}, (), "symbolic bounds needs integer bounds and step"),
    *(
        ("range", {"symbol": "n"}, tuple(tensor_type("int64", 1) if k == j else INT for k in range(3)), "must be scalars")
        for j in range(3)
    ),
    ("soft_shrink", {"lambd": float("inf")}, (of(2),), "lambd must not be negative or infinite, got inf"),
    ("soft_shrink", {"lambd": float("nan")}, (of(2),), "lambd must not be negative or infinite, got nan"),
    ("hard_tanh", {"min": 1.0, "max": 0.5}, (of(2),), "min must not be above max"),
]  # fmt: skip
ACCEPTED = [
    ("attention", GROUPED, (of(6, 3, 4), of(2, 5, 4), of(2, 5, 7)), "float32[6, 3, 7]"),
    ("attention", {"dropout": 1.0}, (of(3, 4), of(5, 4), of(5, 4)), "float32[3, 4]"),
    ("attention", {}, (of(2, N, 4), of(2, 5, 4), of(2, 5, 4), of(N, 5)), "float32[2, n, 4]"),
    ("conv", ONE_AXIS, (of(1, 3, 8), of(4, 3, 1)), "float32[1, 4, 8]"),
    ("conv", {**PLANE, "groups": 2}, (IMAGE, KERNEL), "float32[1, 6, 6, 6]"),
    ("conv_transpose", {**CROPPED, "groups": 3}, (of(1, 3, 8), of(3, 2, 2)), "float32[1, 6, 9]"),
    ("conv_transpose", {**CROPPED, "padding": ((1, 1),)}, (of(1, 3, 1), of(3, 4, 2)), "float32[1, 4, 0]"),
    ("einsum", {"equation": "ij...->...i"}, ((of(2, 3, 4),),), "float32[4, 2]"),
    ("einsum", {"equation": "ij,jk"}, ((of(2, 3), of(3, 4)),), "float32[2, 4]"),
    ("einsum", {"equation": "b...,a"}, ((of(2, 3), of(4)),), "float32[3, 4, 2]"),
    ("arange", {"start": N, "stop": 2 * N, "step": 2, "dtype": dtypes.float32}, (), "float32[(n + 1) // 2]"),
    ("arange", {"start": 0.5, "stop": 4, "step": 1, "dtype": dtypes.float32}, (), "float32[4]"),
    ("hard_tanh", {"min": 1.0, "max": 1.0}, (of(2),), "float32[2]"),
    ("soft_shrink", {"lambd": 0.0}, (of(2),), "float32[2]"),
]  # fmt: skip


@pytest.mark.parametrize(("name", "attrs", "operands", "words"), REFUSED)
def test_refused(name: str, attrs: Mapping[str, Any], operands: tuple[Any, ...], words: str) -> None:
    with pytest.raises(ValueError, match=words):
        inferred(name, attrs, *operands)


@pytest.mark.parametrize(("name", "attrs", "operands", "types"), ACCEPTED)
def test_accepted(name: str, attrs: Mapping[str, Any], operands: tuple[Any, ...], types: str) -> None:
    assert inferred(name, attrs, *operands) == types


def test_a_computed_range_has_a_size_that_only_the_run_knows() -> None:
    (size,) = get("range").infer_types({"start": INT, "stop": INT, "step": INT}, {"symbol": "n"}, {})[0].shape
    assert isinstance(size, DimExpr) and size.symbol.opaque and size != N
