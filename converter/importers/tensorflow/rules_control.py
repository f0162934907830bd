"""Calls of functions, and branches and loops over functions."""

from __future__ import annotations

from typing import Any

from converter.importers.tensorflow.context import TensorflowContext
from converter.importers.tensorflow.table import rule


@rule("PartitionedCall", "StatefulPartitionedCall")
def call(c: TensorflowContext) -> list[Any]:
    """The function's nodes in place."""
    c.ignore("config", "config_proto", "executor_type", "Tout")
    return c.importer.call(c.attr("f").name, c.frame, c.inputs, c.importer.places.inside(c.frame, c.node.name))
