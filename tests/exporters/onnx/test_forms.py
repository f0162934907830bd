"""Which ONNX ops and attributes are chosen, and operands that are constants, symbolic sizes or zeros with a sign:
what the generated samples do not show, found by planting faults in the rules."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest

from converter.errors import ConversionError
from converter.exporters.base import ExportOptions
from converter.exporters.onnx import write
from converter.runtimes.onnxruntime import OnnxRunner
from ir.core import Builder, Leaf, Model, Origin, Parameter, Scope, Signature, Value
from ir.data import Array, Weight
from ir.eval import Evaluator
from ir.ops.control_samples import body
from ir.types import TensorType, dtypes, symbol

f32 = np.float32
N = symbol("n")


def made(shape: Sequence[Any], build: Callable[[Builder, Value], Value], kind: Any = dtypes.float32) -> Model:
    """A model of one input `x` and one output."""
    model = Model("forms")
    x = model.graph.add_input(TensorType(kind, tuple(shape)), "x")
    model.graph.set_outputs([build(Builder(model.graph, origin=Origin(op="source")), x)])
    model.signature = Signature((Parameter("x", Leaf("x")),), Leaf("output"))
    return model


def exported(model: Model, folder: Path, opset: int = 20) -> onnx.ModelProto:
    write(model, folder / "model.onnx", ExportOptions(opset=opset))
    return onnx.load(folder / "model.onnx")


def ops(proto: onnx.ModelProto) -> list[str]:
    return [n.op_type for n in proto.graph.node]


def runs_alike(
    model: Model, proto: onnx.ModelProto, x: np.ndarray, rtol: float = 1e-5, **others: np.ndarray
) -> np.ndarray:
    (want,) = Evaluator("exact").run(model, {"x": x, **others}).values()
    (got,) = OnnxRunner(proto.SerializeToString())({"x": x, **others}).values()
    assert got.dtype == want.dtype and got.shape == want.shape
    np.testing.assert_allclose(got, want, rtol=rtol, atol=1e-6)
    return got


# -- elementwise ----------------------------------------------------------------------------------------------------
@pytest.mark.parametrize(("low", "high"), [(-1.0, 1.0), (None, 0.5), (-0.5, None)])
def test_known_bounds_are_clip(low: float | None, high: float | None, tmp_path: Path) -> None:
    def bound(b: Builder, v: float | None) -> Value | None:
        return None if v is None else b.constant(f32(v))

    model = made([5], lambda b, x: b.clip(x, bound(b, low), bound(b, high)))
    proto = exported(model, tmp_path)
    assert ops(proto).count("Clip") == 1 and not {"Min", "Max"} & set(ops(proto))
    runs_alike(model, proto, np.array([-2, -0.7, 0, 0.7, np.nan], f32))


def test_a_bound_that_is_nan_gives_nan(tmp_path: Path) -> None:
    model = made([3], lambda b, x: b.clip(x, b.constant(f32(np.nan)), b.constant(f32(1))))
    assert np.isnan(runs_alike(model, exported(model, tmp_path), np.array([-2, 0, 2], f32))).all()


def test_negating_zero_changes_its_sign(tmp_path: Path) -> None:
    model = made([2], lambda b, x: b.neg(x))
    assert np.signbit(runs_alike(model, exported(model, tmp_path), np.array([0.0, -0.0], f32))).tolist() == [
        True,
        False,
    ]


@pytest.mark.parametrize("kind", [dtypes.uint8, dtypes.uint32])
def test_negating_unsigned_integers_wraps(kind: Any, tmp_path: Path) -> None:
    model = made([3], lambda b, x: b.neg(x), kind)
    runs_alike(model, exported(model, tmp_path), np.array([0, 1, 200], kind.numpy))


def test_sums_of_floats_made_integers_keep_every_digit(tmp_path: Path) -> None:
    """The kernel counts in float64, which is enough for what had 32 bits as an integer."""
    model = made([4], lambda b, x: b.reduce_sum(b.cast(x, to=dtypes.int64), axes=(0,)))
    proto = exported(model, tmp_path)
    (got,) = OnnxRunner(proto.SerializeToString())({"x": np.array([2**60, 1, 1, 1], f32)}).values()
    assert got == 2**60 + 3
    model = made([4], lambda b, x: b.reduce_sum(x, axes=(0,)), dtypes.int32)
    assert "ReduceSum" in ops(exported(model, tmp_path))


def pooled(shape: tuple[int, ...], padding: int) -> Model:
    axes = len(shape) - 2
    window = {"window": (2,) * axes, "strides": (1,) * axes, "dilations": (1,) * axes, "ceil_mode": False}
    return made(shape, lambda b, x: b.max_pool(x, **window, padding=((padding, padding),) * axes))


@pytest.mark.parametrize("shape", [(1, 2, 0, 3), (1, 2, 3, 0), (1, 2, 0, 0), (1, 2, 0)])
def test_pools_of_padding_alone(shape: tuple[int, ...], tmp_path: Path) -> None:
    """ONNX Runtime stops at an image of which nothing but padding is left: it is padded before."""
    proto = exported(pooled(shape, 1), tmp_path)
    assert ops(proto) == ["Pad", "MaxPool"]
    (got,) = OnnxRunner(proto.SerializeToString())({"x": np.zeros(shape, f32)}).values()
    assert got.shape == (1, 2, *(s + 1 for s in shape[2:]))
    assert (got <= np.finfo(f32).min).all()


@pytest.mark.parametrize("axes", [1, 2, 3])
def test_pools_of_infinity(axes: int, tmp_path: Path) -> None:
    """ONNX Runtime starts from the lowest number, which a note tells."""
    model = pooled((1, 1, *(2,) * axes), 0)
    proto = exported(model, tmp_path)
    (got,) = OnnxRunner(proto.SerializeToString())({"x": np.full((1, 1, *(2,) * axes), -np.inf, f32)}).values()
    assert got.item() == np.finfo(f32).min and any("lowest number" in note for note in model.notes)


@pytest.mark.parametrize("shape", [(), (2, 1), (0, 1)])
def test_integers_to_the_power_of_zero(shape: tuple[int, ...], tmp_path: Path) -> None:
    model = made([3], lambda b, x: b.pow(x, b.constant(np.zeros(shape, np.int64))), dtypes.int64)
    proto = exported(model, tmp_path)
    assert not {"Mul", "Mod"} & set(ops(proto))
    runs_alike(model, proto, np.array([0, 2, -3]))


@pytest.mark.parametrize("amount", [31, 32])
def test_shifts_as_wide_as_the_number(amount: int, tmp_path: Path) -> None:
    by = np.uint32(amount)
    for build in (
        lambda b, x: b.shift_left(x, b.constant(by)),
        lambda b, x: b.shift_right(x, b.minimum(x, b.constant(by))),
    ):
        model = made([3], build, dtypes.uint32)
        proto = exported(model, tmp_path)
        assert ("Less" in ops(proto)) == (amount == 32)
        runs_alike(model, proto, np.array([1, 40, 2**32 - 1], np.uint32))


@pytest.mark.parametrize("kind", [dtypes.float32, dtypes.float64])
@pytest.mark.parametrize("name", ["log1p", "expm1", "sinh"])
def test_small_numbers_keep_their_digits(name: str, kind: Any, tmp_path: Path) -> None:
    model = made([4], lambda b, x: getattr(b, name)(x), kind)
    x = np.array([1e-5, -3e-9, 0.011, -0.3]).astype(kind.numpy)
    (got,) = OnnxRunner(exported(model, tmp_path).SerializeToString())({"x": x}).values()
    np.testing.assert_allclose(got, getattr(np, name)(x), rtol=16 * kind.eps, atol=0)


@pytest.mark.parametrize("kind", [dtypes.float16, dtypes.bfloat16])
@pytest.mark.parametrize("name", ["gelu", "mish", "hard_swish"])
def test_half_floats_of_composites_before_their_opset(name: str, kind: Any, tmp_path: Path) -> None:
    """Taken apart in float32 and rounded once."""
    model = made([5], lambda b, x: getattr(b, name)(x), kind)
    proto = exported(model, tmp_path, 13)
    x = np.array([-3, -0.5, 0, 0.7, 2]).astype(kind.numpy)
    (want,) = Evaluator("exact").run(model, {"x": x}).values()
    (got,) = OnnxRunner(proto.SerializeToString())({"x": x}).values()
    np.testing.assert_array_equal(got.astype(f32), want.astype(f32))


# -- creation, indexing ---------------------------------------------------------------------------------------------
@pytest.mark.parametrize("normal", [False, True])
def test_draws_of_a_symbolic_shape(normal: bool, tmp_path: Path) -> None:
    def build(b: Builder, x: Value) -> Value:
        if normal:
            return b.random_normal(shape=(N, 1000), mean=5.0, std=0.5, dtype=dtypes.float32)
        return b.random_uniform(shape=(N, 1000), low=2.0, high=3.0, dtype=dtypes.float32)

    proto = exported(made([N], build), tmp_path)
    (got,) = OnnxRunner(proto.SerializeToString())({"x": np.zeros(3, f32)}).values()
    assert got.shape == (3, 1000) and got.dtype == f32
    middle, spread = (5.0, 0.5) if normal else (2.5, 1 / np.sqrt(12))
    assert abs(got.mean() - middle) < 0.05 and abs(got.std() - spread) < 0.05


@pytest.mark.parametrize("bounds", ["clip", "fill"])
def test_bounded_reads_of_symbolic_sizes(bounds: str, tmp_path: Path) -> None:
    index = np.array([[0, 0], [5, 1], [-1, -1], [2, 9], [-9, 0]])
    model = made(
        [N, symbol("m"), 2],
        lambda b, x: b.gather_nd(x, b.constant(index), bounds=bounds, neg="from_end", fill_value=7.0),
    )
    proto = exported(model, tmp_path)
    for n, m in ((3, 4), (6, 2)):
        runs_alike(model, proto, np.arange(n * m * 2, dtype=f32).reshape(n, m, 2))


@pytest.mark.parametrize(("k", "kind", "opset", "native"), [
    (0, dtypes.float32, 20, True), (1, dtypes.int64, 14, True), (-1, dtypes.bool_, 20, True), (0, dtypes.int32, 20, False),
    (0, dtypes.float32, 13, False),
])  # fmt: skip
def test_triangles(k: int, kind: Any, opset: int, native: bool, tmp_path: Path) -> None:
    for name in ("tril", "triu"):
        model = made([3, 4], lambda b, x, name=name: getattr(b, name)(x, k=k), kind)
        proto = exported(model, tmp_path, opset)
        assert ("Trilu" in ops(proto)) == native
        runs_alike(model, proto, np.ones((3, 4), kind.numpy))


# -- products, norms, pools -----------------------------------------------------------------------------------------
@pytest.mark.parametrize(("size", "native"), [(3, True), (0, False)])
def test_einsum_stays_one_op(size: int, native: bool, tmp_path: Path) -> None:
    model = made([2, size, 4], lambda b, x: b.einsum(x, x, equation="bij,bkj->bik"))
    proto = exported(model, tmp_path)
    assert ("Einsum" in ops(proto)) == native
    runs_alike(model, proto, np.ones((2, size, 4), f32))


def test_batch_norm_keeps_its_momentum(tmp_path: Path) -> None:
    """ONNX's momentum weighs the old value."""
    ones = np.ones(3, f32)
    model = made(
        [2, 3], lambda b, x: b.batch_norm(x, None, None, b.constant(ones), b.constant(ones), momentum=0.25, eps=0.5)[0]
    )
    (node,) = [n for n in exported(model, tmp_path).graph.node if n.op_type == "BatchNormalization"]
    attributes = {a.name: a.f for a in node.attribute}
    assert attributes["momentum"] == 0.75 and attributes["epsilon"] == 0.5


