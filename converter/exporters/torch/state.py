"""State: which entries a module keeps by itself, and which the root must assign."""

from __future__ import annotations

from converter.exporters.torch.context import Shared
from ir.core import Model, Node, Value


def open_state(shared: Shared) -> dict[str, Value]:
    """Weight name -> next value, for the entries that no module updates by itself."""
    kept: set[str] = set()
    for node, instance in shared.leaves.items():
        form = instance.form
        if form is not None and form.updates:
            kept |= {name for name in instance.weights.values() if name in shared.model.state}
            del node
    return {name: value for name, value in shared.model.state.items() if name not in kept}


def is_counter(model: Model, node: Node) -> bool:
    """Whether a node does nothing but count calls (`weight + 1` as the weight's next value)."""
    if node.op.name != "add" or len(node.outputs) != 1:
        return False
    value = node.outputs[0]
    if any(use.user is not model for use in value.uses) or not value.uses:
        return False
    weights = [v for v in node.inputs if v.is_weight and model.state.get(v.name) is value]
    constants = [v for v in node.inputs if v.producer is not None and v.producer.op.name == "constant"]
    return len(weights) == 1 and len(constants) == 1 and constants[0].producer.attrs["value"].value == 1  # type: ignore[union-attr]
