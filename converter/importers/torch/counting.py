"""The counter of a batch normalisation, `num_batches_tracked`: kept by the layer itself, or in the graph.

Whoever writes the layer as a layer need not know of the counter. Where the model reads the counter, or reads or writes the
running statistics beside the layer, there is no such layer: the export is repeated with the counting in it.
"""

from __future__ import annotations

from typing import Any

from ir.core import Model, Node, Value

COUNTER = "num_batches_tracked"


def to_count(module: Any, model: Model) -> frozenset[Any]:
    """The batch normalisations of a module, read into `model`, whose counter must be counted in the graph."""
    from torch import nn

    found = set()
    for path, part in module.named_modules():
        if not isinstance(part, nn.modules.batchnorm._BatchNorm) or getattr(part, COUNTER, None) is None:
            continue
        values = [_value(model, f"{path}.{name}" if path else name) for name in ("running_mean", "running_var", COUNTER)]
        if not _alone(model, *values):
            found.add(part)
    return frozenset(found)


def _value(model: Model, name: str) -> Value | None:
    weight = next((w for w in model.weights.values() if name in (w.name, *w.aliases)), None)
    return None if weight is None else model.weight_value(weight.name)


def _alone(model: Model, mean: Value | None, var: Value | None, counter: Value | None) -> bool:
    """Whether one node reads and updates the statistics, nothing else does, and nothing reads or writes the counter."""
    if mean is None or var is None or counter is None:
        return True
    if counter.name in model.state:
        return True  # the model's code counts by itself
    if counter.uses:
        return False
    updates = [model.state.get(v.name) for v in (mean, var)]
    nodes = {u.user for v in (mean, var) for u in v.uses} | {v.producer for v in updates if v is not None}
    if all(v is None for v in updates):
        return True  # frozen
    only = all(v is not None and [u.user for u in v.uses] == [model] for v in updates)
    return only and len(nodes) == 1 and all(isinstance(n, Node) and n.op.name == "batch_norm" for n in nodes)