@pytest.mark.parametrize(("opset", "native"), [(16, False), (17, True), (20, True)])
def test_layer_norm_is_one_op_from_opset_17(opset: int, native: bool, tmp_path: Path) -> None:
    model = made([2, 3, 4], lambda b, x: b.layer_norm(x, b.constant(np.arange(4, dtype=f32)), axes=(-1,)))
    proto = exported(model, tmp_path, opset)
    assert ("LayerNormalization" in ops(proto)) == native
    runs_alike(model, proto, np.random.default_rng(0).standard_normal((2, 3, 4)).astype(f32))


@pytest.mark.parametrize(("pad", "dilation"), [(1, 1), (1, 2), (2, 2)])
def test_pads_as_wide_as_the_window(pad: int, dilation: int, tmp_path: Path) -> None:
    """ONNX Runtime takes pads smaller than the window only."""
    model = made(
        [1, 2, 9], lambda b, x: b.max_pool(x, window=(2,), strides=(1,), dilations=(dilation,), padding=((pad, pad),))
    )
    runs_alike(model, exported(model, tmp_path), -np.arange(18, dtype=f32).reshape(1, 2, 9) - 1)


@pytest.mark.parametrize("ceil_mode", [False, True])
def test_plain_pools_are_not_padded_apart(ceil_mode: bool, tmp_path: Path) -> None:
    def build(b: Builder, x: Value) -> Value:
        return b.max_pool(x, window=(3,), strides=(2,), padding=((1, 1),), dilations=(1,), ceil_mode=ceil_mode)

    model = made([1, 2, 8], build)
    proto = exported(model, tmp_path)
    assert ops(proto) == ["MaxPool"]
    runs_alike(model, proto, -np.arange(16, dtype=f32).reshape(1, 2, 8) - 1)


