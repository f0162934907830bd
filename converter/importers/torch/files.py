"""Files that hold PyTorch models, read as data before anything is loaded."""

from __future__ import annotations

from typing import Any

from converter.errors import UsageError
from converter.importers.base import ImportOptions

TORCHSCRIPT = (
    "{} is a TorchScript program, which cannot be read yet; export the original module: torch.export.export(model, inputs)"
)


def open_source(text: str, options: ImportOptions) -> tuple[Any, Any]:
    """A model (and its example inputs, where the file brings them) from a path."""
    raise UsageError(f"{text}: not read yet")
