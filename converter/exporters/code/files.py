"""Writing the files of a package."""

from __future__ import annotations

import json
import pathlib
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from converter.exporters.code.metadata import metadata
from ir.core import Model
from ir.data import Array
from ir.data.safetensors import write as write_tensors


@dataclass(eq=False)
class Source:
    """The text of model.py and what the weights file must hold beside the model's weights.

    `more` are further entries of metadata.json.
    """

    text: str
    model: Model
    root: str
    extra: dict[str, np.ndarray]
    names: dict[str, str]
    more: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class PackageKind:
    """What packages of one framework have in common: the versions they need, and their regression test."""

    framework: str
    versions: tuple[tuple[str, str], ...]
    test: str

    @property
    def requirements(self) -> str:
        """requirements.txt."""
        return "".join(f"{name}{version}\n" for name, version in self.versions) + "numpy\nsafetensors\n"


def write_files(source: Source, target: pathlib.Path, kind: PackageKind) -> None:
    """Write the package into an existing folder."""
    tensors = {w.name: w.data for w in source.model.weights.values()} | {n: Array(a) for n, a in source.extra.items()}
    write_tensors(target / "weights.safetensors", tensors)
    (target / "model.py").write_text(source.text, encoding="utf-8")
    record = metadata(source.model, kind.framework, source.names, dict(kind.versions)) | dict(source.more)
    (target / "metadata.json").write_text(json.dumps(record, indent=2) + "\n", encoding="utf-8")
    (target / "test_equivalence.py").write_text(kind.test, encoding="utf-8")
    (target / "requirements.txt").write_text(kind.requirements, encoding="utf-8")
