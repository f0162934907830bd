"""One architecture of `keras.applications` to both targets: `python -m tests.suites.applications_run NAME` prints JSON."""

from __future__ import annotations

import inspect
import json
import os
import re
import sys
import tempfile
import time
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

TARGETS = ("torch", "onnx")
SIZES = (32, 71, 75, 96, 128, 224)
"""Heights and widths to try, smallest first."""
SOFT = 0.3
"""What batch norms scale by in a model that would answer by rounding alone."""


@dataclass
class Outcome:
    """What came of one architecture and target. `lines` are those of the emitted code, `inside` the transposes between
    operations, `note` what is not as with the others."""

    name: str
    to: str
    verdict: str
    detail: str = ""
    size: int = 0
    parameters: int = 0
    lines: int = 0
    inside: int = 0
    seconds: float = 0.0
    note: str = ""


def architectures() -> list[str]:
    """Names of all, in order."""
    import keras

    return sorted(n for n, f in vars(keras.applications).items() if inspect.isfunction(f))


def build(name: str) -> tuple[Any, int]:
    """A model with random weights on the smallest images it takes, ten classes; its statistics are those of images.

    With the statistics it begins with, each block of a deep one doubles what it is given, and its softmax answers by
    rounding alone.
    """
    import keras

    keras.utils.set_random_seed(0)
    for size in SIZES:
        try:
            net = getattr(keras.applications, name)(weights=None, input_shape=(size, size, 3), classes=10)
        except ValueError:
            continue
        if all(0 not in t.shape[1:] for op in net.operations for t in _tensors(op)):
            _measure_statistics(net, size)
            return net, size
    raise ValueError(f"{name} takes none of the sizes {SIZES}")


def _measure_statistics(net: Any, size: int) -> None:
    """Every batch norm takes the mean and variance of 64 random images."""
    norms = _norms(net)
    momenta = [layer.momentum for layer in norms]
    for layer in norms:
        layer.momentum = 0.0
    net(images(64, size, seed=0), training=True)
    for layer, momentum in zip(norms, momenta, strict=True):
        layer.momentum = momentum


def _norms(net: Any) -> list[Any]:
    import keras

    return [layer for layer in net.layers if isinstance(layer, keras.layers.BatchNormalization)]


def images(count: int, size: int, seed: int) -> np.ndarray:
    """Random images, [count, size, size, 3], of the range that pixels have."""
    return np.random.default_rng(seed).uniform(0, 255, (count, size, size, 3)).astype(np.float32)


def _tensors(operation: Any) -> list[Any]:
    outputs = operation.output
    return list(outputs) if isinstance(outputs, (list, tuple)) else [outputs]


def run(name: str) -> list[Outcome]:
    """Convert to each target, verify, count.

    A model whose answers rounding decides, which proves nothing, is tried with smaller scales: a deep one with random
    weights can make of every difference a larger one, block by block.
    """
    net, size = build(name)
    found = [_convert(name, net, size, to) for to in TARGETS]
    if all(o.verdict != "inconclusive" for o in found):
        return found
    _soften(net, size)
    again = [_convert(name, net, size, to) for to in TARGETS]
    return [replace(o, note=f"its batch norms scale by {SOFT}") for o in again]


def _soften(net: Any, size: int) -> None:
    """Every batch norm scales by `SOFT`, so that what a block adds is small beside what it is given."""
    for layer in _norms(net):
        if layer.scale:
            layer.gamma.assign(np.full(layer.gamma.shape, SOFT))
    _measure_statistics(net, size)


def _convert(name: str, net: Any, size: int, to: str) -> Outcome:
    import converter
    from converter.errors import ConversionError, VerificationError

    started = time.monotonic()
    outcome = Outcome(name, to, "passed", size=size)
    with tempfile.TemporaryDirectory() as folder:
        target = Path(folder) / ("model.onnx" if to == "onnx" else "package")
        try:
            done = converter.convert(net, to=to, output=target, inputs=images(2, size, seed=1))
        except VerificationError as error:
            outcome.verdict, outcome.detail = "wrong", str(error)
        except ConversionError as error:
            outcome.verdict, outcome.detail = "refused", str(error)
        else:
            _judge(outcome, net, done, target)
    outcome.seconds = round(time.monotonic() - started, 1)
    return outcome


def _judge(outcome: Outcome, net: Any, done: Any, target: Path) -> None:
    report = done.report.verification
    outcome.parameters = _count(done.model)
    wanted = sum(_size(v.shape) for v in net.trainable_variables)
    outcome.detail = report.summary()
    outcome.lines, outcome.inside = _torch(target) if outcome.to == "torch" else _onnx(target)
    if report.verdict != "equal":
        outcome.verdict = report.verdict
    elif outcome.parameters != wanted:
        outcome.verdict, outcome.detail = "wrong", f"{outcome.parameters} parameters instead of {wanted}"
    elif outcome.inside:
        outcome.verdict, outcome.detail = "transposed", f"{outcome.inside} transposes between operations"


def _size(shape: Any) -> int:
    total = 1
    for n in shape:
        total *= int(n)
    return total


def _count(model: Any) -> int:
    return sum(_size(w.type.shape) for w in model.parameters() if w.trainable)


def _torch(folder: Path) -> tuple[int, int]:
    """Lines of model.py; transposes other than of the root's inputs."""
    text = (folder / "model.py").read_text("utf-8")
    return len(text.splitlines()), len(re.findall(r"\.(permute|movedim|transpose|mT)\b", text)) - len(
        re.findall(r"inputs\.permute\(", text)
    ) - text.count("found.permute(")


def _onnx(file: Path) -> tuple[int, int]:
    """Nodes; Transpose nodes that neither read an input or a weight nor give an output."""
    import onnx

    graph = onnx.load(file, load_external_data=False).graph
    ends = {v.name for v in (*graph.input, *graph.output, *graph.initializer)}
    inside = [n for n in graph.node if n.op_type == "Transpose" and not ends & {*n.input, *n.output}]
    return len(graph.node), len(inside)


def main() -> None:
    """Print the outcomes of the architecture that the command line names."""
    os.environ.setdefault("KERAS_BACKEND", "tensorflow")
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    print(json.dumps([asdict(o) for o in run(sys.argv[1])]))


if __name__ == "__main__":
    main()
