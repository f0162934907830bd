"""Layers of several inputs, and Merge of Keras 1, which was all of them."""

from __future__ import annotations

from typing import Any

from converter.importers.base import Refusal
from converter.importers.keras.legacy import masks
from converter.importers.keras.legacy.units import Arguments, Unit, rules, today, unit


@rules("Add", "Subtract", "Multiply", "Average", "Maximum", "Minimum", "Concatenate")
def merging(a: Arguments) -> Unit:
    """Elementwise merging and concatenation."""
    layer = today(a.kind, a)
    return Unit(a.kind, a.name, _joining(layer), plain=(layer,))


def _joining(layer: Any) -> Any:
    """A merging layer with masks as they were."""

    def call(x: Any, **kwargs: Any) -> Any:
        if not isinstance(x, (list, tuple)):
            raise Refusal("a merge of one input")
        masks.as_it_was(layer, x)
        return layer(x, **kwargs)

    return call


@rules("Dot")
def dot(a: Arguments) -> Unit:
    """Dot products of samples; Theano's of more than two axes are others."""
    made = unit(a, today("Dot", a))
    if not a.era.turned:
        return made

    def call(x: Any) -> Any:
        if any(len(t.shape) > 3 for t in x):
            raise Refusal("Dot of Theano with inputs of more than 3 axes")
        return made.call(x)

    return Unit(a.kind, a.name, call, plain=made.plain)


_MODES = {"sum": "Add", "mul": "Multiply", "ave": "Average", "max": "Maximum", "concat": "Concatenate", "dot": "Dot"}


@rules("Merge")
def merge(a: Arguments) -> Unit:
    """Merge in its modes; one that is a function of the user's own is refused."""
    import keras

    mode = a.take("mode")
    if a.take("mode_type", "raw") != "raw" or a.take("output_mask_type", "raw") != "raw" or not isinstance(mode, str):
        raise Refusal("a function of the user's own, which is not executed", "use a mode of Merge")
    if mode == "cos":
        return Unit(a.kind, a.name, _cosine(a.take("dot_axes")))
    if mode not in _MODES:
        raise Refusal(f"mode={mode!r}")
    given: dict[str, Any] = {}
    if mode == "concat":
        given["axis"] = a.take("concat_axis", -1)
    if mode == "dot":
        axes = a.take("dot_axes", -1)
        given["axes"] = tuple(axes) if isinstance(axes, list) else axes
    layer = getattr(keras.layers, _MODES[mode])(**given, name=a.name)
    joined = _joining(layer)

    def call(x: Any) -> Any:
        if mode == "dot" and any(len(t.shape) > 3 for t in x):
            raise Refusal("mode='dot' with inputs of more than 3 axes")
        return joined(x)

    return Unit(a.kind, a.name, call)


def _cosine(axes: Any) -> Any:
    """Cosine of vectors, (batch, 1, 1): the product over the root of the squares' product, which is at least 1e-7."""

    def call(x: Any) -> Any:
        from keras import ops

        first, second = x
        on = [axes % 2, axes % 2] if isinstance(axes, int) else list(axes)
        if len(first.shape) != 2 or len(second.shape) != 2 or on != [1, 1]:
            raise Refusal("mode='cos' of anything but vectors")
        product = [
            ops.sum(p * q, axis=1, keepdims=True) for p, q in ((first, first), (second, second), (first, second))
        ]
        length = ops.maximum(ops.sqrt(product[0] * product[1]), 1e-7)
        return ops.expand_dims(product[2] / length, 1)

    return call
