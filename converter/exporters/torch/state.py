"""State: which entries modules update by themselves, and which the root must assign."""

from __future__ import annotations

from collections.abc import Mapping

from converter.exporters.outline.instances import Instance
from ir.core import Model, Node, Value


def kept_state(model: Model, leaves: Mapping[Node, Instance]) -> set[str]:
    """Names of the entries that a module of torch updates by itself in training."""
    updating = (i for i in leaves.values() if i.form is not None and i.form.updates)
    return {name for instance in updating for name in instance.weights.values() if name in model.state}


def open_state(model: Model, leaves: Mapping[Node, Instance]) -> dict[str, Value]:
    """Weight name -> next value, for all other entries."""
    kept = kept_state(model, leaves)
    return {name: value for name, value in model.state.items() if name not in kept}
