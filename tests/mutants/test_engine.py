"""The engine itself: faults of every kind are made, seen where they matter, and survive where they do not."""

from __future__ import annotations

import ast
import functools
import gc
import importlib.util
import itertools
import sys
import tempfile
import weakref
from pathlib import Path
from types import ModuleType

import pytest

from tests.mutants import constant
from tests.mutants.faults import Fault, faults
from tests.mutants.given import given_anyway
from tests.mutants.marks import Marks
from tests.mutants.plant import Live, changed, compiled, live_functions, meaning, plant, plant_at_import
from tests.mutants.reach import recording
from tests.mutants.reached import Order, Reached, kind_of
from tests.mutants.run import Counts, Mutant, mutants_of, named_at_import, sampled
from tests.mutants.session import Session, clear_caches, in_children, settle

KINDS = """
def f(a, b, c=1, *, d=2.0):
    if a:
        return not a
    if a < b and c is None:
        return -a
    a += 3
    for x in range(4):
        a = g(a, b, key=True)
    return a * b if a else [y for y in b if y]
"""
TOY = '''
import functools

SIZE = 2

def wrap(function):
    @functools.wraps(function)
    def call(x):
        return function(x) + 1
    return call

@wrap
def scaled(x, by=SIZE):
    """Twice x."""
    return x * by

class Box:
    width = 3

    @staticmethod
    def area(x):
        return x * 5

@functools.cache
def kept(x):
    return x - 1

def same(x):
    return max(x, 0) if x > 0 else 0

def lonely(x):
    return x + 7

def never(x):
    return 0 * (1 if False else x)
'''


@pytest.fixture
def toy(tmp_path: Path) -> ModuleType:
    return _import(tmp_path / "toy.py", TOY)


def _import(path: Path, source: str) -> ModuleType:
    path.write_text(source)
    spec = importlib.util.spec_from_file_location(path.stem, path)
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[path.stem] = module
    spec.loader.exec_module(module)
    return module


def _planted(path: str, tree: ast.Module, fault: Fault, live: Live) -> bool:
    return plant(path, compiled(path, changed(tree, fault)), fault, live)


def _fault(source: str, start: str) -> tuple[ast.Module, Fault]:
    tree = ast.parse(source)
    (found,) = [f for f in faults(tree) if f"{f.function}: {f.what}".startswith(start)]
    return tree, found


@pytest.mark.parametrize("what", [
    "1 -> 2", "2.0 -> 3.0", "condition negated: a", "Not dropped from not a", "flipped a < b", "flipped c is None",
    "and/or swapped in a < b and c is None", "USub dropped from -a", "other operator: a += 3", "3 -> 4", "4 -> 5",
    "first two arguments swapped in g(a, b, key=True)", "key dropped from g(a, b, key=True)", "True -> False",
    "branches swapped", "other operator in a * b", "left term only of a * b", "condition negated in",
])  # fmt: skip
def test_every_kind_of_fault(what: str) -> None:
    found = [f for f in faults(ast.parse(KINDS)) if f.what.startswith(what)]
    assert len(found) == 1
    tree = ast.parse(KINDS)
    before = ast.unparse(tree)
    next(f for f in faults(tree) if f.what == found[0].what).apply()
    assert ast.unparse(ast.fix_missing_locations(tree)) != before


def test_equal_faults_of_a_function_have_names_of_their_own() -> None:
    names = [f.what for f in faults(ast.parse("def f(x):\n    return x + 1 + 1 + 1\n"))]
    assert len(set(names)) == len(names)


@pytest.mark.parametrize(("start", "call", "before", "after"), [
    ("scaled: other operator", lambda m: m.scaled(4), 9, 7), ("scaled: left", lambda m: m.scaled(4), 9, 5),
    ("wrap.<locals>.call: other operator", lambda m: m.scaled(4), 9, 7), ("Box.area: 5 -> 6", lambda m: m.Box.area(2), 10, 12),
    ("kept: 1 -> 2", lambda m: m.kept(2), 1, 0), ("same: 0 -> 1 in return max(x, 0) if x > 0 else 0", lambda m: m.same(0.5), 0.5, 0),
])  # fmt: skip
def test_planting_in_live_functions(toy: ModuleType, start: str, call: object, before: int, after: int) -> None:
    """Decorated functions, what their decorator made, static methods, cached functions."""
    assert call(toy) == before
    tree = ast.parse(TOY)
    fault = next(f for f in faults(tree) if f"{f.function}: {f.what}".startswith(start))
    assert _planted(toy.__file__, tree, fault, live_functions([toy.__file__]))
    toy.kept.cache_clear()
    assert call(toy) == after


