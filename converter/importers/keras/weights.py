"""Variables as weights, under the names of their layers; each stored in the order of axes that its first use asks for."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from converter.importers.base import Refusal
from ir.core import Builder, Model, Value
from ir.data import Array, Pieces, Weight
from ir.data.weights import WeightKind, role_permutation
from ir.types import DType, dtype

SMALL = 16
"""Constants of at most this many elements stand in the code."""


class Weights:
    """The variables of one model. `known` gives each its name and kind, by identity; others are named by their path.

    `before` are those of an earlier reading of the model: a variable is stored here as it was stored there.
    """

    def __init__(
        self, model: Model, known: dict[int, tuple[str, WeightKind]], before: Weights | None = None
    ) -> None:  # fmt: skip
        self._before = before
        self.model = model
        self.given = known
        self.state: dict[int, Value] = {}  # next value of a variable that the call has assigned
        self._known: dict[int, str] = {}
        self._variables: dict[int, Any] = {}
        self._turned: dict[int, tuple[str, str]] = {}
        self._gated: dict[int, GatedVariable] = {}
        self._constants: dict[tuple[Any, ...], str] = {}

    def stored(self, variable: Any) -> Value:
        """The value that reads the stored weight."""
        if id(variable) not in self._known:
            self._add(variable)
        return self.model.weight_value(self._known[id(variable)])

    def turn(self, variable: Any, roles: str, wanted: str) -> bool:
        """Have a weight stored as role string `wanted`; False where another use has settled on another order."""
        self._settle(variable)
        if id(variable) in self.state or id(variable) in self._gated:
            return False
        if id(variable) not in self._known:
            self._turn(variable, roles, wanted)
        return self._turned.get(id(variable)) == (roles, wanted)

    def _turn(self, variable: Any, roles: str, wanted: str) -> None:
        perm = role_permutation(roles, wanted, len(variable.shape))
        self._add(variable)
        name = self._known[id(variable)]
        turned = self.model.weights[name].permuted(perm)
        self.model.update_weight(name, data=turned.data, source_axes=turned.source_axes)
        self._turned[id(variable)] = (roles, wanted)

    def _settle(self, variable: Any) -> None:
        """Store a variable in the form that the earlier reading gave it."""
        key, before = id(variable), self._before
        if before is None or key in self._known or key in self._gated:
            return
        if key in before._gated:
            self._gate(variable, before._gated[key].part, before._gated[key].order)
        elif key in before._turned:
            self._turn(variable, *before._turned[key])
        elif key in before._known:
            self._add(variable)

    def plain(self, builder: Builder, variable: Any) -> Value:
        """What a variable holds at this point of the call, in Keras' own order of axes however it is stored."""
        if id(variable) in self.state:
            return self._assigned(builder, variable, self.state[id(variable)])
        self._settle(variable)
        if id(variable) in self._gated:
            return self._gated[id(variable)].joined(builder, self.model)
        return self._own(builder, variable)

    def _own(self, builder: Builder, variable: Any) -> Value:
        """The stored weight in Keras' order of axes."""
        value = self.stored(variable)
        settled = self._turned.get(id(variable))
        if settled is None:
            return value
        back = role_permutation(settled[1], settled[0], value.type.rank)
        return value if back == tuple(range(len(back))) else builder.transpose(value, perm=back)

    def _assigned(self, b: Builder, variable: Any, now: Value) -> Value:
        """A variable that the call has assigned. On TensorFlow and PyTorch no gradient passes the assignment: that of a
        weight which trains is the one of the value it has now. On JAX it passes, as everywhere."""
        from keras import config

        if config.backend() == "jax" or not now.type.dtype.is_float:
            return now
        fixed = b.stop_gradient(now)
        if not self.model.weights[self._known[id(variable)]].trainable:
            return fixed
        own = self._own(b, variable)
        return b.add(fixed, b.sub(own, b.stop_gradient(own)))  # zero, with the weight's gradient

    # -- recurrent layers -------------------------------------------------------------------------------------------
    def gates(self, variables: Sequence[Any], order: tuple[int, ...]) -> list[Value] | None:
        """Kernel [I, G * U], recurrent kernel and bias as w_ih, w_hh [G * U, I], b_ih and b_hh, with the gates in `order`.

        A single bias is b_ih, beside a frozen b_hh of zeros. None where another use has settled on another form.
        """
        kernel, recurrent, *rest = variables
        plain = order == tuple(range(len(order)))
        if plain and not (self.turn(kernel, "I G", "G I") and self.turn(recurrent, "I G", "G I")):
            return None
        if not plain and not all(self._gate(v, n, order) for v, n in zip(variables, ("weight", "recurrent", "bias"))):
            return None
        found = []
        for variable in (kernel, recurrent, *rest):
            gated = self._gated.get(id(variable))
            if gated is None:
                found.append(self.stored(variable))
            else:
                found += [self.model.weight_value(n) for n in gated.names]
        if len(found) == 3:
            found.append(self._zeros(found[2]))
        return found

    def _gate(self, variable: Any, part: str, order: tuple[int, ...]) -> bool:
        """Store a variable with its gates in another order; True where it is stored so."""
        if self._before is not None and id(variable) not in self._before._gated:
            self._settle(variable)
        if id(variable) in self._gated:
            return self._gated[id(variable)].order == order
        if id(variable) in self._known or id(variable) in self.state:
            return False
        name, kind = self.given.get(id(variable), (variable.path.replace("/", "."), "buffer"))
        base = name.rpartition(".")[0]
        array = numbers(variable)
        split = part == "bias" and array.ndim == 2
        words = {"weight": ("weight_ih",), "recurrent": ("weight_hh",), "bias": ("bias_ih", "bias_hh")[: 1 + split]}[
            part
        ]
        names = []
        for i, word in enumerate(words):
            own = self._free(f"{base}.{word}" if base else word)
            pieces = Pieces(i if split else None, array.ndim - 1 - split, order)
            weight = Weight(
                own,
                Array(pieces.of(array)),
                kind,
                bool(variable.trainable) if kind == "parameter" else None,
                source_pieces=pieces,
            )
            self.model.add_weight(weight if part == "bias" else weight.permuted((1, 0)))
            names.append(own)
        self._gated[id(variable)] = GatedVariable(variable, tuple(names), order, part)
        return True

    def _zeros(self, bias: Value) -> Value:
        """The second bias of a layer that has one: zeros that never train."""
        base = bias.name.rpartition(".")[0]
        name = f"{base}.bias_hh" if base else "bias_hh"
        if name not in self.model.weights:
            zeros = np.zeros([int(d) for d in bias.type.shape], bias.type.dtype.numpy)
            self.model.add_weight(Weight(name, Array(zeros), "constant"))
        return self.model.weight_value(name)

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
        """The call gives a variable its next value, in Keras' order of axes."""
        self._settle(variable)
        if id(variable) in self._gated:
            raise Refusal(f"the weight {variable.path} of a recurrent layer is assigned")
        self.stored(variable)
        self.state[id(variable)] = value

    def finish(self) -> None:
        """Enter the next values as the model's state, each in the order in which its weight is stored."""
        b = Builder(self.model.graph)
        for key, value in self.state.items():
            turned = self._turned.get(key)
            order = tuple(range(value.type.rank)) if turned is None else role_permutation(*turned, value.type.rank)
            if order != tuple(sorted(order)):
                value = b.transpose(value, perm=order)
            self.model.set_state(self._known[key], value)

    def tell_source(self, names: dict[int, str]) -> None:
        """Record under which name Keras' own files keep each variable, by identity."""
        for key, name in self._known.items():
            if key in names:
                self.model.update_weight(name, source_name=names[key])
        for key, gated in self._gated.items():
            for name in gated.names if key in names else ():
                self.model.update_weight(name, source_name=names[key])

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


@dataclass(frozen=True)
class GatedVariable:
    """A variable that is stored as one weight or two (a bias of either product), its gates in another order."""

    variable: Any  # kept alive, as its identity is its key
    names: tuple[str, ...]
    order: tuple[int, ...]
    part: str

    def joined(self, builder: Builder, model: Model) -> Value:
        """What the variable holds, as Keras has it."""
        back = tuple(self.order.index(i) for i in range(len(self.order)))
        parts = [self._turned(builder, model.weight_value(n), back) for n in self.names]
        return parts[0] if len(parts) == 1 else builder.stack(parts, axis=0)

    def _turned(self, builder: Builder, value: Value, back: tuple[int, ...]) -> Value:
        size = int(value.type.shape[0]) // len(back)
        pieces = builder.split(value, sizes=(size,) * len(back), axis=0)
        whole = builder.concat([pieces[i] for i in back], axis=0)
        return whole if value.type.rank == 1 else builder.transpose(whole, perm=(1, 0))


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
    torch = sys.modules["torch"]  # whose tensor this is

    return np.asarray(tensor.view({1: torch.int8, 2: torch.int16}[kind.itemsize]).numpy()).view(kind)


def _kind(array: np.ndarray) -> DType:
    return dtype(array.dtype)
