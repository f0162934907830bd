"""Example inputs: from arrays, tensors or specs to what torch.export takes, and to the signature."""

from __future__ import annotations

import copy
import inspect
import math
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np

from converter.errors import ConversionError, UsageError
from converter.importers.base import ImportOptions
from converter.importers.specs import InputSpec, parse_spec
from converter.importers.torch.dtypes import from_numpy, torch_dtype
from ir.core import Parameter
from ir.core.signature import named_fields, tree_of

PRIMES = (5, 7, 11, 13, 17, 19, 23, 29, 31, 37, 41, 43, 47, 53, 59, 61)
SMALLEST = 5
"""Dynamic sizes below this are exported as larger ones: `x[1:]` of 2 rows has a size 1, which torch would fix."""
LARGEST = 2**26
"""Elements of an example: larger choices of sizes than the first are not made for a tensor of more."""


@dataclass
class Example:
    """What torch.export is called with, and how its leaves are named.

    `dims[flat name]` maps an axis to the user's name for its size; every tensor leaf of `args` and `kwargs` is a
    tensor object of its own. `sizes` are the sizes of names, `chosen` whether any was picked here.
    """

    args: tuple[Any, ...]
    kwargs: dict[str, Any]
    parameters: tuple[Parameter, ...]
    leaves: list[tuple[str, Any]]
    dims: dict[str, dict[int, str]] = field(default_factory=dict)
    sizes: dict[str, int] = field(default_factory=dict)
    positional: tuple[str, ...] = ()
    chosen: bool = False

    @property
    def is_dynamic(self) -> bool:
        """Whether any size has a name."""
        return any(self.dims.values())

    def dynamic_shapes(self) -> Any:
        """The `dynamic_shapes` of torch.export: named axes are AUTO, checked afterwards. None when all is static."""
        import torch
        from torch.utils import _pytree as pytree

        if not self.is_dynamic:
            return None
        auto = torch.export.Dim.AUTO
        by_id = {id(t): dict.fromkeys(self.dims.get(name, {}), auto) or None for name, t in self.leaves}
        shapes = pytree.tree_map(lambda x: by_id.get(id(x)), (self.args, self.kwargs))
        return self._by_parameter(*shapes)

    def _by_parameter(self, args: Any, kwargs: Any) -> Any:
        return {**dict(zip(self.positional, args, strict=True)), **kwargs}


def example_of(module: Any, inputs: Any, options: ImportOptions, scale: int = 1) -> Example:
    """Read `inputs` for a module; raises UsageError, and ConversionError where the scale makes a tensor too large.
    `scale` multiplies the sizes chosen for named dims; 0 keeps the sizes of the given tensors, however small."""
    if inputs is None:
        raise UsageError("PyTorch modules need example inputs or specs: inputs=('float32[batch,3,224,224]',)")
    signature = inspect.signature(module.forward)
    args, kwargs = _arrange(signature, inputs)
    reader = _Leaves(max(scale, 1))
    args = tuple(reader.visit(a) for a in args)
    kwargs = {k: reader.visit(v) for k, v in kwargs.items()}
    parameters, leaves = _parameters(signature, args, kwargs)
    names = _positional_names(signature, len(args))
    found = {id(t): spec for t, spec in reader.specs}
    example = Example(args, kwargs, parameters, leaves, positional=names)
    for name, tensor in leaves:
        spec = found.get(id(tensor))
        example.dims[name] = {a: d for a, d in enumerate(spec.dims) if isinstance(d, str)} if spec else {}
    example.sizes = reader.sizes
    example.chosen = bool(reader.sizes)
    _apply_dynamic(example, options.dynamic)
    return _enlarge(example, SMALLEST if scale else 2)


