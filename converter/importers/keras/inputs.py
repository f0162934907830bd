"""What a model is called with: the inputs of a functional model, or the user's examples bound to the arguments of `call`."""

from __future__ import annotations

import inspect
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from converter.errors import UsageError
from converter.importers.specs import InputSpec, is_spec, parse_spec
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
    specs = _match(given, names)
    types, examples = {}, {}
    for name, tensor in zip(names, tensors, strict=True):
        item = specs.get(name)
        shape, example = _shape(name, tuple(tensor.shape), item, dynamic.get(name), len(names) == 1)
        types[name] = TensorType(dtype("bool" if tensor.dtype == "bool" else tensor.dtype), shape)
        examples[name] = example
    return Inputs(tuple(Parameter(n, Leaf(n)) for n in names), types, examples)


def _names(graph: Any, tensors: Sequence[Any]) -> list[str]:
    """Input names that somebody chose; `inputs`, or `input_1` and so on where Keras has counted."""
    found = []
    for i, tensor in enumerate(tensors):
        name = str(tensor.name)
        counted = name.startswith(("keras_tensor", "input_layer")) or not name
        plain = "".join(c if c.isalnum() else "_" for c in name)
        found.append(("inputs" if len(tensors) == 1 else f"input_{i + 1}") if counted else plain)
    if len(set(found)) < len(found):
        found = [f"input_{i + 1}" for i in range(len(tensors))]
    return found


def _match(given: Any, names: Sequence[str]) -> dict[str, Any]:
    """The user's arrays or specs by input name."""
    if given is None:
        return {}
    if isinstance(given, Mapping):
        unknown = [k for k in given if k not in names]
        if unknown and len(names) == 1 and len(given) == 1:
            return {names[0]: next(iter(given.values()))}
        if unknown:
            raise UsageError(f"no input is called {unknown[0]!r}; inputs are {', '.join(names)}")
        return dict(given)
    items = list(given) if isinstance(given, (list, tuple)) else [given]
    if len(items) == 1 and isinstance(items[0], (list, tuple)) and len(names) > 1:
        items = list(items[0])
    if len(items) == 1 and isinstance(items[0], Mapping):
        return _match(items[0], names)
    if len(items) != len(names):
        raise UsageError(f"{len(items)} inputs were given, the model takes {len(names)}: {', '.join(names)}")
    return dict(zip(names, items))


def _shape(name: str, declared: tuple[int | None, ...], item: Any, axes: Any, single: bool) -> Any:
    """Dims (None of the model is dynamic) and the sizes of the example. A spec may name or fix sizes."""
    spec = _spec(item)
    own = _array_shape(item)
    labels = _labels(axes, len(declared))
    if spec is not None and len(spec.dims) != len(declared):
        raise UsageError(f"{name} has {len(declared)} axes, the spec {spec} has {len(spec.dims)}")
    if own is not None and len(own) != len(declared):
        raise UsageError(f"{name} has {len(declared)} axes, the example {list(own)} has {len(own)}")
    dims: list[Any] = []
    for axis, size in enumerate(declared):
        wished = spec.dims[axis] if spec is not None else labels.get(axis)
        if size is not None:
            if isinstance(wished, int) and wished != size:
                raise UsageError(f"{name}: axis {axis} is {size}, not {wished}")
            dims.append(int(size))
        elif isinstance(wished, int):
            dims.append(wished)
        else:
            dims.append(symbol(wished or ("batch" if axis == 0 else f"{'size' if single else name}_{axis}")))
    example = own if own is not None else tuple(d if isinstance(d, int) else None for d in dims)
    for axis, (dim, size) in enumerate(zip(dims, example)):
        if isinstance(dim, int) and size is not None and size != dim:
            raise UsageError(f"{name}: axis {axis} is {dim}, the example has {size}")
    return tuple(dims), example


def _labels(axes: Any, rank: int) -> dict[int, str | None]:
    """Dynamic axes that the user named: a list, or axis -> name."""
    if axes is None:
        return {}
    found = dict(axes) if isinstance(axes, Mapping) else dict.fromkeys(axes)
    return {int(a) % max(rank, 1): n for a, n in found.items()}


def _spec(item: Any) -> InputSpec | None:
    if isinstance(item, InputSpec):
        return item
    return parse_spec(item) if is_spec(item) else None


def _array_shape(item: Any) -> tuple[int, ...] | None:
    if item is None or isinstance(item, (InputSpec, str)):
        return None
    return tuple(int(d) for d in (item.shape if hasattr(item, "shape") else np.shape(item)))


# -- models with a `call` of their own --------------------------------------------------------------------------------
def of_call(model: Any, given: Any, dynamic: Mapping[str, Any]) -> Inputs:
    """The user's arrays or specs, nested as they are, bound to the arguments of the model's `call`."""
    if given is None:
        raise UsageError(
            f"{type(model).__name__} has a call of its own: give inputs, arrays or specs such as float32[batch,8]"
        )
    arguments = [p for p in inspect.signature(model.call).parameters.values() if p.name not in CONTEXT]
    parameters, types, examples = [], {}, {}
    for argument, value in _bind(arguments, given):
        tree, found = tree_of(value, argument.name, _is_leaf)
        keyword = argument.kind is inspect.Parameter.KEYWORD_ONLY
        parameters.append(Parameter(argument.name, tree, keyword))
        for name, leaf in found:
            types[name], examples[name] = _leaf(name, leaf, dynamic.get(name))
    return Inputs(tuple(parameters), types, examples)


def _is_leaf(item: Any) -> bool:
    return is_spec(item) or isinstance(item, InputSpec) or (hasattr(item, "shape") and hasattr(item, "dtype"))


def _bind(arguments: list[inspect.Parameter], given: Any) -> list[tuple[inspect.Parameter, Any]]:
    by_name = {p.name: p for p in arguments}
    if isinstance(given, Mapping) and set(given) <= set(by_name):
        return [(by_name[k], v) for k, v in given.items()]
    if isinstance(given, (list, tuple)) and len(given) <= len(arguments):
        return list(zip(arguments, given))
    if not arguments:
        raise UsageError("the model's call takes no inputs")
    if _is_leaf(given) or len([p for p in arguments if p.default is inspect.Parameter.empty]) == 1:
        return [(arguments[0], given)]
    raise UsageError(f"the inputs do not fit the arguments of call: {', '.join(by_name)}")


def _leaf(name: str, item: Any, axes: Any) -> tuple[TensorType, tuple[int | None, ...]]:
    spec = _spec(item)
    if spec is not None:
        return spec.type, tuple(d if isinstance(d, int) else None for d in spec.dims)
    shape = _array_shape(item) or ()
    labels = _labels(axes, len(shape))
    dims = tuple(symbol(labels[a] or f"{name}_{a}") if a in labels else n for a, n in enumerate(shape))
    from keras.src.backend import standardize_dtype

    return TensorType(dtype(standardize_dtype(item.dtype)), dims), shape
