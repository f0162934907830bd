"""Wrong numbers that users of other converters got without an error. Each test names the report it comes from."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn

import converter
from tests.importers.onnx.models import FLOAT, floats, model, node
from tests.regressions.facts import kept
from tests.regressions.routes import same_everywhere


@pytest.fixture(autouse=True)
def seeded() -> None:
    torch.manual_seed(0)


def module(forward: Any, **parts: nn.Module) -> nn.Module:
    """A module of this `forward`."""
    made: nn.Module = type("Does", (nn.Module,), {"forward": forward})()
    for name, part in parts.items():
        made.add_module(name, part)
    return made


@pytest.mark.parametrize("before", [0, 1])
def test_gru_keeps_its_reset_convention(before: int) -> None:
    """microsoft/onnxscript#2852, tf2onnx#939: the reset gate applies before or after the recurrent product."""
    stored = {"w": floats(1, 12, 3), "r": floats(1, 12, 4, seed=1), "b": floats(1, 24, seed=2)}
    made = node("GRU", "x w r b", "y h", hidden_size=4, linear_before_reset=before)
    proto = model([made], [("x", FLOAT, [5, 2, 3])], ["y", "h"], stored)
    taken = same_everywhere(proto, {"x": floats(5, 2, 3, seed=3)})
    assert [n.attrs["linear_before_reset"] for n in taken.nodes() if n.op.name == "gru"] == [bool(before)]


def test_gru_of_pytorch_resets_after_the_product() -> None:
    """microsoft/onnxscript#2852: the file that is written must say so."""
    kept(nn.GRU(3, 4, 2, bidirectional=True), (torch.randn(5, 2, 3),), (torch.randn(5, 2, 3),))


def test_writes_through_a_view_arrive() -> None:
    """coremltools#2188, #1065, pnnx#62: the tensor behind the view changes."""

    def writes(m: nn.Module, x: Tensor) -> tuple[Tensor, Tensor]:
        y = x.clone()
        view = y[:, 1:].transpose(0, 1)
        view[0] += 10
        part = y.view(-1)[2:5]
        part.mul_(-1)
        y[0].clamp_(min=-0.5)
        return y, view

    kept(module(writes), ("float32[b,4]",), (torch.randn(3, 4),), (torch.randn(2, 4),))


@pytest.mark.parametrize("coordinates", ["half_pixel", "pytorch_half_pixel", "asymmetric", "align_corners"])
@pytest.mark.parametrize("size", [(7, 9), (2, 3), (1, 1)])
def test_resizing_keeps_its_coordinates(coordinates: str, size: tuple[int, int]) -> None:
    """onnxruntime#28086, onnx-tensorflow#632: where a new pixel lies in the old image."""
    made = node("Resize", "x _ _ n", "y", mode="linear", coordinate_transformation_mode=coordinates)
    proto = model([made], [("x", FLOAT, [1, 2, 4, 5])], ["y"], {"n": np.array([1, 2, *size])}, opset=18)
    same_everywhere(proto, {"x": floats(1, 2, 4, 5)})


@pytest.mark.parametrize("auto_pad", ["SAME_UPPER", "SAME_LOWER"])
def test_same_padding_is_uneven_on_the_right_side(auto_pad: str) -> None:
    """pytorch2keras#2: an even kernel at a stride pads one side more than the other, at every size."""
    made = node("Conv", "x k", "y", auto_pad=auto_pad, strides=[2, 1])
    proto = model([made], [("x", FLOAT, [1, 2, "h", "w"])], ["y"], {"k": floats(3, 2, 4, 2)})
    same_everywhere(proto, {"x": floats(1, 2, 5, 6)}, {"x": floats(1, 2, 8, 7)})


