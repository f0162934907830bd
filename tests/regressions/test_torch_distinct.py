"""Ops that count equal values or choose by position, and functions that look at values to check them."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional as F

import converter
from converter.importers.torch.spelled import _corrcoef, _cov, _istft
from tests.regressions.routes_torch import same_everywhere

NAN = float("nan")


def ints(*rows: Any) -> Tensor:
    return torch.tensor(rows)


A = torch.tensor([[2.0, -1.0, 2.0, 0.5], [0.5, 0.5, -1.0, 3.0]])
N = "float32[n,4]"
FORMS: dict[str, tuple[Callable[..., Any], tuple[str, ...], list[tuple[Tensor, ...]]]] = {
    "unique": (
        lambda x: torch.unique(x, return_inverse=True, return_counts=True), (N,), [(A,), (A[:1],), (A.new_tensor([[NAN, 1, NAN, 1]]),)],
    ),
    "unique values": (lambda x: torch.unique(x), ("int64[n]",), [(ints(3, 1, 3, -2, 1),), (ints(5),)]),
    "unique of booleans": (
        lambda x: torch.unique(x > 0, return_counts=True), ("float32[n]",), [(torch.tensor([1.0, -1, 2]),), (torch.tensor([1.0]),)],
    ),
    "unique inverse": (lambda x: torch.unique(x, return_inverse=True), ("int64[2,n]",), [(ints([4, 4, 1], [1, 0, 4]),)]),
    "consecutive": (
        lambda x: torch.unique_consecutive(x, return_inverse=True, return_counts=True), ("int64[n]",),
        [(ints(1, 1, 2, 2, 2, 1),), (ints(7),)],
    ),
    "consecutive along": (lambda x: torch.unique_consecutive(x, dim=0), ("int64[n]",), [(ints(1, 1, 2, 1),)]),
    "consecutive slices": (
        lambda x: [*torch.unique_consecutive(x, True, True, dim=1), torch.unique_consecutive(x > 1, dim=0)], ("int64[n,4]",),
        [(ints([1, 1, 1, 2], [3, 3, 0, 0], [0, 0, 0, 1]),), (ints([2, 2, 2, 1]),)],
    ),
    "distinct slices": (
        lambda x: [*torch.unique(x, True, True, True, dim=0), torch.unique(x.flip(0), dim=-1)], ("int64[n,3]",),
        [(ints([2, 1, 0], [0, 3, 3], [2, 1, 0], [2, 0, 9], [0, 3, 2]),), (ints([5, 4, 4]),)],
    ),
    "distinct slices of several axes": (
        lambda x: torch.unique(x, return_counts=True, dim=1), ("float32[2,n,2]",),
        [(torch.tensor([[[1.0, 2], [1, 0], [1, 2]], [[3, 3], [0, 9], [3, 3]]]),)],
    ),
    "distinct slices of booleans": (lambda x: torch.unique(x > 0, return_inverse=True, dim=0), (N,), [(A,), (torch.cat([A, -A, A]),)]),
    "bincount": (
        lambda x, w: [torch.bincount(x), torch.bincount(x, w), torch.bincount(x.int(), w.int(), minlength=6)], ("int64[n]", "float32[n]"),
        [(ints(3, 0, 3), torch.tensor([0.5, 2.0, 1.5])), (ints(7), torch.tensor([1.5]))],
    ),
    "bincount of nothing": (
        lambda x: [torch.bincount(x), torch.bincount(x, minlength=2)], ("int64[n]",), [(ints(1, 0)[:0],), (ints(2, 2, 0),)],
    ),
    "mode": (lambda x: torch.mode(x, 0), ("int64[n,3]",), [(ints([1, 5, 2], [3, 5, 2], [1, 4, 0], [3, 4, 7]),), (ints([4, 4, 4]),)]),
    "mode kept": (lambda x: torch.mode(x, -1, keepdim=True), (N,), [(A,), (A[:1],)]),
    "mode in the middle": (lambda x: torch.mode(x, 1), ("int64[2,n,2]",), [(ints([[1, 2], [1, 0], [3, 0]], [[5, 5], [5, 6], [4, 6]]),)]),
    "mode of booleans": (lambda x: torch.mode(x > 0), (N,), [(A,)]),
    "histogram": (lambda x: torch.histogram(x, 4), ("float32[n]",), [(torch.tensor([0.0, 1, 1, 4, 3.5]),), (torch.tensor([2.0, 2.0]),)]),
    "histogram of a range": (
        lambda x: torch.histogram(x, 3, range=(-1.0, 2.0)), ("float32[n]",), [(torch.tensor([-2.0, -1, 2, 2.5, NAN, 0]),)],
    ),
    "histogram of no width": (lambda x: torch.histogram(x, 2, range=(1.0, 1.0)), ("float32[n]",), [(torch.tensor([0.5, 1.0, 1.6]),)]),
    "density": (
        lambda x, w: torch.histogram(x, 4, weight=w, density=True), ("float32[n]", "float32[n]"),
        [(torch.tensor([0.0, 1, 1, 4]), torch.tensor([1.0, 2, 0.5, 3]))],
    ),
    "histogram of edges": (
        lambda x, e: torch.histogram(x, e), ("float32[n]", "float32[4]"),
        [(torch.tensor([0.0, 1, 5, 9, 10]), torch.tensor([0.0, 1, 6, 9]))],
    ),
    "nonzero of a number": (lambda x: torch.nonzero(x.sum()), (N,), [(A,), (A * 0,)]),
    "nonzero static": (
        lambda x: [torch.nonzero_static(x, size=3, fill_value=-9), torch.nonzero_static(x, size=1), torch.nonzero_static(x.sum(), size=2)],
        ("int64[n,2]",), [(ints([1, 0], [0, 0]),), (ints([1, 2], [3, 4]),)],
    ),
    "unfold of a number": (lambda x: [x.sum().unfold(0, 1, 1), x.sum().unfold(0, 0, 1)], (N,), [(A,)]),
    "negative eps": (
        lambda x: [F.layer_norm(x, (4,), x[0], x[-1], eps=-0.5), F.rms_norm(x, (4,), x[0], eps=-0.5), F.layer_norm(x, (2, 4), eps=-0.1)],
        ("float32[2,4]",), [(A,)],
    ),
    "edges cropped away": (
        lambda x: [F.pad(x, p, mode="replicate") for p in ((-4, 5), (5, -4), (-6, 9), (-1, 2), (2, -3))], ("float32[n,4]",), [(A,)],
    ),
    "narrow from a computed place": (
        lambda x, k: [x.narrow(1, k, 2), torch.narrow(x, 0, k - k, 1), x.narrow(1, 1, 2)], ("float32[2,4]", "int64[]"),
        [(A, torch.tensor(1)), (A, torch.tensor(-3)), (A, torch.tensor(2))],
    ),
    "combinations": (
        lambda x: [torch.combinations(x), torch.combinations(x, 3), torch.combinations(x, 2, True), torch.combinations(x, 1)],
        ("float32[4]",), [(A[0],)],
    ),
    "gaussian_nll_loss": (
        lambda x, y, v: [
            F.gaussian_nll_loss(x, y, v), F.gaussian_nll_loss(x, y, v[:, :1], full=True, reduction="sum"),
            F.gaussian_nll_loss(x, y, v[:, 0], reduction="none"), F.gaussian_nll_loss(x, y, v[:1], eps=2.0, reduction="none"),
            F.gaussian_nll_loss(x, y, 0.7),
        ],
        ("float32[2,4]",) * 3, [(A, A.flip(0), A.abs())],
    ),
    "cov": (
        lambda x, f, w: [
            torch.cov(x), x.cov(correction=0), torch.cov(x[0]), torch.cov(x, fweights=f), torch.cov(x, aweights=w, correction=2),
            torch.cov(x, fweights=f, aweights=w), torch.corrcoef(x), x[0].corrcoef(), torch.cov(f),
        ],
        ("float32[n,4]", "int64[4]", "float32[4]"), [(A, ints(1, 3, 2, 1), torch.tensor([0.5, 1.0, 2.0, 0.25]))],
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", FORMS)
def test_forms(name: str, tmp_path: Path) -> None:
    fn, specs, feeds = FORMS[name]
    same_everywhere(fn, specs, feeds, tmp_path, tol=5e-6)


def test_running_statistics_of_instances(tmp_path: Path) -> None:
    """Inference uses them; training moves them as PyTorch does, in the emitted code too."""
    torch.manual_seed(0)
    net = nn.Sequential(nn.Conv1d(2, 3, 1), nn.InstanceNorm1d(3, affine=True, track_running_stats=True, momentum=0.3))
    net.train()
    net(torch.randn(4, 2, 5))
    feeds = [(torch.randn(1, 2, 7),), (torch.randn(3, 2, 4),)]
    same_everywhere(net, ("float32[batch,2,length]",), feeds, tmp_path)
    made = converter.convert(net, "torch", inputs=("float32[batch,2,length]",)).load()
    net.train(), made.train()
    x = torch.randn(4, 2, 6)
    torch.testing.assert_close(made(x), net(x))
    found = {k: v for k, v in made.state_dict().items() if "running" in k}
    wanted = {k: v for k, v in net.state_dict().items() if "running" in k}
    assert len(found) == 2
    for name, value in wanted.items():
        torch.testing.assert_close(found[name], value)


@pytest.mark.parametrize("center", [True, False])
@pytest.mark.parametrize(("size", "hop", "window"), [(16, None, None), (15, 4, 12), (16, 5, 16)])
def test_spelled_istft(size: int, hop: int | None, window: int | None, center: bool) -> None:
    """Every option, as torch has it; where torch refuses the window there is nothing to compare."""
    compared = 0
    shape = torch.hamming_window(window) if window else torch.ones(size)
    for normalized in (True, False):
        for onesided in (None, True, False):
            for length in (None, 40, 70):
                signal = torch.randn(2, 60)
                spectrum = torch.stft(
                    signal, size, hop, window, shape, normalized=normalized, onesided=onesided, return_complex=True
                )
                options = {"center": center, "normalized": normalized, "onesided": onesided, "length": length}
                try:
                    wanted = torch.istft(spectrum, size, hop, window, shape, **options)
                except RuntimeError as error:
                    assert "window overlap add min" in str(error)
                    continue
                torch.testing.assert_close(_istft(spectrum, size, hop, window, shape, **options), wanted)
                torch.testing.assert_close(_istft(spectrum[0], size, hop, window, shape, **options), wanted[0])
                compared += 1
    assert compared or not center


def test_spelled_cov_and_corrcoef() -> None:
    """Of one variable, of integers, of complex numbers, with as many freedoms as observations or fewer."""
    rows = [
        torch.randn(3, 7),
        torch.randn(7),
        torch.randn(3, 7, dtype=torch.cfloat),
        torch.randint(0, 9, (2, 7)),
        torch.randn(3, 1),
    ]
    for x in rows:
        count = x.shape[-1]
        for correction in (0, 1, 2):
            for f in (None, torch.randint(1, 4, (count,))):
                for w in (None, torch.rand(count)):
                    options = {"correction": correction, "fweights": f, "aweights": w}
                    torch.testing.assert_close(_cov(x, **options), torch.cov(x, **options), equal_nan=True)
        torch.testing.assert_close(_corrcoef(x), torch.corrcoef(x), equal_nan=True)


def test_slices_that_do_not_compare_are_refused() -> None:
    class Distinct(nn.Module):
        def forward(self, x: Tensor) -> Any:
            return torch.unique(torch.complex(x, x), dim=0), torch.unique_consecutive(x[:, :0], dim=0)

    with pytest.raises(converter.ConversionError) as caught:
        converter.load(Distinct(), (torch.ones(2, 2),))
    reasons = [u.reason for u in caught.value.unsupported]
    assert "distinct slices of complex numbers" in reasons
    assert "distinct slices without elements" in reasons
