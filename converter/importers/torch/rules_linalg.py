"""ATen matrix products."""

from __future__ import annotations

import numpy as np

from converter.importers.torch.context import Call, TorchContext, rule
from converter.importers.torch.rules_factor import known_sizes
from ir.core import Value
from ir.types import dtypes


@rule("aten.linear.default")
def linear(c: TorchContext, a: Call) -> Value:
    x, weight, bias = a.value("input"), a.value("weight"), a.optional("bias")
    if weight.type.rank == 1:  # F.linear with a vector: a dot product over the last axis
        out = c.b.matmul(x, weight)
        return out if bias is None else c.b.add(out, bias)
    return c.b.linear(x, weight, bias)


@rule(
    "aten.matmul.default", "aten.mm.default", "aten.bmm.default", "aten.mv.default", "aten.dot.default", "aten.vdot.default",
)  # fmt: skip
def matmul(c: TorchContext, a: Call) -> Value:
    """vdot is of the conjugate of its first operand."""
    names = ("self", "other", "mat2", "vec", "tensor")
    x, y = (a.value(n) for n in names if a.has(n))
    if "vdot" in str(a.node.target) and a.dtype.is_complex:
        x = c.b.conj(x)
    return _product(c, x, y)


def _product(c: TorchContext, x: Value, y: Value) -> Value:
    if x.type.dtype == dtypes.bool_:
        c.refuse("matrix product of booleans")
    return c.b.matmul(x, y)


@rule("aten.addmm.default", "aten.baddbmm.default", "aten.addmv.default", "aten.addbmm.default")
def addmm(c: TorchContext, a: Call) -> Value:
    """beta * self + alpha * (first @ second); beta 0 ignores self, NaN included."""
    form = str(a.node.target).split(".")[1]
    first, second = {"addmm": ("mat1", "mat2"), "addmv": ("mat", "vec")}.get(form, ("batch1", "batch2"))
    out = _product(c, a.value(first), a.value(second))
    if form == "addbmm":
        out = c.b.reduce_sum(out, axes=(0,))
    alpha, beta = a.lit("alpha"), a.lit("beta")
    if alpha != 1:
        out = c.b.mul(out, c.constant(alpha, a.dtype))
    bias = a.value("self")
    if beta == 0:
        return out
    if beta != 1:
        bias = c.b.mul(bias, c.constant(beta, a.dtype))
    return c.b.add(out, bias)


@rule("aten.einsum.default")
def einsum(c: TorchContext, a: Call) -> Value:
    a.raw("path")  # the order of contraction: the result is the same
    return c.b.einsum(a.values("tensors"), equation=a.lit("equation"))


@rule("aten.outer.default", "aten.ger.default")
def outer(c: TorchContext, a: Call) -> Value:
    x = a.operand("self", a.dtype)
    y = a.operand("vec2", a.dtype)
    return c.b.mul(c.b.unsqueeze(x, axes=(1,)), c.b.unsqueeze(y, axes=(0,)))


@rule("aten.linalg_vector_norm.default")
def vector_norm(c: TorchContext, a: Call) -> Value:
    a.dtype_arg()
    x = _measured(c, a)
    return _norm(c, x, a.lit("ord"), {"axes": a.axes("dim", x.type.rank), "keepdims": a.lit("keepdim")})


def _measured(c: TorchContext, a: Call) -> Value:
    """What a norm is taken of, in the dtype of the result: complex numbers count by their size."""
    x = a.value("self")
    return c.cast(c.b.abs(x) if x.type.dtype.is_complex else x, a.dtype)


@rule("aten.norm.ScalarOpt_dim", "aten.norm.Scalar", "aten.norm.ScalarOpt_dim_dtype")
def norm(c: TorchContext, a: Call) -> Value:
    if a.has("dtype"):
        a.dtype_arg()
    x = _measured(c, a)
    axes = a.axes("dim", x.type.rank) if a.has("dim") else None
    keepdims = a.lit("keepdim") if a.has("keepdim") else False
    order = a.lit("p")
    return _norm(c, x, 2 if order is None else order, {"axes": axes, "keepdims": keepdims})


