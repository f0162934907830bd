"""TensorFlow's words for the parts of a module."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from converter.exporters.code.expr import Name
from converter.exporters.outline.lists import ListDialect
from converter.exporters.tensorflow.context import Context
from converter.exporters.tensorflow.rules import TABLE
from converter.exporters.tensorflow.rules_norm import moves_statistics
from converter.exporters.tensorflow.table import Axes, form_of
from converter.exporters.tensorflow.targets import OWNED
from ir.core import Value


@dataclass(frozen=True, eq=False)
class TensorflowDialect(ListDialect):
    """`stored` are the weights that lie in another order of axes than the source's."""

    stored: Mapping[Value, Axes] = field(default_factory=dict)


DIALECT = TensorflowDialect(
    TABLE,
    form_of,
    Context,
    module="tf.Module",
    sequential="tf.Module",
    identity=Name("tf.identity"),
    forward="__call__",
    tensor="",
    number="",
    attributes=OWNED,
    sizes_by_name=True,
    updates=moves_statistics,
)
