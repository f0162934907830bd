"""Products with stored matrices become dense layers, and the weights of modules get the names of their roles."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from ir.core import Builder, Leaf, Model, Origin, Parameter, Scope, Signature, Value, copy_model
from ir.data import Array, Weight
from ir.eval import Evaluator
from ir.passes import recognition
from ir.types import DType, type_of
from ir.verify import check
from tests.passes.test_recognition import FLOATS, RNG, Make, assert_left, assert_same_results, model_of, ops


def linears() -> dict[str, tuple[Make, list[str], set[str]]]:
    """name -> (pattern, ops expected, weights stored transposed)."""

    def turn(b: Builder, name: str) -> Value:
        return b.transpose(b.w(name), perm=(1, 0))

    w: Any = lambda b, name: b.w(name)  # noqa: E731
    return {
        "product": (lambda b, x: b.matmul(x, w(b, "matrix")), ["linear"], {"matrix"}),
        "bias right": (lambda b, x: b.add(b.matmul(x, w(b, "matrix")), w(b, "shift")), ["linear"], {"matrix"}),
        "bias left": (lambda b, x: b.add(w(b, "shift"), b.matmul(x, w(b, "matrix"))), ["linear"], {"matrix"}),
        "vector": (
            lambda b, x: b.matmul(b.reshape(b.slice(x, axes=(0, 1), starts=(0, 0), stops=(1, 1), steps=(1, 1)), shape=(4,)),
                                  w(b, "matrix")),
            ["slice", "reshape", "linear"], {"matrix"},
        ),
        "turned": (lambda b, x: b.matmul(x, turn(b, "turned")), ["linear"], set()),
        "turned, bias": (lambda b, x: b.add(b.matmul(x, turn(b, "turned")), w(b, "shift")), ["linear"], set()),
        "linear of turned": (lambda b, x: b.linear(x, turn(b, "matrix"), w(b, "shift")), ["linear"], {"matrix"}),
        "late bias": (lambda b, x: b.add(b.linear(x, w(b, "turned")), w(b, "shift")), ["linear"], set()),
        "twice": (
            lambda b, x: b.add(b.matmul(x, w(b, "matrix")), b.matmul(b.neg(x), w(b, "matrix"))),
            ["neg", "linear", "linear", "add"], {"matrix"},
        ),
        "twice, once by transpose": (
            lambda b, x: b.add(b.matmul(x, w(b, "matrix")), b.linear(b.neg(x), turn(b, "matrix"))),
            ["neg", "linear", "linear", "add"], {"matrix"},
        ),
        "a matrix added": (
            lambda b, x: b.add(b.matmul(x, w(b, "matrix")), b.expand(w(b, "shift"), shape=(5, 6))),
            ["linear", "expand", "add"], {"matrix"},
        ),
        "bias read with the product": (
            lambda b, x: (lambda out: b.mul(b.add(out, w(b, "shift")), out))(b.matmul(x, w(b, "matrix"))),
            ["linear", "add", "mul"], {"matrix"},
        ),
        "there and back": (
            lambda b, x: b.matmul(b.matmul(x, w(b, "matrix")), turn(b, "matrix")),
            ["matmul", "linear"], set(),
        ),
    }  # fmt: skip


@pytest.mark.parametrize("dtype", FLOATS, ids=str)
@pytest.mark.parametrize("name", linears())
def test_linear(name: str, dtype: DType) -> None:
    make, expected, turned = linears()[name]
    before = model_of(make, dtype)
    after = copy_model(before)
    recognition(debug=True).run(after)
    assert sorted(ops(after)) == sorted(expected)
    assert_same_results(before, after)
    for was, now in zip(before.weights.values(), after.weights.values(), strict=True):
        assert (was.name, was.kind, was.trainable) == (now.name, now.kind, now.trainable)
        assert now.source_axes == ((1, 0) if now.name in turned else None)
        seen = now.data.numpy().T if now.name in turned else now.data.numpy()
        assert np.array_equal(seen, was.data.numpy())


def test_weights_keep_their_shape_where_they_must() -> None:
    assert_left(linears()["bias right"][0], reason="keep the shape", keep_weights=True)
    before = model_of(linears()["turned, bias"][0])
    recognition(keep_weights=True).run(before)
    assert ops(before) == ["linear"]


def test_a_weight_that_is_looked_up_stays() -> None:
    def make(b: Builder, x: Value) -> Value:
        rows = b.gather(b.w("matrix"), b.constant(np.array([0, 1])), axis=0)
        return b.add(b.reduce_sum(rows, axes=(0,)), b.matmul(x, b.w("matrix")))

    assert_left(make, reason="read it otherwise")


def test_a_weight_that_is_the_output_or_the_left_stays() -> None:
    model = model_of(lambda b, x: b.matmul(x, b.w("matrix")))
    model.signature = Signature((Parameter("x", Leaf("x")),), (Leaf("a"), Leaf("b")))  # type: ignore[arg-type]
    model.graph.set_outputs([*model.graph.outputs, model.weight_value("matrix")])
    recognition().run(model)
    assert ops(model) == ["matmul"]
    assert_left(lambda b, x: b.matmul(b.w("scale"), b.transpose(x, perm=(0, 2, 1))))


def test_integers_have_no_dense_layer() -> None:
    model = Model("m", Signature((Parameter("x", Leaf("x")),), Leaf("output")))
    x = model.graph.add_input(type_of(np.zeros((2, 3), "i4")), "x")
    w = model.add_weight(Weight("w", Array(np.ones((3, 3), "i4")), "constant"))
    model.graph.set_outputs([Builder(model.graph).matmul(x, w)])
    recognition().run(model)
    assert ops(model) == ["matmul"]


# -- names ------------------------------------------------------------------------------------------------------------
def named(*weights: tuple[str, str], taken: str = "") -> Model:
    """Products in a row, each with the weight and in the module given."""
    model = Model("m", Signature((Parameter("x", Leaf("x")),), Leaf("output")))
    out = model.graph.add_input(type_of(np.zeros((2, 4), "f4")), "x")
    b = Builder(model.graph)
    for name, scope in weights:
        value = model.weight_value(name) if name in model.weights else model.add_weight(
            Weight(name, Array(RNG.normal(size=(4, 4)).astype("f4")))
        )  # fmt: skip
        with b.at(Origin(path=tuple(Scope(s) for s in scope.split(".") if s))):
            out = b.matmul(out, value)
    if taken:
        out = b.add(out, model.add_weight(Weight(taken, Array(np.ones(4, "f4")))))
    model.graph.set_outputs([out])
    check(model)
    return model


@pytest.mark.parametrize(
    ("weights", "taken", "expected"),
    [
        ([("onnx::MatMul_17", "enc.fc")], "", {"enc.fc.weight": "onnx::MatMul_17"}),
        ([("17", "enc.fc"), ("18", "dec")], "", {"enc.fc.weight": "17", "dec.weight": "18"}),
        ([("onnx::MatMul_17", "")], "", {"onnx::MatMul_17": None}),
        ([("kernel_17", "fc")], "", {"kernel_17": None}),
        ([("onnx::MatMul_17", "a"), ("onnx::MatMul_17", "b")], "", {"onnx::MatMul_17": None}),
        (
            [("onnx::MatMul_17", "a"), ("onnx::MatMul_18", "a")],
            "",
            {"a.weight": "onnx::MatMul_17", "onnx::MatMul_18": None},
        ),
        ([("onnx::MatMul_17", "a")], "a.weight", {"onnx::MatMul_17": None, "a.weight": None}),
        ([("onnx::MatMul_17", "a"), ("w", "a.weight")], "", {"onnx::MatMul_17": None, "w": None}),
        ([("onnx::MatMul_17", "a")], "a.weight.inner", {"onnx::MatMul_17": None, "a.weight.inner": None}),
    ],
)
def test_anonymous_weights_are_named_by_their_role(
    weights: list[tuple[str, str]], taken: str, expected: dict[str, str | None]
) -> None:
    model = named(*weights, taken=taken)
    before = copy_model(model)
    recognition(debug=True).run(model)
    assert {w.name: w.source_name for w in model.weights.values()} == expected
    x = {"x": RNG.normal(size=(2, 4)).astype("f4")}
    results = [Evaluator("reference").run(m, x)["output"] for m in (before, model)]
    np.testing.assert_allclose(*results, rtol=1e-12)
    kept = copy_model(before)
    recognition(keep_weights=True).run(kept)
    assert list(kept.weights) == list(before.weights)
