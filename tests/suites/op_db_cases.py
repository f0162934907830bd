"""PyTorch's operator database as cases: the entries that count, their sample inputs, what eager PyTorch answers."""

from __future__ import annotations

import copy
import random
import warnings
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from itertools import islice
from typing import Any
from unittest import mock

import numpy as np
import torch
from torch.utils import _pytree as pytree

SAMPLES = 3
LEFT_OUT = {
    "random": (
        "bernoulli", "cauchy", "exponential", "geometric", "log_normal", "multinomial", "normal", "normal.in_place",
        "normal.number_mean", "uniform", "rand_like", "randint", "randint_like", "randn", "randn_like",
        "nn.functional.alpha_dropout", "nn.functional.dropout", "nn.functional.dropout2d", "nn.functional.dropout3d",
        "nn.functional.feature_alpha_dropout.with_train", "nn.functional.fractional_max_pool2d",
        "nn.functional.fractional_max_pool3d", "nn.functional.rrelu", "pca_lowrank", "svd_lowrank",
    ),
    "uninitialised": (
        "empty", "empty_like", "empty_permuted", "empty_strided", "new_empty", "new_empty_strided", "resize_",
        "resize_as_",
    ),
    "sparse": ("sparse.mm.reduce", "sparse.sampled_addmm", "to_sparse"),
    "jiterator": (
        "jiterator_2inputs_2outputs", "jiterator_4inputs_with_extra_args", "jiterator_binary",
        "jiterator_binary_return_by_ref", "jiterator_unary",
    ),
}  # fmt: skip
"""Entries with float32 that do not count, by reason."""


@dataclass(frozen=True)
class Applied:
    """One application of an operator: its tensor leaves, everything else fixed."""

    op: Callable[..., Any] = field(repr=False)
    spec: Any = field(repr=False)
    leaves: tuple[Any, ...] = field(repr=False)
    in_place: bool = False

    @property
    def tensors(self) -> tuple[torch.Tensor, ...]:
        """The inputs of the module."""
        return tuple(x for x in self.leaves if isinstance(x, torch.Tensor))

    def call(self, tensors: Any) -> Any:
        """The operator on these tensors; on copies where it writes into them."""
        given = iter(tensors)
        leaves = [next(given) if isinstance(x, torch.Tensor) else x for x in self.leaves]
        if self.in_place:
            leaves = [x.clone() if isinstance(x, torch.Tensor) else x for x in leaves]
        first, args, kwargs = pytree.tree_unflatten(leaves, self.spec)
        return self.op(first, *args, **kwargs)


class Applies(torch.nn.Module):
    """A module whose forward is one application of an operator."""

    def __init__(self, applied: Applied) -> None:
        super().__init__()
        self.applied = applied

    def forward(self, tensors: tuple[torch.Tensor, ...]) -> Any:
        return plain(self.applied.call(tensors))


def plain(result: Any) -> Any:
    """A result without PyTorch's named tuples and sizes, which are tuples."""
    if isinstance(result, (tuple, list)):
        return tuple(plain(r) for r in result)
    return result


def entries() -> dict[str, Any]:
    """The entries that count, by name and variant."""
    from torch.testing._internal.common_methods_invocations import op_db

    out = {name for names in LEFT_OUT.values() for name in names}
    found = {label(op): op for op in op_db if torch.float32 in op.dtypes}
    unknown = out - set(found)
    assert not unknown, f"left out, but not in the database: {sorted(unknown)}"
    return {name: op for name, op in sorted(found.items()) if name not in out}


def label(op: Any) -> str:
    """`name.variant`."""
    return f"{op.name}.{op.variant_test_name}" if op.variant_test_name else op.name


def applications(op: Any) -> Iterator[Applied]:
    """The first samples of an entry (all where it has fewer), drawn with a fixed seed; those that eager PyTorch itself
    answers differently with another seed (attention with dropout) are passed over."""
    yield from islice((a for a in _drawn(op) if not _is_random(a)), SAMPLES)


def _drawn(op: Any) -> Iterator[Applied]:
    torch.manual_seed(0)
    random.seed(0)
    np.random.seed(0)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        for sample in op.sample_inputs("cpu", torch.float32, requires_grad=False):
            leaves, spec = pytree.tree_flatten((sample.input, tuple(sample.args), dict(sample.kwargs)))
            leaves = [x.detach() if isinstance(x, torch.Tensor) else x for x in leaves]
            yield Applied(op.op, spec, tuple(leaves), in_place=_writes(op, spec, leaves))


def _writes(op: Any, spec: Any, leaves: list[Any]) -> bool:
    """Whether an operator writes into its arguments, as in-place ones do, and batch normalisation into statistics."""
    given = [x for x in leaves if isinstance(x, torch.Tensor)]
    copies = copied(given)
    with torch.random.fork_rng(devices=[]):
        Applied(op.op, spec, tuple(leaves)).call(copies)
    return not all(_same(a, b) for a, b in zip(given, copies, strict=True))


