"""Each simplification: what it hits, what it leaves and why."""

from __future__ import annotations

import re

import numpy as np
import pytest

from ir.core.equal import graphs_equal
from ir.eval import Evaluator
from ir.passes import DeadCode, Simplify, recording
from ir.passes.simplify_arithmetic import holds
from ir.passes.simplify_rules import RULES
from ir.text import parse
from ir.types import DType, dtypes
from ir.verify import check
from tests.ir.random_graphs import assert_same

INPUTS = "x: float32[2, 3], y: float32[1, 3], n: int32[2, 3], p: bool[2, 3], z: complex64[2], s: float32[m, 3], d: float64[4]"


def model(lines: str, result: str) -> str:
    names = [part.partition(":")[0] for part in re.split(r", (?=\w+:)", INPUTS)]
    body = "".join(f"  {line.strip()}\n" for line in lines.strip().split("\n"))
    head = f"isomorph-ir 1\nmodel m\nsignature ({', '.join(names)}) -> output\ngraph ({INPUTS}):\n"
    return f"{head}{body}  return {result}\n"


def zero(value: str, type: str = "float32[]") -> str:
    return f"c: {type} = constant(; value=tensor({type}, {value}))\n"


EMPTY = "e: float32[0, 3] = full(; shape=(0, 3), value=0.0, dtype=float32)\n"
POSITIONS = (
    "a: int64[m] = arange(; start=0, stop=m, step=1, dtype=int64)\n"
    "b: int64[m, 1, 1] = unsqueeze(a; axes=(1, 2))\n"
    "e: int64[m, 1, 3] = expand(b; shape=(m, 1, 3))\n"
    "f: int64[m, 1, 3, 1] = unsqueeze(e; axes=(3,))\n"
    "g: int64[3] = arange(; start=0, stop=3, step=1, dtype=int64)\n"
    "h: int64[m, 1, 3] = expand(g; shape=(m, 1, 3))\n"
    "j: int64[m, 1, 3, 1] = unsqueeze(h; axes=(3,))\n"
    "i: int64[m, 1, 3, 2] = concat([f, j]; axis=3)\n"
)
TRUE, FALSE = zero("True", "bool[]"), zero("False", "bool[]")
HITS: list[tuple[str, str, str, str]] = [
    # rule, before (result r), after, result after
    ("identity", "r: float32[2, 3] = identity(x)", "", "x"),
    ("to_same_shape", "r: float32[2, 3] = reshape(x; shape=(2, 3))", "", "x"),
    ("to_same_shape", "r: float32[m, 3] = reshape(s; shape=(m, 3))", "", "s"),
    ("to_same_shape", "r: float32[2, 3] = expand(x; shape=(2, 3))", "", "x"),
    ("to_same_shape", "r: float32[2, 3] = tile(x; repeats=(1, 1))", "", "x"),
    ("to_same_shape", "r: float64[4] = flatten(d; start=0)", "", "d"),
    (
        "reshape_of_view",
        "a: float32[6] = flatten(x; start=0)\nr: float32[3, 2] = reshape(a; shape=(3, 2))",
        "r: float32[3, 2] = reshape(x; shape=(3, 2))",
        "r",
    ),
    (
        "squeeze_of_unsqueeze",
        "a: float32[2, 1, 3] = unsqueeze(x; axes=(1,))\n"
        "r: float32[2, 3] = squeeze(a; axes=(-2,))",
        "",
        "x",
    ),
    (
        "unsqueeze_of_squeeze",
        "a: float32[3] = squeeze(y; axes=(0,))\n"
        "r: float32[1, 3] = unsqueeze(a; axes=(0,))",
        "",
        "y",
    ),
    (
        "view_of_view",
        "a: float32[1, 2, 3] = unsqueeze(x; axes=(0,))\nr: float32[1, 1, 2, 3] = unsqueeze(a; axes=(1,))",
        "r: float32[1, 1, 2, 3] = unsqueeze(x; axes=(0, 1))",
        "r",
    ),
    (
        "view_of_view",
        "u: float32[2, 1, 3, 1] = reshape(x; shape=(2, 1, 3, 1))\nt: float32[2, 1, 3, 1] = tanh(u)\n"
        "a: float32[2, 3, 1] = squeeze(t; axes=(1,))\nr: float32[2, 3] = squeeze(a; axes=(-1,))",
        "u: float32[2, 1, 3, 1] = reshape(x; shape=(2, 1, 3, 1))\nt: float32[2, 1, 3, 1] = tanh(u)\n"
        "r: float32[2, 3] = squeeze(t; axes=(1, 3))",
        "r",
    ),
    ("transpose", "r: float32[2, 3] = transpose(x; perm=(0, 1))", "", "x"),
    (
        "transpose",
        "a: float32[3, 2] = transpose(x; perm=(1, 0))\n"
        "r: float32[2, 3] = transpose(a; perm=(1, 0))",
        "",
        "x",
    ),
    (
        "transpose",
        "a: float32[1, 2, 3] = unsqueeze(x; axes=(0,))\nb: float32[2, 3, 1] = transpose(a; perm=(1, 2, 0))\n"
        "r: float32[3, 2, 1] = transpose(b; perm=(1, 0, 2))",
        "a: float32[1, 2, 3] = unsqueeze(x; axes=(0,))\nr: float32[3, 2, 1] = transpose(a; perm=(2, 1, 0))",
        "r",
    ),
    (
        "expand_of_expand",
        "a: float32[2, 3] = expand(y; shape=(2, 3))\nr: float32[4, 2, 3] = expand(a; shape=(4, 2, 3))",
        "r: float32[4, 2, 3] = expand(y; shape=(4, 2, 3))",
        "r",
    ),
    (
        "full_slice",
        "r: float32[2, 3] = slice(x; axes=(1,), starts=(0,), stops=(9223372036854775807,), steps=(1,))",
        "",
        "x",
    ),
    ("full_slice", "r: float32[m, 3] = slice(s; axes=(0,), starts=(0,), stops=(m,), steps=(1,))", "", "s"),
    (
        "every_element_at_its_place",
        POSITIONS + "r: float32[m, 1, 3] = gather_nd(s, i)",
        "r: float32[m, 1, 3] = unsqueeze(s; axes=(1,))",
        "r",
    ),
    (
        "every_element_at_its_place",
        "a: int64[m] = arange(; start=0, stop=m, step=1, dtype=int64)\n"
        "k: int64[m, 1] = unsqueeze(a; axes=(1,))\n"
        "i: int64[4, m, 1] = expand(k; shape=(4, m, 1))\n"
        "r: float32[4, m, 3] = gather_nd(s, i)",
        "v: float32[1, m, 3] = unsqueeze(s; axes=(0,))\nr: float32[4, m, 3] = expand(v; shape=(4, m, 3))",
        "r",
    ),
    ("pad_of_nothing", "r: float32[2, 3] = pad(x; pads=((0, 0), (0, 0)), mode=\"reflect\")", "", "x"),
    ("moves_nothing", "r: float32[2, 3] = flip(x; axes=())", "", "x"),
    ("moves_nothing", "r: float32[2, 3] = roll(x; shifts=(0,), axes=(1,))", "", "x"),
    ("flip_of_flip", "a: float32[2, 3] = flip(x; axes=(0, 1))\nr: float32[2, 3] = flip(a; axes=(-1, 0))", "", "x"),
    ("concat", "r: float32[2, 3] = concat([x]; axis=0)", "", "x"),
    (
        "concat_of_split",
        "(a: float32[2, 1], b: float32[2, 2]) = split(x; sizes=(1, 2), axis=1)\nr: float32[2, 3] = concat([a, b]; axis=-1)",
        "",
        "x",
    ),
    ("concat", EMPTY + "r: float32[2, 3] = concat([x, e]; axis=0)", "", "x"),
    (
        "concat",
        EMPTY + "r: float32[4, 3] = concat([x, e, x]; axis=0)",
        "r: float32[4, 3] = concat([x, x]; axis=0)",
        "r",
    ),
    ("split_into_one", "(r: float32[2, 3]) = split(x; sizes=(2,), axis=0)", "", "x"),
    (
        "select_of_stack",
        "a: float32[2, 2, 3] = stack([x, x]; axis=1)\n"
        "r: float32[2, 3] = select(a; axis=-2, index=-1)",
        "",
        "x",
    ),
    (
        "select_of_unsqueeze",
        "a: float32[2, 1, 3] = unsqueeze(x; axes=(1,))\n"
        "r: float32[2, 3] = select(a; axis=1, index=-1)",
        "",
        "x",
    ),
    (
        "operand_expanded_for_nothing",
        "a: float32[2, 3] = expand(y; shape=(2, 3))\nr: float32[2, 3] = sub(a, x)",
        "r: float32[2, 3] = sub(y, x)",
        "r",
    ),
    ("twice_is_nothing", "a: float32[2, 3] = neg(x)\nr: float32[2, 3] = neg(a)", "", "x"),
    ("twice_is_nothing", "a: bool[2, 3] = 'not'(p)\nr: bool[2, 3] = 'not'(a)", "", "p"),
    ("twice_is_once", "a: float32[2, 3] = relu(x)\nr: float32[2, 3] = relu(a)", "r: float32[2, 3] = relu(x)", "r"),
    ("plus_zero", zero("-0.0") + "r: float32[2, 3] = add(c, x)", "", "x"),
    ("plus_zero", zero("0.0") + "r: float32[2, 3] = sub(x, c)", "", "x"),
    ("plus_zero", zero("0", "int32[]") + "r: int32[2, 3] = add(n, c)", "", "n"),
    ("times_one", zero("1.0") + "r: float32[2, 3] = mul(c, x)", "", "x"),
    ("times_one", zero("1.0") + "r: float32[2, 3] = div(x, c)", "", "x"),
    (
        "times_one",
        "c: float32[3] = full(; shape=(3,), value=1.0, dtype=float32)\n"
        "r: float32[2, 3] = mul(x, c)",
        "",
        "x",
    ),
    ("divided_by_one", zero("1", "int32[]") + "r: int32[2, 3] = floor_div(n, c)", "", "n"),
    ("with_a_truth_value", TRUE + "r: bool[2, 3] = 'and'(p, c)", "", "p"),
    ("with_a_truth_value", FALSE + "r: bool[2, 3] = 'or'(c, p)", "", "p"),
    ("where_decided", TRUE + "r: float32[2, 3] = where(c, x, y)", "", "x"),
    ("where_decided", FALSE + "r: float32[2, 3] = where(c, x, y)", "r: float32[2, 3] = expand(y; shape=(2, 3))", "r"),
    ("where_decided", "r: float32[2, 3] = where(p, x, x)", "", "x"),
    ("clip_without_bounds", "r: float32[2, 3] = clip(x)", "", "x"),
    ("clip_without_bounds", zero("inf") + "r: float32[2, 3] = clip(x, max=c)", "", "x"),
    ("clip_without_bounds", zero("-inf") + "r: float32[2, 3] = clip(x, c, y)", "r: float32[2, 3] = clip(x, max=y)", "r"),
    ("reduce_over_nothing", "r: float32[2, 3] = reduce_max(x; axes=())", "", "x"),
    ("reduce_over_nothing", "r: int32[2, 3] = reduce_sum(n; axes=())", "", "n"),
    ("cast_to_same", "r: float32[2, 3] = cast(x; to=float32)", "", "x"),
    ("cast_of_cast", "a: float64[2, 3] = cast(x; to=float64)\nr: float32[2, 3] = cast(a; to=float32)", "", "x"),
    (
        "cast_of_cast",
        "a: int64[2, 3] = cast(n; to=int64)\nr: float32[2, 3] = cast(a; to=float32)",
        "r: float32[2, 3] = cast(n; to=float32)",
        "r",
    ),
    (
        "causal_over_one_key",
        "r: float32[2, 3] = attention(x, y, y; causal=True)",
        "r: float32[2, 3] = attention(x, y, y)",
        "r",
    ),
]  # fmt: skip

