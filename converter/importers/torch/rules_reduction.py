"""ATen reductions, ordering and cumulative sums."""

from __future__ import annotations

from typing import Any

from converter.importers.torch.context import Call, RuleFn, TorchContext, rule
from ir.core import Value
from ir.types import dtypes


def _over(a: Call, x: Value) -> dict[str, Any]:
    axes = a.axes("dim", x.type.rank) if a.has("dim") else None
    return {"axes": axes, "keepdims": a.lit("keepdim") if a.has("keepdim") else False}


def _reduce(op: str) -> RuleFn:
    """Sums and products: the input is cast to the result's dtype first (bools and small integers to int64)."""

    def convert(c: TorchContext, a: Call) -> Value:
        if a.has("dtype"):
            a.dtype_arg()
        x = c.cast(a.value("self"), a.dtype)
        return getattr(c.b, op)(x, **_over(a, x))

    return convert


for _key, _op in {
    "sum.default": "reduce_sum", "sum.dim_IntList": "reduce_sum", "mean.default": "reduce_mean", "mean.dim": "reduce_mean",
    "prod.default": "reduce_prod", "logsumexp.default": "reduce_log_sum_exp",
}.items():  # fmt: skip
    rule.add(f"aten.{_key}", _reduce(_op), _op)


@rule("aten.prod.dim_int")
def prod(c: TorchContext, a: Call) -> Value:
    a.dtype_arg()
    x = c.cast(a.value("self"), a.dtype)
    axis = a.axis("dim", x.type.rank)
    axes = (axis,) if x.type.rank else ()
    return c.b.reduce_prod(x, axes=axes, keepdims=a.lit("keepdim"))


@rule("aten.amax.default", "aten.amin.default", "aten.max.default", "aten.min.default")
def extreme(c: TorchContext, a: Call) -> Value:
    x = a.value("self")
    largest = "max" in str(a.node.target)
    over = _over(a, x)
    if x.type.dtype.is_bool:
        return (c.b.reduce_any if largest else c.b.reduce_all)(x, **over)
    return (c.b.reduce_max if largest else c.b.reduce_min)(x, **over)


@rule("aten.max.dim", "aten.min.dim")
def extreme_with_position(c: TorchContext, a: Call) -> list[Value]:
    x = a.value("self")
    largest, axis, keep = "max" in str(a.node.target), a.axis("dim", x.type.rank), a.lit("keepdim")
    if x.type.rank == 0:
        return [x, c.b.constant(0)]
    kind = x.type.dtype
    x = c.cast(x, dtypes.uint8) if kind.is_bool else x
    ties = "first" if kind.is_float else "share"
    values = (c.b.reduce_max if largest else c.b.reduce_min)(x, axes=(axis,), keepdims=keep, ties=ties)
    return [c.cast(values, kind), (c.b.argmax if largest else c.b.argmin)(x, axis=axis, keepdims=keep)]


@rule("aten.aminmax.default")
def aminmax(c: TorchContext, a: Call) -> list[Value]:
    x = a.value("self")
    axes = None if a.raw("dim") is None else (a.axis("dim", x.type.rank),)
    over = {"axes": axes, "keepdims": a.lit("keepdim")}
    return [c.b.reduce_min(x, **over), c.b.reduce_max(x, **over)]


@rule("aten.any.default", "aten.any.dim", "aten.any.dims", "aten.all.default", "aten.all.dim", "aten.all.dims")
def any_all(c: TorchContext, a: Call) -> Value:
    x = a.value("self")
    op = c.b.reduce_any if ".any." in str(a.node.target) else c.b.reduce_all
    return c.cast(op(c.cast(x, dtypes.bool_), **_over(a, x)), a.dtype)


@rule("aten.argmax.default", "aten.argmin.default")
def argmax(c: TorchContext, a: Call) -> Value:
    x = a.value("self")
    op = c.b.argmax if "argmax" in str(a.node.target) else c.b.argmin
    if a.raw("dim") is not None and x.type.rank:
        return op(x, axis=a.axis("dim", x.type.rank), keepdims=a.lit("keepdim"))
    flat = op(c.b.reshape(x, shape=(_count(x),)), axis=0)
    return c.b.reshape(flat, shape=(1,) * x.type.rank) if a.lit("keepdim") else flat


def _count(x: Value) -> Any:
    total: Any = 1
    for d in x.type.shape:
        total = d * total
    return total


@rule(
    "aten.var.default", "aten.var.dim", "aten.var.correction", "aten.std.default", "aten.std.dim", "aten.std.correction",
)  # fmt: skip
def variance(c: TorchContext, a: Call) -> Value:
    x = a.value("self")
    op = c.b.reduce_var if ".var." in str(a.node.target) else c.b.reduce_std
    return op(x, correction=_correction(a), **_over(a, x))


@rule("aten.var_mean.default", "aten.var_mean.dim", "aten.var_mean.correction", "aten.std_mean.correction")
def variance_and_mean(c: TorchContext, a: Call) -> list[Value]:
    x = a.value("self")
    op = c.b.reduce_var if "var_mean" in str(a.node.target) else c.b.reduce_std
    over = _over(a, x)
    return [op(x, correction=_correction(a), **over), c.b.reduce_mean(x, **over)]


def _correction(a: Call) -> float:
    if a.has("unbiased"):
        return 1.0 if a.lit("unbiased") else 0.0
    found = a.lit("correction") if a.has("correction") else None
    return 1.0 if found is None else float(found)


@rule("aten.cumsum.default", "aten.cumprod.default")
def cumulative(c: TorchContext, a: Call) -> Value:
    a.dtype_arg()
    x = c.cast(a.value("self"), a.dtype)
    if x.type.rank == 0:
        a.lit("dim")
        return x
    return (c.b.cumsum if "cumsum" in str(a.node.target) else c.b.cumprod)(x, axis=a.axis("dim", x.type.rank))


@rule("aten.topk.default")
def topk(c: TorchContext, a: Call) -> list[Value]:
    x = a.value("self")
    axis, largest, ordered = a.axis("dim", x.type.rank), a.lit("largest"), a.lit("sorted")
    return list(c.b.top_k(x, k=a.dim("k"), axis=axis, largest=largest, sorted=ordered))


@rule("aten.sort.default", "aten.sort.stable")
def sort(c: TorchContext, a: Call) -> list[Value]:
    return _sorted(c, a)


def _sorted(c: TorchContext, a: Call) -> list[Value]:
    x = a.value("self")
    stable = bool(a.lit("stable")) if a.has("stable") else False
    return list(c.b.sort(x, axis=a.axis("dim", x.type.rank), descending=a.lit("descending"), stable=stable))


@rule("aten.argsort.default", "aten.argsort.stable")
def argsort(c: TorchContext, a: Call) -> Value:
    return _sorted(c, a)[1]


@rule("aten.count_nonzero.dim_IntList", "aten.count_nonzero.default")
def count_nonzero(c: TorchContext, a: Call) -> Value:
    x = a.value("self")
    return c.b.reduce_sum(c.cast(c.cast(x, dtypes.bool_), dtypes.int64), axes=a.axes("dim", x.type.rank))
