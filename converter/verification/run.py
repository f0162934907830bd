"""Running source, reference and converted model over the cases, and judging each output."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from converter.runtimes import Runner, source_runner
from converter.runtimes.base import RuntimeFailure
from converter.sources import Source
from converter.verification import tolerance
from converter.verification.compare import Difference, difference
from converter.verification.inputs import Case, make_cases
from converter.verification.report import OutputResult, VerificationReport
from ir.core import Model
from ir.eval import Evaluator
from ir.types import DType

CASES = 5
"""One run is no floor: the source's error varies by a factor of eight between inputs."""


@dataclass
class Sample:
    """One case with what every party made of it."""

    inputs: Case
    reference: dict[str, np.ndarray]
    exact: dict[str, np.ndarray]
    source: dict[str, np.ndarray]
    converted: dict[str, np.ndarray]


@dataclass
class Verification:
    """The samples and the report judged from them."""

    report: VerificationReport
    samples: list[Sample] = field(default_factory=list)


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
    report = VerificationReport(source=source.framework, converted=converted.name, seed=seed)
    verification = Verification(report)
    names = model.signature.output_names
    problem = _signature_problem(converted, model)
    if problem:
        report.outputs = [OutputResult(n, str(model.output_types[n].dtype), "mismatch", reason=problem) for n in names]
        return verification
    native = source_runner(source, model)
    try:
        for case in make_cases(model, inputs, seed, cases):
            report.cases.append({name: f"{a.dtype}{list(a.shape)}" for name, a in case.items()})
            try:
                got = converted(case)
            except RuntimeFailure as error:
                report.outputs = [
                    OutputResult(n, str(model.output_types[n].dtype), "mismatch", reason=error.message) for n in names
                ]
                return verification
            verification.samples.append(
                Sample(case, Evaluator().run(model, case), Evaluator("exact").run(model, case), native(case), got)
            )
    finally:
        native.close()
    random = random_outputs(model)
    for name in names:
        if name in random:
            report.not_compared.append(name)
        else:
            report.outputs.append(
                judge(name, model.output_types[name].dtype, verification.samples, _pick(rtol, name), _pick(atol, name))
            )
    return verification


def judge(
    name: str, dtype: DType, samples: list[Sample], rtol: float | None = None, atol: float | None = None
) -> OutputResult:
    """The verdict on one output over all samples."""
    result = OutputResult(name, str(dtype))
    scale = max((difference(s.reference[name], s.reference[name]).scale for s in samples), default=0.0)
    converted = [difference(s.converted[name], s.reference[name]) for s in samples]
    sourced = [difference(s.source[name], s.reference[name]) for s in samples]
    exact = [difference(s.exact[name], s.reference[name]) for s in samples]
    result.scale, result.elements = scale, sum(s.reference[name].size for s in samples)
    result.error, result.source_error, result.exact_error = (
        max((d.max_abs for d in ds), default=0.0) for ds in (converted, sourced, exact)
    )
    if rtol is not None or atol is not None:
        return _judge_by_tolerance(result, converted, (atol or 0.0) + (rtol or 0.0) * scale)
    if not (dtype.is_float or dtype.is_complex):
        return _judge_exact(result, converted, sourced)
    return _judge_by_noise(result, dtype, converted, sourced, scale)


def _judge_by_noise(
    result: OutputResult, dtype: DType, converted: list[Difference], sourced: list[Difference], scale: float
) -> OutputResult:
    real = dtype.real
    bound = tolerance.import_bound(real, result.exact_error, scale)
    floor = tolerance.floor_of(real, result.source_error, scale)
    result.tolerance = tolerance.MARGIN * floor
    if result.source_error > bound:
        _mismatch(
            result,
            sourced,
            f"the source itself is {result.source_error:.3g} from the reference (rounding explains {bound:.3g}): the import is wrong",
        )
    elif result.error > result.tolerance:
        _mismatch(result, converted, f"largest error {result.error:.3g} where noise explains {result.tolerance:.3g}")
    elif floor > tolerance.inconclusive_share(real) * scale and scale > 0:
        result.verdict, result.reason = (
            "inconclusive",
            f"noise {floor:.3g} is too large against the scale {scale:.3g} to prove anything",
        )
    return result


def _judge_exact(result: OutputResult, converted: list[Difference], sourced: list[Difference]) -> OutputResult:
    for what, differences in (
        ("the source differs from its import", sourced),
        ("the converted model differs", converted),
    ):
        count = sum(d.mismatched for d in differences)
        if count or any(d.problem for d in differences):
            return _mismatch(result, differences, f"{what} in {count} of {result.elements} elements")
    return result


def _judge_by_tolerance(result: OutputResult, converted: list[Difference], allowed: float) -> OutputResult:
    result.tolerance = allowed
    if result.error > allowed:
        _mismatch(result, converted, f"largest error {result.error:.3g}, allowed {allowed:.3g}")
    return result


def _mismatch(result: OutputResult, differences: list[Difference], reason: str) -> OutputResult:
    worst = max(range(len(differences)), key=lambda i: (bool(differences[i].problem), differences[i].max_abs))
    found = differences[worst]
    result.verdict = "mismatch"
    result.reason = found.problem or reason
    result.worst = f"input {worst}" + (f", element {list(found.index)}" if found.index else "")
    return result


def random_outputs(model: Model) -> set[str]:
    """Outputs that depend on a random draw, in inference."""
    tainted: set[Any] = set()
    for node in model.graph:
        draws = node.op.random and not node.op.modal
        if (
            draws
            or any(v in tainted for v in node.inputs)
            or any(n.op.random and not n.op.modal for b in node.bodies.values() for n in b)
        ):
            tainted.update(node.outputs)
    return {
        name for name, value in zip(model.signature.output_names, model.graph.outputs, strict=True) if value in tainted
    }


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
