"""From the raw exports of a module to one model: its inference read, its training merged in."""

from __future__ import annotations

from typing import Any

from converter.errors import ConversionError
from converter.importers.base import ImportOptions, Planner
from converter.importers.torch import assemble as build
from converter.importers.torch import export, families, modes
from converter.importers.torch.branches import Branch
from converter.importers.torch.decisions import Decision
from converter.importers.torch.inputs import Example
from converter.importers.torch.scopes import Scopes
from converter.importers.torch.uncorrected import uncorrect
from converter.importers.torch.weights import module_entries
from ir.core import Model, copy_model
from ir.modes import Unmergeable, merge_modes

INFERENCE_ONLY = "only its inference behaviour is carried over"
"""How the note begins that tells why the training of a model is lost."""


def read(
    module: Any, example: Example, raw: Any, taken: list[Branch], options: ImportOptions, role: modes.Role, *,
    twin: Any = None, decided: list[Decision] | None = None,
) -> tuple[Model, Any]:  # fmt: skip
    """One raw export as a model, and the functionalised program behind it. `taken` are its decisions on sizes: assumed,
    or left to the caller in `decided`. Raises ConversionError with everything that is not supported."""
    name = type(module).__name__
    model, plan = Model(name), Planner(name)
    modes.Merger(raw, plan, role, twin).run()
    program = export.decompose_unknown(export.functionalise(raw), families.known)
    shapes = {n: tuple(int(d) for d in t.shape) for n, t in example.leaves}
    build.assemble(
        program, model, plan, options, parameters=example.parameters, leaves=placeholders(program, example),
        labels=example.dims, examples=shapes, entries=module_entries(module), scopes=Scopes(module), taken=taken,
        decided=decided,
    )  # fmt: skip
    return model, program


def read_modes(
    module: Any, example: Example, exports: export.Exports, options: ImportOptions, decided: list[Decision] | None = None
) -> tuple[Model, Any]:  # fmt: skip
    """Both exports as one model, and the program of inference. Where the training cannot be had, a note says why."""
    twin = None if exports.trained is None else modes.twins(exports.evaluated, exports.trained)
    role: modes.Role = "both" if twin is not None else "inference"
    model, program = read(module, example, exports.evaluated, exports.taken, options, role, twin=twin, decided=decided)
    if twin is not None:
        return model, program
    merged, why = _with_training(model, module, example, exports, options)
    if why:
        merged.notes.append(f"{INFERENCE_ONLY}: {why}")
    return merged, program


def _with_training(
    model: Model, module: Any, example: Example, exports: export.Exports, options: ImportOptions
) -> tuple[Model, str]:
    """The model with what it does in training, or as it is and why."""
    if exports.trained is None:
        return model, exports.why
    decided: list[Decision] = []
    try:
        taken = exports.taken_in_training
        training, _ = read(module, example, exports.trained, taken, options, "training", decided=decided)
        merged = copy_model(model)
        uncorrect(training, merged)
        merge_modes(merged, training)
    except Unmergeable as error:
        return model, str(error)
    except ConversionError as error:
        what = "; ".join(" ".join(str(u).split()) for u in error.unsupported[:3])
        return model, f"in training, {error.message}" + (f" ({what})" if what else "")
    lines = {b.line for b in exports.taken}
    only = [d for d in decided if not any(line in d.why for line in lines)]
    merged.notes += [f"in training only for sizes where {d}: {d.why}" for d in only]
    return merged, ""


def placeholders(program: Any, example: Example) -> dict[str, str]:
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
