"""Size expressions computed in the graph are what `evaluate_dim` says."""

from __future__ import annotations

import itertools

import numpy as np
import pytest

from converter.errors import ConversionError
from ir.core import Branch, Builder, Leaf, Model, Parameter, Signature
from ir.types import Dim, ceildiv, dim_max, dim_min, dtypes, evaluate_dim, floordiv, mod, symbol, tensor_type
from tests.exporters.onnx.generated import OnnxRunner, exported

N, M = symbol("n"), symbol("m")
EXPRESSIONS: tuple[Dim, ...] = (
    N, N + M, N - M, 2 * N * M - 3, floordiv(N - M, 2), floordiv(3 - N, 2), mod(N - M, 3), mod(M - 7, N + 1), ceildiv(N, 4),
    dim_min(N, M), dim_max(N - 5, 0), floordiv(N * N, M + 1), -N, 5, floordiv(M - 9, N + 2), dim_max(floordiv(N, 2), mod(M, 2)),
)  # fmt: skip


def model_of_sizes(expressions: tuple[Dim, ...], *inputs: tuple[Dim, ...]) -> Model:
    """A model that returns sizes as tensors."""
    model = Model("sizes")
    names = [f"x{i}" for i in range(len(inputs))]
    for name, shape in zip(names, inputs, strict=True):
        model.graph.add_input(tensor_type("float32", *shape), name)
    b = Builder(model.graph)
    model.graph.set_outputs([b.dim(size=d) for d in expressions])
    leaves = tuple(Leaf(f"output.{i}") for i in range(len(expressions)))
    model.signature = Signature(tuple(Parameter(n, Leaf(n)) for n in names), Branch("tuple", leaves))
    return model


@pytest.mark.parametrize("opset", [13, 20])
def test_expressions(opset: int) -> None:
    runner = OnnxRunner(exported(model_of_sizes(EXPRESSIONS, (N, 2), (M,)), opset))
    for n, m in itertools.product((0, 1, 4, 9), (0, 1, 3, 10)):
        got = runner({"x0": np.zeros((n, 2), np.float32), "x1": np.zeros(m, np.float32)})
        for i, expression in enumerate(EXPRESSIONS):
            assert got[f"output.{i}"] == evaluate_dim(expression, {"n": n, "m": m}), (str(expression), n, m)


def test_symbol_solved_from_a_linear_size() -> None:
    runner = OnnxRunner(exported(model_of_sizes((N, N + 1), (2 * N + 4, 3)), 20))
    got = runner({"x0": np.zeros((10, 3), np.float32)})
    assert (got["output.0"], got["output.1"]) == (3, 4)


def test_symbol_that_nothing_decides_is_refused() -> None:
    with pytest.raises(ConversionError, match="size n is needed before any tensor's shape decides it"):
        exported(model_of_sizes((N,), (N * N,)), 20)


def test_each_size_is_computed_once() -> None:
    import onnx

    model = model_of_sizes((floordiv(N, 2) + 1, floordiv(N, 2) + 1, floordiv(N, 2)), (N,))
    kinds = [node.op_type for node in onnx.load_from_string(exported(model, 20)).graph.node]
    assert kinds.count("Shape") == 1 and kinds.count("Div") == 1 and kinds.count("Add") == 1


@pytest.mark.parametrize("target", [(N, 4, 3), (N, 12), (N * 12,), (4 * N, 3), (3, N, 4), (12, N)])
def test_reshape_to_symbolic_sizes(target: tuple[Dim, ...]) -> None:
    """Zero rows included: neither 0 nor -1 may stand where it would mean something else then."""
    model = Model("reshape")
    x = model.graph.add_input(tensor_type("float32", N, 12), "x")
    model.graph.set_outputs([Builder(model.graph).reshape(x, shape=target)])
    model.signature = Signature((Parameter("x", Leaf("x")),))
    runner = OnnxRunner(exported(model, 20))
    for n in (0, 1, 5):
        array = np.arange(n * 12, dtype=dtypes.float32.numpy).reshape(n, 12)
        wanted = array.reshape([evaluate_dim(d, {"n": n}) for d in target])
        np.testing.assert_array_equal(runner({"x": array})["output"], wanted)
