"""The ONNX fixtures agree with ONNX Runtime at several sizes; bad files end in one clear line."""

from __future__ import annotations

import random
from pathlib import Path

import numpy as np
import pytest
from onnx import ModelProto

from converter.errors import ConversionError, UsageError
from converter.importers.onnx import load
from fixtures import hostile
from fixtures.onnx import build as files
from fixtures.onnx import storage
from ir.eval import Evaluator
from ir.verify import check
from tests.importers.onnx.models import runtime

SIZES = ({}, {"batch": 5, "time": 2, "length": 3, "n": 4, "N": 3})


@pytest.mark.parametrize("name", files.NAMES)
def test_fixture_agrees(name: str) -> None:
    proto = files.build(name)
    if name == "lstm_peephole":
        unclipped(proto)
    model = load(proto)
    check(model)
    for sizes in SIZES:
        inputs = files.inputs(name, seed=2, sizes=sizes)
        found = Evaluator("exact").run(model, inputs)
        for (key, got), want in zip(found.items(), runtime(proto, inputs), strict=True):
            assert (got.shape, got.dtype) == (want.shape, want.dtype), key
            np.testing.assert_allclose(
                got.astype(np.float64), want.astype(np.float64), rtol=1e-4, atol=1e-5, err_msg=key
            )


def unclipped(proto: ModelProto) -> None:
    """Take the clip out: ONNX Runtime applies it to the gates only, the import to the cell too, and says so."""
    assert any("clip" in note for note in load(proto).notes)
    (layer,) = [n for n in proto.graph.node if n.op_type == "LSTM"]
    kept = [a for a in layer.attribute if a.name != "clip"]
    assert len(kept) < len(layer.attribute)
    del layer.attribute[:]
    layer.attribute.extend(kept)


def test_every_storage_form() -> None:
    """Also the kinds that ONNX Runtime does not load."""
    proto, expected = storage.storage_forms(runnable=False), storage.storage_expected(runnable=False)
    found = Evaluator("exact").run(load(proto), {})
    assert found.keys() == expected.keys()
    for name, want in expected.items():
        assert found[name].dtype == want.dtype, name
        assert found[name].tobytes() == np.ascontiguousarray(want).tobytes(), name


def test_constants_of_every_kind() -> None:
    found = Evaluator("exact").run(load(storage.constant_nodes()), {})
    for kind, (_, want) in storage.constants().items():
        np.testing.assert_array_equal(found[f"{kind}_out"], want)
        assert found[f"{kind}_out"].dtype == want.dtype


def test_external_data_is_mapped(tmp_path: Path) -> None:
    model, plain = load(storage.write_external(tmp_path)), load(storage.linear_net())
    kinds = {name: type(w.data).__name__ for name, w in model.weights.items()}
    assert kinds == {"fc1.weight": "Mapped", "fc1.bias": "Array", "fc2.weight": "Mapped"}
    for name, weight in plain.weights.items():
        np.testing.assert_array_equal(model.weights[name].data.numpy(), weight.data.numpy())


@pytest.fixture(scope="module")
def bad_files(tmp_path_factory: pytest.TempPathFactory) -> dict[str, hostile.Hostile]:
    return hostile.write_all(tmp_path_factory.mktemp("hostile"))


ONNX_FILES = (
    "truncated", "empty", "garbage", "folder_named_onnx", "external_missing", "external_short", "external_offset",
    "external_length", "external_escape", "external_absolute", "external_symlink", "oversized", "negative_dim", "cyclic",
    "undefined_input", "duplicate_values", "duplicate_initializers", "missing_output", "recursive_function",
    "unknown_domain", "future_opset", "no_opset", "old_opset", "string_tensor",
)  # fmt: skip


@pytest.mark.parametrize("name", ONNX_FILES)
def test_bad_file(name: str, bad_files: dict[str, hostile.Hostile]) -> None:
    item = bad_files[name]
    with pytest.raises(ConversionError) as caught:
        load(item.path)
    if item.verdict == "unreadable":
        assert isinstance(caught.value, UsageError)
        assert "\n" not in str(caught.value)
    elif item.verdict == "unsupported":
        assert not isinstance(caught.value, UsageError)
    assert not item.did_harm()


def test_bytes_have_no_folder() -> None:
    proto = storage.linear_net()
    proto.graph.initializer[0].data_location = 1
    proto.graph.initializer[0].external_data.add(key="location", value="weights.bin")
    with pytest.raises(UsageError, match=r"give the path of the \.onnx file"):
        load(proto.SerializeToString())


def test_truncation_anywhere_is_an_error_or_the_whole_model() -> None:
    data = files.build("cnn_opset13").SerializeToString()
    for end in range(0, len(data), max(1, len(data) // 60)):
        with pytest.raises(ConversionError):
            load(data[:end])


def _damaged(data: bytes, rng: random.Random) -> bytes:
    out = bytearray(data)
    for _ in range(rng.choice((1, 1, 2, 4))):
        place = rng.randrange(len(out))
        if rng.random() < 0.8:
            out[place] = rng.randrange(256)
        else:
            del out[place : place + rng.randrange(1, 6)]
    return bytes(out)


@pytest.mark.parametrize("name", ["cnn_opset13", "shapes_opset7", "loop", "functions", "lstm", "shape_arithmetic"])
def test_damaged_files_end_in_our_errors(name: str) -> None:
    """Random bytes changed: a model, or a ConversionError; nothing else."""
    data, rng = files.build(name).SerializeToString(), random.Random(name)
    refused = 0
    for _ in range(250):
        try:
            load(_damaged(data, rng))
        except ConversionError:
            refused += 1
    assert refused > 100
