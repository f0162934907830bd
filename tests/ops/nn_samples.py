"""Running the samples of the network ops against another framework."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np

from ir.eval.evaluator import Evaluator, evaluate_op, infer_concrete
from ir.ops import get
from ir.ops.define import OpDef
from ir.ops.sampler import Sample, Sampler
from ir.types import dtypes


class Case:
    """One sample of an op, complete: operands and attributes by name."""

    def __init__(self, op: OpDef, sample: Sample, index: int) -> None:
        self.op, self.sample, self.index = op, sample, index
        names = [s.name for s in op.operands]
        self.operands: dict[str, Any] = {n: () if s.mode == "variadic" else None for n, s in zip(names, op.operands)}
        self.operands.update(zip(names, sample.operands, strict=False))
        self.attrs = op.complete(sample.attrs)

    def run(self, training: bool | None = None, seed: int = 0) -> tuple[np.ndarray, ...]:
        """What `evaluate` returns."""
        mode = Evaluator(mode="exact", training=self.sample.training if training is None else training)
        return evaluate_op(mode, self.op, self.operands, self.attrs, {}, np.random.default_rng(seed))

    def infer(self) -> Any:
        """What `infer` returns for the concrete operands."""
        return infer_concrete(self.op, {k: v for k, v in self.operands.items() if v is not None}, self.attrs)

    def __repr__(self) -> str:
        return f"{self.op.name}-{self.index}"


def cases(name: str, errors: bool = False) -> Iterator[Case]:
    """The float64 samples of an op, those that give results or those that must raise."""
    op = get(name)
    assert op.samples is not None
    for i, sample in enumerate(op.samples(Sampler(seed=3, float_dtype=dtypes.float64))):
        if (sample.error is not None) == errors:
            yield Case(op, sample, i)


def close(actual: np.ndarray, expected: Any, rtol: float = 1e-10, atol: float = 1e-12, where: object = "") -> None:
    """Assert equal dtype, shape and values (NaN equals NaN)."""
    expected = np.asarray(expected)
    assert actual.dtype == expected.dtype, (where, actual.dtype, expected.dtype)
    assert actual.shape == expected.shape, (where, actual.shape, expected.shape)
    np.testing.assert_allclose(actual, expected, rtol=rtol, atol=atol, err_msg=str(where))
