"""Python decisions on sizes: the export takes one path, so the model keeps the condition that led there.

`torch.export` follows `if x.shape[1] > 6:` for its example sizes and forgets that it did. The decisions that the model's
code takes (PyTorch's own kernels decide much that changes no result) are recorded; `paths.py` finds out which of them
matter, and these become assumptions, which emitted code checks.
"""

from __future__ import annotations

import ast
import contextlib
import operator
import re
import sys
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from converter.errors import ConversionError
from converter.importers.base import Refusal
from converter.importers.torch.decisions import SIGNS, Decision
from converter.importers.torch.dims import Sizes
from converter.importers.torch.scopes import is_internal
from ir.core import Model
from ir.types import Assumption, Dim, mod, symbol

_MODEL_CODE = ("/torch/nn/modules/", "/torch/nn/functional.py")


@dataclass(frozen=True)
class Branch:
    """A condition on sizes (sympy, in torch's symbols), which way it went, and where: `model.py:12`."""

    condition: Any
    taken: bool
    line: str


@contextlib.contextmanager
def recording() -> Iterator[list[Branch]]:
    """Collect the decisions on sizes that model code takes inside the block: conditions, and expressions of sizes made
    Python numbers (`int(n * 0.75)`, `range(n // 2)`), which the export fixes at the example's value."""
    import sympy  # type: ignore[import-untyped]
    import torch

    found: list[Branch] = []
    original = torch.SymBool.__bool__
    numbers = [(torch.SymInt, "__int__"), (torch.SymInt, "__index__"), (torch.SymFloat, "__float__")]
    kept = [(kind, name, getattr(kind, name)) for kind, name in numbers]

    def fixing(read: Callable[[Any], Any]) -> Callable[[Any], Any]:
        def fix(self: Any) -> Any:
            expr = self.node._expr
            result = read(self)
            place = _model_frame()
            if place and not expr.is_Symbol:  # a bare size is fixed as a whole, which is refused by its name
                found.append(Branch(sympy.Eq(expr, result), True, place))
            return result

        return fix

    def decide(self: Any) -> bool:
        result = bool(original(self))
        place = _model_frame()
        if place:
            found.append(Branch(self.node._expr, result, place))
        return result

    torch.SymBool.__bool__ = decide
    for kind, name, read in kept:
        setattr(kind, name, fixing(read))
    try:
        yield found
    finally:
        torch.SymBool.__bool__ = original
        for kind, name, read in kept:
            setattr(kind, name, read)


def _model_frame() -> str:
    """File and line of the code that asked, when it is a model's; empty when it is PyTorch's own machinery."""
    frame = sys._getframe(2)
    while frame.f_back is not None and frame.f_code.co_filename.replace("\\", "/").endswith("/torch/__init__.py"):
        frame = frame.f_back
    file = frame.f_code.co_filename.replace("\\", "/")
    if is_internal(file) and not any(part in file for part in _MODEL_CODE):
        return ""
    return f"{file.rsplit('/', 1)[-1]}:{frame.f_lineno}"


def decisions(branches: Iterable[Branch], sizes: Sizes, raw: Mapping[str, str]) -> list[Decision]:
    """What the branches took for granted, as relations of our sizes, in the order they were asked; each once.

    `raw` maps torch's symbols of input sizes, before any were found equal, to our names. Raises ConversionError for a
    condition that cannot be stated.
    """
    import sympy

    known = Sizes()
    named = {str(dim) for dim in sizes.by_symbol.values()}
    known.by_symbol = {**{s: symbol(label) for s, label in raw.items() if label in named}, **sizes.by_symbol}
    found: dict[Decision, None] = {}
    for branch in dict.fromkeys(branches):
        condition = branch.condition if branch.taken else sympy.Not(branch.condition)
        for part in condition.args if isinstance(condition, sympy.And) else (condition,):
            decision = _decision(part, branch, known, raw)
            if decision is not None and not decision.certain:
                found.setdefault(decision)
    return list(found)


