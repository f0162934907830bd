"""Definitions of opset 6: what NumPy makes of the operands placed by hand, and what they leave undefined."""

from __future__ import annotations

from typing import Any

import numpy as np
import onnx
import pytest

from converter.errors import ConversionError, Unsupported
from converter.importers.onnx import load
from ir.core import Model
from ir.eval import Evaluator
from tests.importers.onnx.models import FLOAT, floats, model, node, op_names


def old(op: str, outputs: str = "y", kinds: str = "FLOAT", **settings: Any) -> onnx.ModelProto:
    """A model of one operator of opset 6; arrays are its inputs in order, all else attributes."""
    given = {k: v for k, v in settings.items() if isinstance(v, np.ndarray)}
    declared = [(k, onnx.helper.np_dtype_to_tensor_dtype(v.dtype), v.shape) for k, v in given.items()]
    made = node(op, " ".join(given), outputs, **{k: v for k, v in settings.items() if k not in given})
    return model([made], declared, [f"{o}@{kinds}" for o in outputs.split() if o != "_"], opset=6)


def answer(op: str, outputs: str = "y", kinds: str = "FLOAT", **settings: Any) -> tuple[Model, list[np.ndarray]]:
    taken = load(old(op, outputs, kinds, **settings))
    given = {k: v for k, v in settings.items() if isinstance(v, np.ndarray)}
    return taken, list(Evaluator("exact").run(taken, given).values())


def refused(op: str, outputs: str = "y", kinds: str = "FLOAT", **settings: Any) -> Unsupported:
    with pytest.raises(ConversionError) as error:
        load(old(op, outputs, kinds, **settings))
    (found,) = error.value.unsupported
    assert found.op == op
    return found


# -- limited broadcasting -------------------------------------------------------------------------------------------
KINDS: dict[str, tuple[Any, tuple[str, ...]]] = {
    "Add": (np.add, ("float32", "int32", "uint64")), "Sub": (np.subtract, ("float32", "int64")),
    "Mul": (np.multiply, ("float32", "int64")), "Div": (np.divide, ("float32", "float64")),
    "Pow": (np.power, ("float32",)), "And": (np.logical_and, ("bool",)), "Or": (np.logical_or, ("bool",)),
    "Xor": (np.logical_xor, ("bool",)), "Equal": (np.equal, ("int64", "bool")), "Less": (np.less, ("float32",)),
    "Greater": (np.greater, ("float64",)),
}  # fmt: skip
"""What each computes, and on which types."""
PLACES: list[tuple[tuple[int, ...], int | None]] = [
    ((2, 2, 4), None), ((4,), None), ((2, 4), None), ((1,), None), ((1, 1), None), ((), None), ((2,), 0), ((2,), 1),
    ((2, 2), 0), ((2, 4), 1), ((2,), -3), ((2, 1), None), ((2, 1), 1), ((1, 2), 0), ((1, 1), 2), ((), 1), ((1, 1, 1), None),
    ((1, 1, 1), 2),
]  # fmt: skip
"""Shapes of a second operand beside (2, 2, 4), and the axis where it begins."""


def operand(kind: str, shape: tuple[int, ...], seed: int) -> np.ndarray:
    values = np.random.default_rng(seed).integers(1, 7, shape) * (1 if kind in ("uint64", "bool") else (-1) ** seed)
    return np.asarray(values % 2 == 0 if kind == "bool" else values, kind)


