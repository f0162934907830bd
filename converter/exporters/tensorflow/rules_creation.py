"""Tensors made from settings, from numbers that a call computes, and by chance."""

from __future__ import annotations

from converter.exporters.tensorflow.context import Context
from converter.exporters.tensorflow.table import rule
from ir.core import Node


@rule("constant")
def constant(c: Context, node: Node) -> None:
    """Written by each reader."""
