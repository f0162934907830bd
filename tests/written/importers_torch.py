"""PyTorch's families of cases as they are read: the IR of each in every run, and all refusals."""

from __future__ import annotations

from tests.importers.torch.programs import READ, imported
from tests.written.areas import Texts


def groups() -> list[str]:
    """Families with their runs."""
    return [f"{family}-{run}" for family, run in READ]


def texts(group: str) -> Texts:
    """The text of a family in one run."""
    family, _, run = group.partition("-")
    yield group, imported(family, run)[1].text
