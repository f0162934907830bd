"""Text form: printing, parsing and printing again changes nothing."""

from __future__ import annotations

import math

import ml_dtypes
import numpy as np
import pytest
from hypothesis import HealthCheck, assume, example, given, settings
from hypothesis import strategies as st

import ir.ops
from ir.core import Branch, Builder, Constant, Leaf, Model, Origin, Parameter, Scope, Signature
from ir.core.equal import attr_key, model_key, models_equal
from ir.data import Array, Weight
from ir.ops.define import OpDef
from ir.text import format_model, parse
from ir.text.expressions import Expressions
from ir.text.literals import dim_text, literal_text, tensor_text
from ir.text.origins import origin_text, parse_origin
from ir.types import Assumption, Dim, ceildiv, dim_max, dim_min, dtypes, floordiv, mod, symbol, tensor_type
from ir.types.attrs import ArrayAttr
from ir.types.dim import evaluate_dim
from tests.ir.random_graphs import random_case, sample_case, samples

FAST = settings(max_examples=150, deadline=None, derandomize=True, suppress_health_check=list(HealthCheck))


def roundtrip(model: Model) -> Model:
    text = format_model(model)
    back = parse(text, {n: w.data for n, w in model.weights.items()})
    assert model_key(back, "digests") == model_key(model, "digests"), text
    assert format_model(back) == text
    assert [str(n.origin) for n in back.nodes()] == [str(n.origin) for n in model.nodes()]
    return back


@pytest.mark.parametrize("record", list(ir.ops.all_ops()), ids=lambda r: r.name)
def test_every_sample_of_every_op(record: OpDef) -> None:
    for sample in samples(record):
        roundtrip(sample_case(record, sample).model)


@given(seed=st.integers(0, 2**32 - 1), size=st.integers(1, 30))
@settings(FAST, max_examples=25)
def test_random_models(seed: int, size: int) -> None:
    case = random_case(seed, size)
    assume(case is not None)
    roundtrip(case.model)


# -- sizes ----------------------------------------------------------------------------------------------------------
NAMES = st.sampled_from(["n", "batch", "min", "float32", "two words", "a.b", "é'\"", "return", "0"])
DIMS: st.SearchStrategy[Dim] = st.recursive(
    st.integers(-9, 9) | st.builds(symbol, NAMES) | st.builds(symbol, st.sampled_from(["k", "odd one"]), st.just(True)),
    lambda d: st.one_of(
        st.tuples(d, d).map(lambda p: p[0] + p[1]),
        st.tuples(d, d).map(lambda p: p[0] - p[1]),
        st.tuples(d, d).map(lambda p: p[0] * p[1]),
        st.tuples(d, st.integers(1, 7)).map(lambda p: floordiv(*p)),
        st.tuples(d, st.integers(1, 7)).map(lambda p: mod(*p)),
        st.tuples(d, st.builds(symbol, NAMES)).map(lambda p: floordiv(*p)),
        st.tuples(d, st.integers(1, 7)).map(lambda p: ceildiv(*p)),
        st.tuples(d, d).map(lambda p: dim_min(*p)),
        st.tuples(d, d).map(lambda p: dim_max(*p)),
    ),
    max_leaves=8,
)


