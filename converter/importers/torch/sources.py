"""What can be read: modules, exported programs and files."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from converter.errors import ConversionError, UsageError
from converter.importers.base import ImportOptions, Planner
from converter.importers.torch import assemble as build
from converter.importers.torch import export, families, files, modes
from converter.importers.torch.branches import Branch
from converter.importers.torch.inputs import Example, example_of
from converter.importers.torch.scopes import Scopes, class_name
from converter.importers.torch.weights import module_entries, program_entries
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
        raise ConversionError(files.TORCHSCRIPT.format(type(source).__name__))
    if isinstance(source, torch.nn.Module):
        return from_module(source, inputs, options)
    if isinstance(source, torch.export.ExportedProgram):
        from converter.importers.torch.programs import from_program

        return from_program(source, inputs, options)
    raise UsageError(f"a {class_name(type(source))} is no PyTorch model: pass an nn.Module or an ExportedProgram")


def from_module(module: Any, inputs: Any, options: ImportOptions) -> Model:
    """Export a module in both modes, merge, read. The module is left as it was."""
    name = type(module).__name__
    model, plan = Model(name), Planner(name)
    _note_mixed_modes(module, model)
    with export.exporting(module):
        example, raw, trained, why, taken = _export(module, inputs, options)
        if trained is None:
            model.notes.append(f"training behaviour is not carried over: {why}")
        modes.Merger(raw, trained, plan, model.notes.append).run()
        program = export.decompose_unknown(export.functionalise(raw), families.known)
        leaves = _placeholders(program, example)
        shapes = {n: tuple(int(d) for d in t.shape) for n, t in example.leaves}
        build.assemble(
            program, model, plan, options, parameters=example.parameters, leaves=leaves, labels=example.dims,
            examples=shapes, entries=module_entries(module), scopes=Scopes(module), taken=taken,
        )  # fmt: skip
    model.metadata = build.metadata(class_name(type(module)), program, model)
    return model


def _export(module: Any, inputs: Any, options: ImportOptions) -> tuple[Example, Any, Any, str, list[Branch]]:
    """Export with the first choice of example sizes that works."""
    first: ConversionError | None = None
    for scale in SCALES:
        example = example_of(module, inputs, options, scale)
        try:
            return (example, *export.both_modes(module, example))
        except UsageError:
            raise
        except ConversionError as error:
            first = first or error
            if not example.chosen:
                break
    assert first is not None
    raise first


def _note_mixed_modes(module: Any, model: Model) -> None:
    """A module in eval mode with parts in training mode: its outputs are read as inference everywhere."""
    if module.training:
        return
    active = [p for p, m in module.named_modules() if m.training and not list(m.children())]
    if active:
        model.notes.append(f"read in inference mode although set to training: {', '.join(active[:5])}")


def _placeholders(program: Any, example: Example) -> dict[str, str]:
    """Placeholder name -> flat input name, in signature order."""
    from torch.utils import _pytree as pytree

    names = {id(t): n for n, t in example.leaves}
    flat = pytree.tree_leaves((example.args, example.kwargs), is_leaf=lambda x: x is None)
    specs = [s for s in program.graph_signature.input_specs if s.kind.name == "USER_INPUT"]
    found = {}
    for spec, leaf in zip(specs, flat, strict=True):
        if id(leaf) in names:
            found[names[id(leaf)]] = spec.arg.name
    return {found[n]: n for n, _ in example.leaves}


__all__ = ["from_module", "load", "program_entries"]
