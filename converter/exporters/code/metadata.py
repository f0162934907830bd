"""metadata.json and requirements.txt of a code package."""

from __future__ import annotations

from dataclasses import asdict
from typing import Any

from ir.core import Model
from ir.core.signature import to_json
from ir.types import Dim, DimExpr, TensorType, substitute

FORMAT = 1


def metadata(model: Model, framework: str, names: dict[str, str], versions: dict[str, str]) -> dict[str, Any]:
    """What metadata.json holds; `names` maps a weight's name in the package to its name in the model.

    A weight that lies transposed says by `axes` which of the source's axes became each of its own; `blocks` tell of an
    axis of the source that is read as several `sizes` and transposed by `order` first, `pieces` of a `row` of the source
    and of an axis that was cut into equal pieces, even before that.
    """
    alike = _alike(model)
    return {
        "format": FORMAT,
        "framework": framework,
        "signature": to_json(model.signature),
        "inputs": {name: _text(t, alike) for name, t in model.input_types.items()},
        "outputs": {name: _text(t, alike) for name, t in model.output_types.items()},
        "weights": {
            w.name: {
                "source": w.source_name or names[w.name],
                **({} if w.source_axes is None else {"axes": list(w.source_axes)}),
                **({} if w.source_blocks is None else {"blocks": asdict(w.source_blocks)}),
                **({} if w.source_pieces is None else {"pieces": asdict(w.source_pieces)}),
                "aliases": list(w.aliases),
                "kind": w.kind,
                "trainable": w.trainable,
                "persistent": w.persistent and w.kind != "constant",
                "type": str(w.type).replace(" ", ""),
            }
            for w in model.weights.values()
        },
        "source": _plain(model.metadata),
        "notes": list(model.notes),
        "versions": versions,
        "verification": None,
    }


def _alike(model: Model) -> dict[str, Dim]:
    """One name for sizes that the model needs to be equal: whoever reads the package on chooses sizes by their names."""
    found: dict[str, Dim] = {}
    for assumption in model.assumptions:
        one, other = (substitute(d, found) for d in (assumption.left, assumption.right))
        if all(isinstance(d, DimExpr) and d.is_symbol and not d.symbol.opaque for d in (one, other)) and one != other:
            assert isinstance(other, DimExpr)
            own = {other.symbol.name: one}
            found = {**{name: substitute(d, own) for name, d in found.items()}, **own}
    return found


def _text(type: TensorType, alike: dict[str, Dim]) -> str:
    return str(type.with_shape(substitute(d, alike) for d in type.shape)).replace(" ", "")


def _plain(value: Any) -> Any:
    """JSON values; anything else as its text."""
    if isinstance(value, dict):
        return {str(k): _plain(v) for k, v in value.items()}
    if isinstance(value, (list, tuple)):
        return [_plain(v) for v in value]
    return value if value is None or isinstance(value, (bool, int, float, str)) else str(value)
