"""Every sample of every op, written as TensorFlow and run as it is, as a graph and compiled, against the evaluator.

`python -m tests.exporters.tensorflow.generated [--way NAME]... [--dtype NAME]... [--family NAME] [OP ...]` prints what
differs, and at the end the ops that XLA cannot compile.
"""

from __future__ import annotations

import argparse
import re
import shutil
import sys
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np

import ir.ops
from converter.errors import ConversionError
from converter.exporters.base import ExportOptions
from converter.exporters.tensorflow.package import write_package
from converter.verification.free import groups, in_order
from ir.core import Model
from ir.eval import Evaluator
from ir.ops.define import OpDef
from ir.ops.sampler import Sample
from ir.types import dtypes
from tests.exporters.tensorflow.process import WAYS, PackageFailed, process
from tests.ops.harness import assert_close, cases_of, model_of

DTYPES = ("float32", "bfloat16", "float16", "float64")
DRAWN = ("random_uniform", "random_normal", "bernoulli")
LACKING = ("not compilable", "No registered", "unsupported operations", "Unsupported", "unsupported", "UNIMPLEMENTED",
           "not supported", "must be a compile-time constant", "Detected unsupported", "tf2xla conversion failed",
    "Slice dim size 1 greater than dynamic slice dimension: 0", "Input and output shapes of loop body do not match")  # fmt: skip
"""What the error of an op says that XLA has no form of."""

NOT_COMPILED = frozenset(
    """bessel_i0 bessel_i1 bessel_j0 bessel_j1 bessel_k0 bessel_k0e bessel_k1 bessel_k1e bessel_y0 bessel_y1 determinant
    eig log_determinant lstm recurrent_layer rnn scan while""".split()
)
"""Ops that XLA has no form of (of scans and recurrent layers those over no steps, of loops those that
collect what it cannot count, or whose state grows)."""


DEVIATIONS = {
    r"conv-\w+-\d+-no_batch (eager|function)": "oneDNN gives a convolution of no image the shape of its input",
    r"gelu-bfloat16-\d+-edges compiled": "XLA has 0 for the product of -inf and 0",
}
"""What TensorFlow does otherwise, by the names of samples and of the way."""


@dataclass(eq=False)
class Case:
    """One sample: its model, its inputs, what the evaluator makes of them."""

    name: str
    op: OpDef
    sample: Sample
    model: Model
    arrays: dict[str, np.ndarray]


class NotCompiled(Exception):
    """XLA has no form of an op."""


def cases(op: OpDef, dtype: str, dynamic: bool = False) -> Iterator[Case]:
    """The samples of an op; with `dynamic` those whose sizes may vary, so."""
    for name, _, sample in cases_of(op, getattr(dtypes, dtype)):
        if dynamic and not sample.dynamic:
            continue
        model, arrays = model_of(op, sample, sample.dynamic if dynamic else False)
        yield Case(f"{name}-dynamic" if dynamic else name, op, sample, model, arrays)


def difference(case: Case, folder: Path, way: str) -> str | None:
    """What is wrong with a written case, or None. Raises NotCompiled where XLA has no form of an op."""
    expected = Evaluator("exact").run(case.model, case.arrays)
    try:
        found = process().run(folder, case.arrays, way)
    except PackageFailed as error:
        if way == "compiled" and any(text in str(error) for text in LACKING):
            raise NotCompiled(str(error)) from None
        return f"fails: {error}"
    found = in_order(groups(case.model), found, expected)
    for (key, want), value in zip(expected.items(), case.model.graph.outputs, strict=True):
        have = found[key]
        if have.dtype != want.dtype or have.shape != want.shape:
            return f"{key} is {have.dtype}{list(have.shape)}, expected {want.dtype}{list(want.shape)}"
        if case.op.name in DRAWN or (case.sample.attrs.get("always") and case.sample.attrs["p"] < 1):
            continue
        try:
            assert_close(*_compared(case, have, want, way), value.type.dtype, case.sample.rtol)
        except AssertionError as error:
            return f"{key}: " + " ".join(str(error).split())[:300]
    return None