def _decision(condition: Any, branch: Branch, sizes: Sizes, raw: Mapping[str, str]) -> Decision | None:
    if not condition.free_symbols or any(str(s).startswith(("u", "zuf")) for s in condition.free_symbols):
        return None
    names = sorted({raw.get(str(s), str(s)) for s in condition.free_symbols})
    if any(str(s) not in sizes.by_symbol for s in condition.free_symbols):
        raise ConversionError(
            f"the code at {branch.line} takes another path where sizes {', '.join(names)} differ: give equal sizes one name"
        )
    kind = type(condition).__name__
    try:
        if kind not in SIGNS:
            raise Refusal(f"{condition} is no comparison")
        left, right = (sizes.expr(a) for a in condition.args)
    except Refusal as refusal:
        raise ConversionError(
            f"the code at {branch.line} takes a path that depends on {', '.join(names)}, by a condition that cannot be "
            f"stated ({refusal}); give these sizes as numbers"
        ) from None
    return Decision(kind, left, right, f"the code at {branch.line} takes another path otherwise")


def assume(kept: Iterable[Decision], model: Model) -> None:
    """Add decisions to the model's assumptions, which emitted code checks, and to its notes."""
    for decision in kept:
        left, right = decision.equality
        if not decision.certain and all((a.left, a.right) != (left, right) for a in model.assumptions):
            model.assumptions.append(Assumption(left, right, decision.why))
            model.notes.append(f"only for sizes where {decision}: {decision.why}")


def assume_guards(program: Any, model: Model) -> None:
    """Add what an exported program itself demands of its sizes (`L['x'].size()[1] > 6`) to the model's assumptions.

    Guards about quotients of sizes are left out: PyTorch's views make many that change no result.
    """
    types = {v.name: v.type.shape for v in model.graph.inputs}
    for text in getattr(program, "_guards_code", None) or []:
        tree = ast.parse(text, mode="eval").body
        if (
            not isinstance(tree, ast.Compare)
            or len(tree.ops) != 1
            or any(isinstance(n, ast.FloorDiv) for n in ast.walk(tree))
        ):
            continue
        kind, left, right = (
            _COMPARISONS.get(type(tree.ops[0])),
            _size(tree.left, types),
            _size(tree.comparators[0], types),
        )
        if kind is None or left is None or right is None or isinstance(left, int) and isinstance(right, int):
            continue
        assume([Decision(kind, left, right, "the exported program demands it")], model)


def _size(tree: ast.AST, types: Mapping[str, Any]) -> Dim | None:
    """A guard's expression of input sizes as a dim; None for anything else."""
    if isinstance(tree, ast.Constant) and type(tree.value) is int:
        return tree.value
    if isinstance(tree, ast.UnaryOp) and isinstance(tree.op, ast.USub):
        inner = _size(tree.operand, types)
        return None if inner is None else -inner
    if isinstance(tree, ast.BinOp) and type(tree.op) in _ARITHMETIC:
        a, b = _size(tree.left, types), _size(tree.right, types)
        return None if a is None or b is None else _ARITHMETIC[type(tree.op)](a, b)
    match = re.fullmatch(r"L((?:\[[^\]]+\])+)\.size\(\)\[(\d+)\]", ast.unparse(tree))
    shape = types.get(".".join(re.findall(r"\['?([^\]']+)'?\]", match[1]))) if match else None
    return None if match is None or shape is None else shape[int(match[2])]


_COMPARISONS: dict[type, str] = {
    ast.Eq: "Equality", ast.NotEq: "Unequality", ast.GtE: "GreaterThan", ast.LtE: "LessThan",
    ast.Gt: "StrictGreaterThan", ast.Lt: "StrictLessThan",
}  # fmt: skip
_ARITHMETIC: dict[type, Callable[[Any, Any], Dim]] = {
    ast.Add: operator.add, ast.Sub: operator.sub, ast.Mult: operator.mul, ast.Mod: mod,
}  # fmt: skip
