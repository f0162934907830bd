"""The recorded result of a long run, and the page that shows it."""

from __future__ import annotations

import importlib.metadata
import json
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from tests.random_graphs.outcome import VERDICTS, Outcome

FILE = Path(__file__).with_name("result.json")
LIBRARIES = ("onnx", "onnxruntime", "torch", "numpy")


def line(outcomes: Sequence[Outcome]) -> str:
    """Counts of graphs by verdict."""
    counts = Counter(o.verdict for o in outcomes)
    return f"{len(outcomes)} graphs: " + ", ".join(f"{v} {counts[v]}" for v in VERDICTS)


def summary(outcomes: Sequence[Outcome]) -> dict[str, Any]:
    """What is recorded: seeds, counts, steps, refusals and draws by reason."""
    steps, refused, dropped = Counter[str](), Counter[str](), Counter[str]()
    for outcome in outcomes:
        steps.update(outcome.steps)
        refused.update(outcome.refused)
        dropped.update(outcome.dropped)
    seeds = [o.seed for o in outcomes]
    return {
        "seeds": [min(seeds, default=0), max(seeds, default=0)],
        "graphs": len(outcomes),
        "revisions": _ordered(Counter(o.revision for o in outcomes if o.revision)),
        "nodes": sum(o.nodes for o in outcomes),
        "by verdict": {v: sum(o.verdict == v for o in outcomes) for v in VERDICTS},
        "steps by verdict": {v: steps[v] for v in VERDICTS},
        "ill-conditioned by reason": _ordered(Counter(_kind(o) for o in outcomes if o.verdict == "ill-conditioned")),
        "refused by reason": _ordered(refused),
        "draws dropped by reason": _ordered(dropped),
    }


def _kind(outcome: Outcome) -> str:
    if outcome.detail.startswith("noise"):
        return "noise is too large against the scale"
    if outcome.detail.startswith("rounding alone"):
        return "rounding alone decides more than 1 % of an output"
    return outcome.detail


def _judged(found: dict[str, Any]) -> str:
    """With which code: graphs that fail are judged again once they are mended."""
    return "".join(f", {count} of them judged at {code}" for code, count in found.get("revisions", {}).items())


def _ordered(counts: Counter[str]) -> dict[str, int]:
    return dict(sorted(counts.items(), key=lambda item: (-item[1], item[0])))


def store(found: dict[str, Any]) -> None:
    """Write the record and the page."""
    from tests.suites import results

    versions = {name: importlib.metadata.version(name) for name in LIBRARIES}
    FILE.write_text(json.dumps({"versions": versions, **found}, indent=1) + "\n")
    results.PAGE.write_text(results.page())


TEXT = """\
`make random-graphs` draws models from the samples of all ops: results of earlier nodes, made to fit by casts, reshapes,
broadcasts and slices, are the operands of later ones; branches, loops and choices by mode have bodies drawn in the same
way; some sizes are symbolic, and such models are run at other sizes too. Each model is evaluated, printed and parsed,
put through every pass, written for ONNX (opsets 13 to 24) and run there, read again, written for PyTorch, run in both
modes, and one in 16 read again; after each step every output is judged as the verification does, against the float64
reference. The noise floor of a model is measured on evaluations in which every float that is given or computed is moved
by a few units of rounding. A graph that rounding decides is *ill-conditioned*; what a target refuses is counted, cut out,
and the rest goes on; a graph of which nothing is left is *refused*. Draws without ordinary numbers are drawn anew, and
counted. What a graph that is wrong or crashes has found is mended, with a test of its own, and its seed is
judged again with the code of then."""


def lines() -> list[str]:
    """The page's part, empty where nothing is recorded."""
    if not FILE.exists():
        return []
    found = json.loads(FILE.read_text())
    versions = ", ".join(f"{k} {v}" for k, v in found["versions"].items())
    steps = ", ".join(f"{n} {v}" for v, n in found["steps by verdict"].items())
    made = [
        "", "# Random graphs", "", TEXT, "",
        f"Seeds {found['seeds'][0]} to {found['seeds'][1]}: {found['graphs']} graphs of {found['nodes']} nodes{_judged(found)}.", "",
        f"| {' | '.join(found['by verdict'])} |", "|---" * len(VERDICTS) + "|",
        f"| {' | '.join(str(n) for n in found['by verdict'].values())} |", "",
        f"Steps by verdict: {steps}.", "", f"Measured with {versions}.",
    ]  # fmt: skip
    for title in ("ill-conditioned by reason", "refused by reason", "draws dropped by reason"):
        made += ["", f"{title[0].upper()}{title[1:]}:", "", "| count | reason |", "|---|---|"]
        made += [f"| {n} | {_cell(reason)} |" for reason, n in found[title].items()]
    return made


def _cell(text: str) -> str:
    return " ".join(text.replace("|", "\\|").split())
