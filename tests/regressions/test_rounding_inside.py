"""What rounds and decides inside one op: ties of pivots and complex numbers, means of equal numbers, 1 - z and 1 + erf."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

import converter
from converter.verification.sensitivity import has_decisions, undecided
from ir.core import Model
from ir.eval import Evaluator
from ir.passes import Decompose, Simplify
from ir.text import parse
from tests.random_graphs import stages
from tests.random_graphs.draw import Case
from tests.random_graphs.noise import LESS_ONE, Measured, measure


def model_of(text: str, *names: str) -> Model:
    return parse(f"isomorph-ir 1\nmodel small\n\nsignature ({', '.join(names)}) -> (output.0,)\n\n{text}")


def measured(text: str, **inputs: Any) -> Measured:
    model = model_of(text, *inputs)
    return measure(Case(1, model, {n: np.asarray(a, model.input_types[n].dtype.numpy) for n, a in inputs.items()}))


def exported(found: Measured) -> None:
    """Judged as evaluated, after being taken apart, in ONNX Runtime and in PyTorch."""
    stages.own(found)
    stages.after_pass(found, Decompose(lambda node: False))
    for route in (stages.to_onnx, stages.to_torch):
        for _, work in route(found):
            work()


@pytest.mark.parametrize(
    ("kind", "value"), [("complex64[3]", [1 + 2j, 3 - 1j, 0.5j]), ("float32[3]", [1.5, -2.25, 7.0])]
)
def test_whether_two_equal_values_are_equal_is_undecided(kind: str, value: Any) -> None:
    """Comparisons of complex numbers counted as exact ones."""
    model = model_of(f"graph (x: {kind}, y: {kind}):\n  z: bool[3] = not_equal(x, y)\n  return z\n", "x", "y")
    assert has_decisions(model)
    given = {n: np.asarray(value, model.input_types[n].dtype.numpy) for n in "xy"}
    answers = Evaluator().run(model, given)
    assert undecided(model, [given], answers, answers)["output.0"].all()


@pytest.mark.parametrize("output", ["factors", "pivots"])
def test_pivots_of_equal_rows_are_undecided(output: str) -> None:
    """`lu` was no op that decides, and its operands moved all at once."""
    text = f"""graph (x: float32[]):
  same: float32[2, 3, 4] = expand(x; shape=(2, 3, 4))
  (factors: float32[2, 3, 4], pivots: int32[2, 3]) = lu(same)
  return {output}
"""
    for x in (0.45, 3.0):
        found = measured(text, x=x)
        assert has_decisions(found.model)
        assert stages.own(found).inconclusive
        exported(found)
    apart = f"""graph (x: float32[2, 3, 4]):
  (factors: float32[2, 3, 4], pivots: int32[2, 3]) = lu(x)
  return {output}
"""
    rows = np.array([[[4, 1, 0, 1], [1, 3, 1, 0], [0, 1, 2, 1]], [[1, 3, 1, 0], [4, 1, 0, 1], [0, 1, 2, 1]]])
    clear = measured(apart, x=rows)
    assert not stages.own(clear).inconclusive
    exported(clear)


NORMS = {
    "instance_norm(same, scale; eps=1e-05)": "float32",
    "group_norm(same, scale; groups=3)": "float32",
    "layer_norm(same)": "float32",
    "instance_norm(same, scale; eps=0.1)": "bfloat16",
}


@pytest.mark.parametrize("call", NORMS)
def test_equal_numbers_less_their_mean(call: str) -> None:
    """PyTorch's mean of equal numbers is another number, by a rounding; what is left is divided by almost nothing."""
    kind = NORMS[call]
    text = f"""graph (x: {kind}[], scale: {kind}[6]):
  same: {kind}[2, 6, 5] = expand(x; shape=(2, 6, 5))
  y: {kind}[2, 6, 5] = {call}
  return y
"""
    exported(measured(text, x=2.8961618, scale=[-25.4, 3, 1, 1, 1, 1]))


def test_a_decomposition_that_is_wrong_is_no_noise(monkeypatch: pytest.MonkeyPatch) -> None:
    """What taking an op apart moves is measured from its own reference: a wrong one is found, not allowed for."""
    text = "graph (x: float32[4]):\n  y: float32[4] = softsign(x)\n  return y\n"
    model = model_of(text, "x")
    given = {"x": np.array([0.5, -1, 2, 3], np.float32)}
    good = measure(Case(0, model, given))
    stages.after_pass(good, Decompose(lambda node: False))
    op = next(iter(model.nodes())).op
    monkeypatch.setattr(type(op), "__setattr__", object.__setattr__)
    monkeypatch.setattr(op, "decompose", lambda b, x: b.div(x, b.add(b.abs(x), 1.001)))
    bad = measure(Case(0, model, given))
    with pytest.raises(stages.Diverged):
        stages.after_pass(bad, Decompose(lambda node: False))


@pytest.mark.parametrize("op", ["gelu", 'gelu(x; approximate="tanh")'])
@pytest.mark.parametrize("kind", ["float16", "bfloat16"])
def test_the_left_tail_of_gelu_in_half_types(op: str, kind: str) -> None:
    """Taken apart in float16 it was 3 % away."""
    call = op if "(" in op else f"{op}(x)"
    model = model_of(f"graph (x: {kind}[3]):\n  y: {kind}[3] = {call}\n  return y\n", "x")
    given = {"x": np.array([-2.967, -2.834, -2.5]).astype(model.input_types["x"].dtype.numpy)}
    wanted = Evaluator().run(model, given)["output.0"]
    assert Decompose(lambda node: False).run(model)
    found = Evaluator("exact").run(model, given)["output.0"].astype(np.float64)
    assert (np.abs(found - wanted) <= model.input_types["x"].dtype.eps * np.abs(wanted)).all()


