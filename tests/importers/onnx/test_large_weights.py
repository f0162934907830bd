"""Large initialisers stay in the file: their bytes are the same, and never all in memory."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper

import converter
from converter import UsageError
from converter.importers.onnx.reader import open_source
from converter.importers.onnx.wire import LARGE, without_weights
from ir.data import Mapped
from ir.eval import Evaluator

SIDE = 256
RNG = np.random.default_rng(0)
WEIGHTS = {
    "w0": RNG.standard_normal((SIDE, SIDE)).astype(np.float32),
    "small": RNG.standard_normal(SIDE).astype(np.float32),
    "mask": RNG.integers(0, 2, (SIDE, SIDE)).astype(np.bool_),
    "w1": RNG.standard_normal((SIDE, SIDE)),
    "half": RNG.standard_normal((SIDE, SIDE)).astype(np.float16),
}


def model(order: list[str] | None = None) -> onnx.ModelProto:
    """A model that reads every weight: a row of each, cast and summed up."""
    names = order or list(WEIGHTS)
    nodes = [helper.make_node("Cast", [n], [f"{n}_cast"], to=TensorProto.FLOAT) for n in names]
    nodes += [helper.make_node("Sum", ["x", *(f"{n}_cast" for n in names)], ["y"])]
    graph = helper.make_graph(
        nodes, "net", [helper.make_tensor_value_info("x", TensorProto.FLOAT, [SIDE, SIDE])],
        [helper.make_tensor_value_info("y", TensorProto.FLOAT, [SIDE, SIDE])],
        [numpy_helper.from_array(WEIGHTS[n], n) for n in names],
    )  # fmt: skip
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 20)], ir_version=10)


def loaded(source: Any) -> np.ndarray:
    return Evaluator("exact").run(converter.load(source), {"x": np.zeros((SIDE, SIDE), np.float32)})["y"]


@pytest.mark.parametrize("start", range(4))
def test_the_bytes_are_the_same_wherever_they_lie(tmp_path: Path, start: int) -> None:
    names = [*list(WEIGHTS)[start:], *list(WEIGHTS)[:start]]
    proto = model(names)
    proto.producer_name = "p" * start  # other alignments
    path = tmp_path / "model.onnx"
    onnx.save(proto, str(path))
    data = path.read_bytes()
    opened = open_source(path)
    assert [names[i] for i in opened.payloads] == [n for n in names if WEIGHTS[n].nbytes >= LARGE]
    assert all(p.read().tobytes() == WEIGHTS[names[i]].tobytes() for i, p in opened.payloads.items())
    assert len(opened.model.SerializeToString()) < LARGE
    expected = loaded(proto)
    np.testing.assert_array_equal(loaded(path), expected)
    np.testing.assert_array_equal(loaded(data), expected)
    imported = converter.load(path)
    for name, array in WEIGHTS.items():
        weight = next(w for w in imported.weights.values() if w.name == name)
        np.testing.assert_array_equal(weight.data.numpy(), array)


def test_aligned_bytes_are_mapped(tmp_path: Path) -> None:
    kinds = set()
    for pad in range(4):
        proto = model(["w0"])
        proto.producer_name = "p" * pad
        onnx.save(proto, str(tmp_path / f"{pad}.onnx"))
        kinds.add(type(converter.load(tmp_path / f"{pad}.onnx").weights["w0"].data) is Mapped)
    assert kinds == {True, False}


def test_only_what_is_left_out_changes(tmp_path: Path) -> None:
    """Putting the bytes back gives the message that was there."""
    proto = model()
    data = proto.SerializeToString()
    text, payloads = without_weights(data, memoryview(data))
    back = onnx.ModelProto.FromString(text)
    for i, payload in payloads.items():
        assert back.graph.initializer[i].HasField("raw_data") and not back.graph.initializer[i].raw_data
        back.graph.initializer[i].raw_data = payload.read().tobytes()
    assert back == proto


def test_a_file_that_ends_early_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "model.onnx"
    data = model().SerializeToString()
    for end in (len(data) - 1, len(data) // 2, 100):
        path.write_bytes(data[:end])
        with pytest.raises(UsageError, match="truncated"):
            converter.load(path)


def test_bytes_that_do_not_fit_the_shape_are_refused(tmp_path: Path) -> None:
    proto = model(["w0"])
    proto.graph.initializer[0].dims[0] = SIDE + 1
    path = tmp_path / "model.onnx"
    onnx.save(proto, str(path))
    with pytest.raises(UsageError, match="bytes are there"):
        converter.load(path)
