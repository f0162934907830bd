"""Elementwise ops, reductions, activations, casts and orderings against PyTorch in float64, on every sample.

A row maps an op to what PyTorch calls it. A row may return None for samples PyTorch has no counterpart of.
"""

from __future__ import annotations

import dataclasses
import math
import platform
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from ir.ops import get
from ir.ops.sampler import Sample
from ir.types import dtype, dtypes
from tests.ops.checks import check_all, direct
from tests.ops.harness import assert_close, cases_of, named

torch = pytest.importorskip("torch")
F = torch.nn.functional
Tensor = Any
Row = Callable[..., Any]
RTOL = 1e-11


# -- elementwise ----------------------------------------------------------------------------------------------------
UNARY = (
    "exp expm1 log log1p log2 log10 sqrt rsqrt reciprocal sin cos tan asin acos atan sinh cosh tanh asinh acosh atanh "
    "erf erfc erfinv lgamma digamma neg abs square floor ceil round trunc real imag angle conj isnan isfinite "
    "bitwise_not sigmoid"
).split()
BINARY = (
    "add sub mul div pow maximum minimum fmax fmin atan2 complex equal:eq not_equal:ne less:lt less_equal:le "
    "greater:gt greater_equal:ge bitwise_and bitwise_or bitwise_xor shift_left:bitwise_left_shift "
    "shift_right:bitwise_right_shift and:logical_and or:logical_or xor:logical_xor not:logical_not"
).split()


def _plain(names: list[str]) -> dict[str, Row]:
    rows = {}
    for entry in names:
        name, _, alias = entry.partition(":")
        rows[name] = getattr(torch, alias or name)
    return rows


def sign(x: Tensor, nan: str) -> Tensor:
    signs = torch.sign(x)
    return signs if nan == "zero" or not x.is_floating_point() else torch.where(x.isnan(), x, signs)


def isinf(x: Tensor, positive: bool, negative: bool) -> Tensor:
    return (torch.isposinf(x) & positive) | (torch.isneginf(x) & negative)


def clip(x: Tensor, min: Tensor | None, max: Tensor | None) -> Tensor:
    return x if min is None and max is None else torch.clamp(x, min, max)


def divided(fn: Row) -> Row:
    """Where PyTorch's kernels have defects, what they should give.

    They trap on the lowest integer over -1, where the quotient wraps; float remainders of overflowing quotients are
    NaN, where C's fmod is exact.
    """

    def call(x: Tensor, y: Tensor) -> Tensor:
        if x.dtype == torch.uint8 or (x.is_floating_point() and fn is torch.floor_divide):
            return fn(x, y)
        if x.is_floating_point():
            x, y = torch.broadcast_tensors(x, y)
            huge = (x / y).isinf() & x.isfinite() & (y != 0)
            cells = zip(*(t.flatten().tolist() for t in (x, y, huge)), strict=True)
            rest = [math.fmod(a, b) if wanted else 0.0 for a, b, wanted in cells]
            return torch.where(huge, torch.tensor(rest, dtype=x.dtype).reshape(x.shape), fn(x, y))
        x, y = torch.broadcast_tensors(x, y)
        traps = (x == torch.iinfo(x.dtype).min) & (y == -1)
        safe = fn(torch.where(traps, torch.ones_like(x), x), y)
        wrapped = torch.zeros_like(x) if fn in (torch.remainder, torch.fmod) else x
        return torch.where(traps, wrapped, safe)

    return call


def trunc_div(x: Tensor, y: Tensor) -> Tensor:
    return torch.div(x, y, rounding_mode="trunc")


ELEMENTWISE: dict[str, Row] = {
    **_plain(UNARY),
    **_plain(BINARY),
    "sign": sign,
    "isinf": isinf,
    "clip": clip,
    "where": lambda condition, x, y: torch.where(condition, x, y),
    "floor_div": divided(torch.floor_divide),
    "trunc_div": divided(trunc_div),
    "mod": divided(torch.remainder),
    "fmod": divided(torch.fmod),
}


# -- reductions -----------------------------------------------------------------------------------------------------
def over(fn: Row) -> Row:
    """A reduction over the last axis, made one over `axes`: these are moved to the end and joined."""

    def call(x: Tensor, axes: tuple[int, ...] | None, keepdims: bool, **attrs: Any) -> Tensor:
        gone = sorted({a % x.ndim for a in axes} if axes is not None else range(x.ndim))
        kept = [i for i in range(x.ndim) if i not in gone]
        rows = x.permute((*kept, *gone)).reshape([x.shape[i] for i in kept] + [int(np.prod([x.shape[i] for i in gone]))])
        out = fn(rows, **attrs)
        return out.reshape([1 if i in gone else x.shape[i] for i in range(x.ndim)]) if keepdims else out

    return call


def variance(fn: Row) -> Row:
    return over(lambda x, correction: fn(x, dim=-1, correction=correction))