@pytest.mark.parametrize("op", KINDS)
def test_operands_placed_by_an_axis(op: str) -> None:
    compute, kinds = KINDS[op]
    for kind in kinds:
        a = operand(kind, (2, 2, 4), 2)
        result = (
            "BOOL"
            if compute(a, a).dtype == bool
            else onnx.TensorProto.DataType.Name(onnx.helper.np_dtype_to_tensor_dtype(a.dtype))
        )
        _, (found,) = answer(op, kinds=result, a=a, b=operand(kind, (2, 2, 4), 3))
        np.testing.assert_array_equal(found, compute(a, operand(kind, (2, 2, 4), 3)))
        for shape, axis in PLACES:
            b = operand(kind, shape, 3)
            start = 3 - len(shape) if axis is None else axis % 3
            placed = b.reshape(*shape, *[1] * (3 - start - len(shape))) if b.size > 1 else b.reshape(())
            _, (found,) = answer(op, kinds=result, a=a, b=b, broadcast=1, **({} if axis is None else {"axis": axis}))
            assert found.dtype == compute(a, a).dtype and found.shape == a.shape
            np.testing.assert_array_equal(found, compute(a, placed))


@pytest.mark.parametrize("kind", ["int32", "int64"])
def test_integers_are_divided_towards_zero(kind: str) -> None:
    a, b = np.array([7, -7, 7, -7], kind), np.array([2, 2, -2, -2], kind)
    _, (found,) = answer("Div", kinds=kind.upper(), a=a, b=b)
    assert found.tolist() == [3, -3, -3, 3] and found.dtype == kind


def test_sizes_are_placed_as_well() -> None:
    """What is known of small integers at conversion is not what NumPy makes of them."""
    shape = node("Shape", "x", "n")
    nodes = [shape, node("Reshape", "n s", "a"), node("Sub", "a b", "y", broadcast=1, axis=0)]
    stored = {"s": np.array([2, 2]), "b": np.array([10, 20])}
    made = model(nodes, [("x", FLOAT, [2, "n", 4, 5])], ["y@INT64"], stored, opset=6)
    (found,) = Evaluator("exact").run(load(made), {"x": floats(2, 3, 4, 5)}).values()
    assert found.tolist() == [[-8, -7], [-16, -15]]
    alone = model(
        [shape, node("Sub", "n b", "y", broadcast=1)], [("x", FLOAT, [2, "n"])], ["y@INT64"], {"b": np.array([1])}, 6
    )
    assert "sub" not in op_names(load(alone))
    for b, said in ((np.array([1]), "without broadcast=1"), (np.array([[1]]), "without broadcast=1")):
        with pytest.raises(ConversionError, match=said):
            load(model([shape, node("Sub", "n b", "y")], [("x", FLOAT, [2, "n"])], ["y@INT64"], {"b": b}, opset=6))


def test_what_does_not_lie_in_the_first_operand() -> None:
    a = floats(2, 2, 4)
    for shape in ((4,), (2, 2, 1), (2, 1, 4), (1, 2, 2, 4), ()):
        assert "without broadcast=1 are not defined" in refused("Add", a=a, b=floats(*shape)).reason
    for shape, axis in (
        ((2,), None), ((2, 2), None), ((3, 4), None), ((2, 2, 2, 4), None), ((1, 1, 1, 1), None), ((4,), 0), ((2, 4), 0),
        ((2, 4), 2), ((2, 2), 1),
    ):  # fmt: skip
        where = {} if axis is None else {"axis": axis}
        assert "is no contiguous part of" in refused("Mul", a=a, b=floats(*shape), broadcast=1, **where).reason


def test_sizes_that_may_differ_are_not_taken_for_equal() -> None:
    made = node("Add", "a b", "y")
    same, other = (model([made], [("a", FLOAT, ["n", 3]), ("b", FLOAT, [s, 3])], ["y"], opset=6) for s in "nm")
    assert op_names(load(same)) == ["add"]
    with pytest.raises(ConversionError, match="without broadcast=1"):
        load(other)


