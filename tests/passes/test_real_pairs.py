"""Complex tensors as pairs of reals: every op's complex samples, borders, weights, state and bodies."""

from __future__ import annotations

from collections.abc import Callable
from itertools import product
from typing import Any

import numpy as np
import pytest

import ir.ops
from ir.core import Builder, Graph, Leaf, Model, Parameter, Signature, copy_model
from ir.data import Array, Weight
from ir.eval import Evaluator
from ir.passes import DeadCode
from ir.passes.real_pairs import RealPairs, has_complex, split
from ir.types import TensorType, dtypes, symbol, type_of
from ir.verify import check
from tests.ops.harness import Case, assert_close, cases_of, model_of

RNG = np.random.default_rng(3)
NO_FORM = {"eig"}
"""Ops whose complex samples have no form in reals."""


def _complex_cases() -> list[Case]:
    found = [
        case for op in ir.ops.all_ops() for kind in (dtypes.float32, dtypes.float64) for case in cases_of(op, kind)
    ]
    return [c for c in found if has_complex(model_of(c[1], c[2])[0])]


def paired(array: np.ndarray) -> np.ndarray:
    return np.stack([array.real, array.imag], axis=-1) if np.iscomplexobj(array) else array


def same(model: Model, inputs: dict[str, np.ndarray], rtol: float | None = None) -> Model:
    """The model in reals gives the parts of what it gave, in both evaluations; returns it."""
    other = copy_model(model)
    assert RealPairs().run(other)
    check(other)
    assert not list(RealPairs().ensures(other)) and not RealPairs().run(other)
    DeadCode().run(other)
    feed = {name: paired(array) for name, array in inputs.items()}
    for mode in ("exact", "reference"):
        want, got = Evaluator(mode).run(model, inputs), Evaluator(mode).run(other, feed)
        for name, kind in model.output_types.items():
            assert got[name].shape == paired(want[name]).shape
            assert_close(got[name], paired(want[name]), kind.dtype.real if kind.dtype.is_complex else kind.dtype, rtol)
    return other


CASES = _complex_cases()


@pytest.mark.parametrize("case", CASES, ids=[c[0] for c in CASES])
def test_samples(case: Case) -> None:
    _, op, sample = case
    model, inputs = model_of(op, sample)
    if op.name in NO_FORM:
        assert [node.op.name for node, _ in split(copy_model(model))] == [op.name]
        with pytest.raises(ValueError, match=op.name):
            RealPairs().run(copy_model(model))
        return
    same(
        model, inputs, 2e-5 if case[2].rtol is None and op.family in ("elementwise", "fourier", "arithmetic") else None
    )


# -- models ---------------------------------------------------------------------------------------------------------
def numbers(*shape: int) -> np.ndarray:
    return (RNG.standard_normal(shape) + 1j * RNG.standard_normal(shape)).astype(np.complex64)


def built(fn: Callable[..., Any], *arrays: np.ndarray) -> tuple[Model, dict[str, np.ndarray]]:
    """A model of what `fn(builder, *values)` returns, on these inputs."""
    model = Model()
    names = [f"x{k}" for k in range(len(arrays))]
    values = [model.graph.add_input(type_of(a), n) for n, a in zip(names, arrays, strict=True)]
    model.graph.set_outputs([fn(Builder(model.graph), *values)])
    model.signature = Signature(tuple(Parameter(n, Leaf(n)) for n in names), Leaf("output"))
    return model, dict(zip(names, arrays, strict=True))


