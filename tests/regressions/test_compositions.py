"""What random graphs found, cut down to the few nodes that showed it. Each model goes through every step of a
conversion: passes, text form, ONNX and back, PyTorch."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from converter.errors import ConversionError
from converter.exporters.base import ExportOptions
from converter.exporters.keras import package as keras_package
from ir.core import Builder, Leaf, Model, Parameter, Signature
from ir.data import Array
from ir.eval import EvaluationError, Evaluator
from ir.passes import Decompose
from ir.text import format_model, parse
from ir.types import symbol, tensor_type
from ir.types.dim import recording_assumptions
from tests.random_graphs import stages
from tests.random_graphs.draw import Case
from tests.random_graphs.noise import measure

PI = np.arange(1, 25, dtype=np.float32) / 7


ROUTES = (stages.to_onnx, stages.to_torch)


def through(text: str, seeds: tuple[int, ...] = (0,), routes: Any = ROUTES, **inputs: Any) -> None:
    """Assert that the model in text form survives everything, at the opset of each seed. Refusals are failures."""
    model = parse("isomorph-ir 1\nmodel small\n\n" + text)
    for name in list(model.weights):
        model.update_weight(
            name, data=Array(PI[: int(np.prod(model.weights[name].type.shape))].reshape(model.weights[name].type.shape))
        )
    given = {name: np.asarray(array, model.input_types[name].dtype.numpy) for name, array in inputs.items()}
    for seed in seeds:
        measured = measure(Case(seed, model, given))
        stages.own(measured)
        stages.printed(measured)
        for item in stages.passes(measured):
            stages.after_pass(measured, item)
        for route in routes:
            for _, work in route(measured):
                work()


@pytest.mark.parametrize("width", [0, 3])
def test_a_scan_stacks_empty_results_along_any_axis(width: int) -> None:
    """ONNX Runtime's process died of a division by zero."""
    text = f"""signature (x) -> (output.0,)

graph (x: float32[2, {width}]):
  y: float32[{width}, 2] = scan([], [x], []; output_axes=(1,))
    body(row: float32[{width}]):
      z: float32[{width}] = neg(row)
      return z
  return y
"""
    through(text, x=PI[: 2 * width].reshape(2, width))


@pytest.mark.parametrize("shape", [(4, 5), (2, 5, 3), (2, 5, 2, 1)])
def test_channels_without_an_image_are_normalised(shape: tuple[int, ...]) -> None:
    """ONNX Runtime knows images only, PyTorch wants an axis behind the channels."""
    kind = ", ".join(map(str, shape))
    text = f"""signature (x) -> (output.0,)

graph (x: float32[{kind}]):
  y: float32[{kind}] = lrn(x; size=3, alpha=0.5)
  return y
"""
    through(text, x=np.resize(PI, shape))


@pytest.mark.parametrize("op", ["fmod", "mod", "floor_div"])
def test_a_number_is_divided_by_a_tensor(op: str) -> None:
    """PyTorch's functions want a tensor first."""
    text = f"""signature (x) -> (output.0,)

graph (x: float32[4]):
  n: float32[] = constant(; value=tensor(float32[], 2.5))
  y: float32[4] = {op}(n, x)
  return y
"""
    through(text, x=[0.7, -0.7, 3.0, -1.1])


def test_a_decomposition_of_other_looking_sizes_is_left() -> None:
    """n // 2 of n columns are min(n, n // 2) ones: the pass raised, where it only cannot show that they are equal."""
    text = """isomorph-ir 1
model m

signature (x) -> (output.0,)

graph (x: float32[2, n]):
  y: float32[2, n // 2] = glu(x)
  return y
"""
    model = parse(text)
    Decompose(lambda node: False).run(model)
    again = parse(format_model(model))
    assert again.output_types == parse(text).output_types


def test_a_weight_that_only_an_inner_body_returns() -> None:
    """The module that holds the loop was not told of it."""
    text = """weights
  @part.w: float32[2] parameter

signature (x) -> (output.0,)

graph (x: float32[2, 3]):
  y: float32[3, 2, 2] = scan([], [x], []; axes=(1,))  # op="sample" path="enc:Enc/lin:Lin"
    body(a: float32[2]):
      v: float32[2, 2] = scan([], [a], [])
        body(b: float32[]):
          return @part.w
      return v
  return y
"""
    through(text, x=PI[:6].reshape(2, 3))


