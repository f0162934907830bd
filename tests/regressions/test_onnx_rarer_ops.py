"""ONNX operators in forms that have no counterpart elsewhere, to both targets, run apart from the source."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest

import converter
from converter.runtimes.base import RuntimeFailure
from tests.importers.onnx.models import FLOAT, INT64, floats, model, node, runtime
from tests.importers.onnx.test_recurrent import layer

INT32 = onnx.TensorProto.INT32
TARGETS = pytest.mark.parametrize("to", ["onnx", "torch"])
IMAGE: Any = ("x", FLOAT, ["n", 3, "h", "w"])


def converted(proto: onnx.ModelProto, to: str, folder: Path) -> Path:
    target = folder / ("model.onnx" if to == "onnx" else "model")
    path: Path = converter.convert(proto, to, target, framework="onnx", verify=False).path
    return path


def same(proto: onnx.ModelProto, to: str, folder: Path, *runs: dict[str, np.ndarray]) -> None:
    """The converted model gives what ONNX Runtime makes of the source, at every size."""
    path = converted(proto, to, folder)
    for inputs in runs:
        for found, want in zip(converter.run(path, inputs).values(), runtime(proto, inputs), strict=True):
            assert found.shape == want.shape and found.dtype == want.dtype
            np.testing.assert_allclose(found, want, rtol=1e-4, atol=1e-5)


@TARGETS
@pytest.mark.parametrize("kind", ["LSTM", "GRU", "RNN"])
def test_recurrent_layers_of_any_length(kind: str, to: str, tmp_path: Path) -> None:
    options: dict[str, Any] = {
        "LSTM": {"peephole": True, "outputs": "y h c", "states": True, "lengths": (4, 2), "input_forget": 1},
        "GRU": {"clip": 0.4, "direction": "bidirectional", "states": True},
        "RNN": {
            "activations": ["Affine", "LeakyRelu"], "direction": "bidirectional", "activation_alpha": [0.5, 0.1],
            "activation_beta": [0.2], "lengths": (2, 4),
        },
    }[kind]  # fmt: skip
    proto, inputs = layer(kind, **options)
    proto.graph.input[0].type.tensor_type.shape.dim[0].dim_param = "time"
    same(proto, to, tmp_path, inputs, {**inputs, "x": floats(7, 2, 2, seed=9)})


@TARGETS
def test_grouped_attention_at_every_step(to: str, tmp_path: Path) -> None:
    """One model for the prompt, for single steps of unlike lengths, and for a prompt that goes on."""
    size, heads = 16, {"num_heads": 4, "kv_num_heads": 2}
    angles = np.random.default_rng(0).uniform(0, 6, (16, size // 2)).astype(np.float32)
    made = node("GroupQueryAttention", "q k v pk pv n t c s", "y ok ov", domain="com.microsoft", do_rotary=1, **heads)
    declared = [(n, FLOAT, ["b", "l", 4 * size if n == "q" else 2 * size]) for n in "qkv"]
    declared += [(n, FLOAT, ["b", 2, "p", size]) for n in ("pk", "pv")] + [("n", INT32, ["b"]), ("t", INT32, [])]
    stored = {"c": np.cos(angles), "s": np.sin(angles)}
    proto = model([made], declared, ["y", "ok", "ov"], stored, domains=[("com.microsoft", 1)])
    runs = []
    for batch, length, past, seen, total in ((2, 3, 0, [2, 2], 3), (2, 1, 4, [2, 4], 5), (1, 3, 4, [6], 7)):
        run = {
            "q": floats(batch, length, 4 * size),
            "k": floats(batch, length, 2 * size, seed=1),
            "v": floats(batch, length, 2 * size, seed=2),
        }
        run |= {"pk": floats(batch, 2, past, size, seed=3), "pv": floats(batch, 2, past, size, seed=4)}
        runs.append({**run, "n": np.array(seen, np.int32), "t": np.array(total, np.int32)})
    same(proto, to, tmp_path, *runs)


@TARGETS
def test_maxima_go_back_to_their_places(to: str, tmp_path: Path) -> None:
    nodes = [
        node("MaxPool", "x", "y i", kernel_shape=[2, 2], strides=[2, 2]),
        node("MaxUnpool", "y i", "z", kernel_shape=[2, 2], strides=[2, 2]),
    ]
    same(
        model(nodes, [IMAGE], ["y", "i@INT64", "z"]), to, tmp_path, {"x": floats(2, 3, 6, 8)}, {"x": floats(1, 3, 4, 4)}
    )


@TARGETS
def test_positions_of_a_pytorch_layer(to: str, tmp_path: Path) -> None:
    """`return_indices=True` stays the layer's."""
    torch = pytest.importorskip("torch")
    net = torch.nn.Sequential(torch.nn.MaxPool2d(3, stride=2, padding=1, return_indices=True, ceil_mode=True)).eval()
    x = torch.randn(2, 3, 9, 8, generator=torch.Generator().manual_seed(0))
    target = tmp_path / ("model.onnx" if to == "onnx" else "model")
    path = converter.convert(net, to, target, inputs=(x,), verify=False).path
    found = converter.run(path, {"input": x.numpy()})
    for got, want in zip(found.values(), net(x), strict=True):
        np.testing.assert_array_equal(got, want.numpy())
    if to == "torch":
        assert "return_indices=True" in (path / "model.py").read_text("utf-8")


@TARGETS
def test_factors_and_regions_that_the_run_tells(to: str, tmp_path: Path) -> None:
    scaled = model([node("Resize", "x _ s", "y", mode="linear")], [IMAGE, ("s", FLOAT, [4])], ["y"])
    runs = [{"x": floats(2, 3, 6, 8), "s": np.float32([1, 1, *f])} for f in ((1.5, 2), (0.5, 3))]
    same(scaled, to, tmp_path / "a", *runs)
    crop = node(
        "Resize",
        "x r _ z",
        "y",
        mode="cubic",
        coordinate_transformation_mode="tf_crop_and_resize",
        extrapolation_value=2.0,
    )
    proto = model([crop], [IMAGE, ("r", FLOAT, [8]), ("z", INT64, [4])], ["y"])
    region = np.float32([0, 0, 0.1, -0.2, 1, 1, 0.8, 0.7])
    same(proto, to, tmp_path / "b", {"x": floats(2, 3, 6, 8), "r": region, "z": np.array([2, 3, 4, 5])})


@TARGETS
def test_squeezing_a_size_that_may_be_one(to: str, tmp_path: Path) -> None:
    """At size 1 the result would have another rank: the converted model stops there and says what it needs."""
    proto = model([node("Squeeze", "x", "y")], [("x", FLOAT, ["n", 1, 3])], ["y"])
    path = converted(proto, to, tmp_path)
    assert converter.run(path, {"x": floats(2, 1, 3)})["y"].shape == (2, 3)
    with pytest.raises(RuntimeFailure, match="needs n >= 2"):
        converter.run(path, {"x": floats(1, 1, 3)})
