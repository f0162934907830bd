"""Tensors made from settings alone."""

from __future__ import annotations

from converter.exporters.code.expr import Expr, hole, lift
from converter.exporters.keras.context import OPS, Context
from converter.exporters.keras.table import rule
from ir.core import Node


@rule("constant")
def constant(c: Context, node: Node) -> None:
    """Written by each reader."""


@rule("full")
def full(c: Context, node: Node) -> Expr:
    a = node.attrs
    shape, dtype = lift(tuple(c.shape(a["shape"]))), c.dtype(a["dtype"])
    if not isinstance(a["value"], bool) and a["value"] in (0, 1) and str(a["value"])[0] != "-":
        return (OPS.zeros if a["value"] == 0 else OPS.ones)(shape, dtype=dtype)
    return OPS.full(shape, hole(a["value"], "value"), dtype=dtype)


@rule("dim")
def dim(c: Context, node: Node) -> Expr:
    return OPS.convert_to_tensor(c.dim(node.attrs["size"]), dtype=c.dtype(node.output.type.dtype))


@rule("arange")
def arange(c: Context, node: Node) -> Expr:
    a = node.attrs
    start, stop, step = (v if isinstance(v, float) else c.dim(v) for v in (a["start"], a["stop"], a["step"]))
    if node.output.type.shape[0] == 0:
        return OPS.zeros(lift((0,)), dtype=c.dtype(a["dtype"]))
    args = [start, stop] if a["start"] != 0 or a["step"] != 1 else [stop]
    args += [step] if a["step"] != 1 else []
    return OPS.arange(*args, dtype=c.dtype(a["dtype"]))


@rule("eye", accepts=lambda n: None)
def eye(c: Context, node: Node) -> Expr:
    a = node.attrs
    k = {"k": lift(a["k"])} if a["k"] else {}
    return OPS.eye(c.dim(a["rows"]), c.dim(a["cols"]), **k, dtype=c.dtype(a["dtype"]))
