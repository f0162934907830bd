"""Random reads and writes by index: what PyTorch and ONNX Runtime answer, against the import, the passes, both exports
under both policies, and PyTorch's gradients against those of emitted code.

`python -m tests.property.test_indexing 0 100` runs other seeds.
"""

from __future__ import annotations

import sys
import tempfile
import warnings
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
import onnxruntime
import pytest
import torch

import converter
from converter.exporters import onnx as to_onnx
from converter.exporters import torch as to_torch
from converter.exporters.base import ExportOptions
from converter.policies import INDEX_POLICIES, IndexPolicy
from converter.prepare import prepare
from converter.runtimes.onnxruntime import OnnxRunner
from ir.core import Model, copy_model
from ir.eval import Evaluator
from tests.exporters.torch import package
from tests.property import index_files, subscripts
from tests.suites import faster_export

Arrays = Mapping[str, np.ndarray]


def compare(where: str, got: Arrays, want: Sequence[np.ndarray], told: Sequence[str]) -> None:
    """Every output exactly, with its type and shape."""
    assert len(got) == len(want)
    for have, value, what in zip(got.values(), want, told, strict=True):
        assert have.dtype == value.dtype and have.shape == value.shape, (where, what)
        np.testing.assert_array_equal(have, value, err_msg=f"{where}: {what}")


def everywhere(
    model: Model, feeds: Arrays, want: Sequence[np.ndarray], told: Sequence[str], policy: IndexPolicy
) -> None:
    """The import, the model after the passes, and both exports."""
    compare("import", Evaluator("exact").run(model, feeds), want, told)
    ready = copy_model(model)
    prepare(ready)
    compare("passes", Evaluator("exact").run(ready, feeds), want, told)
    options = ExportOptions(index_policy=policy)
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        to_onnx.write(copy_model(ready), folder / "m.onnx", options)
        compare(f"onnx, {policy}", OnnxRunner(folder / "m.onnx")(feeds), want, told)
        to_torch.write(ready, folder / "torch", options)
        net = package.load(folder / "torch").load_model()
        compare(f"torch, {policy}", package.run(net, ready, feeds), want, told)


def drawn(seed: int, count: int, kind: torch.dtype = torch.int64) -> subscripts.Drawn:
    """What PyTorch itself can run of a draw (a view may turn out empty)."""
    d = subscripts.draw(seed, count, kind)
    for step, what in list(zip(d.steps, d.told, strict=True)):
        try:
            step(tuple(d.tensors))
        except IndexError:
            d.steps.remove(step)
            d.told.remove(what)
    return d


def load(d: subscripts.Drawn) -> Model:
    faster_export.install()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return converter.load(subscripts.Steps(d), (tuple(d.tensors),), framework="torch")


@pytest.mark.parametrize(("seed", "policy"), enumerate(INDEX_POLICIES))
def test_subscripts_and_index_operations_of_pytorch(seed: int, policy: IndexPolicy, count: int = 16) -> None:
    d = drawn(seed, count)
    assert len(d.steps) >= count
    want = [step(tuple(d.tensors)).numpy() for step in d.steps]
    model = load(d)
    feeds = {v.name: t.numpy() for v, t in zip(model.graph.inputs, d.tensors, strict=True)}
    everywhere(model, feeds, want, d.told, policy)


@pytest.mark.parametrize(("seed", "policy"), [*enumerate(INDEX_POLICIES), (2, "strict"), (3, "source")])
def test_index_operators_of_onnx(seed: int, policy: IndexPolicy, count: int = 6) -> None:
    d = index_files.draw(seed, count)
    file = d.model()
    want = onnxruntime.InferenceSession(file.SerializeToString(), providers=["CPUExecutionProvider"]).run(
        None, d.inputs
    )
    everywhere(converter.load(file, framework="onnx"), d.inputs, want, d.told, policy)


def test_gradients_of_emitted_code_are_those_of_pytorch(seed: int = 0, count: int = 8) -> None:
    d = drawn(seed, count, torch.float64)
    model = load(d)
    prepare(model)
    with tempfile.TemporaryDirectory() as name:
        to_torch.write(model, Path(name))
        net = package.load(Path(name)).load_model()
        found = 0
        for k, what in enumerate(d.told):
            own, emitted = (_gradients(lambda t, f=f, k=k: f(t)[k], d.tensors) for f in (subscripts.Steps(d), net))
            assert (own is None) == (emitted is None), what
            for a, b in zip(own or (), emitted or (), strict=True):
                found += int(a.any())
                np.testing.assert_allclose(a, b, 1e-12, 1e-12, err_msg=what)
        assert found >= count


def _gradients(function: object, tensors: Sequence[torch.Tensor]) -> list[np.ndarray] | None:
    """Those of each floating input; None where PyTorch refuses them (a source longer than the index)."""
    leaves = [t.detach().clone().requires_grad_(t.is_floating_point()) for t in tensors]
    out = function(tuple(leaves))  # type: ignore[operator]
    try:
        out.backward(torch.arange(1, out.numel() + 1, dtype=out.dtype).reshape(out.shape))
    except RuntimeError:
        return None
    return [np.zeros(t.shape) if t.grad is None else t.grad.numpy() for t in leaves if t.requires_grad]


if __name__ == "__main__":
    for number in range(int(sys.argv[1]), int(sys.argv[2])):
        test_subscripts_and_index_operations_of_pytorch(number, INDEX_POLICIES[number % 2], 24)
        test_index_operators_of_onnx(number, INDEX_POLICIES[number % 2], 8)
        test_gradients_of_emitted_code_are_those_of_pytorch(number, 16)
        print(f"seed {number}: all agree", flush=True)
