"""Ops that make tensors from attributes alone."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from ir.ops.registry import op
from ir.ops.sampler import Sample, Sampler
from ir.types import TensorType, type_of
from ir.types.attrs import ArrayAttr


@op
class Constant:
    """A small tensor fixed at conversion; large ones are weights."""

    value: ArrayAttr

    @staticmethod
    def infer(value: ArrayAttr) -> TensorType:
        return type_of(value.value)

    @staticmethod
    def evaluate(value: ArrayAttr) -> np.ndarray:
        return value.value

    @staticmethod
    def samples(s: Sampler) -> Iterator[Sample]:
        yield s.case(value=s.floats(2, 3, edge=True))
        yield s.case(value=s.ints())
        yield s.case(value=s.bools(0, 2))