class _Leaves:
    """Turns leaves into tensors, each a fresh object, choosing sizes for names."""

    def __init__(self, scale: int) -> None:
        self.scale = scale
        self.sizes: dict[str, int] = {}
        self.specs: list[tuple[Any, InputSpec]] = []

    def size(self, name: str) -> int:
        if name not in self.sizes:
            if len(self.sizes) == len(PRIMES):
                raise UsageError(f"more than {len(PRIMES)} named sizes")
            self.sizes[name] = PRIMES[len(self.sizes)] * self.scale
        return self.sizes[name]

    def visit(self, value: Any) -> Any:
        import torch

        if isinstance(value, torch.Tensor):
            return value if value.is_sparse else value.detach()  # no view: an export rebuilds what it is a view of
        if isinstance(value, str):
            return self._text(value)
        if isinstance(value, InputSpec):
            return self._spec(value)
        if isinstance(value, (np.ndarray, np.generic)):
            return from_numpy(np.asarray(value))
        if value is None or isinstance(value, (bool, int, float)):
            return value
        if isinstance(value, Mapping):
            return {k: self.visit(v) for k, v in value.items()}
        if isinstance(value, tuple) and hasattr(value, "_fields"):
            return type(value)(*(self.visit(v) for v in value))
        if names := named_fields(value) if not isinstance(value, tuple) else ():
            changed = copy.copy(value)
            for name in names:
                object.__setattr__(changed, name, self.visit(getattr(value, name)))
            return changed
        if isinstance(value, (list, tuple)):
            return type(value)(self.visit(v) for v in value)
        if hasattr(value, "__array__"):
            return from_numpy(np.asarray(value))
        raise UsageError(f"a {type(value).__module__}.{type(value).__qualname__} cannot be an input")

    def _text(self, text: str) -> Any:
        if "[" not in text:
            return text  # a plain string argument
        return self._spec(parse_spec(text))

    def _spec(self, spec: InputSpec) -> Any:
        import torch

        shape = [self.size(d) if isinstance(d, str) else d for d in spec.dims]
        if self.scale > 1 and math.prod(shape) > LARGEST:
            raise ConversionError(f"an example input of sizes {shape} is too large")
        tensor = torch.zeros(shape, dtype=torch_dtype(spec.dtype))
        self.specs.append((tensor, spec))
        return tensor


def _arrange(signature: inspect.Signature, inputs: Any) -> tuple[tuple[Any, ...], dict[str, Any]]:
    """Positional and keyword arguments from what the user gave."""
    if isinstance(inputs, Mapping):
        names = signature.parameters
        open_ended = any(p.kind is inspect.Parameter.VAR_KEYWORD for p in names.values())
        nested = inputs if all(k in names for k in inputs) else _nest(inputs)
        unknown = [k for k in nested if k not in names]
        if unknown and not open_ended:
            raise UsageError(f"forward() has no argument {', '.join(unknown)}; it takes {', '.join(names)}")
        return (), dict(nested)
    if isinstance(inputs, (list, tuple)) and not hasattr(inputs, "_fields"):
        return tuple(inputs), {}
    return (inputs,), {}


def _nest(flat: Mapping[str, Any]) -> dict[str, Any]:
    """`{"extra.shift": v, "xs.0": w}` as nested dicts and tuples."""
    root: dict[str, Any] = {}
    for name, value in flat.items():
        *path, last = name.split(".")
        place = root
        for key in path:
            place = place.setdefault(key, {})
        place[last] = value
    return {k: _tuples(v) for k, v in root.items()}


def _tuples(value: Any) -> Any:
    if not isinstance(value, dict) or not value:
        return value
    items = {k: _tuples(v) for k, v in value.items()}
    if list(items) == [str(i) for i in range(len(items))]:
        return tuple(items.values())
    return items


def _positional_names(signature: inspect.Signature, count: int) -> tuple[str, ...]:
    kinds = (inspect.Parameter.POSITIONAL_ONLY, inspect.Parameter.POSITIONAL_OR_KEYWORD)
    names = [n for n, p in signature.parameters.items() if p.kind in kinds]
    if count > len(names):
        variadic = next((n for n, p in signature.parameters.items() if p.kind is inspect.Parameter.VAR_POSITIONAL), None)
        if variadic is None:
            raise UsageError(f"forward() takes {len(names)} positional inputs ({', '.join(names)}), {count} given")
        raise UsageError(f"forward(*{variadic}) takes any number of inputs; wrap the module in one with named inputs")
    return tuple(names[:count])


def _parameters(
    signature: inspect.Signature, args: tuple[Any, ...], kwargs: Mapping[str, Any]
) -> tuple[tuple[Parameter, ...], list[tuple[str, Any]]]:
    import torch

    try:
        bound = signature.bind(*args, **kwargs)
    except TypeError as error:
        raise UsageError(f"these inputs do not fit forward{signature}: {error}") from None
    given: dict[str, Any] = {}
    for name, value in bound.arguments.items():
        given.update(value if signature.parameters[name].kind is inspect.Parameter.VAR_KEYWORD else {name: value})
    order = [n for n, p in signature.parameters.items() if p.kind is inspect.Parameter.POSITIONAL_OR_KEYWORD]
    parameters, leaves = [], []
    for i, (name, value) in enumerate(given.items()):
        tree, found = tree_of(value, name, lambda x: isinstance(x, torch.Tensor))
        parameters.append(Parameter(name, tree, keyword_only=list(given)[: i + 1] != order[: i + 1]))
        leaves += found
    return tuple(parameters), leaves


