"""The Python API around a conversion: what is written, what a mismatch leaves, what is imported."""

import subprocess
import sys

import numpy as np
import pytest
import torch
from torch import nn

import converter
from converter.exporters import torch as exporter
from converter.runtimes import load_native
from ir.data import Array
from tests.warm import python

X = torch.linspace(-1, 1, 12).reshape(2, 6)


def net():
    torch.manual_seed(0)
    return nn.Sequential(nn.Linear(6, 8), nn.BatchNorm1d(8), nn.GELU(), nn.Dropout(0.5), nn.Linear(8, 3)).eval()


@pytest.fixture(scope="module")
def package(tmp_path_factory):
    return converter.convert(net(), "torch", tmp_path_factory.mktemp("api") / "out", ("float32[batch,6]",)).path


def test_a_package_runs_by_itself(package):
    command = [sys.executable, "model.py"]
    result = subprocess.run(command, cwd=package, capture_output=True, text=True, timeout=120, check=False)
    assert result.returncode == 0, result.stdout + result.stderr


@pytest.mark.parametrize("command", [["test_equivalence.py"], ["-m", "pytest", "-q", "test_equivalence.py"]])
def test_a_packages_own_test_passes(package, command):
    result = python("torch", *command, cwd=package)
    assert result.returncode == 0, result.stdout + result.stderr


def test_the_packages_own_test_fails_when_its_weights_are_wrong(package, tmp_path):
    import shutil

    from safetensors.numpy import load_file, save_file

    broken = shutil.copytree(package, tmp_path / "broken")
    weights = load_file(broken / "weights.safetensors")
    weights["0.weight"] = weights["0.weight"] + 0.01
    save_file(weights, broken / "weights.safetensors")
    result = python("torch", "test_equivalence.py", cwd=broken)
    assert result.returncode != 0


@pytest.mark.parametrize("target", ["torch", "keras"])
def test_the_packages_own_test_leaves_what_is_drawn(target, tmp_path):
    class Sampled(nn.Module):
        def forward(self, x):
            return 2 * x, nn.functional.dropout(x, 0.5, training=True)

    outcome = converter.convert(Sampled(), target, tmp_path / "out", (X,))
    report = outcome.report.verification
    assert report.not_compared == ["output.1"] and report.verdict == "inconclusive"
    result = python({"keras": "tensorflow"}.get(target, target), "test_equivalence.py", cwd=outcome.path)
    assert result.returncode == 0, result.stdout + result.stderr
    assert "output.1: drawn at random" in result.stdout and "output.0: error 0," in result.stdout


def test_a_mismatch_goes_beside_the_output(tmp_path, monkeypatch):
    write = exporter.write

    def wrong(model, target, options):
        name = next(iter(model.weights))
        model.update_weight(name, data=Array(model.weights[name].data.numpy() * np.float32(1.001)))
        write(model, target, options)

    monkeypatch.setattr(exporter, "write", wrong)
    with pytest.raises(converter.VerificationError) as caught:
        converter.convert(net(), "torch", tmp_path / "out", (X,))
    assert caught.value.report.verdict == "mismatch" and caught.value.exit_code == 1
    assert not (tmp_path / "out").exists()
    assert (tmp_path / "out.unverified" / "metadata.json").exists()
    assert sorted(p.name for p in tmp_path.iterdir()) == ["out.unverified"]


def test_the_certificate_is_in_the_metadata(package):
    import json

    metadata = json.loads((package / "metadata.json").read_text())
    assert metadata["verification"]["verdict"] == "equal"
    assert metadata["framework"] == "torch" and metadata["signature"]["parameters"]


def test_retrained_source_weights_load(package):
    retrained = net()
    with torch.no_grad():
        for parameter in retrained.parameters():
            parameter.mul_(1.5)
    torch.save(retrained.state_dict(), package.parent / "retrained.pt")
    sys.path.insert(0, str(package))
    try:
        import model as emitted

        loaded = emitted.load_model()
        emitted.load_source_weights(loaded, package.parent / "retrained.pt")
    finally:
        sys.path.remove(str(package))
        sys.modules.pop("model", None)
    assert torch.equal(loaded(X), retrained(X))


def test_a_training_step_gives_the_same_gradients_and_statistics(package):
    torch.manual_seed(1)
    source, twin = net(), load_native(package, "torch")
    x = torch.randn(16, 6)
    for module in (source, twin):
        module.train()
        torch.manual_seed(2)
        module(x).square().sum().backward()
    for (name, a), (other, b) in zip(source.named_parameters(), twin.named_parameters(), strict=True):
        assert name == other and torch.allclose(a.grad, b.grad, atol=1e-6), name
    assert torch.allclose(source[1].running_var, dict(twin.named_buffers())["1.running_var"])


def test_converting_to_onnx_asks_for_no_other_framework(tmp_path):
    code = f"""
import sys
import torch, converter
converter.convert(torch.nn.Linear(3, 2).eval(), "onnx", {str(tmp_path / "m.onnx")!r}, ("float32[batch,3]",))
bad = {{"tensorflow", "keras", "jax", "pytensor"}} & set(sys.modules)
assert not bad, bad
"""
    result = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=120, check=False)
    assert result.returncode == 0, result.stderr[-2000:]


def test_run_takes_flat_nested_and_positional_inputs(package):
    want = net()(X).detach().numpy()
    for inputs in ((X,), [X.numpy()], {"input": X.numpy()}):
        got = converter.run(package, inputs)
        assert list(got) == ["output"] and np.allclose(got["output"], want, atol=1e-6)
    with pytest.raises(converter.UsageError, match="missing"):
        converter.run(package, {"nonsense": X.numpy()})
