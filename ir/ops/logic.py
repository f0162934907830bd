"""Logic of booleans, and bitwise ops of integers (and booleans, where they are the logical ones)."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

import numpy as np

from ir.ops.families import INTEGERS, PAIRS, Binary, Logical
from ir.ops.registry import op
from ir.ops.sampler import Array, Sample, Sampler
from ir.types import TensorType

if TYPE_CHECKING:
    from ir.core.builder import Builder
    from ir.core.graph import Value


@op
class And(Logical):
    """Both."""

    @staticmethod
    def evaluate(x: Array, y: Array) -> Array:
        return np.logical_and(x, y)


@op
class Or(Logical):
    """Either or both."""

    @staticmethod
    def evaluate(x: Array, y: Array) -> Array:
        return np.logical_or(x, y)


@op
class Xor(Logical):
    """Exactly one."""

    @staticmethod
    def evaluate(x: Array, y: Array) -> Array:
        return np.logical_xor(x, y)

    @staticmethod
    def decompose(b: Builder, x: Value, y: Value) -> Value:
        return b.not_equal(x, y)


@op
class Not:
    """The opposite truth value."""

    inputs = ("x: bool",)

    @staticmethod
    def infer(x: TensorType) -> TensorType:
        return x

    @staticmethod
    def evaluate(x: Array) -> Array:
        return np.logical_not(x)

    @staticmethod
    def samples(s: Sampler) -> Iterator[Sample]:
        for shape in ((2, 3), (), (0, 2)):
            yield s.case(s.bools(*shape))
        yield s.case(s.ints(2), name="not boolean", error=TypeError)


class _Bitwise(Binary):
    """Two integers or booleans, broadcast."""

    inputs = ("x: bits", "y: x")
    floats = False

    @classmethod
    def samples(cls, s: Sampler) -> Iterator[Sample]:
        yield from super().samples(s)
        for left, right in PAIRS:
            yield s.case(s.bools(*left), s.bools(*right), name="booleans")
        yield s.case(s.floats(2), s.floats(2), name="floats", error=TypeError)


@op
class BitwiseAnd(_Bitwise):
    """Bits set in both."""

    @staticmethod
    def evaluate(x: Array, y: Array) -> Array:
        return np.bitwise_and(x, y)


@op
class BitwiseOr(_Bitwise):
    """Bits set in either."""

    @staticmethod
    def evaluate(x: Array, y: Array) -> Array:
        return np.bitwise_or(x, y)


@op
class BitwiseXor(_Bitwise):
    """Bits set in exactly one."""

    @staticmethod
    def evaluate(x: Array, y: Array) -> Array:
        return np.bitwise_xor(x, y)


@op
class BitwiseNot:
    """Every bit flipped; for booleans the opposite truth value."""

    inputs = ("x: bits",)

    @staticmethod
    def infer(x: TensorType) -> TensorType:
        return x

    @staticmethod
    def evaluate(x: Array) -> Array:
        return np.invert(x)

    @staticmethod
    def samples(s: Sampler) -> Iterator[Sample]:
        for kind in INTEGERS:
            yield s.case(s.int_edges(kind))
        yield s.case(s.bools(2, 3))
        yield s.case(s.bools())
        yield s.case(s.ints(0, 2))
        yield s.case(s.floats(2), name="floats", error=TypeError)


class _Shift(Binary):
    """An integer and the number of bits to shift it by."""

    inputs = ("x: integer", "y: x")
    floats = False

    @classmethod
    def integer_samples(cls, s: Sampler) -> Iterator[Sample]:
        for kind in INTEGERS:
            edges = s.int_edges(kind)[:, None]
            yield s.case(edges, s.ints(8, low=0, high=kind.bits, dtype=kind), name="within the width")
            yield s.case(edges, s.int_edges(kind), name="any amount")
        for narrow in ("int16", "uint16"):
            yield s.case(s.int_edges(narrow)[:, None], s.ints(8, low=0, high=20, dtype=narrow), name="16 bits")
        for left, right in PAIRS[1:]:
            yield s.case(s.ints(*left), s.ints(*right, low=0, high=4))


@op
class ShiftLeft(_Shift):
    """x * 2**y, wrapping. An amount outside [0, width) shifts everything out (NumPy, PyTorch)."""

    @staticmethod
    def evaluate(x: Array, y: Array) -> Array:
        return np.left_shift(x, y)


@op
class ShiftRight(_Shift):
    """floor(x / 2**y): arithmetic for signed integers. An amount outside [0, width) leaves only the sign: 0 or -1."""

    @staticmethod
    def evaluate(x: Array, y: Array) -> Array:
        return np.right_shift(x, y)