INDICES = np.array([[1, 0], [-1, 2]])
FORMS: dict[str, tuple[Callable[..., Any], tuple[np.ndarray, ...]]] = {
    "slice": (lambda b, x: b.slice(x, axes=(1,), starts=(-1,), stops=(None,), steps=(-2,)), (numbers(2, 5),)),
    "concat": (lambda b, x, y: b.concat([x, y, x], axis=1), (numbers(2, 1), numbers(2, 3))),
    "stack": (lambda b, x, y: b.stack([y, x], axis=0), (numbers(3), numbers(3))),
    "split": (lambda b, x: b.split(x, sizes=(1, 3), axis=0)[1], (numbers(4, 2),)),
    "pad": (lambda b, x: b.pad(x, pads=((1, 0), (0, 2)), value=7.5), (numbers(2, 2),)),
    "pad edge": (lambda b, x: b.pad(x, pads=((2, 1),), mode="reflect"), (numbers(4),)),
    "gather": (lambda b, x, i: b.gather(x, i, axis=0, neg="from_end"), (numbers(3, 2), INDICES)),
    "gather filled": (
        lambda b, x, i: b.gather(x, i, axis=0, bounds="fill", fill_value=4.0), (numbers(3), np.array([2, 9])),
    ),
    "gather elements": (lambda b, x, i: b.gather_elements(x, i, axis=0, neg="from_end"), (numbers(3, 2), INDICES)),
    "scatter": (lambda b, x, i, y: b.scatter_nd(x, i, y), (numbers(3), np.array([[2], [0]]), numbers(2))),
    "scatter add": (
        lambda b, x, i, y: b.scatter_elements(x, i, y, axis=0, reduction="add", include_self=False),
        (numbers(3), np.array([1, 1]), numbers(2)),
    ),
    "where": (lambda b, m, x, y: b.where(m, x, y), (np.array([True, False]), numbers(2), numbers(3, 2))),
    "masked": (lambda b, x, m: b.mask_select(x, m, symbol="n"), (numbers(3), np.array([True, False, True]))),
    "triangle": (lambda b, x: b.triu(x, k=1), (numbers(3, 3),)),
    "roll": (lambda b, x: b.roll(x, shifts=(1,), axes=(0,)), (numbers(4),)),
    "equal": (lambda b, x: b.equal(x, b.conj(x)), (np.array([1 + 0j, 1j, 0, 2 - 1j], np.complex64),)),
    "nonzero": (lambda b, x: b.nonzero(x, symbol="n"), (np.array([0, 1j, 0, 2], np.complex64),)),
    "product": (lambda b, x: b.reduce_prod(x, axes=(1, 0)), (numbers(5, 3),)),
    "product kept": (lambda b, x: b.reduce_prod(x, axes=(-1,), keepdims=True), (numbers(2, 7),)),
    "product of none": (lambda b, x: b.reduce_prod(x, axes=(1,)), (numbers(2, 0),)),
    "running product": (lambda b, x: b.cumprod(x, axis=1), (numbers(2, 5),)),
    "running product back": (lambda b, x: b.cumprod(x, axis=-1, reverse=True, exclusive=True), (numbers(2, 3),)),
    "mean": (lambda b, x: b.reduce_mean(x, axes=(0,)), (numbers(3, 2),)),
    "einsum of one": (lambda b, x: b.einsum((x,), equation="ii->i"), (numbers(3, 3),)),
    "full": (lambda b, x: b.mul(x, b.full(shape=(2,), value=2.5, dtype=dtypes.complex64)), (numbers(2),)),
    "constant": (lambda b, x: b.sub(x, b.constant(np.array([1j, 2], np.complex64))), (numbers(2),)),
    "cube": (lambda b, x: b.pow(x, b.constant(np.complex64(3))), (numbers(4),)),
    "inverse square": (lambda b, x: b.pow(x, b.constant(np.complex64(-2))), (numbers(4),)),
    "root": (lambda b, x: b.pow(x, b.constant(np.complex64(0.5))), (numbers(4),)),
    "fraction": (lambda b, x: b.pow(x, b.constant(np.complex64(0.3))), (numbers(4),)),
    "power of real numbers": (
        lambda b, x: b.pow(x, b.constant(np.complex64(0.3))), (np.array([2, 0.5, 1j, -1.5], np.complex64),),
    ),
    "zero to a power": (
        lambda b, x: b.pow(x, b.constant(np.array([0, 2.5, 0.5, -1, 1j], np.complex64))), (np.zeros((3, 1), np.complex64),),
    ),
    "root below the cut": (lambda b, x: b.sqrt(x), (np.array([-4 - 0.0j, -4 + 0j, 0, 9, -1e-30j]).astype(np.complex64),)),
    "size": (lambda b, x: b.abs(x), (np.array([3e30 + 4e30j, 3e-30j, 0, np.inf - 1j, complex(np.nan, np.inf)], np.complex64),)),
    "quotient of sizes": (lambda b, x, y: b.div(x, y), (numbers(3), np.array([3e30 + 4e30j, 1e-30j, 2], np.complex64))),
    "quotient by nothing": (
        lambda b, x, y: b.div(x, y), (np.array([1 + 2j, -1 - 2j, 0, 3], np.complex64), np.array([[0], [-0.0]], np.complex64)),
    ),
    "exponential of infinity": (lambda b, x: b.exp(x), (np.array([-np.inf + 2j, complex(np.inf, 0), 200j, 0], np.complex64),)),
    "logarithm near one": (lambda b, x: b.log(x), (np.array([1 + 1e-4j, 0.6 + 0.8j, -1, 1e-20, 1e20j], np.complex64),)),
    "logarithm on the circle": (
        lambda b, x: b.real(b.log(x)), (np.array([1 + 1e-3j, -1 + 2e-3j, 1e-3 - 1j], np.complex64),),
    ),
    "tangent far out": (lambda b, x: b.tanh(x), (np.array([90 + 1j, -90 + 2j, 0.5j, 1.2], np.complex64),)),
    "long transform": (lambda b, x: b.fft(x, axes=(0,)), (numbers(768, 1),)),
    "long transform of planes": (lambda b, x: b.fft(x, axes=(2,), onesided=True), (numbers(2, 1, 300).real,)),
    "prime transform": (lambda b, x: b.fft(x, axes=(0,), inverse=True), (numbers(263),)),
}  # fmt: skip


