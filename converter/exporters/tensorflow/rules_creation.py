"""Tensors made from settings, from numbers that a call computes, and by chance."""

from __future__ import annotations

from converter.exporters.code.expr import Expr, Lit, hole, lift
from converter.exporters.tensorflow.context import OWN_TYPES, TF, Context
from converter.exporters.tensorflow.table import rule
from ir.core import Node
from ir.types import DType, dtypes

_RANGES = frozenset({"int32", "int64", "float32", "float64"})
"""Element types in which `tf.range` counts exactly."""


@rule("constant")
def constant(c: Context, node: Node) -> None:
    """Written by each reader."""


@rule("full")
def full(c: Context, node: Node) -> Expr:
    a = node.attrs
    shape, kind = lift(tuple(c.shape(a["shape"]))), a["dtype"]
    if not isinstance(a["value"], bool) and a["value"] in (0, 1) and str(a["value"])[0] != "-":
        return (TF.zeros if a["value"] == 0 else TF.ones)(shape, **_dtype(c, kind))
    value = float(a["value"]) if kind.is_float else bool(a["value"]) if kind.is_bool else int(a["value"])
    plain = hole(value, "value")
    return TF.fill(shape, plain if kind.name in OWN_TYPES else TF.constant(plain, c.dtype(kind)))


def _dtype(c: Context, kind: DType) -> dict[str, Expr]:
    return {} if kind.name == "float32" else {"dtype": c.dtype(kind)}


@rule("dim")
def dim(c: Context, node: Node) -> Expr:
    size = c.dim(node.attrs["size"])
    if isinstance(node.attrs["size"], int):
        return TF.constant(size, c.dtype(node.output.type.dtype))
    return c.cast(size, node.output.type.dtype)


@rule("arange")
def arange(c: Context, node: Node) -> Expr:
    """Elements of other types than those that `tf.range` counts in are counted in a wider one."""
    a, kind = node.attrs, node.attrs["dtype"]
    if node.output.type.shape[0] == 0:
        return TF.zeros(lift((0,)), **_dtype(c, kind))
    whole = not any(isinstance(a[k], float) for k in ("start", "stop", "step"))
    start, stop, step = (lift(v) if isinstance(v, float) else c.dim(v) for v in (a["start"], a["stop"], a["step"]))
    if not whole:
        count = TF.range(lift(int(node.output.type.shape[0])), dtype=c.dtype(dtypes.float64))
        return c.cast(count * step + start, kind)
    args = [start, stop] if a["start"] != 0 or a["step"] != 1 else [stop]
    args += [step] if a["step"] != 1 else []
    if kind.is_integer and kind.name in _RANGES:
        return TF.range(*args, **({} if kind.name == "int32" else {"dtype": c.dtype(kind)}))
    return c.cast(TF.range(*args), kind)


@rule("range")
def range_(c: Context, node: Node) -> Expr:
    start, stop, step = (c.number_or_x(node.operand(k)) for k in ("start", "stop", "step"))
    return c.helper("number_range")(start, stop, step, c.dtype(node.output.type.dtype))


@rule("bind_dim")
def bind_dim(c: Context, node: Node) -> Expr:
    """A computed number becomes a size."""
    x = c.name_once(c.x(node.operand("x")), "size")
    bound = c.bind_size(node.attrs["symbol"], c.cast(x, dtypes.int32))
    c.require(bound >= 0, Lit(f"the size {node.attrs['symbol']} is negative"))
    return x


@rule("eye", accepts=lambda n: "tf.eye has the main diagonal" if n.attrs["k"] else None)
def eye(c: Context, node: Node) -> Expr:
    a = node.attrs
    return TF.eye(c.dim(a["rows"]), c.dim(a["cols"]), **_dtype(c, a["dtype"]))


# -- chance -----------------------------------------------------------------------------------------------------------
@rule("random_uniform", "random_normal")
def draw(c: Context, node: Node) -> Expr:
    a = node.attrs
    uniform = node.op.name == "random_uniform"
    names = (
        (("low", "minval", 0.0), ("high", "maxval", 1.0))
        if uniform
        else (("mean", "mean", 0.0), ("std", "stddev", 1.0))
    )
    extra = {theirs: hole(a[ours], ours, default) for ours, theirs, default in names}
    function = TF.random.uniform if uniform else TF.random.normal
    return function(lift(tuple(c.shape(a["shape"]))), **extra, **_dtype(c, a["dtype"]))
