"""all-MiniLM-L6-v2 with its trained weights: the sentence embeddings survive every conversion."""

import numpy as np
import pytest

import converter
from fixtures.zoo import minilm
from tests.models.zoo import FOLDER

pytestmark = [pytest.mark.models, pytest.mark.skipif(minilm.find() is None, reason=minilm.MISSING)]


@pytest.fixture(scope="module")
def model():
    return minilm.load()


@pytest.fixture(scope="module")
def paths(model):
    specs = model.spec_strings
    onnx = converter.convert(model.module, "onnx", f"{FOLDER.name}/minilm.onnx", specs)
    torch = converter.convert(model.module, "torch", f"{FOLDER.name}/minilm", specs)
    back = converter.convert(onnx.path, "torch", f"{FOLDER.name}/minilm_back")
    for conversion in (onnx, torch, back):
        assert conversion.report.verification.verdict == "equal", conversion.report.verification.summary()
    return {"onnx": onnx.path, "torch": torch.path, "back": back.path}


@pytest.mark.parametrize("route", ["onnx", "torch", "back"])
@pytest.mark.parametrize("count", [1, 2, 3])
def test_sentence_embeddings_agree(model, paths, route, count):
    inputs = minilm.tokenize(minilm.SENTENCES[:count])
    expected = model(inputs).numpy()
    got = next(iter(converter.run(paths[route], inputs).values()))
    assert np.abs(got - expected).max() < 1e-5
    if count == 3:
        similar, other = got[0] @ got[1], got[0] @ got[2]
        assert similar > other + 0.2, "meals are nearer to bread than to the stock market"
