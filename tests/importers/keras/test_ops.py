"""Every operation of keras.ops, over its attributes and dtypes, against Keras itself."""

from __future__ import annotations

import importlib
import json
from collections import Counter
from pathlib import Path

import pytest

pytest.importorskip("keras")
from keras.src.ops.operation import Operation

from converter.importers.keras.context import rule
from converter.importers.keras.refused import REASONS, why
from converter.importers.keras.tracer import KerasTracer  # noqa: F401 - registers every rule
from tests.importers.keras.op_cases import failures
from tests.importers.keras.other_backends import RECORD
from tests.importers.keras.tables import TABLES
from tests.warm import SERVERS, python

ROOT = Path(__file__).resolve().parents[3]


@pytest.mark.parametrize("table", TABLES)
def test_operations(table: str) -> None:
    bad = failures(list(TABLES[table]()))
    assert not bad, f"{len(bad)} cases:\n" + "\n".join(bad)


def _classes() -> set[str]:
    """Every operation that the installed Keras defines."""
    found = set()
    for part in ("core", "einops", "image", "linalg", "math", "nn", "numpy"):
        module = importlib.import_module(f"keras.src.ops.{part}")
        found |= {
            n for n, c in vars(module).items()
            if isinstance(c, type) and issubclass(c, Operation) and c.__module__ == module.__name__
        }  # fmt: skip
    return found


def test_no_operation_is_forgotten() -> None:
    """Each has a rule and a case, or a reason why not."""
    tried = {case.op for table in TABLES.values() for case in table()}
    ruled = {str(r.key).removeprefix("ops.") for r in rule if str(r.key).startswith("ops.")}
    assert ruled & set(REASONS) == set()
    assert sorted(_classes() - ruled - set(REASONS)) == []
    assert sorted(_classes() - set(REASONS) - tried - UNTRIED) == []


UNTRIED = {"Ndim"}
"""`ops.ndim` is a number before any rule sees it."""


@pytest.mark.parametrize("op", sorted(REASONS))
def test_refusals_give_a_reason(op: str) -> None:
    reason, advice = why(op)
    assert reason and advice and reason != why("no such operation")[0]


OTHERS = {
    "jax": {"InTopK: plain": "refused", "Quantile: linear": "keras", "Fold: all settings": "refused"},
    "torch": {
        "TopK: float32": "open",
        "GaussianBlur: uneven": "refused",
        "InTopK: plain": "refused",
        "MultiHot: plain": "keras",
        "SliceUpdate: computed": "keras",
    },
}
"""What is not equal of the first case of each operation: refused by us, an error of Keras itself on that backend, or left open by it."""


UNLIKE = (
    "Threshold: special numbers", "Sinc: float64", "TakeAlongAxis: flat", "SliceUpdate: computed", "Slice: computed",
    "AveragePool: 2 axes, channels_last, same, 3, 2", "Reshape: open size of doubles", "Pad: symmetric", "Pad: number",
    "DepthToSpace: first", "SpaceToDepth: first", "Where: positions", "Slice: the rest", "Resize: bicubic, (3, 5), False",
    "Angle: special numbers", "Relu6: int32", "SoftShrink: special numbers", "HardShrink: special numbers",
    "Fold: all settings", "GaussianBlur: uneven",
)  # fmt: skip
"""Cases on which the backends are known to differ, beside the first of each operation."""


def test_all_cases_on_other_backends_are_recorded() -> None:
    """Every case of the tables has run on both, none wrong; what is not equal has its reason."""
    cases = {name: [str(c) for c in table()] for name, table in TABLES.items()}
    known = {c for names in cases.values() for c in names}
    record = json.loads(RECORD.read_text("utf-8"))
    assert set(record) == set(OTHERS)
    for on, found in record.items():
        counts = {table: sum(kinds.values()) for table, kinds in found["counts"].items()}
        assert counts == {table: len(names) for table, names in cases.items()}, on
        kinds = Counter(result.partition(":")[0] for result in found["unlike"].values())
        total = sum((Counter(c) for c in found["counts"].values()), Counter())
        assert total - Counter(equal=total["equal"]) == kinds and set(kinds) <= {"refused", "keras", "open"}, on
        assert set(found["unlike"]) <= known, on
        assert OTHERS[on].items() <= {c: r.partition(":")[0] for c, r in found["unlike"].items()}.items()


@pytest.mark.parametrize("backend", OTHERS)
def test_other_backends(backend: str) -> None:
    """Reads, writes, orders, loops and branches, where the backends differ most; `make test-keras-backends` runs all."""
    words = [
        "-W",
        "ignore",
        "-m",
        "tests.importers.keras.other_backends",
        "orders",
        "reads",
        "writes",
        "control",
        *UNLIKE,
    ]
    done = python(SERVERS[backend], *words, environment={"KERAS_BACKEND": backend}, cwd=ROOT, timeout=600)
    *rows, counts = done.stdout.splitlines()
    assert done.returncode == 0, done.stdout + done.stderr[-2000:]
    assert {": ".join(r.split(": ")[:2]): r.split(": ")[2] for r in rows} == OTHERS[backend], done.stdout
    assert int(counts.split()[0]) >= 38, counts