def test_a_changed_default(tmp_path: Path) -> None:
    source = "def f(x, by=2, *, more=3):\n    return x * by + more\n"
    module = _import(tmp_path / "defaults.py", source)
    assert module.f(1) == 5
    tree, fault = _fault(source, "f: 3 -> 4")
    assert fault.kind == "default" and _planted(module.__file__, tree, fault, live_functions([module.__file__]))
    assert module.f(1) == 6


def test_what_runs_at_import_is_planted_there(toy: ModuleType) -> None:
    tree, fault = _fault(TOY, "Box: 3 -> 4")
    assert fault.kind == "import" and not _planted(toy.__file__, tree, fault, live_functions([toy.__file__]))

    def anew() -> int:
        tree, fault = _fault(TOY, "Box: 3 -> 4")
        plant_at_import({toy.__file__: compiled(toy.__file__, changed(tree, fault))})
        return _import(Path(toy.__file__), TOY).Box.width

    assert list(in_children([anew], 1, 60)) == [4] and toy.Box.width == 3


CONSTANTS = """
from typing import Any

USED: dict[str, int] = {"a": 1}
READ_AT_IMPORT = 2
DERIVED = READ_AT_IMPORT + 1
FOR_SAMPLES = 3
NEVER = 4

def used(key):
    return USED[key]

def derived():
    return DERIVED + READ_AT_IMPORT

def samples():
    return [FOR_SAMPLES]
"""
USER = """
from ir.constants_toy import USED
from ir import constants_toy as toy

NEVER = 4

def times(x):
    return x * (USED["a"] + toy.USED["a"])
"""


def test_constants_that_only_functions_read_are_put_in_place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(constant, "ROOT", tmp_path)

    def named(name: str, source: str) -> ModuleType:
        path = tmp_path / f"{name}.py"
        path.write_text(source)
        spec = importlib.util.spec_from_file_location(f"ir.{name}", path)
        sys.modules[f"ir.{name}"] = module = importlib.util.module_from_spec(spec)
        setattr(importlib.import_module("ir"), name, module)
        spec.loader.exec_module(module)
        return module

    def put_in_place() -> None:
        toy, user = named("constants_toy", CONSTANTS), named("constants_user", USER)
        lines = USER.splitlines()
        for name in ("READ_AT_IMPORT", "FOR_SAMPLES"):
            assert constant.readers(toy.__file__, name) is None
        assert constant.readers(toy.__file__, "NEVER") == [] and len(constant.readers(toy.__file__, "DERIVED")) == 1
        found = constant.readers(toy.__file__, "USED")
        assert {(Path(f).stem, a) for f, a, _ in found} == {
            ("constants_toy", CONSTANTS.splitlines().index("    return USED[key]") + 1), ("constants_user", len(lines)),
        }  # fmt: skip
        for start in (": 1 -> 2 in USED", ": 4 -> 5"):
            tree, fault = _fault(CONSTANTS, start)
            fault.apply()
            assert constant.put(toy.__file__, *constant.constant_of(tree, fault))
        assert (toy.used("a"), user.times(1), toy.NEVER, user.NEVER) == (2, 4, 5, 4)

    list(in_children([put_in_place], 1, 60, die="not put"))


def test_reach_is_by_line(toy: ModuleType) -> None:
    with recording([toy.__file__]) as lines:
        toy.Box.area(1)
    line = TOY.splitlines().index("        return x * 5") + 1
    reached = Reached({0: lines, 1: set(), 2: lines}, {0: 2.0, 1: 0.0, 2: 1.0})
    assert reached.tests_of(toy.__file__, line, line) == [2, 0] and not reached.tests_of(
        toy.__file__, line + 5, line + 5
    )


BRANCHES = '''
TABLE = {"lambda": lambda x: x + 1}

def branches(kind, *, more=1):
    """What a mark stands before."""
    nonlocal_ = 0
    if kind == "if":
        return 1
    elif (
        kind == "elif"
    ):
        return 2
    for i in range(2):
        if kind == "for": continue
    else:
        nonlocal_ += 1
    try:
        with open(kind) as file:
            return file
    except OSError:
        nonlocal_ += 2
    finally:
        nonlocal_ += 3
    match kind:
        case "match" if more:
            def inner(): return nonlocal_
            return inner()
        case _:
            class Local:
                size = 4
            return TABLE[kind](4) if kind in TABLE else [k for k in kind]
'''


