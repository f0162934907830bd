"""What differs between training and inference: `if self.training:`, and the end of a gradient."""

from __future__ import annotations

from converter.exporters.code import stmt as s
from converter.exporters.code.expr import Expr, Var
from converter.exporters.outline.bodies import assign_all, run_body
from converter.exporters.torch.context import SELF, Context
from converter.exporters.torch.table import rule
from ir.core import Node


@rule("by_mode")
def by_mode(c: Context, node: Node) -> None:
    """One branch each; what inference hands through unchanged is set before, so that only training has a branch."""
    captures = [c.name_once(c.x(v)) for v in node.operands["captures"]]
    infer = node.bodies["infer"]
    results = [Var(mutable=True) for _ in node.outputs]
    if all(n.op.name == "constant" for n in infer):
        passed = dict(zip(infer.inputs, captures, strict=True))
        for var, value in zip(results, infer.outputs, strict=True):
            c.body.append(s.Assign(var, passed[value] if value in passed else c.x(value)))
        c.body.append(s.If(SELF.training, _branch(c, node, "train", results, captures)))
    else:
        branches = [_branch(c, node, name, results, captures) for name in ("train", "infer")]
        c.body.append(s.If(SELF.training, *branches))
    for value, result in zip(node.outputs, results, strict=True):
        c.know(value, result)


def _branch(c: Context, node: Node, name: str, results: list[Var], captures: list[Expr]) -> list[s.Stmt]:
    with c.block() as block:
        assign_all(c, results, run_body(c, node.bodies[name], captures))
    return block


@rule("stop_gradient")
def stop_gradient(c: Context, node: Node) -> Expr:
    return c.x(node.operand("x")).detach()
