"""Putting a fault into live functions, or into a module as it is imported."""

from __future__ import annotations

import ast
import gc
import importlib.machinery
import types
from collections import Counter
from collections.abc import Collection, Iterator, Mapping

from tests.mutants.faults import Fault

Place = tuple[str, str, int, int]
"""File, qualified name, first line and, among those that share all these, position."""
Live = dict[Place, list[types.FunctionType]]


def live_functions(files: Collection[str]) -> Live:
    """Every function object alive whose code comes from one of the files: decorated, static, or inside a closure."""
    wanted, places = set(files), {}
    gc.unfreeze()  # what is frozen, as by tests/conftest.py, is not among the objects that the collector lists
    # by type(): isinstance asks a dead weak proxy for its class, which raises
    functions = [f for f in gc.get_objects() if type(f) is types.FunctionType and f.__code__.co_filename in wanted]
    for file in wanted:
        with open(file, encoding="utf-8") as source:
            places.update(
                {code: place for place, code in _codes(file, compile(source.read(), file, "exec", dont_inherit=True))}
            )
    found: Live = {}
    for function in functions:
        if function.__code__ in places:
            found.setdefault(places[function.__code__], []).append(function)
    return found


def _codes(file: str, code: types.CodeType) -> Iterator[tuple[Place, types.CodeType]]:
    seen: Counter[tuple[str, int]] = Counter()
    stack = [code]
    while stack:
        outer = stack.pop()
        for inner in outer.co_consts:
            if isinstance(inner, types.CodeType):
                key = (inner.co_qualname, inner.co_firstlineno)
                yield (file, *key, seen[key]), inner
                seen[key] += 1
                stack.append(inner)


def changed(tree: ast.Module, fault: Fault) -> ast.Module:
    """Make the change in the tree, which is the fault's own."""
    for holder in fault.holders[1:]:  # a name that only the changed part read must stay in the closure
        names = {n.id for n in ast.walk(holder) if isinstance(n, ast.Name) and isinstance(n.ctx, ast.Load)}
        unused = ast.Tuple([ast.Name(n, ast.Load()) for n in sorted(names)], ast.Load())
        holder.body.append(ast.If(ast.Constant(False), [ast.Expr(unused)], []))
    fault.apply()
    return ast.fix_missing_locations(tree)


def compiled(file: str, tree: ast.Module) -> types.CodeType:
    """The code of the file whose tree it is."""
    return compile(tree, file, "exec", dont_inherit=True)


def meaning(code: types.CodeType) -> tuple[object, ...]:
    """All that running the code depends on: not where in the file it stands."""
    constants = [meaning(c) if isinstance(c, types.CodeType) else _exactly(c) for c in code.co_consts]
    return (
        code.co_name, code.co_code, tuple(constants), code.co_names, code.co_varnames, code.co_freevars, code.co_cellvars,
        code.co_argcount, code.co_posonlyargcount, code.co_kwonlyargcount, code.co_flags, code.co_exceptiontable,
    )  # fmt: skip


def _exactly(constant: object) -> str:
    """Tells 1, 1.0 and True apart, and 0.0 from -0.0; the order of a set means nothing."""
    return f"frozenset {sorted(map(repr, constant))}" if isinstance(constant, frozenset) else repr(constant)


def give(file: str, code: types.CodeType, live: Live) -> bool:
    """Give the file's changed code to the live functions; False where none has it."""
    given = False
    for place, inner in _codes(file, code):
        for function in live.get(place, []):
            if function.__code__ != inner and function.__code__.co_freevars == inner.co_freevars:
                function.__code__ = inner
                given = True
    return given


def plant(file: str, code: types.CodeType, fault: Fault, live: Live) -> bool:
    """Give the file's changed code, and changed defaults, to the live functions; False where none has them."""
    planted = give(file, code, live)
    if fault.kind == "default":
        for place, functions in live.items():
            if place[:2] == (file, fault.function):
                for function in functions:
                    planted = _plant_defaults(function, fault.holders[-1].args) or planted
    return planted


def _plant_defaults(function: types.FunctionType, args: ast.arguments) -> bool:
    """Evaluate the defaults again; False where they need names of a scope that is gone."""
    try:
        values = [_value(d, function) for d in args.defaults]
        named = {
            a.arg: _value(d, function) for a, d in zip(args.kwonlyargs, args.kw_defaults, strict=True) if d is not None
        }
    except NameError:
        return False
    function.__defaults__, function.__kwdefaults__ = tuple(values) or None, named or None
    return True


def _value(node: ast.expr, function: types.FunctionType) -> object:
    code = compile(ast.Expression(node), function.__code__.co_filename, "eval", dont_inherit=True)
    return eval(code, function.__globals__)  # noqa: S307 - our own source, changed


def plant_at_import(codes: Mapping[str, types.CodeType]) -> None:
    """Let the next import of a file load the changed code."""
    loader = importlib.machinery.SourceFileLoader
    usual = loader.get_code

    def get_code(self: importlib.machinery.SourceFileLoader, fullname: str) -> types.CodeType | None:
        return codes[self.path] if self.path in codes else usual(self, fullname)

    loader.get_code = get_code  # type: ignore[method-assign]