REDUCTIONS: dict[str, Row] = {
    "reduce_sum": over(lambda x: torch.sum(x, -1, dtype=x.dtype)),
    "reduce_prod": over(lambda x: torch.prod(x, -1, dtype=x.dtype)),
    "reduce_mean": over(lambda x: torch.mean(x, -1)),
    "reduce_max": over(lambda x, ties: torch.amax(x, -1) if ties == "share" else torch.max(x, -1).values),
    "reduce_min": over(lambda x, ties: torch.amin(x, -1) if ties == "share" else torch.min(x, -1).values),
    "reduce_any": over(lambda x: torch.any(x, -1)),
    "reduce_all": over(lambda x: torch.all(x, -1)),
    "reduce_log_sum_exp": over(lambda x: torch.logsumexp(x, -1)),
    "reduce_l1": over(lambda x: torch.linalg.vector_norm(x, 1, -1)),
    "reduce_l2": over(lambda x: torch.linalg.vector_norm(x, 2, -1)),
    "reduce_sum_square": over(lambda x: torch.linalg.vector_norm(x, 2, -1) ** 2),
    "reduce_var": variance(torch.var),
    "reduce_std": variance(torch.std),
}


# -- along one axis -------------------------------------------------------------------------------------------------
def position(fn: Row) -> Row:
    def call(x: Tensor, axis: int, keepdims: bool, select_last: bool) -> Tensor:
        if not x.shape[axis]:  # torch refuses an empty axis even where the result is empty
            return None
        if select_last:
            return x.shape[axis] - 1 - fn(x.flip(axis), dim=axis, keepdim=keepdims)
        return fn(x, dim=axis, keepdim=keepdims)

    return call


def running(fn: Row, start: int) -> Row:
    def call(x: Tensor, axis: int, exclusive: bool, reverse: bool) -> Tensor:
        x = x.flip(axis) if reverse else x
        if exclusive and x.shape[axis]:
            x = torch.cat([torch.full_like(x.narrow(axis, 0, 1), start), x.narrow(axis, 0, x.shape[axis] - 1)], axis)
        out = fn(x, axis, dtype=x.dtype)
        return out.flip(axis) if reverse else out

    return call


ALONG: dict[str, Row] = {
    "argmax": position(torch.argmax),
    "argmin": position(torch.argmin),
    "cumsum": running(torch.cumsum, 0),
    "cumprod": running(torch.cumprod, 1),
    "sort": lambda x, axis, descending, stable: torch.sort(x, dim=axis, descending=descending, stable=True),
    "softmax": lambda x, axis: torch.softmax(x, axis),
    "log_softmax": lambda x, axis: torch.log_softmax(x, axis),
    "glu": lambda x, axis: F.glu(x, axis),
}


# -- activations ----------------------------------------------------------------------------------------------------
def prelu(x: Tensor, slope: Tensor, axis: int | None) -> Tensor | None:
    if axis is None or axis % x.ndim == 0:
        return None
    return F.prelu(x.movedim(axis, 1), slope).movedim(1, axis)


def with_defaults(fn: Row, **defaults: float) -> Row:
    """A function whose constants PyTorch fixes: other values have no counterpart."""
    return lambda x, **attrs: fn(x) if attrs == defaults else None


ACTIVATIONS: dict[str, Row] = {
    "relu": F.relu,
    "silu": F.silu,
    "mish": F.mish,
    "softsign": F.softsign,
    "hard_swish": F.hardswish,
    "log_sigmoid": F.logsigmoid,
    "tanh_shrink": F.tanhshrink,
    "leaky_relu": lambda x, alpha: F.leaky_relu(x, alpha),
    "elu": lambda x, alpha: F.elu(x, alpha),
    "celu": lambda x, alpha: F.celu(x, alpha),
    "selu": with_defaults(F.selu, alpha=1.6732632423543772, gamma=1.0507009873554805),
    "hard_sigmoid": with_defaults(F.hardsigmoid, alpha=1 / 6, beta=0.5),
    "gelu": lambda x, approximate: F.gelu(x, approximate=approximate),
    "softplus": lambda x, beta, threshold: F.softplus(x, beta, threshold),
    "soft_shrink": lambda x, lambd: F.softshrink(x, lambd),
    "hard_tanh": lambda x, min, max: F.hardtanh(x, min, max),
    "hard_shrink": lambda x, lambd: F.hardshrink(x, lambd),
    "threshold": lambda x, threshold, value: F.threshold(x, threshold, value),
    "prelu": prelu,
}


# -- creation and casts ---------------------------------------------------------------------------------------------
def to_torch(kind: Any) -> Any:
    return getattr(torch, str(kind))


def cast(x: Tensor, to: Any) -> Tensor | None:
    """Out of range, only 32 and 64 bits wide targets: PyTorch's own kernels differ for narrower and unsigned ones."""
    unsure = x.is_floating_point() and not to.is_float and not (x.abs() < 2**7).all()
    if unsure and (to.name not in ("int32", "int64", "bool") or platform.machine() not in ("x86_64", "AMD64")):
        return None
    return x.to(to_torch(to))


def counted(start: float, stop: float, step: float, kind: Any) -> Tensor:
    """PyTorch refuses bounds that the step leads away from, instead of giving nothing."""
    empty = (stop - start) * step <= 0
    return torch.zeros(0, dtype=kind) if empty else torch.arange(start, stop, step, dtype=kind)


