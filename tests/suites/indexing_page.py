"""The recorded results of the indexing cases, and docs/indexing.md written from them."""

from __future__ import annotations

import importlib.metadata
import json
import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from tests.suites import indexing_onnx
from tests.suites.indexing_run import VERDICTS, Outcome, cases

RECORD = Path(__file__).with_name("results") / "indexing.json"
RECORD_KERAS = RECORD.with_name("indexing_keras.json")
RECORD_TENSORFLOW = RECORD.with_name("indexing_tensorflow.json")
PAGE = Path(__file__).resolve().parents[2] / "docs" / "indexing.md"
LIBRARIES = ("numpy", "onnx", "onnxruntime", "torch")
Counts = dict[str, dict[str, int]]


def read() -> dict[str, Any]:
    """What is recorded; empty when nothing is."""
    return json.loads(RECORD.read_text()) if RECORD.exists() else {}


def read_keras() -> dict[str, Any]:
    """What is recorded of the cases from Keras; empty when nothing is."""
    return json.loads(RECORD_KERAS.read_text()) if RECORD_KERAS.exists() else {}


def read_tensorflow() -> dict[str, Any]:
    """What is recorded of the cases to TensorFlow; empty when nothing is."""
    return json.loads(RECORD_TENSORFLOW.read_text()) if RECORD_TENSORFLOW.exists() else {}


def counted(outcomes: Sequence[Outcome]) -> Counts:
    """By route: cases counted, and how many have each verdict."""
    routes = dict.fromkeys(o.route for o in outcomes)
    return {r: _count([o for o in outcomes if o.route == r]) for r in routes}


def _count(outcomes: Sequence[Outcome]) -> dict[str, int]:
    return {"counted": len(outcomes), **{v: sum(o.verdict == v for o in outcomes) for v in VERDICTS}}


def inexpressible() -> dict[str, str]:
    """Cases that ONNX cannot say, with the reason; PyTorch can say all."""
    found = {}
    for case in cases().values():
        try:
            indexing_onnx.written(case.op, case.attrs, case.inputs, next(iter(case.inputs.values())).dtype)
        except indexing_onnx.Inexpressible as error:
            found[case.name] = str(error)
    return found


def summary(outcomes: Sequence[Outcome]) -> dict[str, Any]:
    """What is recorded: versions, counts by route, what is told in notes or refused, and what ONNX cannot say."""
    listed = {
        verdict: {f"{o.case}, {o.route}": o.detail.splitlines()[0][:300] for o in outcomes if o.verdict == verdict}
        for verdict in ("noted", "refused")
    }
    versions = {name: importlib.metadata.version(name) for name in LIBRARIES}
    return {"versions": versions, "counts": counted(outcomes), **listed, "inexpressible": inexpressible()}


def record(outcomes: Sequence[Outcome]) -> None:
    """Store the results and write the page anew."""
    RECORD.write_text(json.dumps(summary(outcomes), indent=1, sort_keys=True) + "\n")
    PAGE.write_text(page(read()))


def record_keras(outcomes: Sequence[Outcome]) -> None:
    """Store the results from Keras and write the page anew. Reasons are recorded once, with the cases by source."""
    listed: dict[str, dict[str, dict[str, list[str]]]] = {"noted": {}, "refused": {}, "inexpressible": {}}
    for o in outcomes:
        if o.verdict in listed:
            names = listed[o.verdict].setdefault(" ".join(o.detail.split())[:200], {}).setdefault(o.source, [])
            names += [o.case] if o.case not in names else []
    counts = counted([o for o in outcomes if o.verdict != "inexpressible"])
    versions = {name: importlib.metadata.version(name) for name in (*LIBRARIES, "keras", "tensorflow", "jax")}
    RECORD_KERAS.write_text(
        json.dumps({"versions": versions, "counts": counts, **listed}, indent=1, sort_keys=True) + "\n"
    )
    PAGE.write_text(page(read()))


