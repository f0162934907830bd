"""Ops written out in smaller ones become whole: every order of operands and dtype, and what looks alike and is not."""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import pytest

from ir.core import Builder, Leaf, Model, Origin, Parameter, Scope, Signature, Value, copy_model
from ir.data import Array, Weight
from ir.eval import Evaluator
from ir.passes import recognition, recording
from ir.types import DType, dtypes, type_of
from ir.verify import check

FLOATS = (dtypes.float16, dtypes.float32, dtypes.float64)
RNG = np.random.default_rng(3)
Make = Callable[[Builder, Value], Value]


class Bench(Builder):
    """Makes nodes of a model whose weights are at hand: `b.w("scale")`."""

    def __init__(self, model: Model) -> None:
        super().__init__(model.graph)
        self.w = model.weight_value


def model_of(make: Make, dtype: DType = dtypes.float32, shape: tuple[int, ...] = (2, 5, 4)) -> Model:
    model = Model("m", Signature((Parameter("x", Leaf("x")),), Leaf("output")))
    x = model.graph.add_input(type_of(np.zeros(shape, dtype.numpy)), "x")
    for name, size in (("scale", (4,)), ("bias", (4,)), ("matrix", (4, 6)), ("turned", (6, 4)), ("shift", (6,))):
        values = RNG.normal(size=size).astype(dtype.numpy)
        model.add_weight(Weight(name, Array(values), trainable=True))
    model.graph.set_outputs([make(Bench(model), x)])
    check(model)
    return model


def values_of(model: Model) -> np.ndarray:
    """Ordinary values, and special ones behind them."""
    type = model.graph.inputs[0].type
    x = np.asarray(RNG.normal(size=tuple(int(d) for d in type.shape)) * 3).astype(type.dtype.numpy)
    x.reshape(-1)[:6] = np.array([np.nan, np.inf, -np.inf, -0.0, 0.0, 11.0], type.dtype.numpy)
    return x


def ops(model: Model) -> list[str]:
    return [n.op.name for n in model.nodes()]


def assert_recognised(make: Make, dtype: DType, expected: list[str]) -> Model:
    """The pattern becomes the ops expected, with the same results: in float64 up to the rounding of its constants."""
    before = model_of(make, dtype)
    after = copy_model(before)
    with recording() as log:
        recognition(debug=True).run(after, log)
    assert ops(after) == expected, [str(m) for m in log.misses]
    assert all(r.rule and r.reason for r in log.rewrites)
    assert_same_results(before, after)
    assert not any(s.changed for s in recognition().run(after).steps)
    return after


def assert_same_results(before: Model, after: Model) -> None:
    x = {"x": values_of(before)}
    eps = float(np.finfo(x["x"].dtype).eps)
    with np.errstate(all="ignore"):
        for mode, tolerance in (("reference", max(1e-13, eps / 2)), ("exact", 16 * eps)):
            a, b = (Evaluator(mode).run(m, x)["output"].astype("f8") for m in (before, after))  # type: ignore[arg-type]
            np.testing.assert_allclose(b, a, rtol=tolerance, atol=tolerance * 8)


def assert_left(make: Make, dtype: DType = dtypes.float32, reason: str = "", keep_weights: bool = False) -> None:
    before = model_of(make, dtype)
    after = copy_model(before)
    with recording() as log:
        recognition(keep_weights, debug=True).run(after, log)
    assert ops(after) == ops(before)
    assert not reason or any(reason in m.reason for m in log.misses), [str(m) for m in log.misses]


# -- words ------------------------------------------------------------------------------------------------------------
def swap(b: Builder, op: str, a: Any, c: Any, order: int) -> Value:
    """A commutative op with its operands in one of two orders."""
    return getattr(b, op)(*((a, c) if order == 0 else (c, a)))


def const(b: Builder, x: Value, number: float) -> Value:
    return b.constant(number, x.type.dtype)


def bell(
    b: Builder, x: Value, order: int = 0, root: float = math.sqrt(2), one: float = 1.0, divide: bool = True
) -> Value:
    inside = b.div(x, const(b, x, root)) if divide else swap(b, "mul", x, const(b, x, math.sqrt(0.5)), order)
    return swap(b, "add", b.erf(inside), const(b, x, one), order)