MISSES: list[tuple[str, str, str]] = [
    (
        "every_element_at_its_place",
        POSITIONS.replace("start=0, stop=3,", "start=-3, stop=0,") + "r: float32[m, 1, 3] = gather_nd(s, i)",
        "",
    ),
    (
        "every_element_at_its_place",
        POSITIONS.replace("[f, j]", "[j, j]") + "r: float32[m, 1, 3] = gather_nd(y, i; bounds=\"fill\")",
        "",
    ),
    (
        "every_element_at_its_place",
        "a: int64[2] = arange(; start=0, stop=2, step=1, dtype=int64)\n"
        "i: int64[2, 1] = unsqueeze(a; axes=(1,))\nr: float64[2] = gather_nd(d, i)",
        "",
    ),
    ("reduce_over_nothing", "r: float32[2, 3] = reduce_sum(x; axes=())", "a sum turns -0.0 into 0.0"),
    ("plus_zero", zero("0.0") + "r: float32[2, 3] = add(x, c)", "the sum turns -0.0 into 0.0"),
    ("plus_zero", zero("-0.0") + "r: float32[2, 3] = sub(x, c)", "the sum turns -0.0 into 0.0"),
    ("times_one", zero("1.0") + "a: complex64[] = cast(c; to=complex64)\nr: complex64[2] = mul(z, a)", ""),
    ("plus_zero", zero("0.0") + "r: float32[2, 3] = sub(c, x)", ""),
    ("times_one", zero("1.0") + "r: float32[2, 3] = div(c, x)", ""),
    ("times_one", zero("[[1.0], [1.0], [1.0]]", "float32[3, 1]") + "r: float32[3, 3] = mul(y, c)", ""),
    (
        "cast_of_cast",
        "a: int32[2, 3] = cast(x; to=int32)\n"
        "r: float32[2, 3] = cast(a; to=float32)",
        "int32 does not hold every float32",
    ),
    ("cast_of_cast", "a: float64[2, 3] = cast(x; to=float64)\nr: int32[2, 3] = cast(a; to=int32)", "out of range"),
    (
        "transpose",
        'a: float32[3, 2] = transpose(x; perm=(1, 0))  # path="l:L"\n'
        'r: float32[2, 3] = transpose(a; perm=(1, 0))',
        "different modules",
    ),
    ("full_slice", "r: float32[2, 3] = slice(x; axes=(1,), starts=(None,), stops=(None,), steps=(-1,))", ""),
    ("to_same_shape", "r: float32[3, m] = reshape(s; shape=(3, m))", ""),
    ("flip_of_flip", "a: float32[2, 3] = flip(x; axes=(0,))\nr: float32[2, 3] = flip(a; axes=(1,))", ""),
    (
        "squeeze_of_unsqueeze",
        "a: float32[1, 1, 3] = unsqueeze(y; axes=(0,))\n"
        "r: float32[1, 3] = squeeze(a; axes=(1,))",
        "",
    ),
    (
        "operand_expanded_for_nothing",
        "a: float32[4, 1, 3] = expand(y; shape=(4, 1, 3))\n"
        "r: float32[4, 2, 3] = add(x, a)",
        "",
    ),
    ("twice_is_nothing", "a: float32[2, 3] = reciprocal(x)\nr: float32[2, 3] = reciprocal(a)", ""),
    (
        "select_of_stack",
        "a: float32[2, 2, 3] = stack([x, x]; axis=0)\n"
        "r: float32[2, 3] = select(a; axis=1, index=0)",
        "",
    ),
    ("causal_over_one_key", "r: float32[2, 3] = attention(x, x, x; causal=True)", "keys behind the first"),
]  # fmt: skip


