"""Graph inputs to typed values: names of sizes to symbols, the caller's specs over the file's."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from converter.errors import UsageError
from converter.importers.base import Refusal
from converter.importers.names import plain_name
from converter.importers.onnx.tensors import element_type
from converter.importers.partial.values import Ref, known, objects
from converter.importers.specs import InputSpec, parse_spec
from ir.types import Dim, DType, TensorType, dtype, symbol

if TYPE_CHECKING:
    import onnx

_UNNAMED = {"", "?", "-1", "None", "none", "unk", "unknown"}


def given_specs(inputs: Any, names: Sequence[str]) -> dict[str, Any]:
    """The caller's inputs by name: a mapping, a sequence in the model's order, or one value.

    Raises UsageError on a name the model does not have, or too many values.
    """
    if inputs is None:
        return {}
    if isinstance(inputs, Mapping):
        if extra := [k for k in inputs if k not in names]:
            raise UsageError(
                f"the model has no input {', '.join(map(str, extra))}; its inputs are {', '.join(names) or 'none'}"
            )
        return dict(inputs)
    values = list(inputs) if isinstance(inputs, (list, tuple)) else [inputs]
    if len(values) > len(names):
        raise UsageError(f"{len(values)} inputs are given, the model has {len(names)}: {', '.join(names)}")
    return dict(zip(names, values, strict=False))


class InputTypes:
    """Types of the inputs of one model. A dim name of the file is one symbol wherever it stands."""

    def __init__(self, taken: set[str]) -> None:
        self.taken = taken
        self._named: dict[str, Dim] = {}

    def learn(self, info: onnx.ValueInfoProto, given: Any) -> None:
        """Note what the caller's spec of one input makes of the file's dim names: it holds for every other input."""
        spec = parse_spec(given) if isinstance(given, str) else given
        if not isinstance(spec, InputSpec):
            return
        self.taken.update(d for d in spec.dims if isinstance(d, str))
        for dim, want in zip(info.type.tensor_type.shape.dim, spec.dims):
            if dim.dim_param not in _UNNAMED:
                self._named.setdefault(dim.dim_param, symbol(want) if isinstance(want, str) else want)

    def type(self, info: onnx.ValueInfoProto, given: Any) -> TensorType:
        """The type of one input; raises Refusal for what is no tensor, UsageError where rank or spec do not fit."""
        declared, dims = self.declared(info)
        if isinstance(given, str):
            given = parse_spec(given)
        if isinstance(given, InputSpec):
            return self._override(info.name, declared, dims, given)
        if given is not None:
            return self._example(info.name, declared, dims, given)
        if dims is None:
            raise UsageError(
                f"the input {info.name} has no rank in the file; give it: -i {info.name}:{declared}[dim,dim,...]"
            )
        return TensorType(declared, tuple(self._fresh(info.name, i) if d is None else d for i, d in enumerate(dims)))

    def fixed(self, info: onnx.ValueInfoProto, value: bool | int | float) -> Ref:
        """An input of one element that the caller fixes at a value; raises UsageError where it does not fit."""
        declared, dims = self.declared(info)
        if dims is None or any(d != 1 for d in dims):
            raise UsageError(f"the input {info.name} has more than one element: it cannot be fixed at {value!r}")
        array = np.array(value).astype(declared.numpy)
        if array != value or isinstance(value, bool) != declared.is_bool:
            raise UsageError(f"the input {info.name} is {declared} in the model: it cannot be {value!r}")
        return known(declared, objects(array.reshape((1,) * len(dims))))

    def declared(self, info: onnx.ValueInfoProto) -> tuple[DType, list[Dim | None] | None]:
        """Element type and dims as the file has them: None for a size without a name, or no dims at all."""
        kind = info.type.WhichOneof("value")
        if kind != "tensor_type":
            raise Refusal(
                f"it is no tensor but a {(kind or 'value without a type').replace('_type', '').replace('_', ' ')}"
            )
        tensor = info.type.tensor_type
        element = element_type(tensor.elem_type)
        if not tensor.HasField("shape"):
            return element, None
        return element, [self._dim(d) for d in tensor.shape.dim]

    def _dim(self, dim: onnx.TensorShapeProto.Dimension) -> Dim | None:
        if dim.HasField("dim_value"):
            return dim.dim_value if dim.dim_value >= 0 else None
        if dim.dim_param in _UNNAMED:
            return None
        if dim.dim_param not in self._named:
            self._named[dim.dim_param] = symbol(self._unique(plain_name(dim.dim_param, "n")))
        return self._named[dim.dim_param]

    def _unique(self, base: str) -> str:
        name, i = base, 0
        while name in self.taken:
            i += 1
            name = f"{base}_{i}"
        self.taken.add(name)
        return name

    def _fresh(self, name: str, axis: int) -> Dim:
        return symbol(self._unique(f"{plain_name(name, 'x')}_{axis}"))

    def _override(self, name: str, declared: DType, dims: list[Dim | None] | None, spec: InputSpec) -> TensorType:
        """The caller's spec: it may name or fix sizes, never contradict a fixed one or the element type."""
        if spec.dtype != declared:
            raise UsageError(f"the input {name} is {declared} in the model, not {spec.dtype}")
        if dims is not None and len(dims) != len(spec.dims):
            raise UsageError(f"the input {name} has rank {len(dims)} in the model, not {len(spec.dims)}")
        for have, want in zip(dims or [], spec.dims):
            if isinstance(have, int) and have > 0 and isinstance(want, int) and have != want:
                raise UsageError(f"the input {name} has size {have} in the model where {spec} says {want}")
        return spec.type

    def _example(self, name: str, declared: DType, dims: list[Dim | None] | None, value: Any) -> TensorType:
        """An example array: checked against the file, its shape taken only where the file has none."""
        shape = getattr(value, "shape", None)
        if shape is None:
            raise UsageError(
                f"the input {name} must be an array or a spec such as '{declared}[1,3]', not {type(value).__name__}"
            )
        sizes = tuple(int(d) for d in shape)
        kind = str(value.dtype).rsplit(".", 1)[-1]
        if dtype(kind) != declared:
            raise UsageError(f"the input {name} is {declared} in the model, not {kind}")
        if dims is None:
            return TensorType(declared, sizes)
        if len(dims) != len(sizes) or any(isinstance(d, int) and d != s for d, s in zip(dims, sizes)):
            raise UsageError(
                f"the input {name} is {declared}{[str(d) if d is not None else '?' for d in dims]} in the model, got shape {list(sizes)}"
            )
        return TensorType(declared, tuple(self._fresh(name, i) if d is None else d for i, d in enumerate(dims)))
