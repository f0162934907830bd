"""The tester tested: every check fails on an op with the fault it is there to find."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest

from ir.eval import Evaluator
from ir.ops import get
from ir.ops.define import OpDef, define
from ir.ops.sampler import Sample, Sampler
from ir.types import DType, TensorType, dtypes
from tests.ops import checks
from tests.ops.harness import all_samples, assert_close, cases_of, decomposed_model, model_of, samples_of


def close(a: Any, b: Any, dtype: DType = dtypes.float32, **options: Any) -> bool:
    try:
        assert_close(np.asarray(a), np.asarray(b), dtype, **options)
    except AssertionError:
        return False
    return True


def test_comparison_of_floats() -> None:
    assert close([1.0, np.nan, np.inf], [1.0, np.nan, np.inf])
    assert close([1.0 + 1e-7], [1.0])
    assert not close([1.0 + 1e-5], [1.0])
    assert not close([1.0, 2.0], [1.0, np.nan])
    assert not close([np.nan], [1.0])
    assert not close([np.inf], [-np.inf])
    assert not close([np.inf], [1.0])
    assert not close([[1.0]], [1.0])


def test_comparison_sees_overflow_of_the_declared_type() -> None:
    assert close([np.inf], [1e300])
    assert not close([np.inf], [1e300], dtypes.float64)
    assert close([np.inf], [70000.0], dtypes.float16)


def test_planted_extremes_are_not_the_scale() -> None:
    assert not close([1.001, 1e30], [1.0, 1e30])
    assert close([1e-9, 1.0], [0.0, 1.0])


def test_comparison_of_integers_and_complexes() -> None:
    assert close([2**62 + 1], [2**62 + 1], dtypes.int64)
    assert not close([2**62 + 1], [2**62], dtypes.int64)
    assert not close([True], [False], dtypes.bool_)
    assert close([1 + 2j], [1 + 2j], dtypes.complex64)
    assert not close([1 + 2j], [1 - 2j], dtypes.complex64)


# -- planted faults -------------------------------------------------------------------------------------------------
class Good:
    """x + amount, clipped below at `floor` when given."""

    inputs = ("x: float", "floor?: x")
    amount: float = 1.0

    @staticmethod
    def infer(x: TensorType, floor: TensorType | None, amount: float) -> TensorType:
        return x

    @staticmethod
    def evaluate(x: np.ndarray, floor: np.ndarray | None, amount: float) -> np.ndarray:
        y = x + x.dtype.type(amount)
        return y if floor is None else np.maximum(y, floor)

    @staticmethod
    def decompose(b: Any, x: Any, floor: Any, amount: float) -> Any:
        y = b.add(x, amount)
        return y if floor is None else b.maximum(y, floor)

    @staticmethod
    def samples(s: Sampler) -> Iterator[Sample]:
        yield s.case(s.floats(2, 3), None)
        yield s.case(s.floats(2, 3), s.floats(), amount=2.5)


class WrongShape(Good):
    """Drops an axis that evaluation keeps."""

    @staticmethod
    def infer(x: TensorType, floor: TensorType | None, amount: float) -> TensorType:
        return x.with_shape(x.shape[1:])


class WrongDtype(Good):
    """Promises float32 and computes float64."""

    @staticmethod
    def evaluate(x: np.ndarray, floor: np.ndarray | None, amount: float) -> np.ndarray:
        return Good.evaluate(x, floor, amount).astype(np.float64)


class Writes(Good):
    """Writes to its operand."""

    @staticmethod
    def evaluate(x: np.ndarray, floor: np.ndarray | None, amount: float) -> np.ndarray:
        x += 1
        return x


class WrongDecomposition(Good):
    """Ignores the floor."""

    @staticmethod
    def decompose(b: Any, x: Any, floor: Any, amount: float) -> Any:
        return b.add(x, amount)


class DecomposesToItself(Good):
    """Goes round in circles."""


class DependsOnWidth(Good):
    """Rounds to integers only in float32."""

    @staticmethod
    def evaluate(x: np.ndarray, floor: np.ndarray | None, amount: float) -> np.ndarray:
        return np.rint(x) if x.dtype == np.float32 else x


class BakesSizes(Good):
    """Infers a size that is right for the static sample alone."""

    @staticmethod
    def infer(x: TensorType, floor: TensorType | None, amount: float) -> TensorType:
        return x.with_shape(d if isinstance(d, int) else 7 for d in x.shape)


def first(op: OpDef) -> Sample:
    return samples_of(op)[1]


def test_a_good_op_passes() -> None:
    op = define(Good)
    for sample in samples_of(op):
        checks.check_infer(op, sample)
        checks.check_exact(op, sample)
        assert checks.check_symbolic(op, sample)
        assert checks.check_decompose(op, sample)
        assert checks.check_symbolic_decompose(op, sample)


@pytest.mark.parametrize(
    ("cls", "check"),
    [
        (WrongShape, checks.check_infer),
        (WrongDtype, checks.check_infer),
        (Writes, checks.check_infer),
        (WrongDecomposition, checks.check_decompose),
        (WrongDecomposition, checks.check_symbolic_decompose),
        (DependsOnWidth, checks.check_exact),
        (BakesSizes, checks.check_symbolic),
    ],
)
def test_a_fault_is_found(cls: type, check: Any) -> None:
    op = define(cls)
    with pytest.raises((AssertionError, ValueError, RuntimeError)):
        check(op, first(op))


def test_a_decomposition_into_itself_is_found() -> None:
    DecomposesToItself.decompose = staticmethod(lambda b, x, floor, amount: b.op(op, x, floor, amount=amount))
    op = define(DecomposesToItself)
    with pytest.raises(AssertionError):
        checks.check_decompose(op, first(op))


def test_a_sample_that_is_not_refused_is_found() -> None:
    op = define(Good)
    accepted = Sample((np.ones(2, np.float32),), {}, error=ValueError)
    with pytest.raises(pytest.fail.Exception):
        checks.check_error(op, accepted)
    with pytest.raises(AssertionError, match="1 of the samples fail"):
        checks.check_all(checks.check_error, [("case", op, accepted)])


# -- what others build on -------------------------------------------------------------------------------------------
def test_samples_are_the_same_at_each_call() -> None:
    one, two = (samples_of(get("gelu")) for _ in range(2))
    assert all(np.array_equal(a.operands[0], b.operands[0], equal_nan=True) for a, b in zip(one, two, strict=True))


def test_other_float_types_add_only_what_differs() -> None:
    assert not cases_of(get("and"), dtypes.float16)
    assert all(c[2].operands[0].dtype.name == "bfloat16" for c in cases_of(get("tanh"), dtypes.bfloat16))
    labels = [label for kind in (dtypes.float32, dtypes.float16) for label, _, _ in all_samples(kind)]
    assert len(labels) == len(set(labels)) > 1000


def test_model_of_names_inputs_and_outputs() -> None:
    op = get("top_k")
    model, inputs = model_of(op, Sample((np.arange(6.0).reshape(2, 3),), {"k": 2}), dynamic=True)
    assert list(inputs) == ["x"]
    assert str(model.input_types["x"]) == "float64[n2, n3]"
    assert model.signature.output_names == ("output.0", "output.1")
    outputs = Evaluator().run(model, inputs)
    assert outputs["output.1"].tolist() == [[2, 1], [2, 1]]


def test_model_of_leaves_absent_operands_out() -> None:
    model, inputs = model_of(get("clip"), Sample((np.ones(2), None, np.zeros(())), {}))
    assert list(inputs) == ["x", "max"]
    assert [v.name for v in model.graph.inputs] == ["x", "max"]


def test_dynamic_pairs_choose_axes() -> None:
    sample = Sample((np.ones((2, 3)), np.ones((2, 3))), {})
    model, _ = model_of(get("add"), sample, dynamic=((0, 0), (1, 0)))
    assert str(model.output_types["output"]) == "float64[n2, 3]"


def test_decomposed_model_has_no_node_of_the_op() -> None:
    model, _ = decomposed_model(get("silu"), Sample((np.ones(2),), {}))
    assert [n.op.name for n in model.nodes()] == ["sigmoid", "mul"]
    with pytest.raises(NotImplementedError):
        decomposed_model(get("exp"), Sample((np.ones(2),), {}))
