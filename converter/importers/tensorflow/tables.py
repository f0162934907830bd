"""Lookup tables, of live functions and of files: what they hold when they are converted."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np

from converter.importers.tensorflow import kernels
from converter.importers.tensorflow.handles import Handle
from ir.types import DType

Kind = DType | str
"""An element type of keys or values; `string` is text."""


class Contents(NamedTuple):
    """Keys [n] and values [n, ...] of a table; text is an array of bytes objects."""

    keys: np.ndarray
    values: np.ndarray


class Table(Handle):
    """A lookup table, or what may be one."""

    what = "lookup table"

    @abstractmethod
    def contents(self, keys: Kind, values: Kind) -> Contents:
        """What it holds; raises ValueError where it is no table of these types, or its contents are not known."""

    @abstractmethod
    def size(self) -> int:
        """How many keys it has; raises ValueError where that is not known."""


@dataclass(eq=False)
class Live(Table):
    """A resource of a live function that is no variable, and may be a lookup table."""

    name: str
    resource: Any

    what = "resource of no kind that is known"

    def contents(self, keys: Kind, values: Kind) -> Contents:
        import tensorflow as tf

        kinds = {"Tkeys": tf.as_dtype(str(keys)), "Tvalues": tf.as_dtype(str(values))}
        try:
            found = tf.raw_ops.LookupTableExportV2(table_handle=self.resource, **kinds)
        except (tf.errors.OpError, TypeError) as error:
            raise ValueError(f"it is no lookup table from {keys} to {values}: {error}") from None
        held = Contents(found[0].numpy(), found[1].numpy())
        if len(held.keys) != self.size():  # a dense table shows its buckets, empty ones among them
            raise ValueError("a dense table does not tell which of its keys stand for none")
        return held

    def size(self) -> int:
        import tensorflow as tf

        try:
            return int(tf.raw_ops.LookupTableSizeV2(table_handle=self.resource))
        except (tf.errors.OpError, TypeError) as error:
            raise ValueError(f"it is no lookup table: {error}") from None


@dataclass(eq=False)
class Filed(Table):
    """A table of a file. `held` is what the file fills it with, or why that is not known."""

    held: Contents | str

    def contents(self, keys: Kind, values: Kind) -> Contents:
        found = self._known()
        for array, kind in zip(found, (keys, values), strict=True):
            if ("string" if array.dtype == object else array.dtype.name) != str(kind):
                raise ValueError(f"it is no lookup table from {keys} to {values}")
        return found

    def size(self) -> int:
        return len(self._known().keys)

    def _known(self) -> Contents:
        if isinstance(self.held, str):
            raise ValueError(self.held)
        return self.held


TABLE_OPS = ("HashTableV2", "MutableHashTableV2", "MutableHashTableOfTensorsV2", "MutableDenseHashTableV2")
"""Raw ops that make a table."""


def filled(node: Any, write: Any, operands: Sequence[np.ndarray]) -> Contents:
    """What TensorFlow's own kernels put into a table that `node` makes: `write` is the node that fills it, from `operands`.

    Raises ValueError where they fail.
    """
    from tensorflow.core.framework import graph_pb2

    graph = graph_pb2.GraphDef()
    made, step = kernels.alone(node, "table"), kernels.alone(write, "write")
    made.attr["shared_name"].s = b""
    step.input[:] = ["table", *(kernels.constant(graph, f"operand_{i}", o) for i, o in enumerate(operands))]
    read = graph.node.add(name="read", op="LookupTableExportV2", input=["table"])
    read.attr["Tkeys"].type, read.attr["Tvalues"].type = node.attr["key_dtype"].type, node.attr["value_dtype"].type
    graph.node.extend([made, step])
    keys, values = kernels.fetched(graph, ["write", "read"])
    return Contents(keys, values)
