"""Look-ups."""

from __future__ import annotations

from typing import Any

from converter.importers.keras.context import KerasContext, rule
from ir.core import Value


@rule("layers.Embedding")
def embedding(c: KerasContext, layer: Any, inputs: Any, training: Any = None) -> Value:
    table = c.weight(layer.embeddings, "V D", "V D")
    index = c.value(inputs)
    if not index.type.dtype.is_integer or index.type.dtype.name not in ("int32", "int64"):
        index = c.cast(index, "int32")
    return c.b.embedding(index, table)
