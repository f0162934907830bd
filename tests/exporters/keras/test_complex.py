"""Complex numbers inside a model as pairs of reals in emitted Keras."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from torch import Tensor, nn

import converter
from converter.errors import ConversionError
from tests.exporters.keras.backends import BACKENDS, backend


class Mixing(nn.Module):
    """Transforms there and back, products with learned factors, magnitudes and conjugates."""

    def __init__(self) -> None:
        super().__init__()
        self.re, self.im = (nn.Parameter(torch.linspace(-1, 1, 5) + k) for k in (0.1, 0.4))
        self.dense = nn.Linear(8, 8)

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
        mixed = x + torch.fft.fft2(x, dim=(-2, -1)).real
        spectrum = torch.fft.rfft(self.dense(mixed), dim=-1) * torch.complex(self.re, self.im)
        return torch.fft.irfft(spectrum, n=8, dim=-1), (spectrum * spectrum.conj()).real + spectrum.abs()


@pytest.fixture(scope="module")
def package(tmp_path_factory: pytest.TempPathFactory) -> tuple[nn.Module, Path]:
    torch.manual_seed(0)
    net = Mixing().eval()
    folder = tmp_path_factory.mktemp("complex") / "package"
    converter.convert(net, to="keras", output=folder, inputs=["float32[n,6,8]"], verify=False)
    return net, folder


@pytest.mark.parametrize("on", BACKENDS)
def test_transforms(package: tuple[nn.Module, Path], on: str) -> None:
    net, folder = package
    x = np.random.default_rng(0).standard_normal((3, 6, 8)).astype(np.float32)
    with torch.no_grad():
        wanted = [w.numpy() for w in net.double()(torch.from_numpy(x).double())]
    for want, got in zip(wanted, backend(on).run(folder, {"x": x}).values(), strict=True):
        assert got.dtype == np.float32
        np.testing.assert_allclose(got, want, rtol=0, atol=2e-6 * abs(want).max())


def test_complex_borders_are_refused(tmp_path: Path) -> None:
    class Spectrum(nn.Module):
        def forward(self, x: Tensor) -> Tensor:
            return torch.fft.fft(x)

    with pytest.raises(ConversionError, match="complex64"):
        converter.convert(Spectrum(), to="keras", output=tmp_path / "out", inputs=["float32[2,8]"], verify=False)


def test_what_has_no_form_in_reals_is_refused(tmp_path: Path) -> None:
    class Eigen(nn.Module):
        def forward(self, x: Tensor) -> Tensor:
            return torch.linalg.eig(x)[1].abs()

    with pytest.raises(ConversionError, match="no complex numbers"):
        converter.convert(Eigen(), to="keras", output=tmp_path / "out", inputs=["float32[3,3]"], verify=False)
