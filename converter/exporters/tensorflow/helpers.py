"""Small functions that emitted TensorFlow code may need."""

from __future__ import annotations

from pathlib import Path

from converter.exporters.code.helpers import Helpers

_FOLDER = Path(__file__).parent
HELPERS = Helpers(_FOLDER, tuple(sorted(p.name for p in _FOLDER.glob("helper_source*.py"))))
"""Read from every `helper_source*.py` here."""
