"""What each pass does, by example."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import ClassVar

import numpy as np
import pytest

import ir.ops
from ir.core import Branch, Builder, Leaf, Model, Origin, Parameter, Scope, Signature, copy_model
from ir.data import Array, Weight
from ir.eval import Evaluator
from ir.passes import (
    CommonSubexpressions,
    DeadCode,
    Decompose,
    Fold,
    InferTypes,
    Pass,
    PassError,
    Pipeline,
    Rewriter,
    Simplify,
    Specialize,
    recording,
    standard,
)
from ir.passes.pipeline import order
from ir.text import format_model, parse
from ir.types import Assumption, symbol, tensor_type
from ir.verify import InvalidModel, check, verify
from tests.ir.random_graphs import all_samples, sample_case


def text(body: str, inputs: str = "x: float32[2, 3]", weights: str = "", result: str = "output") -> Model:
    names = ", ".join(p.split(":")[0] for p in inputs.split("; "))
    table = f"weights\n{weights}\n" if weights else ""
    head = f"isomorph-ir 1\nmodel m\n{table}signature ({names}) -> {result}\ngraph ({inputs.replace('; ', ', ')}):\n"
    found = parse(head + body)
    check(found)
    return found


def ops(model: Model) -> list[str]:
    return [n.op.name for n in model.nodes()]


# -- fold -----------------------------------------------------------------------------------------------------------
def test_fold_computes_constants_exactly() -> None:
    model = text("""
      a: float16[2] = constant(; value=tensor(float16[2], [0.1, 60000.0]))
      b: float16[2] = add(a, a)
      c: int8[1] = constant(; value=tensor(int8[1], [127]))
      d: int8[1] = add(c, c)
      f: float32[1] = cast(d; to=float32)
      e: float32[2] = cast(b; to=float32)
      g: float32[2] = mul(e, f)
      h: float32[2, 3] = reduce_sum(x; axes=())
      return g
    """)
    assert Fold().run(model)
    value = model.outputs[0].producer
    assert value.op.name == "constant" and value.origin.history == ("fold",)
    half = np.float16(0.1)
    assert value.attrs["value"].value.tolist() == [float(half + half) * -2.0, -np.inf]
    check(model)
    assert not Fold().run(model)


def test_fold_leaves_parameters_buffers_random_and_modal_ops() -> None:
    model = Model("m", Signature((), Branch("tuple", (Leaf("output.0"),))))
    b = Builder(model.graph)
    total = b.constant(np.ones(3, np.float32))
    for kind, trainable in (("parameter", False), ("parameter", None), ("buffer", False), ("constant", None)):
        w = model.add_weight(Weight(f"w{len(model.weights)}", Array(np.ones(3, np.float32)), kind, trainable))
        total = b.add(total, b.neg(w))
    noise = b.dropout(b.constant(np.ones(3, np.float32)), p=0.5)
    model.graph.set_outputs([b.add(total, noise)])
    before = ops(model)
    assert not Fold().run(model)
    assert ops(model) == before


def test_fold_takes_fixed_constant_weights() -> None:
    model = Model("m", Signature((), Leaf("output")))
    w = model.add_weight(Weight("w", Array(np.full(3, 2.0, np.float32)), "constant", trainable=False))
    model.graph.set_outputs([Builder(model.graph).neg(w)])
    assert Fold().run(model)
    assert model.outputs[0].producer.attrs["value"].value.tolist() == [-2.0] * 3
    assert DeadCode().run(model) and not model.weights


def test_fold_bounds_the_result() -> None:
    model = text("""
      a: float32[1] = constant(; value=tensor(float32[1], [1.0]))
      b: float32[5000] = expand(a; shape=(5000,))
      return b
    """)
    with recording() as log:
        assert not Fold().run(model)
    assert [m.reason for m in log.misses] == ["it has more than 4096 elements"]
    assert Fold(limit=6000).run(model)


def test_fold_of_sizes() -> None:
    body = "n: int64[] = dim(; size=6)\n k: int64[] = dim(; size=m)\n s: int64[] = add(n, k)\n return s"
    model = text(body, "x: float32[m]")
    assert Fold().run(model)
    assert ops(model) == ["constant", "dim", "add"]


def test_fold_reports_a_failing_node() -> None:
    model = text("""
      a: int64[] = constant(; value=tensor(int64[], 1))
      b: int64[] = constant(; value=tensor(int64[], 0))
      c: int64[] = floor_div(a, b)
      return c
    """)
    with recording() as log:
        changed = Fold().run(model)
    assert changed or [m.reason for m in log.misses]


# -- dead code ------------------------------------------------------------------------------------------------------
def test_dead_code_keeps_states_parameters_and_inputs() -> None:
    model = text(
        "a: float32[2, 3] = neg(x)\n b: float32[2, 3] = neg(a)\n c: float32[2, 3] = exp(x)\n return c",
        weights="  @p: float32[2] parameter\n  @s: float32[2, 3] buffer\n  @c: float32[2] constant",
        inputs="x: float32[2, 3]; unused: float32[1]",
    )
    model.set_state("s", next(iter(model.graph)).output)
    assert DeadCode().run(model)
    assert ops(model) == ["neg", "exp"] and list(model.weights) == ["p", "s"] and len(model.inputs) == 2
    check(model)


@pytest.mark.parametrize("read", ["an attribute", "an output", "an assumption", "nothing"])
def test_dead_code_keeps_binders_of_sizes_in_use(read: str) -> None:
    model = text("i: int64[?k, 2] = nonzero(x; symbol=\"k\")\n n: float32[2, 3] = neg(x)\n return n")
    b = Builder(model.graph)
    k = symbol("k", opaque=True)
    if read == "an attribute":
        model.graph.set_outputs([b.full(shape=(k,), value=1.0, dtype="float32")])
    if read == "an output":
        model.graph.set_outputs([b.neg(next(iter(model.graph)).output)])
    if read == "an assumption":
        model.assumptions.append(Assumption(k, 3, "test"))
    DeadCode().run(model)
    assert ("nonzero" in ops(model)) is (read != "nothing")
    check(model)


# -- common subexpressions ------------------------------------------------------------------------------------------
def cse_count(body: str) -> int:
    model = text(body)
    CommonSubexpressions().run(model)
    check(model)
    return len(ops(model))


@pytest.mark.parametrize(
    ("first", "second", "merges"),
    [
        ("relu(x)", "relu(x)", True),
        ("relu(x)", "neg(x)", False),
        ("softmax(x)", "softmax(x; axis=-1)", True),
        ("softmax(x)", "softmax(x; axis=1)", False),
        ('relu(x)  # path="a:A"', 'relu(x)  # path="a:A"', True),
        ('relu(x)  # path="a:A"', 'relu(x)  # path="a:A#1"', False),
        ('relu(x)  # path="a:A"', 'relu(x)  # path="b:A"', False),
        ("dropout(x; p=0.5)", "dropout(x; p=0.5)", False),
        ("leaky_relu(x; alpha=0.0)", "leaky_relu(x; alpha=-0.0)", False),
    ],
)
def test_merging(first: str, second: str, merges: bool) -> None:
    body = f"a: float32[2, 3] = {first}\n b: float32[2, 3] = {second}\n c: float32[2, 3] = add(a, b)\n return c"
    assert cse_count(body) == (2 if merges else 3)


def test_merging_goes_on_through_what_merged() -> None:
    lines = [f"a{i}: float32[2, 3] = relu(x)\n b{i}: float32[2, 3] = exp(a{i})\n" for i in range(3)]
    assert cse_count("".join(lines) + "r: float32[2, 3] = add(b0, b1)\n t: float32[2, 3] = add(r, b2)\n return t") == 4


# -- types ----------------------------------------------------------------------------------------------------------
def test_types_follow_an_edit() -> None:
    model = text("a: float32[2, 3] = neg(x)\n b: float32[3] = reduce_sum(a; axes=(0,))\n return b")
    model.inputs[0].type = tensor_type("float32", symbol("n"), 7)
    assert [v.code for v in verify(model)] == ["IR008"]
    assert InferTypes().run(model)
    assert verify(model) == [] and str(model.outputs[0].type) == "float32[7]"
    assert not InferTypes().run(model)


def test_assumed_sizes_are_recorded_once() -> None:
    model = text("a: float32[n] = neg(x)\n return a", "x: float32[n]; y: float32[k]")
    b = Builder(model.graph)
    model.graph.set_outputs([b.mul(b.add(*model.inputs), model.inputs[1])])
    assert InferTypes().run(model)
    assert [(str(a.left), str(a.right)) for a in model.assumptions] == [("n", "k")]
    assert not InferTypes().run(model)


def test_an_op_that_no_longer_applies_is_named() -> None:
    model = text("a: float32[2, 3] = transpose(x; perm=(0, 1))  # op=\"aten.t\"\n return a")
    model.inputs[0].type = tensor_type("float32", 2)
    with pytest.raises(ValueError, match="transpose \\(aten.t\\) does not apply"):
        InferTypes().run(model)


def test_specialising_a_size() -> None:
    body = "a: float32[2 * n] = flatten(x; start=0)\n r: float32[n, 2] = reshape(a; shape=(n, 2))\n return r"
    model = text(body, "x: float32[n, 2]; y: float32[m]")
    model.assumptions.append(Assumption(symbol("n"), symbol("m"), "test"))
    assert Specialize((("n", 4),)).run(model)
    assert "n" not in {s for v in (*model.inputs, *model.outputs) for s in str(v.type)[7:]}
    assert str(model.outputs[0].type) == "float32[4, 2]"
    assert [(str(a.left), str(a.right)) for a in model.assumptions] == [("4", "m")]
    check(model)
    assert Specialize((("m", 4),)).run(model) and not model.assumptions
    assert not Specialize((("m", 4),)).run(model)


def test_specialising_against_an_assumption() -> None:
    model = text("a: float32[n] = neg(x)\n return a", "x: float32[n]; y: float32[m]")
    model.assumptions.append(Assumption(symbol("n"), symbol("m"), "broadcast"))
    with pytest.raises(ValueError, match="break the assumption n == m"):
        Specialize((("n", 4), ("m", 5))).run(model)


def test_specialising_what_is_computed_or_unknown() -> None:
    model = text("i: int64[?k, 2] = nonzero(x; symbol=\"k\")\n return i")
    with pytest.raises(ValueError, match="size k is computed by the model"):
        Specialize((("k", 3),)).run(model)
    with pytest.raises(PassError, match="no input has a size q"):
        Pipeline((Specialize((("q", 3),)),)).run(model)


# -- decompose ------------------------------------------------------------------------------------------------------
def test_decomposing_recursively_with_provenance() -> None:
    model = text('a: float32[2, 3] = selu(x)  # op="aten.selu" path="l:L"\n return a')
    original = copy_model(model)
    lacking = {"selu", "elu"}
    item = Decompose(lambda n: n.op.name not in lacking)
    with recording() as log:
        assert item.run(model)
    assert not lacking & set(ops(model)) and list(item.missing(model)) == []
    assert {r.rule for r in log.rewrites} == {"selu", "elu"}
    made = list(model.nodes())
    assert {n.origin.op for n in made} == {"aten.selu"} and {n.origin.scope for n in made} == {"l"}
    assert {n.origin.history for n in made} == {("decompose",)}
    check(model)
    x = {"x": np.linspace(-3, 3, 6, dtype=np.float32).reshape(2, 3)}
    np.testing.assert_allclose(Evaluator().run(model, x)["output"], Evaluator().run(original, x)["output"], rtol=1e-6)
    assert not item.run(model)


def test_what_has_no_decomposition_is_reported() -> None:
    model = text("a: float32[2, 3] = exp(x)\n return a")
    item = Decompose(lambda n: False)
    with recording() as log:
        assert not item.run(model)
    assert [m.reason for m in log.misses] == ["it has no decomposition"]
    assert [n.op.name for n in item.missing(model)] == ["exp"]


def test_every_decomposition_leaves_a_sound_model() -> None:
    done = 0
    for record, i, sample in all_samples():
        if record.decompose is None:
            continue
        case = sample_case(record, sample)
        Decompose(lambda n, name=record.name: n.op.name != name).run(case.model)
        assert verify(case.model) == [], f"{record.name} sample {i}:\n{format_model(case.model)}"
        done += record.name not in ops(case.model)
    assert done > 100


def test_a_decomposition_without_end_raises() -> None:
    endless = replace(ir.ops.get("relu"), decompose=lambda b, x: b.op(endless, x))
    model = text("a: float32[2, 3] = exp(x)\n return a")
    model.graph.set_outputs([Builder(model.graph).op(endless, model.inputs[0])])
    with pytest.raises(ValueError, match="the decomposition of relu does not end"):
        Decompose(lambda n: n.op.name != "relu").run(model)


# -- the runner -----------------------------------------------------------------------------------------------------
@dataclass(frozen=True)
class Named(Pass):
    label: str = ""
    later: tuple[str, ...] = ()

    @property
    def name(self) -> str:  # type: ignore[override]
        return self.label

    @property
    def after(self) -> tuple[str, ...]:  # type: ignore[override]
        return self.later

    def run(self, model: Model) -> bool:
        return False


def test_passes_are_ordered_by_their_constraints() -> None:
    found = order([DeadCode(), CommonSubexpressions(), Specialize(()), Simplify(), Fold()])
    assert [p.name for p in found] == ["specialize", "simplify", "fold", "cse", "dead_code"]
    with pytest.raises(ValueError, match="a, b form a cycle"):
        order([Named("a", ("b",)), Named("b", ("a",))])


def relu_model() -> Model:
    return text("a: float32[2, 3] = identity(x)\n b: float32[2, 3] = relu(a)\n return b")


def test_a_run_is_timed_logged_and_shows_its_diff() -> None:
    log = standard(debug=True, diff=True).run(relu_model())
    changed = [s for s in log.steps if s.changed]
    assert [(s.pass_name, s.round, s.nodes) for s in changed] == [("simplify", 1, (2, 1))]
    assert "-  a: float32[2, 3] = identity(x)" in changed[0].diff and all(s.seconds >= 0 for s in log.steps)
    assert log.counts() == {"simplify/identity": 1}
    assert "simplify/identity: <Node a = identity(x)>: identity(x) is x (unknown origin)" in map(str, log.rewrites)
    assert "2 -> 1 nodes" in str(log)


@dataclass(frozen=True)
class Adds(Pass):
    """Adds the inputs, whose sizes may differ."""

    name: ClassVar[str] = "adds"

    def run(self, model: Model) -> bool:
        model.graph.set_outputs([Builder(model.graph).add(*model.inputs)])
        return False


def test_what_new_nodes_take_for_granted_is_recorded() -> None:
    model = text("a: float32[n] = neg(x)\n return a", "x: float32[n]; y: float32[k]")
    log = Pipeline((Adds(), Adds()), debug=True).run(model)
    assert [(str(a.left), str(a.right)) for a in model.assumptions] == [("n", "k")]
    assert [s.changed for s in log.steps] == [True, False]


@dataclass(frozen=True)
class Breaks(Pass):
    name: ClassVar[str] = "breaks"

    def run(self, model: Model) -> bool:
        model.outputs[0].type = tensor_type("int8")
        return True


@dataclass(frozen=True)
class Restless(Pass):
    name: ClassVar[str] = "restless"

    def run(self, model: Model) -> bool:
        return True


@dataclass(frozen=True)
class Promises(Pass):
    name: ClassVar[str] = "promises"

    def run(self, model: Model) -> bool:
        return False

    def ensures(self, model: Model) -> list[str]:  # type: ignore[override]
        return ["a relu is left"] * ("relu" in ops(model))


def test_the_pass_that_breaks_a_model_is_named() -> None:
    with pytest.raises(InvalidModel, match="after pass breaks: IR008"):
        Pipeline((Breaks(),), debug=True).run(relu_model())
    Pipeline((Breaks(),)).run(relu_model())  # found only where it is looked for


def test_unrest_and_broken_promises_raise() -> None:
    with pytest.raises(PassError, match="no fixpoint after 30 rounds; still changing: restless"):
        Pipeline((Restless(),), fixpoint=True).run(relu_model())
    with pytest.raises(PassError, match="pass promises ensures: a relu is left"):
        Pipeline((Promises(),)).run(relu_model())


def test_a_replacement_of_another_type_is_refused() -> None:
    model = relu_model()
    node = next(iter(model.graph))
    other = Builder(model.graph, before=node).cast(model.inputs[0], to="float64")
    with pytest.raises(ValueError, match="test/rule replaces float32"):
        Rewriter(model, "test").replace(node, [other], "rule", "reason")


def test_standard_pipeline_is_linear() -> None:
    """Rounds do not grow with the length of a chain."""
    steps = []
    for n in (20, 200):
        model = Model("m", Signature((Parameter("x", Leaf("x")),), Leaf("output")))
        b = Builder(model.graph, origin=Origin(path=(Scope("l", "L"),)))
        value = model.graph.add_input(tensor_type("float32", 2), "x")
        for _ in range(n):
            value = b.neg(b.identity(b.neg(value)))
        model.graph.set_outputs([value])
        steps.append(len(standard().run(model).steps))
        assert ops(model) == []
    assert steps[0] == steps[1]


