"""Looking rows of a table up."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np

from ir.ops.positions import Neg, resolve
from ir.ops.registry import op
from ir.ops.sampler import Sample, Sampler
from ir.types import TensorType, dtypes


@op
class Embedding:
    """weight[indices]: a row of the table for each index; one out of range is an error, `neg` as in `gather`.

    The row `padding_idx` is read like any other but gets no gradient (torch.nn.functional.embedding).
    """

    inputs = ("indices: index", "weight: float")
    roles = {"weight": "V D"}
    padding_idx: int | None = None
    neg: Neg = "invalid"

    @staticmethod
    def infer(indices: TensorType, weight: TensorType, padding_idx: int | None, neg: str) -> TensorType:
        if weight.rank != 2:
            raise ValueError(f"embedding: weight must be [rows, features], got {weight}")
        rows = weight.shape[0]
        if padding_idx is not None and (padding_idx < 0 or (isinstance(rows, int) and padding_idx >= rows)):
            raise ValueError(f"embedding: padding_idx {padding_idx} is not a row of {weight}")
        return weight.with_shape((*indices.shape, weight.shape[1]))

    @staticmethod
    def evaluate(indices: np.ndarray, weight: np.ndarray, padding_idx: int | None, neg: Neg) -> np.ndarray:
        return weight[resolve(indices, len(weight), "error", neg)[0]]

    @staticmethod
    def decompose(b: Any, indices: Any, weight: Any, padding_idx: int | None, neg: Neg) -> Any:
        return b.gather(weight, indices, axis=0, bounds="error", neg=neg)

    @staticmethod
    def vjp(
        cotangent: np.ndarray, indices: np.ndarray, weight: np.ndarray, padding_idx: int | None, neg: Neg = "invalid"
    ) -> dict[str, np.ndarray]:
        """Each row gets the cotangents of the places that read it; the padding row gets none."""
        grad = np.zeros_like(weight)
        rows = resolve(indices, len(weight), "error", neg)[0]
        np.add.at(grad, rows.reshape(-1), cotangent.reshape(-1, weight.shape[1]))
        if padding_idx is not None:
            grad[padding_idx] = 0
        return {"weight": grad}

    @staticmethod
    def samples(s: Sampler) -> Iterator[Sample]:
        yield s.case(s.ints(2, 3, low=0, high=7), s.floats(7, 4), dynamic=((0, 0), (0, 1)))
        yield s.case(s.ints(5, low=0, high=7, dtype=dtypes.int32), s.floats(7, 4), padding_idx=2)
        yield s.case(np.array([0, 6, 0], np.uint8), s.floats(7, 4, edge=True), padding_idx=0)
        yield s.case(s.ints(low=0, high=7), s.floats(7, 1))
        yield s.case(s.ints(0, 3, low=0, high=7), s.floats(7, 4))
        yield s.case(np.array([[-7, 6], [-1, 0]]), s.floats(7, 4), neg="from_end", padding_idx=6)
        yield s.case(np.array([-1]), s.floats(3, 2), error=IndexError, name="negative")
        yield s.case(np.array([-4]), s.floats(3, 2), neg="from_end", error=IndexError, name="too far from the end")
        yield s.case(np.array([3]), s.floats(3, 2), error=IndexError, name="too large")
        yield s.case(np.array([0]), s.floats(3, 2), padding_idx=3, error=ValueError, name="padding row missing")
