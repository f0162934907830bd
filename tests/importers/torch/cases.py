"""Small functions that span the attributes of the rules, by family; inputs are read from a shared pool `t`."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor
from torch.nn import functional as F

Fn = Callable[[Any], Any]


def pool(dtype: torch.dtype = torch.float64, n: int = 2, h: int = 8, seed: int = 0) -> dict[str, Tensor]:
    """Inputs of every kind; `n` and `h` are the sizes that dynamic runs vary."""
    g = torch.Generator().manual_seed(seed)

    def real(*shape: int, low: float = -3, high: float = 3) -> Tensor:
        return (torch.rand(shape, generator=g, dtype=torch.float64) * (high - low) + low).to(dtype)

    def ints(*shape: int, low: int = -5, high: int = 6) -> Tensor:
        return torch.randint(low, high, shape, generator=g)

    return {
        "x": real(n, 3, 4), "y": real(3, 4), "pos": real(n, 3, 4, low=0.1), "unit": real(n, 3, 4, low=-0.9, high=0.9),
        "i": ints(n, 3, 4), "j": ints(n, 3, 4, low=1, high=6), "i32": ints(n, 3, 4).int(), "u8": ints(n, 3, 4, low=0, high=200).byte(),
        "b": ints(n, 3, 4, low=0, high=2).bool(), "b2": ints(n, 3, 4, low=0, high=2).bool(), "s": real(), "si": ints(),
        "img": real(n, 4, h, 9), "sig": real(n, 4, 10), "vol": real(n, 4, 4, 5, 6), "half": real(n, 3, 4).half(),
        "c": real(4), "k": real(5, 4), "m": real(n, 4, 5), "table": real(7, 3), "rows": ints(n, 5, low=0, high=7),
        "at": ints(2, low=0, high=4), "w1": real(6, 4, 3), "w2": real(6, 4, 3, 2), "w3": real(6, 4, 2, 2, 2), "g2": real(8, 1, 3, 3),
        "t2": real(4, 3, 3, 2), "t2g": real(4, 2, 3, 3), "t1": real(4, 3, 4), "bias6": real(6), "neg1": torch.tensor([[1, -1], [0, -3]]),
        "spec": torch.tensor([0.0, -0.0, float("inf"), float("-inf"), float("nan"), 1.5, 2.5, -0.5, -2.5], dtype=dtype),
        **_matrices(real, n), "deg": ints(3, 4, low=0, high=7).to(dtype),
        "edges": torch.tensor([-2.0, -0.5, 0.5, 1.25, 2.0], dtype=dtype), "distinct": torch.tensor([[3, -1, 4, 9], [2, 6, 5, -3]]),
        "holes": torch.tensor([[1.0, math.nan, 0.5, 2.0], [3.0, 1.0, 2.0, -1.0], [math.nan, 0.25, math.nan, -2.0]], dtype=dtype),
        "grid": real(n, 3, 5, 2, low=-1.4, high=1.4), "grid3": real(n, 2, 3, 2, 3, low=-1.4, high=1.4),
    }  # fmt: skip


def _matrices(real: Callable[..., Tensor], n: int) -> dict[str, Tensor]:
    """Square matrices far from singular, real and complex ones, positive definite ones, and some without full rank."""
    square = real(n, 4, 4) + 5 * torch.eye(4)
    low = real(n, 5, 2, low=1) @ real(n, 2, 4)
    return {
        "sq": square.to(low.dtype), "spd": (square @ square.mT / 8).to(low.dtype),
        "z": torch.complex(real(n, 3, 4), real(n, 3, 4)),
        "zsq": torch.complex(real(n, 4, 4) + 5 * torch.eye(4).to(low.dtype), real(n, 4, 4)),
        "deficient": low, "cutoff": real(n, low=0.1, high=0.5),
    }  # fmt: skip


ELEMENTWISE: dict[str, Fn] = {
    **{
        n: (lambda t, n=n: getattr(torch, n)(t.x))
        for n in (
            "exp",
            "expm1",
            "sin",
            "cos",
            "tan",
            "atan",
            "sinh",
            "cosh",
            "tanh",
            "asinh",
            "erf",
            "erfc",
            "neg",
            "abs",
            "sign",
            "square",
            "floor",
            "ceil",
            "round",
            "trunc",
            "frac",
            "sigmoid",
            "positive",
        )
    },
    **{
        n: (lambda t, n=n: getattr(torch, n)(t.pos))
        for n in (
            "log",
            "log1p",
            "log2",
            "log10",
            "sqrt",
            "rsqrt",
            "reciprocal",
            "lgamma",
            "digamma",
        )
    },
    **{n: (lambda t, n=n: getattr(torch, n)(t.unit)) for n in ("asin", "acos", "atanh", "erfinv", "logit")},
    **{
        f"{n}_spec": (lambda t, n=n: getattr(torch, n)(t.spec))
        for n in ("sign", "round", "floor", "trunc", "abs", "exp", "tanh", "isnan")
    },
    **{
        f"{n}_int": (lambda t, n=n: getattr(torch, n)(t.i))
        for n in ("exp", "sin", "neg", "abs", "sign", "floor", "round", "square", "sigmoid")
    },
    "acosh": lambda t: torch.acosh(t.pos + 1),
    "logit_eps": lambda t: torch.logit(t.unit, 0.1),
    "special": lambda t: torch.special.expit(t.x),
    "add": lambda t: t.x + t.y,
    "add_bool_alpha": lambda t: [torch.add(t.b, t.b2[0], alpha=a) for a in (False, True)],
    "add_alpha": lambda t: torch.add(t.x, t.y, alpha=2.5),
    "add_int_float": lambda t: t.i + t.x,
    "add_scalar": lambda t: t.x + 1.5,
    "add_int_scalar_float": lambda t: t.i + 1.5,
    "add_bool": lambda t: t.b + t.b2,
    "add_bool_int": lambda t: t.b + 1,
    "add_i32": lambda t: t.i32 + t.i,
    "add_0d": lambda t: t.i + t.s,
    "add_i32_0d": lambda t: t.i32 + t.si,
    "add_u8": lambda t: t.u8 + t.u8,
    "sub": lambda t: t.x - t.y,
    "sub_alpha": lambda t: torch.sub(t.i, t.j, alpha=3),
    "rsub": lambda t: 2 - t.x,
    "rsub_alpha": lambda t: torch.rsub(t.x, 2, alpha=3),
    "mul": lambda t: t.x * t.y,
    "mul_scalar": lambda t: t.x * -2,
    "mul_bool": lambda t: t.b * t.b2,
    "mul_int_bool": lambda t: t.i * t.b,
    "div": lambda t: t.x / t.pos,
    "div_int": lambda t: t.i / t.j,
    "div_scalar": lambda t: t.i / 4,
    "rdiv": lambda t: 1 / t.pos,
    "div_floor": lambda t: torch.div(t.x, t.pos, rounding_mode="floor"),
    "div_trunc": lambda t: torch.div(t.x, t.pos, rounding_mode="trunc"),
    "div_floor_int": lambda t: torch.div(t.i, t.j, rounding_mode="floor"),
    "div_trunc_int": lambda t: torch.div(t.i, t.j, rounding_mode="trunc"),
    "floordiv": lambda t: t.i // 3,
    "floordiv_float": lambda t: t.x // 0.7,
    "div_none": lambda t: torch.div(t.i, t.j, rounding_mode=None),
    "remainder": lambda t: t.i % 3,
    "remainder_neg": lambda t: t.i % -3,
    "remainder_of_number": lambda t: [torch.remainder(-7, t.j.abs() + 2), torch.remainder(-2.5, t.pos)],
    "remainder_float": lambda t: torch.remainder(t.x, -1.3),
    "fmod": lambda t: torch.fmod(t.x, 1.3),
    "fmod_int": lambda t: torch.fmod(t.i, t.j),
    "maximum": lambda t: torch.maximum(t.x, t.y),
    "maximum_int": lambda t: torch.maximum(t.i, t.j),
    "minimum_bool": lambda t: torch.minimum(t.b, t.b2),
    "max_other": lambda t: torch.max(t.i, t.x),
    "fmax": lambda t: torch.fmax(t.x, t.y),
    "fmin": lambda t: torch.fmin(t.x, t.y),
    "atan2": lambda t: torch.atan2(t.x, t.y),
    "atan2_int": lambda t: torch.atan2(t.i, t.j),
    "hypot": lambda t: torch.hypot(t.x, t.y),
    "pow2": lambda t: t.x**2,
    "pow3": lambda t: t.x**3,
    "pow_half": lambda t: t.pos**0.5,
    "pow_neg_half": lambda t: t.pos**-0.5,
    "pow_neg": lambda t: t.pos**-1.5,
    "pow_tensor": lambda t: t.pos**t.x,
    "pow_int": lambda t: t.i**3,
    "pow_int_float": lambda t: t.j**0.5,
    "pow_scalar_base": lambda t: 2**t.x,
    "pow_int_int": lambda t: t.j**t.j,
    "float_power": lambda t: torch.float_power(t.j, 2),
    "clamp": lambda t: t.x.clamp(-1, 1),
    "clamp_min": lambda t: t.x.clamp(min=0.5),
    "clamp_max": lambda t: t.x.clamp(max=0.5),
    "clamp_inverted": lambda t: t.x.clamp(1, -1),
    "clamp_int": lambda t: t.i.clamp(-2, 3),
    "clamp_int_float": lambda t: t.i.clamp(-1.5, 2.5),
    "clamp_tensor": lambda t: torch.clamp(t.x, t.y, t.y + 1),
    "clamp_tensor_min": lambda t: torch.clamp(t.x, min=t.y),
    "clamp_tensor_max": lambda t: torch.clamp(t.x, max=t.y),
    "clip": lambda t: torch.clip(t.x, -1, 1),
    "clamp_spec": lambda t: t.spec.clamp(-1, 1),
    "addcmul": lambda t: torch.addcmul(t.x, t.y, t.y, value=0.5),
    "addcdiv": lambda t: torch.addcdiv(t.x, t.y, t.pos, value=-2),
    "lerp": lambda t: torch.lerp(t.x, t.y, 0.3),
    "lerp_tensor": lambda t: torch.lerp(t.x, t.y, t.unit),
    "where": lambda t: torch.where(t.b, t.x, t.y),
    "where_scalar": lambda t: torch.where(t.b, t.x, 2.0),
    "where_promote": lambda t: torch.where(t.b, t.i, t.x),
    "where_int_scalars": lambda t: torch.where(t.b, 1, 0),
    "where_other": lambda t: torch.where(t.b, 1.5, t.x),
}

ACTIVATION: dict[str, Fn] = {
    "relu": lambda t: F.relu(t.x),
    "relu_int": lambda t: F.relu(t.i),
    "relu6": lambda t: F.relu6(2 * t.x),
    "gelu": lambda t: F.gelu(t.x),
    "gelu_tanh": lambda t: F.gelu(t.x, approximate="tanh"),
    "silu": lambda t: F.silu(t.x),
    "mish": lambda t: F.mish(t.x),
    "leaky": lambda t: F.leaky_relu(t.x),
    "leaky2": lambda t: F.leaky_relu(t.x, 0.3),
    "elu": lambda t: F.elu(t.x),
    "elu_op": lambda t: [torch.ops.aten.elu.default(t.x, 1.5, 2, 0.7), torch.ops.aten.elu.default(t.y, 0.5, 1, 2)],
    "elu2": lambda t: F.elu(t.x, 0.4),
    "celu": lambda t: F.celu(t.x, 0.7),
    "selu": lambda t: F.selu(t.x),
    "hardswish": lambda t: F.hardswish(2 * t.x),
    "hardsigmoid": lambda t: F.hardsigmoid(2 * t.x),
    "hardtanh": lambda t: F.hardtanh(t.x),
    "hardtanh2": lambda t: F.hardtanh(t.x, -0.3, 2),
    "softplus": lambda t: F.softplus(t.x),
    "softplus2": lambda t: F.softplus(t.x, 2.0, 1.5),
    "softsign": lambda t: F.softsign(t.x),
    "logsigmoid": lambda t: F.logsigmoid(t.x),
    "tanhshrink": lambda t: F.tanhshrink(t.x),
    "softshrink": lambda t: F.softshrink(t.x, 0.7),
    "hardshrink": lambda t: F.hardshrink(t.x, 0.7),
    "threshold": lambda t: F.threshold(t.x, 0.5, -2),
    "glu": lambda t: F.glu(t.x),
    "glu_axis": lambda t: F.glu(t.img, 1),
    "softmax": lambda t: F.softmax(t.x, -1),
    "softmax_number": lambda t: [F.softmax(t.s, 0), F.log_softmax(t.s, -1), F.softmax(t.spec[4], 0)],
    "softmax1": lambda t: F.softmax(t.x, 1),
    "softmax_int": lambda t: F.softmax(t.i, -1, dtype=torch.float64),
    "log_softmax": lambda t: F.log_softmax(t.x, 2),
    "softmin": lambda t: F.softmin(t.x, 1),
    "log_softmax0": lambda t: F.log_softmax(t.y, 0),
    "prelu": lambda t: F.prelu(t.img, t.c),
    "prelu1": lambda t: F.prelu(t.x, t.c[:1]),
    "prelu_1d": lambda t: F.prelu(t.c, t.c[:1]),
    "rrelu": lambda t: F.rrelu(t.x),
}

LOGIC: dict[str, Fn] = {
    **{n: (lambda t, n=n: getattr(torch, n)(t.i, t.j)) for n in ("eq", "ne", "lt", "le", "gt", "ge")},
    **{f"{n}_mixed": (lambda t, n=n: getattr(torch, n)(t.i, 1.5)) for n in ("eq", "ne", "lt", "le", "gt", "ge")},
    "eq_bool": lambda t: t.b == t.b2,
    "lt_0d": lambda t: t.i < t.s,
    "eq_i32": lambda t: t.i32 == t.i,
    "gt_scalar": lambda t: t.x > 1,
    "and": lambda t: t.b & t.b2,
    "or": lambda t: t.b | t.b2,
    "xor": lambda t: t.b ^ t.b2,
    "not": lambda t: ~t.b,
    "and_int": lambda t: t.i & t.j,
    "or_scalar": lambda t: t.i | 6,
    "bits_of_number": lambda t: [
        torch.bitwise_and(6, t.i),
        torch.bitwise_or(6, t.i),
        torch.bitwise_xor(6, t.i),
        torch.bitwise_left_shift(6, t.j.abs() % 5),
        torch.bitwise_right_shift(-60, t.j.abs() % 5),
    ],
    "xor_int": lambda t: t.i ^ t.i32,
    "not_int": lambda t: ~t.i,
    "shl": lambda t: t.i << 2,
    "shr": lambda t: t.i >> 1,
    "logical_and": lambda t: torch.logical_and(t.i, t.x),
    "logical_or": lambda t: torch.logical_or(t.b, t.i),
    "logical_not": lambda t: torch.logical_not(t.i),
    "logical_xor": lambda t: torch.logical_xor(t.i, t.b),
    "isinf": lambda t: torch.isinf(t.spec),
    "isfinite": lambda t: torch.isfinite(t.spec),
    "isnan_int": lambda t: torch.isnan(t.i),
    "isposinf": lambda t: torch.isposinf(t.spec),
    "isneginf": lambda t: torch.isneginf(t.spec),
    "isfinite_int": lambda t: torch.isfinite(t.i),
}

CAST: dict[str, Fn] = {
    "to_float": lambda t: t.i.float(),
    "to_int": lambda t: t.x.int(),
    "to_long": lambda t: t.x.long(),
    "to_bool": lambda t: t.x.bool(),
    "bool_to": lambda t: t.b.double(),
    "type_as": lambda t: t.i.type_as(t.x),
    "to_other": lambda t: t.i.to(t.x),
    "half": lambda t: t.i.half(),
    "to_u8": lambda t: t.j.byte(),
    "half_scalar": lambda t: (t.half * 0.1).float(),
    "half_add": lambda t: (t.half + 1.0).float(),
    "clone": lambda t: t.x.clone(),
    "contiguous": lambda t: t.x.mT.contiguous(),
    "half_promote": lambda t: t.half + t.x,
    "bf16": lambda t: t.j.bfloat16().float(),
}

REDUCTION: dict[str, Fn] = {
    **{
        n: (lambda t, n=n: getattr(t.x, n)())
        for n in ("sum", "mean", "prod", "max", "min", "var", "std", "argmax", "argmin", "amax")
    },
    **{
        f"{n}_dim": (lambda t, n=n: getattr(t.x, n)(1))
        for n in ("sum", "mean", "prod", "var", "std", "argmax", "argmin", "logsumexp", "amin")
    },
    **{
        f"{n}_keep": (lambda t, n=n: getattr(t.x, n)(-1, keepdim=True))
        for n in ("sum", "mean", "prod", "argmax", "logsumexp", "std")
    },
    "sum_dims": lambda t: t.x.sum((0, 2)),
    "mean_dims": lambda t: t.x.mean((1, 2), keepdim=True),
    "sum_int": lambda t: t.i32.sum(),
    "sum_bool": lambda t: t.b.sum(1),
    "sum_dtype": lambda t: t.i.sum(dtype=torch.float64),
    "mean_dtype": lambda t: t.i.mean(dtype=torch.float64),
    "prod_int": lambda t: t.j.prod(2),
    "amax_dims": lambda t: t.x.amax((0, 1)),
    "amin_keep": lambda t: t.x.amin(2, keepdim=True),
    "max_dim": lambda t: tuple(t.x.max(1)),
    "min_dim": lambda t: tuple(t.x.min(2, keepdim=True)),
    "max_dim_bool": lambda t: [*t.b.max(1), *t.b.min(-1, keepdim=True)],
    "max_dim_ties": lambda t: tuple(t.b.long().max(1)),
    "aminmax": lambda t: tuple(torch.aminmax(t.x, dim=1)),
    "any": lambda t: t.b.any(),
    "any_dim": lambda t: t.b.any(1),
    "all_int": lambda t: t.i.all(2, keepdim=True),
    "all": lambda t: t.b.all(),
    "argmax_keep": lambda t: t.x.argmax(keepdim=True),
    "max_bool": lambda t: t.b.max(),
    "var_pop": lambda t: t.x.var(1, unbiased=False),
    "var_correction": lambda t: torch.var(t.x, (1, 2), correction=2),
    "std_correction": lambda t: torch.std(t.x, 1, correction=0, keepdim=True),
    "var_mean": lambda t: torch.var_mean(t.x, 1),
    "std_mean": lambda t: torch.std_mean(t.x, (0, 1), correction=0),
    "cumsum": lambda t: t.x.cumsum(1),
    "cumsum_int": lambda t: t.i32.cumsum(-1),
    "cumsum_bool": lambda t: t.b.cumsum(1),
    "cumsum_dtype": lambda t: t.i.cumsum(1, dtype=torch.float64),
    "cumprod": lambda t: t.x.cumprod(2),
    "topk": lambda t: tuple(t.x.topk(2)),
    "topk_small": lambda t: tuple(t.x.topk(2, dim=1, largest=False)),
    "sort": lambda t: tuple(t.x.sort()),
    "sort_desc": lambda t: tuple(torch.sort(t.x, dim=1, descending=True, stable=True)),
    "argsort": lambda t: t.x.argsort(1),
    "norm2": lambda t: t.x.norm(dim=1),
    "norm1": lambda t: torch.linalg.vector_norm(t.x, 1, dim=(1, 2)),
    "norm_inf": lambda t: torch.linalg.vector_norm(t.x, float("inf"), dim=2),
    "norm3": lambda t: torch.linalg.vector_norm(t.x, 3, dim=1, keepdim=True),
    "norm0": lambda t: torch.linalg.vector_norm(t.i.double(), 0, dim=1),
    "norm_all": lambda t: t.x.norm(),
    "count_nonzero": lambda t: torch.count_nonzero(t.i),
    "count_nonzero_dim": lambda t: torch.count_nonzero(t.i, dim=1),
    "normalize": lambda t: F.normalize(t.x, dim=1),
    "normalize1": lambda t: F.normalize(t.x, p=1.0, dim=-1),
    "max_spec": lambda t: t.spec.max(),
    "argmax_spec": lambda t: t.spec.argmax(),
    "sum_0d": lambda t: t.s.sum(),
    "sum_dim_0d": lambda t: t.s.sum(0),
    "cosine": lambda t: F.cosine_similarity(t.x, t.y, dim=-1),
}
