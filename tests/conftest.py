"""What one test leaves must not reach the next."""

from __future__ import annotations

import sys
from collections.abc import Iterator

import pytest


@pytest.fixture(autouse=True)
def no_export_under_way() -> Iterator[None]:
    """Some failed exports of torch's own leave its flags of an export set, under which libraries register no types."""
    yield
    torch = sys.modules.get("torch")
    if torch is not None and hasattr(torch, "compiler"):
        torch.compiler._is_compiling_flag = torch.compiler._is_exporting_flag = False
