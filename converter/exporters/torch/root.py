"""The root module of PyTorch: how it keeps state."""

from __future__ import annotations

from converter.exporters.code import stmt as s
from converter.exporters.code.expr import Expr
from converter.exporters.outline.root import RootWriter
from converter.exporters.torch.context import SELF
from ir.core import Value


class TorchRoot(RootWriter):
    """The root's forward."""

    def copied(self, value: Expr) -> Expr:
        """`value.clone()`."""
        return value.clone()

    def in_training(self, assigned: list[s.Stmt]) -> list[s.Stmt]:
        """`if self.training:`: a buffer that is written to in place, if only with what it holds, fails later in `backward`."""
        return [s.If(SELF.training, assigned)] if assigned else []

    def learned(self, target: Expr) -> Expr:
        """`target.detach()`: a parameter cannot be written to while gradients are taken."""
        return target.detach()

    def kept(self, target: Expr, value: Expr, of: Value) -> Expr:
        """`target.copy_(value)`; no gradient reaches back into earlier calls."""
        return target.copy_(value.detach() if of.type.dtype.is_float else value)