def _is_random(applied: Applied) -> bool:
    """Whether the answer follows the seed, also the one that some entries set themselves."""
    own, answers = torch.manual_seed, []
    for seed in (1, 2):
        with torch.random.fork_rng(devices=[]), mock.patch.object(torch, "manual_seed", lambda _, seed=seed: own(seed)):
            own(seed)
            answers.append(tensors_of(applied.call(copied(applied.tensors))))
    return not all(_same(a, b) for a, b in zip(*answers, strict=True))


def copied(tensors: Any) -> list[torch.Tensor]:
    """Copies that lie in memory as the originals do."""
    return [copy.deepcopy(x) for x in tensors]


def _same(a: torch.Tensor, b: torch.Tensor) -> bool:
    """Equal, NaN being equal to NaN."""
    if a.dtype == torch.complex32:
        a, b = a.to(torch.complex64), b.to(torch.complex64)
    return a.shape == b.shape and bool(torch.all((a == b) | ((a != a) & (b != b))))


_WIDER = {torch.float32: torch.float64, torch.complex64: torch.complex128}


def expected(applied: Applied) -> tuple[list[torch.Tensor], list[torch.Tensor] | None]:
    """The tensors eager PyTorch returns, and those it returns in double precision (None where it cannot).

    Works on copies: some operators write into arguments, as batch normalisation does into running statistics.
    """
    own = tensors_of(applied.call(copied(applied.tensors)))
    wide = [widened(x) for x in applied.leaves]
    double = Applied(applied.op, applied.spec, tuple(wide), applied.in_place)
    try:
        exact = tensors_of(double.call(double.tensors))
    except (RuntimeError, TypeError, ValueError, NotImplementedError):
        return own, None
    return own, exact if [x.shape for x in exact] == [x.shape for x in own] else None


def widened(leaf: Any) -> Any:
    """A leaf for the run in double precision."""
    if isinstance(leaf, torch.Tensor):
        return leaf.to(_WIDER.get(leaf.dtype, leaf.dtype))
    return _WIDER.get(leaf, leaf) if isinstance(leaf, torch.dtype) else leaf


def tensors_of(result: Any) -> list[torch.Tensor]:
    """The leaves of a result; numbers and booleans count as 0-d tensors. Raises TypeError on anything else, so that
    nothing goes uncompared."""
    found = []
    for leaf in pytree.tree_leaves(plain(result)):
        if isinstance(leaf, (bool, int, float, complex)):
            leaf = torch.tensor(leaf)
        if not isinstance(leaf, torch.Tensor):
            raise TypeError(f"{type(leaf).__name__} cannot be compared")
        found.append(leaf)
    return found


def difference(got: np.ndarray, want: torch.Tensor, exact: torch.Tensor | None) -> str:
    """In words, how an output differs from eager PyTorch's; empty when it does not.

    Shape and dtype are exact, integers and booleans equal, NaN equals NaN. Floats may differ by 64 units in the last
    place of the element, 16 of the largest element, and 4 of the number one (ONNX Runtime's sigmoid is no nearer),
    and by 16 times what eager PyTorch itself is away from its own double precision: but where that is above 1 % of
    the scale (vectors of free sign, say), it is no noise and allows nothing.
    """
    reference = want.detach().resolve_conj().resolve_neg()
    kind = str(want.dtype).removeprefix("torch.")
    if tuple(got.shape) != tuple(want.shape):
        return f"shape {got.shape} instead of {tuple(want.shape)}"
    if got.dtype.name != kind:
        return f"dtype {got.dtype.name} instead of {kind}"
    if not (want.dtype.is_floating_point or want.dtype.is_complex):
        far = got != reference.numpy()
        return _told(got, reference.numpy(), far)
    wide = np.complex128 if want.dtype.is_complex else np.float64
    wide_type = torch.complex128 if want.dtype.is_complex else torch.float64
    mine, own = got.astype(wide), reference.to(wide_type).numpy()
    eps = torch.finfo(want.dtype).eps
    with np.errstate(all="ignore"):
        noise = np.zeros(own.shape)
        if exact is not None and exact.dtype == _WIDER.get(want.dtype, want.dtype):
            noise = np.nan_to_num(
                np.abs(own - exact.resolve_conj().resolve_neg().to(wide_type).numpy()), nan=0.0, posinf=0.0
            )
        finite = np.abs(own[np.isfinite(own)])
        scale = float(finite.max()) if finite.size else 0.0
        noise = np.where(16 * noise > 0.01 * scale, 0.0, noise)
        allowed = 64 * eps * np.abs(own) + 16 * eps * scale + 16 * noise + 4 * eps
        same = (mine == own) | (np.isnan(mine) & np.isnan(own)) | (np.abs(mine - own) <= allowed)
        same &= np.isfinite(own) | (mine == own) | (np.isnan(mine) & np.isnan(own))
    return _told(mine, own, ~same)


def _told(got: np.ndarray, want: np.ndarray, far: Any) -> str:
    far = np.asarray(far)
    if not far.any():
        return ""
    return f"{int(far.sum())} of {far.size} differ: {got[far][:3]} instead of {want[far][:3]}"
