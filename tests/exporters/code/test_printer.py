"""Expressions print with the parentheses Python needs and no others, and long lines break like a formatter's."""

from __future__ import annotations

import ast
import random
import textwrap

import pytest

from converter.exporters.code import stmt as s
from converter.exporters.code.expr import Binary, Expr, Hole, IfElse, Lit, Name, Slice, Star, Tup, Unary, Var, lift
from converter.exporters.code.fold import fold
from converter.exporters.code.names import allocate, bind
from converter.exporters.code.printer import Printer, literal

A, B, C = Name("a"), Name("b"), Name("c")


def test_precedence() -> None:
    text = Printer().flat
    assert text(A + B * C) == "a + b * c"
    assert text((A + B) * C) == "(a + b) * c"
    assert text(A - (B - C)) == "a - (b - c)"
    assert text((A - B) - C) == "a - b - c"
    assert text(Binary("**", Unary("-", A), Lit(2))) == "(-a) ** 2"
    assert text(Unary("-", Binary("**", A, Lit(2)))) == "-a**2"
    assert text((A < B).all()) == "(a < b).all()"
    assert text(Lit(-1.5).real) == "(-1.5).real"
    assert text(A[Slice(None, Lit(-1)), ..., Lit(None)]) == "a[:-1, ..., None]"
    assert text(lift((1,))) == "(1,)"
    assert text(IfElse(A, B, C) + A) == "(b if a else c) + a"


def test_random_trees_parse_back() -> None:
    """What is printed evaluates as the tree says."""
    rng = random.Random(0)
    operators = ["+", "-", "*", "//", "%", "&", "|", "^", "<<", "<", "=="]

    def tree(depth: int) -> Expr:
        if depth == 0:
            return Lit(rng.randint(-3, 9))
        kind = rng.random()
        if kind < 0.15:
            return Unary(rng.choice(["-", "~"]), tree(depth - 1))
        if kind < 0.25:
            return IfElse(tree(depth - 1), tree(depth - 1), tree(depth - 1))
        return Binary(rng.choice(operators), tree(depth - 1), tree(depth - 1))

    def value(e: Expr):
        if isinstance(e, Lit):
            return e.value
        if isinstance(e, Unary):
            return -value(e.operand) if e.op == "-" else ~value(e.operand)
        if isinstance(e, IfElse):
            return value(e.then) if value(e.test) else value(e.other)
        return eval(f"x {e.op} y", {"x": value(e.left), "y": value(e.right)})  # noqa: S307 - numbers of our own making

    seen = 0
    for _ in range(400):
        expr = tree(3)
        try:
            want = value(expr)
        except (ZeroDivisionError, ValueError, OverflowError):
            continue
        seen += 1
        assert eval(Printer().flat(expr)) == want  # noqa: S307
    assert seen > 150


def test_literals_are_exact() -> None:
    for value in (0.1, 1e-30, -0.0, 1 / 3, 'a"b\\n', True, None, 2**70):
        assert repr(ast.literal_eval(literal(value))) == repr(value)
    assert literal(float("inf")) == 'float("inf")' and literal(float("-inf")) == 'float("-inf")'


def test_long_calls_break() -> None:
    call = Name("function")(*(Name(f"argument_{i}") for i in range(4)), keyword=A)
    assert Printer(width=40).lines("x = ", call, "", 0) == [
        "x = function(",
        "    argument_0,",
        "    argument_1,",
        "    argument_2,",
        "    argument_3,",
        "    keyword=a,",
        ")",
    ]
    assert Printer(width=70).lines("x = ", call, "", 1) == [
        "    x = function(",
        "        argument_0, argument_1, argument_2, argument_3, keyword=a",
        "    )",
    ]


def written(body: list[s.Stmt], params: list[Var]) -> list[str]:
    fold(body)
    bind(body, allocate(params, body, {"f", "g"}))
    return Printer().block(body)


def test_chains_fold_and_dying_names_are_reused() -> None:
    x, y, z = Var(), Var(), Var()
    body = [s.Assign(y, Name("f")(x)), s.Assign(z, Name("g")(y)), s.Return(z + z)]
    assert written(body, [x]) == ["x = g(f(x))", "return x + x"]


def test_a_name_still_needed_is_not_reused() -> None:
    x, y = Var(), Var()
    body = [s.Assign(y, Name("f")(x)), s.Return(Tup((y + y, x)))]
    assert written(body, [x]) == ["y = f(x)", "return y + y, x"]


def test_nothing_folds_past_an_effect() -> None:
    x, y = Var(), Var()
    body = [s.Assign(y, Name("f")(x)), s.Do(Name("g")(x)), s.Return(y)]
    assert written(body, [x]) == ["y = f(x)", "g(x)", "return y"]


def test_loop_variables_stay_apart() -> None:
    """What a loop reads again on its next round keeps its name to itself."""
    x, start, total = Var(), Var(), Var(mutable=True)
    other = Var()
    body = [
        s.Assign(start, Name("f")(x)),
        s.Assign(total, start),
        s.For(Name("_"), Name("range")(3), [s.Assign(other, total + x), s.Assign(total, other * other, pure=False)]),
        s.Return(total),
    ]
    scope = {"f": lambda v: v + 1, "range": range}
    source = "def h(x):\n" + "\n".join("    " + line for line in written(body, [x]))
    exec(source, scope)

    def plain(x: int) -> int:
        total = x + 1
        for _ in range(3):
            total = (total + x) ** 2
        return total

    assert scope["h"](2) == plain(2)


def test_a_hole_prints_its_value() -> None:
    assert Printer().flat(Hole(Lit(3), "size")) == "3"


LONG = Name("function")(Name("argument_0"), Name("argument_1"), Name("argument_2"))


@pytest.mark.parametrize("item", [LONG, LONG.reshape(Lit(2)) * LONG, Star(LONG)])
def test_a_tuple_of_one_stays_one_over_several_lines(item: Expr) -> None:
    """Its comma was lost where it did not fit a line, so that a module gave what it held instead."""
    for width in range(10, 60):
        text = "\n".join(Printer(width=width).statement(s.Return(Tup((item,))), 0))
        (statement,) = ast.parse(f"def g():\n{textwrap.indent(text, '    ')}").body[0].body
        assert isinstance(statement.value, ast.Tuple) and len(statement.value.elts) == 1, text
