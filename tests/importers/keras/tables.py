"""All tables of cases of operations, by name."""

from __future__ import annotations

from collections.abc import Callable, Iterator

from tests.importers.keras import (
    cases_control,
    cases_elementwise,
    cases_image,
    cases_indexing,
    cases_linalg,
    cases_reduction,
    cases_shape,
)
from tests.importers.keras.op_cases import Case

TABLES: dict[str, Callable[[], Iterator[Case]]] = {
    "unary": cases_elementwise.unary, "settings": cases_elementwise.settings, "binary": cases_elementwise.binary,
    "more": cases_elementwise.more, "reductions": cases_reduction.reductions,
    "reduction_settings": cases_reduction.settings, "orders": cases_reduction.orders,
    "movement": cases_shape.movement, "several": cases_shape.several, "made": cases_shape.made,
    "subscripts": cases_indexing.subscripts, "reads": cases_indexing.reads, "writes": cases_indexing.writes,
    "products": cases_linalg.products, "factors": cases_linalg.factors, "fourier": cases_linalg.fourier,
    "control": cases_control.control, "windows": cases_image.windows, "norms": cases_image.norms,
    "losses": cases_image.losses, "images": cases_image.images,
}  # fmt: skip