# -- recurrent layers, resizing -------------------------------------------------------------------------------------
@pytest.mark.parametrize(("layers", "frozen", "count"), [(1, False, 0), (2, False, 1), (3, False, 2), (3, True, 0)])
def test_dropout_stands_between_recurrent_layers(layers: int, frozen: bool, count: int, tmp_path: Path) -> None:
    def build(b: Builder, x: Value) -> Value:
        weights = tuple(
            b.constant(np.full((8, inner), 0.1, f32))
            for layer in range(layers)
            for inner in (3 if layer == 0 else 8, 8)
        )
        return b.rnn(
            x,
            None,
            None,
            weights,
            hidden_size=8,
            layers=layers,
            bias=False,
            dropout=0.25,
            frozen=frozen,
            direction="forward",
        )[0]

    proto = exported(made([4, 2, 3], build), tmp_path)
    assert ops(proto).count("Dropout") == count and ops(proto).count("RNN") == layers


@pytest.mark.parametrize(("coordinates", "nearest", "scales", "form"), [
    ("asymmetric", "floor", (2.0, 3.0), "Resize"), ("asymmetric", "round_prefer_ceil", (2.0, 2.0), ""),
    ("asymmetric", "floor", (1.5, 2.0), "Gather"), ("half_pixel", "round_prefer_ceil", (1.5, 3.0), "Gather"),
    ("half_pixel", "floor", (2.0, 2.0), ""), ("asymmetric", "quotient", (2.0, 1.0625), "Gather"),
    ("half_pixel", "quotient", (3.0, 1.5), "Gather"),
])  # fmt: skip
def test_nearest_resizing_of_symbolic_sizes(
    coordinates: str, nearest: str, scales: tuple[float, float], form: str, tmp_path: Path
) -> None:
    """Only where float32 coordinates pick the right element at every size; positions are computed elsewhere."""

    def build(b: Builder, x: Value) -> Value:
        return b.resize(x, sizes=None, scales=scales, mode="nearest", coordinates=coordinates, nearest=nearest)

    model = made([1, 2, N, symbol("m")], build)
    if not form:
        with pytest.raises(ConversionError):
            exported(model, tmp_path)
        return
    proto = exported(model, tmp_path)
    assert {"Resize", "Gather"} & set(ops(proto)) == {form}
    for n, m in ((4, 5), (7, 3), (1, 16)):
        runs_alike(model, proto, np.arange(2 * n * m, dtype=f32).reshape(1, 2, n, m))