@pytest.mark.parametrize(("rule", "before", "after", "result"), HITS)
def test_hits(rule: str, before: str, after: str, result: str) -> None:
    found, expected = parse(model(before, "r")), parse(model(after or "", result).replace(":\n  \n", ":\n"))
    check(found)
    reference = parse(model(before, "r"))
    with recording() as log:
        assert Simplify().run(found)
    DeadCode().run(found)
    check(found)
    assert rule in {r.rule for r in log.rewrites}
    assert all(r.reason for r in log.rewrites)
    assert graphs_equal(found.graph, expected.graph)
    values = inputs()
    assert_same(Evaluator("exact").run(reference, values), Evaluator("exact").run(found, values))


@pytest.mark.parametrize(("rule", "before", "reason"), MISSES)
def test_misses(rule: str, before: str, reason: str) -> None:
    found, untouched = parse(model(before, "r")), parse(model(before, "r"))
    check(found)
    with recording() as log:
        assert not Simplify().run(found)
    assert graphs_equal(found.graph, untouched.graph)
    assert any(reason in m.reason for m in log.misses if m.rule == rule) or not reason


def inputs() -> dict[str, np.ndarray]:
    rng = np.random.default_rng(0)
    special = np.array([[0.0, -0.0, np.nan], [np.inf, -np.inf, 1.5]], np.float32)
    return {
        "x": special, "y": special[:1], "n": rng.integers(-9, 9, (2, 3)).astype(np.int32), "p": special > 0,
        "z": np.array([1 + 2j, np.inf], np.complex64), "s": special, "d": np.arange(4.0),
    }  # fmt: skip


