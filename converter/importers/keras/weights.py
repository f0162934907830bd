"""Variables as weights, under the names of their layers; each stored in the order of axes that its first use asks for."""

from __future__ import annotations

from typing import Any

import numpy as np

from ir.core import Builder, Model, Value
from ir.data import Array, Weight
from ir.data.weights import WeightKind, role_permutation
from ir.types import DType, dtype

SMALL = 16
"""Constants of at most this many elements stand in the code."""


class Weights:
    """The variables of one model. `known` gives each its name and kind, by identity; others are named by their path."""

    def __init__(self, model: Model, known: dict[int, tuple[str, WeightKind]]) -> None:
        self.model = model
        self.given = known
        self.state: dict[int, Value] = {}  # next value of a variable that the call has assigned
        self._known: dict[int, str] = {}
        self._variables: dict[int, Any] = {}
        self._turned: dict[int, tuple[str, str]] = {}
        self._constants: dict[tuple[Any, ...], str] = {}

    def stored(self, variable: Any) -> Value:
        """The value that reads the stored weight."""
        if id(variable) not in self._known:
            self._add(variable)
        return self.model.weight_value(self._known[id(variable)])

    def turn(self, variable: Any, roles: str, wanted: str) -> bool:
        """Have a weight stored as role string `wanted`; False where another use has settled on another order."""
        if id(variable) in self.state:
            return False
        settled = self._turned.get(id(variable))
        if settled is None and id(variable) not in self._known:
            perm = role_permutation(roles, wanted, len(variable.shape))
            self._add(variable)
            name = self._known[id(variable)]
            turned = self.model.weights[name].permuted(perm)
            self.model.update_weight(name, data=turned.data, source_axes=turned.source_axes)
            self._turned[id(variable)] = (roles, wanted)
            return True
        return settled == (roles, wanted)

    def plain(self, builder: Builder, variable: Any) -> Value:
        """What a variable holds at this point of the call, in Keras' own order of axes however it is stored."""
        if id(variable) in self.state:
            return self.state[id(variable)]
        value = self.stored(variable)
        settled = self._turned.get(id(variable))
        if settled is None:
            return value
        back = role_permutation(settled[1], settled[0], value.type.rank)
        return value if back == tuple(range(len(back))) else builder.transpose(value, perm=back)

    def constant(self, builder: Builder, array: np.ndarray) -> Value:
        """A constant in the code, or a weight of kind `constant`; equal ones once."""
        if array.size <= SMALL:
            return builder.constant(array, _kind(array))
        key = (array.dtype.str, array.shape, array.tobytes())
        if key not in self._constants:
            name = self._free(f"constant_{len(self._constants) + 1}")
            self.model.add_weight(Weight(name, Array(array), "constant"))
            self._constants[key] = name
        return self.model.weight_value(self._constants[key])

    def assign(self, variable: Any, value: Value) -> None:
        """The call gives a variable its next value."""
        self.stored(variable)
        self.state[id(variable)] = value

    def finish(self) -> None:
        """Enter the next values as the model's state."""
        for key, value in self.state.items():
            self.model.set_state(self._known[key], value)

    def _add(self, variable: Any) -> None:
        name, kind = self.given.get(id(variable), (variable.path.replace("/", "."), "buffer"))
        trainable = bool(variable.trainable) if kind == "parameter" else None
        name = self._free(name)
        self.model.add_weight(Weight(name, Array(numbers(variable)), kind, trainable))
        self._known[id(variable)] = name
        self._variables[id(variable)] = variable  # kept alive, as its identity is its key

    def _free(self, name: str) -> str:
        found, n = name, 1
        while found in self.model.weights:
            n += 1
            found = f"{name}_{n}"
        return found


def numbers(variable: Any) -> np.ndarray:
    """The numbers that a variable holds."""
    value = variable._value
    if type(value).__module__.startswith("torch"):
        return _from_torch(value.detach().cpu())
    return np.asarray(value.numpy() if hasattr(value, "numpy") else value)


def _from_torch(tensor: Any) -> np.ndarray:
    """NumPy knows neither bfloat16 nor float8: their bytes are read as integers."""
    name = str(tensor.dtype).removeprefix("torch.")
    kind = dtype(name).numpy
    if kind.isbuiltin == 1:
        return np.asarray(tensor.numpy())
    import torch

    return np.asarray(tensor.view({1: torch.int8, 2: torch.int16}[kind.itemsize]).numpy()).view(kind)


def _kind(array: np.ndarray) -> DType:
    return dtype(array.dtype)
