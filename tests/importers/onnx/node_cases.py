"""ONNX's own node tests: which of them the importer takes, and whether the reference evaluation agrees."""

from __future__ import annotations

import functools
import warnings
from dataclasses import dataclass
from typing import Any

import ml_dtypes
import numpy as np
import onnx
import onnx.numpy_helper

from converter.errors import ConversionError
from converter.importers.onnx import load
from converter.importers.onnx.tensors import read_tensor
from ir.eval import EvaluationError, Evaluator


@dataclass(frozen=True)
class Outcome:
    """`verdict` is passed, refused or wrong; `detail` says why."""

    name: str
    verdict: str
    detail: str = ""


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


def run_case(case: Any, fixed: bool = False) -> Outcome:
    """Import a case and compare the exact evaluation with the expected outputs.

    `fixed` first makes every input but the first an initialiser: sizes, axes and the like are then known.
    """
    verdict = Outcome(case.name, "passed")
    for inputs, expected in case.data_sets:
        proto = with_initialisers(case.model, inputs) if fixed else case.model
        try:
            model = load(proto)
        except ConversionError as error:
            reason = error.unsupported[0].reason if error.unsupported else error.message
            return Outcome(case.name, "refused", reason)
        values = {i.name: array_of(v) for i, v in zip(case.model.graph.input, inputs)}
        try:
            found = Evaluator("exact").run(model, {v.name: values[v.name] for v in model.graph.inputs})
        except EvaluationError as error:
            return Outcome(case.name, "error", str(error))
        for (name, got), want in zip(found.items(), expected, strict=True):
            problem = difference(got, array_of(want), case.rtol, case.atol)
            if problem:
                return Outcome(case.name, "wrong", f"{name}: {problem}")
    return verdict


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
