"""Variables: read where the graph has them, assigned as state of the model."""

from __future__ import annotations

from converter.importers.partial.values import Ref
from converter.importers.tensorflow.context import TensorflowContext
from converter.importers.tensorflow.table import rule


@rule("ReadVariableOp")
def read(c: TensorflowContext) -> Ref:
    c.ignore("dtype")
    return c.importer.read_variable(c.variable(0))
