"""Structural equality and hashing: names, origins and object identity do not count, everything else does."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from ir.core import Builder, Leaf, Model, Node, Origin, Parameter, Signature, copy_model
from ir.core.binding import binders
from ir.core.equal import attr_key, block_key, fingerprint, model_key, models_equal
from ir.data import Array, Blocks, Pieces, Weight
from ir.text import parse
from ir.types import Assumption, dtype, symbol, tensor_type
from ir.types.attrs import ArrayAttr
from tests.ir.random_graphs import random_case
from tests.policy.source import ROOT


def test_attributes_differ_by_type_sign_and_bits() -> None:
    n = symbol("n")
    distinct = [
        0, 0.0, -0.0, False, None, "", (), (0,), ((0,),), "0", float("nan"), float("inf"), 1, 1.0, True, n, n + 1, n // 2,
        symbol("n", opaque=True), dtype("int8"), "int8", ArrayAttr(np.zeros(2)), ArrayAttr(np.zeros(2, "f4")),
        ArrayAttr(np.zeros((2, 1))), ArrayAttr(-np.zeros(2)), 1j, complex(0.0, -1),
    ]  # fmt: skip
    keys = [attr_key(v) for v in distinct]
    assert len(set(map(repr, keys))) == len(set(keys)) == len(distinct)
    assert attr_key(float("nan")) == attr_key(-float("nan"))
    with pytest.raises(TypeError, match="no attribute value"):
        attr_key(object())


@given(seed=st.integers(0, 2**32 - 1))
@settings(max_examples=30, deadline=None, derandomize=True)
def test_a_renamed_copy_is_equal(seed: int) -> None:
    case = random_case(seed, 12)
    assume(case is not None)
    twin = copy_model(case.model)
    for i, node in enumerate(twin.nodes()):
        node.origin = Origin(f"other.{i}")
        for value in node.outputs:
            value.name = f"other{i}"
    assert models_equal(case.model, twin, "digests")
    assert fingerprint(model_key(case.model)) == fingerprint(model_key(twin))


def base() -> Model:
    model = Model("m", Signature((Parameter("x", Leaf("x")), Parameter("y", Leaf("y"))), Leaf("output")))
    x, y = (model.graph.add_input(tensor_type("float32", symbol("n"), 2), k) for k in "xy")
    w = model.add_weight(Weight("w", Array(np.ones(2, "f4")), "buffer"))
    b = Builder(model.graph)
    model.graph.set_outputs([b.softmax(b.sub(b.sub(x, y), w), axis=1)])
    model.set_state("w", w)
    return model


def first(model: Model) -> Node:
    return next(iter(model.graph))


EDITS: dict[str, Callable[[Model], object]] = {
    "an operand": lambda m: first(m).set_operand("y", m.inputs[0]),
    "an attribute": lambda m: m.outputs[0].producer.attrs.update(axis=-1),
    "a type": lambda m: setattr(m.outputs[0], "type", tensor_type("float32", symbol("k"), 2)),
    "an input type": lambda m: setattr(m.inputs[0], "type", tensor_type("float64", symbol("n"), 2)),
    "an input name": lambda m: setattr(m.inputs[0], "name", "z"),
    "the outputs": lambda m: m.graph.set_outputs([first(m).output]),
    "a dead node": lambda m: Builder(m.graph).relu(m.inputs[0]),
    "the state": lambda m: m.set_state("w", None),
    "a weight's kind": lambda m: m.update_weight("w", kind="parameter"),
    "a weight's bytes": lambda m: m.update_weight("w", data=Array(np.zeros(2, "f4"))),
    "a weight's alias": lambda m: m.update_weight("w", aliases=("v",)),
    "a weight's name in the source": lambda m: m.update_weight("w", source_name="v"),
    "a weight's axes in the source": lambda m: m.update_weight("w", source_axes=(1, 0)),
    "a weight's blocks in the source": lambda m: m.update_weight("w", source_blocks=Blocks(0, (1, 2), (1, 0))),
    "a weight's pieces in the source": lambda m: m.update_weight("w", source_pieces=Pieces(1, 0, (1, 0))),
    "the signature": lambda m: setattr(m, "signature", replace(m.signature, result=Leaf("other"))),
    "an assumption": lambda m: m.assumptions.append(Assumption(symbol("n"), 2, "test")),
}


@pytest.mark.parametrize("name", EDITS)
def test_any_difference_counts(name: str) -> None:
    model = base()
    EDITS[name](model)
    assert models_equal(base(), base(), "digests")
    assert not models_equal(model, base(), "digests")
    assert models_equal(model, base()) is (name == "a weight's bytes")


def test_blocks_with_other_weights_are_one_block() -> None:
    model = Model()
    b = Builder(model.graph)
    x = model.graph.add_input(tensor_type("float32", 2), "x")
    runs = []
    for i in range(3):
        w = model.add_weight(Weight(f"w{i}", Array(np.full(2, float(i), "f4"))))
        before, start = x, b.mul(x, w)
        x = b.add(start, before) if i < 2 else b.add(before, start)
        runs.append((block_key([start.producer, x.producer], [x]), [before, w]))
    (first_key, met), _ = runs[0]
    assert met == runs[0][1]
    assert runs[1][0][0] == first_key and runs[1][0][1] == runs[1][1]
    assert runs[2][0][0] != first_key


def test_a_block_that_reads_one_value_twice_differs() -> None:
    model = base()
    b = Builder(model.graph)
    x, y = model.inputs
    assert block_key([b.add(x, x).producer])[0] != block_key([b.add(x, y).producer])[0]


def test_fingerprints_are_the_same_in_every_process() -> None:
    code = "from tests.ir.test_equal import *; print(fingerprint(model_key(base(), 'digests')))"
    runs = {
        subprocess.run(
            [sys.executable, "-c", code], cwd=ROOT, env={"PYTHONHASHSEED": s}, capture_output=True, check=True
        ).stdout
        for s in "12"
    }
    assert runs == {fingerprint(model_key(base(), "digests")).encode() + b"\n"}


def test_binders_are_the_first_to_name_a_size() -> None:
    model = parse("""isomorph-ir 1
model m
signature (x, p) -> (a, b)
graph (x: float32[n, 2], p: bool[]):
  i: int64[?k, 2] = nonzero(x; symbol="k")
  j: int64[?k, 2] = neg(i)
  y: float32[?m, 2] = cond(p, [x]; symbols=("m",))
    then(a: float32[n, 2]):
      q: int64[?inner, 2] = nonzero(a; symbol="inner")
      r: float32[?inner, 2] = cast(q; to=float32)
      return r
    else(a: float32[n, 2]):
      return a
  return j, y
""")
    found = {node.outputs[0].name: sorted(names) for node, names in binders(model.graph).items()}
    assert found == {"i": ["k"], "y": ["m"], "q": ["inner"]}
