"""What PyTorch has no function for is refused with its reason, at the first size or setting beyond."""

from __future__ import annotations

import numpy as np
import pytest

from converter.errors import ConversionError
from converter.exporters.base import ExportOptions
from converter.exporters.torch.package import write_source
from ir.core import Builder, Leaf, Model, Parameter, Signature, Value
from ir.types import type_of


def written(op: str, *operands: np.ndarray | tuple[np.ndarray, ...], **attrs: object) -> str:
    """The source of a model of one op."""
    model = Model(op)
    given = [tuple(_input(model, a) for a in x) if isinstance(x, tuple) else _input(model, x) for x in operands]
    model.graph.set_outputs(getattr(Builder(model.graph), op)(*given, **attrs).producer.outputs[:1])
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
