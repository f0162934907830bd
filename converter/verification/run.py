"""Running source, reference and converted model over the cases, and judging each output."""

from __future__ import annotations

import functools
import re
import textwrap
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from converter.errors import UsageError
from converter.runtimes import Runner, source_runner
from converter.runtimes.base import AsSource, RuntimeFailure, apart, as_source
from converter.sources import Source
from converter.verification.again import second_calls
from converter.verification.empty import empty_cases, other_limits, other_shapes
from converter.verification.free import ADVICE, groups, hanging, in_order
from converter.verification.inputs import Case, evaluated_cases, has_values
from converter.verification.judge import Expected, Sample, judge
from converter.verification.report import OutputResult, VerificationReport
from converter.verification.sensitivity import conditioned, has_decisions, undecided
from converter.verification.steps import by_steps
from ir.core import Model, Node, Value
from ir.core.walk import walk
from ir.eval import Evaluator
from ir.ops.dropout import draws_in_inference

CASES = 5
"""One run is no floor: the source's error varies by a factor of eight between inputs."""
SPARE = 5
"""Cases drawn in the place of those that the source does not run."""
UNTRIED = ("keras", "tensorflow")
"""Frameworks that run in this process and end it by some kernels that are given nothing."""
LONGEST = 300
"""Characters of a framework's message in a note."""
NOISE = re.compile(r"\x1b\[[\d;]*m|\{\{.*?\}\}")
"""What messages are coloured with, and TensorFlow's names of graph nodes."""


@dataclass
class Baseline:
    """The source's side of a verification: cases with reference, exact and source results. Serves many targets."""

    model: Model
    framework: str
    seed: int
    expected: list[Expected]
    empty: dict[str, Expected] = field(default_factory=dict)
    """Cases in which a dynamic size is 0, by its name."""
    again: list[Expected] = field(default_factory=list)
    """Second calls, of a model with state."""
    tried: bool = True
    """Whether the source has run on these; else the evaluator stands for it."""
    notes: list[str] = field(default_factory=list)


@dataclass
class Verification:
    """The samples and the report judged from them."""

    report: VerificationReport
    samples: list[Sample] = field(default_factory=list)
    input_axes: Mapping[str, Sequence[int]] = field(default_factory=dict)  # of inputs that the conversion laid otherwise


def verify_models(
    source: Source,
    model: Model,
    converted: Runner,
    inputs: Any = None,
    *,
    seed: int = 0,
    rtol: Any = None,
    atol: Any = None,
    cases: int = CASES,
) -> Verification:
    """Compare `converted` with `source` on seeded inputs, both against the float64 evaluation of `model`.

    `model` is the source as imported, before any pass, so that a wrong pass shows. Raises RuntimeFailure when the
    source itself cannot run; a converted model that cannot run is a mismatch.
    """
    problem = _signature_problem(as_source(converted, model.input_types), model)
    if problem:
        return Verification(_failed(Baseline(model, source.framework, seed, []), converted, problem))
    return verify_against(measure(source, model, inputs, seed=seed, cases=cases), converted, rtol=rtol, atol=atol)


def measure(source: Source, model: Model, inputs: Any = None, *, seed: int = 0, cases: int = CASES) -> Baseline:
    """Draw the cases and run source and both evaluators on them. Raises RuntimeFailure when the source cannot run."""
    native = source_runner(source, model)
    try:
        baseline = Baseline(model, source.framework, seed, [])
        for case, exact, found in _source_cases(baseline, native, inputs, cases):
            baseline.notes += [note for note in _other_types(model, found) if note not in baseline.notes]
            baseline.expected.append(_expected(model, [case], exact, _sized(found, exact, source), seed))
        _measure_empty(baseline, native, source)
        _measure_again(baseline, native, source)
    finally:
        native.close()
    return baseline


def _other_types(model: Model, found: Case) -> Iterator[str]:
    """What is told of results that the source gives in another type than its import says."""
    for name, declared in model.output_types.items():
        if name in found and found[name].dtype != declared.dtype.numpy:
            yield f"the source gives {name} as {found[name].dtype}, its import and the converted model as {declared.dtype}"


