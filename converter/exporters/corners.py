"""Gradients where a derivative jumps or does not exist: one note where the target takes another than the source.

All of it is measured. PyTorch halves the gradient between two operands that are alike, where TensorFlow gives it to the first;
it has 0 where TensorFlow finds NaN (`atan2(0, 0)`, `0 ** 0`) or lets the gradient of a slope pass (its ends, in a hard sigmoid).
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from ir.core import Model, Node

_WHERE = {
    "tensorflow": ("TensorFlow", "TensorFlow"),
    "keras": ("Keras on TensorFlow", "Keras on TensorFlow and JAX"),
}
"""How notes call a target: where TensorFlow differs, and where JAX does as well."""
HALVES = (
    "where both operands of a maximum or minimum are alike, PyTorch gives each half of the gradient, the source the first all"
)


def tell_corners(model: Model, written: Model, target: str) -> None:
    """Put notes into `written` on operations of `model` whose gradients the target has otherwise somewhere."""
    source = computed_by(model)
    nodes = [n for n in model.nodes() if n.outputs[0].type.dtype.is_float]
    found: list[str] = []
    if source == "torch" and target in _WHERE:
        here, also = _WHERE[target]
        found = [text.format(here=here, also=also) for text, holds in _RULES if any(holds(n, target) for n in nodes)]
    elif source == "tensorflow" and target == "torch" and any(n.op.name in _EXTREMA for n in nodes):
        found = [HALVES]
    written.notes += [n for n in found if n not in written.notes]


def computed_by(model: Model) -> str:
    """The framework that computes a source and its gradients: of a Keras model its backend, "keras" where none is known."""
    framework = str(model.metadata.get("framework"))
    if framework != "keras":
        return framework
    versions = model.metadata.get("versions")
    return str(versions.get("backend", framework)) if isinstance(versions, dict) else framework


_EXTREMA = ("maximum", "minimum")
_SCATTERS = ("scatter_nd", "scatter_elements")


def _may_be_zero(node: Node) -> bool:
    """Whether a power may be 0 ** 0."""
    producer = node.inputs[1].producer
    return producer is None or producer.op.name != "constant" or bool(np.any(producer.attrs["value"].value == 0))


def _shared(node: Node, target: str) -> bool:
    """Whether several equal extremes of what is written are told apart: TensorFlow's own functions share as PyTorch does."""
    ties = node.op.name in _SCATTERS and node.attrs["reduction"] in ("max", "min")
    return ties and (target == "keras" or not node.attrs["include_self"])


_RULES: tuple[tuple[str, Callable[[Node, str], bool]], ...] = (
    (
        "where both operands of a maximum or minimum are alike, {here} gives the first the whole gradient, the source each half "
        "of it",
        lambda n, _: n.op.name in _EXTREMA,
    ),
    ("the gradient of atan2(0, 0) is NaN in {also}, 0 in the source", lambda n, _: n.op.name == "atan2"),
    ("the gradient of 0 ** 0 is NaN in {also}, 0 in the source", lambda n, _: n.op.name == "pow" and _may_be_zero(n)),
    (
        "at both ends of its slope, a hard sigmoid or hard swish has a gradient in {here}, none in the source",
        lambda n, _: n.op.name in ("hard_sigmoid", "hard_swish"),
    ),
    (
        "where the largest or smallest of what is written to one place is there several times, {here} shares the gradient in "
        "another way than the source",
        _shared,
    ),
)


__all__ = ["HALVES", "computed_by", "tell_corners"]