def _norm(c: TorchContext, x: Value, order: float, over: dict[str, object]) -> Value:
    if order == 2:
        return c.b.reduce_l2(x, **over)
    if order == 1:
        return c.b.reduce_l1(x, **over)
    if order == float("inf"):
        return c.b.reduce_max(c.b.abs(x), **over)
    if order == float("-inf"):
        return c.b.reduce_min(c.b.abs(x), **over)
    if order == 0:
        zero = c.constant(0, x.type.dtype)
        return c.b.reduce_sum(c.cast(c.b.not_equal(x, zero), x.type.dtype), **over)
    total = c.b.reduce_sum(c.b.pow(c.b.abs(x), c.constant(order, x.type.dtype)), **over)
    root = c.constant(1 / order, x.type.dtype)
    if order < 1:
        return c.b.pow(total, root)
    zero, one = c.constant(0, x.type.dtype), c.constant(1, x.type.dtype)
    some = c.b.not_equal(total, zero)  # the gradient of a length is 0 at 0, that of a power is not
    return c.b.where(some, c.b.pow(c.b.where(some, total, one), root), zero)


@rule("aten.bilinear.default")
def bilinear(c: TorchContext, a: Call) -> Value:
    """sum over i, j of x[..., i] * weight[o, i, j] * y[..., j], plus bias[o]."""
    out = c.b.einsum([a.value("input1"), a.value("weight"), a.value("input2")], equation="...i,oij,...j->...o")
    bias = a.optional("bias")
    return out if bias is None else c.b.add(out, bias)


@rule("aten._weight_norm.default", "aten._weight_norm_interface.default")
def weight_norm(c: TorchContext, a: Call) -> Value | list[Value]:
    """v * g / |v|, the norm over all axes but `dim`, over all of them for -1 (Salimans and Kingma 2016)."""
    v, g, dim = a.value("v"), a.value("g"), a.lit("dim")
    rank = v.type.rank
    axes = None if dim == -1 else tuple(i for i in range(rank) if i != dim)
    norm = c.b.reduce_l2(v, axes=axes, keepdims=dim != -1)
    weight = c.b.mul(v, c.b.div(g, norm))
    return [weight, norm] if "interface" in str(a.node.target) else weight


@rule("aten._cdist_forward.default", "aten._euclidean_dist.default")
def cdist(c: TorchContext, a: Call) -> Value:
    """Distances of all pairs of rows; the way of computing (`compute_mode`) changes rounding only."""
    x, y = a.value("x1"), a.value("x2")
    order = 2.0
    if a.has("p"):
        order = a.lit("p")
        a.lit("compute_mode")
    apart = c.b.sub(c.b.unsqueeze(x, axes=(x.type.rank - 1,)), c.b.unsqueeze(y, axes=(y.type.rank - 2,)))
    return _norm(c, apart, order, {"axes": (apart.type.rank - 1,)})


@rule("aten._grouped_mm.default", "transformers.grouped_mm_fallback.default")
def grouped_mm(c: TorchContext, a: Call) -> Value:
    """Rows grouped by expert; what is behind the last group is undefined in the first and zero in the second."""
    x, weight = (
        a.value(first if a.has(first) else second) for first, second in (("self", "input"), ("mat2", "weight"))
    )
    ends = a.optional("offs")
    if ends is None or x.type.rank != 2 or weight.type.rank != 3:
        c.refuse("grouped product other than of a matrix with a stack of weights")
    if a.has("out_dtype") and a.raw("out_dtype") is not None:
        c.refuse("grouped product into another dtype")
    if a.has("bias") and a.optional("bias") is not None:
        c.refuse("grouped product with a bias")
    return c.b.grouped_matmul(x, weight, ends)


@rule("aten._pdist_forward.default")
def pdist(c: TorchContext, a: Call) -> Value:
    """Distances of each row to those after it."""
    x, order = a.value("self"), a.lit("p")
    first, second = (c.b.constant(i.astype("int64")) for i in np.triu_indices(known_sizes(c, x)[0], 1))
    apart = c.b.sub(c.b.gather(x, first), c.b.gather(x, second))
    return _norm(c, apart, order, {"axes": (1,)})
