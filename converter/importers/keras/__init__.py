"""Keras: live models on any backend, and files, to ir.Model."""

from __future__ import annotations

from typing import Any

from converter.importers.base import ImportOptions
from ir.core import Model


def load(source: Any, inputs: Any = None, *, options: ImportOptions | None = None) -> Model:
    """Read a live `keras.Model` (or layer): functional, sequential or subclassed.

    `inputs` are example arrays or specs such as `float32[batch,224,224,3]`; a functional model knows its own, sizes that
    it leaves open (None) being dynamic. Raises ConversionError with everything that is not supported, and UsageError for
    inputs that do not fit.
    """
    from converter.importers.keras import assemble

    return assemble.load(source, inputs, options or ImportOptions())


__all__ = ["load"]
