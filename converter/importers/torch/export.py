"""Running torch.export: quietly, in both modes, leaving the user's module as it was."""

from __future__ import annotations

import contextlib
import functools
import io
import keyword
import logging
import re
import threading
import warnings
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

from converter.errors import ConversionError, UsageError
from converter.importers.torch import attributes, branches, fused, gradients, leaves, packed, spelled
from converter.importers.torch.inputs import Example

_LOCK = threading.Lock()  # exporting patches classes and global settings of torch
_LOGGERS = ("torch", "torch.export", "torch._dynamo", "torch._functorch", "torch.fx", "torch._export")
_ADVICE = (
    (re.compile(r"DataDependentOutput\w*: aten\.(equal|allclose)|^aten\.(equal|allclose)"),
     "a Python truth value would be fixed by the example: keep it a tensor, (x == y).all() or torch.isclose(x, y).all()"),
    (re.compile(r"^aten\.linalg_lstsq"), "the sizes of its results depend on the rank: use torch.linalg.qr, or pinv"),
    (re.compile(r"^aten\._ctc_loss"), "its steps follow lengths that the data gives: compute this loss outside the model"),
    (re.compile(r"no attribute 'constant'|does not require grad|data pointer of Tensor that doesn't have storage|_functorch"),
     "derivatives inside forward() (torch.func.grad, torch.autograd.grad) cannot be exported: write them out"),
    (re.compile(r"data-dependent|GuardOnDataDependent|unbacked", re.I),
     "a Python decision depends on the values of a tensor: use torch.where, torch.cond or a size known beforehand"),
    (re.compile(r"\.item\(\)|_local_scalar_dense"), "avoid .item(); keep the number a tensor"),
    (re.compile(r"in output, which is not a known type"),
     "leave it out of the result (models of transformers: config.use_cache = False)"),
    (re.compile(r"unsupported (input|output) type|pytree", re.I), "pass and return tensors, tuples, lists and dicts"),
)  # fmt: skip


@contextlib.contextmanager
def exporting(*modules: Any, counted: frozenset[Any] = frozenset()) -> Iterator[None]:
    """Inside the block: no logging, no gradients, recurrent leaves, no fused fast paths; all restored afterwards. The
    batch normalisations `counted` count their batches."""
    import torch

    with _LOCK, contextlib.ExitStack() as stack:
        flags = [(m, m.training) for root in modules for m in root.modules()]
        stack.callback(_restore_flags, flags)
        stack.enter_context(_quiet())
        stack.enter_context(torch.no_grad())
        stack.enter_context(leaves.layer_leaves(counted))
        stack.enter_context(packed.padded_sequences())
        stack.enter_context(fused.masks_as_given())
        stack.enter_context(spelled.spelled())
        fast = torch.backends.mha.get_fastpath_enabled()
        torch.backends.mha.set_fastpath_enabled(False)
        stack.callback(torch.backends.mha.set_fastpath_enabled, fast)
        yield


def _restore_flags(flags: list[tuple[Any, bool]]) -> None:
    for module, training in flags:
        module.training = training


@contextlib.contextmanager
def _quiet() -> Iterator[None]:
    levels = [(logging.getLogger(n), logging.getLogger(n).level) for n in _LOGGERS]
    with warnings.catch_warnings(), contextlib.redirect_stderr(io.StringIO()), contextlib.redirect_stdout(io.StringIO()):
        warnings.simplefilter("ignore")
        try:
            for logger, _ in levels:
                logger.setLevel(logging.CRITICAL)
            yield
        finally:
            for logger, level in levels:
                logger.setLevel(level)


def export_raw(module: Any, example: Example) -> Any:
    """The undecomposed ExportedProgram of a module in its present mode; raises ConversionError with one message.

    Exported with gradients on, so that `no_grad` blocks show; control flow that writes into buffers wants them off.
    """
    try:
        program = _export(module, example, gradients_on=True)
    except ConversionError as error:
        if "input mutation" not in str(error.__cause__):
            raise
        with gradients.no_grad_blocks() as blocks:
            program = _export(module, example, gradients_on=False)
        if blocks:
            raise ConversionError(
                f"{type(module).__name__}: control flow that writes into buffers, beside blocks of torch.no_grad(), whose "
                "gradients an export cannot show then"
            ) from error
    gradients.unwrap(program)
    return program