@given(dim=DIMS)
@example(symbol("n") * symbol("n") + floordiv(-1, symbol("n")))
@example(-(symbol("n") // 2) + 1)
@FAST
def test_sizes(dim: Dim) -> None:
    reader = Expressions(dim_text(dim))
    assert reader.dim() == dim
    assert reader.token.kind == "newline"


@given(dim=DIMS.filter(lambda d: not isinstance(d, int)), value=st.integers(1, 50))
@FAST
def test_sizes_as_python(dim: Dim, value: int) -> None:
    """`str` of a size is a Python expression with the same value: emitted code and messages print it."""
    names = ["n", "batch", "k"]
    found = {s.name for s in _symbols(dim)}
    assume(found <= set(names))
    env = {name: value + i for i, name in enumerate(names)}
    try:
        expected = evaluate_dim(dim, env)
    except ZeroDivisionError:
        return
    assert eval(str(dim), {"min": min, "max": max}, dict(env)) == expected  # noqa: S307 - our own output


def _symbols(dim: Dim) -> list:
    from ir.types import symbols

    return list(symbols(dim))


@given(dim=DIMS, divisor=st.integers(-5, 5).filter(bool), value=st.integers(1, 50))
@FAST
def test_quotients_are_exact(dim: Dim, divisor: int, value: int) -> None:
    env = {s.name: value + i for i, s in enumerate(_symbols(dim))}
    try:
        number = evaluate_dim(dim, env)
    except ZeroDivisionError:
        return
    assert evaluate_dim(floordiv(dim, divisor), env) == number // divisor
    assert evaluate_dim(mod(dim, divisor), env) == number % divisor


def test_equal_quotients_are_one_expression() -> None:
    n = symbol("n")
    assert (n - 1) // 2 + 1 == (n + 1) // 2 and (n + 7) // 3 == (n + 1) // 3 + 2
    assert str((n - 1) // 2) == "(n + 1) // 2 - 1"


def test_quotients_keep_their_parentheses() -> None:
    n = symbol("n")
    assert str((n // 2) * (n // 2)) == "(n // 2) * (n // 2)"
    assert str(-(n // 2)) == "-(n // 2)"
    assert str(n // 2) == "n // 2"


# -- attributes -----------------------------------------------------------------------------------------------------
SCALARS = (
    st.none() | st.booleans() | st.integers() | st.floats() | st.text() | st.sampled_from(dtypes.ALL)
    | DIMS.filter(lambda d: not isinstance(d, int))
)  # fmt: skip


@given(value=st.recursive(SCALARS, lambda s: st.lists(s, max_size=3).map(tuple), max_leaves=6))
@FAST
def test_attribute_values(value: object) -> None:
    reader = Expressions(literal_text(value))
    assert attr_key(reader.sum()) == attr_key(value)
    assert reader.token.kind == "newline"


@pytest.mark.parametrize("dtype", dtypes.ALL, ids=str)
def test_constant_tensors(dtype: dtypes.DType) -> None:
    rng = np.random.default_rng(0)
    for shape in ((), (3,), (2, 3), (0, 2), (5, 8), (1, 1, 2)):
        size = math.prod(shape) * dtype.numpy.itemsize
        raw = rng.integers(0, 2 if dtype.is_bool else 256, size, dtype=np.uint8)
        array = np.frombuffer(raw.tobytes(), dtype.numpy).reshape(shape)
        if dtype.bits == 4:
            array = rng.integers(int(dtype.min), int(dtype.max) + 1, shape).astype(dtype.numpy)
        back = Expressions(tensor_text(array)).sum()
        assert back == ArrayAttr(array)


@pytest.mark.parametrize("kind", ["float32", "float64", "float16", "bfloat16"])
def test_special_floats_stay_readable(kind: str) -> None:
    array = np.array([np.inf, -np.inf, np.nan, 0.1, -1.5, 1e-7, 1e4, 0.0]).astype(dtypes.dtype(kind).numpy)
    text = tensor_text(array)
    assert "nan" in text and "-inf" in text
    assert Expressions(text).sum() == ArrayAttr(array)


def test_a_nan_with_a_payload_keeps_it() -> None:
    array = np.array([0x7FC00001], np.uint32).view(np.float32)
    assert Expressions(tensor_text(array)).sum() == ArrayAttr(array)


# -- names, origins, signatures -------------------------------------------------------------------------------------
@given(
    fields=st.fixed_dictionaries({k: st.text(max_size=6) for k in ("op", "name", "line", "rule")}),
    path=st.lists(st.builds(Scope, st.text(min_size=1, max_size=4), st.text(max_size=4), st.integers(0, 3))),
    history=st.lists(st.text(min_size=1, max_size=4), max_size=3),
)
@FAST
def test_origins(fields: dict, path: list, history: list) -> None:
    origin = Origin(path=tuple(path), history=tuple(history), **fields)
    comment = origin_text(origin)
    assert "\n" not in comment
    assert (parse_origin(comment) or Origin()) == origin


def test_another_comment_is_no_origin() -> None:
    assert parse_origin("# what a line") is None


TREES = st.recursive(
    st.builds(Leaf, st.text(min_size=1, max_size=4))
    | st.builds(Constant, st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=4)),
    lambda t: st.builds(
        lambda kind, items, cls: Branch(
            kind,
            tuple(v for _, v in items),
            tuple(k for k, _ in items) if kind in ("dict", "namedtuple") else (),
            cls,
        ),
        st.sampled_from(["tuple", "list", "dict", "namedtuple"]),
        st.lists(st.tuples(st.text(max_size=3), t), max_size=3),
        st.sampled_from(["", "Output", "two words"]),
    ),
    max_leaves=6,
)


@given(trees=st.lists(st.tuples(st.text(min_size=1, max_size=3), TREES, st.booleans()), max_size=3), result=TREES)
@FAST
def test_signatures(trees: list, result: object) -> None:
    model = Model("m", Signature(tuple(Parameter(*p) for p in trees), result))
    assert parse(format_model(model)).signature == model.signature


@given(names=st.tuples(st.text(max_size=5), st.text(min_size=1, max_size=5), st.text(max_size=5)), weight=st.text())
@FAST
def test_any_name(names: tuple[str, str, str], weight: str) -> None:
    model = Model(names[0])
    x = model.graph.add_input(tensor_type("float32", symbol(names[1]), 2), names[1])
    w = model.add_weight(Weight(weight, Array(np.ones(2, "f4")), "buffer", False, (weight + "'",), False))
    b = Builder(model.graph)
    y = b.mul(b.add(x, w), w)
    y.name = names[2]
    model.set_state(weight, w)
    model.graph.set_outputs([y, x, w])
    back = parse(format_model(model), {weight: model.weights[weight].data})
    assert models_equal(back, model)
    assert back.name == names[0] and back.graph.inputs[0].name == names[1]
    assert format_model(back) == format_model(model)


def test_repeated_and_missing_names_are_numbered() -> None:
    model = Model()
    x = model.graph.add_input(tensor_type("float32", 2), "x")
    b = Builder(model.graph)
    names = ["h", "", "h", "h_1", ""]
    for name in names:
        x = b.relu(x) if name == "h" else b.tanh(x)
        x.name = name
    model.graph.set_outputs([x])
    back = parse(format_model(model))
    assert [n.output.name for n in back.nodes()] == ["h", "v0", "h_2", "h_1", "v1"]


def test_everything_beside_the_graph() -> None:
    model = Model("m", Signature((), Branch("tuple", ())))
    model.metadata = {"framework": "torch", "n": [1, -2.5, None, {"deep": True}], "text": 'a "b" # c\n'}
    model.modules = {"": "Net", "layer1.0": "Bottle Neck"}
    model.notes = ["two\nlines", 'a "quote" # no comment']
    n = symbol("n")
    model.assumptions = [Assumption(n // 2, 2 * symbol("k", True), 'broadcast "here"')]
    back = parse(format_model(model))
    assert (back.metadata, back.modules, back.notes, back.assumptions) == (
        model.metadata, model.modules, model.notes, model.assumptions,
    )  # fmt: skip


def test_weights_of_odd_types() -> None:
    model = Model()
    for i, kind in enumerate((ml_dtypes.bfloat16, ml_dtypes.int4, np.complex64, np.bool_)):
        model.add_weight(Weight(f"w{i}", Array(np.ones((2, 3), kind))))
    model.signature = Signature((), Branch("tuple", ()))
    roundtrip(model)
