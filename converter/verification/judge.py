"""The verdict on one output, from what source, reference and converted model made of the same inputs."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np

from converter.verification import tolerance
from converter.verification.compare import Difference, difference
from converter.verification.inputs import Case
from converter.verification.report import OutputResult
from converter.verification.sensitivity import MOST
from ir.types import DType


@dataclass
class Expected:
    """What the evaluators and the source made of a case, or of the last of calls in turn, by output name.

    `rounded` gives the reference moved by other draws of rounding: what rounds between the steps of its ops
    (`steps.by_steps`), and what is given rounded (`sensitivity.conditioned`).
    """

    calls: Sequence[Case]
    reference: dict[str, np.ndarray]
    exact: dict[str, np.ndarray]
    source: dict[str, np.ndarray]
    undecided: dict[str, np.ndarray] = field(default_factory=dict)
    rounded: Callable[[], Sequence[Mapping[str, np.ndarray]]] = list

    @property
    def inputs(self) -> Case:
        """The inputs of the call whose results these are."""
        return self.calls[-1]

    def compare(self, name: str, values: Mapping[str, np.ndarray]) -> Difference:
        """How far one output is from the reference, outside the elements that rounding decides."""
        actual, expected = values[name], self.reference[name]
        mask = self.undecided.get(name)
        if mask is not None and mask.any() and actual.shape == expected.shape:
            actual = np.where(mask, expected.astype(actual.dtype), actual)
        return difference(actual, expected)


@dataclass
class Sample:
    """One case with what the converted model made of it."""

    expected: Expected
    converted: dict[str, np.ndarray]


def judge(
    name: str, dtype: DType, samples: list[Sample], rtol: float | None = None, atol: float | None = None
) -> OutputResult:
    """The verdict on one output over all samples."""
    result = OutputResult(name, str(dtype))
    known = [s.expected for s in samples]
    scale = max((difference(e.reference[name], e.reference[name]).scale for e in known), default=0.0)
    converted = [s.expected.compare(name, s.converted) for s in samples]
    sourced = [e.compare(name, e.source) for e in known]
    exact = [e.compare(name, e.exact) for e in known]
    result.scale, result.elements = scale, sum(e.reference[name].size for e in known)
    result.error, result.source_error, result.exact_error = (
        max((d.max_abs for d in ds), default=0.0) for ds in (converted, sourced, exact)
    )
    wrong = sorted({str(s.converted[name].dtype) for s in samples if s.converted[name].dtype != dtype.numpy})
    if wrong:
        result.verdict, result.reason = "mismatch", f"dtype {', '.join(wrong)} instead of {dtype}"
        return result
    result.undecided = sum(int(e.undecided[name].sum()) for e in known if name in e.undecided)
    if any(e.exact[name].shape != e.reference[name].shape for e in known):
        result.verdict, result.reason = "inconclusive", "rounding alone decides how large it is"
        return result
    if rtol is not None or atol is not None:
        _judge_by_tolerance(result, converted, known, (atol or 0.0) + (rtol or 0.0) * scale)
    elif dtype.is_float or dtype.is_complex:
        _judge_by_noise(result, dtype, converted, sourced, known)
    else:
        _judge_exact(result, converted, sourced, known)
    if result.verdict == "equal" and result.undecided > MOST * result.elements:
        result.verdict = "inconclusive"
        result.reason = f"rounding alone decides {result.undecided} of {result.elements} elements"
    return result


def _judge_by_noise(
    result: OutputResult, dtype: DType, converted: list[Difference], sourced: list[Difference], known: list[Expected]
) -> OutputResult:
    real, scale = dtype.real, result.scale
    if result.source_error > tolerance.import_bound(real, result.exact_error, scale):
        result.exact_error = max(result.exact_error, _rounded(result.name, known))
    bound = tolerance.import_bound(real, result.exact_error, scale)
    floor = tolerance.floor_of(real, result.source_error, scale)
    result.tolerance = tolerance.MARGIN * floor
    if result.error > result.tolerance:  # what rounding does in one run is a draw: the evaluator's is another
        floor = tolerance.floor_of(real, max(result.source_error, result.exact_error), scale)
        result.tolerance = tolerance.MARGIN * floor
    if result.source_error > bound:
        _mismatch(
            result,
            sourced,
            known,
            f"the source itself is {result.source_error:.3g} from the reference (rounding explains {bound:.3g}): the import is wrong",
        )
    elif result.error > result.tolerance:
        why = f"largest error {result.error:.3g} where noise explains {result.tolerance:.3g}"
        _mismatch(result, converted, known, why)
    elif floor > tolerance.inconclusive_share(real) * scale and scale > 0:
        result.verdict, result.reason = (
            "inconclusive",
            f"noise {floor:.3g} is too large against the scale {scale:.3g} to prove anything",
        )
    return result


def _rounded(name: str, known: list[Expected]) -> float:
    """How far other draws of rounding take the output; 0 where that is not known, or where they are no numbers."""
    found = (e.compare(name, values).max_abs for e in known for values in e.rounded() if name in values)
    return max((error for error in found if np.isfinite(error)), default=0.0)


def _judge_exact(
    result: OutputResult, converted: list[Difference], sourced: list[Difference], known: list[Expected]
) -> OutputResult:
    for what, differences in (
        ("the source differs from its import", sourced),
        ("the converted model differs", converted),
    ):
        count = sum(d.mismatched for d in differences)
        if count or any(d.problem for d in differences):
            return _mismatch(result, differences, known, f"{what} in {count} of {result.elements} elements")
    return result


def _judge_by_tolerance(
    result: OutputResult, converted: list[Difference], known: list[Expected], allowed: float
) -> OutputResult:
    result.tolerance = allowed
    if result.error > allowed:
        _mismatch(result, converted, known, f"largest error {result.error:.3g}, allowed {allowed:.3g}")
    return result


def _mismatch(
    result: OutputResult, differences: list[Difference], known: list[Expected], reason: str
) -> OutputResult:
    worst = max(range(len(differences)), key=lambda i: (bool(differences[i].problem), differences[i].max_abs))
    found = differences[worst]
    result.verdict = "mismatch"
    result.reason = found.problem or reason
    if len(known[worst].calls) > 1:
        result.reason += ", in a second call, which begins with the state that the first left"
    result.worst = f"input {worst}" + (f", element {list(found.index)}" if found.index else "")
    return result
