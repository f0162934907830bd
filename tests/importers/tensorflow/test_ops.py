"""Every raw op with a rule, over its attributes, dtypes and sizes, against TensorFlow itself."""

from __future__ import annotations

import importlib
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

pytest.importorskip("tensorflow")

from tests.importers.tensorflow.harness import Case, failures

FILES = sorted(p.stem for p in Path(__file__).parent.glob("cases_*.py"))
TABLES: dict[str, Callable[[], Iterator[Case]]] = {
    f"{file.removeprefix('cases_')}.{name}": table
    for file in FILES
    for name, table in importlib.import_module(f"tests.importers.tensorflow.{file}").TABLES.items()
}
"""The tables of cases, each file's by name."""


@pytest.mark.parametrize("table", TABLES)
def test_operations(table: str) -> None:
    bad = failures(TABLES[table]())
    assert not bad, f"{len(bad)} cases:\n" + "\n".join(bad)