def _compared(case: Case, have: np.ndarray, want: np.ndarray, way: str) -> tuple[np.ndarray, np.ndarray]:
    """What is defined of a result: of casts of floats that no integer is near, XLA makes another number; and what a note
    tells is left out, maxima with NaN and of windows of -inf."""
    told = " ".join(case.model.notes)
    passed_over = way == "compiled" and "pass over NaN" in told
    if want.dtype.kind not in "iub" and (passed_over or "max pooling" in told or "softmax gives 0" in told):
        keep = ~np.isnan(want.astype(np.float64)) & ((want != -np.inf) | ("max pooling" not in told))
        return have[keep], want[keep]
    if (
        way == "compiled"
        and case.op.name == "cast"
        and want.dtype.kind in "iu"
        and case.arrays["x"].dtype.kind not in "iub"
    ):
        wide = np.trunc(case.arrays["x"].astype(np.float64))
        info = np.iinfo(want.dtype)
        keep = np.isfinite(wide) & (wide >= info.min) & (wide < float(info.max) + 1)
        return have[keep], want[keep]
    return have, want


def deviation(run: str) -> str | None:
    """What TensorFlow is known to do otherwise in a run of a sample, by its name and way."""
    return next((why for name, why in DEVIATIONS.items() if re.fullmatch(name, run)), None)


def write(case: Case, folder: Path) -> str | None:
    """Write a case's package; the reason where it is refused."""
    try:
        write_package(case.model, folder, ExportOptions())
    except ConversionError as error:
        return "; ".join(sorted({f"{u.op}: {u.reason}" for u in error.unsupported})) or str(error)
    return None


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m tests.exporters.tensorflow.generated")
    parser.add_argument("ops", nargs="*")
    parser.add_argument("--way", action="append", choices=WAYS)
    parser.add_argument("--dtype", action="append", choices=DTYPES)
    parser.add_argument("--family", action="append")
    parser.add_argument("--dynamic", action="store_true")
    parser.add_argument("--first", action="store_true", help="the first sample of each op only")
    parser.add_argument("--show", action="store_true", help="print each refusal")
    return parser.parse_args()


def main() -> int:
    """Parse the command line and print; 1 where anything is wrong."""
    options = _arguments()
    total = {"right": 0, "wrong": 0, "refused": 0}
    uncompiled: dict[str, str] = {}
    differing = 0
    top = Path(tempfile.mkdtemp(prefix="tensorflow-generated-"))
    ops = [o for o in ir.ops.all_ops() if o.name in options.ops or o.family in (options.family or ())]
    for op in ops or ir.ops.all_ops():
        refused, wrong, otherwise, right = [], [], [], 0
        for dtype in options.dtype or DTYPES[:2]:
            for case in list(cases(op, dtype, options.dynamic))[: 1 if options.first else None]:
                folder = top / case.name
                reason = write(case, folder)
                if reason is not None:
                    refused.append(f"{case.name}: {reason}")
                    continue
                for way in options.way or WAYS[:2]:
                    try:
                        found = difference(case, folder, way)
                    except NotCompiled as error:
                        uncompiled[op.name] = " ".join(str(error).split())[:200]
                        continue
                    right += found is None
                    if found is not None:
                        known = deviation(f"{case.name} {way}")
                        (wrong if known is None else otherwise).append(f"{case.name} {way}: {known or found}")
                shutil.rmtree(folder)
        print(f"{op.name}: {right} right, {len(wrong)} wrong, {len(refused)} refused", flush=True)
        differing += len(otherwise)
        for line in [*wrong, *otherwise, *(refused if options.show else refused[:1])]:
            print("   ", line, flush=True)
        total = {
            "right": total["right"] + right,
            "wrong": total["wrong"] + len(wrong),
            "refused": total["refused"] + len(refused),
        }
    for name, why in uncompiled.items():
        known = "" if name in NOT_COMPILED else " (not known of)"
        print(f"not compiled{known}: {name}: {why}")
    print(f"in all: {total['right']} right, {total['wrong']} wrong, {total['refused']} refused, {differing} otherwise, as told")
    return 1 if total["wrong"] or uncompiled.keys() - NOT_COMPILED else 0


if __name__ == "__main__":
    sys.exit(main())