def test_a_carried_value_that_nothing_reads_keeps_its_name() -> None:
    """Its name was given to the list of rows, which the loop then overwrote."""
    text = """signature (x) -> (output.0, output.1)

graph (x: float32[2, 3]):
  rows: float32[2, 3] = scan([], [x], [])
    body(a: float32[3]):
      b: float32[3] = neg(a)
      return b
  n: int64[] = constant(; value=tensor(int64[], 0))
  (i: int64[], c: float32[2, 3], d: float32[3, 3]) = while([n, rows], [x]; trips=3)
    cond(i: int64[], c: float32[2, 3], x: float32[2, 3]):
      t: bool[] = constant(; value=tensor(bool[], True))
      return t
    body(i: int64[], c: float32[2, 3], x: float32[2, 3]):
      one: int64[] = constant(; value=tensor(int64[], 1))
      j: int64[] = add(i, one)
      s: float32[2, 3] = sin(x)
      r: float32[3] = reduce_sum(x; axes=(0,))
      return j, s, r
  return d, c
"""
    for outputs in ("d, c", "d"):
        names = ", ".join(f"output.{k}" for k in range(outputs.count(",") + 1))
        closing = "," if outputs == "d" else ""
        changed = text.replace("(output.0, output.1)", f"({names}{closing})").replace(
            "return d, c", f"return {outputs}"
        )
        through(changed, x=PI[:6].reshape(2, 3))


def test_a_decision_inside_a_branch_that_is_gone() -> None:
    """The nodes of a removed branch waited to be simplified, without the operands they had read."""
    text = """signature (x) -> (output.0,)

graph (x: float32[3]):
  yes: bool[] = constant(; value=tensor(bool[], True))
  y: float32[3] = cond(yes, [x])
    then(a: float32[3]):
      b: float32[3] = sin(a)
      no: bool[] = constant(; value=tensor(bool[], False))
      c: float32[3] = cond(no, [b])
        then(d: float32[3]):
          return d
        else(d: float32[3]):
          e: float32[3] = neg(d)
          return e
      return c
    else(a: float32[3]):
      return a
  return y
"""
    through(text, x=PI[:3])


POOLS = ("max_pool", "max_pool_with_positions", "avg_pool")


@pytest.mark.parametrize("op", POOLS)
@pytest.mark.parametrize("padding", ['"valid"', '"causal"', "((1, 0),)"])
@pytest.mark.parametrize("shape", [(2, 0, 3), (0, 0, 3)])
def test_pools_of_nothing(op: str, padding: str, shape: tuple[int, ...]) -> None:
    """ONNX Runtime stops at an image without channels, PyTorch at one in a batch of none."""
    kind = ", ".join(map(str, (*shape[:2], 1 if padding == '"valid"' else 2)))
    places = f", p: int64[{kind}]" if op.endswith("positions") else ""
    text = f"""signature (x) -> (output.0,)

graph (x: float32[{", ".join(map(str, shape))}]):
  (y: float32[{kind}]{places}) = {op}(x; window=(2,), strides=(2,), padding={padding}, dilations=(1,))
  return y
"""
    through(text.replace(f"(y: float32[{kind}]) =", f"y: float32[{kind}] ="), x=np.zeros(shape))


def test_an_average_of_padding_alone() -> None:
    text = """signature (x) -> (output.0,)

graph (x: float32[2, 3, 0]):
  y: float32[2, 3, 1] = avg_pool(x; window=(2,), strides=(1,), padding=((1, 1),))
  return y
"""
    through(text, x=np.zeros((2, 3, 0)))


