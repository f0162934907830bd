"""Runs the graph of a TensorFlow file: only the part that was read, with the values that were read for its variables."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from converter.frameworks import require
from converter.runtimes.base import InTurn, RuntimeFailure, check_inputs
from converter.runtimes.live_tensorflow import first_line
from ir.core import Model
from ir.types import TensorType

if TYPE_CHECKING:
    from converter.importers.tensorflow.filegraph import FileGraph
    from converter.importers.tensorflow.tables import Contents


class TensorflowGraphRunner(InTurn):
    """The graph in a session of its own. Calls begin with the values of the file."""

    name = "tensorflow"

    def __init__(self, source: FileGraph, model: Model) -> None:
        self._tf = require("tensorflow")
        self._source = source
        self.input_types: Mapping[str, TensorType] = model.input_types
        self._graph = self._tf.Graph()
        with self._graph.as_default():
            self._tf.import_graph_def(source.graph, name="")
            self._assigns = [self._assign(node, data) for node, (_, data, _) in source.held.items()]
            self._fills = [self._fill(node, c) for node, c in source.tables.items() if not isinstance(c, str)]
        self._session = self._tf.compat.v1.Session(graph=self._graph)
        self._fresh = False
        self._changes = bool(model.state)

    def _assign(self, node: str, data: Any) -> tuple[Any, Any, Any]:
        """The op that gives a variable its value, what feeds it, and the value."""
        tf = self._tf
        handle = self._graph.get_tensor_by_name(f"{node}:0")
        value = tf.compat.v1.placeholder(tf.as_dtype(data.type.dtype.name), tuple(data.type.shape))
        if handle.dtype == tf.resource:
            return tf.raw_ops.AssignVariableOp(resource=handle, value=value), value, data
        return tf.raw_ops.Assign(ref=handle, value=value).op, value, data

    def _fill(self, node: str, contents: Contents) -> tuple[Any, dict[Any, np.ndarray]]:
        """The op that fills a lookup table, and what feeds it."""
        feeds = {
            self._tf.compat.v1.placeholder(self._tf.string if a.dtype == object else a.dtype, a.shape): a for a in contents
        }
        handle, (keys, values) = self._graph.get_tensor_by_name(f"{node}:0"), feeds
        return self._tf.raw_ops.LookupTableImportV2(table_handle=handle, keys=keys, values=values), feeds

    def in_turn(self, calls: Sequence[Mapping[str, np.ndarray]]) -> list[dict[str, np.ndarray]]:
        """The outputs of each call. Raises UsageError on misfitting inputs, RuntimeFailure when TensorFlow raises."""
        for inputs in calls:
            check_inputs(inputs, self.input_types)
        feeds = [{f"{f.key[0]}:{f.key[1]}": inputs[f.name] for f in self._source.feeds} for inputs in calls]
        fetches = [f"{k[0]}:{k[1]}" for _, k in self._source.fetches]
        try:
            if not self._fresh:
                for fill, content in self._fills:
                    self._session.run(fill, content)
            if self._changes or not self._fresh:
                for op, value, data in self._assigns:
                    self._session.run(op, {value: data.numpy()})
                self._fresh = True
            results = [self._session.run(fetches, each) for each in feeds]
        except (self._tf.errors.OpError, ValueError, TypeError) as error:
            raise RuntimeFailure(f"the TensorFlow graph failed: {first_line(error)}") from error
        names = [n for n, _ in self._source.fetches]
        return [{n: np.asarray(a) for n, a in zip(names, each, strict=True)} for each in results]

    def close(self) -> None:
        """End the session."""
        self._session.close()
