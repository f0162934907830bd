"""What is mutated and which tests must notice."""

from __future__ import annotations

import importlib
import re
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[2]


@dataclass(frozen=True)
class Area:
    """Files under a folder, and the tests, as pytest's arguments, that must notice faults in them.

    `without` matches tests left out: those that only repeat others at higher cost. `extra` names a function
    `module:function` that gives more tests, as pairs of a name and a callable that raises; it is told which names are
    wanted, and whether to make their data ahead, for many processes. `before` names one that is called before any process
    forks, to fill caches of frameworks; it loads none of our files. `keyed` are files of tests that look at what is
    registered, which no fault in a function shows: they are collected anew for each fault at import. `servers` are those of
    `tests.warm` that the tests use; `only` matches the tests of a run that can notice faults but says nothing of what it does not notice.
    """

    folder: str
    files: str
    tests: tuple[str, ...]
    without: str = "$^"
    extra: str = ""
    before: str = ""
    keyed: tuple[str, ...] = ()
    servers: tuple[str, ...] = ()
    only: str = ""

    def sources(self) -> list[Path]:
        """The files to mutate, by name."""
        return sorted(p for p in (ROOT / self.folder).glob(self.files) if not re.search(NOT_MUTATED, str(p)))

    def takes(self, nodeid: str) -> bool:
        """Whether a test belongs to the area."""
        return not re.search(self.without, nodeid) and bool(re.search(self.only, nodeid))


def named(text: str) -> Callable[[], Any]:
    """The function that `module:function` names."""
    module, _, name = text.partition(":")
    return getattr(importlib.import_module(module), name)


NOT_MUTATED = r"__init__|_samples\.py$|/sampler\.py$|/rules\.py$|/registry\.py$"
AREAS = (
    Area("ir/ops", "*.py", ("tests/ops", "tests/passes", "tests/ir", "tests/verification/test_free.py")),
    Area(
        "converter/exporters/torch", "rules_*.py",
        ("tests/exporters/torch", "--ignore=tests/exporters/torch/test_keras_checkpoints.py"),
        without=r"\[[\w.]+-float(64|16)-|test_emitted_", servers=("torch",),
    ),
    Area("converter/exporters/onnx", "rules_*.py", ("tests/exporters/onnx",)),
    Area(
        "converter/importers/torch", "rules_*.py", ("tests/importers/torch",),
        without=r"test_ops\.py::", extra="tests.mutants.importing:torch_programs",
    ),
    Area(
        "converter/importers/onnx", "rules_*.py", ("tests/importers/onnx",),
        without=r"test_node_cases\.py::test_(no_case|imported|the_comp)|test_torch_exports", extra="tests.mutants.importing:onnx_cases",
        before="tests.mutants.importing:make_node_cases", keyed=("tests/importers/onnx/test_node_cases.py",),
    ),
)  # fmt: skip


def area_of(path: Path) -> Area:
    """The area of a source file; raises ValueError for a file of none."""
    for area in AREAS:
        if path in area.sources():
            return area
    raise ValueError(f"{path} is in none of the areas {', '.join(a.folder + '/' + a.files for a in AREAS)}")
