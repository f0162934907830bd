"""ExportedPrograms: already traced, so their modes, names and sizes are read from what they recorded."""

from __future__ import annotations

import copy
from collections.abc import Mapping
from typing import Any

from converter.errors import UsageError
from converter.importers.base import ImportOptions, Planner
from converter.importers.specs import InputSpec, parse_spec
from converter.importers.torch import assemble as build
from converter.importers.torch import branches, export, families, gradients, modes
from converter.importers.torch.inputs import named_axes
from converter.importers.torch.scopes import Scopes
from converter.importers.torch.weights import program_entries
from ir.core import Model, Parameter
from ir.core.signature import tree_of


def from_program(program: Any, inputs: Any, options: ImportOptions) -> Model:
    """Read an ExportedProgram; it is left as it was. `inputs` may hold specs that name its dynamic sizes."""
    scopes = Scopes()
    scopes.learn(program.graph)
    root = scopes.classes.get("", "").rsplit(".", 1)[-1] or "Model"
    model, plan = Model(root), Planner(root)
    with export.exporting():
        own = copy.copy(program)
        own._graph_module = copy.deepcopy(program.graph_module)
        gradients.unwrap(own)
        modes.Merger(own, plan, "program").run()
        final = export.decompose_unknown(export.functionalise(own), families.known)
        parameters, leaves = _signature(final)
        labels = _labels(final, leaves, inputs, options)
        build.assemble(
            final, model, plan, options, parameters=parameters, leaves=leaves, labels=labels,
            examples=_examples(final, leaves), entries=program_entries(program), scopes=scopes,
        )  # fmt: skip
    branches.assume_guards(program, model)
    model.metadata = build.metadata(scopes.classes.get("", root), final, model)
    return model


def _signature(program: Any) -> tuple[tuple[Parameter, ...], dict[str, str]]:
    """Parameters, and placeholder name -> flat name."""
    import torch
    from torch.utils import _pytree as pytree

    specs = [s for s in program.graph_signature.input_specs if s.kind.name == "USER_INPUT"]
    marks = [s.arg.value if hasattr(s.arg, "value") else torch.empty(0) for s in specs]
    args, kwargs = pytree.tree_unflatten(marks, program.call_spec.in_spec)
    recorded = program.module_call_graph[0].signature
    names = list(getattr(recorded, "forward_arg_names", None) or [])
    if len(names) < len(args):
        names = [f"input_{i}" for i in range(len(args))]
    given = {**dict(zip(names, args)), **kwargs}
    parameters, leaves = [], {}
    by_id = {id(m): s.arg.name for m, s in zip(marks, specs, strict=True) if isinstance(m, torch.Tensor)}
    for name, value in given.items():
        tree, found = tree_of(value, name, lambda x: isinstance(x, torch.Tensor))
        parameters.append(Parameter(name, tree, keyword_only=name in kwargs and name not in names[: len(given)]))
        leaves.update({by_id[id(mark)]: leaf for leaf, mark in found})
    return tuple(parameters), leaves


def _labels(program: Any, leaves: Mapping[str, str], inputs: Any, options: ImportOptions) -> dict[str, dict[int, str]]:
    """Names of sizes: from specs in `inputs`, from `options.dynamic`, else `batch` for a first axis."""
    ranks = {n.name: n.meta["val"].dim() for n in program.graph.nodes if n.name in leaves}
    labels: dict[str, dict[int, str]] = {leaf: {} for leaf in leaves.values()}
    for leaf, spec in _specs(inputs, list(leaves.values())).items():
        labels[leaf].update({a: d for a, d in enumerate(spec.dims) if isinstance(d, str)})
    rank_of = {leaf: ranks[p] for p, leaf in leaves.items()}
    for key, axes in options.dynamic.items():
        if key not in labels:
            raise UsageError(f"dynamic: no input is called {key!r}; inputs are {', '.join(labels)}")
        labels[key].update(named_axes(key, axes, rank_of[key]))
    _first_axes(program, leaves, labels)
    return labels


def _specs(inputs: Any, names: list[str]) -> dict[str, InputSpec]:
    if inputs is None:
        return {}
    pairs = inputs.items() if isinstance(inputs, Mapping) else zip(names, inputs)
    return {n: v if isinstance(v, InputSpec) else parse_spec(v) for n, v in pairs if isinstance(v, (str, InputSpec)) and n in names}


def _first_axes(program: Any, leaves: Mapping[str, str], labels: dict[str, dict[int, str]]) -> None:
    """The one symbol that dynamic first axes share is `batch`, unless it has a name."""
    named = {label for axes in labels.values() for label in axes.values()}
    firsts = {}
    for node in program.graph.nodes:
        if node.name in leaves and node.meta["val"].dim() and not isinstance(node.meta["val"].shape[0], int):
            firsts[leaves[node.name]] = str(node.meta["val"].shape[0].node.expr)
    if len(set(firsts.values())) == 1 and "batch" not in named:
        for leaf in firsts:
            labels[leaf].setdefault(0, "batch")


def _examples(program: Any, leaves: Mapping[str, str]) -> dict[str, tuple[int | None, ...]]:
    """The sizes the program was exported with, where it recorded them."""
    found = {}
    for node in program.graph.nodes:
        if node.name in leaves:
            shape = node.meta["val"].shape
            found[leaves[node.name]] = tuple(d if isinstance(d, int) else _hint(d) for d in shape)
    return found


def _hint(size: Any) -> int | None:
    return int(size.node.hint) if size.node.has_hint() else None