def test_every_rule_has_a_hit() -> None:
    rules = {r.name for found in RULES.values() for r in found}
    assert {h[0] for h in HITS} | {"cond_decided"} == rules


@pytest.mark.filterwarnings("ignore::RuntimeWarning")
@pytest.mark.parametrize("wide", dtypes.ALL, ids=str)
def test_a_wider_type_holds_every_value(wide: DType) -> None:
    """Measured: every value of the narrow type (up to 16 bits; edges beyond) survives the way there and back."""
    for narrow in dtypes.ALL:
        if not holds(wide, narrow) or narrow.is_bool or narrow.bits == 4 or wide.bits == 4:
            continue
        if narrow.bits <= 16:
            count = 1 << narrow.bits
            values = np.arange(count, dtype=np.uint16 if narrow.bits == 16 else np.uint8).view(narrow.numpy)
        elif narrow.is_integer:
            values = np.array([narrow.min, narrow.min + 1, -1 % (1 << 31), 0, narrow.max - 1, narrow.max], narrow.numpy)
        else:
            values = np.array([narrow.min, narrow.max, 1e-45, 0.1, np.inf, -0.0], narrow.numpy)
        back = values.astype(wide.numpy).astype(narrow.numpy)
        same = (back.view(np.uint8).reshape(-1) == values.view(np.uint8).reshape(-1)).reshape(len(values), -1).all(1)
        assert (same | (values != values)).all(), (wide, narrow)