@pytest.mark.parametrize("size", [(8, 10), (4, 5), (2, 15)])
def test_nearest_resizing_to_sizes_is_one_op(size: tuple[int, int], tmp_path: Path) -> None:
    def build(b: Builder, x: Value) -> Value:
        return b.resize(x, sizes=size, scales=None, mode="nearest", coordinates="asymmetric", nearest="floor")

    model = made([1, 2, 4, 5], build)
    proto = exported(model, tmp_path)
    assert ops(proto) == ["Resize"]
    runs_alike(model, proto, np.arange(40, dtype=f32).reshape(1, 2, 4, 5))


@pytest.mark.parametrize("kind", ["float32", "bfloat16", "float16", "float64"])
@pytest.mark.parametrize("op", ["reduce_max", "reduce_min"])
def test_extremes_of_the_source_hand_on_nan(op: str, kind: str, tmp_path: Path) -> None:
    """Wherever it stands among the elements: ONNX Runtime passes over it at most places."""
    rng = np.random.default_rng(0)
    x = np.where(rng.random((6, 64)) < 0.02, np.nan, rng.normal(size=(6, 64))).astype(dtypes.dtype(kind).numpy)
    for axes in ((0,), (1,), (0, 1)):
        model = made([N, 64], lambda b, x, axes=axes: getattr(b, op)(x, axes=axes), dtypes.dtype(kind))
        runs_alike(model, exported(model, tmp_path), x)
    within = made([3, 4], lambda b, x: b.reduce_log_sum_exp(x, axes=(1,)))
    assert ops(exported(within, tmp_path)).count("IsNaN") == 1


