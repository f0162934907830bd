"""What a model is called with: the inputs of a functional model, or the user's examples bound to the arguments of `call`."""

from __future__ import annotations

import inspect
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from converter.errors import ConversionError, Unsupported, UsageError
from converter.importers.examples import array_shape, bind, is_leaf, labels_of, match, sizes, spec_of, spread
from converter.importers.names import argument_name
from ir.core import Parameter
from ir.core.signature import Leaf, tree_of
from ir.types import TensorType, dtype, symbol

CONTEXT = ("training", "mask", "self")
"""Arguments of `call` that Keras fills in."""


@dataclass
class Inputs:
    """Parameters of the signature, and type and example shape of each leaf by flat name, in order."""

    parameters: tuple[Parameter, ...]
    types: dict[str, TensorType]
    examples: dict[str, tuple[int | None, ...]]


def functional(model: Any) -> Any:
    """The functional graph of a model that has one: its inputs are part of it. None for others."""
    found = getattr(model, "_functional", None) or model
    return found if hasattr(found, "_inputs_struct") and hasattr(found, "_nodes") else None


def of_functional(graph: Any, given: Any, dynamic: Mapping[str, Any]) -> Inputs:
    """The inputs of a functional model: one parameter each, in Keras' own order, whatever structure holds them."""
    from keras import tree

    tensors = tree.flatten(graph._inputs_struct)
    optional = [t for t in tensors if t is None]
    if optional:
        raise UsageError("a model with inputs that may be absent cannot be read")
    names = _names(graph, tensors)
    _check_numbers(graph, names, tensors)
    specs = match(given, names)
    types, examples = {}, {}
    for name, tensor in zip(names, tensors, strict=True):
        item = specs.get(name)
        fallback = _fallback(name, len(tensor.shape), len(names) == 1)
        shape, example = sizes(name, tuple(tensor.shape), item, dynamic.get(name), fallback)
        types[name] = TensorType(dtype("bool" if tensor.dtype == "bool" else tensor.dtype), shape)
        examples[name] = example
    return Inputs(tuple(Parameter(n, Leaf(n)) for n in names), types, examples)


def _check_numbers(graph: Any, names: Sequence[str], tensors: Sequence[Any]) -> None:
    """Raise ConversionError for inputs that are text."""
    advice = "convert the layers behind it: keras.Model(x, y) from what the lookup or vectorization gives"
    items = [
        Unsupported(f"input {name!r}", "it holds text, which is no tensor of numbers", advice=advice)
        for name, tensor in zip(names, tensors, strict=True)
        if str(tensor.dtype) == "string"
    ]
    if items:
        raise ConversionError(f"{type(graph).__name__} cannot be converted exactly: an input is text", items)


def _names(graph: Any, tensors: Sequence[Any]) -> list[str]:
    """Input names that somebody chose; `inputs`, or `input_1` and so on where Keras has counted."""
    found = []
    for i, tensor in enumerate(tensors):
        name = str(tensor.name)
        counted = name.startswith(("keras_tensor", "input_layer")) or not name
        found.append(("inputs" if len(tensors) == 1 else f"input_{i + 1}") if counted else argument_name(name))
    if len(set(found)) < len(found):
        found = [f"input_{i + 1}" for i in range(len(tensors))]
    return found


def _fallback(name: str, rank: int, single: bool) -> list[str]:
    """Names for open sizes."""
    return ["batch" if axis == 0 else f"{'size' if single else name}_{axis}" for axis in range(rank)]


# -- models with a `call` of their own --------------------------------------------------------------------------------
def of_call(model: Any, given: Any, dynamic: Mapping[str, Any]) -> Inputs:
    """The user's arrays or specs, nested as they are, bound to the arguments of the model's `call`."""
    if given is None:
        raise UsageError(
            f"{type(model).__name__} has a call of its own: give inputs, arrays or specs such as float32[batch,8]"
        )
    arguments = [p for p in inspect.signature(model.call).parameters.values() if p.name not in CONTEXT]
    parameters, types, examples = [], {}, {}
    for argument, value in bind(spread(arguments, given), given):
        tree, found = tree_of(value, argument.name, is_leaf)
        keyword = argument.kind is inspect.Parameter.KEYWORD_ONLY
        parameters.append(Parameter(argument.name, tree, keyword))
        for name, leaf in found:
            types[name], examples[name] = _leaf(name, leaf, dynamic.get(name))
    return Inputs(tuple(parameters), types, examples)


def _leaf(name: str, item: Any, axes: Any) -> tuple[TensorType, tuple[int | None, ...]]:
    spec = spec_of(item)
    if spec is not None:
        return spec.type, tuple(d if isinstance(d, int) else None for d in spec.dims)
    shape = array_shape(item) or ()
    labels = labels_of(axes, len(shape))
    dims = tuple(symbol(labels[a] or f"{name}_{a}") if a in labels else n for a, n in enumerate(shape))
    from keras.src.backend import standardize_dtype

    return TensorType(dtype(standardize_dtype(item.dtype)), dims), shape
