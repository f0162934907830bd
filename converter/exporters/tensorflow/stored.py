"""Which weights lie in another order than the source's: those that every reader would transpose alike."""

from __future__ import annotations

from converter.exporters.tensorflow.table import ORDERS, Axes
from ir.core import Model, Node, Value


def choose(model: Model) -> dict[Value, Axes]:
    """The order of axes of each weight that is stored transposed. A model of TensorFlow's own has every weight as the source
    has it, so that only what was turned on the way in is turned; state keeps the order in which its next value comes."""
    found: dict[Value, Axes] = {}
    own = model.metadata.get("framework") == "tensorflow"
    for name in model.weights:
        value = model.weight_value(name)
        wanted = {_wanted(use.user, value) for use in value.uses}
        axes = wanted.pop() if len(wanted) == 1 else None
        if axes is None or axes == tuple(range(len(axes))) or name in model.state:
            continue
        if not own or model.weights[name].permuted(axes).source_axes is None:
            found[value] = axes
    return found


def _wanted(user: object, value: Value) -> Axes | None:
    """The order in which a user takes a weight; None where it takes it as it is."""
    if not isinstance(user, Node) or user.op.name not in ORDERS:
        return None
    orders = ORDERS[user.op.name](user)
    places = [key for key, operand in user.operands.items() if value is operand or _among(value, operand)]
    wanted = {orders.get(key) for key in places}
    return wanted.pop() if len(wanted) == 1 else None


def _among(value: Value, operand: object) -> bool:
    return isinstance(operand, tuple) and any(v is value for v in operand)


def store(model: Model, stored: dict[Value, Axes]) -> None:
    """Turn the weights, in place; metadata.json tells how they lie in the source."""
    for value, axes in stored.items():
        turned = model.weights[value.name].permuted(axes)
        model.update_weight(value.name, data=turned.data, source_axes=turned.source_axes)


__all__ = ["choose", "store"]
