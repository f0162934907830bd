"""Readable names for weights that an exporter left without one."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import ClassVar

from ir.core.graph import Node, Value
from ir.core.model import Model
from ir.passes.base import Pass
from ir.passes.log import Miss, Rewrite, record

_ANONYMOUS = re.compile(r"onnx::\w+_\d+|\d+")
_ROLES = {
    "linear": ("weight", "bias"), "conv": ("weight", "bias"), "conv_transpose": ("weight", "bias"),
}  # fmt: skip
"""Op and operands whose names are what a module calls its weights."""


@dataclass(frozen=True)
class NameWeights(Pass):
    """A weight named by an exporter's counter (`onnx::MatMul_174`) takes the name of its role in the module that reads
    it (`pw1.weight`), where one module alone does and nothing there has that name. The record keeps the source's."""

    name: ClassVar[str] = "name_weights"
    after: ClassVar[tuple[str, ...]] = ("linear",)

    def run(self, model: Model) -> bool:
        names = {n for w in model.weights.values() for n in (w.name, *w.aliases)}
        places = {p for name in (*names, *(n.origin.scope for n in model.nodes())) for p in _prefixes(name)}
        changed = False
        for weight in list(model.weights.values()):
            wanted = _wish(model.weight_value(weight.name)) if _ANONYMOUS.fullmatch(weight.name) else None
            if wanted is None or weight.source_name is not None:
                continue
            if wanted in places:
                record(Miss(self.name, "taken", f"{wanted!r} is something else", f"weight {weight.name!r}"))
                continue
            places.add(wanted)
            model.rename_weight(weight.name, wanted)
            model.update_weight(wanted, source_name=weight.name)
            record(Rewrite(self.name, "role", f"it is the {wanted!r} of its module", f"weight {weight.name!r}"))
            changed = True
        return changed


def _prefixes(name: str) -> list[str]:
    """A dotted name and every module on the way to it."""
    parts = name.split(".")
    return [".".join(parts[: i + 1]) for i in range(len(parts))]


def _wish(value: Value) -> str | None:
    """Module and role of a weight that all its readers agree on."""
    found = set()
    for use in value.uses:
        node = use.user
        if not isinstance(node, Node) or use.key not in _ROLES.get(node.op.name, ()):
            return None
        found.add((node.origin.scope, use.key))
    scope, role = found.pop() if len(found) == 1 else ("", "")
    return f"{scope}.{role}" if scope else None
