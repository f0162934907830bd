"""Structure, versions, training and errors, as users of other converters reported them. Each test names its report.

Reported cases that concern Keras, TensorFlow or Theano only, or a GPU, and wait for those:

| case | waits for |
|---|---|
| a transpose around every convolution (onnx-tensorflow#782) | Keras, TensorFlow; here: `test_no_transpose_around_convolutions` |
| NDHWC volumes (onnx2tf#103, tf2onnx#1464) | Keras and TensorFlow |
| a TensorFlow ViT that kept 0.6 of 85.8 million trainable parameters | TensorFlow; here: `test_parameters_stay_trainable` |
| an RNN of Keras baked to one length (keras PR 23058) | Keras; PyTorch's layers are in test_facts_values.py |
| GatherND of rank 5 and ScatterND on WebGPU (onnxruntime#32731, #24070) | GPU runtimes; the CPU is in test_facts_indices.py |
"""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
import torch
from torch import Tensor, nn

import converter
from converter.exporters.base import ExportOptions
from converter.exporters.onnx import write
from converter.runtimes.onnxruntime import OnnxRunner
from tests.importers.onnx.models import FLOAT, INT64, floats, model, node, op_names
from tests.regressions.facts import flat, kept
from tests.regressions.routes import same_everywhere
from tests.regressions.test_facts_values import module


@pytest.fixture(autouse=True)
def seeded() -> None:
    torch.manual_seed(0)


# -- layout -----------------------------------------------------------------------------------------------------------
def test_no_transpose_around_convolutions() -> None:
    """onnx-tensorflow#782: convolutions stay in the layout they have."""
    net = nn.Sequential(
        nn.Conv2d(3, 4, 3), nn.ReLU(), nn.Conv2d(4, 4, 3, padding=1), nn.BatchNorm2d(4), nn.MaxPool2d(2)
    )
    x = torch.randn(1, 3, 8, 8)
    kept(net, (x,), (x,))
    proto = converter.convert(net, "onnx", inputs=(x,), verify=False).load()
    assert "Transpose" not in {n.op_type for n in proto.graph.node}
    conversion = converter.convert(proto, "torch", verify=False)  # kept: its folder goes with it
    assert not any(word in (conversion.path / "model.py").read_text() for word in ("permute", "transpose"))


def test_equal_sizes_leave_no_guess() -> None:
    """onnx2tf#15: with all sizes 3 nothing tells channels from height and width."""
    net = nn.Sequential(nn.Conv2d(3, 3, 2, padding=(0, 1)), nn.BatchNorm2d(3), nn.Conv2d(3, 3, (2, 1)), nn.Softmax(1))
    x = torch.randn(3, 3, 3, 3)
    kept(net, (x,), (x,))


