"""Every sample of every op, written as Keras and run on each backend, against the evaluator.

`python -m tests.exporters.keras.generated [--backend NAME]... [--dtype NAME]... [OP ...]` prints what differs.
"""

from __future__ import annotations

import argparse
import shutil
import sys
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import ml_dtypes
import numpy as np

import ir.ops
from converter.errors import ConversionError
from converter.exporters.base import ExportOptions
from converter.exporters.keras.package import write_package
from ir.core import Model
from ir.eval import Evaluator
from ir.ops.define import OpDef
from ir.ops.sampler import Sample
from ir.types import DType, dtypes
from tests.exporters.keras.backends import BACKENDS, PackageFailed, backend
from tests.ops.harness import assert_close, cases_of, model_of

DTYPES = ("float32", "bfloat16", "float64")
DRAWN = ("random_uniform", "random_normal", "bernoulli")
LARGEST = 1e30
"""Kernels of some activations overflow beyond."""


@dataclass(eq=False)
class Case:
    """One sample: its model, its inputs, what the evaluator makes of them."""

    name: str
    op: OpDef
    sample: Sample
    model: Model
    arrays: dict[str, np.ndarray]


def cases(op: OpDef, dtype: str, dynamic: bool = False) -> Iterator[Case]:
    """The samples of an op; with `dynamic` those whose sizes may vary, so."""
    for name, _, sample in cases_of(op, getattr(dtypes, dtype)):
        if dynamic and not sample.dynamic:
            continue
        model, arrays = model_of(op, sample, sample.dynamic if dynamic else False)
        yield Case(f"{name}-dynamic" if dynamic else name, op, sample, model, arrays)


def difference(case: Case, folder: Path, on: str) -> str | None:
    """What is wrong with a written case on a backend, or None."""
    expected = Evaluator("exact").run(case.model, case.arrays)
    try:
        found = backend(on).run(folder, case.arrays)
    except PackageFailed as error:
        return f"fails: {error}"
    for (key, want), value in zip(expected.items(), case.model.graph.outputs, strict=True):
        have = found[key]
        if have.dtype != want.dtype or have.shape != want.shape:
            return f"{key} is {have.dtype}{list(have.shape)}, expected {want.dtype}{list(want.shape)}"
        if case.op.name in DRAWN or (case.sample.attrs.get("always") and case.sample.attrs["p"] < 1):
            continue
        wanted = [want, *_flushed(case, on, key)]
        found_wrong = [_unlike(case, have, w, value.type.dtype, on) for w in wanted]
        if all(found_wrong):
            return f"{key}: {found_wrong[0]}"
    return None


def _flushed(case: Case, on: str, key: str) -> list[np.ndarray]:
    """What JAX computes on a CPU, where numbers below the smallest normal one are zero."""
    arrays = {k: _normal(a) for k, a in case.arrays.items()}
    changed = any(not np.array_equal(a, case.arrays[k], equal_nan=a.dtype.kind == "f") for k, a in arrays.items())
    if on != "jax" or not changed:
        return []
    try:
        return [Evaluator("exact").run(case.model, arrays)[key]]
    except ValueError:
        return []


def _normal(array: np.ndarray) -> np.ndarray:
    kind = array.dtype
    if kind.kind not in "fV" and kind.name != "bfloat16":
        return array
    tiny = float(ml_dtypes.finfo(kind).smallest_normal)
    with np.errstate(invalid="ignore"):
        return np.where(np.abs(array.astype(np.float64)) < tiny, np.zeros((), kind), array).astype(kind)


def _unlike(case: Case, have: np.ndarray, want: np.ndarray, kind: DType, on: str) -> str | None:
    have, want = _compared(case, have, want)
    if case.op.name == "gelu" and on == "torch":  # its kernel loses the tail
        keep = case.arrays["x"].astype(np.float64) > -2
        have, want = have[keep], want[keep]
    try:
        assert_close(have, want, kind, case.sample.rtol)
    except AssertionError as error:
        return " ".join(str(error).split())[:300]
    return None


def _compared(case: Case, have: np.ndarray, want: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """What is defined of a result: casts of floats that no integer is near are not."""
    if case.op.name == "cast" and want.dtype.kind in "iu" and case.arrays["x"].dtype.kind not in "iub":
        wide = np.trunc(case.arrays["x"].astype(np.float64))
        info = np.iinfo(want.dtype)
        keep = np.isfinite(wide) & (wide >= info.min) & (wide < float(info.max) + 1)
        return have[keep], want[keep]
    return have, want


def write(case: Case, folder: Path) -> str | None:
    """Write a case's package; the reason where it is refused."""
    try:
        write_package(case.model, folder, ExportOptions())
    except ConversionError as error:
        return "; ".join(sorted({f"{u.op}: {u.reason}" for u in error.unsupported})) or str(error)
    return None


def main() -> int:
    """Parse the command line and print; 1 where anything is wrong."""
    parser = argparse.ArgumentParser(prog="python -m tests.exporters.keras.generated")
    parser.add_argument("ops", nargs="*")
    parser.add_argument("--backend", action="append", choices=BACKENDS)
    parser.add_argument("--dtype", action="append", choices=DTYPES)
    parser.add_argument("--family", action="append")
    parser.add_argument("--dynamic", action="store_true")
    parser.add_argument("--show", action="store_true", help="print each refusal")
    options = parser.parse_args()
    total = {"right": 0, "wrong": 0, "refused": 0}
    top = Path(tempfile.mkdtemp(prefix="keras-generated-"))
    ops = [o for o in ir.ops.all_ops() if o.name in options.ops or o.family in (options.family or ())]
    for op in ops or ir.ops.all_ops():
        refused, wrong, right = [], [], 0
        for dtype in options.dtype or DTYPES[:2]:
            for case in cases(op, dtype, options.dynamic):
                folder = top / case.name
                reason = write(case, folder)
                if reason is not None:
                    refused.append(f"{case.name}: {reason}")
                    continue
                for on in options.backend or BACKENDS:
                    found = difference(case, folder, on)
                    right += found is None
                    wrong += [] if found is None else [f"{case.name} on {on}: {found}"]
                shutil.rmtree(folder)
        print(f"{op.name}: {right} right, {len(wrong)} wrong, {len(refused)} refused", flush=True)
        for line in [*wrong, *(refused if options.show else refused[:1])]:
            print("   ", line, flush=True)
        total = {
            "right": total["right"] + right,
            "wrong": total["wrong"] + len(wrong),
            "refused": total["refused"] + len(refused),
        }
    print(f"in all: {total['right']} right, {total['wrong']} wrong, {total['refused']} refused")
    return 1 if total["wrong"] else 0


if __name__ == "__main__":
    sys.exit(main())