def test_marks_tell_what_tracing_tells(tmp_path: Path) -> None:
    """Statements are whole, and a mark never misses a line that runs."""
    module = _import(tmp_path / "branches.py", BRANCHES)
    path, words = module.__file__, ["if", "elif", "for", "match", "lambda", "other"]

    def told() -> list[tuple[object, object, set[int], set[int]]]:
        found = []
        for word in words:
            with recording([path]) as lines:
                found.append([module.branches(word), {n for _, n in lines}])
        marks = Marks([path], live_functions([path]))
        for word, pair in zip(words, found, strict=True):
            marks.take()
            pair += [module.branches(word), {n for _, n in marks.take()}]
        spec = importlib.util.spec_from_file_location("anew", path)
        spec.loader.exec_module(importlib.util.module_from_spec(spec))
        assert not marks.take(), "the body of a module is left out"
        return found

    (found,) = in_children([told], 1, 60, die="no answer")
    lines = BRANCHES.splitlines()
    for word, (result, traced, marked_result, marked) in zip(words, found, strict=True):
        assert result == marked_result and traced <= marked, word
        text = [lines[n - 1] for n in sorted(marked - traced) if lines[n - 1].strip()]
        assert all(t.split()[0] in ("elif", "kind", "):", "case", "except", "size") for t in text), text


def test_tests_that_noticed_come_first_then_one_of_each_kind() -> None:
    names = ["t.py::a[conv-1]", "t.py::a[conv-2]", "t.py::a[conv-3]", "t.py::a[pool-1]", "t.py::b"]
    order = Order([kind_of(n) for n in names], {0: 0.01, 1: 0.02, 2: 0.03, 3: 0.04, 4: 9.0})
    assert order.of("f", [0, 1, 2, 3, 4]) == [0, 3, 1, 2, 4]
    order.tell("f", 2)
    order.tell("f", 4)
    assert order.of("f", [0, 1, 2, 3, 4]) == [2, 4, 0, 3, 1] and order.of("g", [2, 1]) == [1, 2]
    assert order.of("f", [0, 1]) == [0, 1], "only tests that reach the line"


def test_what_is_frozen_is_found(toy: ModuleType) -> None:
    """`tests/conftest.py` freezes what lives when tests are collected: the functions and caches of before are there."""

    def changes() -> tuple[int, int, bool]:
        @functools.cache
        def once() -> object:
            return object()

        once.__module__ = "tests.toy"
        gc.collect()
        gc.freeze()
        settle()
        first, before = once(), toy.scaled(4)
        tree, fault = _fault(TOY, "scaled: left")
        live = live_functions([toy.__file__])
        settle()
        clear_caches()
        assert _planted(toy.__file__, tree, fault, live)
        return before, toy.scaled(4), once() is not first

    assert list(in_children([changes], 1, 60)) == [(9, 5, True)]


@pytest.mark.parametrize("settled", [True, False])
def test_a_folder_outlives_a_process_that_forgets_it(settled: bool) -> None:
    @functools.cache
    def folder() -> tempfile.TemporaryDirectory[str]:
        return tempfile.TemporaryDirectory()

    folder.__module__ = "tests.toy"

    def forgets() -> bool:
        if settled:
            settle()
        first = folder().name
        clear_caches()
        return folder().name != first

    path = Path(folder().name)
    assert list(in_children([forgets], 1, 60)) == [True] and path.is_dir()


def test_what_a_code_means_leaves_out_where_it_stands() -> None:
    def of(source: str) -> tuple[object, ...]:
        return meaning(compiled("toy.py", ast.parse(source)))

    plain = of("def f(x):\n    return x * 1\n")
    assert plain == of("\n\ndef f(x):\n\n    return (x *\n        1)\n")
    for other in ("x * True", "x * 1.0", "1 * x", "x + 1", "y * 1"):
        assert plain != of(f"def f(x):\n    return {other}\n"), other
    assert plain != of("def g(x):\n    return x * 1\n")
    assert of("def f(x):\n    return x in {1, 2}\n") == of("def f(x):\n    return x in {2, 1}\n")


def test_children_that_die_answer_none() -> None:
    def endless() -> None:
        while True:
            pass

    tasks = [lambda: 1, lambda: 1 / 0, endless, lambda: 4]
    assert list(in_children(tasks, 2, 1.0)) == [1, None, None, 4]


