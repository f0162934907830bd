"""Models with complex numbers: to PyTorch as they are, to ONNX as pairs of reals, and back."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn

import converter
from converter.importers.onnx import load
from converter.runtimes.onnxruntime import OnnxRunner
from ir.types import dtypes
from tests.regressions.routes_torch import same_everywhere


class Rotary(nn.Module):
    """Positions as turns of pairs of features (Llama's first code)."""

    def __init__(self, features: int = 8, positions: int = 32) -> None:
        super().__init__()
        turns = torch.outer(torch.arange(positions), 10.0 ** -torch.arange(0, features, 2).div(features))
        self.register_buffer("turns", torch.polar(torch.ones_like(turns), turns), persistent=False)

    def forward(self, x: Tensor) -> Tensor:
        pairs = torch.view_as_complex(x.float().reshape(*x.shape[:-1], -1, 2))
        return torch.view_as_real(pairs * self.turns[: x.shape[1], None]).flatten(3).type_as(x)


class Mixing(nn.Module):
    """Fourier mixing of positions and features (FNet)."""

    def __init__(self) -> None:
        super().__init__()
        self.norm = nn.LayerNorm(6)

    def forward(self, x: Tensor) -> Tensor:
        return self.norm(x + torch.fft.fft(torch.fft.fft(x, dim=-1), dim=-2).real)


class SpectralConv(nn.Module):
    """A Fourier neural operator's layer: the lowest modes times complex weights."""

    def __init__(self, channels: int = 3, modes: int = 4) -> None:
        super().__init__()
        self.modes = modes
        self.weight = nn.Parameter(torch.randn(channels, channels, modes, dtype=torch.cfloat) / channels)

    def forward(self, x: Tensor) -> Tensor:
        spectrum = torch.fft.rfft(x, norm="ortho")
        out = torch.zeros(x.shape[0], x.shape[1], x.shape[2] // 2 + 1, dtype=torch.cfloat)
        out[:, :, : self.modes] = torch.einsum("bcm,com->bom", spectrum[:, :, : self.modes], self.weight)
        return torch.fft.irfft(out, n=x.shape[2], norm="ortho")


class Denoise(nn.Module):
    """A mask on a spectrogram, and back to a signal."""

    def __init__(self) -> None:
        super().__init__()
        self.register_buffer("window", torch.hann_window(20))
        self.gate = nn.Linear(11, 11)

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
        spectrum = torch.stft(x, 20, 5, window=self.window, return_complex=True)
        size = spectrum.abs()
        mask = torch.sigmoid(self.gate(size.transpose(1, 2))).transpose(1, 2)
        return torch.istft(spectrum * mask, 20, 5, window=self.window, length=x.shape[-1]), torch.log1p(size)


class Functions(nn.Module):
    """Complex inputs and outputs, functions, a quotient, a product over an axis, a branch cut."""

    def forward(self, z: Tensor, w: Tensor) -> dict[str, Tensor]:
        return {
            "quotient": z / w, "power": z**w, "tanh": torch.tanh(z), "size": (z * w.conj()).abs(),
            "product": torch.prod(z, dim=1), "angle": torch.angle(z + 2), "matrix": z @ w.mT,
        }  # fmt: skip


def complexes(*shape: int) -> Tensor:
    return torch.randn(shape, dtype=torch.complex64, generator=torch.Generator().manual_seed(1))


CASES: dict[str, tuple[nn.Module, tuple[Any, ...], list[tuple[Tensor, ...]]]] = {
    "rotary": (Rotary(), ("float32[batch,length,2,8]",), [(torch.randn(1, 1, 2, 8),), (torch.randn(3, 9, 2, 8),)]),
    "rotary in bfloat16": (Rotary(), ("bfloat16[batch,5,2,8]",), [(torch.randn(2, 5, 2, 8).bfloat16(),)]),
    "mixing": (Mixing(), ("float32[batch,length,6]",), [(torch.randn(2, 1, 6),), (torch.randn(2, 7, 6),)]),
    "spectral": (SpectralConv(), ("float32[batch,3,12]",), [(torch.randn(1, 3, 12),), (torch.randn(5, 3, 12),)]),
    "denoise": (Denoise(), (torch.randn(2, 60),), [(torch.randn(2, 60),)]),
    "functions": (Functions(), ("complex64[n,3]", "complex64[n,3]"), [(complexes(2, 3), complexes(2, 3) + 1)]),
}  # fmt: skip


def _leaves(result: Any) -> list[Tensor]:
    if isinstance(result, dict):
        return list(result.values())
    return list(result) if isinstance(result, tuple) else [result]


def _array(x: Tensor) -> np.ndarray:
    x = x.detach().resolve_conj()
    return x.numpy() if x.dtype != torch.bfloat16 else x.view(torch.uint16).numpy().view(dtypes.bfloat16.numpy)


@pytest.mark.parametrize("name", CASES)
def test_everywhere(name: str, tmp_path: Path) -> None:
    """Verified both ways, right at other sizes, and right again when the ONNX file is the source."""
    module, inputs, feeds = CASES[name]
    first = converter.convert(module, "torch", tmp_path / "p", inputs)
    written = converter.convert(module, "onnx", tmp_path / "m.onnx", inputs)
    again = converter.convert(written.path, "onnx", tmp_path / "again.onnx", verify=False)
    back = converter.convert(written.path, "torch", tmp_path / "back", verify=False)
    assert [c.report.verification.verdict for c in (first, written)] == ["equal"] * 2
    for feed in feeds:
        wanted = [_array(w) for w in _leaves(module(*feed))]
        found = [list(map(_array, _leaves(c.load()(*feed)))) for c in (first, back)]
        for runner in (OnnxRunner(written.path), OnnxRunner(again.path)):
            given = zip(runner.input_types, map(_array, feed), strict=True)
            found.append(list(runner(dict(given)).values()))
        for got in found:
            for a, b in zip(got, wanted, strict=True):
                assert (a.dtype, a.shape) == (b.dtype, b.shape)
                wide = np.complex128 if np.iscomplexobj(b) else np.float64
                rough = 1e-5 if b.dtype != dtypes.bfloat16.numpy else 1e-2
                np.testing.assert_allclose(a.astype(wide), b.astype(wide), rtol=rough, atol=rough)


class Written(nn.Module):
    """A row and a slice of complex numbers, written."""

    def __init__(self) -> None:
        super().__init__()
        self.weight = nn.Parameter(complexes(3, 4))

    def forward(self, x: Tensor) -> Tensor:
        out = self.weight * 1
        out[1] = out[1] * x
        out[:, 2:] = out[:, 2:] + 1
        return out.abs()


def test_writes_have_gradients(tmp_path: Path) -> None:
    """torch's own functions for them have none."""
    source = Written()
    net = converter.convert(source, "torch", tmp_path / "p", (torch.randn(4),)).load()
    x = torch.randn(4)
    for module in (source, net):
        module(x).sum().backward()
    torch.testing.assert_close(net.weight.grad, source.weight.grad)


def test_borders_are_told_and_kept(tmp_path: Path) -> None:
    """The file holds pairs along a last axis and says so; specs of its inputs are complex again."""
    import onnx

    module, inputs, _ = CASES["functions"]
    written = converter.convert(module, "onnx", tmp_path / "m.onnx", inputs, verify=False)
    assert any(n.startswith("z, w, quotient, power, tanh, product, matrix: complex") for n in written.report.notes)
    shapes = {i.name: len(i.type.tensor_type.shape.dim) for i in onnx.load(written.path).graph.input}
    assert shapes == {"z": 3, "w": 3}
    model = load(written.path, {"z": "complex64[4,3]", "w": complexes(4, 3).numpy()})
    assert [str(t) for t in model.input_types.values()] == ["complex64[4, 3]"] * 2
    assert (
        model.output_types["quotient"].dtype == dtypes.complex64 and model.output_types["size"].dtype == dtypes.float32
    )


def test_weights_stay_parameters(tmp_path: Path) -> None:
    """A complex parameter is one parameter, under its name, in the ONNX file too."""
    module, inputs, _ = CASES["spectral"]
    written = converter.convert(module, "onnx", tmp_path / "m.onnx", inputs, verify=False)
    (weight,) = load(written.path).weights.values()
    assert weight.name == "weight" and weight.kind == "parameter" and weight.trainable
    assert str(weight.type) == "float32[3, 3, 4, 2]"


def test_what_has_no_form_is_refused(tmp_path: Path) -> None:
    class Eigen(nn.Module):
        def forward(self, x: Tensor) -> Tensor:
            return torch.linalg.eigvals(x).abs()

    with pytest.raises(converter.ConversionError) as caught:
        converter.convert(Eigen(), "onnx", tmp_path / "m.onnx", (torch.eye(3),))
    assert [u.op for u in caught.value.unsupported] == ["eig"]


def test_transforms_of_open_sizes(tmp_path: Path) -> None:
    """Matrices made at run time; frequencies are torch's own numbers."""

    def all_of(x: Tensor) -> tuple[Tensor, ...]:
        frequencies = torch.fft.rfftfreq(5, 0.1) + torch.fft.fftfreq(3)
        return torch.fft.rfft(x), torch.fft.ifft(torch.fft.fft(x)), frequencies

    feeds = [(torch.randn(2, 9),), (torch.randn(1, 4),), (torch.randn(3, 1),)]
    same_everywhere(all_of, ("float32[batch,length]",), feeds, tmp_path, tol=1e-5)
