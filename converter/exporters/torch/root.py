"""The root module of PyTorch: how it keeps state."""

from __future__ import annotations

from converter.exporters.code.expr import Expr
from converter.exporters.outline.root import RootWriter
from ir.core import Value


class TorchRoot(RootWriter):
    """The root's forward."""

    def copied(self, value: Expr) -> Expr:
        """`value.clone()`."""
        return value.clone()

    def learned(self, target: Expr) -> Expr:
        """`target.detach()`: a parameter cannot be written to while gradients are taken."""
        return target.detach()

    def kept(self, target: Expr, value: Expr, of: Value) -> Expr:
        """`target.copy_(value)`; no gradient reaches back into earlier calls."""
        return target.copy_(value.detach() if of.type.dtype.is_float else value)
