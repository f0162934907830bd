"""Assumptions on sizes in ONNX files: the runtime stops where they do not hold, and they come back as assumptions."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import onnx
import onnxruntime as ort
import pytest
import torch
from torch import Tensor, nn

import converter
from converter.exporters.onnx import write
from ir.core import Builder, Leaf, Model, Parameter, Signature
from ir.types import Assumption, Dim, dim_max, dim_min, evaluate_dim, mod, symbol, tensor_type

N, K = symbol("n"), symbol("k")
ASSUMED: dict[str, list[tuple[Dim, Dim]]] = {
    "n == k": [(N, K)],
    "n >= 2": [(2, dim_min(2, N))],
    "n <= 3": [(N, dim_min(N, 3))],
    "n <= k": [(N, dim_min(N, K))],
    "n >= k": [(N, dim_max(N, K))],
    "n != k": [(1, dim_min(1, (N - K) * (N - K)))],
    "n even": [(mod(N, 2), 0)],
    "n == 2 * k + 1": [(N, 2 * K + 1)],
    "two at once": [(2, dim_min(2, N)), (K, dim_min(K, 3))],
}


def model(assumed: list[tuple[Dim, Dim]]) -> Model:
    made = Model("net", Signature((Parameter("x", Leaf("x")), Parameter("y", Leaf("y"))), Leaf("output")))
    x = made.graph.add_input(tensor_type("float32", N, 3), "x")
    y = made.graph.add_input(tensor_type("float32", K), "y")
    b = Builder(made.graph)
    made.graph.set_outputs([b.add(b.reduce_sum(b.relu(x)), b.reduce_sum(y))])
    made.assumptions = [Assumption(left, right, "because of it") for left, right in assumed]
    return made


def session(path: Path) -> ort.InferenceSession:
    options = ort.SessionOptions()
    options.log_severity_level = 4
    return ort.InferenceSession(str(path), options)


@pytest.mark.parametrize("opset", [13, 20])
@pytest.mark.parametrize("name", ASSUMED)
def test_a_run_at_other_sizes_is_an_error_that_names_the_need(name: str, opset: int, tmp_path: Path) -> None:
    from converter.exporters.base import ExportOptions

    path = tmp_path / "model.onnx"
    write(model(ASSUMED[name]), path, ExportOptions(opset=opset))
    runs = session(path)
    outcomes = set()
    for n in range(5):
        for k in range(5):
            fits = all(evaluate_dim(a, {"n": n, "k": k}) == evaluate_dim(b, {"n": n, "k": k}) for a, b in ASSUMED[name])
            given = {"x": np.ones((n, 3), np.float32), "y": np.ones(k, np.float32)}
            outcomes.add(fits)
            if fits:
                assert runs.run(None, given)[0] == 3 * n + k
            else:
                with pytest.raises(Exception, match="needs .*out of data bounds"):
                    runs.run(None, given)
    assert outcomes == {True, False}


@pytest.mark.parametrize("name", ASSUMED)
def test_the_file_gives_the_assumptions_back(name: str, tmp_path: Path) -> None:
    path = tmp_path / "model.onnx"
    write(model(ASSUMED[name]), path)
    back = converter.load(path)
    assert [a.why for a in back.assumptions] == ["because of it"] * len(ASSUMED[name])
    for n in range(5):
        for k in range(5):
            env = {"n": n, "k": k}
            ours = all(evaluate_dim(a, env) == evaluate_dim(b, env) for a, b in ASSUMED[name])
            assert ours == all(evaluate_dim(a.left, env) == evaluate_dim(a.right, env) for a in back.assumptions)
    converter.convert(path, "onnx", tmp_path / "again.onnx", verify=False)
    kinds = [n.op_type for n in onnx.load(str(tmp_path / "again.onnx")).graph.node]
    assert kinds.count("Reshape") == 1, "guarded once, not once more on every way"


class Halves(nn.Module):
    def forward(self, x: Tensor) -> Tensor:
        return x * 2 if x.shape[1] > 6 else x


def test_a_decision_of_the_source_is_guarded_through_onnx_and_back(tmp_path: Path) -> None:
    path = tmp_path / "model.onnx"
    converter.convert(Halves(), "onnx", path, ("float32[b,t]",), verify=False)
    runs = session(path)
    assert runs.run(None, {"x": np.ones((1, 9), np.float32)})[0].sum() == 18
    with pytest.raises(Exception, match="needs t >= 7"):
        runs.run(None, {"x": np.ones((1, 5), np.float32)})
    module = converter.convert(path, "torch", tmp_path / "back", verify=False).load()
    torch.testing.assert_close(module(torch.ones(1, 9)), torch.full((1, 9), 2.0))
    with pytest.raises(ValueError, match="t >= 7 .the code at test_guards.py"):
        module(torch.ones(1, 5))


def test_a_model_without_assumptions_has_no_guard(tmp_path: Path) -> None:
    write(model([]), tmp_path / "model.onnx")
    assert {n.op_type for n in onnx.load(str(tmp_path / "model.onnx")).graph.node} == {"Relu", "ReduceSum", "Add"}