def test_channel_shuffle_in_five_axes() -> None:
    """onnx2tf#103: groups are swapped in a tensor of five axes."""

    def shuffled(m: nn.Module, x: Tensor) -> Tensor:
        n, c, h, w = x.shape
        return m.conv(x).view(n, 2, c // 2, h, w).transpose(1, 2).reshape(n, c, h, w)

    x = torch.randn(2, 4, 4, 4)
    kept(module(shuffled, conv=nn.Conv2d(4, 4, 1, groups=2)), (x,), (x,))


def test_patches_as_tokens_and_back() -> None:
    """tf2onnx#1464, onnx2tf#15: the transposes of a ViT have three axes, of which none is an image's."""

    def tokens(m: nn.Module, x: Tensor) -> Tensor:
        y = m.patch(x).flatten(2).transpose(1, 2)
        y = y + m.mix(m.norm(y)).transpose(1, 2).transpose(1, 2)
        return y.transpose(1, 2).reshape(x.shape[0], 4, 2, 2)

    parts: Any = {"patch": nn.Conv2d(3, 4, 2, 2), "norm": nn.LayerNorm(4), "mix": nn.Linear(4, 4)}
    x = torch.randn(2, 3, 4, 4)
    kept(module(tokens, **parts), (x,), (x,))


# -- versions ---------------------------------------------------------------------------------------------------------
def _old(op: str) -> onnx.ModelProto:
    """The op as opset 7 spells it."""
    stored = {k: np.abs(floats(3, seed=i)) + 1 for i, k in enumerate("sbmv")}
    made: dict[str, tuple[Any, dict[str, Any]]] = {
        "Dropout": (node("Dropout", "x", "y", ratio=0.9), {}),
        "BatchNormalization": (node("BatchNormalization", "x s b m v", "y", momentum=0.8), stored),
        "Slice": (node("Slice", "x", "y", axes=[2, 1], starts=[1, -2], ends=[1000, 3]), {}),
        "Upsample": (node("Upsample", "x", "y", mode="nearest", scales=[1.0, 1.0, 2.0, 3.0]), {}),
        "Transpose": (node("Transpose", "x", "y"), {}),
    }
    return model([made[op][0]], [("x", FLOAT, [2, 3, 4, 5])], ["y"], made[op][1], opset=7)


@pytest.mark.parametrize("op", ["Dropout", "BatchNormalization", "Slice", "Upsample", "Transpose"])
def test_old_files_come_out_new(op: str) -> None:
    """Dropout 7, BatchNormalization 7, Slice 1, Upsample 7 (9 in test_opsets.py), Transpose 1: read, and written at 21
    and later."""
    same_everywhere(_old(op), {"x": floats(2, 3, 4, 5)}, opsets=(13, 21, 24))


def test_transpose_of_opset_21() -> None:
    for perm in ({}, {"perm": [2, 0, 1]}):
        proto = model([node("Transpose", "x", "y", **perm)], [("x", FLOAT, [2, 3, 4])], ["y"], opset=21)
        same_everywhere(proto, {"x": floats(2, 3, 4)}, opsets=(13, 21))


# -- training ---------------------------------------------------------------------------------------------------------
def test_parameters_stay_trainable() -> None:
    """Through ONNX and back, every parameter is one: as many, as large, as trainable."""
    net = nn.Sequential(nn.Linear(4, 8), nn.GELU(), nn.LayerNorm(8), nn.Linear(8, 2))
    net[0].bias.requires_grad_(False)
    proto = converter.convert(net, "onnx", inputs=("float32[b,4]",), verify=False).load()
    back = converter.convert(proto, "torch", verify=False).load()

    def sizes(m: nn.Module) -> list[tuple[tuple[int, ...], bool]]:
        return sorted((tuple(p.shape), p.requires_grad) for p in m.parameters())

    assert sizes(back) == sizes(net)
    back.train()(torch.randn(3, 4)).sum().backward()
    assert all((p.grad is not None) == p.requires_grad for p in back.parameters())


def test_a_model_without_parameters() -> None:
    """onnx2torch#132: nothing to train, nothing to store."""
    net, x = module(lambda m, x: x.relu() + 1), torch.randn(2, 3)
    kept(net, (x,), (x,))
    assert not list(converter.convert(net, "torch", inputs=(x,), verify=False).load().parameters())


# -- structures -------------------------------------------------------------------------------------------------------
def test_dict_in_dict_out() -> None:
    """pytorch#84257, #102084: names and nesting stay."""

    class Nested(nn.Module):
        def forward(self, batch: dict[str, Any]) -> dict[str, Any]:
            return {"sum": batch["a"] + batch["more"][0], "parts": (batch["a"], {"b": batch["more"][1] * 2})}

    given = {"a": torch.randn(2), "more": [torch.randn(2), torch.randn(3)]}
    want = Nested()(given)
    package = converter.convert(Nested(), "torch", inputs=(given,), verify=False).load()
    found = package(given)
    assert list(found) == ["sum", "parts"] and isinstance(found["parts"], tuple)
    torch.testing.assert_close(found, want)
    written = converter.convert(Nested(), "onnx", inputs=(given,), verify=False)
    names = ("batch.a", "batch.more.0", "batch.more.1")
    results = converter.run(written.path, dict(zip(names, (t.numpy() for t in flat(given)))))
    assert list(results) == ["sum", "parts.0", "parts.1.b"]
    np.testing.assert_allclose(results["parts.1.b"], want["parts"][1]["b"].numpy())


def test_an_initial_state_of_any_batch() -> None:
    """`initial_h` computed for the batch at hand, not for the example's."""

    def start(m: nn.Module, x: Tensor) -> tuple[Tensor, Tensor]:
        h = m.first.expand(1, x.shape[0], 4).contiguous()
        return m.gru(x, h)

    net = module(start, gru=nn.GRU(3, 4, batch_first=True))
    net.register_parameter("first", nn.Parameter(torch.randn(1, 1, 4)))
    kept(net, ("float32[b,5,3]",), *((torch.randn(b, 5, 3),) for b in (2, 1, 4)))


@pytest.mark.parametrize("trips", [0, 1, 3])
def test_a_loop_of_two_scan_outputs(trips: int) -> None:
    """Each trip adds a row to either result; none ran: both are empty."""
    info = onnx.helper.make_tensor_value_info
    body = onnx.helper.make_graph(
        [node("Mul", "s s", "square"), node("Add", "s one", "next"), node("Identity", "c", "go"), node("Neg", "s", "minus")],
        "body",
        [info("i", INT64, []), info("c", onnx.TensorProto.BOOL, []), info("s", FLOAT, [2])],
        [info("go", onnx.TensorProto.BOOL, []), info("next", FLOAT, [2]), info("square", FLOAT, [2]), info("minus", FLOAT, [2])],
        [onnx.numpy_helper.from_array(np.ones(1, np.float32), "one")],
    )  # fmt: skip
    made = node("Loop", "n _ x", "last squares negatives", body=body)
    proto = model([made], [("n", INT64, []), ("x", FLOAT, [2])], ["last", "squares", "negatives"])
    same_everywhere(proto, {"n": np.array(trips), "x": floats(2)})


def test_quantisation_of_each_channel() -> None:
    """A weight with a scale a channel, dequantised where it is used."""
    stored = {
        "q": np.arange(-6, 6, dtype=np.int8).reshape(3, 4), "s": np.array([0.5, 0.1, 2], np.float32),
        "z": np.array([0, 1, -3], np.int8), "u": np.float32(0.1), "o": np.uint8(7),
    }  # fmt: skip
    nodes = [
        node("QuantizeLinear", "x u o", "i"), node("DequantizeLinear", "i u o", "d"),
        node("DequantizeLinear", "q s z", "w", axis=0), node("Gemm", "d w", "y", transB=1),
    ]  # fmt: skip
    same_everywhere(model(nodes, [("x", FLOAT, [2, 4])], ["y"], stored), {"x": floats(2, 4)})


def test_a_parameter_of_rank_0_in_bfloat16() -> None:
    net = module(lambda m, x: x * m.scale)
    net.register_parameter("scale", nn.Parameter(torch.tensor(1.7).bfloat16()))
    x = torch.randn(3).bfloat16()
    kept(net, (x,), (x,))


def test_weights_in_a_file_of_their_own(tmp_path: Path) -> None:
    """External data (past 2 GB in tests/exporters/onnx/test_files.py): written, found again, and refused when gone."""
    net, x = nn.Linear(64, 64), torch.randn(2, 64)
    path = tmp_path / "m.onnx"
    write(converter.load(net, inputs=(x,)), path, ExportOptions(external_data=True))
    (data,) = [p for p in tmp_path.iterdir() if p != path]
    assert data.stat().st_size >= 64 * 64 * 4 > path.stat().st_size
    (got,) = OnnxRunner(path)({"input": x.numpy()}).values()
    np.testing.assert_allclose(got, net(x).detach().numpy(), rtol=1e-4, atol=1e-5)
    data.unlink()
    with pytest.raises(converter.ConversionError, match=data.name):
        converter.load(path)


def test_no_empty_file_is_left(tmp_path: Path) -> None:
    """pytorch#19277: what fails writes nothing, and what is written is not empty."""

    class Fails(nn.Module):
        def forward(self, x: Tensor) -> Tensor:
            return torch.ops.aten.special_airy_ai(x)

    target = tmp_path / "m.onnx"
    with pytest.raises(converter.ConversionError):
        converter.convert(Fails(), "onnx", target, (torch.randn(2),))
    assert not list(tmp_path.iterdir())
    converter.convert(module(lambda m, x: x + 1), "onnx", target, (torch.randn(2),), verify=False)
    assert len(onnx.load(target).graph.node) == 1


def test_cost_grows_with_the_number_of_nodes() -> None:
    """pytorch#121422: twice the nodes are twice the work, counted in calls and not in seconds."""

    def calls(count: int) -> int:
        nodes = [node("Relu" if i % 2 else "Neg", f"v{i}", f"v{i + 1}") for i in range(count)]
        proto = model(nodes, [("v0", FLOAT, [2])], [f"v{count}"])
        seen = 0

        def count_call(frame: Any, event: str, argument: Any) -> None:
            nonlocal seen
            seen += event == "call"

        previous = sys.getprofile()
        sys.setprofile(count_call)
        try:
            converter.convert(proto, "onnx", verify=False)
        finally:
            sys.setprofile(previous)
        return seen

    calls(4)
    small, large = calls(100), calls(200)
    assert large < 2.3 * small


# -- errors -----------------------------------------------------------------------------------------------------------
def test_sizes_have_names_in_errors() -> None:
    """litert-torch#685: no sentinel number stands for a size."""
    proto = model([node("Add", "x y", "z")], [("x", FLOAT, ["batch", 3]), ("y", FLOAT, ["batch", 4])], ["z"])
    with pytest.raises(converter.ConversionError) as caught:
        converter.load(proto)
    assert "sizes 3 and 4 differ" in str(caught.value)
    assert not any(word in str(caught.value) for word in ("-1", "9223372036854775807", "None"))
    run = model([node("Relu", "x", "y")], [("x", FLOAT, ["batch", 3])], ["y"])
    with pytest.raises(converter.ConversionError, match=r"batch, 3"):
        converter.run(run, {"x": floats(2, 4)})


def test_refusals_point_at_the_line() -> None:
    """coremltools#1684, pytorch#90169: the user's own line, and every op at once."""

    class Two(nn.Module):
        def forward(self, x: Tensor) -> Tensor:
            y = torch.ops.aten.special_airy_ai(x)  # the first
            return y + torch.ops.aten.special_airy_ai(y)

    with pytest.raises(converter.ConversionError) as caught:
        converter.convert(Two(), "onnx", inputs=(torch.randn(2),))
    (found,) = caught.value.unsupported
    line = next(i for i, text in enumerate(Path(__file__).read_text().splitlines(), 1) if text.endswith("# the first"))
    assert found.count == 2 and f"{Path(__file__).name}:{line}" in found.place


def test_names_of_ops_are_those_of_the_file() -> None:
    """A refusal names the op, its version and its place in the file."""
    made = onnx.helper.make_node("StringNormalizer", ["x"], ["y"], name="clean/up")
    with pytest.raises(converter.ConversionError) as caught:
        converter.load(model([made], [("x", FLOAT, [2])], ["y"]))
    assert "first at clean" in str(caught.value) and "StringNormalizer-10" in str(caught.value)
    assert op_names(converter.load(model([node("Relu", "x", "y")], [("x", FLOAT, [2])], ["y"]))) == ["relu"]
