"""Changing the element type: by value (`cast`) or by bits (`bitcast`)."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np

from ir.ops.bits import LAYOUTS, from_bits, to_bits
from ir.ops.registry import op
from ir.ops.sampler import Array, Sample, Sampler
from ir.types import DType, TensorType, dtypes


def float_to_int(x: Array, to: DType) -> Array:
    """Truncate towards zero. What no `to` can hold, NaN included, becomes what x86 conversion instructions make of it,
    which PyTorch, NumPy and ONNX Runtime show there: the lowest integer of the 32 (int32 and narrower) or 64 bit
    intermediate, of which narrow types keep the low bits."""
    whole = np.trunc(x.astype(np.float64))
    bits = 32 if to.bits <= 16 or to == dtypes.int32 else 64
    bound = 2.0 ** (bits - 1)
    if to == dtypes.uint64:  # the upper half of these are the negative ones of 64 bits
        whole = np.where((whole > bound) & (whole < 2 * bound), whole - 2 * bound, whole)
    return np.where(np.abs(whole) < bound, whole, -bound).astype(np.int64).astype(to.numpy)


@op
class Cast:
    """The same values in another element type.

    Floats round to nearest even; floats to integers truncate (out of range: see `float_to_int`); integers wrap; to
    bool is `!= 0`; from bool 0 and 1. Complex numbers do not become real ones.
    """

    inputs = ("x: any",)
    discontinuous = True  # where the result is an integer or a bool
    to: DType

    @staticmethod
    def infer(x: TensorType, to: DType) -> TensorType:
        if x.dtype.is_complex and not to.is_complex:
            raise TypeError(f"cast: {x.dtype} does not become {to}; take the real or imaginary part")
        return x.with_dtype(to)

    @staticmethod
    def evaluate(x: Array, to: DType) -> Array:
        if to.is_bool:
            return np.not_equal(x, 0)
        if to.is_integer and dtypes.dtype(x.dtype).is_float:
            return float_to_int(x, to)
        return x.astype(to.numpy)

    @staticmethod
    def samples(s: Sampler) -> Iterator[Sample]:
        kinds = ("bool", "int8", "uint8", "int16", "int32", "int64", "uint32", "uint64")
        floats = ("float16", "bfloat16", "float32", "float64")
        for to in (*kinds, *floats):
            yield s.case(s.floats(2, 3), to=to)
        for to in ("bool", "int8", "uint8", "int32", "int64", "uint64", *floats):
            yield s.case(s.floats(5, 6, edge=True), to=to, name="edges")
        for source in ("int8", "uint8", "int64", "uint64"):
            for to in ("bool", "int8", "uint8", "int32", "int64", "float32", "float16"):
                yield s.case(s.int_edges(source), to=to, name="integers")
        for to in ("bool", "uint8", "int64", *floats):
            yield s.case(s.bools(2, 3), to=to, name="booleans")
        yield s.case(s.floats(), to="int32", name="0-d")
        yield s.case(s.floats(0, 2), to="int32", name="empty")
        for operand in (s.floats(3, dtype=dtypes.float32), s.ints(3), s.bools(3), s.complexes(3)):
            yield s.case(operand, to="complex64")
        yield s.case(s.complexes(3), to="complex128")
        small = np.array(
            [0.5, -3.3, 448, 456, 464, 480, -500, 57344, 61440, -62000, np.inf, np.nan], s.float_dtype.numpy
        )
        for to in ("float8_e4m3fn", "float8_e5m2"):
            for operand in (small, np.array([-7, 0, 480, 62000]), s.bools(3), small[:4].astype(dtypes.dtype(to).numpy)):
                yield s.case(operand, to=to)
            yield s.case(small[:4].astype(dtypes.dtype(to).numpy), to="float32")
        powers = np.array([0.5, -3.5, 448, -512, 57344])
        for source, to in (("float8_e5m2", "float8_e4m3fn"), ("float8_e4m3fn", "float8_e5m2")):
            yield s.case(powers.astype(dtypes.dtype(source).numpy), to=to, name="8 bits both")
        yield s.case(s.complexes(3), to="float32", name="complex to real", error=TypeError)


@op
class Bitcast:
    """The same bits read as another element type of the same width. Defined for 8 to 64 bits, source 16-bit floats
    excepted (evaluation widens them). The sign and payload of NaN are not part of the contract."""

    inputs = ("x: any",)
    exact_dtypes = True
    discontinuous = True
    to: DType

    @staticmethod
    def infer(x: TensorType, to: DType) -> TensorType:
        for kind in (x.dtype, to):
            if kind.is_bool or kind.is_complex or kind.bits < 8:
                raise TypeError(f"bitcast is not defined for {kind}")
        if x.dtype.is_half:
            raise TypeError(f"bitcast is not defined from {x.dtype}")
        if x.dtype.bits != to.bits:
            raise TypeError(f"bitcast: {x.dtype} and {to} differ in width")
        return x.with_dtype(to)

    @staticmethod
    def evaluate(x: Array, to: DType) -> Array:
        if x.dtype.kind == "f":  # the reference evaluator widens float32
            x = x.astype(np.float32 if to.bits == 32 else np.float64)
        return np.ascontiguousarray(x).view(to.numpy).reshape(x.shape)

    @staticmethod
    def decompose(b: Any, x: Any, to: DType) -> Any:
        have = x.type.dtype
        if have.is_integer and to.name in LAYOUTS:
            return from_bits(b, x, to)
        if have.name in ("float32", "float64") and to.is_integer:
            return to_bits(b, x, to)
        raise NotImplementedError(f"the bits of {have} as {to} by arithmetic")

    @staticmethod
    def samples(s: Sampler) -> Iterator[Sample]:
        for source, to in ((dtypes.float32, "int32"), (dtypes.float32, "uint32"), (dtypes.float64, "int64")):
            yield s.case(s.floats(3, 4, edge=True, dtype=source), to=to)
            low = np.arange(1, 13) * 2.0 ** (-147 if source == dtypes.float32 else -1072)
            signs = np.tile(np.array([1, -1, 1, -3], source.numpy), 3)
            yield s.case(low.astype(source.numpy) * signs, to=to, name="below normal")
            largest = 127 if source == dtypes.float32 else 1023
            steps = 2.0 ** np.linspace(1 - largest, largest, 40) * np.tile([1.0, -1.0], 20)
            yield s.case(steps.astype(source.numpy), to=to, name="every size")
        for kind, to in (("int8", "uint8"), ("uint64", "int64"), ("int32", "uint32")):
            yield s.case(s.int_edges(kind), to=to)
        for kind, to in (("int32", "float32"), ("uint32", "float32"), ("int64", "float64"), ("uint64", "float64")):
            few = np.arange(6, dtype=kind)
            yield s.case(few, to=to, name="below normal")
            step = np.dtype(kind).type(np.iinfo(kind).max // 97)
            yield s.case(np.arange(90).astype(kind) * step, to=to, name="spread")
        for kind, bits in (("int32", 31), ("int64", 63)):
            negative = s.ints(2, 3, low=-(2**bits), high=-(2 ** (bits - 1)), dtype=kind)
            yield s.case(negative, to=f"float{bits + 1}", name="negative")
        infinities = np.array([0x7F800000, 0xFF800000, 0x7FC00000], np.uint32)
        yield s.case(infinities, to="float32", name="infinities")
        yield s.case(s.ints(2, 3, low=0, high=2**14, dtype="int16"), to="float16")
        yield s.case(s.ints(2, 3, low=0, high=2**14, dtype="uint16"), to="bfloat16")
        yield s.case(s.ints(dtype="int32"), to="uint32", name="0-d")
        yield s.case(s.ints(0, 2, dtype="int32"), to="uint32", name="empty")
        yield s.case(s.ints(2), to="int32", name="widths differ", error=TypeError)
        yield s.case(s.bools(2), to="uint8", name="boolean", error=TypeError)
        yield s.case(s.floats(2, dtype=dtypes.float16), to="int16", name="16-bit float", error=TypeError)
