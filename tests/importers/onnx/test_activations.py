"""Activations beyond ONNX's node tests: other constants, other types, axes taken as one, and what is refused."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from onnx import TensorProto
from onnx.reference import ReferenceEvaluator

from converter.importers.onnx import load
from tests.importers.onnx.models import FLOAT, agree, floats, model, node, op_names
from tests.importers.onnx.test_attribute_values import attrs_of, evaluate, refusal

F16, F64 = TensorProto.FLOAT16, TensorProto.DOUBLE


# -- axes taken as one ----------------------------------------------------------------------------------------------
@pytest.mark.parametrize("op", ["Softmax", "LogSoftmax", "Hardmax"])
@pytest.mark.parametrize("shape", [(2, 3, 1), (2, 3, 2), (2, 1, 1), (3, 2, 1, 2)])
def test_axes_from_one_on_are_one(op: str, shape: tuple[int, ...]) -> None:
    x = 2 * floats(*shape)
    for axis in range(len(shape)):
        proto = model([node(op, "x", "y", axis=axis)], [("x", FLOAT, shape)], ["y"], opset=11)
        taken = agree(proto, {"x": x})
        if op != "Hardmax":
            alone = all(d == 1 for d in shape[axis + 1 :])
            assert op_names(taken) == ([op.lower().replace("log", "log_")] if alone else op_names(taken))
            assert ("reshape" in op_names(taken)) == (not alone)


@pytest.mark.parametrize("code", [F16, FLOAT, F64])
def test_hardmax_has_the_type_of_its_operand(code: int) -> None:
    import onnx

    x = np.array([[1, 3, 2], [5, 5, 1]]).astype(onnx.helper.tensor_dtype_to_np_dtype(code))
    for opset in (11, 13):
        proto = model(
            [node("Hardmax", "x", "y")], [("x", code, (2, 3))], [f"y@{TensorProto.DataType.Name(code)}"], opset=opset
        )
        (found,) = evaluate(proto, {"x": x})
        assert found.dtype == x.dtype and found.tolist() == [[0, 1, 0], [1, 0, 0]]


# -- constants ------------------------------------------------------------------------------------------------------
SELU = {"alpha": 1.6732632423543772, "gamma": 1.0507009873554805}


@pytest.mark.parametrize("given", [{}, {"alpha": 0.5}, {"gamma": 2.0}, {"alpha": 0.5, "gamma": 2.0}], ids=str)
def test_constants_of_selu(given: dict[str, float]) -> None:
    """What is given in float32 and is nearest to the paper's numbers means these."""
    proto = model([node("Selu", "x", "y", **given)], [("x", FLOAT, (9,))], ["y"])
    taken = agree(proto, {"x": floats(9)})
    assert attrs_of(taken, "selu") == SELU | given


@pytest.mark.parametrize("alpha", [None, 1 / 6, 0.3, 0.125])
def test_the_slope_of_hard_sigmoid(alpha: float | None) -> None:
    given: dict[str, Any] = {} if alpha is None else {"alpha": alpha}
    taken = agree(model([node("HardSigmoid", "x", "y", **given)], [("x", FLOAT, (9,))], ["y"]), {"x": 3 * floats(9)})
    meant = {None: 0.2, 0.3: 0.3}.get(alpha, alpha)
    found = attrs_of(taken, "hard_sigmoid")["alpha"]
    assert found == meant if alpha == 1 / 6 else np.float32(found) == np.float32(meant)


def test_softplus_of_float64_is_exact_everywhere() -> None:
    x = np.array([-30.0, 0.0, 19.0, 21.0, 25.0, 30.0, 800.0])
    (found,) = evaluate(model([node("Softplus", "x", "y")], [("x", F64, (7,))], ["y@DOUBLE"]), {"x": x})
    np.testing.assert_allclose(found, np.logaddexp(x, 0), rtol=1e-15)


# -- operands -------------------------------------------------------------------------------------------------------
def test_the_gate_has_the_shape_of_what_it_lets_through() -> None:
    def gated(*shape: int) -> Any:
        return model([node("SwiGLU", "a b", "y")], [("a", FLOAT, (2, 3)), ("b", FLOAT, shape)], ["y"], opset=28)

    for shape in ((3,), (1, 3), (2, 1)):
        assert "different shapes" in refusal(gated(*shape))
    given = {"a": floats(2, 3), "b": floats(2, 3, seed=1)}
    np.testing.assert_allclose(
        evaluate(gated(2, 3), given)[0], ReferenceEvaluator(gated(2, 3)).run(None, given)[0], rtol=1e-5
    )


def test_slopes_broadcast_to_the_operand() -> None:
    def sloped(*shape: int) -> Any:
        return model([node("PRelu", "x s", "y")], [("x", FLOAT, (2, 3)), ("s", FLOAT, shape)], ["y"])

    for shape in ((3,), (2, 3), (1, 1), ()):
        agree(sloped(*shape), {"x": floats(2, 3), "s": floats(*shape, seed=1)})
    assert "of higher rank" in refusal(sloped(1, 2, 3))
    assert op_names(load(sloped(3))) == ["prelu"]
