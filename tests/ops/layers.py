"""Models of one op as a layer of a network: what a layer owns are weights, under a module path."""

from __future__ import annotations

from typing import Any

import numpy as np

from ir.core import Branch, Builder, Leaf, Model, Origin, Parameter, Scope, Signature
from ir.data import Array, Weight
from ir.ops.define import OpDef
from ir.ops.sampler import Sample
from tests.ops.harness import flat, named, operand_types

PATH = "net.layers.0"
OWNED = {"weight", "weights", "bias", "scale", "mean", "var", "slope"}
STATISTICS = {"mean": 1, "var": 2}
"""Operands that training moves, and the result that is their next value."""


def layer_of(
    op: OpDef, sample: Sample, path: str = PATH, cls: str = "Layer"
) -> tuple[Model, dict[str, np.ndarray]]:
    """As `harness.model_of`, with the operands that a layer owns as its trainable weights, statistics as its buffers."""
    model = Model(op.name)
    values: dict[str, Any] = {}
    given: list[str] = []
    types = operand_types(op, sample)
    for name, item in named(op, sample).items():
        if item is None:
            values[name] = None
        elif name not in OWNED:
            values[name] = _inputs(model, name, types[name])
            given.append(name)
        elif isinstance(item, tuple):
            values[name] = tuple(_weight(model, f"{path}.{name}_{i}", a) for i, a in enumerate(item))
        else:
            values[name] = _weight(model, f"{path}.{name}", item, "buffer" if name in STATISTICS else "parameter")
    b = Builder(model.graph)
    with b.at(Origin(path=tuple(Scope(*step) for step in zip(path.split("."), ("Net", "ModuleList", cls), strict=True)))):
        outputs = b.node(op, **values, **sample.attrs, **{k: make() for k, make in sample.bodies.items()}).outputs
    if set(STATISTICS) <= set(values):
        for name, position in STATISTICS.items():
            model.set_state(f"{path}.{name}", outputs[position])
        outputs = outputs[:1]
    model.graph.set_outputs(outputs)
    leaves = tuple(Leaf(f"output.{i}" if len(outputs) > 1 else "output") for i in range(len(outputs)))
    trees = [
        Leaf(n) if not isinstance(values[n], tuple) else Branch("tuple", tuple(Leaf(v.name) for v in values[n]))
        for n in given
    ]
    parameters = tuple(Parameter(n, tree) for n, tree in zip(given, trees, strict=True))
    model.signature = Signature(parameters, leaves[0] if len(leaves) == 1 else Branch("tuple", leaves))
    arrays = list(flat([named(op, sample)[n] for n in given]))
    return model, dict(zip((v.name for v in model.graph.inputs), arrays, strict=True))


def _inputs(model: Model, name: str, kind: Any) -> Any:
    if isinstance(kind, tuple):
        return tuple(model.graph.add_input(t, f"{name}.{i}") for i, t in enumerate(kind))
    return model.graph.add_input(kind, name)


def _weight(model: Model, name: str, array: np.ndarray, kind: Any = "parameter") -> Any:
    return model.add_weight(Weight(name, Array(array), kind, None if kind == "buffer" else True))
