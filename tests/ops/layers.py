"""Models of one op as a layer of a network: what a layer owns are weights, under a module path."""

from __future__ import annotations

from collections.abc import Collection, Iterator
from typing import Any, Literal

import numpy as np

from ir.core import Branch, Builder, Leaf, Model, Origin, Parameter, Scope, Signature
from ir.data import Array, Weight
from ir.ops.define import OpDef
from ir.ops.sampler import Sample
from tests.ops.harness import flat, named, operand_types

PATH = "net.layers.0"
CLASSES = ("Net", "ModuleList", "Layer")
OWNED = frozenset({"weight", "weights", "bias", "scale", "mean", "var", "slope"})
STATISTICS = {"mean": 1, "var": 2}
"""Operands that training moves, and the result that is their next value."""
Shown = Literal["first", "all", "crossed"] | int
"""Which results the model returns. Of an op with statistics `first` is one, of others all; `crossed` is the first, with
the statistics exchanged; a number is one of several."""
Arrays = dict[str, np.ndarray]


def variants(op: OpDef, sample: Sample) -> Iterator[tuple[str, Model, Arrays]]:
    """The layer with all it can own, with all but one, with nothing, and with its results used in other ways."""
    present = {name for name, item in named(op, sample).items() if item is not None} & OWNED
    layer, arrays = layer_of(op, sample)
    yield "layer", layer, arrays
    count = len(layer.graph.outputs)
    for i in range(count if count > 1 else 0):
        yield (f"only_{i}", *layer_of(op, sample, shown=i))
    for name in sorted(present):
        yield (f"{name}_given", *layer_of(op, sample, OWNED - {name}))
    if present:
        yield ("all_given", *layer_of(op, sample, ()))
    if present >= set(STATISTICS):
        yield ("all_shown", *layer_of(op, sample, shown="all"))
        yield ("crossed", *layer_of(op, sample, shown="crossed"))


def has_several_results(op: OpDef) -> bool:
    """Whether the op gives more than one result, or as many as its attributes say."""
    return len(op.outputs) > 1 or any(o.endswith("*") for o in op.outputs)


def layer_of(op: OpDef, sample: Sample, owned: Collection[str] = OWNED, shown: Shown = "first") -> tuple[Model, Arrays]:
    """As `harness.model_of`, with the operands that a layer owns as its trainable weights, statistics as its buffers
    whose next values are the model's state."""
    model = Model(op.name)
    operands, types = named(op, sample), operand_types(op, sample)
    values = {name: _operand(model, name, item, types[name], name in owned) for name, item in operands.items()}
    b = Builder(model.graph)
    with b.at(Origin(path=tuple(Scope(*step) for step in zip(PATH.split("."), CLASSES, strict=True)))):
        outputs = b.node(op, **values, **sample.attrs, **{k: make() for k, make in sample.bodies.items()}).outputs
    if operands.keys() >= STATISTICS.keys():
        for (name, position), other in zip(STATISTICS.items(), (2, 1), strict=True):
            if name in owned:
                model.set_state(f"{PATH}.{name}", outputs[other if shown == "crossed" else position])
        outputs = outputs if shown == "all" else outputs[:1]
    model.graph.set_outputs([outputs[shown]] if isinstance(shown, int) else outputs)
    _sign(model, {n: values[n] for n, item in operands.items() if item is not None and n not in owned})
    arrays = flat([item for n, item in operands.items() if n not in owned])
    return model, dict(zip((v.name for v in model.graph.inputs), arrays, strict=True))


def _operand(model: Model, name: str, item: Any, kind: Any, owned: bool) -> Any:
    if item is None:
        return None
    if isinstance(item, tuple):
        parts = [
            (f"{name}_{i}" if owned else f"{name}.{i}", *part) for i, part in enumerate(zip(item, kind, strict=True))
        ]
        return tuple(_operand(model, label, array, of, owned) for label, array, of in parts)
    if not owned:
        return model.graph.add_input(kind, name)
    if name in STATISTICS:
        return model.add_weight(Weight(f"{PATH}.{name}", Array(item), "buffer"))
    return model.add_weight(Weight(f"{PATH}.{name}", Array(item), "parameter", True))


def _sign(model: Model, given: dict[str, Any]) -> None:
    """The signature: operands by name, results as one or a tuple."""
    parts = {
        n: tuple(Leaf(v.name) for v in value) if isinstance(value, tuple) else Leaf(n) for n, value in given.items()
    }
    parameters = tuple(Parameter(n, Branch("tuple", t) if isinstance(t, tuple) else t) for n, t in parts.items())
    count = len(model.graph.outputs)
    leaves = tuple(Leaf(f"output.{i}") for i in range(count))
    model.signature = Signature(parameters, Leaf("output") if count == 1 else Branch("tuple", leaves))
