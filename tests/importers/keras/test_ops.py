"""Every operation of keras.ops, over its attributes and dtypes, against Keras itself."""

from __future__ import annotations

import pytest

pytest.importorskip("keras")
from tests.importers.keras import (  # noqa: E402
    cases_control,
    cases_elementwise,
    cases_indexing,
    cases_linalg,
    cases_reduction,
    cases_shape,
)
from tests.importers.keras.op_cases import failures

TABLES = {
    "unary": cases_elementwise.unary, "settings": cases_elementwise.settings, "binary": cases_elementwise.binary,
    "more": cases_elementwise.more, "reductions": cases_reduction.reductions,
    "reduction_settings": cases_reduction.settings, "orders": cases_reduction.orders,
    "movement": cases_shape.movement, "several": cases_shape.several, "made": cases_shape.made,
    "subscripts": cases_indexing.subscripts, "reads": cases_indexing.reads, "writes": cases_indexing.writes,
    "products": cases_linalg.products, "factors": cases_linalg.factors, "fourier": cases_linalg.fourier,
    "control": cases_control.control,
}  # fmt: skip


@pytest.mark.parametrize("table", TABLES)
def test_operations(table: str) -> None:
    bad = failures(list(TABLES[table]()))
    assert not bad, f"{len(bad)} cases:\n" + "\n".join(bad)