def _export(module: Any, example: Example, gradients_on: bool) -> Any:
    import torch

    try:
        with torch.set_grad_enabled(gradients_on):
            return torch.export.export(
                module, example.args, example.kwargs, dynamic_shapes=example.dynamic_shapes(), strict=False
            )
    except ConversionError:
        raise
    except Exception as error:  # the user's code runs here, and torch's exporter fails in any way
        raise export_error(module, error) from error


def functionalise(program: Any, table: dict[Any, Callable[..., Any]] | None = None) -> Any:
    """In-place writes and views made explicit; composites stay, except those in `table`."""
    try:
        with _any_attribute_name():
            return program.run_decompositions(table or {})
    except Exception as error:  # torch's passes fail in any way
        told = f"torch.export could not remove in-place writes: {first_line(error)}"
        raise ConversionError("; ".join([told, *_advice(str(error))])) from error


@contextlib.contextmanager
def _any_attribute_name() -> Iterator[None]:
    """Inside the block the code that torch.fx writes reads attributes called as keywords (`layers.for`) by getattr."""
    import torch

    def read(base: str, target: str) -> str:
        for part in target.split("."):
            plain = part.isidentifier() and not keyword.iskeyword(part)
            base = f"{base}.{part}" if plain else f"getattr({base}, {part!r})"
        return base

    original = torch.fx.graph._format_target
    torch.fx.graph._format_target = read
    try:
        yield
    finally:
        torch.fx.graph._format_target = original


def decompose_unknown(program: Any, known: Callable[[str], bool]) -> Any:
    """Break ops without a rule into smaller ones by PyTorch's own definitions, until nothing more can be broken."""
    for _ in range(4):
        table = {}
        for node in program.graph.nodes:
            if node.op == "call_function" and not known(str(node.target)) and node.target not in table:
                definition = definition_of(node.target)
                if definition is not None:
                    table[node.target] = definition
        if not table:
            break
        program = functionalise(program, table)
    return program


def definition_of(op: Any) -> Callable[..., Any] | None:
    """How torch itself computes an op from others: its composite kernel, or its reference decomposition."""
    import torch

    if not isinstance(op, torch._ops.OpOverload) or op.namespace != "aten":
        return None
    if torch._C._dispatch_has_kernel_for_dispatch_key(op.name(), "CompositeImplicitAutograd"):
        return functools.partial(_composite, op)
    return _core_definitions().get(op)


_BEYOND_CORE = (
    "_batch_norm_with_update_functional", "_native_batch_norm_legit_functional",
    "dist", "grid_sampler_2d", "ldexp", "max_pool2d_with_indices_backward", "narrow_copy",
    "native_batch_norm", "_native_batch_norm_legit", "polar", "tril_indices", "triu_indices", "view_copy", "permute_copy",
)  # fmt: skip
"""Ops outside the core table that torch has a definition for in terms of ops that we know."""


@functools.cache
def _core_definitions() -> dict[Any, Callable[..., Any]]:
    """Torch's own reference decompositions by op: those of its core set, and a few more.

    A plain dictionary: torch's table fills itself when indexed, and its `get` finds nothing.
    """
    from torch._decomp import core_aten_decompositions, decomposition_table

    core = core_aten_decompositions()
    found = {op: core[op] for op in list(core)}
    for op, definition in decomposition_table.items():
        if str(op).startswith("aten.") and str(op).split(".")[1] in _BEYOND_CORE:
            found.setdefault(op, definition)
    return found


def _composite(op: Any, *args: Any, **kwargs: Any) -> Any:
    """The composite kernel itself: `op.decompose` would find this function again."""
    import torch

    return op._op_dk(torch._C.DispatchKey.CompositeImplicitAutograd, *args, **kwargs)


