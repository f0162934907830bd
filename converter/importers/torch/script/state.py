"""From a TorchScript program to a model; attributes that change their type at the first call settle.

A program may begin with an empty tensor, None or 0 in an attribute and leave there a state of another shape. A model's
state has one type. So the program is read as the first call leaves it, its state beginning as zeros, and it is proven
that the first call then computes the same: nothing is sampled. Where it cannot be proven, the program is refused.
"""

from __future__ import annotations

from typing import Any

from converter.errors import ConversionError, Unsupported
from converter.importers.base import ImportOptions
from converter.importers.torch.script import numbers
from converter.importers.torch.script.memory import Key, Proving, Start
from converter.importers.torch.script.modules import Program
from converter.importers.torch.script.numbers import Number, kind_of
from ir.core import Model
from ir.passes import equivalent


def read(script: Any, inputs: Any, options: ImportOptions) -> Model:
    """The model of a script module; see `converter.importers.torch.script.load`."""
    counters: dict[Key, str] = {}
    starts: dict[Key, Start] = {}
    while True:
        program, model = _read(script, inputs, options, counters, starts)
        changed = program.memory.changed
        if not changed:
            break
        if more := _counters(program, changed, starts):
            counters, starts = {**counters, **more}, {}
            continue
        starts = {**starts, **_starts(changed, starts)}
    if starts:
        _prove(script, inputs, options, counters, starts)
        names = ", ".join(_label(k) for k, s in starts.items() if s.shape is not None)
        if names:
            model.notes.append(f"the state {names} begins as zeros of the shape that a call leaves: shown to be the same")
    model.notes += [n for n in program.machine.notes if n not in model.notes]
    return model


def _read(
    script: Any, inputs: Any, options: ImportOptions, counters: dict[Key, str], starts: dict[Key, Start], proving: Proving = ""
) -> tuple[Program, Model]:
    from converter.importers.torch import sources

    program = Program(script)
    memory = program.memory
    memory.counters, memory.proving = counters, proving
    for key, kind in counters.items():
        memory.register(key, numbers.tensor_of(memory.plain.pop(key), kind))
    memory.begin_with(starts)
    return program, sources.from_module(program.module, inputs, options)


def _label(key: Key) -> str:
    return ".".join(part for part in key if part)


def _counters(program: Program, changed: dict[Key, Any], starts: dict[Key, Start]) -> dict[Key, str]:
    """Numbers that change again after the first call, or that a tensor decides: each a 0-d tensor from now on."""
    found = {}
    for key, value in changed.items():
        initial = program.scripts[key[0]]._c.getattr(key[1])
        again = isinstance(value, Start) and value.shape is None and key in starts
        if kind_of(initial) and (value is Number or (again and kind_of(value.value) == kind_of(initial))):
            found[key] = kind_of(initial)
    return found


def _starts(changed: dict[Key, Any], before: dict[Key, Start]) -> dict[Key, Start]:
    """What the attributes are after a call; raises ConversionError for what cannot be state."""
    items = []
    for key, value in changed.items():
        if not isinstance(value, Start) or key in before:
            what = value if isinstance(value, str) else "a value of another type at every call"
            items.append(Unsupported(f"attribute {_label(key)}", f"a call leaves {what} in it"))
    if items:
        raise ConversionError("the TorchScript program keeps state that cannot be converted", items)
    return changed


def _prove(
    script: Any, inputs: Any, options: ImportOptions, counters: dict[Key, str], starts: dict[Key, Start]
) -> None:
    """Raise ConversionError unless the first call of the program is that of the model whose state begins as zeros."""
    first, settled = (
        _read(script, inputs, options, counters, starts, proving)[1] for proving in ("first", "settled")
    )
    if not equivalent(first, settled):
        names = ", ".join(_label(k) for k in starts)
        raise ConversionError("the TorchScript program keeps state that cannot be converted", [Unsupported(
            f"attribute {names}", "its type changes at the first call, which is not shown to be that of a state of zeros",
            advice="call the program once before it is saved",
        )])  # fmt: skip
