"""Makes one weight of several that are the same tensor."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from ir.core.model import Model
from ir.data.store import duplicates, same_storage
from ir.data.weights import Weight
from ir.passes.base import Pass
from ir.passes.log import Rewrite, record


@dataclass(frozen=True)
class MergeWeights(Pass):
    """Merges weights that are tied, and constants of equal content; the names that go become aliases.

    Parameters and buffers merge only where they are the same storage and agree in everything but their names: equal
    content alone does not tie them.
    """

    name: ClassVar[str] = "merge_weights"
    before: ClassVar[tuple[str, ...]] = ("fold", "simplify", "cse", "dead_code")

    def run(self, model: Model) -> bool:
        merged = [_merge(model, name, into) for name, into in _ties(model).items()]
        constants = [w.name for w in model.weights.values() if w.kind == "constant" and w.name not in model.state]
        equal = duplicates({n: model.weights[n].data for n in constants})
        merged += [_merge(model, n, m) for n, m in equal.items() if _alike(model.weights[n], model.weights[m])]
        return bool(merged)


def _ties(model: Model) -> dict[str, str]:
    by_type: dict[object, list[Weight]] = {}
    found: dict[str, str] = {}
    for weight in model.weights.values():
        group = by_type.setdefault(weight.type, [])
        for other in group:
            if same_storage(weight.data, other.data) and _alike(weight, other) and weight.name not in model.state:
                found[weight.name] = other.name
                break
        else:
            group.append(weight)
    return found


def _alike(a: Weight, b: Weight) -> bool:
    return (a.kind, a.trainable, a.persistent) == (b.kind, b.trainable, b.persistent)


def _merge(model: Model, name: str, into: str) -> bool:
    gone, kept = model.weights[name], model.weights[into]
    model.weight_value(name).replace_all_uses(model.weight_value(into))
    model.remove_weight(name)
    model.update_weight(into, aliases=(*kept.aliases, name, *gone.aliases))
    record(Rewrite("merge_weights", "merge", f"it is the tensor {into!r}", f"weight {name!r}"))
    return True
