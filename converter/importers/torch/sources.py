"""What can be read: modules, exported programs and files."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from converter.errors import ConversionError, UsageError
from converter.importers.base import ImportOptions
from converter.importers.torch import assemble as build
from converter.importers.torch import autograd, branches, counting, export, files, fused, gradients, reading
from converter.importers.torch.decisions import Decision
from converter.importers.torch.inputs import Example, example_of, resized
from converter.importers.torch.paths import Paths
from converter.importers.torch.scopes import class_name
from converter.importers.torch.weights import program_entries
from ir.core import Model

SCALES = (1, 8, 32, 0)
"""Sizes chosen for named dims are primes times these: some models need multiples of their stride. 0: as given."""


def load(source: Any, inputs: Any, options: ImportOptions) -> Model:
    """Dispatch on the kind of source; see `converter.importers.torch.load`."""
    import torch

    if isinstance(source, (str, Path)):
        source, own_inputs = files.open_source(str(source), options)
        inputs = own_inputs if inputs is None else inputs
    if isinstance(source, torch.jit.ScriptModule):
        from converter.importers.torch import script

        return script.load(source, inputs, options)
    if isinstance(source, torch.nn.Module):
        return from_module(source, inputs, options)
    if isinstance(source, torch.export.ExportedProgram):
        from converter.importers.torch.programs import from_program

        return from_program(source, inputs, options)
    raise UsageError(f"a {class_name(type(source))} is no PyTorch model: pass an nn.Module or an ExportedProgram")


def from_module(module: Any, inputs: Any, options: ImportOptions) -> Model:
    """Export a module in both modes, read and merge them, and find the sizes for which the export holds. The module is
    left as it was."""
    flags = _mixed_modes(module)
    found = _Read(module, options, lambda scale: example_of(module, inputs, options, scale))
    if found.example.chosen and _bounds_a_size(found.model):
        others = (_at_scale(module, inputs, options, scale) for scale in SCALES[1:-1])
        found = next((other for other in others if other is not None), found)
    model, example = found.model, found.example
    if found.decisions:
        paths = Paths(model, dict(example.sizes), lambda sizes, fixed: _elsewhere(module, options, example, sizes, fixed))
        branches.assume(paths.needed(found.decisions), model)
    model.notes += flags + found.notes
    model.metadata = build.metadata(class_name(type(module)), found.program, model)
    return model


def _bounds_a_size(model: Model) -> bool:
    """Whether the model was read for one value of some size only, or up to one: it may be the example that is small."""
    relations = [a.relation for a in model.assumptions]
    return any(
        (op == "==" and isinstance(left, int) != isinstance(right, int)) or (op == "<=" and isinstance(right, int))
        for left, op, right in relations
    )


def _at_scale(module: Any, inputs: Any, options: ImportOptions, scale: int) -> _Read | None:
    """The module read at sizes of that choice, if it then bounds none."""
    try:
        found = _Read(module, options, lambda _: example_of(module, inputs, options, scale))
    except ConversionError:
        return None
    return None if _bounds_a_size(found.model) else found


class _Read:
    """A module read at the sizes of an example: the model, its program, and how the code decided on sizes."""

    def __init__(self, module: Any, options: ImportOptions, choose: Callable[[int], Example]) -> None:
        self._read(module, options, choose, frozenset())
        if counted := counting.to_count(module, self.model):
            before = vars(self).copy()
            self._read(module, options, choose, counted)
            if self.loses_training and not before["loses_training"]:  # torch counts in no branch
                vars(self).update(before)
                names = (n for n, part in module.named_modules() if part in counted)
                self.notes += [f"{name}: its {counting.COUNTER} stays as it is in training" for name in names]

    def _read(
        self, module: Any, options: ImportOptions, choose: Callable[[int], Example], counted: frozenset[Any]
    ) -> None:
        self.decisions: list[Decision] = []
        with export.exporting(module, counted=counted), autograd.watching(module) as lost, fused.watching(module) as padded:
            self.example, exports = _export(module, choose)
            self.notes = gradients.notes(exports.evaluated) + lost + padded
            self.model, self.program = reading.read_modes(module, self.example, exports, options, self.decisions)
        self.loses_training = any(n.startswith(reading.INFERENCE_ONLY) for n in self.model.notes)


def _elsewhere(
    module: Any, options: ImportOptions, example: Example, sizes: Mapping[str, int], fixed: Mapping[str, int]
) -> tuple[Model, list[Decision]]:
    """The model and its decisions at other sizes, some of them fixed as numbers."""
    found = _Read(module, options, lambda scale: resized(example, sizes, fixed))
    return found.model, found.decisions


def _export(module: Any, choose: Callable[[int], Example]) -> tuple[Example, export.Exports]:
    """Export with the first choice of example sizes that works."""
    first: ConversionError | None = None
    example: Example | None = None
    for scale in SCALES:
        try:
            example = choose(scale)
            return example, export.both_modes(module, example)
        except UsageError:
            raise
        except ConversionError as error:
            first = first or error
            if example is None or not example.chosen:
                break
    assert first is not None
    raise first


def _mixed_modes(module: Any) -> list[str]:
    """Notes on a module in eval mode with parts in training mode: dropout layers stay active, all else is read as
    inference."""
    if module.training:
        return []
    active = [p for p, m in module.named_modules() if m.training and not list(m.children())]
    drops = [p for p in active if export.drops(module.get_submodule(p))]
    others = [p for p in active if p not in drops]
    found = [f"drops at inference too, as it is set to training: {', '.join(drops[:5])}"] if drops else []
    return found + (
        [f"read in inference mode although set to training: {', '.join(others[:5])}"] if others else []
    )


__all__ = ["from_module", "load", "program_entries"]
