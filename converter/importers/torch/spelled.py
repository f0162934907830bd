"""Functions of torch that an export cannot follow, spelled in functions that it can: some look at values to check them,
some take a size or a position for a Python number.

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

    methods: dict[str, Callable[..., Any]] = {
        "istft": _istft,
        "cov": _cov,
        "corrcoef": _corrcoef,
        "narrow": _narrow,
        "histogram": _histogram,
    }
    table: dict[Any, Callable[..., Any]] = {
        torch.combinations: _combinations, torch.nn.functional.gaussian_nll_loss: _gaussian_nll_loss,
        torch.linspace: _linspace, torch.nn.functional.one_hot: _one_hot, torch.nn.functional.affine_grid: _affine_grid,
        torch.Tensor.__setitem__: _set_item,
        **{getattr(place, name): own for name, own in methods.items() for place in (torch, torch.Tensor)},
    }  # fmt: skip

    class Spelled(TorchFunctionMode):
        def __torch_function__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
            own = table.get(func)
            result = None if own is None else own(*args, **(kwargs or {}))
            return func(*args, **(kwargs or {})) if result is None else result

    attention = torch.nn.functional.scaled_dot_product_attention
    torch.nn.functional.scaled_dot_product_attention = _attention(attention)
    try:
        with Spelled():
            yield
    finally:
        torch.nn.functional.scaled_dot_product_attention = attention


def asserted(condition: Any, text: str) -> None:
    """An assertion in the graph, which the import tells in a note."""
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
    asserted((weight.abs() > 1e-11).all(), "istft: the windows leave out parts of the signal")
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
        asserted((w >= 0).all(), "cov: weights must not be negative")
    if not x.is_floating_point() and not x.is_complex():
        x = x.to(torch.get_default_dtype())
    if not weights:
        count = x.shape[1]
        centred = x - x.sum(1, keepdim=True) / count
        return (centred @ centred.t().conj() / max(count - correction, 0)).squeeze()
    w = weights[0] if len(weights) == 1 else weights[0] * weights[1]
    total = w.sum()
    asserted(total != 0, "cov: the weights sum to zero")
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


def _narrow(input: Any, dim: int, start: Any, length: int) -> Any:
    """A slice from a computed position; from a known one: torch's own."""
    import torch

    if not isinstance(start, torch.Tensor):
        return None
    size = input.shape[dim]
    first = torch.where(start < 0, start + size, start)
    asserted((first >= 0) & (first + length <= size), "narrow: the slice leaves the tensor")
    return input.index_select(dim, first + torch.arange(length, device=input.device))


def _combinations(input: Any, r: int = 2, with_replacement: bool = False) -> Any:
    """All choices of r elements, in order of their positions: those are known."""
    import itertools

    import torch

    if input.dim() != 1 or r < 1 or not isinstance(input.shape[0], int):
        return None
    choose = itertools.combinations_with_replacement if with_replacement else itertools.combinations
    places = torch.tensor(list(choose(range(input.shape[0]), r)), dtype=torch.int64).reshape(-1, r)
    return input[places]


def _gaussian_nll_loss(
    input: Any, target: Any, var: Any, full: bool = False, eps: float = 1e-6, reduction: str = "mean"
) -> Any:
    """As torch's, with its check of the variances as an assertion."""
    import math

    import torch

    if not isinstance(var, torch.Tensor):
        if var < 0:
            return None
        var = torch.full_like(input, var)
    if var.size() != input.size():
        if input.size()[:-1] == var.size():
            var = var.unsqueeze(-1)
        elif input.dim() != var.dim() or sum(v for v, n in zip(var.size(), input.size(), strict=True) if v != n) != 1:
            return None
    if reduction not in ("none", "mean", "sum"):
        return None
    asserted((var >= 0).all(), "gaussian_nll_loss: var has negative entries")
    with torch.no_grad():
        var = var.clone().clamp_(min=eps)
    loss = 0.5 * (torch.log(var) + (input - target) ** 2 / var)
    if full:
        loss = loss + 0.5 * math.log(2 * math.pi)
    return loss if reduction == "none" else loss.mean() if reduction == "mean" else loss.sum()


def _histogram(input: Any, bins: Any, *, range: Any = None, weight: Any = None, density: bool = False) -> Any:
    """How many numbers, or how much weight, lie between neighbouring edges; the last edge counts as inside."""
    import torch

    kind, x = input.dtype, input.reshape(-1)
    if not kind.is_floating_point or kind not in (torch.float32, torch.float64):
        return None
    edges = bins if isinstance(bins, torch.Tensor) else _even_edges(x, bins, range)
    low, high, places = edges[:-1], edges[1:], x.unsqueeze(1)
    final = torch.arange(low.shape[0], device=x.device) == low.shape[0] - 1
    inside = (places >= low) & ((places < high) | (final & (places == high)))
    amounts = (
        inside.to(kind) if weight is None else torch.where(inside, weight.reshape(-1, 1), torch.zeros((), dtype=kind))
    )
    found = amounts.sum(0)
    if density:
        found = found / (high - low) / found.sum()
    return torch.return_types.histogram((found, edges))