CREATION: dict[str, Row] = {
    "cast": cast,
    "full": lambda shape, value, dtype: torch.full(shape, value, dtype=to_torch(dtype)),
    "eye": lambda rows, cols, k, dtype: torch.ones(rows, cols).triu(k).tril(k).to(to_torch(dtype)),
    "arange": lambda start, stop, step, dtype: counted(start, stop, step, to_torch(dtype)),
    "range": lambda start, stop, step, symbol: counted(start.item(), stop.item(), step.item(), start.dtype),
}
ROWS = {**ELEMENTWISE, **REDUCTIONS, **ALONG, **ACTIVATIONS, **CREATION}


def tensor(array: np.ndarray | None) -> Tensor:
    return None if array is None else torch.from_numpy(np.array(array))


def tamed(array: np.ndarray) -> np.ndarray:
    """Huge floats made 500: PyTorch's formulas overflow inside (exp in softplus, x * 6 in hardswish), ours do not."""
    if array.dtype.kind != "f":
        return array
    return np.where(np.isfinite(array), np.clip(array, -500, 500), array)


def compare(name: str, sample: Sample) -> bool:
    """Whether PyTorch has this sample; raises AssertionError where it disagrees."""
    record = get(name)
    attrs = record.complete(sample.attrs)
    if name in ACTIVATIONS:
        sample = dataclasses.replace(sample, operands=tuple(tamed(x) for x in sample.operands))
    given = {k: tensor(v) for k, v in named(record, sample).items()}
    result = ROWS[name](*given.values(), **attrs)
    if result is None:
        return False
    results = result if isinstance(result, tuple) else (result,)
    for mine, theirs in zip(direct(record, sample, "exact"), results, strict=True):
        expected = theirs.resolve_conj().numpy()
        assert mine.dtype == expected.dtype, f"{mine.dtype}, PyTorch gives {expected.dtype}"
        kind = dtype(expected.dtype)
        assert_close(mine, expected, kind, RTOL if kind.bits >= 64 and not kind == dtypes.complex64 else None)
    return True


def _has_halves(sample: Sample) -> bool:
    """Kernels see half floats widened, and PyTorch's double to float16 rounds through float32; NumPy takes none of its
    8-bit floats."""
    operands = (x.dtype.name for x in sample.operands if isinstance(x, np.ndarray))
    return any(str(v) in ("float16", "bfloat16") or "float8" in str(v) for v in (*sample.attrs.values(), *operands))


LACKS = {("shift_left", "uint16"), ("shift_right", "uint16")}
"""Types for which PyTorch has no kernel of an operation."""


@pytest.mark.parametrize("name", sorted(ROWS))
def test_evaluate_is_torch(name: str) -> None:
    cases = [c for c in cases_of(get(name), dtypes.float64) if not _has_halves(c[2])]
    cases += [c for c in cases_of(get(name)) if not _has_halves(c[2]) and not _uses(c[2], "float32")]
    cases = [c for c in cases if not any(op == name and _uses(c[2], kind) for op, kind in LACKS)]
    compared = check_all(lambda op, sample: compare(op.name, sample), cases)
    assert any(compared)


def _uses(sample: Sample, kind: str) -> bool:
    return any(isinstance(x, np.ndarray) and x.dtype.name == kind for x in sample.operands)


@pytest.mark.parametrize("kind", [dtypes.float64, dtypes.float32])
def test_top_k_is_torch_up_to_ties(kind: Any) -> None:
    """PyTorch leaves the order of ties open: values agree, and each index points at its value, none twice."""

    def compared(op: Any, sample: Sample) -> None:
        values, indices = direct(op, sample, "exact")
        attrs = op.complete(sample.attrs)
        theirs = torch.topk(tensor(sample.operands[0]), attrs["k"], attrs["axis"], attrs["largest"], sorted=True)
        np.testing.assert_array_equal(values, theirs.values.numpy())
        np.testing.assert_array_equal(np.take_along_axis(sample.operands[0], indices, attrs["axis"]), values)
        along = np.moveaxis(indices, attrs["axis"], -1).reshape(-1, max(attrs["k"], 1))
        assert all(len(set(row)) == len(row) for row in along.tolist())

    check_all(compared, cases_of(get("top_k"), kind))


def test_ties_go_to_the_lowest_index() -> None:
    x = np.array([2.0, 3.0, np.nan, 3.0, np.nan, 2.0])
    _, largest = direct(get("top_k"), Sample((x,), {"k": 5}), "exact")
    _, smallest = direct(get("top_k"), Sample((x,), {"k": 5, "largest": False}), "exact")
    _, descending = direct(get("sort"), Sample((x,), {"descending": True}), "exact")
    assert largest.tolist() == [2, 4, 1, 3, 0]
    assert smallest.tolist() == [0, 5, 1, 3, 2]
    assert descending.tolist() == [2, 4, 1, 3, 0, 5]


def test_torch_sign_of_nan_is_zero() -> None:
    """Why `sign` has an attribute for it."""
    assert torch.sign(torch.tensor([float("nan")], dtype=torch.float64)).item() == 0
