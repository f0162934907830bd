"""Parameters, buffers and constants, under the names of the state dict, ties kept."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from converter.importers.torch.dtypes import ir_dtype, to_numpy
from ir.core import Model, Value
from ir.data import Lazy, Weight
from ir.data.weights import WeightKind
from ir.types import TensorType

SMALL = 16
"""Lifted constants of at most this many elements become constant nodes."""


@dataclass(frozen=True)
class Entry:
    """One name in the source's state."""

    name: str
    tensor: Any
    kind: WeightKind
    persistent: bool = True


class Weights:
    """Registers the state of a source with the model; every name leads to the one weight that holds it."""

    def __init__(self, model: Model, entries: Iterator[Entry]) -> None:
        self.model = model
        self.primary: dict[str, str] = {}
        first: dict[Any, Entry] = {}
        aliases: dict[str, list[str]] = {}
        for entry in entries:
            owner = first.setdefault(_identity(entry.tensor), entry)
            if owner is entry:
                aliases[entry.name] = []
            else:
                aliases[owner.name].append(entry.name)
            self.primary[entry.name] = owner.name
        for entry in first.values():
            model.add_weight(_weight(entry, tuple(aliases[entry.name])))

    def value(self, name: str) -> Value:
        """The value that reads the weight known by `name` (or an alias)."""
        return self.model.weight_value(self.primary[name])

    def __contains__(self, name: str) -> bool:
        return name in self.primary

    def constant(self, name: str, tensor: Any) -> Value:
        """A tensor lifted out of the code, as a weight of kind `constant`."""
        if name not in self.primary:
            self.primary[name] = name
            self.model.add_weight(_weight(Entry(name, tensor, "constant"), ()))
        return self.value(name)


def _weight(entry: Entry, aliases: tuple[str, ...]) -> Weight:
    tensor = entry.tensor
    kind = TensorType(ir_dtype(tensor.dtype), tuple(int(d) for d in tensor.shape))
    data = Lazy(lambda: to_numpy(tensor), kind)  # a view of the live tensor: nothing is copied
    trainable = bool(tensor.requires_grad) if entry.kind == "parameter" else False
    return Weight(entry.name, data, entry.kind, trainable, aliases, entry.persistent)


def _identity(tensor: Any) -> Any:
    """Equal for tensors that are the same memory seen the same way: tied weights."""
    if tensor.numel() == 0 or tensor.device.type == "meta":
        return id(tensor)
    return tensor.device, tensor.data_ptr(), tuple(tensor.shape), tensor.stride(), tensor.dtype


def module_entries(module: Any) -> Iterator[Entry]:
    """The state of a live module, in the order of its state dict; shared modules under every name."""
    for prefix, child in module.named_modules(remove_duplicate=False):
        dot = f"{prefix}." if prefix else ""
        for name, tensor in child._parameters.items():
            if tensor is not None:
                yield Entry(dot + name, tensor, "parameter")
        for name, tensor in child._buffers.items():
            if tensor is not None:
                yield Entry(dot + name, tensor, "buffer", name not in child._non_persistent_buffers_set)


def program_entries(program: Any) -> Iterator[Entry]:
    """The state of an ExportedProgram, in the order of its state dict, then non-persistent buffers."""
    signature = program.graph_signature
    parameters = set(signature.parameters)
    for name, tensor in program.state_dict.items():
        yield Entry(name, tensor, "parameter" if name in parameters else "buffer")
    for name in signature.buffers:
        if name not in program.state_dict:
            yield Entry(name, program.constants[name], "buffer", persistent=False)
