"""The committed table of kernels is what the installed ONNX Runtime has."""

from __future__ import annotations

import json

from converter.exporters.onnx.kernels import compute_dtype
from ir.types import dtypes
from tests.exporters.onnx.kernel_table import FOLDER, Table, installed, render


def _claims(table: Table) -> set[tuple[str, str, int, int, str]]:
    return {
        (op, var, low, high or 2**31, name)  # type: ignore[misc]
        for op, variables in table.items() for var, rows in variables.items() for low, high, names in rows for name in names  # type: ignore[attr-defined]
    }  # fmt: skip


def test_every_claimed_kernel_exists() -> None:
    """A newer runtime may have more; what the exporter counts on must be there."""
    committed = json.loads((FOLDER / "kernels.json").read_text("utf-8"))
    have = _claims(installed())
    missing = {
        c for c in _claims(committed)
        if not any(h[:2] == c[:2] and h[4] == c[4] and h[2] <= c[2] and h[3] >= c[3] for h in have)
    }  # fmt: skip
    assert not missing, sorted(missing)[:5]


def test_table_covers_every_op_the_rules_write() -> None:
    committed = json.loads((FOLDER / "kernels.json").read_text("utf-8"))
    assert committed.keys() == installed().keys(), "run python -m tests.exporters.onnx.kernel_table"
    assert (FOLDER / "kernels.json").read_text("utf-8") == render(committed)


def test_wider_type_is_exact() -> None:
    every = frozenset(d.name for d in dtypes.ALL)
    assert compute_dtype("Add", "T", 20, dtypes.float32, every) == dtypes.float32
    assert compute_dtype("Add", "T", 20, dtypes.bfloat16, every) == dtypes.float32
    assert compute_dtype("Max", "T", 20, dtypes.int16, every) == dtypes.int32
    assert compute_dtype("Conv", "T", 20, dtypes.float64, every) is None
    assert compute_dtype("MaxPool", "T", 20, dtypes.int64, every) is None
    assert compute_dtype("Where", "T", 20, dtypes.uint64, every) == dtypes.int64
    assert compute_dtype("Relu", "T", 20, dtypes.uint64, every) is None, "int64 orders its bits differently"
