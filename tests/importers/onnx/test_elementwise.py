"""Powers of mixed types, bounds with an axis, determinants of what is no square."""

from __future__ import annotations

from typing import Any

import numpy as np
import onnx
import pytest
from onnx import TensorProto

from converter.importers.onnx import load
from tests.importers.onnx.models import FLOAT, agree, floats, model, node, op_names
from tests.importers.onnx.test_attribute_values import evaluate, refusal


def power(base: np.ndarray, exponent: np.ndarray, known: bool = False) -> tuple[onnx.ModelProto, dict[str, np.ndarray]]:
    kinds = {n: onnx.helper.np_dtype_to_tensor_dtype(v.dtype) for n, v in (("a", base), ("b", exponent))}
    declared = [("a", kinds["a"], base.shape)] + ([] if known else [("b", kinds["b"], exponent.shape)])
    result = f"y@{TensorProto.DataType.Name(kinds['a'])}"
    proto = model([node("Pow", "a b", "y")], declared, [result], {"b": exponent} if known else {}, opset=15)
    return proto, {"a": base} | ({} if known else {"b": exponent})


# -- powers ---------------------------------------------------------------------------------------------------------
@pytest.mark.parametrize("known", [False, True])
@pytest.mark.parametrize("kind", [np.int32, np.int64])
def test_whole_exponents_are_not_rounded(kind: Any, known: bool) -> None:
    """Rounded to float32, the odd one would be even, and the sign another."""
    base = np.array([-1, -1, -2, 1.5, 0, -1], np.float32)
    exponent = np.array([2**24 + 1, 2**24, 3, -2, 0, 2**31 - 1], kind)
    agree(*power(base, exponent, known))


def test_known_exponents_that_the_type_of_the_base_has_stay_in_it() -> None:
    for exponent, ops in ((2, ["pow"]), (2**24, ["pow"]), (2**24 + 1, ["cast", "pow", "cast"])):
        proto, given = power(np.array([-1.0, 1], np.float32), np.array([exponent] * 2), known=True)
        found = op_names(agree(proto, given))
        assert [n for n in found if n != "constant"][-len(ops) :] == ops
    assert "cast" not in op_names(load(power(floats(2), np.array([3, 2]), known=True)[0]))[-1:]


@pytest.mark.parametrize(
    ("base", "exponent"),
    [
        (np.float32, np.float64),
        (np.float64, np.float32),
        (np.int32, np.float32),
        (np.int64, np.int32),
        (np.float64, np.int64),
    ],
)
def test_types_meet_in_the_wider(base: Any, exponent: Any) -> None:
    agree(*power(np.array([2, 3, 1, 7]).astype(base), np.array([2, 3, 0, 1]).astype(exponent)))


def test_no_type_of_two_is_rounded() -> None:
    """An odd exponent that float32 would make even, and a base that it would make 1."""
    agree(*power(np.array([-1, -1], np.float32), np.array([2.0**24 + 1, 2.0**24])))
    proto, given = power(np.array([1 + 1e-9]), np.array([1e9], np.float32))
    np.testing.assert_allclose(evaluate(proto, given)[0], given["a"] ** 1e9, rtol=1e-12)
    agree(proto, given)


def test_half_types_meet_in_float32() -> None:
    """Each holds what the other rounds: 1e-10 is 0 in float16, and infinity to the power of 0 is 1."""
    bf16 = onnx.helper.tensor_dtype_to_np_dtype(TensorProto.BFLOAT16)
    for proto, given in (
        power(np.array([np.inf, 2, 0.5], np.float16), np.array([1e-10, 3, -2]).astype(bf16)),
        power(np.array([2, 1.5, 3]).astype(bf16), np.array([3, 1.001, -2], np.float16)),
    ):
        (found,) = evaluate(proto, given)
        want = given["a"].astype(np.float64) ** given["b"].astype(np.float64)
        assert found.dtype == given["a"].dtype
        np.testing.assert_array_equal(found, want.astype(found.dtype))


# -- bounds, determinants -------------------------------------------------------------------------------------------
@pytest.mark.parametrize("shape", [(), (1,)])
def test_bounds_with_an_axis(shape: tuple[int, ...]) -> None:
    declared: Any = [("x", FLOAT, (2, 3)), ("a", FLOAT, shape), ("b", FLOAT, shape)]
    given = {"x": floats(2, 3), "a": np.full(shape, -0.1, np.float32), "b": np.full(shape, 0.1, np.float32)}
    agree(model([node("Clip", "x a b", "y")], declared, ["y"]), given)


@pytest.mark.parametrize("n", [1, 2, 3, 4])
def test_determinants_of_batches(n: int) -> None:
    """Small ones by cofactors; of one matrix, of a batch, of a batch of batches."""
    for lead in ((), (5,), (2, 6)):
        taken = agree(model([node("Det", "x", "y")], [("x", FLOAT, (*lead, n, n))], ["y"]), {"x": floats(*lead, n, n)})
        assert ("determinant" in op_names(taken)) == (n > 3)


@pytest.mark.parametrize("shape", [(4, 5, 2), (2, 3), (3, 1), (2, 5, 4)])
def test_what_is_no_square_has_no_determinant(shape: tuple[int, ...]) -> None:
    assert "rows and columns of a determinant" in refusal(model([node("Det", "x", "y")], [("x", FLOAT, shape)], ["y"]))


def test_vectors_have_no_determinant() -> None:
    for shape in ((2,), ()):
        assert "the determinant of" in refusal(model([node("Det", "x", "y")], [("x", FLOAT, shape)], ["y"]))
