"""Weights of whole modules under the names that the target's library gives them: a Dense layer's `kernel` is `weight`."""

from __future__ import annotations

from collections.abc import Callable

from converter.exporters.outline.instances import Form, Path
from ir.core import Model, Node


def name_leaves(model: Model, form_of: Callable[[Node], Form | None], names: dict[str, str]) -> None:
    """Rename, in place, the weights of every node that is a whole module at its own place but for their names.

    `names` (target name -> source name) follows. A place whose weights, all below it included, are not exactly the
    module's stays as it is.
    """
    places: dict[Path, set[str]] = {}
    for name in model.weights:
        parts = tuple(name.split("."))
        for n in range(1, len(parts)):
            places.setdefault(parts[:n], set()).add(name)
    for node in model.graph:
        form = form_of(node)
        if form is None or not form.weights:
            continue
        path = tuple(s.name for s in node.origin.path)
        wanted = {v.name: ".".join((*path, attr)) for attr, v in form.weights.items() if v.is_weight}
        if len(wanted) < len(form.weights) or set(wanted) != places.get(path):
            continue
        changed = {old: new for old, new in wanted.items() if old != new}
        if not changed or any(new in model.weights for new in changed.values()):
            continue
        for old, new in changed.items():
            model.rename_weight(old, new)
            names[new] = names.pop(old)
            for place in places.values():
                if old in place:
                    place.remove(old)
                    place.add(new)


__all__ = ["name_leaves"]
