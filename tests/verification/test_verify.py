"""Verification tells right from wrong: models built by hand, the evaluator in place of frameworks."""

import numpy as np
import pytest

from converter.importers.base import ImportOptions
from converter.runtimes.base import RuntimeFailure
from converter.runtimes.reference import ReferenceRunner
from converter.sources import Source
from converter.verification import run as verification
from converter.verification import verify_models
from converter.verification.inputs import make_cases
from ir.core import Builder, Leaf, Model, Parameter, Signature, copy_model
from ir.data import Array, Weight
from ir.types import Assumption, dim_min, symbol, tensor_type


def mlp(*, decide: bool = False, eps: float = 1e-5) -> Model:
    """linear -> layer_norm -> gelu -> linear, and optionally the winning class."""
    rng = np.random.default_rng(0)
    result = Leaf("output")
    model = Model("mlp", Signature((Parameter("x", Leaf("x")),), result))
    x = model.graph.add_input(tensor_type("float32", symbol("batch"), 16), "x")

    def weight(name, *shape):
        return model.add_weight(Weight(name, Array((rng.standard_normal(shape) / 4).astype(np.float32))))

    b = Builder(model.graph)
    h = b.linear(x, weight("a.weight", 16, 16), weight("a.bias", 16))
    h = b.layer_norm(h, weight("n.weight", 16), weight("n.bias", 16), axes=(-1,), eps=eps)
    y = b.linear(b.gelu(h), weight("b.weight", 4, 16), weight("b.bias", 4))
    model.graph.set_outputs([b.argmax(y, axis=-1) if decide else y])
    return model


def compare(model: Model, converted: Model, *, source: Model | None = None, monkeypatch=None, **options):
    """Verify `converted` against `model`, with `source` (by default the model itself) as what the framework does."""
    monkeypatch.setattr(verification, "source_runner", lambda *_: ReferenceRunner(source or model, "exact"))
    return verify_models(
        Source(None, "torch", None, ImportOptions()), model, ReferenceRunner(converted, "exact"), **options
    ).report


def node(model: Model, name: str, index: int = 0):
    return [n for n in model.nodes() if n.op.name == name][index]


def swap(model, name, change):
    model.update_weight(name, data=Array(change(model.weights[name].data.numpy().copy())))


FAULTS = {
    "epsilon": lambda m: node(m, "layer_norm").attrs.update(eps=1e-3),
    "missing bias": lambda m: node(m, "linear").set_operand("bias", None),
    "transposed square weight": lambda m: swap(m, "a.weight", lambda w: w.T.copy()),
    "approximate gelu": lambda m: node(m, "gelu").attrs.update(approximate="tanh"),
    "one flipped sign": lambda m: swap(
        m, "b.weight", lambda w: np.where(np.arange(w.size).reshape(w.shape) == 5, -w, w)
    ),
    "rolled weight": lambda m: swap(m, "b.weight", lambda w: np.roll(w, 1, axis=0)),
    "bias of another layer": lambda m: swap(m, "a.bias", lambda w: w[::-1].copy()),
    "half precision weight": lambda m: swap(m, "b.weight", lambda w: w.astype(np.float16).astype(np.float32)),
}


def test_a_faithful_copy_is_equal(monkeypatch):
    model = mlp()
    report = compare(model, copy_model(model), monkeypatch=monkeypatch)
    assert report.passed and report.verdict == "equal"
    assert len(report.cases) == verification.CASES + 1, "and one in which the batch is 0"
    assert len({case["x"] for case in report.cases}) > 1, "dynamic sizes vary"


@pytest.mark.parametrize("name", FAULTS)
def test_faults_of_the_converted_model_are_mismatches(monkeypatch, name):
    model = mlp()
    faulty = copy_model(model)
    FAULTS[name](faulty)
    report = compare(model, faulty, monkeypatch=monkeypatch)
    assert report.verdict == "mismatch" and not report.passed
    assert report.outputs[0].reason and report.outputs[0].worst


@pytest.mark.parametrize("name", FAULTS)
def test_faults_of_the_import_are_mismatches_too(monkeypatch, name):
    """The converted model agrees perfectly with a wrong import: only the source tells."""
    source = mlp()
    imported = copy_model(source)
    FAULTS[name](imported)
    report = compare(imported, copy_model(imported), source=source, monkeypatch=monkeypatch)
    assert report.verdict == "mismatch"
    assert "import is wrong" in report.outputs[0].reason


def test_decisions_are_exact(monkeypatch):
    model = mlp(decide=True)
    assert compare(model, copy_model(model), monkeypatch=monkeypatch).verdict == "equal"
    faulty = copy_model(model)
    FAULTS["rolled weight"](faulty)
    assert compare(model, faulty, monkeypatch=monkeypatch).verdict == "mismatch"


