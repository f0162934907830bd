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
    class Back(nn.Module):
        def forward(self, x: Tensor) -> Tensor:
            return torch.linalg.inv(torch.linalg.eig(x)[1]).abs()

    with pytest.raises(ConversionError, match="no complex numbers: matrices of complex numbers"):
        converter.convert(Back(), to="keras", output=tmp_path / "out", inputs=["float32[3,3]"], verify=False)


class Eigen(nn.Module):
    """Eigenvalues and eigenvectors by their parts, what no order of them changes, and nothing that has an order."""

    def forward(self, x: Tensor) -> tuple[Tensor, ...]:
        values, vectors = torch.linalg.eig(x)
        return values.real, values.imag, vectors.real, vectors.imag, (values * values).sum(-1).real, values.abs()


def test_eigenvalues(tmp_path: Path) -> None:
    """In an order and with phases of each backend's own, of which a note tells: compared is what is determined."""
    x = np.random.default_rng(0).standard_normal((3, 4, 4)).astype(np.float32)
    done = converter.convert(Eigen(), to="keras", output=tmp_path / "out", inputs=["float32[n,4,4]"], verify=False)
    assert any("order of eigenvalues" in note for note in done.report.notes)
    text = (done.path / "model.py").read_text()
    assert text.count("ops.eig(") == 1 and "ops.real(" in text and "ops.complex" not in text
    wanted = np.linalg.eigvals(x.astype(np.float64))
    for on in BACKENDS:
        re, im, vectors_re, vectors_im, total, sizes = backend(on).run(done.path, {"x": x}).values()
        values, vectors = re + 1j * im, vectors_re + 1j * vectors_im
        np.testing.assert_allclose(x @ vectors, vectors * values[:, None], atol=1e-5, err_msg=on)
        np.testing.assert_allclose(np.linalg.norm(vectors, axis=-2), 1, atol=1e-6, err_msg=on)
        np.testing.assert_allclose(np.sort(values, -1), np.sort(wanted, -1), atol=1e-5, err_msg=on)
        np.testing.assert_allclose(sizes, abs(values), rtol=1e-6, err_msg=on)
        np.testing.assert_allclose(total, (wanted**2).sum(-1).real, atol=1e-4, err_msg=on)


def test_eigenvalues_are_verified(tmp_path: Path) -> None:
    """On TensorFlow, whose order is not PyTorch's; what is computed in that order is a mismatch, with advice."""
    done = converter.convert(Eigen(), to="keras", output=tmp_path / "out", inputs=["float32[n,4,4]"])
    assert done.report.verification is not None and done.report.verification.verdict == "equal"

    class Ordered(nn.Module):
        def forward(self, x: Tensor) -> Tensor:
            return torch.linalg.eig(x)[0].real.cumsum(-1)

    with pytest.raises(converter.VerificationError, match="sort them") as caught:
        converter.convert(Ordered(), to="keras", output=tmp_path / "ordered", inputs=["float32[n,4,4]"])
    assert caught.value.report.verdict == "mismatch"
