"""The root model of Keras: how it keeps state."""

from __future__ import annotations

from converter.exporters.code.expr import Expr
from converter.exporters.keras.context import OPS, bare
from converter.exporters.outline.root import RootWriter
from ir.core import Value


class KerasRoot(RootWriter):
    """The root's call."""

    def copied(self, value: Expr) -> Expr:
        """`ops.copy(value)`."""
        return OPS.copy(value)

    def kept(self, target: Expr, value: Expr, of: Value) -> Expr:
        """`target.assign(value)`; no gradient reaches back into earlier calls."""
        return bare(target).assign(OPS.stop_gradient(value) if of.type.dtype.is_float else value)
