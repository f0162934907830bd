"""Tensors made from attributes and sizes, random numbers, and sizes of tensors."""

from __future__ import annotations

from typing import Any

import numpy as np

from converter.importers.onnx.context import OnnxContext
from converter.importers.onnx.table import rule
from converter.importers.onnx.tensors import element_type
from converter.importers.partial.values import Element, Ref, known
from ir.core import Value
from ir.data import Array
from ir.types import Dim, DType, dtypes, numel
from ir.types.dim import DimExpr


@rule("Constant", 1, 9, 11, 12, 13, 19, 21, 23, 24, 25)
def constant(c: OnnxContext) -> Ref:
    """Exactly one attribute holds the value."""
    names = [a.name for a in c.node.attribute]
    if len(names) != 1:
        c.refuse(f"it has {len(names)} values: {', '.join(names) or 'none'}")
    value = c.attr(names[0])
    kinds = {"value_float": np.float32, "value_floats": np.float32, "value_int": np.int64, "value_ints": np.int64}
    if names[0] in kinds:
        value = Array(np.array(value, kinds[names[0]]))
    elif names[0] not in ("value", "sparse_value"):
        c.refuse(f"its {names[0]} has no counterpart")
    return c.importer.stored(c.node.output[0], value)


@rule("ConstantOfShape", 9, 20, 21, 23, 24, 25)
def constant_of_shape(c: OnnxContext) -> Value:
    data = c.attr("value")
    array = np.zeros(1, np.float32) if data is None else data.numpy()
    if array.size != 1:
        c.refuse(f"its value has {array.size} elements instead of 1")
    kind = dtypes.float32 if data is None else data.type.dtype
    return c.b.full(shape=c.dims(0, "the shape"), value=_number(array.reshape(())), dtype=kind)


def _number(scalar: np.ndarray) -> bool | int | float:
    item = scalar.item() if scalar.dtype.kind in "biuf" else float(scalar)
    return item


@rule("Range", 11, 27)
def range_(c: OnnxContext) -> Value:
    """start + i * delta; float16 and bfloat16 count in float32 from version 27 on (stash_type)."""
    kind = c.type().dtype
    wide = c.version >= 27 and c.only("stash_type", 0, 1) == 1 and kind.is_half
    if any(c.rank(i) for i in range(3)):
        c.refuse("its bounds and step must be scalars")
    parts = [c.ref(i).elements() for i in range(3)]
    elements = [None if p is None else p[()] for p in parts]
    counting = dtypes.float32 if wide else kind
    if all(e is not None and not isinstance(e, Element) for e in elements) and not isinstance(elements[2], DimExpr):
        start, stop, step = elements
        if kind.is_integer or not any(isinstance(e, DimExpr) for e in elements):
            return c.cast(c.b.arange(start=start, stop=stop, step=step, dtype=counting), kind)
    bounds = [c.cast(c.x(i), counting) for i in range(3)]
    return c.cast(c.b.range(*bounds, symbol=c.importer.fresh_symbol("n")), kind)


@rule("EyeLike", 9, 22)
def eye_like(c: OnnxContext) -> Value:
    code = c.attr("dtype")
    kind = element_type(code) if code is not None else c.type().dtype
    if c.rank() != 2:
        c.refuse(f"an identity matrix like {c.type()} is not defined")
    rows, cols = c.type().shape
    return c.b.eye(rows=rows, cols=cols, k=c.attr("k"), dtype=kind)


@rule("Shape", 1, 13, 15, 19, 21, 23, 24, 25)
def shape(c: OnnxContext) -> Ref:
    dims = c.type().shape
    if c.version >= 15:
        dims = dims[slice(c.attr("start"), c.attr("end"))]
    return known(dtypes.int64, _objects(dims))


@rule("Size", 1, 13, 19, 21, 23, 24, 25)
def size(c: OnnxContext) -> Ref:
    return known(dtypes.int64, _objects([numel(c.type().shape)]).reshape(()))


def _objects(items: Any) -> np.ndarray:
    out = np.empty(len(items), object)
    out[:] = list(items)
    return out


# -- random ---------------------------------------------------------------------------------------------------------------
def _like(c: OnnxContext) -> DType:
    """The type of what is drawn: that of the operand unless the node names one."""
    code = c.attr("dtype")
    return c.type().dtype if code is None else element_type(code)


def _shape(c: OnnxContext) -> tuple[tuple[Dim, ...], DType]:
    if c.schema.name.endswith("Like"):
        return c.type().shape, _like(c)
    return tuple(c.attr("shape")), element_type(c.attr("dtype"))


def _unseeded(c: OnnxContext) -> None:
    if c.attr("seed") is not None:
        c.note(f"{c.schema.name}: the seed in the file is not carried over, frameworks draw different numbers from it")


@rule("RandomNormal", 1, 22)
@rule("RandomNormalLike", 1, 22)
def random_normal(c: OnnxContext) -> Value:
    dims, kind = _shape(c)
    _unseeded(c)
    return c.b.random_normal(shape=dims, mean=c.attr("mean"), std=c.attr("scale"), dtype=kind)


@rule("RandomUniform", 1, 22)
@rule("RandomUniformLike", 1, 22)
def random_uniform(c: OnnxContext) -> Value:
    dims, kind = _shape(c)
    _unseeded(c)
    return c.b.random_uniform(shape=dims, low=c.attr("low"), high=c.attr("high"), dtype=kind)


@rule("Bernoulli", 15, 22)
def bernoulli(c: OnnxContext) -> Value:
    _unseeded(c)
    return c.b.bernoulli(c.x(), dtype=_like(c))


@rule("Multinomial", 7, 22)
def multinomial(c: OnnxContext) -> Value:
    """Classes drawn by their logits x [batch, classes]: the largest of the logits with Gumbel noise, -log(-log(uniform)).

    Half types, which have few numbers near 1, draw in float32.
    """
    b, x, count = c.b, c.x(), c.attr("sample_size")
    _unseeded(c)
    if x.type.dtype.is_half:
        x = b.cast(x, to="float32")
    batch, classes = x.type.shape
    drawn = b.random_uniform(shape=(batch, count, classes), low=0.0, high=1.0, dtype=x.type.dtype)
    noise = b.neg(b.log(b.neg(b.log(drawn))))
    return c.cast(b.argmax(b.add(b.unsqueeze(x, axes=(1,)), noise), axis=2), element_type(c.attr("dtype")))
