"""The faults: each is one small change to the syntax tree of a source file, made in place."""

from __future__ import annotations

import ast
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from functools import partial
from typing import Any, Literal

FLIPPED = {
    ast.Lt: ast.LtE, ast.LtE: ast.Lt, ast.Gt: ast.GtE, ast.GtE: ast.Gt, ast.Eq: ast.NotEq, ast.NotEq: ast.Eq,
    ast.Is: ast.IsNot, ast.IsNot: ast.Is, ast.In: ast.NotIn, ast.NotIn: ast.In,
}  # fmt: skip
OTHER_OP = {
    ast.Add: ast.Sub, ast.Sub: ast.Add, ast.Mult: ast.Add, ast.FloorDiv: ast.Mult, ast.Mod: ast.FloorDiv,
    ast.Div: ast.Mult,
}  # fmt: skip
SAME_EITHER_WAY = set(
    "isinstance getattr hasattr zip max min sorted range ignore "  # a swap crashes, or means the same
    "add mul maximum minimum fmax fmin equal not_equal and_ or_ xor_ bitwise_and bitwise_or bitwise_xor logical_and "
    "logical_or dim_max dim_min broadcast_shapes broadcast_arrays broadcast array_equal logaddexp gcd promoted same multiply xor clip "
    "result_type promote_types require_same check_same_shape".split()
)
WORDS = {"why", "advice"}
"""Arguments that are the words of messages."""

Change = tuple[str, Callable[[], None]] | tuple[str, Callable[[], None], tuple[ast.Call, str]]
"""What it does, how, and of an argument left out which."""
Put = Callable[[ast.expr], None]
"""Puts another expression in the place of one."""


@dataclass(frozen=True)
class Fault:
    """One change, not made yet.

    `first` and `last` are the lines of the statement (of its head, for one with a body). `kind` is `body` for code that
    runs when a function is called, `default` for the default of a parameter, `import` for all that runs at import.
    """

    function: str
    line: int
    what: str
    first: int
    last: int
    kind: Literal["body", "default", "import"]
    holders: tuple[ast.FunctionDef, ...]
    assigned: str
    apply: Callable[[], None]
    dropped: tuple[ast.Call, str] | None = None
    """The call and the argument that it leaves out."""

    @property
    def names(self) -> set[str]:
        """The definitions it lies in, and the name its statement gives a value to."""
        parts = self.function.split(".")
        return {*parts, *(f".{p}" for p in parts[1:]), f".{self.assigned}" if self.function else self.assigned}


def faults(tree: ast.Module, untouched: frozenset[str] = frozenset()) -> list[Fault]:
    """Every fault that can be planted in a file, in source order; `what` tells those of a function apart.

    Annotations, docstrings, assertions (`zip(..., strict=True)` is one) and the words of messages are left alone, and
    so are the definitions and constants named `untouched`.
    """
    seen: Counter[tuple[str, str]] = Counter()
    found = []
    for fault in _block(tree.body, (), "", "import"):
        if untouched.intersection(fault.names):
            continue
        seen[fault.function, fault.what] += 1
        count = seen[fault.function, fault.what]
        found.append(replace(fault, what=f"{fault.what} #{count}") if count > 1 else fault)
    return found


def _block(body: list[ast.stmt], holders: tuple[ast.FunctionDef, ...], name: str, kind: Any) -> Iterator[Fault]:
    for statement in body:
        if isinstance(statement, ast.FunctionDef):
            yield from _function(statement, holders, name, kind)
        elif isinstance(statement, ast.ClassDef):
            yield from _block(statement.body, holders, f"{name}{statement.name}.", kind)
        elif not isinstance(statement, (ast.Raise, ast.Assert, ast.Import, ast.ImportFrom)):
            for fault in _statement(statement, holders, name, kind):
                yield replace(fault, assigned=_assigned(statement)) if not holders else fault


def _assigned(statement: ast.stmt) -> str:
    """The constant that a statement sets; an annotated one of a class may be an op's attribute."""
    if isinstance(statement, ast.AnnAssign) and "ClassVar" not in ast.unparse(statement.annotation):
        return ""
    targets = getattr(statement, "targets", [getattr(statement, "target", None)])
    first = targets[0].elts[0] if isinstance(targets[0], ast.Tuple) else targets[0]
    return first.id if isinstance(first, ast.Name) else ""


def _function(node: ast.FunctionDef, holders: tuple[ast.FunctionDef, ...], name: str, kind: Any) -> Iterator[Fault]:
    own = f"{name}{node.name}"
    for i, item in enumerate(node.decorator_list):
        for fault in _expression(item, partial(_put, node.decorator_list, i), item, (holders, own, kind)):
            if not fault.what.startswith("first two arguments swapped"):  # the names a rule is registered for
                yield fault
    default = "default" if kind == "import" else kind
    for defaults in (node.args.defaults, node.args.kw_defaults):
        for i, value in enumerate(defaults):
            if value is not None:
                yield from _expression(value, partial(_put, defaults, i), value, ((*holders, node), own, default))
    body = node.body[1:] if ast.get_docstring(node) is not None else node.body
    yield from _block(body, (*holders, node), f"{own}.<locals>.", "body")


