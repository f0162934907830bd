"""Zoo models imported and converted once a process, for every test that needs them."""

from __future__ import annotations

import functools
import tempfile
from pathlib import Path
from typing import Any

import converter
import fixtures.zoo
from converter.api import Conversion
from converter.sources import Source, open_source
from fixtures.zoo import ZooModel
from ir.core import Model

FOLDER = tempfile.TemporaryDirectory(prefix="isomorph-zoo-")


@functools.cache
def zoo(name: str, size: str = "small") -> ZooModel:
    """The module and its inputs."""
    return fixtures.zoo.build(name, size)


@functools.cache
def imported(name: str, size: str = "small") -> tuple[Source, Model]:
    """The opened source and its import, with every named size dynamic."""
    model = zoo(name, size)
    source = open_source(model.module)
    return source, source.load(model.spec_strings)


@functools.cache
def converted(name: str, to: str, size: str = "small", **options: Any) -> Conversion:
    """The zoo model converted from PyTorch, not verified."""
    model = zoo(name, size)
    path = Path(FOLDER.name) / f"{name}_{size}_{to}{'.onnx' if to == 'onnx' else ''}"
    return converter.convert(model.module, to, path, model.spec_strings, verify=False, **options)
