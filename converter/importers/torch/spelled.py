"""Functions of torch that look at values to check them, and so cannot be exported: spelled in functions that do not.

What they check is asserted in the graph instead, which the import tells in a note.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator
from typing import Any


@contextlib.contextmanager
def spelled() -> Iterator[None]:
    """Inside the block the functions below stand in for torch's own, called by any of their names."""
    import torch
    from torch.overrides import TorchFunctionMode

    table = {
        torch.istft: _istft, torch.Tensor.istft: _istft, torch.cov: _cov, torch.Tensor.cov: _cov,
        torch.corrcoef: _corrcoef, torch.Tensor.corrcoef: _corrcoef,
    }  # fmt: skip

    class Spelled(TorchFunctionMode):
        def __torch_function__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
            own: Callable[..., Any] | None = table.get(func)
            result = None if own is None else own(*args, **(kwargs or {}))
            return func(*args, **(kwargs or {})) if result is None else result

    with Spelled():
        yield


def _assert(condition: Any, text: str) -> None:
    import torch

    torch.ops.aten._assert_async.msg(condition, text)


def _istft(
    input: Any, n_fft: int, hop_length: Any = None, win_length: Any = None, window: Any = None, center: bool = True,
    normalized: bool = False, onesided: Any = None, length: Any = None, return_complex: bool = False,
) -> Any:  # fmt: skip
    """The signal whose frames these are: inverse transforms times the window, added up, over the windows' squares.

    None, for torch's own, where it is not a real signal of a complex spectrum.
    """
    import torch

    if return_complex or not input.is_complex() or input.dim() not in (2, 3):
        return None
    hop, size = hop_length or n_fft // 4, win_length or n_fft
    spectrum = input if input.dim() == 3 else input.unsqueeze(0)
    full = n_fft // 2 + 1 if onesided is None else n_fft // 2 + 1 if onesided else n_fft
    if onesided is None and spectrum.shape[1] == n_fft:
        full = n_fft
    if spectrum.shape[1] != full or not 0 < hop <= size <= n_fft:
        return None
    kind = input.real.dtype
    shape = torch.ones(size, dtype=kind, device=input.device) if window is None else window
    left = (n_fft - size) // 2
    shape = torch.nn.functional.pad(shape, (left, n_fft - size - left))
    half = spectrum[:, : n_fft // 2 + 1].transpose(1, 2)
    frames = torch.fft.irfft(half, n=n_fft, dim=-1, norm="ortho" if normalized else None) * shape
    whole = n_fft + hop * (spectrum.shape[2] - 1)
    start = n_fft // 2 if center else 0
    stop = start + length if length is not None else whole - start
    signal = _added(frames, n_fft, hop, whole)[:, start:stop]
    weight = _added(shape.square().expand(1, spectrum.shape[2], n_fft), n_fft, hop, whole)[:, start:stop]
    _assert((weight.abs() > 1e-11).all(), "istft: the windows leave out parts of the signal")
    out = signal / weight
    if length is not None and stop > whole:
        out = torch.nn.functional.pad(out, (0, stop - whole))
    return out if input.dim() == 3 else out.squeeze(0)


def _added(frames: Any, size: int, hop: int, whole: Any) -> Any:
    """Frames [batch, count, size] added up where they overlap: [batch, whole]."""
    import torch

    out = torch.nn.functional.fold(frames.transpose(1, 2), (1, whole), (1, size), stride=(1, hop))
    return out[:, 0, 0]


def _cov(input: Any, *, correction: int = 1, fweights: Any = None, aweights: Any = None) -> Any:
    """The covariance matrix of variables (rows), observations counted `fweights` times and weighted by `aweights`."""
    import torch

    if input.dim() > 2 or input.dtype == torch.bool:
        return None
    x = input if input.dim() == 2 else input.reshape(1, -1)
    weights = [w for w in (fweights, aweights) if w is not None]
    if any(w.dim() > 1 or w.numel() != x.shape[1] for w in weights):
        return None
    for w in weights:
        _assert((w >= 0).all(), "cov: weights must not be negative")
    if not x.is_floating_point() and not x.is_complex():
        x = x.to(torch.get_default_dtype())
    if not weights:
        count = x.shape[1]
        centred = x - x.sum(1, keepdim=True) / count
        return (centred @ centred.t().conj() / max(count - correction, 0)).squeeze()
    w = weights[0] if len(weights) == 1 else weights[0] * weights[1]
    total = w.sum()
    _assert(total != 0, "cov: the weights sum to zero")
    squared = (w * aweights).sum() if aweights is not None and correction else None
    norm = total - correction if squared is None else total - correction * squared / total
    centred = x - (x * w).sum(1, keepdim=True) / total
    return (centred @ (centred * w).t().conj() / torch.where(norm > 0, norm, torch.zeros_like(norm))).squeeze()


def _corrcoef(input: Any) -> Any:
    """The covariances over the products of both standard deviations, within [-1, 1] (each part of complex ones)."""
    import torch

    c = _cov(input)
    if c is None:
        return None
    if c.dim() == 0:
        return c / c
    deviation = c.diagonal()
    deviation = (deviation.real if c.is_complex() else deviation).sqrt()
    c = c / deviation.unsqueeze(1) / deviation.unsqueeze(0)
    if c.is_complex():
        return torch.complex(c.real.clamp(-1, 1), c.imag.clamp(-1, 1))
    return c.clamp(-1, 1)