def negated(b: Builder, x: Value, form: int, order: int) -> Value:
    """-x / sqrt(2)."""
    if form == 0:
        return swap(b, "mul", b.neg(x), const(b, x, math.sqrt(0.5)), order)
    if form == 1:
        return b.neg(b.div(x, const(b, x, math.sqrt(2.0))))
    if form == 2:
        return swap(b, "mul", x, const(b, x, -math.sqrt(0.5)), order)
    return b.div(*((b.neg(x), const(b, x, math.sqrt(2.0))) if form == 3 else (x, const(b, x, -math.sqrt(2.0)))))


def halved(b: Builder, x: Value, curve: Value, how: int, order: int, half: float = 0.5) -> Value:
    """x * curve / 2 in each order of association."""
    if how == 3:
        return b.div(swap(b, "mul", x, curve, order), const(b, x, 1 / half))
    h = const(b, x, half)
    if how == 0:
        return swap(b, "mul", swap(b, "mul", x, curve, order), h, order)
    if how == 1:
        return swap(b, "mul", swap(b, "mul", x, h, order), curve, order)
    return swap(b, "mul", x, swap(b, "mul", curve, h, order), order)


def cubic(
    b: Builder, x: Value, form: int, order: int, number: float = 0.044715, root: float = math.sqrt(2 / math.pi)
) -> Value:
    k = const(b, x, number)
    if form == 0:
        power = swap(b, "mul", b.pow(x, const(b, x, 3.0)), k, order)
    elif form == 1:
        power = swap(b, "mul", b.mul(b.mul(x, x), x), k, order)
    elif form == 2:
        power = b.mul(b.mul(swap(b, "mul", x, k, order), x), x)
    else:
        inside = swap(b, "add", b.mul(b.mul(x, k), x), const(b, x, 1.0), order)
        return swap(b, "mul", swap(b, "mul", x, const(b, x, root), order), inside, order)
    return swap(b, "mul", swap(b, "add", x, power, order), const(b, x, root), order)


def gelus() -> Iterator[tuple[str, Make, str, bool]]:
    """(name, pattern, form, whether the product is scaled last)."""
    for how, order, divide in itertools.product(range(4), (0, 1), (True, False)):
        make: Make = lambda b, x, h=how, o=order, d=divide: halved(b, x, bell(b, x, o, divide=d), h, o)  # type: ignore[misc]  # noqa: E731
        yield f"erf-{how}-{order}-{divide}", make, "none", how in (0, 3)
    for how, order, form in itertools.product((1, 2), (0, 1), range(5)):
        make = lambda b, x, h=how, o=order, f=form: halved(b, x, b.erfc(negated(b, x, f, o)), h, o)  # type: ignore[misc]  # noqa: E731
        yield f"erfc-{how}-{order}-{form}", make, "none", False
    for how, order, form in itertools.product(range(4), (0, 1), range(4)):
        make = lambda b, x, h=how, o=order, f=form: halved(  # type: ignore[misc]  # noqa: E731
            b, x, swap(b, "add", b.tanh(cubic(b, x, f, o)), const(b, x, 1.0), o), h, o
        )
        yield f"tanh-{how}-{order}-{form}", make, "tanh", how in (0, 3)


@pytest.mark.parametrize("dtype", FLOATS, ids=str)
@pytest.mark.parametrize(("make", "form", "late"), [pytest.param(*g[1:], id=g[0]) for g in gelus()])
def test_gelu(make: Make, form: str, late: bool, dtype: DType) -> None:
    if late and dtype == dtypes.float16:
        return assert_left(make, dtype, "overflows")
    (node,) = assert_recognised(make, dtype, ["gelu"]).nodes()
    assert node.attrs["approximate"] == form
    return None