@pytest.mark.parametrize("queries", [0, 2])
def test_masked_attention_to_no_keys(queries: int) -> None:
    """The maximum of no scores, by which rows that see nothing are found, is none."""
    text = f"""signature (q, k, m) -> (output.0,)

graph (q: float32[2, {queries}, 3], k: float32[2, 0, 3], m: bool[{queries}, 0]):
  a: float32[2, {queries}, 3] = attention(q, k, k, m)
  b: float32[2, {queries}, 3] = attention(a, k, k; causal=True)
  return b
"""
    through(text, q=np.zeros((2, queries, 3)), k=np.zeros((2, 0, 3)), m=np.zeros((queries, 0)))


@pytest.mark.parametrize("keep", [[0, 0, 0], [1, 0, 1]])
def test_a_scan_over_as_many_rows_as_there_are(keep: list[int]) -> None:
    """ONNX Runtime refuses a Scan of length 0, which only the values tell."""
    text = """signature (x, keep, start) -> (output.0, output.1)

graph (x: float32[3, 2], keep: bool[3], start: float32[2]):
  rows: float32[?k, 2] = mask_select(x, keep; symbol="k")
  (last: float32[2], y: float32[2, ?k]) = scan([start], [rows], []; output_axes=(1,), output_reverse=(True,))
    body(state: float32[2], row: float32[2]):
      z: float32[2] = sin(row)
      after: float32[2] = add(state, z)
      return after, z
  total: float32[2] = reduce_sum(y; axes=(1,))
  return last, total
"""
    through(text, seeds=(1, 4), x=PI[:6].reshape(3, 2), keep=keep, start=[1, 2])


NARROW = {
    "clip": "clip(x, lo, hi)",
    "greater": "greater(x, lo)",
    "add": "add(x, hi)",
    "neg": "neg(x)",
    "reduce_max": "reduce_max(x; axes=(0,), keepdims=True)",
    "relu": "relu(x)",
    "tril": "tril(x; k=-1)",
    "gather_elements": "gather_elements(x, at; axis=0)",
    "pad": 'pad(x; pads=((1, 0), (0, 0)), mode="edge")',
    "eye": "eye(; rows=2, cols=2, dtype=KIND)",
    "slice_update": "slice_update(x, x; axes=(), starts=(), stops=(), steps=())",
}
SHAPES = {"reduce_max": "1, 2", "pad": "4, 2", "eye": "2, 2"}


@pytest.mark.parametrize("kind", ["float8_e4m3fn", "float8_e5m2"])
def test_floats_of_8_bits_are_computed_with(kind: str) -> None:
    """PyTorch stores and moves them, and has no kernels for more than a few ops. (ONNX Runtime has none; refused.)"""
    types = {op: ("bool" if op == "greater" else kind, SHAPES.get(op, "3, 2")) for op in NARROW}
    lines = [f"  {op}_: {types[op][0]}[{types[op][1]}] = {text.replace('KIND', kind)}" for op, text in NARROW.items()]
    text = f"""signature (x, at) -> ({", ".join(f"output.{i}" for i in range(len(NARROW)))})

graph (x: {kind}[3, 2], at: int64[3, 2]):
  lo: {kind}[] = constant(; value=tensor({kind}[], -0.5))
  hi: {kind}[] = constant(; value=tensor({kind}[], 1.5))
{chr(10).join(lines)}
  return {", ".join(f"{op}_" for op in NARROW)}
"""
    through(text, (1,), ROUTES[1:], x=[[1, -2], [0.5, 3], [-0.25, 0.125]], at=[[0, 1], [2, 0], [1, 1]])


def test_windows_need_an_axis_that_holds_one() -> None:
    """An axis of 2 was found to have no windows of 4, where PyTorch raises and a pass that fixes sizes did."""
    model = Model("windows")
    x = model.graph.add_input(tensor_type("float32", symbol("n")), "x")
    with recording_assumptions() as assumed:
        model.graph.set_outputs([Builder(model.graph).unfold(x, axis=0, size=4, step=2)])
    assert [" ".join(map(str, a.relation)) for a in assumed] == ["n >= 4"]
    model.signature = Signature((Parameter("x", Leaf("x")),), Leaf("y"))
    assert Evaluator("exact").run(model, {"x": PI[:6]})["y"].shape == (2, 4)
    with pytest.raises(EvaluationError, match="do not fit"):
        Evaluator("exact").run(model, {"x": PI[:2]})


