"""What PyTorch has no function for is refused with its reason, at the first size or setting beyond."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

import ir.ops
from converter.errors import ConversionError
from converter.exporters.base import ExportOptions, lower
from converter.exporters.torch.package import write_source
from converter.exporters.torch.rules import TABLE
from ir.core import Builder, Leaf, Model, Parameter, Signature, Value
from ir.types import dtypes, type_of
from tests.ops.harness import cases_of, model_of


def written(op: str, *operands: np.ndarray | tuple[np.ndarray, ...], **attrs: object) -> str:
    """The source of a model of one op."""
    model = Model(op)
    given = [tuple(_input(model, a) for a in x) if isinstance(x, tuple) else _input(model, x) for x in operands]
    made = getattr(Builder(model.graph), op)(*given, **attrs)
    model.graph.set_outputs([made[0] if isinstance(made, tuple) else made])
    model.signature = Signature(tuple(Parameter(v.name, Leaf(v.name)) for v in model.graph.inputs), Leaf("output"))
    return write_source(model, ExportOptions()).text


def _input(model: Model, array: np.ndarray) -> Value:
    return model.graph.add_input(type_of(array), f"x{len(model.graph.inputs)}")


def ones(*shape: int) -> np.ndarray:
    return np.ones(shape, np.float32)


def conv_of(spatial: int) -> tuple[tuple[np.ndarray, ...], dict[str, object]]:
    plain = {"strides": (1,) * spatial, "dilations": (1,) * spatial}
    return (ones(1, 2, *(3,) * spatial), ones(2, 2, *(2,) * spatial)), plain


@pytest.mark.parametrize("spatial", [1, 2, 3, 4])
def test_convolutions_over_three_axes_at_most(spatial: int) -> None:
    arrays, plain = conv_of(spatial)
    if spatial <= 3:
        assert f"F.conv{spatial}d(" in written("conv", *arrays, **plain)
        return
    with pytest.raises(ConversionError, match="torch has no convolution over 4 spatial axes"):
        written("conv", *arrays, **plain)


@pytest.mark.parametrize(
    ("spatial", "mode", "fine"),
    [(2, "cubic", True), (3, "linear", True), (3, "cubic", False), (1, "linear", False), (4, "nearest", False)],
)
def test_grids(spatial: int, mode: str, fine: bool) -> None:
    arrays = ones(1, 2, *(3,) * spatial), ones(1, *(2,) * spatial, spatial)
    if fine:
        assert "F.grid_sample(" in written("grid_sample", *arrays, mode=mode)
        return
    with pytest.raises(ConversionError, match=f"samples no grid of {spatial} axes by {mode}"):
        written("grid_sample", *arrays, mode=mode)


def test_subscripts_of_uint64() -> None:
    """torch reads one beyond int64 as a negative number, which counts from the end."""
    with pytest.raises(ConversionError, match="subscripts are signed; uint64 indices"):
        written("index_get", ones(4), (np.array([2, 1], np.uint64),), spec=(("array", 0),))


@pytest.mark.parametrize("to", ["int4", "uint4"])
def test_types_that_torch_lacks(to: str) -> None:
    with pytest.raises(ConversionError, match=f"torch has no {to}"):
        written("cast", ones(2), to=to)


@pytest.mark.parametrize(("extra", "by_torch"), [(1, True), (2, False)])
def test_transposed_convolutions_append_less_than_a_stride(extra: int, by_torch: bool) -> None:
    attrs = {"strides": (2,), "dilations": (1,), "padding": ((0, 0),), "output_padding": (extra,)}
    text = written("conv_transpose", ones(1, 2, 3), ones(2, 2, 2), **attrs)
    assert ("output_padding=1" in text, f"(0, {extra})" in text) == (by_torch, not by_torch)


@pytest.mark.parametrize(("size", "by_torch"), [(2, False), (3, True)])
def test_transposed_convolutions_leave_something(size: int, by_torch: bool) -> None:
    attrs = {"strides": (1,), "dilations": (1,), "padding": ((1, 1),), "output_padding": (0,)}
    text = written("conv_transpose", ones(1, 2, size), ones(2, 2, 1), **attrs)
    assert ("padding=1" in text, "(-1, -1)" in text) == (by_torch, not by_torch)


@pytest.mark.parametrize("op", ["conv", "conv_transpose"])
@pytest.mark.parametrize(
    ("shape", "window", "fine"),
    [
        ((1, 2, 0), 1, False),
        ((1, 2, 0), 3, False),
        ((0, 2, 0), 3, True),
        ((1, 2, 1), 3, True),
        ((2, 2, 1, 0), 2, False),
    ],
)
def test_images_without_extent(op: str, shape: tuple[int, ...], window: int, fine: bool) -> None:
    if fine:
        assert f"F.{op}1d(" in convolved(op, shape, 2, 2, window)
        return
    with pytest.raises(ConversionError, match="torch takes no images without extent"):
        convolved(op, shape, 2, 2, window)


@pytest.mark.parametrize("op", ["conv", "conv_transpose"])
@pytest.mark.parametrize(("taken", "made"), [(0, 2), (2, 0)])
def test_images_without_channels(op: str, taken: int, made: int) -> None:
    """PyTorch makes no channels of none, whatever the weights say, and tells nobody."""
    with pytest.raises(ConversionError, match="convolves neither from nor to no channels"):
        convolved(op, (2, taken, 4), taken, made, 3)


def convolved(op: str, shape: tuple[int, ...], taken: int, made: int, window: int) -> str:
    axes = len(shape) - 2
    attrs: dict[str, object] = {"strides": (1,) * axes, "dilations": (1,) * axes}
    if op == "conv":
        attrs |= {"padding": ((window - 1, 1),) * axes}
        return written(op, ones(*shape), ones(made, taken, *(window,) * axes), **attrs)
    attrs |= {"padding": ((0, 0),) * axes, "output_padding": (0,) * axes}
    return written(op, ones(*shape), ones(taken, made, *(window,) * axes), **attrs)


WHOLE_ONLY = (
    "bessel_i0", "cholesky", "determinant", "eig", "eigh", "frexp", "householder", "householder_product", "inverse",
    "log_determinant", "lu", "matrix_exp", "orthogonal_polynomial", "qr", "solve", "solve_triangular", "svd",
)  # fmt: skip
"""What torch computes in float32 and float64 only."""


@pytest.mark.parametrize("op", WHOLE_ONLY)
def test_halves_without_kernels(op: str) -> None:
    """They are refused in the half types, or taken apart into what is computed in float32."""
    _, definition, sample = cases_of(ir.ops.get(op), dtypes.float32)[0]
    for kind in (dtypes.bfloat16, dtypes.float16):
        rounded = [a.astype(kind.numpy) if a.dtype.kind == "f" else a for a in sample.operands]
        model, _ = model_of(definition, replace(sample, operands=tuple(rounded)))
        try:
            assert not [n for n in lower(model, TABLE).nodes() if n.op.name == op and n.operand("x").type.dtype == kind]
        except ConversionError as error:
            assert any(f"no kernel for {kind}" in u.reason for u in error.unsupported)


@pytest.mark.parametrize("to", ["int4", "uint4"])
@pytest.mark.parametrize("op", ["full", "arange", "constant"])
def test_made_of_types_that_torch_lacks(op: str, to: str) -> None:
    kind = dtypes.dtype(to)
    made: dict[str, dict[str, object]] = {
        "full": {"shape": (2,), "value": 1, "dtype": kind}, "arange": {"start": 0, "stop": 4, "step": 1, "dtype": kind},
        "constant": {"value": np.ones(2, kind.numpy)},
    }  # fmt: skip
    with pytest.raises(ConversionError, match=f"torch has no {to}"):
        written(op, **made[op])


def written_or_refused(op: str, *operands: np.ndarray, **attrs: object) -> str:
    try:
        return written(op, *operands, **attrs)
    except ConversionError as error:
        return str([u.reason for u in error.unsupported])


@pytest.mark.parametrize(("op", "name", "attrs"), [
    ("avg_pool", "F.avg_pool", {"window": 2, "strides": 2, "padding": (0, 0), "dilations": 1}),
    ("max_pool", "F.max_pool", {"window": 2, "strides": 2, "padding": (0, 0), "dilations": 1}),
    ("adaptive_avg_pool", "F.adaptive_avg_pool", {"output_size": 2}),
    ("adaptive_max_pool", "F.adaptive_max_pool", {"output_size": 2}),
])  # fmt: skip
@pytest.mark.parametrize("spatial", [1, 3, 4])
def test_pooling_over_three_axes_at_most(op: str, name: str, attrs: dict[str, object], spatial: int) -> None:
    text = written_or_refused(op, ones(1, 2, *(4,) * spatial), **{k: (v,) * spatial for k, v in attrs.items()})
    assert (f"{name}{spatial}d(" in text) == (spatial <= 3)
    if spatial == 4 and "avg" in op:
        assert "torch" in text and "over 1 to 3 spatial axes" in text


@pytest.mark.parametrize("op", ["avg_pool", "max_pool"])
@pytest.mark.parametrize(("shape", "by_torch"), [((1, 2, 3), True), ((1, 1, 3), True), ((1, 2, 1), True), ((1, 2, 0), False)])
def test_pooling_of_padding_alone(op: str, shape: tuple[int, ...], by_torch: bool) -> None:
    attrs = {"window": (2,), "strides": (1,), "padding": ((1, 1),), "dilations": (1,)}
    assert (f"F.{op}1d(" in written(op, ones(*shape), **attrs)) == by_torch


@pytest.mark.parametrize(("shape", "by_torch"), [((1, 2, 3), True), ((1, 1, 3), True), ((1, 2, 1), True), ((1, 0, 3), False)])
def test_interpolation_of_something(shape: tuple[int, ...], by_torch: bool) -> None:
    settings = {"mode": "nearest", "coordinates": "asymmetric", "nearest": "floor"}
    assert ("scale_factor=" in written("resize", ones(*shape), sizes=None, scales=(2.0,), **settings)) == by_torch


@pytest.mark.parametrize(("kind", "by_torch"), [(np.float64, True), (np.uint8, True), (np.int8, False), (np.int32, False)])
def test_interpolation_of_bytes(kind: type, by_torch: bool) -> None:
    """PyTorch interpolates no other integers."""
    settings = {"mode": "nearest", "coordinates": "asymmetric", "nearest": "floor"}
    given = np.ones((1, 2, 3), kind)
    assert ("scale_factor=" in written("resize", given, sizes=None, scales=(2.0,), **settings)) == by_torch


@pytest.mark.parametrize(("neg", "bounds", "rank", "form"), [
    ("from_end", "error", 1, "x0[:, "), ("invalid", "error", 1, "x0.index_select(1, "), ("invalid", "unchecked", 2, "x0[:, "),
    ("invalid", "error", 2, "gather("), ("invalid", "clip", 1, "gather("),
])  # fmt: skip
def test_gathers(neg: str, bounds: str, rank: int, form: str) -> None:
    """A subscript takes negatives from the end: only where that is meant, or nothing is said of them."""
    text = written("gather", ones(2, 3), np.zeros((1,) * rank, np.int64), axis=1, neg=neg, bounds=bounds)
    assert form in text


def test_forward_writes() -> None:
    whole = {"axes": (0,), "starts": (None,), "stops": (None,)}
    assert "slice_scatter" in written("slice_update", ones(4), ones(2), **whole, steps=(2,))
    assert "slice_scatter" not in written("slice_update", ones(4), ones(4), **whole, steps=(-1,))


@pytest.mark.parametrize(("axes", "name"), [((0,), "ihfft("), ((0, 1), "ihfftn(")])
def test_halves_of_inverse_transforms(axes: tuple[int, ...], name: str) -> None:
    assert f"torch.fft.{name}" in written("fft", ones(4, 4), axes=axes, inverse=True, onesided=True, norm="count")


@pytest.mark.parametrize("op", ["floor_div", "trunc_div", "mod", "fmod"])
@pytest.mark.parametrize(("divisor", "guarded"), [(-1, True), (1, False), (-2, False), (3, False)])
def test_division_by_what_overflows(op: str, divisor: int, guarded: bool) -> None:
    """The lowest integer divided by -1 ends the process in PyTorch."""
    model = Model(op)
    x = _input(model, np.ones(3, np.int32))
    b = Builder(model.graph)
    model.graph.set_outputs([getattr(b, op)(x, b.constant(value=np.array(divisor, np.int32)))])
    model.signature = Signature((Parameter(x.name, Leaf(x.name)),), Leaf("output"))
    text = write_source(model, ExportOptions()).text
    assert ("def integer_" in text) == guarded