ACTIVATIONS: dict[str, tuple[str, Make]] = {
    "silu": ("silu", lambda b, x: b.mul(x, b.sigmoid(x))),
    "silu turned": ("silu", lambda b, x: b.mul(b.sigmoid(x), x)),
    "mish": ("mish", lambda b, x: b.mul(x, b.tanh(b.softplus(x, threshold=math.inf)))),
    "mish of torch": ("mish", lambda b, x: b.mul(b.tanh(b.softplus(x)), x)),
    "hard sigmoid": ("hard_swish", lambda b, x: b.mul(x, b.hard_sigmoid(x))),
    "hard sigmoid turned": ("hard_swish", lambda b, x: b.mul(b.hard_sigmoid(x), x)),
    "ramp early": ("hard_swish", lambda b, x: b.mul(x, b.div(ramp(b, x), const(b, x, 6.0)))),
    "ramp times": ("hard_swish", lambda b, x: b.mul(b.mul(const(b, x, 1 / 6), ramp(b, x, 1)), x)),
}


def ramp(b: Builder, x: Value, order: int = 0, shift: float = 3.0, top: float = 6.0) -> Value:
    return b.clip(swap(b, "add", x, const(b, x, shift), order), const(b, x, 0.0), const(b, x, top))


@pytest.mark.parametrize("dtype", FLOATS, ids=str)
@pytest.mark.parametrize("name", ACTIVATIONS)
def test_activations(name: str, dtype: DType) -> None:
    op, make = ACTIVATIONS[name]
    assert_recognised(make, dtype, [op])


@pytest.mark.parametrize("dtype", FLOATS, ids=str)
def test_hard_swish_scaled_last(dtype: DType) -> None:
    def make(b: Builder, x: Value) -> Value:
        return b.div(b.mul(x, ramp(b, x)), const(b, x, 6.0))

    if dtype == dtypes.float16:
        assert_left(make, dtype, "overflows")
    else:
        assert_recognised(make, dtype, ["hard_swish"])


def read_again(b: Builder, value: Value, result: Value) -> Value:
    """The result, with an inner value read once more."""
    return b.add(result, value)


def _shared_bell(b: Builder, x: Value) -> Value:
    curve = bell(b, x)
    return read_again(b, curve, halved(b, x, curve, 0, 0))


def _shared_erf(b: Builder, x: Value) -> Value:
    curve = b.erf(b.div(x, const(b, x, math.sqrt(2))))
    return read_again(b, curve, halved(b, x, b.add(curve, const(b, x, 1.0)), 1, 0))


def _shared_half(b: Builder, x: Value) -> Value:
    half = b.mul(x, const(b, x, 0.5))
    return read_again(b, half, b.mul(half, bell(b, x)))


def _shared_gate(b: Builder, x: Value) -> Value:
    gate = b.sigmoid(x)
    return read_again(b, gate, b.mul(x, gate))


def _other_module(b: Builder, x: Value) -> Value:
    with b.at(Origin(path=(Scope("erf"),))):
        curve = b.erf(b.div(x, const(b, x, math.sqrt(2))))
    return halved(b, x, b.add(curve, const(b, x, 1.0)), 1, 0)


LEFT: dict[str, tuple[Make, str]] = {
    "another root": (lambda b, x: halved(b, x, bell(b, x, root=1.4142), 0, 0), ""),
    "another one": (lambda b, x: halved(b, x, bell(b, x, one=0.9999), 0, 0), ""),
    "another half": (lambda b, x: halved(b, x, bell(b, x), 0, 0, half=0.4999), "one half"),
    "no half": (lambda b, x: b.mul(x, bell(b, x)), "one half"),
    "half twice": (lambda b, x: b.mul(halved(b, b.neg(x), bell(b, x), 0, 0), const(b, x, 0.5)), ""),
    "erf of another": (lambda b, x: halved(b, b.neg(x), bell(b, x), 0, 0), "another"),
    "bell read again": (_shared_bell, ""),
    "erf read again": (_shared_erf, ""),
    "half read again": (_shared_half, "read elsewhere"),
    "a vector of halves": (lambda b, x: b.mul(b.mul(x, bell(b, x)), b.constant(np.full(4, 0.5, "f4"))), ""),
    "a half that broadcasts": (
        lambda b, x: b.mul(b.mul(b.select(x, axis=0, index=0), b.constant(np.full((1, 1, 1), 0.5, "f4"))), bell(b, x)), ""
    ),
    "in another module": (_other_module, ""),
    "another cubic": (lambda b, x: halved(b, x, b.add(b.tanh(cubic(b, x, 0, 0, 0.0447)), const(b, x, 1.0)), 0, 0), ""),
    "another slope": (lambda b, x: halved(b, x, b.add(b.tanh(cubic(b, x, 1, 0, root=0.8)), const(b, x, 1.0)), 0, 0), ""),
    "gate of another": (lambda b, x: b.mul(x, b.sigmoid(b.mul(x, const(b, x, 1.702)))), ""),
    "gate read again": (_shared_gate, "read elsewhere"),
    "a broadcast gate": (lambda b, x: b.mul(b.select(x, axis=0, index=0), b.sigmoid(x)), ""),
    "low softplus": (lambda b, x: b.mul(x, b.tanh(b.softplus(x, threshold=10.0))), "softplus"),
    "steep softplus": (lambda b, x: b.mul(x, b.tanh(b.softplus(x, beta=2.0))), "softplus"),
    "hard sigmoid of Keras 2": (lambda b, x: b.mul(x, b.hard_sigmoid(x, alpha=0.2)), ""),
    "ramp to 5": (lambda b, x: b.mul(x, b.div(ramp(b, x, top=5.0), const(b, x, 6.0))), ""),
    "ramp from 2": (lambda b, x: b.mul(x, b.div(ramp(b, x, shift=2.0), const(b, x, 6.0))), ""),
    "ramp over 5": (lambda b, x: b.mul(x, b.div(ramp(b, x), const(b, x, 5.0))), "divided by 6"),
}  # fmt: skip