@pytest.mark.parametrize(("opset", "kept"), [(13, False), (14, True), (20, True)])
def test_sizes_of_0_are_kept_from_opset_14_on(opset: int, kept: bool, tmp_path: Path) -> None:
    model = made([N, symbol("m")], lambda b, x: b.reshape(x, shape=(symbol("m"), N)))
    proto = exported(model, tmp_path, opset)
    (node,) = [n for n in proto.graph.node if n.op_type == "Reshape"]
    assert [(a.name, a.i) for a in node.attribute] == ([("allowzero", 1)] if kept else [])
    runs_alike(model, proto, np.arange(6, dtype=f32).reshape(2, 3))


def test_instance_normalisation_of_open_sizes_has_its_own_operator(tmp_path: Path) -> None:
    model = made([1, 3, N], lambda b, x: b.instance_norm(x))
    proto = exported(model, tmp_path)
    assert ops(proto).count("InstanceNormalization") == 1
    runs_alike(model, proto, np.arange(12, dtype=f32).reshape(1, 3, 4))


def test_bodies_made_for_onnx_know_their_source() -> None:
    from converter.exporters.onnx import rules
    from converter.exporters.onnx.lowering import lower
    from ir.core.walk import walk

    rules.register()
    model = made([4], lambda b, x: b.cumprod(x, axis=0))
    assert {n.origin.op for n in walk(lower(model, 20).graph)} == {"source"}


@pytest.mark.parametrize(("by", "replaced"), [(-1, True), ([3, -1, 2], True), ([3, 2, -2], False), ([1, 1, 1], False)])
def test_divisions_by_minus_one_are_negations(by: Any, replaced: bool, tmp_path: Path) -> None:
    """The kernel would trap at the lowest integer."""
    model = made([3], lambda b, x: b.trunc_div(x, b.constant(np.array(by))), dtypes.int64)
    proto = exported(model, tmp_path)
    assert ("Where" in ops(proto)) == replaced
    runs_alike(model, proto, np.array([-(2**63), 7, -5]))


@pytest.mark.parametrize(("test", "other", "kept"), [(-1, 1, True), (5, 1, False), (-1, -1, False)])
def test_divisors_that_are_never_minus_one(test: int, other: int, kept: bool, tmp_path: Path) -> None:
    def build(b: Builder, x: Value) -> Value:
        y = b.add(x, 1)
        return b.trunc_div(x, b.where(b.equal(y, test), b.constant(np.array(other)), y))

    proto = exported(made([3], build, dtypes.int64), tmp_path)
    assert ops(proto).count("Equal") == (1 if kept else 2)


def test_dilated_averages_need_opset_19(tmp_path: Path) -> None:
    model = made([1, 1, 6], lambda b, x: b.avg_pool(x, window=(2,), strides=(1,), dilations=(2,)))
    proto = exported(model, tmp_path, 19)
    assert ops(proto) == ["AveragePool"]
    runs_alike(model, proto, np.arange(6, dtype=f32).reshape(1, 1, 6))
    with pytest.raises(ConversionError, match="average pooling with dilations needs opset 19"):
        exported(model, tmp_path, 18)


@pytest.mark.parametrize(("path", "place"), [((), "the model"), ((Scope("drop", "DropPath"),), "drop")])
def test_what_only_training_does_is_told(path: tuple[Scope, ...], place: str, tmp_path: Path) -> None:
    kind = TensorType(dtypes.float32, (3,))

    def build(b: Builder, x: Value) -> Value:
        bodies = {
            "train": body("train", (kind,), lambda b, x: b.neg(x)),
            "infer": body("infer", (kind,), lambda b, x: x),
        }
        with b.at(Origin(op="source", path=path)):
            return b.by_mode((b.abs(x),), **{k: make() for k, make in bodies.items()})[0]

    model = made([3], build)
    exported(model, tmp_path)
    (note,) = [n for n in model.notes if "training" in n]
    assert note.startswith(place) and note.endswith(": what it does in training only is not in the ONNX model")


