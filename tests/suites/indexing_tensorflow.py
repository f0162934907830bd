"""The recorded indexing cases from the IR to TensorFlow, eager and compiled by XLA, under both index policies.

    python -m tests.suites.indexing_tensorflow            compare with the recorded results
    python -m tests.suites.indexing_tensorflow --update   record them and write docs/indexing.md
    python -m tests.suites.indexing_tensorflow --only scatter --way compiled

Fails when an answer is wrong or crashes, fewer cases are counted on a route than recorded, or fewer pass. XLA raises no
error of an index; what it has no form of it refuses to compile, which counts as refused.
"""

from __future__ import annotations

import argparse
import re
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path

from converter.errors import ConversionError
from converter.exporters.base import ExportOptions
from converter.exporters.tensorflow.package import write_package
from converter.policies import INDEX_POLICIES, IndexPolicy
from converter.prepare import prepare
from tests.exporters.tensorflow.generated import LACKING
from tests.exporters.tensorflow.process import PackageFailed, process
from tests.suites import indexing_page as page
from tests.suites.indexing_run import STRICT, Case, Missed, Outcome, cases, ir_model, kind_of, same_gradients

WAYS = ("eager", "compiled")


def run_case(case: Case, ways: Sequence[str] = WAYS) -> list[Outcome]:
    """The outcomes of one case, by policy and way. What is written alike under both policies, notes included, runs once."""
    found, ran = [], dict[str, dict[str, tuple[str, str]]]()
    with tempfile.TemporaryDirectory(prefix="indexing-tensorflow-") as folder:
        for policy in INDEX_POLICIES:
            for way, verdict in _written(case, policy, Path(folder) / policy, ways, ran).items():
                found.append(Outcome(case.name, "ir", f"tensorflow, {way}", policy, *verdict))
    return found


def _written(
    case: Case, policy: IndexPolicy, folder: Path, ways: Sequence[str], ran: dict[str, dict[str, tuple[str, str]]]
) -> dict[str, tuple[str, str]]:
    try:
        model = ir_model(case)
    except Exception as error:  # noqa: BLE001 - the IR refuses what cannot be: its own route judges how
        right = ("passed", "") if case.error else ("crashed", f"{type(error).__name__}: {error}")
        return dict.fromkeys(ways, right)
    try:
        prepare(model)
        write_package(model, folder, ExportOptions(index_policy=policy))
    except ConversionError as error:
        return dict.fromkeys(ways, ("refused", str(error)))
    text = "\n".join([(folder / "model.py").read_text(), *model.notes])
    if text not in ran:
        ran[text] = {way: _answer(case, folder, way, model.notes) for way in ways}
    return ran[text]


def _answer(case: Case, folder: Path, way: str, notes: list[str]) -> tuple[str, str]:
    """Verdict and detail. What no error or another gradient comes of counts as noted where a note tells."""
    about = STRICT if way == "eager" else "XLA"
    told = next((n for n in notes if about in n and re.search("out of range|negative|are refused", n)), "")
    try:
        (out,) = process().run(folder, case.inputs, way).values()
    except PackageFailed as error:
        if case.error:
            kind = kind_of(str(error))
            return ("passed", "") if kind == case.error else ("wrong", f"an error of kind {kind!r}: {error}")
        return ("refused" if way == "compiled" and any(t in str(error) for t in LACKING) else "crashed"), str(error)
    if case.error:
        return ("noted", told) if told else ("wrong", f"no error of kind {case.error}, but {out.tolist()}")
    if problem := case.differs(out):
        return "wrong", problem
    return _differentiated(case, folder, way, next((n for n in notes if "gradient" in n and STRICT in n), ""))


def _differentiated(case: Case, folder: Path, way: str, told: str) -> tuple[str, str]:
    """The same of the listed gradients."""
    if not case.gradients:
        return "passed", ""
    try:
        same_gradients(case.gradients, process().run(folder, case.inputs, way, cotangent=case.cotangent))
    except Missed as error:
        return ("noted", told) if told else ("wrong", str(error))
    except PackageFailed as error:
        lacking = way == "compiled" and any(t in str(error) for t in LACKING)
        return ("refused" if lacking else "crashed"), f"its gradient: {error}"
    return "passed", ""


def main(arguments: Sequence[str] | None = None) -> int:
    """Run, print, compare; returns the exit code."""
    parser = argparse.ArgumentParser(prog="python -m tests.suites.indexing_tensorflow", description=__doc__)
    parser.add_argument("--only", help="only cases whose name this regular expression finds")
    parser.add_argument("--way", action="append", choices=WAYS)
    parser.add_argument("--update", action="store_true", help="record these results")
    options = parser.parse_args(arguments)
    outcomes: list[Outcome] = []
    for name, case in cases().items():
        if options.only and not re.search(options.only, name):
            continue
        for outcome in run_case(case, options.way or WAYS):
            outcomes.append(outcome)
            if outcome.verdict not in ("passed", "noted"):
                print(f"{outcome.verdict}: {outcome.case}, {outcome.route}: {outcome.detail}"[:800], flush=True)
    print("\n".join(page.table(page.counted(outcomes))))
    bad = [o for o in outcomes if o.verdict in ("wrong", "crashed")]
    if options.only or options.way:
        return int(bool(bad))
    if options.update:
        page.record_tensorflow(outcomes)
    problems = page.fallen(page.read_tensorflow(), outcomes)
    print("\n".join(problems))
    return int(bool(bad or problems))


if __name__ == "__main__":
    sys.exit(main())