def record_tensorflow(outcomes: Sequence[Outcome]) -> None:
    """Store the results to TensorFlow and write the page anew. Reasons are recorded once, with the cases by route."""
    listed: dict[str, dict[str, dict[str, list[str]]]] = {"noted": {}, "refused": {}}
    for o in outcomes:
        if o.verdict in listed:
            listed[o.verdict].setdefault(_reason(o.detail), {}).setdefault(o.route, []).append(o.case)
    versions = {name: importlib.metadata.version(name) for name in ("numpy", "tensorflow")}
    RECORD_TENSORFLOW.write_text(
        json.dumps({"versions": versions, "counts": counted(outcomes), **listed}, indent=1, sort_keys=True) + "\n"
    )
    PAGE.write_text(page(read()))


def _reason(detail: str) -> str:
    """A reason in one line, without the names of a run."""
    return re.sub(r"\{\{.*?\}\}|__inference_\w+", "", " ".join(detail.split()))[:240]


def fallen(recorded: Mapping[str, Any], outcomes: Sequence[Outcome]) -> list[str]:
    """Where a run falls below the record; empty when nowhere."""
    if not recorded:
        return ["nothing is recorded: run with --update"]
    new, none = counted(outcomes), _count([])
    return [
        f"{route}: {key} {new.get(route, none)[key]}, recorded {old[key]}"
        for route, old in recorded["counts"].items()
        for key in ("counted", "passed")
        if new.get(route, none)[key] < old[key]
    ]


def table(counts: Counts) -> list[str]:
    """Counts by route as a Markdown table."""
    names = ("counted", *VERDICTS)
    lines = [f"| route | {' | '.join(names)} |", "|---" * (len(names) + 1) + "|"]
    return lines + [f"| {route} | {' | '.join(str(n[k]) for k in names)} |" for route, n in counts.items()]


_TEXT = """\
# Indexing

Frameworks agree on no two of these: whether -1 means the last element or is an error, what an index beyond the end
reads, which of several writes to one place remains, and who gets the gradient. The IR's ops state all of it as
attributes (`ir/ops/positions.py`): `bounds` (error, clip, wrap, fill, drop, unchecked), `neg` (from_end, invalid),
`reduction`, `include_self`, `unique`. Subscripts such as `x[i, :, mask]` are resolved in one place
(`ir/ops/index_spec.py`), by NumPy's rule or by PyTorch's.

## The index policy

`isomorph convert --index-policy source|strict`, `converter.convert(..., index_policy=...)`.

What the source computes is kept under both: clamped reads, dropped writes, indices that wrap. They differ where the
target would go on without a word although the source stops, or leaves open what the source settles:

| what | `source` (the default) | `strict` |
|---|---|---|
| ONNX: a negative index that is an error in the source counts from the end | a note | moved behind the axis, where the runtime stops |
| ONNX: the standard leaves open which of several writes to one place remains | a note | the last is kept, the others are dropped |
| PyTorch: the same, and each of the writes gets the gradient | a note | the last is kept, and it alone gets the gradient |
| PyTorch: `amax`, `amin` without `include_self` lose gradient to what was there before | a note | written places are reset first |
| from ONNX: rows of an embedding counted from the end, an error in `nn.Embedding` | a note | the index is corrected first |
| TensorFlow: the same as PyTorch, of writes and their gradients | a note | the last is kept, and it alone gets the gradient |
| TensorFlow leaves out negative numbers of segments, where they are errors in the source | a note | errors |
| TensorFlow on a GPU reads zeros out of range and drops writes | a note | checked first, which XLA leaves out: a note |

No note and no check where it is certain that an index is never negative, or names no place twice
(`converter/exporters/index_facts.py`), nor where source and target are the same framework and do the same. Under either
policy an index beyond the end is an error in the target where it is one in the source; runtimes that do not check
indices (ONNX Runtime's WebGPU provider) are not guarded. ONNX Runtime's ScatterND combines in several threads and loses
updates where an index repeats: reductions over index vectors are written as ScatterElements.

## The recorded cases

Generated by `make suite-indexing SUITE_ARGS=--update`; a test keeps it current. {count} cases, measured on the frameworks
that agree with them, come from three sources: the IR's own op (`ir`), a PyTorch module and an ONNX file that spell the
case as a person would. Each goes through the evaluator and, under both policies, to PyTorch source and ONNX, which run
in processes that never saw the source. Integers, booleans and reads are compared exactly, sums of floats at 1e-6,
listed gradients at 1e-9 (also PyTorch's own under `source` from PyTorch). Where a case expects an error, one of the same
kind must come, when the source is read or when the result runs. *noted* means that under `source` no such error comes,
or another gradient, and that the report says so.
"""


