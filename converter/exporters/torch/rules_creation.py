"""Tensors made from settings alone. They are made on the device of whatever tensor is at hand."""

from __future__ import annotations

from typing import Any

from converter.exporters.code import stmt as s
from converter.exporters.code.expr import Expr, Lit, Name, hole, lift
from converter.exporters.torch.context import TORCH, Context
from converter.exporters.torch.rules_cast import no_dtype
from converter.exporters.torch.table import rule
from ir.core import Node, Value
from ir.types import DimExpr, DType


def _dtype(c: Context, dtype: DType, implied: str) -> dict[str, Any]:
    return {} if dtype.name == implied else {"dtype": c.dtype(dtype)}


@rule("constant", accepts=lambda n: no_dtype(n.output.type.dtype))
def constant(c: Context, node: Node) -> None:
    """Written by each reader."""


@rule("full", accepts=lambda n: no_dtype(n.attrs["dtype"]))
def full(c: Context, node: Node) -> Expr | None:
    a = node.attrs
    readers = [use.user for use in node.output.uses]
    if all(isinstance(r, Node) and _one_probability(r) for r in readers) and _stays(c, node.output):
        return None  # written by the readers, as a number
    shape = c.shape(a["shape"])
    where = c.device()
    if a["value"] in (0, 1) and not isinstance(a["value"], bool) and shape:
        make = TORCH.zeros if a["value"] == 0 and str(a["value"])[0] != "-" else TORCH.ones if a["value"] == 1 else None
        if make is not None:
            return make(*shape, **_dtype(c, a["dtype"], "float32"), **where)
    return TORCH.full(lift(tuple(shape)), hole(a["value"], "value"), dtype=c.dtype(a["dtype"]), **where)


@rule("dim")
def dim(c: Context, node: Node) -> Expr:
    return TORCH.tensor(c.dim(node.attrs["size"]), **c.device())


@rule("arange", accepts=lambda n: no_dtype(n.attrs["dtype"]))
def arange(c: Context, node: Node) -> Expr:
    a = node.attrs
    start, stop, step = (v if isinstance(v, float) else c.dim(v) for v in (a["start"], a["stop"], a["step"]))
    count = node.output.type.shape[0]
    if count == 0:
        return TORCH.empty(0, dtype=c.dtype(a["dtype"]), **c.device())
    if isinstance(count, DimExpr) and not count.is_symbol:  # torch refuses a stop before the start
        stop = Name("max" if not isinstance(a["step"], DimExpr) and a["step"] > 0 else "min")(start, stop)
    args: list[Any] = [start, stop] if a["start"] != 0 or a["step"] != 1 else [stop]
    args += [step] if a["step"] != 1 else []
    floats = any(isinstance(v, float) for v in (start, stop, step))
    return TORCH.arange(*args, **_dtype(c, a["dtype"], "float32" if floats else "int64"), **c.device())


@rule("range")
def range_(c: Context, node: Node) -> Expr:
    start, stop, step = (c.literal(node.operand(k)) or c.x(node.operand(k)).item() for k in ("start", "stop", "step"))
    return c.helper("number_range")(start, stop, step, dtype=c.dtype(node.output.type.dtype), **c.device())


@rule("eye", accepts=lambda n: "torch's eye has its ones on the main diagonal" if n.attrs["k"] else None)
def eye(c: Context, node: Node) -> Expr:
    a = node.attrs
    return TORCH.eye(c.dim(a["rows"]), c.dim(a["cols"]), **_dtype(c, a["dtype"], "float32"), **c.device())


@rule("bind_dim")
def bind_dim(c: Context, node: Node) -> Expr:
    x = c.name_once(c.x(node.operand("x")), "size")
    bound = c.bind_size(node.attrs["symbol"], Name("int")(x))
    c.body.append(s.Check(bound >= 0, Lit(f"the size {node.attrs['symbol']} is negative")))
    return x


@rule("random_uniform")
def random_uniform(c: Context, node: Node) -> Expr:
    a = node.attrs
    like = [*(c.shape(a["shape"]) or [lift(())])], {**_dtype(c, a["dtype"], "float32"), **c.device()}
    if (a["low"], a["high"]) == (0, 1):
        return TORCH.rand(*like[0], **like[1])
    return TORCH.empty(*like[0], **like[1]).uniform_(hole(a["low"], "low"), hole(a["high"], "high"))


@rule("random_normal")
def random_normal(c: Context, node: Node) -> Expr:
    a = node.attrs
    drawn: Expr = TORCH.randn(*(c.shape(a["shape"]) or [lift(())]), **_dtype(c, a["dtype"], "float32"), **c.device())
    drawn = drawn * a["std"] if a["std"] != 1 else drawn
    return drawn + a["mean"] if a["mean"] else drawn


@rule("bernoulli")
def bernoulli(c: Context, node: Node) -> Expr:
    """One probability for all draws is a number: torch then draws as it does for dropout."""
    p, kind = node.operand("p"), node.attrs["dtype"]
    full = _one_probability(node)
    if full is not None and _stays(c, p):
        made = TORCH.empty(*c.shape(p.type.shape), **_dtype(c, kind, "float32"), **c.device())
        return made.bernoulli_(hole(full.attrs["value"], "p"))
    drawn = TORCH.bernoulli(c.x(p))
    return drawn if kind == p.type.dtype else drawn.to(c.dtype(kind))


def _stays(c: Context, value: Value) -> bool:
    """Whether a value is read only in the module call that makes it."""
    return not any(value in (*r.inputs, *r.outputs) for r in c.shared.regions)


def _one_probability(node: Node) -> Node | None:
    """The `full` that makes the one probability of all draws, where a node is such draws."""
    if node.op.name != "bernoulli":
        return None
    made = node.operand("p").producer
    if made is None or made.op.name != "full" or not made.attrs["shape"]:
        return None
    return made if node.attrs["dtype"] == made.attrs["dtype"] else None