# -- layers ---------------------------------------------------------------------------------------------------------
def test_products_with_a_third_operand() -> None:
    a, b, settings = floats(2, 3), floats(3, 4, seed=1), {"alpha": 0.5, "beta": 2.0}
    for shape, broadcast in (((2, 4), 0), ((2, 4), 1), ((4,), 1), ((1,), 1), ((2, 1), 1)):
        c = floats(*shape, seed=2)
        _, (found,) = answer("Gemm", a=a, b=b, c=c, broadcast=broadcast, **settings)
        np.testing.assert_allclose(found, 0.5 * (a @ b) + 2 * c, rtol=1e-5, atol=1e-6)
    for shape in ((4,), (2, 1), (1, 4), (1, 2, 4)):
        assert "without broadcast=1 must have the shape" in refused("Gemm", a=a, b=b, c=floats(*shape)).reason


def test_slopes() -> None:
    for shape, sizes in (
        ((2, 3, 4), [(1,), (1, 1), (1, 1, 1), (1, 1, 1, 1), (), (3,)]), ((2, 3), [(3,), (1,), (1, 1, 1)]), ((3,), [(1,), (1, 1)]),
    ):  # fmt: skip
        for size in sizes:
            x, slope = floats(*shape), floats(*size, seed=1)
            taken, (found,) = answer("PRelu", x=x, slope=slope)
            assert op_names(taken) == ["reshape"] * (len(size) > len(shape)) + ["prelu"]
            wide = slope.reshape(3, *[1] * (len(shape) - 2)) if size == (3,) else slope.reshape(())
            np.testing.assert_array_equal(found, np.where(x < 0, x * wide, x))
    for size in ((4,), (2,), (2, 3, 4), (3, 1), (1, 3, 1)):
        assert "is not defined" in refused("PRelu", x=floats(2, 3, 4), slope=floats(*size)).reason
    assert "is not defined" in refused("PRelu", x=floats(3), slope=floats(3)).reason


def test_means_over_windows() -> None:
    x = floats(1, 2, 7, 5)
    _, (found,) = answer("AveragePool", x=x, kernel_shape=[3, 2])
    want = np.lib.stride_tricks.sliding_window_view(x, (3, 2), (2, 3)).mean((-1, -2))
    np.testing.assert_allclose(found, want, rtol=1e-5, atol=1e-6)
    _, (padded,) = answer("AveragePool", x=np.ones_like(x), kernel_shape=[3, 2], pads=[1, 0, 1, 1])
    np.testing.assert_allclose(padded, np.ones((1, 2, 7, 5)), rtol=1e-6)
    assert (
        "strides of 4" in refused("AveragePool", x=x, kernel_shape=[1, 1], strides=[4, 4], auto_pad="SAME_UPPER").reason
    )
    assert "does not fit 2 spatial axes" in refused("AveragePool", x=x, kernel_shape=[3]).reason


def test_norms_and_dropout_in_test_mode() -> None:
    x = floats(2, 3, 4)
    scale, bias, mean, var = (1 + np.square(floats(3, seed=i)) for i in range(1, 5))
    settings: dict[str, Any] = {"x": x, "s": scale, "b": bias, "m": mean, "v": var, "epsilon": 0.5}
    _, (found,) = answer("BatchNormalization", is_test=1, **settings)
    want = (x - mean[:, None]) / np.sqrt(var[:, None] + 0.5) * scale[:, None] + bias[:, None]
    np.testing.assert_allclose(found, want, rtol=1e-5, atol=1e-6)
    assert "spatial=0 is none of 1" in refused("BatchNormalization", is_test=1, spatial=0, **settings).reason
    taken, (kept,) = answer("Dropout", "y", is_test=1, ratio=0.25, x=x.astype(np.float64), kinds="DOUBLE")
    np.testing.assert_array_equal(kept, x)
    assert "what its mask holds" in refused("Dropout", "y m", is_test=1, x=x).reason
    assert [n.attrs["p"] for n in taken.graph if n.op.name == "dropout"] == [0.25]
    for found_ in (
        refused("BatchNormalization", **settings),
        refused("Dropout", x=x),
        refused("Dropout", x=x, is_test=0),
    ):
        assert "is_test=0 is none of 1" in found_.reason and "evaluation mode" in found_.advice