def _even_edges(x: Any, bins: int, span: Any) -> Any:
    """Edges of bins of one width, between the extremes or as told; a span of no width becomes one wide."""
    import torch

    if span is not None:
        low, high = map(float, span)
        low, high = (low - 0.5, high + 0.5) if low == high else (low, high)
        return torch.linspace(low, high, bins + 1, dtype=x.dtype, device=x.device)
    first, last = x.min(), x.max()
    flat = first == last
    first, last = torch.where(flat, first - 0.5, first), torch.where(flat, last + 0.5, last)
    step, place = (last - first) / bins, torch.arange(bins + 1, dtype=x.dtype, device=x.device)
    return torch.where(place < (bins + 1) // 2, first + step * place, last - step * (bins - place))


def _linspace(start: Any, end: Any, steps: Any, *, dtype: Any = None, **options: Any) -> Any:
    """Numbers at even distances, as many as a size says; torch's own where their count is fixed.

    As torch has them: up from the start in the first half, down from the end in the second, in the result's type.
    """
    import torch

    kind = dtype or torch.get_default_dtype()
    plain = isinstance(start, (int, float)) and isinstance(end, (int, float))
    if not isinstance(steps, torch.SymInt) or not plain or kind not in (torch.float32, torch.float64):
        return None
    if any(value not in (None, False) and name != "device" for name, value in options.items()):
        return None
    place = torch.arange(steps, dtype=kind, device=options.get("device"))
    last = torch.full((), steps - 1, dtype=kind)
    step = torch.full((), end - start, dtype=kind) / last.clamp(min=1)
    half = torch.full((), steps // 2, dtype=kind)
    return torch.where((place < half) | (last == 0), start + step * place, end - step * (last - place))


def _one_hot(tensor: Any, num_classes: Any = -1) -> Any:
    """With as many classes as the largest index asks for; torch's own where their number is given."""
    import torch

    if num_classes != -1 or not isinstance(tensor, torch.Tensor):
        return None
    asserted((tensor >= 0).all(), "one_hot: indices must not be negative")
    classes = (tensor.max() + 1).item()
    torch._check_is_size(classes)
    return (tensor.unsqueeze(-1) == torch.arange(classes, device=tensor.device)).to(torch.int64)


def _affine_grid(theta: Any, size: Any, align_corners: Any = None) -> Any:
    """Where each pixel (or voxel) comes from, for images whose extents are sizes; torch's own where these are fixed."""
    import torch

    if (
        all(isinstance(n, int) for n in size)
        or len(size) not in (4, 5)
        or theta.shape[1:] != (len(size) - 2, len(size) - 1)
    ):
        return None
    extents, rank, like = size[2:], len(size) - 2, {"dtype": theta.dtype, "device": theta.device}
    grid = torch.ones((*extents, rank + 1), **like)
    for axis, extent in enumerate(reversed(extents)):  # x first
        places = torch.linspace(-1, 1, extent, **like) if isinstance(extent, int) else _linspace(-1, 1, extent, **like)
        if places is None:
            return None
        places = places * torch.sym_min(extent - 1, 1) if align_corners else places * (extent - 1) / extent  # one: 0
        grid[..., axis] = places.reshape([-1 if i == rank - 1 - axis else 1 for i in range(rank)])
    flat = grid.reshape(1, -1, rank + 1).expand(size[0], -1, -1)
    return flat.bmm(theta.transpose(1, 2)).reshape(size[0], *extents, rank)


def _set_item(input: Any, key: Any, value: Any) -> Any:
    """A write to a position that a tensor of no axis holds; torch's own without such, or among other lists of indices."""
    import torch

    keys = key if isinstance(key, tuple) else (key,)
    held = [k for k in keys if isinstance(k, torch.Tensor) and k.dim() == 0 and k.dtype in (torch.int32, torch.int64)]
    others = [k for k in keys if not any(k is h for h in held)]
    if not held or not all(k is None or k is Ellipsis or _is_plain(k) for k in others):
        return None
    place = input[tuple(slice(None) if any(k is h for h in held) else k for k in keys)]
    indices: list[Any] = []
    for k in keys:
        if k is Ellipsis:
            indices += [None] * (input.dim() - sum(o is not None and o is not Ellipsis for o in keys))
        elif k is None or isinstance(k, slice):
            indices.append(None)
        elif isinstance(k, torch.Tensor):
            indices.append(k.long())
    rank = place.dim() - len(held)
    value = torch.as_tensor(value, dtype=input.dtype, device=input.device)
    while value.dim() > rank and value.shape[0] == 1:
        value = value[0]
    torch.ops.aten.index_put_(place, indices, value)
    return input


def _is_plain(key: Any) -> bool:
    import torch

    return isinstance(key, (slice, int, torch.SymInt)) and not isinstance(key, bool)


def _attention(own: Callable[..., Any]) -> Callable[..., Any]:
    """`is_causal=x.shape[1] > 1` is a decision on a size, which torch's own refuses before any mode sees it."""
    import torch

    def scaled_dot_product_attention(*args: Any, **options: Any) -> Any:  # dynamo asks for the name
        return own(
            *(bool(a) if isinstance(a, torch.SymBool) else a for a in args),
            **{k: bool(v) if isinstance(v, torch.SymBool) else v for k, v in options.items()},
        )

    return scaled_dot_product_attention