_KERAS_TEXT = """\

## From Keras

A case may have several spellings in keras.ops (`tests/suites/indexing_keras_source.py`): with the case's own bounds
written out, and *as it is*, which leaves indices out of range to the backend. Each is a live model on each backend.
What it computes there, an array or an error, is measured first; the import, and the PyTorch and ONNX written of it,
must do the same. TensorFlow raises where JAX fills, drops or clamps and where PyTorch
wraps: the importer takes the meaning of the backend that runs, and metadata.json names it under `source.versions.backend`.
Where what is written stops instead, or goes on, a note says so.
"""


_TENSORFLOW_TEXT = """\

## To TensorFlow

The IR's own op as emitted TensorFlow, called as it is and compiled by XLA (`tf.function(jit_compile=True)`), under both
policies; listed gradients by `tf.GradientTape`, compiled together with the model. XLA cannot raise an error: it reads the
nearest element where an index is out of range and drops what is written there. That is told in a note under either policy,
and counts as *noted* where a case expects an error; what XLA has no form of, it refuses to compile (*refused*).
"""


def _tensorflow_lines(recorded: Mapping[str, Any]) -> list[str]:
    """The section on TensorFlow; none where nothing is recorded."""
    return _listed(recorded, _TENSORFLOW_TEXT, {"noted": "Noted", "refused": "Refused"}) if recorded else []


def _keras_lines(recorded: Mapping[str, Any]) -> list[str]:
    """The section on Keras; none where nothing is recorded."""
    if not recorded:
        return []
    titles = {
        "noted": "Noted",
        "refused": "Refused",
        "inexpressible": "What Keras itself has no words for, or fails at",
    }
    return _listed(recorded, _KERAS_TEXT, titles)


def _listed(recorded: Mapping[str, Any], text: str, titles: Mapping[str, str]) -> list[str]:
    """A text, the counts, and reasons by verdict with their cases."""
    lines = [text, *table(recorded["counts"]), ""]
    lines += ["Measured with " + ", ".join(f"{k} {v}" for k, v in recorded["versions"].items()) + "."]
    for verdict, title in titles.items():
        lines += ["", f"{title}:", ""] if recorded[verdict] else []
        for reason, sources in sorted(recorded[verdict].items()):
            lines += [f"- {reason}: " + "; ".join(f"{s}: {', '.join(n)}" for s, n in sorted(sources.items()))]
    return lines


def page(recorded: Mapping[str, Any]) -> str:
    """docs/indexing.md."""
    lines = [_TEXT.format(count=len(cases())), *table(recorded["counts"]), ""]
    lines += ["Measured with " + ", ".join(f"{k} {v}" for k, v in recorded["versions"].items()) + "."]
    for verdict in ("noted", "refused"):
        if recorded[verdict]:
            lines += ["", f"{verdict.capitalize()}:", ""]
            lines += [f"- {name}: {detail}" for name, detail in sorted(recorded[verdict].items())]
    if recorded["inexpressible"]:
        lines += ["", "Not from ONNX, which cannot say them:", ""]
        lines += [f"- {name}: {reason}" for name, reason in sorted(recorded["inexpressible"].items())]
    lines += _keras_lines(read_keras())
    lines += _tensorflow_lines(read_tensorflow())
    return "\n".join(lines) + "\n"