@pytest.mark.parametrize("name", FORMS)
def test_forms(name: str) -> None:
    fn, arrays = FORMS[name]
    same(
        *built(fn, *arrays),
        2e-5 if name.startswith(("product", "running", "cube", "inverse", "root", "frac")) else 2e-6,
    )


def test_sizes_of_the_run() -> None:
    """A transform along an axis whose size the run tells, of real and complex numbers, scaled."""
    forms = ((dtypes.float32, "ortho", True), (dtypes.complex64, "count", False))
    for (kind, norm, onesided), lead in product(forms, ((), (2,), (3, 2))):
        model = Model(signature=Signature((Parameter("x", Leaf("x")),), Leaf("output")))
        x = model.graph.add_input(TensorType(kind, (*lead, symbol("n"))), "x")
        model.graph.set_outputs([Builder(model.graph).fft(x, axes=(len(lead),), norm=norm, onesided=onesided)])
        for n in (1, 2, 7):
            array = numbers(*lead, n)
            same(model, {"x": array if kind.is_complex else array.real})


@pytest.mark.parametrize("inverse", (False, True))
def test_turns(inverse: bool) -> None:
    """The transform of an impulse: turns that are right to the last bits, and exact where a part of one is 0."""
    for points, place in product((8, 251), (1, -1)):
        impulse = np.eye(points)[place].astype(np.complex128)
        model, _ = built(lambda b, x: b.fft(x, axes=(0,), inverse=inverse), impulse)
        RealPairs().run(model)
        (found,) = Evaluator("exact").run(model, {"x0": paired(impulse)}).values()
        want = np.exp((2j if inverse else -2j) * np.pi * place * np.arange(points) / points)
        np.testing.assert_allclose(found, paired(want), rtol=0, atol=4e-15)
        if points == 8:
            np.testing.assert_array_equal(found == 0, np.abs(paired(want)) < 1e-15)


def ops_in_reals(fn: Callable[..., Any], array: np.ndarray) -> list[tuple[str, tuple[Any, ...]]]:
    """The ops of a model in reals and the shapes of what they give."""
    model, _ = built(fn, array)
    RealPairs().run(model)
    return [(node.op.name, node.outputs[0].type.shape) for node in model.graph]


@pytest.mark.parametrize(
    ("points", "most"), [(256, 256), (257, 257), (258, 43), (262, 131), (265, 53), (289, 17), (300, 20)]
)
def test_tables_of_transforms(points: int, most: int) -> None:
    """Up to 256 points and prime numbers take one matrix, others two smaller ones, as equal as may be; an axis that is the
    last is not moved."""
    found = ops_in_reals(lambda b, x: b.fft(x, axes=(1,)), numbers(1, points))
    assert max(size for name, shape in found if name == "constant" for size in shape) == most
    assert any(name == "transpose" for name, _ in found) == (most != points)


