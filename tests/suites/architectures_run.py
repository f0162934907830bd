"""One architecture in one dtype: imported once, exported to each target, verified, compared, held against its source."""

from __future__ import annotations

import contextlib
import importlib
import tempfile
import time
import warnings
from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import torch

from converter import ConversionError
from converter.exporters.base import ExportOptions
from converter.importers.base import ImportOptions
from converter.importers.torch.dtypes import to_numpy
from converter.prepare import prepare
from converter.runtimes.packages import load_package
from converter.sources import Source, open_source
from converter.verification import Baseline, measure, verify_against
from fixtures.architectures import Built, build
from ir.core import Model, copy_model
from ir.types import evaluate_dim
from tests.suites.elsewhere import Elsewhere
from tests.suites.running import WorkerFailed

DTYPES = ("float32", "bfloat16")
TARGETS = ("onnx", "torch")
VERDICTS = ("passed", "unproven", "refused", "wrong", "crashed")
"""unproven: verification itself says that the noise is too large, or rounding decides too much, to prove anything."""

UNSEEN = (
    {"batch": 2, "length": 11, "target": 5, "time": 805, "frames": 21, "images": 3},
    {"batch": 4, "length": 6, "target": 9, "time": 512, "frames": 12, "images": 1},
)
"""Sizes of our own comparison: none is the example's."""
MARGIN = 4.0
"""A converted model may be this many times as far from float64 as the library itself, which is never less than
LEAST units in the last place of the largest number."""
LEAST = 4.0


@dataclass(frozen=True)
class Outcome:
    """`verdict` is one of VERDICTS; `what` and `detail` say what was refused, or what went wrong."""

    name: str
    dtype: str
    to: str
    verdict: str
    what: str = ""
    detail: str = ""
    seconds: float = 0.0


def run_architecture(name: str, dtype: str) -> list[Outcome]:
    """Outcomes to each target."""
    started = time.monotonic()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        case = Case(name, dtype)
        verdict = _attempt(case.load)
        if verdict[0] != "passed":
            found = [Outcome(name, dtype, to, *verdict) for to in TARGETS]
        else:
            found = [Outcome(name, dtype, to, *_attempt(lambda to=to: case.answer(to))) for to in TARGETS]
    share = (time.monotonic() - started) / len(TARGETS)
    return [replace(o, seconds=round(share, 1)) for o in found]


class Unproven(Exception):
    """Verification could not tell; the message is its own."""


def _attempt(work: Any) -> tuple[str, str, str]:
    try:
        problem = work()
    except ConversionError as error:
        if error.message.startswith("internal"):
            return "crashed", "converter", error.message
        first = error.unsupported[0] if error.unsupported else None
        return ("refused", first.op, first.reason) if first else ("refused", type(error).__name__, error.message)
    except Unproven as error:
        return "unproven", "verification", str(error)
    except WorkerFailed as error:
        return "crashed", "converted model", str(error)
    except Exception as error:  # noqa: BLE001 - whatever the converter raises beside its own errors is a crash
        return "crashed", "converter", f"{type(error).__name__}: {error}"
    return ("wrong", *problem) if problem else ("passed", "", "")


