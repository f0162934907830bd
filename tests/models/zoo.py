"""Zoo models imported and converted once a process, for every test that needs them."""

from __future__ import annotations

import contextlib
import functools
import tempfile
from pathlib import Path
from typing import Any
from unittest import mock

import converter
import fixtures.zoo
from converter.api import Conversion
from converter.runtimes import open_runner
from converter.sources import Source, open_source
from converter.verification import Baseline, VerificationReport, measure, verify_against
from fixtures.zoo import ZooModel
from ir.core import Model, copy_model

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
    """The zoo model converted from PyTorch, not verified. What was imported is imported once for all targets: an export of
    PyTorch takes longer than everything else together."""
    model, (_, read) = zoo(name, size), imported(name, size)
    folder = Path(tempfile.mkdtemp(prefix=f"{name}_{size}_", dir=FOLDER.name))  # fresh: a cleared cache converts again
    path = folder / f"{name}_{to}{'.onnx' if to == 'onnx' else ''}"
    with mock.patch.object(Source, "load", lambda self, inputs: copy_model(read)):
        return converter.convert(model.module, to, path, model.spec_strings, verify=False, **options)


@functools.cache
def baseline(name: str, size: str = "small", seed: int = 0) -> Baseline:
    """The source's side of a verification, measured once for all targets."""
    return measure(*imported(name, size), seed=seed)


def verified(name: str, size: str, path: Path) -> VerificationReport:
    """The report on a converted zoo model."""
    with contextlib.closing(open_runner(path)) as runner:
        return verify_against(baseline(name, size), runner).report
