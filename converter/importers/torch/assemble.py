"""From an export to a finished model: names of sizes, inputs and outputs, weights, notes, metadata."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping
from typing import Any

import numpy as np

from converter.errors import ConversionError, UsageError
from converter.importers.base import ImportOptions, Planner, apply_trainable
from converter.importers.torch import branches, families
from converter.importers.torch.decisions import Decision
from converter.importers.torch.dims import Sizes
from converter.importers.torch.reader import Reader
from converter.importers.torch.scopes import Scopes
from converter.importers.torch.weights import Entry, Weights
from ir.core import Constant, Model, Parameter, Signature
from ir.core.signature import Branch, Leaf, Tree, result_tree
from ir.types import symbol


def assemble(
    program: Any, model: Model, plan: Planner, options: ImportOptions, *, parameters: tuple[Parameter, ...],
    leaves: Mapping[str, str], labels: Mapping[str, Mapping[int, str]], examples: Mapping[str, tuple[int | None, ...]],
    entries: Iterable[Entry], scopes: Scopes, taken: Iterable[branches.Branch] = (), decided: list[Decision] | None = None,
) -> Model:  # fmt: skip
    """Read a functionalised program into `model`.

    `leaves` maps placeholder names to flat input names in signature order, `labels` flat name -> axis -> size name,
    `examples` flat name -> the shape exported with; `taken` are the decisions on sizes that the export took: assumed, or
    left to the caller in `decided`.
    Raises ConversionError with everything that is not supported.
    """
    families.load()
    scopes.learn(program.graph)
    sizes = name_sizes(program, leaves, labels, examples, model)
    decisions = branches.decisions(taken, sizes, _raw_names(program, leaves, labels))
    if decided is None:
        branches.assume(decisions, model)
    else:
        decided += decisions
    weights = Weights(model, iter(entries))
    reader = Reader(program, model, weights, sizes, scopes, plan, options)
    reader.bind_inputs(leaves)
    outputs = [item for _, item in reader.finish(reader.read())]
    plan.check()
    tree = _results(program, reader, outputs)
    model.signature = Signature(parameters, tree)
    for name, value in reader.c.state.items():
        model.set_state(name, value)
    model.modules = dict(scopes.classes)
    apply_trainable(model, options.trainable)
    if options.name:
        model.name = options.name
    return model


def name_sizes(
    program: Any, leaves: Mapping[str, str], labels: Mapping[str, Mapping[int, str]],
    examples: Mapping[str, tuple[int | None, ...]], model: Model,
) -> Sizes:  # fmt: skip
    """Bind torch's size symbols to the user's names; what became tied is noted on the model.

    Raises ConversionError for a named size that the export fixed.
    """
    sizes = Sizes()
    nodes = {n.name: n for n in program.graph.nodes if n.op == "placeholder"}
    compound = []
    for placeholder, leaf in leaves.items():
        for axis, size in enumerate(nodes[placeholder].meta["val"].shape):
            label = labels.get(leaf, {}).get(axis)
            example = examples[leaf][axis]
            if isinstance(size, int) or size.node.expr.is_Integer:
                if label is not None:
                    raise ConversionError(
                        f"size {label} of input {leaf} cannot change: the model's code fixes it at the size of the example "
                        f"({int(size)}); give it as a number"
                    )
            elif size.node.expr.is_Symbol:
                _bind_symbol(sizes, str(size.node.expr), label or f"{leaf.replace('.', '_')}_{axis}", example, model)
            else:
                compound.append((size.node.expr, label or f"{leaf.replace('.', '_')}_{axis}", leaf, example))
    for expr, label, leaf, example in compound:
        _bind_compound(sizes, expr, label, example)
        _note(model, f"size {label} of input {leaf} must have the form {sizes.expr(expr)}")
    return sizes


def _raw_names(
    program: Any, leaves: Mapping[str, str], labels: Mapping[str, Mapping[int, str]]
) -> dict[str, str]:
    """Torch's own symbol of each input size, before equal ones were made one -> the user's name."""
    nodes = {n.name: n for n in program.graph.nodes if n.op == "placeholder"}
    found: dict[str, str] = {}
    for placeholder, leaf in leaves.items():
        for axis, size in enumerate(nodes[placeholder].meta["val"].shape):
            if not isinstance(size, int):
                found.setdefault(str(size.node._expr), labels.get(leaf, {}).get(axis) or f"{leaf}_{axis}")
    return found


def _bind_symbol(sizes: Sizes, name: str, label: str, example: int | None, model: Model) -> None:
    known = sizes.by_symbol.get(name)
    if known is not None:
        if str(known) != label:
            _note(model, f"sizes {known} and {label} are always equal: the model's code makes them so")
        return
    sizes.bind(name, symbol(label))
    if example is not None:
        sizes.hints.setdefault(label, example)


def _bind_compound(sizes: Sizes, expr: Any, label: str, example: int | None) -> None:
    """An input size such as 4*s0: a symbol that no input has bare gets the name of the size it counts."""
    unknown = [s for s in expr.free_symbols if str(s) not in sizes.by_symbol]
    if not unknown:
        return
    if len(unknown) > 1 or len(expr.free_symbols) > 1:
        raise ConversionError(f"input size {label} is {expr}, which several sizes decide; make one of them fixed")
    (unit,) = unknown
    step, offset = expr.coeff(unit), expr.subs(unit, 0)
    if expr != step * unit + offset or not (step.is_Integer and offset.is_Integer):
        raise ConversionError(f"input size {label} is {expr}, which does not decide {unit}; make it fixed")
    sizes.bind(str(unit), symbol(f"{label}_units"))
    if example is not None:
        sizes.hints[f"{label}_units"] = (example - int(offset)) // int(step)


def _results(program: Any, reader: Reader, items: list[Any]) -> Tree:
    """The tree of results; sets the graph's outputs in leaf order."""
    import torch
    from torch.utils import _pytree as pytree

    values = [reader.output_value(item) for item in items]
    marks = [torch.empty(0) for _ in items]  # stand-ins of a type that every container accepts
    by_mark = {id(m): v for m, v in zip(marks, values, strict=True)}
    flat = [mark if value is not None else item for mark, value, item in zip(marks, values, items, strict=True)]
    spec = program.call_spec.out_spec
    nested = pytree.tree_unflatten(flat, spec) if spec is not None else tuple(flat)
    try:
        tree, found = result_tree(nested, lambda x: isinstance(x, torch.Tensor))
    except TypeError as error:
        raise UsageError(f"the model's result cannot be described: {error}; return tensors, tuples, dicts or data classes") from None
    if not found:
        raise UsageError("the model returns no tensor")
    reader.model.graph.set_outputs([found_value for _, mark in found if (found_value := by_mark[id(mark)]) is not None])
    return tree


def input_tree(parameters: Iterable[Parameter]) -> list[str]:
    """Flat names of all leaves."""
    return list(Signature(tuple(parameters)).input_names)


def metadata(source: str, program: Any, model: Model) -> dict[str, Any]:
    """Framework, versions, name and fingerprint of the source: a hash of its graph and all weights."""
    import torch

    digest = hashlib.blake2b(program.graph_module.code.encode(), digest_size=16)
    for weight in model.weights.values():
        digest.update(f"{weight.name} {weight.type}".encode())
        digest.update(np.ascontiguousarray(weight.data.numpy()).view(np.uint8).data)
    return {
        "framework": "torch", "versions": {"torch": torch.__version__}, "source": source, "fingerprint": digest.hexdigest(),
    }  # fmt: skip


def _note(model: Model, text: str) -> None:
    if text not in model.notes:
        model.notes.append(text)


__all__ = ["Branch", "Constant", "Leaf", "assemble", "input_tree", "metadata", "name_sizes"]