def test_rounds_of_running_products() -> None:
    """As many as double 1 to the size or more, and no more."""
    for size, rounds in ((1, 0), (2, 1), (3, 2), (4, 2), (5, 3)):
        found = ops_in_reals(lambda b, x: b.cumprod(x, axis=0), numbers(size))
        assert [name for name, _ in found].count("concat") == 2 * rounds, size


def test_weights_and_state() -> None:
    """They keep name and kind, with a last axis of two; so does the next value of a state."""
    start = numbers(3)
    model, inputs = built(lambda b, x: x, numbers(3))
    weight = model.add_weight(Weight("phase", Array(start), "buffer", False))
    b = Builder(model.graph)
    nxt = b.mul(weight, model.graph.inputs[0])
    model.set_state("phase", nxt)
    model.graph.set_outputs([b.add(nxt, weight)])
    other = same(model, inputs)
    assert other.weights["phase"].type.shape == (3, 2) and other.weights["phase"].kind == "buffer"
    np.testing.assert_array_equal(other.weights["phase"].data.numpy(), paired(start))
    assert other.state["phase"].type.shape == (3, 2)


def test_a_border_alone() -> None:
    """An input that is the output, and is read nowhere else, keeps its pairs."""
    model, inputs = built(lambda b, x: x, numbers(2))
    other = same(model, inputs)
    assert not list(other.graph)


def _body(fn: Callable[..., Any], *types: TensorType) -> Graph:
    graph = Graph("body")
    values = [graph.add_input(t, f"v{k}") for k, t in enumerate(types)]
    graph.set_outputs(fn(Builder(graph), *values))
    return graph


def test_bodies() -> None:
    """Complex values carried, scanned backwards and stacked along another axis; and through a branch and a loop."""
    row, table, real = numbers(2), numbers(2, 4), RNG.standard_normal((3, 4)).astype(np.float32)
    one = type_of(row)

    def loop(b: Builder, x: Any, xs: Any, ws: Any) -> Any:
        def body(b: Builder, c: Any, w: Any, s: Any, k: Any) -> list[Any]:
            nxt = b.add(
                b.mul(c, s), b.mul(k, b.reshape(b.cast(b.reduce_sum(w, axes=(0,)), to=dtypes.complex64), shape=(1,)))
            )
            return [nxt, b.reduce_sum(w, axes=(0,)), b.exp(s)]

        graph = _body(body, one, type_of(real[:, 0]), one, one)
        last, _, stacked = b.scan(
            (x,), (ws, xs), (x,), axes=(1, 1), reverse=(False, True), output_axes=(0, 1), output_reverse=(False, True),
            body=graph,
        )  # fmt: skip
        return b.add(b.unsqueeze(last, axes=(1,)), stacked)

    same(*built(loop, row, table, real), 2e-5)

    def branch(b: Builder, p: Any, x: Any) -> Any:
        return b.cond(p, (x,), then=_body(lambda b, v: [b.conj(v)], one), else_=_body(lambda b, v: [b.neg(v)], one))[0]

    for p in (True, False):
        same(*built(branch, np.array(p), row))


def test_what_has_no_form_is_told_once() -> None:
    """The readers of a refused node are not refused for it; every other refusal is told."""
    model, _ = built(lambda b, x: b.exp(b.eig(x)[0]), np.eye(2, dtype=np.float32))
    ((node, why),) = split(copy_model(model))
    assert node.op.name == "eig" and "one library's routine chooses" in why
    many, _ = built(
        lambda b, x: b.scatter_nd(
            x, b.constant(np.array([[0]])), b.slice(x, axes=(0,), starts=(0,), stops=(1,), steps=(1,)), reduction="mul"
        ),
        numbers(2),
    )
    (found,) = split(many)
    assert "'mul' scatter" in found[1]
    prime, _ = built(lambda b, x: b.fft(x, axes=(0,)), numbers(4099))
    (found,) = split(prime)
    assert "prime" in found[1]
