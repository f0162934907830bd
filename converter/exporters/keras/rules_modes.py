"""What differs between training and inference: `if training:`, and the end of a gradient."""

from __future__ import annotations

from converter.exporters.code import stmt as s
from converter.exporters.code.expr import Expr, Var
from converter.exporters.keras.context import OPS, Context
from converter.exporters.keras.table import rule
from converter.exporters.outline.bodies import assign_all, run_body
from ir.core import Node


@rule("by_mode")
def by_mode(c: Context, node: Node) -> None:
    """One branch each."""
    captures = [c.name_once(c.x(v)) for v in node.operands["captures"]]
    results = [Var(mutable=True) for _ in node.outputs]
    branches = []
    for name in ("train", "infer"):
        with c.block() as block:
            assign_all(c, results, run_body(c, node.bodies[name], captures))
        branches.append(block)
    c.body.append(s.If(c.training(), *branches))
    for value, result in zip(node.outputs, results, strict=True):
        c.know(value, result)


@rule("stop_gradient")
def stop_gradient(c: Context, node: Node) -> Expr:
    return OPS.stop_gradient(c.x(node.operand("x")))
