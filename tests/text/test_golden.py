"""The text form as committed: a change of the printer shows as a change of these files.

`python -m tests.text.test_golden` writes them anew, after an intended change of the format.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import ml_dtypes
import numpy as np
import pytest

import ir.ops
from ir.core import Branch, Builder, Constant, Graph, Leaf, Model, Origin, Parameter, Scope, Signature
from ir.data import Array, Weight
from ir.text import format_model, parse
from ir.types import Assumption, symbol, tensor_type
from ir.verify import check

GOLDEN = Path(__file__).with_name("golden")


def network() -> Model:
    """A small network with everything beside the graph."""
    model = Model("network", Signature((Parameter("x", Leaf("x")), Parameter("n", Constant(3), True)), Leaf("output")))
    model.metadata = {"framework": "torch", "versions": {"torch": "2.13"}}
    model.modules = {"drop": "Dropout"}
    model.notes = ['a note with "quotes"']
    n = symbol("batch")
    model.assumptions = [Assumption(n, 2 * symbol("half"), "split")]
    x = model.graph.add_input(tensor_type("float32", n, 3, 8, symbol("width")), "x")
    kernel = model.add_weight(Weight("conv.weight", Array(np.zeros((4, 3, 3, 3), "f4")), trainable=True))
    stats = [
        model.add_weight(Weight(f"bn.{k}", Array(np.ones(4, "f4")), "buffer", False)) for k in ("mean", "var")
    ]  # fmt: skip
    b = Builder(model.graph)
    with b.at(Origin("aten.conv2d", "conv", (Scope("conv", "Conv2d"),), "net.py:7", "conv2d", ("simplify",))):
        y = b.conv(x, kernel, padding=((1, 1), (1, 1)), strides=(2, 2), dilations=(1, 1))
        y.name = "features"
    with b.at(Origin("aten.batch_norm", path=(Scope("bn", "BatchNorm2d", 1),))):
        y, mean, var = b.batch_norm(y, mean=stats[0], var=stats[1])
    model.set_state("bn.mean", mean)
    model.set_state("bn.var", var)
    y = b.concat((b.leaky_relu(y, alpha=0.2), y), axis=1)
    y = b.reshape(y, shape=(n, 4 * 8 * ((symbol("width") + 1) // 2)))
    model.graph.set_outputs([b.clip(y, max=b.constant(np.float32(6.0)))])
    return model


def attributes() -> Model:
    """Literals of every kind, odd names, data-dependent sizes, bodies."""
    result = Branch("dict", (Leaf("a"), Branch("namedtuple", (Leaf("b"),), ("field",), "Result")), ("a", "odd key"))
    model = Model("two words", Signature((Parameter("x", Leaf("x 1")),), result))
    x = model.graph.add_input(tensor_type("float32", symbol("min"), 2), "x 1")
    b = Builder(model.graph)
    b.constant(np.array([np.nan, np.inf, -0.0, 0.1], "f4"))
    b.constant(np.array([[True], [False]]))
    b.constant(np.arange(40, dtype=np.int8))
    b.constant(np.array([1.5, -2.0], ml_dtypes.bfloat16))
    b.full(shape=(2, symbol("min") * 2 + 1), value=float("-inf"), dtype="float16")
    b.nonzero(x, symbol="count")
    b.cast(x, to="int4")
    body = Graph("then")
    body.set_outputs([Builder(body).relu(body.add_input(x.type, "inner"))])
    other = Graph("else")
    other.set_outputs([other.add_input(x.type, "inner")])
    predicate = b.constant(np.asarray(True))
    results = b.node(ir.ops.get("cond"), predicate, (x,), **{"then": body, "else": other}).outputs
    model.graph.set_outputs([results[0], x])
    return model


MODELS: dict[str, Callable[[], Model]] = {"network": network, "attributes": attributes}


@pytest.mark.parametrize("name", MODELS)
def test_golden(name: str) -> None:
    model = MODELS[name]()
    check(model)
    text = (GOLDEN / f"{name}.ir").read_text(encoding="utf-8")
    assert format_model(model) == text
    assert format_model(parse(text)) == text


if __name__ == "__main__":
    for key, make in MODELS.items():
        (GOLDEN / f"{key}.ir").write_text(format_model(make()), encoding="utf-8")
