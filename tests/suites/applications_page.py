"""The record of the run over `keras.applications`, and its page docs/applications.md."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path

from tests.suites.applications_run import TARGETS, Outcome

ROOT = Path(__file__).resolve().parents[2]
FILE = Path(__file__).with_name("results") / "applications.json"
PAGE = ROOT / "docs" / "applications.md"

HEAD = """# Keras applications

`make suite-applications` (`SUITE_ARGS=--update` writes this page) builds every architecture of `keras.applications` with
random weights on the smallest images it takes, with the statistics of random images, and converts it to PyTorch source and to
ONNX. One that then answers by rounding alone is tried with batch norms that scale less. *Passed* means: verification
against the float64 reference calls the result equal, it has as many trainable parameters as the source, and no transpose
stands between its operations (that of the image at the border aside). *Lines* are those of the emitted `model.py`, loader
and all.

"""


def read() -> list[Outcome]:
    """What was recorded last."""
    return [Outcome(**r) for r in json.loads(FILE.read_text("utf-8"))] if FILE.exists() else []


def record(outcomes: Sequence[Outcome]) -> None:
    """Write the record and its page."""
    ordered = sorted(outcomes, key=lambda o: (o.name, TARGETS.index(o.to)))
    FILE.write_text(json.dumps([asdict(o) for o in ordered], indent=1) + "\n", "utf-8")
    PAGE.write_text(text(ordered), "utf-8")


def text(outcomes: Sequence[Outcome]) -> str:
    """The page."""
    by_name: dict[str, dict[str, Outcome]] = {}
    for outcome in outcomes:
        by_name.setdefault(outcome.name, {})[outcome.to] = outcome
    lines = ["| architecture | image | parameters | lines | PyTorch | ONNX |", "|---|---|---|---|---|---|"]
    for name, found in by_name.items():
        torch, onnx = found.get("torch"), found.get("onnx")
        first = torch or onnx
        assert first is not None
        verdicts = " | ".join("not run" if o is None else _verdict(o) for o in (torch, onnx))
        lines.append(f"| {name} | {first.size} | {first.parameters:,} | {torch.lines if torch else ''} | {verdicts} |")
    counts = ", ".join(f"{sum(o.verdict == 'passed' for o in outcomes if o.to == to)} to {to}" for to in TARGETS)
    return HEAD + "\n".join(lines) + f"\n\nPassed of {len(by_name)}: {counts}.\n"


def _verdict(outcome: Outcome) -> str:
    said = f"passed ({outcome.note})" if outcome.note else "passed"
    return said if outcome.verdict == "passed" else f"{outcome.verdict}: {outcome.detail.splitlines()[0]}"


def fallen(before: Sequence[Outcome], now: Sequence[Outcome]) -> list[str]:
    """What passed and does not any more, and what is not counted any more."""
    found = {(o.name, o.to): o for o in now}
    return [
        f"{o.name} to {o.to} passed when it was recorded, and is {'not run' if new is None else new.verdict}"
        for o in before
        if o.verdict == "passed" and ((new := found.get((o.name, o.to))) is None or new.verdict != "passed")
    ]