NEWER = {
    "Loop of bfloat16 needs opset 16": """graph (x: bfloat16[2]):
  n: int64[] = constant(; value=tensor(int64[], 0))
  (i: int64[], y: bfloat16[2]) = while([n, x]; trips=3)
    cond(i: int64[], y: bfloat16[2]):
      t: bool[] = constant(; value=tensor(bool[], True))
      return t
    body(i: int64[], y: bfloat16[2]):
      z: bfloat16[2] = neg(y)
      return i, z
  return y
""",
    "Scan of bfloat16 needs opset 16": """graph (x: bfloat16[2]):
  y: bfloat16[2] = scan([], [x], [])
    body(a: bfloat16[]):
      b: bfloat16[] = neg(a)
      return b
  return y
""",
    "Cast of float8_e5m2 needs opset 19": """graph (x: float32[2]):
  a: float8_e5m2[2] = cast(x; to=float8_e5m2)
  y: float32[2] = cast(a; to=float32)
  return y
""",
}


@pytest.mark.parametrize("message", NEWER)
def test_types_that_only_newer_opsets_have_are_refused_by_name(message: str) -> None:
    """ONNX's checker found them in what had been written."""
    with pytest.raises(stages.Refused, match=message):
        through(f"signature (x) -> (output.0,)\n\n{NEWER[message]}", (1,), ROUTES[:1], x=[1, 2])
    through(f"signature (x) -> (output.0,)\n\n{NEWER[message]}", (4,), ROUTES[:1], x=[1, 2])


@pytest.mark.parametrize("shape", [(0, 3), (2, 0, 3)])
def test_a_transform_of_nothing(shape: tuple[int, ...]) -> None:
    """PyTorch's FFT stops at no signals."""
    kind = ", ".join(map(str, shape))
    text = f"""signature (x) -> (output.0,)

graph (x: complex64[{kind}]):
  y: complex64[{kind}] = fft(x; axes=(-1,), inverse=True, norm="count")
  return y
"""
    through(text, (4,), x=np.zeros(shape))


def test_a_convolution_that_grows_from_no_image_is_refused() -> None:
    """PyTorch stops at images without extent, though the window makes something of them."""
    text = """signature (x, w) -> (output.0,)

graph (x: float32[2, 3, 0], w: float32[3, 2, 3]):
  y: float32[2, 2, 2] = conv_transpose(x, w; strides=(1,), dilations=(1,), padding=((0, 0),), output_padding=(0,))
  return y
"""
    given = {"x": np.zeros((2, 3, 0)), "w": PI[:18].reshape(3, 2, 3)}
    with pytest.raises(stages.Refused, match="without extent"):
        through(text, (1,), ROUTES[1:], **given)


@pytest.mark.parametrize("padding", ['"same_lower"', '"same_upper"', '"causal"', "((1, 0),)", '"valid"'])
def test_a_convolution_whose_window_the_run_tells(padding: str) -> None:
    """Sizes of a weight that is an input are symbols, too."""
    out = {'"valid"': "n - k + 1", "((1, 0),)": "n - k + 2"}.get(padding, "n")
    text = f"""signature (x, w) -> (output.0,)

graph (x: float32[1, 2, n], w: float32[3, 2, k]):
  y: float32[1, 3, {out}] = conv(x, w; strides=(1,), dilations=(1,), padding={padding})
  return y
"""
    through(text, (4,), x=PI[:12].reshape(1, 2, 6), w=PI[:18].reshape(3, 2, 3))


def test_keras_refuses_a_window_that_the_run_tells(tmp_path: Path) -> None:
    text = """isomorph-ir 1
model small

signature (x, w) -> (output.0,)

graph (x: float32[1, n, 2], w: float32[3, 2, k]):
  y: float32[1, n, 3] = conv(x, w; strides=(1,), dilations=(1,), padding="causal", layout="channels_last")
  return y
"""
    with pytest.raises(ConversionError) as refused:
        keras_package.write_package(parse(text), tmp_path, ExportOptions())
    assert [u.reason for u in refused.value.unsupported] == ["the size of its window is known only when it runs"]


