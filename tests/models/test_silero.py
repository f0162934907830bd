"""Silero's voice activity detector: its six ONNX forms and its TorchScript form to PyTorch source, each against the
source chunk after chunk with the state carried, and one against another where they hold the same network."""

from __future__ import annotations

import functools
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

import converter
from fixtures.zoo import silero
from fixtures.zoo.silero import Form, speech, with_context
from tests.models.zoo import FOLDER

pytestmark = [pytest.mark.models, pytest.mark.skipif(silero.find() is None, reason=silero.MISSING)]
CHUNKS = 40
FORMS = {str(form): form for form in silero.FORMS}


@functools.cache
def converted(name: str) -> Any:
    """The live module of a form's package."""
    form = FORMS[name]
    conversion = converter.convert(source(form), "torch", f"{FOLDER.name}/{name.replace(' ', '_')}", form.inputs)
    assert conversion.report.verification.verdict == "equal", conversion.report.verification.summary()
    return conversion.load()


def source(form: Form) -> Path:
    folder = silero.find()
    assert folder is not None
    return folder / form.file


def probabilities(form: Form, call: Callable[..., Any]) -> np.ndarray:
    """A form's answer to each chunk, its state carried: float64[CHUNKS]. `call` takes and gives arrays."""
    chunks = speech(form.rate, CHUNKS)
    if form.file.endswith(".jit"):
        return np.array([float(np.asarray(call(chunk)).reshape(())) for chunk in chunks])
    chunks = with_context(form.rate, chunks)
    if "h" in form.inputs:
        nothing = np.zeros((1, 1, 128), np.float32)
        return np.asarray(call(chunks[:, 0], nothing, nothing)[0], np.float64).reshape(-1)
    state, found = np.zeros((2, 1, 128), np.float32), []
    for chunk in chunks:
        output, state = call(chunk, state)
        found.append(float(output.reshape(())))
    return np.array(found)


def of_package(name: str) -> np.ndarray:
    """The emitted module's probabilities."""
    form, module = FORMS[name], converted(name)
    order = [n for n in form.inputs if n != "sr"]
    fixed = {"sr": form.rate} if "sr" in form.inputs else {}
    start = {n: b.clone() for n, b in module.named_buffers()}

    def call(*arrays: np.ndarray) -> Any:
        first = "input_" if order[0] == "input" else order[0]
        given = {first: torch.from_numpy(arrays[0]), **{n: torch.from_numpy(a) for n, a in zip(order[1:], arrays[1:], strict=True)}}
        with torch.no_grad():
            out = module(**given, **fixed)
        return out.numpy() if isinstance(out, torch.Tensor) else tuple(t.numpy() for t in out)

    try:
        return probabilities(form, call)
    finally:
        for n, buffer in module.named_buffers():
            buffer.copy_(start[n])


def of_source(name: str) -> np.ndarray:
    """The same from the file itself: TorchScript's own interpreter, or ONNX Runtime."""
    form = FORMS[name]
    if form.file.endswith(".jit"):
        program = torch.jit.load(str(source(form)))
        with torch.no_grad():
            return probabilities(form, lambda chunk: program(torch.from_numpy(chunk), form.rate))
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.log_severity_level = 4
    session = onnxruntime.InferenceSession(str(source(form)), options)
    order = [n for n in form.inputs if n != "sr"]
    fixed = {"sr": np.array(form.rate, np.int64)} if "sr" in form.inputs else {}
    return probabilities(form, lambda *arrays: session.run(None, {**dict(zip(order, arrays, strict=True)), **fixed}))


@pytest.mark.parametrize("name", FORMS)
def test_each_form_follows_its_source(name: str) -> None:
    found = of_package(name)
    assert np.abs(found - of_source(name)).max() < 2e-5
    assert found.std() > 0.02, "the probabilities move: the input is heard"


@pytest.mark.parametrize("network", ["16k", "8k"])
def test_forms_of_one_network_agree(network: str) -> None:
    found = {name: of_package(name) for name, form in FORMS.items() if form.network == network}
    assert len(found) == {"16k": 6, "8k": 2}[network]
    reference = found[next(iter(found))]
    for name, other in found.items():
        assert np.abs(other - reference).max() < 2e-5, name


def test_the_program_to_onnx() -> None:
    """State in attributes becomes inputs with initial values, and outputs."""
    import onnxruntime

    form = FORMS["silero_vad.jit at 16000"]
    path = converter.convert(source(form), "onnx", f"{FOLDER.name}/silero.onnx", form.inputs).path
    session = onnxruntime.InferenceSession(str(path))
    assert [i.name for i in session.get_inputs()] == ["x"]
    state: dict[str, np.ndarray] = {}
    found = []
    for chunk in speech(form.rate, CHUNKS):
        output, context, memory = session.run(["output", "_context.next", "_state.next"], {"x": chunk, **state})
        state = {"_context": context, "_state": memory}
        found.append(float(output.reshape(())))
    assert np.abs(np.array(found) - of_source("silero_vad.jit at 16000")).max() < 2e-5


def test_another_rate_is_refused_by_what_is_written() -> None:
    with pytest.raises(ValueError, match="converted for sr=16000"):
        converted("silero_vad.jit at 16000")(torch.zeros(1, 512), 8000)
