"""Attributes of modules: those that the program writes become state, and are functional while it runs."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, Literal

from converter.importers.base import Refusal
from converter.importers.torch.script.numbers import Number, SizeTensor, kind_of, tensor_of

Key = tuple[str, str]
"""Module path and attribute."""
COUNT = "num_batches_tracked"
"""How batch normalisation calls the count of its batches, which it keeps by itself wherever it is written as a layer."""
Proving = Literal["", "first", "settled"]
"""What a run shows: the program as it is; its first call, or the same with state that begins as zeros."""


@dataclass(frozen=True)
class TensorRef:
    """A tensor inside a list or the like that is a registered parameter or buffer."""

    module: str
    name: str


@dataclass(frozen=True)
class Start:
    """What an attribute is before the first call, in place of what the file says: zeros of a shape, or a number."""

    value: Any = None
    shape: tuple[int, ...] | None = None
    dtype: Any = None


@dataclass
class Memory:
    """The attributes of one program.

    `written` are attributes that a reachable method assigns. `current` holds what they are while the program runs, and
    any attribute that stands for an operand inside control flow. `changed` is what a run left in written
    ones that cannot take it. While a block runs on stand-ins, `watched` are the stand-ins: nothing may write into them.
    """

    written: set[Key] = field(default_factory=set)
    plain: dict[Key, Any] = field(default_factory=dict)
    modules: dict[str, Any] = field(default_factory=dict)
    counters: dict[Key, str] = field(default_factory=dict)
    starts: dict[Key, Start] = field(default_factory=dict)
    proving: Proving = ""
    current: dict[Key, Any] = field(default_factory=dict)
    reads: list[set[Key]] = field(default_factory=list)
    changed: dict[Key, Any] = field(default_factory=dict)
    zeros: set[Key] = field(default_factory=set)
    watched: list[Any] | None = None

    def register(self, key: Key, tensor: Any) -> None:
        """Make an attribute a buffer; one that is a buffer already stays as persistent as it is."""
        module, name = self.modules[key[0]], key[1]
        persistent = name in module._buffers and name not in module._non_persistent_buffers_set
        module.register_buffer(name, tensor, persistent=persistent)

    def begin_with(self, starts: dict[Key, Start]) -> None:
        """Let attributes begin otherwise than the program says."""
        import torch

        self.starts = starts
        for key, start in starts.items():
            if self.proving == "first":
                held = None if key in self.plain else getattr(self.modules[key[0]], key[1])
                self.zeros.update([key] if held is not None and not bool(held.any()) else [])
            elif start.shape is not None:
                self.plain.pop(key, None)
                self.register(key, torch.zeros(start.shape, dtype=start.dtype))

    def begin(self) -> None:
        """Before each run: every written attribute is a copy from the start, so that nothing writes into a buffer."""
        self.current, self.reads, self.watched = {}, [], None
        self.current = {key: self._first(self.modules[key[0]], key) for key in sorted(self.written)}

    # -- reading ------------------------------------------------------------------------------------------------
    def read(self, module: Any, name: str) -> Any:
        """The attribute as the program sees it now."""
        key = (module._path, name)
        if key in self.current:
            self._note(key, self.current[key])
            return self.current[key]
        if key in self.plain:
            value = self._resolved(self.plain[key])
            if isinstance(value, (list, dict)):
                self.current[key] = value  # one object throughout a run: it may be changed in place
            return value
        value = getattr(module, name)
        if name == COUNT and _keeps_count(module):
            return value.clone()  # what is added to it is the layer's own affair
        self._note(key, value)
        if self.watched is not None and is_tensor(value):
            value = self.current[key] = value.detach().clone()
            self.watched.append(value)
        return value

    def _note(self, key: Key, value: Any) -> None:
        if is_tensor(value) or isinstance(value, Number):
            for seen in self.reads:
                seen.add(key)

    def _first(self, module: Any, key: Key) -> Any:
        """A written attribute before anything was written: a copy, for what the program does to it is written back."""
        import torch

        start = self.starts.get(key)
        if key in self.counters:
            return Number(getattr(module, key[1]).clone(), self.counters[key])
        if start is not None and self.proving != "first" and start.shape is None:
            return start.value
        if key in self.plain:
            return self._resolved(self.plain[key])
        value = getattr(module, key[1])
        if self.proving == "settled" and start is not None or key in self.zeros:
            return torch.zeros(tuple(value.shape), dtype=value.dtype)  # made here: known, and no state
        return value.clone()

    def _resolved(self, value: Any) -> Any:
        if isinstance(value, TensorRef):
            return self.read(self.modules[value.module], value.name)
        if isinstance(value, (list, tuple)) and not hasattr(value, "_fields"):
            return type(value)(self._resolved(v) for v in value)
        if isinstance(value, dict):
            return {k: self._resolved(v) for k, v in value.items()}
        return value

    # -- writing ------------------------------------------------------------------------------------------------
    def write(self, module: Any, name: str, value: Any) -> None:
        """An assignment of the program."""
        if name == COUNT and _keeps_count(module):
            return
        if name in module._parameters:
            raise Refusal(f"the program assigns to the parameter {name}")
        self.current[(module._path, name)] = value

    def end(self) -> None:
        """After a run: buffers take their new values; what cannot be one is kept in `changed`."""
        for key in sorted({*self.written, *(k for k in self.current if k in self.plain)}):
            if self.proving and key in self.starts:
                continue
            module, value = self.modules[key[0]], self.current[key]
            if key in self.counters:
                if kind_of(value) != self.counters[key]:
                    raise Refusal(f"attribute {'.'.join(filter(None, key))} is now a number, now something else")
                getattr(module, key[1]).copy_(tensor_of(value, self.counters[key]))
            elif self._same_kind(key, module, value):
                if key not in self.plain:
                    getattr(module, key[1]).copy_(value)
            else:
                self.changed[key] = _description(value)

    def _same_kind(self, key: Key, module: Any, value: Any) -> bool:
        """Whether the attribute has the type it had before, or the very value where it is no tensor."""
        start = self.starts.get(key)
        if start is not None and start.shape is None or key in self.plain:
            before = self._first(module, key)
            return _equal(before, value)
        before = getattr(module, key[1])
        if not is_tensor(value) or not all(isinstance(d, int) for d in value.shape):
            return False
        return value.dtype == before.dtype and tuple(value.shape) == tuple(before.shape)


def _keeps_count(module: Any) -> bool:
    return {"running_mean", "running_var"} <= set(module._buffers) and module._script_momentum is not None


def _equal(a: Any, b: Any) -> bool:
    if is_tensor(a) or is_tensor(b) or isinstance(a, Number) or isinstance(b, Number):
        return a is b
    if isinstance(a, (list, tuple)) and isinstance(b, (list, tuple)):
        return len(a) == len(b) and all(_equal(x, y) for x, y in zip(a, b, strict=True))
    if isinstance(a, dict) and isinstance(b, dict):
        return list(a) == list(b) and all(_equal(a[k], b[k]) for k in a)
    return type(a) is type(b) and bool(a == b)


def _description(value: Any) -> Any:
    """What an attribute became: a Start for tensors of fixed shape and for numbers; else words for a message."""
    if is_tensor(value):
        if not all(isinstance(d, int) for d in value.shape):
            return "a tensor whose size follows the inputs': give their sizes as numbers"
        return Start(shape=tuple(value.shape), dtype=value.dtype)
    if value is None or isinstance(value, (bool, int, float, str)):
        return Start(value=value)
    if kind_of(value):
        return Number
    return f"a {type(value).__name__}"


def is_tensor(value: Any) -> bool:
    """Whether a value of the program is a tensor (sizes held as tensors apart)."""
    import torch

    return isinstance(value, torch.Tensor)


def is_tensorlike(value: Any) -> bool:
    """Whether a value is held in a tensor: tensors, numbers that only the run knows, sizes as tensors."""
    return is_tensor(value) or isinstance(value, (Number, SizeTensor))