@pytest.mark.parametrize("shape", [(0, 2, 3, 3), (2, 0, 0)])
def test_the_exponential_of_no_matrices(shape: tuple[int, ...]) -> None:
    """The decomposition asked for the largest of no norms."""
    kind = ", ".join(map(str, shape))
    text = f"""signature (x) -> (output.0,)

graph (x: float32[{kind}]):
  y: float32[{kind}] = matrix_exp(x)
  return y
"""
    through(text, (4,), x=np.zeros(shape))


@pytest.mark.parametrize("how", ("equal", "not_equal", "less", "greater_equal"))
def test_a_rounded_number_against_its_copy(how: str) -> None:
    """ONNX Runtime would compare one of both before it was rounded."""
    through(
        f"""signature (x) -> (output.0,)
graph (x: float32[4]):
  a: float16[4] = cast(x; to=float16)
  b: float16[2, 1, 4] = expand(a; shape=(2, 1, 4))
  c: bool[2, 1, 4] = {how}(a, b)
  return c
""",
        seeds=tuple(range(7)),
        x=[-0.6970946, 0.1, 0.2, 0.3],
    )


@pytest.mark.parametrize(("axis", "shape"), [(1, (2, 3, 0)), (2, (0, 2, 3)), (-1, (0, 3))])
def test_a_scan_reads_empty_values_along_any_axis(axis: int, shape: tuple[int, ...]) -> None:
    """ONNX Runtime's process died of a division by zero."""
    row = [n for i, n in enumerate(shape) if i != axis % len(shape)]
    text = f"""signature (x) -> (output.0,)

graph (x: float32{list(shape)}):
  y: float32{[shape[axis], *row]} = scan([], [x], []; axes=({axis},), reverse=(True,))
    body(row: float32{row}):
      z: float32{row} = neg(row)
      return z
  return y
"""
    through(text, (4,), x=np.zeros(shape))


@pytest.mark.parametrize("op", ["hard_swish", "mish"])
def test_composites_that_onnx_runtime_takes_apart_have_no_kernel_of_bfloat16(op: str) -> None:
    """ONNX Runtime could not load the model at the opsets whose schema has the type."""
    through(
        f"signature (x) -> (output.0,)\n\ngraph (x: bfloat16[3]):\n  y: bfloat16[3] = {op}(x)\n  return y\n",
        seeds=tuple(range(7)),
        x=[2.375, -1.96, 0.01],
    )


@pytest.mark.parametrize("p", ["0.0", "2.0", "3.0", "inf"])
def test_rows_of_zeros_are_normalised_in_halves(p: str) -> None:
    """The least norm is 0 there."""
    through(
        f"signature (x) -> (output.0,)\n\ngraph (x: float16[2, 3]):\n  y: float16[2, 3] = normalize(x; p={p})\n  return y\n",
        x=[[0, 1, 2], [0, 0, 0]],
    )


@pytest.mark.parametrize("op", ["softmax", "log_softmax"])
def test_rows_that_the_run_finds_empty_are_normalised(op: str) -> None:
    """What they are made of took the maximum of nothing."""
    text = f"""signature (x, keep) -> (output.0,)

graph (x: float32[4, 3], keep: bool[4]):
  kept: float32[?n, 3] = mask_select(x, keep; symbol="n")
  out: float32[?n, 3] = {op}(kept; axis=0)
  return out
"""
    model = parse("isomorph-ir 1\nmodel small\n\n" + text)
    apart = parse(format_model(model))
    Decompose(lambda node: node.op.name != op).run(apart)
    assert op not in {node.op.name for node in apart.nodes()}
    x = np.linspace(-2, 3, 12, dtype=np.float32).reshape(4, 3)
    for keep in ([False] * 4, [True, False, True, True]):
        case = {"x": x, "keep": np.array(keep)}
        (want,), (got,) = (Evaluator("exact").run(m, case).values() for m in (model, apart))
        np.testing.assert_allclose(got, want, rtol=1e-6)
