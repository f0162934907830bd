"""The result of a verification: per output, per case, and as JSON, JUnit XML or a table."""

from __future__ import annotations

import json
import math
from dataclasses import asdict, dataclass, field
from typing import Any, Literal
from xml.etree import ElementTree

Verdict = Literal["equal", "mismatch", "inconclusive"]


@dataclass
class OutputResult:
    """One output over all cases. Errors are absolute, in the output's own unit; `scale` is the largest |reference|.

    `source_error`: source framework against the float64 reference. `exact_error`: the reference evaluator in the
    declared dtypes against the same. `error`: the converted model. `tolerance`: what `error` may reach.
    `undecided` counts elements left out because rounding alone flips them (argmax ties and the like).
    """

    name: str
    dtype: str
    verdict: Verdict = "equal"
    error: float = 0.0
    source_error: float = 0.0
    exact_error: float = 0.0
    tolerance: float = 0.0
    scale: float = 0.0
    elements: int = 0
    undecided: int = 0
    reason: str = ""
    worst: str = ""


@dataclass
class VerificationReport:
    """What was compared and how it went. `passed` is True only when every output is `equal`."""

    source: str
    converted: str
    outputs: list[OutputResult] = field(default_factory=list)
    cases: list[dict[str, Any]] = field(default_factory=list)
    seed: int = 0
    not_compared: list[str] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)

    @property
    def verdict(self) -> Verdict:
        """`mismatch` if any output mismatches, else `inconclusive` if any is, or if nothing was compared, else `equal`."""
        found = {o.verdict for o in self.outputs}
        if "mismatch" in found:
            return "mismatch"
        return "inconclusive" if "inconclusive" in found or not self.outputs or self.not_compared else "equal"

    @property
    def passed(self) -> bool:
        return self.verdict == "equal"

    @property
    def max_abs_error(self) -> float:
        """Largest absolute error of the converted model over all outputs and cases."""
        return max((o.error for o in self.outputs), default=0.0)

    def summary(self) -> str:
        """One line: the verdict and the outputs behind it."""
        bad = [o for o in self.outputs if o.verdict != "equal"]
        if bad:
            return "; ".join(f"{o.name}: {o.reason}" for o in bad[:3]) + (
                f"; and {len(bad) - 3} more" if len(bad) > 3 else ""
            )
        if self.not_compared:
            return f"not compared: {', '.join(self.not_compared)}"
        return (
            f"{len(self.outputs)} outputs equal over {len(self.cases)} inputs, largest error {self.max_abs_error:.2g}"
        )

    def to_dict(self) -> dict[str, Any]:
        """Plain values; infinities and NaN as strings, so that the result is strict JSON."""
        data = {
            "source": self.source, "converted": self.converted, "verdict": self.verdict, "passed": self.passed,
            "max_abs_error": self.max_abs_error, "seed": self.seed, "outputs": [asdict(o) for o in self.outputs],
            "cases": self.cases, "not_compared": self.not_compared, "notes": self.notes,
        }  # fmt: skip
        return _strict(data)

    def to_json(self) -> str:
        """The report as JSON text."""
        return json.dumps(self.to_dict(), indent=2)

    def to_junit(self) -> str:
        """The report as JUnit XML: one test case an output."""
        counts = {"failures": sum(o.verdict == "mismatch" for o in self.outputs), "errors": 0}
        skipped = sum(o.verdict == "inconclusive" for o in self.outputs) + len(self.not_compared)
        suite = ElementTree.Element("testsuite", name="isomorph verify", tests=str(len(self.outputs) + len(self.not_compared)),
                                    failures=str(counts["failures"]), errors="0", skipped=str(skipped))  # fmt: skip
        for o in self.outputs:
            case = ElementTree.SubElement(
                suite, "testcase", name=o.name, classname=f"{self.source} -> {self.converted}"
            )
            if o.verdict == "mismatch":
                ElementTree.SubElement(case, "failure", message=o.reason).text = json.dumps(_strict(asdict(o)))
            elif o.verdict == "inconclusive":
                ElementTree.SubElement(case, "skipped", message=o.reason)
        for name in self.not_compared:
            ElementTree.SubElement(
                ElementTree.SubElement(suite, "testcase", name=name), "skipped", message="not compared"
            )
        return ElementTree.tostring(suite, encoding="unicode", xml_declaration=True)


def _strict(value: Any) -> Any:
    if isinstance(value, dict):
        return {k: _strict(v) for k, v in value.items()}
    if isinstance(value, (list, tuple)):
        return [_strict(v) for v in value]
    return str(value) if isinstance(value, float) and not math.isfinite(value) else value
