"""ONNX's own node tests: which of them the importer takes, and whether the reference evaluation agrees.

`python -m tests.importers.onnx.node_cases` rewrites `refused_cases.json`, the committed names of those refused.
"""

from __future__ import annotations

import functools
import json
import warnings
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import ml_dtypes
import numpy as np
import onnx
import onnx.numpy_helper

from converter.errors import ConversionError
from converter.importers.onnx import load
from converter.importers.onnx.tensors import read_tensor
from ir.eval import EvaluationError, Evaluator
from ir.text import format_model
from tests.suites.cases import OWN_NOISE, drops
from tests.written.areas import AREAS
from tests.written.record import digest, recorded

REFUSED = Path(__file__).with_name("refused_cases.json")
RANDOM = {"Bernoulli", "RandomNormal", "RandomUniform", "RandomNormalLike", "RandomUniformLike", "Multinomial"}
"""Their outputs are draws: nothing to compare."""


@dataclass(frozen=True)
class Outcome:
    """`verdict` is passed, refused or wrong; `detail` says why. `text` is the model that was read, else the refusal."""

    name: str
    verdict: str
    detail: str = ""
    text: str = ""


@functools.cache
def cases() -> tuple[Any, ...]:
    """Every node case that onnx generates, by name."""
    from onnx.backend.test.loader import load_model_tests

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return tuple(sorted((c for c in load_model_tests(kind="node") if c.model is not None), key=lambda c: c.name))


def ops_of(case: Any) -> set[str]:
    """Names of the ops in a case."""
    return {n.op_type for n in case.model.graph.node}


def compared() -> list[Any]:
    """The cases whose outputs are determined."""
    plain = [c for c in cases() if not ops_of(c) & RANDOM and not c.name.startswith("test_bernoulli")]
    return [c for c in plain if not any(drops(c.model, inputs) for inputs, _ in c.data_sets)]


def outcome_of(case: Any) -> Outcome:
    """A case refused as it is gets a second try with every input but the first known at conversion."""
    outcome = run_case(case)
    if outcome.verdict in ("refused", "error"):
        again = run_case(case, fixed=True)
        outcome = again if again.verdict != "refused" else outcome
    return outcome


@functools.cache
def known_refusals() -> frozenset[str]:
    """Names of the cases that are refused."""
    return frozenset(json.loads(REFUSED.read_text("utf-8")))


def check_case(case: Any) -> None:
    """Raise AssertionError unless the case passes, or is refused and known to be."""
    outcome = outcome_of(case)
    wanted = "refused" if case.name in known_refusals() else "passed"
    assert outcome.verdict == wanted, f"{outcome.name}: {outcome.verdict}: {outcome.detail}"
    assert digest(outcome.text) == recorded(AREAS["importers_onnx"])[case.name], (
        f"read otherwise than recorded:\n{outcome.text}"
    )


def run_case(case: Any, fixed: bool = False) -> Outcome:
    """Import a case and compare the exact evaluation with the expected outputs.

    `fixed` first makes every input but the first an initialiser: sizes, axes and the like are then known.
    """
    text = ""
    for inputs, expected in case.data_sets:
        proto = with_initialisers(case.model, inputs) if fixed else case.model
        try:
            model = load(proto)
        except ConversionError as error:
            reason = error.unsupported[0].reason if error.unsupported else error.message
            return Outcome(case.name, "refused", reason, str(error))
        model.metadata.clear()  # versions and fingerprints
        text = format_model(model, origins=False) + "".join(f"\n# {note}" for note in model.notes)
        values = {i.name: array_of(v) for i, v in zip(case.model.graph.input, inputs)}
        try:
            found = Evaluator("exact").run(model, {v.name: values[v.name] for v in model.graph.inputs})
        except EvaluationError as error:
            return Outcome(case.name, "error", str(error), text)
        for (name, got), want in zip(found.items(), expected, strict=True):
            problem = difference(got, array_of(want), case.rtol, OWN_NOISE.get(case.name, case.atol))
            if problem:
                return Outcome(case.name, "wrong", f"{name}: {problem}")
    return Outcome(case.name, "passed", text=text)


def array_of(value: Any) -> np.ndarray:
    """A data set's entry: an array, or a TensorProto of a narrow type."""
    return read_tensor(value, None).numpy() if isinstance(value, onnx.TensorProto) else np.asarray(value)


def with_initialisers(model: onnx.ModelProto, inputs: Any) -> onnx.ModelProto:
    """The model with every input but the first fixed to its value."""
    twin = onnx.ModelProto()
    twin.CopyFrom(model)
    for info, value in list(zip(model.graph.input, inputs))[1:]:
        if isinstance(value, (np.ndarray, np.generic)):
            twin.graph.initializer.append(onnx.numpy_helper.from_array(np.asarray(value), info.name))
    return twin


def difference(got: np.ndarray, want: np.ndarray, rtol: float, atol: float) -> str:
    """In words, how two arrays differ; empty when they agree."""
    if got.shape != want.shape:
        return f"shape {got.shape} instead of {want.shape}"
    if got.dtype != want.dtype:
        return f"dtype {got.dtype} instead of {want.dtype}"
    kind = want.dtype
    if kind.name in ("int4", "uint4"):
        return "" if np.array_equal(got.astype(np.int64), want.astype(np.int64)) else f"{got!r} instead of {want!r}"
    if kind.kind not in "fcV" and not _is_small_float(kind):
        return "" if np.array_equal(got.astype(np.int64), want.astype(np.int64)) else f"{got!r} instead of {want!r}"
    wide = np.complex128 if kind.kind == "c" else np.float64
    if kind.itemsize < 4:
        rtol = max(rtol, 4 * float(ml_dtypes.finfo(kind).eps))
    close = np.isclose(got.astype(wide), want.astype(wide), rtol=rtol, atol=max(atol, 1e-7), equal_nan=True)
    return (
        ""
        if close.all()
        else f"{int((~close).sum())} of {close.size} differ: {got.astype(wide)[~close][:3]} instead of {want.astype(wide)[~close][:3]}"
    )


def _is_small_float(kind: np.dtype) -> bool:
    try:
        ml_dtypes.finfo(kind)
    except (ValueError, TypeError, KeyError):
        return False
    return True


if __name__ == "__main__":
    names = [o.name for o in map(outcome_of, compared()) if o.verdict == "refused"]
    REFUSED.write_text(json.dumps(sorted(names), indent=0) + "\n", "utf-8")
