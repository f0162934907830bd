"""TensorFlow importer: functions of a program and saved ones, by a rule for each raw op."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from converter.importers.base import ImportOptions
from ir.core import Model


def load(source: Any, inputs: Any = None, *, options: ImportOptions | None = None) -> Model:
    """Read a `ConcreteFunction`, `tf.function` or `tf.Module`, a SavedModel's folder or a graph's `.pb` file.

    `inputs` are example arrays or specs such as `"float32[batch,3]"`, by name or in order. Raises UsageError for a bad
    argument, ConversionError listing everything that cannot be converted exactly.
    """
    from converter.importers.tensorflow import functions, graphs
    from converter.importers.tensorflow.filegraph import FileGraph

    settings = options or ImportOptions()
    if isinstance(source, (str, Path)):
        source = graphs.open_graph(Path(source), settings)
    if isinstance(source, FileGraph):
        return graphs.load(source, inputs, settings)
    return functions.load(source, inputs, settings)


__all__ = ["load"]