def test_momentum_weighs_the_new_value() -> None:
    """pytorch2keras#70: ONNX's momentum is the share of the old statistics, PyTorch's that of the new."""
    stored = {k: np.abs(floats(3, seed=i)) + 1 for i, k in enumerate("sbmv")}
    made = node("BatchNormalization", "x s b m v", "y", momentum=0.97)
    proto = model([made], [("x", FLOAT, [2, 3, 4])], ["y"], stored)
    same_everywhere(proto, {"x": floats(2, 3, 4)})
    package = converter.convert(proto, "torch", verify=False).load()
    x = torch.from_numpy(floats(2, 3, 4))
    package.train()(x)
    torch.testing.assert_close(package.m, 0.97 * torch.from_numpy(stored["m"]) + 0.03 * x.mean((0, 2)))
    written = converter.convert(nn.BatchNorm1d(3, momentum=0.03), "onnx", inputs=(x,), verify=False).load()
    given = {a.name: a for n in written.graph.node if n.op_type == "BatchNormalization" for a in n.attribute}
    assert given["momentum"].f == pytest.approx(0.97)


def test_scatter_of_fewer_positions_than_data() -> None:
    """tvm#20182: positions may cover a corner of the data only, and updates are as many as positions."""
    stored = {"i": np.array([[2, 0, 1], [1, 2, 0]]), "u": floats(2, 3, seed=1)}
    proto = model([node("ScatterElements", "x i u", "y", axis=0)], [("x", FLOAT, [4, 5])], ["y"], stored)
    same_everywhere(proto, {"x": floats(4, 5)})


@pytest.mark.parametrize("reduction", ["add", "mul", "max", "min"])
def test_scatter_reduces_where_it_says_so(reduction: str) -> None:
    """onnx-mlir PR 3551: "add" was written as overwriting."""
    stored = {"i": np.array([[0, 0, 1], [0, 2, 1]]), "u": floats(2, 3, seed=1)}
    made = node("ScatterElements", "x i u", "y", axis=0, reduction=reduction)
    same_everywhere(model([made], [("x", FLOAT, [3, 3])], ["y"], stored, opset=18), {"x": floats(3, 3)})


def test_index_add_adds_every_duplicate() -> None:
    """pytorch#111159: rows named twice are added twice."""

    def adds(m: nn.Module, x: Tensor, i: Tensor, v: Tensor) -> tuple[Tensor, Tensor]:
        return x.index_add(0, i, v, alpha=2), x.clone().index_add_(0, i, v)

    i = torch.tensor([1, 1, 0])
    case = (torch.randn(3, 2), i, torch.randn(3, 2))
    kept(module(adds), case, case)


@pytest.mark.parametrize("layer", [nn.LSTM, nn.GRU, nn.RNN])
def test_recurrence_runs_at_every_length(layer: Any) -> None:
    """keras PR 23058, pytorch#191855: the example's length was baked in."""
    cases = [(torch.randn(b, t, 3),) for b, t in ((2, 5), (1, 1), (3, 8))]
    kept(module(lambda m, x: m.rnn(x)[0], rnn=layer(3, 4, batch_first=True)), ("float32[b,t,3]",), *cases)


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16])
def test_numbers_do_not_widen_half_floats(dtype: torch.dtype) -> None:
    """pytorch#158658: a Python number beside a half tensor stays half, and rounds as PyTorch does."""

    def scaled(m: nn.Module, x: Tensor) -> tuple[Tensor, ...]:
        return x * 0.1, x + 1, 2.5 - x, torch.where(x > 0.3, x, 0.7), x.pow(2), x.clamp(-0.3, 0.4)

    case = (torch.randn(3, 4).to(dtype),)
    taken = kept(module(scaled), case, case, ulps=2)
    assert {str(t.dtype) for t in taken.output_types.values()} == {str(dtype).removeprefix("torch.")}


@pytest.mark.parametrize("affine", [torch.float16, torch.float32])
def test_layer_norm_of_half_floats(affine: torch.dtype) -> None:
    """pytorch#190338: float16 data with weights of either type: as PyTorch computes it, or refused by name."""

    def normal(m: nn.Module, x: Tensor, w: Tensor, b: Tensor) -> Tensor:
        return F.layer_norm(x, (4,), w, b)

    case = (torch.randn(3, 4).half() * 30, torch.randn(4).to(affine), torch.randn(4).to(affine))
    try:
        normal(module(normal), *case)
    except RuntimeError:
        with pytest.raises(converter.ConversionError):
            converter.load(module(normal), inputs=case)
        return
    kept(module(normal), case, case, ulps=4)
