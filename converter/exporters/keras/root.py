"""The root model of Keras: how it keeps state."""

from __future__ import annotations

from collections.abc import Iterable

from converter.exporters.code.expr import Expr
from converter.exporters.keras.context import OPS, bare
from converter.exporters.outline.context import Shared
from converter.exporters.outline.regions import Region
from converter.exporters.outline.root import RootWriter
from converter.exporters.outline.training import TrainingContext, differs_in_training
from converter.exporters.outline.tuples import NamedTuples
from ir.core import Value


class KerasRoot(RootWriter):
    """The root's call. It takes `training` where anything below differs by it: Keras forgets what a call does not take."""

    def __init__(self, shared: Shared, region: Region, reserved: Iterable[str], tuples: NamedTuples) -> None:
        super().__init__(shared, region, reserved, tuples)
        if any(differs_in_training(node) for node in shared.model.graph):
            assert isinstance(self.c, TrainingContext)
            self.c.training()

    def copied(self, value: Expr) -> Expr:
        """`ops.copy(value)`."""
        return OPS.copy(value)

    def kept(self, target: Expr, value: Expr, of: Value) -> Expr:
        """`target.assign(value)`; no gradient reaches back into earlier calls."""
        return bare(target).assign(OPS.stop_gradient(value) if of.type.dtype.is_float else value)