def test_ties_that_rounding_decides_are_inconclusive_not_wrong(monkeypatch):
    model = mlp(decide=True)
    for name in ("b.weight", "b.bias"):
        swap(
            model,
            name,
            lambda w: (
                np.repeat(w[:1], 4, axis=0)
                * (1 + np.arange(4).reshape(4, *[1] * (w.ndim - 1)) * 6e-8).astype(np.float32)
            ),
        )
    report = compare(model, copy_model(model), monkeypatch=monkeypatch)
    assert report.verdict == "inconclusive"
    assert "rounding alone" in report.outputs[0].reason and report.outputs[0].undecided


def test_sizes_that_rounding_decides_are_inconclusive(monkeypatch):
    """As many elements as differ from x after a multiplication and a division: none in float64, some in float32."""
    model = Model("size", Signature((Parameter("x", Leaf("x")),), Leaf("output")))
    x = model.graph.add_input(tensor_type("float32", 40), "x")
    b = Builder(model.graph)
    kept = b.mask_select(x, b.not_equal(b.div(b.mul(x, 1.1), 1.1), x), symbol="found")
    model.graph.set_outputs([kept])
    report = compare(model, copy_model(model), monkeypatch=monkeypatch)
    assert report.verdict == "inconclusive" and "how large" in report.outputs[0].reason


def test_user_tolerances_replace_the_floor(monkeypatch):
    model, faulty = mlp(), mlp(eps=1e-3)
    assert compare(model, faulty, monkeypatch=monkeypatch, rtol=0.5).passed
    assert not compare(model, faulty, monkeypatch=monkeypatch, atol={"output": 1e-9}).passed


def test_given_inputs_come_first_and_wrong_ones_are_named(monkeypatch):
    model = mlp()
    x = np.full((3, 16), 0.5, np.float32)
    report = compare(model, copy_model(model), monkeypatch=monkeypatch, inputs=(x,))
    assert report.cases[0] == {"x": "float32[3, 16]"}


def test_reports_render(monkeypatch):
    model, faulty = mlp(), mlp(eps=1e-3)
    report = compare(model, faulty, monkeypatch=monkeypatch)
    assert '"verdict": "mismatch"' in report.to_json()
    assert "<failure" in report.to_junit() and 'failures="1"' in report.to_junit()
    assert "output" in report.summary()


def test_sizes_that_the_import_excludes_are_not_drawn():
    model = mlp()
    model.assumptions.append(Assumption(2, dim_min(symbol("batch"), 2), "only for batches of two or more"))
    sizes = {case["x"].shape[0] for case in make_cases(model, count=8)}
    assert sizes and min(sizes) >= 2


def test_the_evaluator_refuses_sizes_that_a_model_excludes():
    model = mlp()
    model.assumptions.append(Assumption(2, dim_min(symbol("batch"), 2), "smaller batches go another way"))
    run = ReferenceRunner(model)
    run({"x": np.zeros((2, 16), np.float32)})
    with pytest.raises(RuntimeFailure, match=r"needs batch >= 2 \(smaller batches go another way\)"):
        run({"x": np.zeros((1, 16), np.float32)})


def test_sizes_that_only_the_source_refuses_are_told_and_others_drawn(monkeypatch):
    model, source = mlp(), mlp()
    source.assumptions.append(Assumption(3, dim_min(symbol("batch"), 3), "the kernel wants three"))
    report = compare(model, copy_model(model), source=source, monkeypatch=monkeypatch)
    assert report.passed and len(report.cases) >= 4  # of twice five
    assert any("the source does not run with x [" in n and "needs batch >= 3" in n for n in report.notes)


def test_a_source_that_runs_at_no_size_or_not_as_given_is_an_error(monkeypatch):
    model, source = mlp(), mlp()
    source.assumptions.append(Assumption(10**6, dim_min(symbol("batch"), 10**6), "never"))
    with pytest.raises(RuntimeFailure, match="never"):
        compare(model, copy_model(model), source=source, monkeypatch=monkeypatch)
    source.assumptions[:] = [Assumption(3, dim_min(symbol("batch"), 3), "the kernel wants three")]
    with pytest.raises(RuntimeFailure, match="three"):
        compare(model, model, source=source, monkeypatch=monkeypatch, inputs=(np.zeros((2, 16), np.float32),))


def test_another_type_of_the_source_is_told(monkeypatch):
    class Wide(ReferenceRunner):
        def in_turn(self, calls):
            return [{n: a.astype(np.float64) for n, a in found.items()} for found in super().in_turn(calls)]

    model = mlp()
    monkeypatch.setattr(verification, "source_runner", lambda *_: Wide(model, "exact"))
    source = Source(None, "torch", None, ImportOptions())
    report = verify_models(source, model, ReferenceRunner(copy_model(model), "exact")).report
    assert report.notes == ["the source gives output as float64, its import and the converted model as float32"]