def _source_cases(baseline: Baseline, native: Runner, inputs: Any, count: int) -> Iterator[tuple[Case, Case, Case]]:
    """`count` cases, each with what the evaluator and the source make of it.

    Drawn sizes may be none of the source's, whose kernels check what an import does not see: where some cases run, a note
    tells of those that do not. Raises RuntimeFailure where the user's own inputs, or all that were drawn, fail.
    """
    given, failure, done = has_values(inputs), None, 0
    for i, (case, exact) in enumerate(evaluated_cases(baseline.model, inputs, baseline.seed, count + SPARE)):
        try:
            found = native(case)
        except RuntimeFailure as error:
            if (given and i == 0) or all(t.is_static for t in baseline.model.input_types.values()):
                raise
            failure = failure or error
            shapes = ", ".join(f"{n} {list(a.shape)}" for n, a in case.items())
            note = f"the source does not run with {shapes}, which its import takes: {error.message}"
            baseline.notes += [] if note in baseline.notes else [note]
            continue
        yield case, exact, found
        done += 1
        if done == count:
            break
    if failure is not None and not done:
        raise failure


def _measure_empty(baseline: Baseline, native: Runner, source: Source) -> None:
    """Add the cases without elements that the source takes."""
    if not baseline.expected:
        return
    near = baseline.expected[0].inputs
    baseline.tried = source.framework not in UNTRIED
    with apart(native) as run:
        for size, case, exact in empty_cases(baseline.model, near, baseline.seed):
            try:
                found = _sized(run(case), exact, source) if baseline.tried else exact
            except (RuntimeFailure, UsageError):
                continue
            if wrong := other_shapes(found, exact):
                baseline.notes.append(f"with {size} = 0 the source gives another shape than its import: {wrong}")
            else:
                baseline.empty[size] = _expected(baseline.model, [case], exact, found, baseline.seed)


def _measure_again(baseline: Baseline, native: Runner, source: Source) -> None:
    """Add second calls, unless what they begin with is drawn at random."""
    model = baseline.model
    if random_outputs(model, later=True) != random_outputs(model):
        baseline.notes.append("the state is drawn at random: only first calls are compared")
        return
    for calls, exact in second_calls(model, [e.inputs for e in baseline.expected], baseline.seed):
        try:
            found = _sized(native.in_turn(calls)[-1], exact, source)
        except RuntimeFailure as error:
            baseline.notes.append(f"the source does not run a second time: {error.message}")
            continue
        baseline.again.append(_expected(model, calls, exact, found, baseline.seed))


def _sized(found: Case, exact: Case, source: Source) -> Case:
    """What the source gave, with the sizes of its import where there are no elements: in what a loop without trips stacks,
    ONNX Runtime makes those sizes 0 that it does not know before the loop runs."""
    if source.framework != "onnx":
        return found
    return {n: exact[n] if n in exact and _same_but_unknown(a, exact[n]) else a for n, a in found.items()}


def _same_but_unknown(found: np.ndarray, exact: np.ndarray) -> bool:
    """Whether two arrays without elements are alike but for sizes that the first has as 0."""
    if found.size or exact.size or found.dtype != exact.dtype or found.ndim != exact.ndim:
        return False
    return all(n in (0, m) for n, m in zip(found.shape, exact.shape, strict=True))


def verify_against(baseline: Baseline, converted: Runner, *, rtol: Any = None, atol: Any = None) -> Verification:
    """Run `converted` on the cases of a baseline and judge each output."""
    model = baseline.model
    converted = as_source(converted, model.input_types)
    axes = converted.axes if isinstance(converted, AsSource) else {}
    problem = _signature_problem(converted, model)
    if problem:
        return Verification(_failed(baseline, converted, problem))
    samples: list[Sample] = []
    free = groups(model)
    for expected in [*baseline.expected, *baseline.again]:
        try:
            found = converted.in_turn(expected.calls)[-1]
        except (RuntimeFailure, UsageError) as error:
            return Verification(_failed(baseline, converted, error.message), samples)
        if list(found) != list(model.output_types):
            problem = f"outputs are {', '.join(found) or 'none'} instead of {', '.join(model.output_types) or 'none'}"
            return Verification(_failed(baseline, converted, problem), samples)
        samples.append(Sample(expected, in_order(free, found, expected.reference)))
    more, notes = _run_empty(baseline, converted)
    samples += more
    report = _report(baseline, converted)
    report.notes = [*baseline.notes, *notes]
    report.cases += [_shapes(s.expected) for s in more]
    random, unordered = random_outputs(model), hanging(model)
    for name, declared in model.output_types.items():
        if name in random:
            report.not_compared.append(name)
            continue
        result = judge(name, declared.dtype, samples, _pick(rtol, name), _pick(atol, name))
        if result.verdict == "mismatch" and name in unordered:
            result.reason += ADVICE
        report.outputs.append(result)
    return Verification(report, samples, axes)