def test_conditions_read_weights_and_sizes(tmp_path: Path) -> None:
    """The condition of a loop is computed in a frame of its own, inside that of the loop."""
    model = Model("forms")
    x = model.graph.add_input(TensorType(dtypes.float32, (N,)), "x")
    limit = model.add_weight(Weight("limit", Array(np.array(5, f32)), trainable=True))
    kind = TensorType(dtypes.float32, (N,))

    def below(b: Builder, x: Value) -> Value:
        return b.less(b.reduce_sum(x, axes=(0,)), b.mul(limit, b.cast(b.dim(size=N), to=dtypes.float32)))

    bodies = {"cond": body("cond", (kind,), below), "body": body("body", (kind,), lambda b, x: b.add(x, 1.0))}
    b = Builder(model.graph, origin=Origin(op="source"))
    out = b.while_((b.mul(x, 2.0),), (), trips=100, **{k: make() for k, make in bodies.items()})
    model.graph.set_outputs([out[0] if isinstance(out, (tuple, list)) else out])
    model.signature = Signature((Parameter("x", Leaf("x")),), Leaf("output"))
    proto = exported(model, tmp_path)
    for size in (2, 4):
        runs_alike(model, proto, np.arange(size, dtype=f32))


@pytest.mark.parametrize("include_pad", [True, False])
def test_averages_with_gaps_over_open_sizes(include_pad: bool, tmp_path: Path) -> None:
    """Pads as long as the window are a Pad of their own; what counts of each window is averaged the same way."""
    attrs = {"window": (2,), "strides": (1,), "dilations": (2,), "padding": ((2, 2),), "include_pad": include_pad}
    model = made([1, 1, N], lambda b, x: b.avg_pool(x, **attrs))
    proto = exported(model, tmp_path, 19)
    assert ops(proto).count("AveragePool") == (1 if include_pad else 2)
    for size in (2, 5):
        runs_alike(model, proto, np.arange(1, size + 1, dtype=f32).reshape(1, 1, size))


@pytest.mark.parametrize("shape", [(2, 3), (3, 2), (2, 2)])
def test_singular_values_alone(shape: tuple[int, int], tmp_path: Path) -> None:
    model = made(shape, lambda b, x: b.svd(x)[1])
    runs_alike(
        model, exported(model, tmp_path), np.array([1, 2, 0, 4, -1, 3][: shape[0] * shape[1]], f32).reshape(shape)
    )


@pytest.mark.parametrize(("shape", "kind", "op"), [
    ((1,), dtypes.float32, "RandomUniform"), ((2, 3), dtypes.float16, "RandomUniform"), ((0, 3), dtypes.float32, "RandomUniformLike"),
    ((), dtypes.float32, "RandomUniformLike"), ((3,), dtypes.float64, "RandomNormal"), ((0,), dtypes.bfloat16, "RandomNormalLike"),
])  # fmt: skip
def test_draws_of_a_known_shape(shape: tuple[int, ...], kind: Any, op: str, tmp_path: Path) -> None:
    def build(b: Builder, x: Value) -> Value:
        if "Normal" in op:
            return b.random_normal(shape=shape, mean=5.0, std=0.5, dtype=kind)
        return b.random_uniform(shape=shape, low=2.0, high=3.0, dtype=kind)

    proto = exported(made([1], build), tmp_path)
    (node,) = [n for n in proto.graph.node if n.op_type == op]
    made_as = {a.name: a.i for a in node.attribute}["dtype"]
    assert made_as == (onnx.TensorProto.DOUBLE if kind == dtypes.float64 else onnx.TensorProto.FLOAT)
    (got,) = OnnxRunner(proto.SerializeToString())({"x": np.zeros(1, f32)}).values()
    assert got.shape == shape and got.dtype == kind.numpy and (got.astype(f32) >= 2).all()


@pytest.mark.parametrize("rest", [(), (4,), (4, 1)])
def test_loops_that_carry_nothing(rest: tuple[int, ...], tmp_path: Path) -> None:
    """A Loop of trips alone; after none, what they would have stacked has the sizes of the first."""
    kind = TensorType(dtypes.float32, (N, *rest))
    model = Model("forms")
    x, trips = model.graph.add_input(kind, "x"), model.graph.add_input(TensorType(dtypes.int64, ()), "trips")
    bodies = {
        "cond": body("cond", (kind,), lambda b, x: b.constant(value=np.array(True)))(),
        "body": body("body", (kind,), lambda b, x: b.mul(x, x))(),
    }
    out = Builder(model.graph, origin=Origin(op="source")).while_((), (x,), trips, symbols=("k",), **bodies)
    model.graph.set_outputs([out[0] if isinstance(out, (tuple, list)) else out])
    model.signature = Signature((Parameter("x", Leaf("x")), Parameter("trips", Leaf("trips"))), Leaf("output"))
    proto = exported(model, tmp_path)
    for count in (2, 0):
        for size in (3, 0):
            runs_alike(model, proto, np.ones((size, *rest), f32), trips=np.array(count))