def _apply_dynamic(example: Example, dynamic: Mapping[str, Any]) -> None:
    names = [n for n, _ in example.leaves]
    for key, axes in dynamic.items():
        hits = [n for n in names if n == key or n.startswith(f"{key}.")]
        if not hits:
            raise UsageError(f"dynamic: no input is called {key!r}; inputs are {', '.join(names)}")
        for name in hits:
            rank = dict(example.leaves)[name].dim()
            example.dims[name] = {**example.dims[name], **named_axes(name, axes, rank)}
    _check_sizes(example)


def named_axes(name: str, axes: Any, rank: int) -> dict[int, str]:
    """Axis -> size name, from a list of axes or names, or a mapping axis -> name; raises UsageError."""
    pairs: list[tuple[Any, Any]]
    if isinstance(axes, Mapping):
        pairs = list(axes.items())
    elif isinstance(axes, Sequence) and not isinstance(axes, str):
        pairs = [(a, None) if isinstance(a, int) else (i, a) for i, a in enumerate(axes) if a is not None]
    else:
        raise UsageError(f"dynamic[{name!r}] must list axes or map axis to name, got {axes!r}")
    named = {}
    for axis, label in pairs:
        if not isinstance(axis, int) or not -rank <= axis < rank:
            raise UsageError(f"dynamic[{name!r}]: axis {axis!r} is out of range for rank {rank}")
        axis %= rank
        named[axis] = label if isinstance(label, str) else "batch" if axis == 0 else f"{name.replace('.', '_')}_{axis}"
        if not named[axis].isidentifier():
            raise UsageError(f"dynamic[{name!r}]: {named[axis]!r} is no name for a size")
    return named


def _check_sizes(example: Example) -> None:
    """Record the size of every name; two uses of one name must agree."""
    for name, tensor in example.leaves:
        for axis, label in example.dims[name].items():
            size = int(tensor.shape[axis])
            if example.sizes.setdefault(label, size) != size:
                raise UsageError(f"size {label!r} is {example.sizes[label]} elsewhere but {size} in {name} (axis {axis})")


def _enlarge(example: Example, smallest: int) -> Example:
    """torch.export fixes sizes 0 and 1 whatever it is told, and may take equal sizes for one: where a dynamic size is
    small or not the only one of its value, another is used."""
    sizes = list(example.sizes.values())
    small = [n for i, (n, size) in enumerate(example.sizes.items()) if size < smallest or (smallest > 2 and size in sizes[:i])]
    if not small:
        return example
    example.chosen = True
    taken = set(sizes)
    for label in small:
        example.sizes[label] = next(p for p in PRIMES if p not in taken)
        taken.add(example.sizes[label])
    return _with_sizes(example, small)


def _with_sizes(example: Example, changed: Collection[str]) -> Example:
    """The example with zeros for the tensors that the changed sizes concern, in place."""
    swap: dict[int, Any] = {}
    for name, tensor in example.leaves:
        labels = example.dims[name]
        if any(label in changed for label in labels.values()):
            shape = [example.sizes[labels[a]] if a in labels else int(s) for a, s in enumerate(tensor.shape)]
            swap[id(tensor)] = tensor.new_zeros(shape)
    from torch.utils import _pytree as pytree

    def new(x: Any) -> Any:
        return swap.get(id(x), x)

    example.args, example.kwargs = pytree.tree_map(new, (example.args, example.kwargs))
    example.leaves = [(n, new(t)) for n, t in example.leaves]
    return example


def resized(example: Example, sizes: Mapping[str, int], fixed: Mapping[str, int]) -> Example:
    """A copy of the example with other sizes; those of `fixed` are numbers from now on."""
    copy = replace(example, sizes={**sizes, **fixed}, chosen=False)
    copy = _with_sizes(copy, copy.sizes)
    copy.dims = {n: {a: d for a, d in axes.items() if d not in fixed} for n, axes in example.dims.items()}
    copy.sizes = dict(sizes)
    return copy