BRANCHES = """isomorph-ir 1
model m
signature (x) -> output
graph (x: float32[2, 3]):
  p: bool[] = constant(; value=tensor(bool[], PREDICATE))
  y: float32[TYPE, 3] = cond(p, [x]SYMBOLS)
    then(a: float32[2, 3]):
      b: float32[2, 3] = relu(a)
      c: float32[2, 3] = neg(b)
      return c
    else(a: float32[2, 3]):
      BODY
      return e
  return y
"""
SAME = "e: float32[2, 3] = exp(a)"
LOCAL = (
    "m: bool[2] = constant(; value=tensor(bool[2], [True, False]))\n"
    '      e: float32[?k, 3] = compress(a, m; axis=0, symbol="k")'
)


def branches(predicate: str, body: str = SAME, type: str = "2", symbols: str = "") -> str:
    text = BRANCHES.replace("PREDICATE", predicate).replace("BODY", body).replace("TYPE", type)
    return text.replace("SYMBOLS", symbols)


@pytest.mark.parametrize(("predicate", "ops"), [("True", ["relu", "neg"]), ("False", ["exp"])])
def test_a_decided_branch_takes_the_place_of_the_choice(predicate: str, ops: list[str]) -> None:
    found, reference = parse(branches(predicate)), parse(branches(predicate))
    check(found)
    with recording() as log:
        assert Simplify().run(found)
    DeadCode().run(found)
    check(found)
    assert [n.op.name for n in found.nodes()] == ops
    assert {n.origin.history for n in found.nodes()} == {("simplify",)}
    assert [r.rule for r in log.rewrites] == ["cond_decided"]
    x = {"x": np.array([[1.0, -2.0, 0.0]] * 2, np.float32)}
    assert_same(Evaluator("exact").run(reference, x), Evaluator("exact").run(found, x))


@pytest.mark.parametrize("predicate", ["True", "False"])
def test_a_branch_with_sizes_of_its_own_stays(predicate: str) -> None:
    found = parse(branches(predicate, LOCAL, "?rows", '; symbols=("rows",)'))
    check(found)
    with recording() as log:
        assert not Simplify().run(found)
    assert [m.rule for m in log.misses] == ["cond_decided"]
