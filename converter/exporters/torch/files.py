"""Writing the files of a package."""

from __future__ import annotations

import json
import pathlib
from dataclasses import dataclass

import numpy as np

from converter.exporters.code.metadata import metadata
from converter.exporters.torch.equivalence import TEST_SOURCE
from ir.core import Model
from ir.data import Array
from ir.data.safetensors import write as write_tensors

REQUIREMENTS = "torch>=2.6\nnumpy\nsafetensors\n"


@dataclass(eq=False)
class Source:
    """The text of model.py and what the weights file must hold beside the model's weights."""

    text: str
    model: Model
    root: str
    extra: dict[str, np.ndarray]
    names: dict[str, str]


def write_files(source: Source, target: pathlib.Path) -> None:
    """Write the package into an existing folder."""
    tensors = {w.name: w.data for w in source.model.weights.values()} | {n: Array(a) for n, a in source.extra.items()}
    write_tensors(target / "weights.safetensors", tensors)
    (target / "model.py").write_text(source.text, encoding="utf-8")
    record = metadata(source.model, "torch", source.names, {"torch": ">=2.6"})
    (target / "metadata.json").write_text(json.dumps(record, indent=2) + "\n", encoding="utf-8")
    (target / "test_equivalence.py").write_text(TEST_SOURCE, encoding="utf-8")
    (target / "requirements.txt").write_text(REQUIREMENTS, encoding="utf-8")