@pytest.mark.parametrize("name", LEFT)
def test_activations_left(name: str) -> None:
    make, reason = LEFT[name]
    assert_left(make, reason=reason)


# -- norms ------------------------------------------------------------------------------------------------------------
def square(b: Builder, x: Value, how: int) -> Value:
    if how == 0:
        return b.pow(x, const(b, x, 2.0))
    return b.mul(x, x) if how == 1 else b.square(x)


def over_root(b: Builder, top: Value, power: Value, how: int) -> Value:
    """top / sqrt(power) in each spelling."""
    if how == 0:
        return b.div(top, b.sqrt(power))
    spelled = [lambda: b.rsqrt(power), lambda: b.reciprocal(b.sqrt(power))]
    spelled.append(lambda: b.div(const(b, top, 1.0), b.sqrt(power)))
    spelled.append(lambda: b.pow(power, const(b, top, -0.5)))
    return swap(b, "mul", top, spelled[how - 1](), how % 2)


def norm(
    b: Builder, x: Value, centre: bool = True, how: int = 0, root: int = 0, order: int = 0, axes: tuple[int, ...] = (-1,),
    other: tuple[int, ...] | None = None, keepdims: bool = True, eps: float = 1e-5,
) -> Value:  # fmt: skip
    top = b.sub(x, b.reduce_mean(x, axes=other or axes, keepdims=True)) if centre else x
    power = b.reduce_mean(square(b, top, how), axes=axes, keepdims=keepdims)
    return over_root(b, top, swap(b, "add", power, const(b, x, eps), order), root)


NORMS = list(itertools.product((True, False), range(3), range(5), (0, 1)))


@pytest.mark.parametrize("dtype", FLOATS, ids=str)
@pytest.mark.parametrize(("centre", "how", "root", "order"), NORMS)
def test_norms(centre: bool, how: int, root: int, order: int, dtype: DType) -> None:
    def make(b: Builder, x: Value) -> Value:
        out = swap(b, "mul", norm(b, x, centre, how, root, order), b.w("scale"), order)
        return swap(b, "add", out, b.w("bias"), order)

    if dtype == dtypes.float16:
        return assert_left(make, dtype, "half types")
    after = assert_recognised(make, dtype, ["layer_norm"] if centre else ["rms_norm", "add"])
    node = next(iter(after.nodes()))
    assert node.attrs["eps"] == 1e-5 and node.operand("scale").name == "scale"
    return None


@pytest.mark.parametrize("axes", [(-1,), (1,), (1, 2), (-2, -1), (2, 0)])
def test_norms_over_other_axes(axes: tuple[int, ...]) -> None:
    made = assert_recognised(lambda b, x: norm(b, x, axes=axes, eps=1e-12), dtypes.float32, ["layer_norm"])
    (node,) = made.nodes()
    assert node.attrs["axes"] == tuple(sorted(a % 3 for a in axes)) and node.attrs["eps"] == 1e-12