def _statement(node: ast.stmt, holders: tuple[ast.FunctionDef, ...], name: str, kind: Any) -> Iterator[Fault]:
    place = (holders, name.removesuffix(".<locals>.").removesuffix("."), kind)
    compound = hasattr(node, "body")
    if isinstance(node, ast.AugAssign) and type(node.op) in OTHER_OP:
        apply = partial(setattr, node, "op", OTHER_OP[type(node.op)]())
        yield _fault(node, node, ("other operator", apply), place)
    for field, value in ast.iter_fields(node):
        if field == "annotation":
            continue
        for i, child in enumerate(value) if isinstance(value, list) else [(None, value)]:
            if isinstance(child, ast.expr):
                put = partial(setattr, node, field) if i is None else partial(_put, value, i)
                if field == "test":
                    yield from _negated(child, put, child, place)
                yield from _expression(child, put, child if compound else node, place)
            elif isinstance(child, (ast.withitem, ast.match_case)):
                yield from _parts(child, child, place)
            if isinstance(child, (ast.match_case, ast.ExceptHandler)):
                yield from _block(child.body, holders, name, kind)
    for block in ("body", "orelse", "finalbody"):
        yield from _block(getattr(node, block, []), holders, name, kind)


def _parts(node: ast.AST, around: ast.AST, place: Any) -> Iterator[Fault]:
    """The expressions in a node, each with a way to put another in its place."""
    for field, value in ast.iter_fields(node):
        for i, child in enumerate(value) if isinstance(value, list) else [(None, value)]:
            put = partial(setattr, node, field) if i is None else partial(_put, value, i)
            if isinstance(child, ast.expr):
                if field == "ifs":
                    yield from _negated(child, put, around, place)
                yield from _expression(child, put, around, place)
            elif isinstance(child, (ast.comprehension, ast.keyword, ast.arguments)) and getattr(child, "arg", "") != "strict":
                yield from _parts(child, around, place)


def _expression(node: ast.expr, put: Put, around: ast.AST, place: Any) -> Iterator[Fault]:
    if isinstance(node, ast.JoinedStr):
        return
    for change in _changes(node, put):
        yield _fault(node, around, change, place)
    yield from _parts(node, around, place)


def _negated(node: ast.expr, put: Put, around: ast.AST, place: Any) -> Iterator[Fault]:
    if isinstance(node, (ast.Name, ast.Call, ast.Attribute, ast.Subscript)):
        yield _fault(node, around, ("condition negated", partial(put, ast.UnaryOp(ast.Not(), node))), place)


def _fault(node: Any, around: Any, change: Change, place: Any) -> Fault:
    holders, function, kind = place
    what = f"{change[0]} in {_short(around, 100)}" if around is not node else f"{change[0]}: {_short(node, 100)}"
    first = min([getattr(around, "lineno", node.lineno), node.lineno])
    last = max([getattr(around, "end_lineno", 0) or 0, node.end_lineno or node.lineno])
    return Fault(function, node.lineno, what, first, last, kind, holders, "", *change[1:])


def _short(node: ast.AST, limit: int) -> str:
    text = " ".join(ast.unparse(node).split())
    return text if len(text) <= limit else text[: limit - 3] + "..."


def _put(items: list[Any], index: int, new: Any) -> None:
    items[index] = new


def _changes(node: ast.expr, put: Put) -> list[Change]:
    text = _short(node, 60)
    match node:
        case ast.Constant(value=bool(v)):
            return [(f"{v} -> {not v}", partial(setattr, node, "value", not v))]
        case ast.Constant(value=int() | float() as v):
            return [(f"{v} -> {v + 1}", partial(setattr, node, "value", v + 1))]
        case ast.BinOp() if type(node.op) in OTHER_OP:
            other = partial(setattr, node, "op", OTHER_OP[type(node.op)]())
            return [(f"other operator in {text}", other), (f"left term only of {text}", partial(put, node.left))]
        case ast.Compare() if len(node.ops) == 1 and type(node.ops[0]) in FLIPPED:
            return [(f"flipped {text}", partial(setattr, node, "ops", [FLIPPED[type(node.ops[0])]()]))]
        case ast.BoolOp():
            swapped = ast.Or() if isinstance(node.op, ast.And) else ast.And()
            return [(f"and/or swapped in {text}", partial(setattr, node, "op", swapped))]
        case ast.UnaryOp(op=ast.Not()) | ast.UnaryOp(op=ast.USub()):
            return [(f"{type(node.op).__name__} dropped from {text}", partial(put, node.operand))]
        case ast.IfExp():
            return [(f"branches swapped in {text}", partial(_swap_branches, node))]
        case ast.Call():
            return _call_changes(node, text)
    return []


def _call_changes(node: ast.Call, text: str) -> list[Change]:
    named = [(k, k.arg) for k in node.keywords if k.arg is not None and k.arg not in {"strict", *WORDS}]
    found: list[Change] = [
        (f"{name} dropped from {text}", partial(node.keywords.remove, k), (node, name)) for k, name in named
    ]
    if _can_swap(node):
        found.insert(0, (f"first two arguments swapped in {text}", partial(_swap_arguments, node)))
    return found


def _swap_branches(node: ast.IfExp) -> None:
    node.body, node.orelse = node.orelse, node.body


def _swap_arguments(node: ast.Call) -> None:
    node.args[0], node.args[1] = node.args[1], node.args[0]


def _can_swap(node: ast.Call) -> bool:
    name = getattr(node.func, "id", getattr(node.func, "attr", ""))
    plain = len(node.args) >= 2 and not any(isinstance(a, ast.Starred) for a in node.args[:2])
    return plain and name not in SAME_EITHER_WAY
