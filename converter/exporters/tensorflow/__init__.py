"""TensorFlow source: a package of `tf.Module` classes, weights, and the user's own regression test."""

from __future__ import annotations

import pathlib

from converter.exporters.base import ExportOptions
from ir.core import Model

__all__ = ["unsupported", "write"]


def write(model: Model, target: pathlib.Path, options: ExportOptions | None = None) -> None:
    """Write `model` as a package into the folder `target`; raises ConversionError listing everything unsupported."""
    from converter.exporters.tensorflow.package import write_package

    write_package(model, target, options or ExportOptions())


def unsupported(model: Model) -> tuple:
    """Everything in `model` that this exporter cannot write."""
    from converter.exporters import base
    from converter.exporters.tensorflow.rules import TABLE

    return base.unsupported(model, TABLE)
