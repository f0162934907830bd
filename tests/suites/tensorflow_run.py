"""Models of TensorFlow to every target: `python -m tests.suites.tensorflow_run NAMES` prints JSON, a line each."""

from __future__ import annotations

import importlib
import json
import math
import os
import re
import sys
import tempfile
import time
import warnings
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

from converter import ConversionError
from converter.exporters.base import ExportOptions
from converter.importers.base import ImportOptions
from converter.prepare import prepare
from converter.runtimes.packages import load_package, read_metadata
from converter.sources import open_source
from converter.verification import Baseline, measure, verify_against
from ir.core import copy_model
from tests.suites.elsewhere import Elsewhere

TARGETS = ("torch", "onnx", "keras", "tensorflow")
VERDICTS = ("passed", "refused", "wrong", "unproven", "crashed")
APPLICATIONS = ("MobileNetV2", "ResNet50", "EfficientNetB0", "DenseNet121")
"""Architectures of `keras.applications`, exported as SavedModels."""
_UNREAD = {"EfficientNetB0": "normalization"}
"""Layers whose variables an exported graph does not read: it holds their numbers as constants."""


@dataclass
class Outcome:
    """What came of a model and a target. `trainable` and `frozen` count the numbers in what was written, `lines` those of
    its code or its nodes, `inside` the weights that are turned whenever it runs."""

    name: str
    to: str
    verdict: str
    detail: str = ""
    trainable: int = 0
    frozen: int = 0
    lines: int = 0
    inside: int = 0
    seconds: float = 0.0


def names() -> list[str]:
    """The models in order."""
    from fixtures.tensorflow import TABLE

    return [*TABLE, *APPLICATIONS]


def build(name: str, folder: Path) -> Any:
    """A source, what it is converted with, and its counts; files go to the folder."""
    import fixtures.tensorflow

    if name not in APPLICATIONS:
        return fixtures.tensorflow.build(name, folder)
    from fixtures.tensorflow.base import size
    from fixtures.tensorflow.files import exported
    from tests.suites import applications_run

    net, _ = applications_run.build(name)
    unread = size(net.get_layer(_UNREAD[name]).weights) if name in _UNREAD else 0
    return exported(net, folder, unread)


def run(name: str, targets: Sequence[str] = TARGETS) -> list[Outcome]:
    """Build, import once, convert to each target, verify, count."""
    with tempfile.TemporaryDirectory(prefix="suite-") as folder:
        try:
            case = Case(name, Path(folder))
        except ConversionError as error:
            return [Outcome(name, to, *refused(error)) for to in targets]
        return [case.outcome(to) for to in targets]


def refused(error: ConversionError) -> tuple[str, str]:
    """Verdict and reason of an error of the converter's own."""
    first = error.unsupported[0] if error.unsupported else None
    verdict = "crashed" if error.message.startswith("internal") else "refused"
    return verdict, f"{first.op}: {first.reason}" if first else error.message


class Case:
    """A model with what all targets share: its import, and the source's side of verification."""

    def __init__(self, name: str, folder: Path) -> None:
        self.name, self.folder = name, folder
        self.built = build(name, folder)
        self.source = open_source(self.built.source, None, ImportOptions(**self.built.options))
        self.model = self.source.load(None)

    @cached_property
    def baseline(self) -> Baseline:
        """Source and reference on the compared inputs."""
        return measure(self.source, copy_model(self.model))

    def outcome(self, to: str) -> Outcome:
        """One conversion, judged."""
        started = time.monotonic()
        outcome = Outcome(self.name, to, "passed")
        try:
            self._judge(outcome)
        except ConversionError as error:
            outcome.verdict, outcome.detail = refused(error)
        except Exception as error:  # noqa: BLE001 - whatever the converter raises beside its own errors is a crash
            outcome.verdict, outcome.detail = "crashed", f"{type(error).__name__}: {error}"
        outcome.seconds = round(time.monotonic() - started, 1)
        return outcome

    def _judge(self, outcome: Outcome) -> None:
        to = outcome.to
        path = self.folder / ("model.onnx" if to == "onnx" else f"as_{to}")
        model = copy_model(self.model)
        prepare(model, target=to)
        importlib.import_module(f"converter.exporters.{to}").write(model, path, ExportOptions())
        report = verify_against(self.baseline, Elsewhere(path, to, model)).report
        outcome.detail = report.summary()
        outcome.lines, outcome.inside = _graph(path) if to == "onnx" else _code(path)
        if report.verdict != "equal":
            outcome.verdict = "wrong" if report.verdict == "mismatch" else "unproven"
        elif to != "onnx":
            self._count(outcome, path)

    def _count(self, outcome: Outcome, path: Path) -> None:
        outcome.trainable, outcome.frozen = held(path, outcome.to)
        wanted = (self.built.trainable, self.built.frozen)
        if wanted != (None, None) and (outcome.trainable, outcome.frozen) != wanted:
            found = f"{outcome.trainable:,} trained and {outcome.frozen:,} frozen numbers"
            outcome.verdict, outcome.detail = "wrong", f"{found}; the source has {wanted[0]:,} and {wanted[1]:,}"


def held(folder: Path, to: str) -> tuple[int, int]:
    """Numbers of a package that are trained, as the framework itself says, and those that are not but are variables in
    the source."""
    net = load_package(folder)
    if to == "torch":
        trained = sum(p.numel() for p in net.parameters() if p.requires_grad)
    else:
        trained = sum(math.prod(v.shape) for v in net.trainable_variables)
    records = read_metadata(folder)["weights"].values()
    frozen = [
        r for r in records if r["kind"] != "constant" and r["trainable"] is False
    ]  # None: the source does not say
    return trained, sum(_numbers(r["type"]) for r in frozen)


def _numbers(text: str) -> int:
    """How many numbers a tensor of this type holds, as `float32[3,4]`."""
    return math.prod(int(n) for n in re.findall(r"\d+", text.partition("[")[2]))


_WEIGHT = r"self(?:\.\w+)+(?![\w.(])"
_TURNED = re.compile(
    rf"(?:transpose|permute|movedim)\((?:ops\.convert_to_tensor\()?{_WEIGHT}|self(?:\.\w+)+\.(?:permute|movedim)\("
)


def _code(folder: Path) -> tuple[int, int]:
    """Lines of model.py; weights that it turns each time it runs."""
    text = (folder / "model.py").read_text("utf-8")
    return len(text.splitlines()), len(_TURNED.findall(text))


def _graph(file: Path) -> tuple[int, int]:
    """Nodes; Transpose nodes that read a weight."""
    import onnx

    graph = onnx.load(file, load_external_data=False).graph
    stored = {t.name for t in graph.initializer}
    return len(graph.node), sum(n.op_type == "Transpose" and n.input[0] in stored for n in graph.node)


def main() -> None:
    """Print the outcomes of each model that the command line names, one JSON list a line."""
    os.environ.setdefault("KERAS_BACKEND", "tensorflow")
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    warnings.simplefilter("ignore")
    for name in sys.argv[1:]:
        print(json.dumps([asdict(o) for o in run(name)]), flush=True)


if __name__ == "__main__":
    main()
