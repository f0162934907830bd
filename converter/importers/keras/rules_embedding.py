"""Look-ups."""

from __future__ import annotations

from typing import Any

from converter.importers.keras.context import KerasContext, Unruled, rule
from ir.core import Value


@rule("layers.Embedding")
def embedding(c: KerasContext, layer: Any, inputs: Any, training: Any = None) -> Value:
    """Negative indices count from the end on every backend; those beyond the table are an error, NaN on JAX."""
    from keras import config

    table = c.weight(layer.embeddings, "V D", "V D")
    index = c.value(inputs)
    if index.type.dtype.name not in ("int32", "int64"):
        index = c.cast(index, "int32")
    if config.backend() == "jax":
        c.note("an index beyond an embedding's table gives NaN on JAX; it is an error in what is written")
    return c.cast(c.b.embedding(index, table, neg="from_end"), layer.compute_dtype)


@rule("layers.ReversibleEmbedding")
def reversible_embedding(c: KerasContext, layer: Any, inputs: Any, reverse: bool = False, training: Any = None) -> Any:
    """The way back is a product, which the layer's own `call` says."""
    from keras.layers import Embedding
    from keras.src.backend import set_keras_mask

    if reverse:
        raise Unruled
    result = c.tensor(embedding(c, layer, inputs))
    mask = Embedding.compute_mask(layer, inputs)
    if mask is not None:
        set_keras_mask(result, mask)
    return result