class Case:
    """An architecture in one dtype with what all targets share."""

    def __init__(self, name: str, dtype: str) -> None:
        self.built: Built = build(name, dtype)
        self.model: Model
        self.source: Source
        self.inputs = self.built.inputs()

    def load(self) -> tuple[str, str] | None:
        """Import the module, its named sizes dynamic; what is lost there."""
        self.source = open_source(self.built.module, None, ImportOptions(dynamic=self.built.dynamic))
        self.model = self.source.load(self.inputs)
        return self.lost_names()

    def lost_names(self) -> tuple[str, str] | None:
        """Parameters of the source that the import does not have as trainable parameters under their names."""
        own = {n for n, p in self.built.module.named_parameters() if p.requires_grad}
        read = {w.name for w in self.model.parameters() if w.trainable}
        return ("parameters", f"lost {sorted(own - read)[:3]}, new {sorted(read - own)[:3]}") if own != read else None

    @cached_property
    def baseline(self) -> Baseline:
        """The source's side of verification, measured once."""
        return measure(self.source, self.model, self.inputs)

    def answer(self, to: str) -> tuple[str, str] | None:
        """Export and try; what is wrong."""
        with tempfile.TemporaryDirectory(prefix="architecture-") as name:
            path = Path(name) / ("model.onnx" if to == "onnx" else "model")
            model = copy_model(self.model)
            prepare(model)
            importlib.import_module(f"converter.exporters.{to}").write(model, path, ExportOptions())
            runner = Elsewhere(path, to, model)
            problem = self.verified(runner) or self.compared(runner)
            if problem is None and to == "torch":
                problem = self.owned(path)
            return problem

    def verified(self, runner: Elsewhere) -> tuple[str, str] | None:
        """The product's own verification."""
        report = verify_against(self.baseline, runner).report
        if report.verdict == "inconclusive":
            raise Unproven(report.summary())
        return None if report.verdict == "equal" else ("verification", report.summary())

    def compared(self, runner: Elsewhere) -> tuple[str, str] | None:
        """Against the library in float64, at sizes that the conversion has not seen."""
        for k, sizes in enumerate(s for s in UNSEEN if self.takes(s)):
            given = self.built.inputs(100 + k, **sizes)
            own = self.flat(self.built(given))
            truth = self.truth(given)
            found = runner({n: to_numpy(x) for n, x in given.items()})
            if list(found) != list(own):
                return "comparison", f"outputs {list(found)} instead of {list(own)}"
            for name, want in own.items():
                if problem := differs(found[name], want, truth[name]):
                    return "comparison", f"{name} at {sizes}: {problem}"
        return None

    def truth(self, given: Mapping[str, torch.Tensor]) -> dict[str, np.ndarray]:
        """What the library computes in float64, or in float32 where it has no kernel for that."""
        for kind in (torch.float64, torch.float32):
            wide = build(self.built.row.name, "float32")
            wide.module.load_state_dict(self.built.module.state_dict())
            wide.module.to(kind)
            try:
                return self.flat(wide({n: x.to(kind) if x.is_floating_point() else x for n, x in given.items()}))
            except RuntimeError as error:
                if kind == torch.float32 or "Double" not in str(error):
                    raise
        raise AssertionError

    def takes(self, sizes: dict[str, int]) -> bool:
        """Whether the import states that it is for these sizes."""
        with contextlib.suppress(KeyError):
            return all(evaluate_dim(a.left, sizes) == evaluate_dim(a.right, sizes) for a in self.model.assumptions)
        return True

    def flat(self, result: Any) -> dict[str, np.ndarray]:
        """A result's tensors under the names that the converted model has for them."""
        from torch.utils import _pytree as pytree

        leaves = [x for x in pytree.tree_leaves(result) if isinstance(x, torch.Tensor)]
        return {n: to_numpy(x.contiguous()) for n, x in zip(self.model.output_types, leaves, strict=True)}

    def owned(self, path: Path) -> tuple[str, str] | None:
        """The emitted module has the source's parameters, ties and flags, and takes its weights."""
        source, module = self.built.module, load_package(path)
        for what in (parameters, ties):
            if what(module) != what(source):
                odd = sorted(map(str, set(what(module)) ^ set(what(source))))
                return what.__name__, f"differ from the source's: {odd[:4]}"
        try:
            module.load_state_dict(source.state_dict())
        except RuntimeError as error:
            return "state_dict", str(error)[:300]
        return None


def differs(got: np.ndarray, own: np.ndarray, truth: np.ndarray) -> str:
    """In words, how a result differs from float64 beyond what the library's own does; empty when it does not."""
    if got.shape != own.shape or got.dtype != own.dtype:
        return f"{got.dtype}{list(got.shape)} instead of {own.dtype}{list(own.shape)}"
    if got.dtype.kind in "biu":
        return f"{int((got != own).sum())} of {got.size} differ" if (got != own).any() else ""
    eps = float(torch.finfo(getattr(torch, got.dtype.name)).eps)
    wide, mine, exact = got.astype(np.float64), own.astype(np.float64), truth.astype(np.float64)
    if (np.isfinite(wide) != np.isfinite(mine)).any():
        return "infinities or NaN at other places"
    kept = np.isfinite(mine) & np.isfinite(exact)
    if not kept.any():
        return ""
    floor = max(float(np.abs(mine - exact)[kept].max()), LEAST * eps * float(np.abs(exact[kept]).max()))
    error = float(np.abs(wide - exact)[kept].max())
    return f"off by {error:.3g} where the library is off by {floor:.3g}" if error > MARGIN * floor else ""


def parameters(module: torch.nn.Module) -> dict[str, tuple]:
    """Name -> shape and flag; a tied parameter counts once."""
    return {n: (tuple(p.shape), p.requires_grad) for n, p in module.named_parameters()}


def ties(module: torch.nn.Module) -> set[frozenset[str]]:
    """Groups of names that are one tensor."""
    groups: dict[int, set[str]] = {}
    for name, parameter in module.named_parameters(remove_duplicate=False):
        groups.setdefault(id(parameter), set()).add(name)
    return {frozenset(g) for g in groups.values() if len(g) > 1}
