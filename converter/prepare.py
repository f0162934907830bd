"""The passes every conversion runs between import and export."""

from __future__ import annotations

from collections import Counter

from converter.errors import UsageError
from ir.core import Model
from ir.ops.axes import Layout
from ir.passes import Pass, Pipeline, recognition, standard
from ir.passes.layout import InputLayout, Relayout, input_roles
from ir.passes.log import Log

LAYOUTS: dict[str, Layout] = {
    "torch": "channels_first", "onnx": "channels_first", "keras": "channels_last", "tensorflow": "channels_last",
}  # fmt: skip
"""The layout in which a target runs its spatial ops; a target that is not here takes each op as it is."""


def prepare(model: Model, diff: bool = False, target: str | None = None, input_layout: Layout | None = None) -> Log:
    """Run the passes on `model` in place, for a target or any; the log tells each edit and its reason.

    Inputs keep the source's layout unless `input_layout` says otherwise; raises UsageError where no input has one.
    """
    log = standard(diff=diff).run(model)
    log = recognition(keeps_weights(model, target), diff=diff, inside=target != "keras").run(model, log)
    layouts: list[Pass] = []
    if input_layout is not None:
        if not input_roles(model.graph, input_layout):
            raise UsageError("no input of the model has channels whose layout could be chosen: no spatial op reads one")
        layouts.append(InputLayout(input_layout))
    if target in LAYOUTS:
        layouts.append(Relayout(LAYOUTS[target], keep_weights=model.metadata.get("framework") == target))
    before = len(log.steps)
    log = Pipeline(tuple(layouts), diff=diff).run(model, log)
    return standard(diff=diff).run(model, log) if any(s.changed for s in log.steps[before:]) else log


def keeps_weights(model: Model, target: str | None = None) -> bool:
    """Whether every weight keeps its name and shape: those of a module are its interface, and a file's are its own.

    They may change where another exporter wrote the file that code is made of: it stores a dense layer's weight as
    the product takes it, under a name that it counted. A TensorFlow model's product becomes the dense layer of PyTorch, and of
    Keras, which keeps the matrix as TensorFlow does.
    """
    framework = model.metadata.get("framework")
    if framework == "tensorflow":
        return target not in ("torch", "keras")
    ours = str(model.metadata.get("versions", {}).get("producer", "")).startswith("isomorph")
    return framework != "onnx" or ours or target == "onnx"


def op_counts(model: Model) -> dict[str, int]:
    """How often each op occurs, most frequent first."""
    return dict(Counter(node.op.name for node in model.nodes()).most_common())