def test_gates_of_halves_are_one_within_a_rounding() -> None:
    """1 - z: where z is almost 1, PyTorch's float16 says nothing of it, and the float32 inside the op all."""
    shapes = {"x": (5, 3, 6), "w": (12, 6), "r": (12, 4), "b": (12,), "c": (12,)}
    parts = ", ".join(f"{n}: float16[{', '.join(map(str, s))}]" for n, s in shapes.items())
    text = f"""graph ({parts}):
  (y: float16[5, 3, 4], last: float16[1, 3, 4]) = gru(x, weights=[w, r, b, c]; hidden_size=4)
  return y
"""
    given = {n: np.full(s, 3 if n == "x" else 0.77, np.float16) for n, s in shapes.items()}
    exported(measured(text, **given))


@pytest.mark.parametrize("op", LESS_ONE)
def test_small_numbers_through_exponential_units(op: str) -> None:
    """ONNX Runtime subtracts 1 from e**x."""
    exported(measured(f"graph (x: float32[2]):\n  y: float32[2] = {op}(x)\n  return y\n", x=[-3.1762e-4, -1e-5]))


def test_small_numbers_through_the_tanh_of_a_recurrence() -> None:
    """ONNX Runtime's RNN makes it of exponentials."""
    text = """graph (x: float32[3, 1, 2], w: float32[2, 2], r: float32[2, 2], b: float32[2], c: float32[2]):
  (y: float32[3, 1, 2], last: float32[1, 1, 2]) = rnn(x, weights=[w, r, b, c]; hidden_size=2)
  return y
"""
    weights = {"w": [[1e-3, 2e-3], [-1e-3, 1e-3]], "r": np.eye(2) / 1e3, "b": [1e-4, -1e-4], "c": [2e-4, 3e-4]}
    exported(measured(text, x=np.linspace(-2, 2, 6).reshape(3, 1, 2), **weights))


def test_what_lies_otherwise_in_memory_is_the_same() -> None:
    """NumPy's sums depend on the order in memory: without a copy in between, the pass seemed to change results."""
    text = """graph (x: float32[30, 40]):
  t: float32[40, 30] = transpose(x; perm=(1, 0))
  a: float32[1200] = reshape(t; shape=(1200,))
  b: float32[40, 30] = reshape(a; shape=(40, 30))
  y: float32[30] = reduce_sum(b; axes=(0,))
  return y
"""
    found = measured(text, x=np.sin(np.arange(1200)).reshape(30, 40))
    assert stages.after_pass(found, Simplify()) is not None


BEHIND = {
    "itself": 'y: float32[2, 8, 8, 6] = group_norm(x, s; groups=3, layout="channels_last")',
    "instances": 'y: float32[2, 8, 8, 6] = instance_norm(x, s; layout="channels_last")',
    "an activation": """t: float32[2, 6, 8, 8] = transpose(x; perm=(0, 3, 1, 2))
  r: float32[2, 6, 8, 8] = relu(t)
  n: float32[2, 6, 8, 8] = group_norm(r, s; groups=3)
  y: float32[2, 8, 8, 6] = transpose(n; perm=(0, 2, 3, 1))""",
}


@pytest.mark.parametrize("way", BEHIND)
def test_norms_of_what_lies_channels_last(way: str) -> None:
    """PyTorch computes E[x^2] - E[x]^2 there, which was 300 times further off where the mean is 30 deviations."""
    text = f"graph (x: float32[2, 8, 8, 6], s: float32[6]):\n  {BEHIND[way]}\n  return y\n"
    x = 3 + np.random.default_rng(0).normal(size=(2, 8, 8, 6)) / 10
    for _, work in stages.to_torch(measured(text, x=x, s=np.ones(6))):
        work()


@pytest.mark.parametrize("bias", [4.0, 8.0])
def test_a_correct_import_of_gates_in_float16_is_no_wrong_one(bias: float, tmp_path: Path) -> None:
    """The source was as far from the reference as its rounded gates take it, and the import called wrong for it."""
    import torch

    torch.manual_seed(0)
    net = torch.nn.GRU(6, 4, bidirectional=True)
    with torch.no_grad():
        for name, p in net.named_parameters():
            p += bias if "bias" in name else 0
    net.half().eval()
    done = converter.convert(net, to="torch", output=tmp_path / "out", inputs=(torch.randn(5, 3, 6).half(),))
    assert done.path.name == "out"


def test_reflections_of_what_is_zero_within_a_rounding() -> None:
    """LAPACK reflects the remainders of equal columns, a decomposition finds them to be 0."""
    text = """graph (x: float64[3, 3]):
  (v: float64[3, 3], tau: float64[3]) = householder(x)
  y: int8[3] = cast(tau; to=int8)
  return y
"""
    found = [measured(text, x=np.full((3, 3), x)) for x in (-2.754, 1.377, 2.259, 0.7, 1.1, 1 / 3, 2 / 3, 3.3, -0.9)]
    undecided = [bool(stages.own(f).inconclusive) for f in found]
    assert any(undecided), "which of them depends on the processor"
    for f in found:
        stages.after_pass(f, Decompose(lambda node: False))