def _run_empty(baseline: Baseline, converted: Runner) -> tuple[list[Sample], list[str]]:
    """The samples of the cases without elements, and notes on those where there is no number to judge."""
    samples, notes = [], []
    free = groups(baseline.model)
    with apart(converted) as run:
        for size, expected in baseline.empty.items():
            try:
                found = run(expected.inputs)
            except (RuntimeFailure, UsageError) as error:
                why = textwrap.shorten(NOISE.sub("", error.message), LONGEST)
                notes.append(f"with {size} = 0 the source runs and the converted model does not: {why}")
                continue
            if wrong := other_shapes(found, expected.reference):
                notes.append(
                    f"with {size} = 0 the converted model gives a result without elements another shape: {wrong}"
                )
            elif wrong := other_limits(found, expected.reference):
                notes.append(f"with {size} = 0 the source gives no number, and the converted model another: {wrong}")
            else:
                samples.append(Sample(expected, in_order(free, found, expected.reference)))
    return samples, notes if baseline.tried else []


def _report(baseline: Baseline, converted: Runner) -> VerificationReport:
    cases = [_shapes(e) for e in (*baseline.expected, *baseline.again)]
    return VerificationReport(baseline.framework, converted.name, cases=cases, seed=baseline.seed)


def _shapes(expected: Expected) -> dict[str, str]:
    return {n: f"{a.dtype}{list(a.shape)}" for n, a in expected.inputs.items()}


def _failed(baseline: Baseline, converted: Runner, reason: str) -> VerificationReport:
    """A report in which every output mismatches for the same reason."""
    report = _report(baseline, converted)
    for name, declared in baseline.model.output_types.items():
        report.outputs.append(OutputResult(name, str(declared.dtype), "mismatch", reason=reason))
    return report


def _expected(model: Model, calls: Sequence[Case], exact: Case, source: Case, seed: int) -> Expected:
    reference = {n: _overflowed(a, exact[n]) for n, a in Evaluator().run_in_turn(model, calls)[-1].items()}
    if any(a.shape != exact[n].shape for n, a in reference.items()):
        return Expected(calls, reference, dict(exact), dict(source))  # rounding decides a size: the judge says so
    masks = undecided(model, calls, reference, exact, seed) if has_decisions(model) else {}
    free = groups(model)

    @functools.cache
    def rounded() -> list[Mapping[str, np.ndarray]]:
        runs = (by_steps(model, calls, reference), *conditioned(model, calls, seed))
        return [in_order(free, run, reference) for run in runs]

    exact, source = (in_order(free, run, reference) for run in (exact, source))
    return Expected(calls, reference, exact, source, masks, rounded)


def _overflowed(reference: np.ndarray, exact: np.ndarray) -> np.ndarray:
    """The reference, with the infinities and NaN that the declared dtypes produce where float64 does not overflow."""
    if reference.dtype.kind not in "fc" or reference.shape != exact.shape:
        return reference
    wide = exact.astype(reference.dtype)
    return np.where(np.isfinite(wide), reference, wide)


def random_outputs(model: Model, later: bool = False) -> set[str]:
    """Outputs that depend on a random draw, in inference: of a first call, or of any `later` one, which may read state that
    was drawn."""
    held = {model.weight_value(name): moved for name, moved in model.state.items()} if later else {}
    tainted: set[Any] = set()
    before = -1
    while len(tainted) != before:
        before = len(tainted)
        tainted.update(weight for weight, moved in held.items() if moved in tainted)
        for node in model.graph:
            if _draws(node) or any(v in tainted for v in _reads(node)):
                tainted.update(node.outputs)
    return {
        name for name, value in zip(model.signature.output_names, model.graph.outputs, strict=True) if value in tainted
    }


def _reads(node: Node) -> Iterator[Value]:
    """The values that the node and its bodies read."""
    yield from node.inputs
    yield from (v for body in node.bodies.values() for inner in walk(body) for v in inner.inputs)


def _draws(node: Node) -> bool:
    """Whether the node, or one in a body that inference runs, draws random numbers."""
    bodies = [node.bodies["infer"]] if node.op.name == "by_mode" else node.bodies.values()
    own = draws_in_inference(node.op.random, node.op.modal, node.attrs)
    return own or any(_draws(inner) for body in bodies for inner in body)


def _signature_problem(converted: Runner, model: Model) -> str:
    if list(converted.input_types) != list(model.input_types):
        return f"inputs are {', '.join(converted.input_types) or 'none'} instead of {', '.join(model.input_types) or 'none'}"
    for name, expected in model.input_types.items():
        found = converted.input_types[name]
        if found.dtype != expected.dtype or found.rank != expected.rank:
            return f"input {name} is {found} instead of {expected}"
    return ""


def _pick(option: Mapping[str, float] | float | None, name: str) -> float | None:
    return option.get(name) if isinstance(option, Mapping) else option