def _shared_centre(b: Builder, x: Value) -> Value:
    centred = b.sub(x, b.reduce_mean(x, axes=(-1,), keepdims=True))
    power = b.add(b.reduce_mean(b.square(centred), axes=(-1,), keepdims=True), const(b, x, 1e-5))
    return read_again(b, centred, b.div(centred, b.sqrt(power)))


def _shared_mean(b: Builder, x: Value) -> Value:
    mean = b.reduce_mean(x, axes=(-1,), keepdims=True)
    centred = b.sub(x, mean)
    power = b.add(b.reduce_mean(b.square(centred), axes=(-1,), keepdims=True), const(b, x, 1e-5))
    return read_again(b, mean, b.div(centred, b.sqrt(power)))


def _shared_variance(b: Builder, x: Value) -> Value:
    centred = b.sub(x, b.reduce_mean(x, axes=(-1,), keepdims=True))
    variance = b.reduce_mean(b.square(centred), axes=(-1,), keepdims=True)
    return read_again(b, variance, b.div(centred, b.sqrt(b.add(variance, const(b, x, 1e-5)))))


def _eps_outside(b: Builder, x: Value) -> Value:
    centred = b.sub(x, b.reduce_mean(x, axes=(-1,), keepdims=True))
    deviation = b.sqrt(b.reduce_mean(b.square(centred), axes=(-1,), keepdims=True))
    return b.div(centred, b.add(deviation, const(b, x, 1e-5)))


def _mean_of_another(b: Builder, x: Value) -> Value:
    centred = b.sub(x, b.reduce_mean(b.exp(x), axes=(-1,), keepdims=True))
    power = b.reduce_mean(b.square(x), axes=(-1,), keepdims=True)
    return b.div(centred, b.sqrt(b.add(power, const(b, x, 1e-5))))


NORMS_LEFT: dict[str, tuple[Make, str]] = {
    "two axes": (lambda b, x: norm(b, x, axes=(-1,), other=(1,)), "different axes"),
    "centre read again": (_shared_centre, "read elsewhere"),
    "mean read again": (_shared_mean, "read elsewhere"),
    "variance read again": (_shared_variance, "read elsewhere"),
    "eps outside the root": (_eps_outside, ""),
    "power of another": (_mean_of_another, ""),
    "negative eps": (lambda b, x: norm(b, x, eps=-1e-5), ""),
    "cube": (lambda b, x: b.div(x, b.sqrt(b.add(b.reduce_mean(b.pow(x, 3.0), axes=(-1,), keepdims=True), 1e-5))), ""),
    "sum": (lambda b, x: b.div(x, b.sqrt(b.add(b.reduce_sum(b.square(x), axes=(-1,), keepdims=True), 1e-5))), ""),
}  # fmt: skip


@pytest.mark.parametrize("name", NORMS_LEFT)
def test_norms_left(name: str) -> None:
    make, reason = NORMS_LEFT[name]
    assert_left(make, reason=reason)


def test_an_axis_that_is_not_kept_is_no_norm() -> None:
    def make(b: Builder, x: Value) -> Value:
        square_mean = b.reduce_mean(b.square(x), axes=(-1,), keepdims=False)  # (4,) against the last axis of (4, 4)
        return b.div(x, b.sqrt(b.add(square_mean, const(b, x, 1e-5))))

    before = model_of(make, shape=(4, 4))
    after = copy_model(before)
    recognition(debug=True).run(after)
    assert ops(after) == ops(before)


def test_a_scale_over_another_axis_stays() -> None:
    def make(b: Builder, x: Value) -> Value:
        return b.mul(norm(b, x, axes=(1,)), b.w("scale"))

    assert_recognised(make, dtypes.float32, ["layer_norm", "mul"])


def test_a_bias_before_the_scale_stays() -> None:
    def make(b: Builder, x: Value) -> Value:
        return b.mul(b.add(norm(b, x), b.w("bias")), b.w("scale"))

    assert_recognised(make, dtypes.float32, ["layer_norm", "add", "mul"])