def test_a_whole_run(tmp_path: Path) -> None:
    """A test that sees one fault and cannot see another; a fault no test reaches."""
    from tests.mutants import run
    from tests.mutants.areas import Area

    (tmp_path / "whole_toy.py").write_text(TOY)
    (tmp_path / "test_toy.py").write_text(
        "import whole_toy as toy\n\ndef test_it():\n    assert toy.scaled(4) == 9 and toy.same(3) == 3\n"
    )
    mutants = mutants_of([tmp_path / "whole_toy.py"])
    area = Area(str(tmp_path), "*.py", (str(tmp_path / "test_toy.py"),))

    state = tmp_path / "state" / "mutants.jsonl"

    def whole() -> dict[str, str]:
        sys.path.insert(0, str(tmp_path))
        return {f"{m.fault.function}: {m.fault.what}": v for m, v in run.go_on(area, mutants, 1, state)}

    (verdicts,) = in_children([whole], 1, 900, leaf=False)
    assert [p.suffix for p in (tmp_path / "state" / "mutants.reach").iterdir()] == [".pickle"]
    (tmp_path / "test_toy.py").unlink()  # nothing is run again
    assert whole() == verdicts and len(state.read_text().splitlines()) == len(mutants)
    assert verdicts["scaled: other operator in x * by in return x * by"] == "noticed"
    assert verdicts[": 2 -> 3 in SIZE = 2"] == "noticed"
    assert verdicts["Box: 3 -> 4 in width = 3"] == "survived"
    assert verdicts["same: flipped x > 0 in return max(x, 0) if x > 0 else 0"] == "survived"
    assert verdicts["lonely: 7 -> 8 in return x + 7"] == "unreached"
    assert verdicts["never: 1 -> 2 in return 0 * (1 if False else x)"] == "same code"


def test_a_test_that_never_ends_is_cut_short() -> None:
    from tests.mutants import run

    class Endless:
        """A test, as the loop of tests sees it."""

    def forever() -> bool:
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(run, "failed", lambda item: next(i for i in itertools.count() if i < 0))
            return run._fails(Endless(), -0.2)

    assert list(in_children([forever], 1, 900)) == [None]


def test_no_test_selected_raises(tmp_path: Path) -> None:
    (tmp_path / "test_none.py").write_text("X = 1\n")

    def selects_nothing() -> str:
        try:
            Session([str(tmp_path / "test_none.py")], len).run()
        except RuntimeError as error:
            return str(error)
        return ""

    assert "test" in list(in_children([selects_nothing], 1, 60))[0]


def test_samples_are_seeded_and_counts_add() -> None:
    tree = ast.parse(KINDS)
    mutants = [Mutant(Path(__file__), f, tree) for f in faults(tree)]
    assert sampled(mutants, 5, 1) == sampled(mutants, 5, 1) != sampled(mutants, 5, 2)
    assert sampled(mutants, None, 0) == mutants
    assert Counts(2, 1, 1) + Counts(3, 3) == Counts(5, 4, 1)


def test_caches_of_ours_are_cleared() -> None:
    """In a forked process, since the other tests' caches would go too."""

    def cleared() -> bool:
        @functools.cache
        def once() -> object:
            return object()

        once.__module__ = "tests.toy"
        first = once()
        sys.modules["tests.another_module"] = ModuleType("tests.another_module")
        clear_caches()
        return once() is not first

    assert list(in_children([cleared], 1, 60)) == [True]


def test_dead_proxies_among_the_objects_harm_nothing(toy: ModuleType) -> None:
    class Gone:
        pass

    gone = Gone()
    proxies = [weakref.proxy(gone)]
    del gone

    def looked() -> int:
        clear_caches()
        return len(live_functions([toy.__file__])) + len(proxies)

    assert list(in_children([looked], 1, 60, die="no answer"))[0] > 1


def test_a_death_is_told() -> None:
    with pytest.raises(RuntimeError, match="nothing came(?s:.)*ZeroDivisionError"):
        list(in_children([lambda: 1 / 0], 1, 60, die="nothing came"))


def test_what_decorators_name() -> None:
    text = """
LIKE = {"elu": "Elu", "celu": "Celu"}

@rule("softsign", accepts=whole)
def softsign(c):
    return "other"

@rule(*LIKE, accepts=whole)
def with_alpha(c):
    return c
"""
    tree = ast.parse(text)
    assert named_at_import(tree, "softsign") == {"softsign"}
    assert named_at_import(tree, "with_alpha") == {"elu", "celu", "Elu", "Celu"}
    assert not named_at_import(tree, "other")


@pytest.mark.parametrize(("call", "same"), [
    ("c.b.softmax(x, axis=-1)", True), ("b.softmax(x, axis=1)", False), ("softmax(x, axis=-1)", False), ("b.softmax(x, axis=k)", False),
    ("c.b.gather(x, i, axis=0)", True), ("b.reduce_sum(x, keepdims=False)", True), ("b.reduce_sum(x, keepdims=0)", False),
    ("b.one_hot(i, depth=3, dtype=dtypes.float32)", True), ("b.one_hot(i, depth=3, dtype=dtypes.int64)", False),
])  # fmt: skip
def test_what_an_op_has_anyway(call: str, same: bool) -> None:
    tree = ast.parse(call)
    dropped = [f.dropped for f in faults(tree) if f.dropped is not None]
    assert given_anyway(*dropped[-1]) == same
