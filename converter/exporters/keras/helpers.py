"""Small functions that emitted Keras code may need."""

from __future__ import annotations

from pathlib import Path

from converter.exporters.code.helpers import Helpers

HELPERS = Helpers(
    Path(__file__).parent,
    (
        "helper_source.py",
        "helper_source_indexing.py",
        "helper_source_ordering.py",
        "helper_source_recurrent.py",
        "helper_source_resize.py",
    ),  # fmt: skip
)
