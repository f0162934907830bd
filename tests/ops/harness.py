"""Samples of every op as data, models made of one op, and comparison of results: the base of all generated tests."""

from __future__ import annotations

import functools
import zlib
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

import ml_dtypes
import numpy as np

import ir.ops
from ir.core import Branch, Builder, Leaf, Model, Parameter, Signature, Value
from ir.ops.define import OpDef
from ir.ops.sampler import Sample, Sampler
from ir.types import Dim, DType, TensorType, dtypes, symbol, type_of

FLOATS = (dtypes.float32, dtypes.float64, dtypes.float16, dtypes.bfloat16)
Case = tuple[str, OpDef, Sample]
Pairs = Iterable[tuple[int, int]]


# -- samples --------------------------------------------------------------------------------------------------------
def samples_of(op: OpDef, float_dtype: DType = dtypes.float32) -> list[Sample]:
    """Every sample of an op, error samples included, operands read-only; the same at each call."""
    if op.samples is None:
        return []
    drawn = list(op.samples(Sampler(zlib.crc32(op.name.encode()), float_dtype)))
    for sample in drawn:
        for array in flat(sample.operands):
            array.setflags(write=False)
    return drawn


def all_samples(float_dtype: DType = dtypes.float32, errors: bool = False) -> list[Case]:
    """`(id, op, sample)` of every registered op; with `errors` the error samples instead of the others.

    For float types other than float32, only the samples that differ in a type from their float32 twin.
    """
    return [case for op in ir.ops.all_ops() for case in cases_of(op, float_dtype, errors)]


@functools.cache
def cases_of(op: OpDef, float_dtype: DType = dtypes.float32, errors: bool = False) -> tuple[Case, ...]:
    """The cases of one op, as `all_samples` lists them."""
    found = []
    twins = samples_of(op) if float_dtype != dtypes.float32 else []
    for i, sample in enumerate(samples_of(op, float_dtype)):
        if (sample.error is not None) != errors:
            continue
        if i < len(twins) and _kinds(twins[i]) == _kinds(sample):
            continue
        label = f"{op.name}-{float_dtype}-{i}" + (f"-{sample.name.replace(' ', '_')}" if sample.name else "")
        found.append((label, op, sample))
    return tuple(found)


def _kinds(sample: Sample) -> tuple[Any, ...]:
    attrs = {k: v.dtype.name if isinstance(v, np.ndarray) else repr(v) for k, v in sample.attrs.items()}
    return [a.dtype.name for a in flat(sample.operands)], attrs


def flat(operands: Iterable[Any]) -> Iterator[np.ndarray]:
    """The arrays among operands: absent ones left out, variadic ones opened."""
    for item in operands:
        if isinstance(item, tuple):
            yield from flat(item)
        elif item is not None:
            yield item


def named(op: OpDef, sample: Sample) -> dict[str, Any]:
    """Operands by name: an array, None, or a tuple of arrays."""
    given = dict(zip((s.name for s in op.operands), sample.operands, strict=False))
    if len(sample.operands) > len(op.operands):
        raise TypeError(f"{op.name}: {len(sample.operands)} operands for {len(op.operands)} declared")
    return {s.name: given.get(s.name, () if s.mode == "variadic" else None) for s in op.operands}


# -- models ---------------------------------------------------------------------------------------------------------
def sizes(array: np.ndarray, axes: Iterable[int]) -> tuple[Dim, ...]:
    """The array's shape with the given axes symbolic: an axis of size 3 is `n3` everywhere."""
    chosen = set(axes)
    return tuple(symbol(f"n{d}") if i in chosen else d for i, d in enumerate(array.shape))


def operand_types(op: OpDef, sample: Sample, dynamic: bool | Pairs = False) -> dict[str, Any]:
    """Types of the operands by name. `dynamic` makes axes symbolic: all above size 1, or the (operand, axis) pairs."""
    pairs = None if isinstance(dynamic, bool) else set(dynamic)

    def typed(array: np.ndarray, position: int) -> TensorType:
        if pairs is None:
            axes = [i for i, d in enumerate(array.shape) if dynamic and d > 1]
        else:
            axes = [a % array.ndim for p, a in pairs if p == position and -array.ndim <= a < array.ndim]
        return type_of(array).with_shape(sizes(array, axes))

    types: dict[str, Any] = {}
    for position, (name, item) in enumerate(named(op, sample).items()):
        if isinstance(item, tuple):
            types[name] = tuple(typed(a, position) for a in item)
        else:
            types[name] = None if item is None else typed(item, position)
    return types


def model_of(op: OpDef, sample: Sample, dynamic: bool | Pairs = False) -> tuple[Model, dict[str, np.ndarray]]:
    """A model whose only node is the op, with the operands as its inputs, and the input arrays by name.

    Inputs are named after the operands (`xs.0`, `xs.1` for a variadic one), outputs `output`, or `output.0` and on.
    `dynamic` as in `operand_types`; raises TypeError or ValueError where inference refuses the symbolic sizes.
    """
    return _model(op, sample, dynamic, decomposed=False)


