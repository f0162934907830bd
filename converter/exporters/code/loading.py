"""Parts of `load_model` and `load_source_weights` that packages with NumPy weights have in common."""

from __future__ import annotations

from ir.core import Model

OF_SOURCE = '''def of_source(saved, record):
    """A weight of a checkpoint of the source as this model keeps it; None where the source keeps none."""
    found = next((saved[n] for n in (record["source"], *record["aliases"]) if n in saved), None)
    if found is None:
        if record["persistent"]:
            raise KeyError(f"there is no {record['source']}")
        return None
@REORDER@    return found.transpose(record["axes"]) if "axes" in record else found
'''
_PIECES = """    if "pieces" in record:
        row, axis, order = (record["pieces"][k] for k in ("row", "axis", "order"))
        pieces = np.split(found if row is None else found[row], len(order), axis)
        found = np.concatenate([pieces[i] for i in order], axis)
"""
_BLOCKS = """    if "blocks" in record:
        sizes, order = record["blocks"]["sizes"], record["blocks"]["order"]
        positions = np.arange(math.prod(sizes)).reshape(sizes).transpose(order).ravel()
        found = np.take(found, positions, record["blocks"]["axis"])
"""


def of_source(model: Model) -> str:
    """Source of `of_source`, with what the weights of a model need of it."""
    weights = list(model.weights.values())
    pieces = _PIECES if any(w.source_pieces is not None for w in weights) else ""
    blocks = _BLOCKS if any(w.source_blocks is not None for w in weights) else ""
    return OF_SOURCE.replace("@REORDER@", pieces + blocks)


__all__ = ["of_source"]
