"""The recorded indexing cases from the IR to Keras, on every backend and under both index policies.

`python -m tests.suites.indexing_keras [--only REGEX] [--backend NAME]...` prints the counts of each route and what is
wrong, and fails where anything is.
"""

from __future__ import annotations

import argparse
import re
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from converter.errors import ConversionError
from converter.exporters.base import ExportOptions
from converter.exporters.keras.package import write_package
from converter.policies import INDEX_POLICIES, IndexPolicy
from converter.prepare import prepare
from tests.exporters.keras.backends import BACKENDS, PackageFailed, backend
from tests.suites import indexing_page as page
from tests.suites.indexing_run import STRICT, Case, Outcome, cases, ir_model, kind_of


def run_case(case: Case, backends: Sequence[str] = BACKENDS) -> list[Outcome]:
    """The outcomes of one case, by policy and backend."""
    found = []
    with tempfile.TemporaryDirectory(prefix="indexing-keras-") as folder:
        for policy in INDEX_POLICIES:
            for on, verdict in _written(case, policy, Path(folder) / policy, backends).items():
                found.append(Outcome(case.name, "ir", f"keras on {on}", policy, *verdict))
    return found


def _written(case: Case, policy: IndexPolicy, folder: Path, backends: Sequence[str]) -> dict[str, tuple[str, str]]:
    try:
        model = ir_model(case)
    except Exception as error:  # noqa: BLE001 - the IR refuses what cannot be: its own route judges how
        right = ("passed", "") if case.error else ("crashed", f"{type(error).__name__}: {error}")
        return dict.fromkeys(backends, right)
    try:
        prepare(model)
        write_package(model, folder, ExportOptions(index_policy=policy))
    except ConversionError as error:
        return dict.fromkeys(backends, ("refused", str(error)))
    told = next((n for n in model.notes if STRICT in n), "")
    return {on: _answer(case, folder, on, told if policy == "source" else "") for on in backends}


def _answer(case: Case, folder: Path, on: str, told: str) -> tuple[str, str]:
    """Verdict and detail on one backend."""
    try:
        (out,) = backend(on).run(folder, case.inputs).values()
    except PackageFailed as error:
        if not case.error:
            return "crashed", str(error)
        kind = _kind(str(error))
        return ("passed", "") if kind == case.error else ("wrong", f"an error of kind {kind!r}: {error}")
    if case.error:
        missed = f"no error of kind {case.error}, but {np.asarray(out).tolist()}"
        return ("noted", told) if told else ("wrong", missed)
    problem = case.differs(out)
    return ("wrong", problem) if problem else ("passed", "")


def _kind(text: str) -> str:
    """The kind of an error; Keras adds the shapes of what it was called with."""
    return kind_of(text.split("Arguments received by")[0])


def main(arguments: Sequence[str] | None = None) -> int:
    """Run and print; returns the exit code."""
    parser = argparse.ArgumentParser(prog="python -m tests.suites.indexing_keras", description=__doc__)
    parser.add_argument("--only", help="only cases whose name this regular expression finds")
    parser.add_argument("--backend", action="append", choices=BACKENDS)
    options = parser.parse_args(arguments)
    outcomes: list[Outcome] = []
    for name, case in cases().items():
        if not options.only or re.search(options.only, name):
            outcomes += run_case(case, options.backend or BACKENDS)
    print("\n".join(page.table(page.counted(outcomes))))
    for o in outcomes:
        if o.verdict in ("wrong", "crashed"):
            print(f"{o.verdict}: {o.case}, {o.route}: {o.detail}"[:600])
    reasons = sorted({o.detail.splitlines()[-1][:200] for o in outcomes if o.verdict == "refused"})
    print("\n".join(f"refused: {reason}" for reason in reasons))
    return int(any(o.verdict in ("wrong", "crashed") for o in outcomes))


if __name__ == "__main__":
    sys.exit(main())
