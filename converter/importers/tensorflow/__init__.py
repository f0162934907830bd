"""TensorFlow importer: functions of a program and saved ones, by a rule for each raw op."""

from __future__ import annotations

from typing import Any

from converter.importers.base import ImportOptions
from ir.core import Model


def load(source: Any, inputs: Any = None, *, options: ImportOptions | None = None) -> Model:
    """Read a `ConcreteFunction`, `tf.function` or `tf.Module`.

    `inputs` are example arrays or specs such as `"float32[batch,3]"`, by name or in order. Raises UsageError for a bad
    argument, ConversionError listing everything that cannot be converted exactly.
    """
    from converter.importers.tensorflow import functions

    return functions.load(source, inputs, options or ImportOptions())


__all__ = ["load"]