def decomposed_model(op: OpDef, sample: Sample, dynamic: bool | Pairs = False) -> tuple[Model, dict[str, np.ndarray]]:
    """As `model_of`, with the op's decomposition in its place; raises NotImplementedError where it has none."""
    return _model(op, sample, dynamic, decomposed=True)


def _model(op: OpDef, sample: Sample, dynamic: bool | Pairs, decomposed: bool) -> tuple[Model, dict[str, np.ndarray]]:
    model = Model(op.name)
    values: dict[str, Any] = {}
    parameters: list[Parameter] = []
    types = operand_types(op, sample, dynamic)
    for name, item in types.items():
        if isinstance(item, tuple):
            values[name] = tuple(model.graph.add_input(t, f"{name}.{i}") for i, t in enumerate(item))
            parameters.append(Parameter(name, Branch("tuple", tuple(Leaf(v.name) for v in values[name]))))
        elif item is not None:
            values[name] = model.graph.add_input(item, name)
            parameters.append(Parameter(name, Leaf(name)))
    outputs = _apply(op, sample, Builder(model.graph), values, decomposed)
    model.graph.set_outputs(outputs)
    leaves = [Leaf("output")] if len(outputs) == 1 else [Leaf(f"output.{i}") for i in range(len(outputs))]
    model.signature = Signature(tuple(parameters), leaves[0] if len(leaves) == 1 else Branch("tuple", tuple(leaves)))
    arrays = dict(zip((v.name for v in model.graph.inputs), flat(named(op, sample).values()), strict=True))
    return model, arrays


def _apply(op: OpDef, sample: Sample, b: Builder, values: Mapping[str, Any], decomposed: bool) -> tuple[Value, ...]:
    bodies = {name: make() for name, make in sample.bodies.items()}
    if not decomposed:
        return b.node(op, **values, **sample.attrs, **bodies).outputs
    if op.decompose is None:
        raise NotImplementedError(f"{op.name} has no decomposition")
    given = {s.name: values.get(s.name, () if s.mode == "variadic" else None) for s in op.operands}
    result = op.decompose(b, **given, **op.complete(sample.attrs), **bodies)
    return tuple(result) if isinstance(result, (tuple, list)) else (result,)


# -- comparison -----------------------------------------------------------------------------------------------------
def tolerance(dtype: DType) -> float:
    """Relative error allowed to one op: half floats round once at the end, wider ones at every step inside."""
    return (2 if dtype.is_half else 16) * dtype.eps


def assert_close(actual: np.ndarray, expected: np.ndarray, dtype: DType, rtol: float | None = None) -> None:
    """Assert that `actual`, declared as `dtype`, is `expected`: integers and booleans exactly, floats within `rtol` of
    the element and of the typical size. NaN equals NaN; either side may be wider than `dtype`, and is infinite where it
    overflows it."""
    assert actual.shape == expected.shape, f"shape {list(actual.shape)}, expected {list(expected.shape)}"
    if not (dtype.is_float or dtype.is_complex):
        np.testing.assert_array_equal(actual, expected)
        return
    rtol = tolerance(dtype) if rtol is None else rtol
    have, want = (_real_parts(a) for a in (actual, expected))
    finite = _same_specials(have, want, dtype.real)
    have, want = have[finite], want[finite]
    scale = np.max(np.abs(want), initial=0.0, where=np.abs(want) < 1e4)  # beyond: planted extremes, not the scale
    allowed = rtol * (np.abs(want) + scale) + 4 * float(ml_dtypes.finfo(dtype.real.numpy).smallest_subnormal)
    error = np.abs(have - want)
    worst = int(np.argmax(error - allowed)) if error.size else 0
    assert not error.size or error[worst] <= allowed[worst], (
        f"{have[worst]}, expected {want[worst]}: error {error[worst]:.3g} over {allowed[worst]:.3g}"
    )


def _real_parts(array: np.ndarray) -> np.ndarray:
    array = np.asarray(array)
    return (np.stack([array.real, array.imag]) if array.dtype.kind == "c" else array).astype(np.float64)


def _same_specials(have: np.ndarray, want: np.ndarray, dtype: DType) -> np.ndarray:
    """Assert that NaN and infinities, as `dtype` sees the values, lie in the same places; returns where it is finite."""
    with np.errstate(all="ignore"):
        a, b = (x.astype(dtype.numpy).astype(np.float64) for x in (have, want))
    finite = np.isfinite(b)
    np.testing.assert_array_equal(np.isnan(a), np.isnan(b), "NaN in other places")
    np.testing.assert_array_equal(np.isfinite(a), finite, "infinities in other places")
    np.testing.assert_array_equal(a[~finite], b[~finite], "infinities of other signs")
    return finite
