"""Every zoo model, PyTorch to ONNX, PyTorch to PyTorch source, and ONNX to PyTorch source: verified, nothing lost.

The small variants run with every `make test`, the full ones (marker `models`) with `make test-models`.
"""

import pytest
import torch

import converter
import fixtures.zoo
from converter.runtimes.packages import load_package
from converter.verification import VerificationReport
from tests.models.zoo import converted, imported, verified, zoo

SIZES = [pytest.param("small", id="small"), pytest.param("full", id="full", marks=pytest.mark.models)]
NAMES = fixtures.zoo.NAMES
LINES = {"resnet50": 200, "llama": 300}
"""What the emitted model.py may at most be long, in the full size."""


def assert_equal(report: VerificationReport) -> None:
    assert report.verdict == "equal", report.summary()
    assert len(report.cases) >= 5
    assert len({str(case) for case in report.cases}) >= 3, "named sizes take at least three values"


def parameters(module: torch.nn.Module) -> dict[str, tuple]:
    """Name -> shape and frozen flag; a tied parameter counts once."""
    return {n: (tuple(p.shape), p.requires_grad) for n, p in module.named_parameters()}


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("name", NAMES)
def test_torch_to_torch(name, size):
    assert_equal(verified(name, size, converted(name, "torch", size).path))
    source, module = zoo(name, size).module, load_package(converted(name, "torch", size).path)
    assert parameters(module) == parameters(source)
    assert ties(module) == ties(source)
    module.load_state_dict(source.state_dict())


def ties(module: torch.nn.Module) -> set[frozenset[str]]:
    """Groups of parameter names that are one tensor."""
    groups: dict[int, set[str]] = {}
    for name, parameter in module.named_parameters(remove_duplicate=False):
        groups.setdefault(id(parameter), set()).add(name)
    return {frozenset(g) for g in groups.values() if len(g) > 1}


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("name", NAMES)
def test_torch_to_onnx(name, size):
    assert_equal(verified(name, size, converted(name, "onnx", size).path))


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("name", NAMES)
def test_torch_to_onnx_to_torch(name, size, tmp_path):
    first = converted(name, "onnx", size)
    second = converter.convert(first.path, "torch", tmp_path / "back", verify=False)
    assert_equal(verified(name, size, second.path))  # against the PyTorch source: both conversions at once
    assert parameters(second.load()) == parameters(zoo(name, size).module), "an ONNX in between keeps names and flags"


@pytest.mark.models
@pytest.mark.parametrize("name", LINES)
def test_emitted_code_is_short(name):
    code = (converted(name, "torch", "full").path / "model.py").read_text()
    assert len(code.splitlines()) < LINES[name]
    if name == "resnet50":
        assert code.count("(nn.Module)") == 2, "one bottleneck class and the network"


@pytest.mark.parametrize("name", NAMES)
def test_no_parameter_became_a_constant(name):
    _, model = imported(name)
    module = zoo(name).module
    assert {w.name for w in model.parameters()} == {n for n, _ in module.named_parameters()}
    persistent = {w.name for w in model.weights.values() if w.kind == "buffer" and w.persistent}
    kept = {n for n, _ in module.named_buffers()} & set(module.state_dict())
    assert persistent <= kept


@pytest.mark.parametrize("name", ["lstm_classifier", "llama", "bert", "gpt2", "llama_hf"])
def test_a_batch_of_one_token(name):
    """The smallest input, which `torch.export` would fix and model code likes to treat apart."""
    model = zoo(name)
    inputs = model.make_inputs(1, 1, 0)
    wanted = list(fixtures.zoo.base.outputs_by_name(model(inputs)).values())[0]
    for target in ("torch", "onnx"):
        found = next(iter(converter.run(converted(name, target).path, inputs).values()))
        torch.testing.assert_close(torch.from_numpy(found.copy()), wanted, msg=lambda m, t=target: f"{t}: {m}")
