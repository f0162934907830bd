"""The root module of TensorFlow: how it keeps state, and what of it a graph may give out."""

from __future__ import annotations

from collections.abc import Iterable

from converter.exporters.code.expr import Expr
from converter.exporters.outline.context import Shared
from converter.exporters.outline.regions import Region
from converter.exporters.outline.root import RootWriter
from converter.exporters.outline.training import TrainingContext, differs_in_training
from converter.exporters.outline.tuples import NamedTuples
from converter.exporters.tensorflow.context import TF
from ir.core import Value
from ir.core.signature import Tree


class TensorflowRoot(RootWriter):
    """The root's `__call__`. It takes `training` where anything below differs by it."""

    def __init__(self, shared: Shared, region: Region, reserved: Iterable[str], tuples: NamedTuples) -> None:
        super().__init__(shared, region, reserved, tuples)
        if any(differs_in_training(node) for node in shared.model.graph):
            assert isinstance(self.c, TrainingContext)
            self.c.training()

    def _result(self, tree: Tree, values: dict[str, Expr]) -> Expr:
        """A weight that is a result is given as its value."""
        outputs = zip(self.shared.model.signature.output_names, self.shared.model.graph.outputs, strict=True)
        given = {name: TF.identity(values[name]) if value.is_weight else values[name] for name, value in outputs}
        return super()._result(tree, given)

    def copied(self, value: Expr) -> Expr:
        """`tf.identity(value)`: the value, and not the variable."""
        return TF.identity(value)

    def kept(self, target: Expr, value: Expr, of: Value) -> Expr:
        """`target.assign(value)`; no gradient passes an assignment."""
        return target.assign(value)