def export_error(module: Any, error: Exception) -> ConversionError:
    """One clear message for a failed export: torch's own first sentence, the user's line, advice."""
    text = str(error)
    line = _user_frame(error)
    if isinstance(error, TypeError) and "argument" in text and not line:
        return UsageError(f"{type(module).__name__} does not take these inputs: {first_line(error)}")
    parts = [f"{type(module).__name__} cannot be exported: {type(error).__name__}: {first_line(error)}"]
    parts += [f"at {line}"] if line else []
    return ConversionError("; ".join([*parts, *_advice(text)]))


def _advice(text: str) -> list[str]:
    """What helps against an error of this text, if anything is known."""
    return [tip for pattern, tip in _ADVICE if pattern.search(text)][:1]


def first_line(error: Exception) -> str:
    """The first telling line of an exception's message, without torch's dumps."""
    for line in str(error).splitlines():
        if line.strip() and not line.startswith(("  File", "Traceback", "from user code", "#")):
            return line.strip()[:300]
    return type(error).__name__


def _user_frame(error: Exception) -> str:
    """`file.py:12` of the innermost frame of the traceback outside torch and this package."""
    from converter.importers.torch.scopes import is_internal

    place, trace = "", error.__traceback__
    while trace is not None:
        file = trace.tb_frame.f_code.co_filename
        if not is_internal(file):
            place = f"{file.replace(chr(92), '/').rsplit('/', 1)[-1]}:{trace.tb_lineno}"
        trace = trace.tb_next
    return place


@dataclass
class Exports:
    """Raw exports in eval and in train mode (None where there is none, and why), and the decisions on sizes that each
    took."""

    evaluated: Any
    trained: Any | None
    why: str
    taken: list[branches.Branch]
    taken_in_training: list[branches.Branch]


def both_modes(module: Any, example: Example) -> Exports:
    """Export in both modes.

    A module given in training mode keeps its own flags for the second (parts frozen in eval stay frozen); one given in
    eval mode is switched as a whole, and dropout layers left in training mode inside it drop always. Raises
    ConversionError where evaluation cannot be exported, or is decided by Python's own random numbers.
    """
    own = {m: m.training for m in module.modules()}
    whole = not module.training
    module.eval()
    for m, training in own.items():
        m.training = training and whole and drops(m)
    with branches.recording() as taken, drawing() as drawn, attributes.watching(module) as changed:
        evaluated = export_raw(module, example)
    if drawn:
        raise ConversionError(f"{type(module).__name__}: {drawn[0]}; use torch's random functions")
    if kept := attributes.kept(module, changed, evaluated, lambda: export_raw(module, example)):
        raise ConversionError(f"{type(module).__name__}: {attributes.reason(kept)}")
    for m, training in own.items():
        m.training = True if whole else training
    trained, why = None, ""
    with branches.recording() as later, drawing() as drawn, attributes.watching(module) as changed:
        try:
            trained = export_raw(module, example)
        except ConversionError as error:
            why = error.message
    if drawn:
        trained, why = None, drawn[0]
    if trained is not None and (kept := attributes.kept(module, changed, trained, lambda: export_raw(module, example))):
        trained, why = None, attributes.reason(kept)
    return Exports(evaluated, trained, why, taken, later)


def drops(module: Any) -> bool:
    """Whether a module is one of PyTorch's dropout layers."""
    from torch import nn

    return isinstance(module, nn.modules.dropout._DropoutNd)


@contextlib.contextmanager
def drawing() -> Iterator[list[str]]:
    """What of the code run inside the block drew random numbers of Python or NumPy: an export keeps one outcome."""
    import random

    import numpy as np

    def state() -> tuple[Any, bytes]:
        return random.getstate(), repr(np.random.get_state(legacy=False)).encode()

    before = state()
    found: list[str] = []
    yield found
    after = state()
    if before[0] != after[0]:
        found.append("its code draws from Python's random module, of which an export sees one outcome only")
    if before[1] != after[1]:
        found.append("its code draws from NumPy's random numbers, of which an export sees one outcome only")
