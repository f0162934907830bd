"""Weight names as attribute paths: kept where they are, made valid where the source's names are not."""

from __future__ import annotations

import keyword
import re

from converter.exporters.code.names import Namespace
from ir.core import Model

_OWNED = {
    "forward",
    "training",
    "train",
    "eval",
    "parameters",
    "buffers",
    "modules",
    "children",
    "float",
    "half",
    "to",
    "type",
}


def normalise(model: Model) -> dict[str, str]:
    """Rename, in place, weights whose names cannot be attributes; returns target name -> source name."""
    names = {name: name for name in model.weights}
    taken = Namespace(model.weights)
    prefixes = _prefixes(model)
    for name in list(model.weights):
        if not _is_path(name) or name in prefixes:
            new = taken.new(_valid(name))
            model.rename_weight(name, new)
            names[new] = names.pop(name)
    for weight in list(model.weights.values()):
        kept = tuple(a for a in weight.aliases if _is_path(a))
        if kept != weight.aliases:
            model.update_weight(weight.name, aliases=kept)
    return names


def _prefixes(model: Model) -> set[str]:
    """Names that are also a module on the way to another weight."""
    found = set()
    for name in model.weights:
        parts = name.split(".")
        found |= {".".join(parts[:i]) for i in range(1, len(parts))}
    return found


def _is_path(name: str) -> bool:
    parts = name.split(".")
    fine = all(p.isdigit() or (p.isidentifier() and not keyword.iskeyword(p) and not p.startswith("__")) for p in parts)
    return fine and parts[-1] not in _OWNED and (not parts[-1].isdigit() or len(parts) > 1)


def _valid(name: str) -> str:
    """`onnx::Conv_12` -> `onnx_Conv_12`; dots that separate valid parts stay."""
    parts = [re.sub(r"\W+", "_", p).strip("_") for p in name.replace("/", ".").split(".")]
    parts = [p for p in parts if p]
    fixed = [
        f"{p}_" if keyword.iskeyword(p) or (p in _OWNED and i == len(parts) - 1) else p for i, p in enumerate(parts)
    ]
    fixed = [p if p.isidentifier() or (p.isdigit() and i < len(fixed) - 1) else f"w{p}" for i, p in enumerate(fixed)]
    return ".".join(fixed) or "weight"
