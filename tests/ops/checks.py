"""What every op owes, one function a property. Each raises AssertionError (or the op's own error) on a violation."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

import numpy as np
import pytest

from ir.core import Model
from ir.eval import Evaluator, bind_shape
from ir.eval.evaluator import concrete_attrs, evaluate_op
from ir.ops.define import OpDef
from ir.ops.sampler import Sample
from ir.types import DType, TensorType, dtype
from ir.types.dim import recording_assumptions, substitute
from tests.ops.harness import Case, assert_close, decomposed_model, model_of, named, tolerance

REFERENCE_RTOL = 1e-9
DECOMPOSED_FACTOR = 8  # steps of a decomposition round each
CONSTANTS_FACTOR = 4  # constants in a decomposition are rounded to the declared dtype, in the reference too
Outputs = dict[str, np.ndarray]


def run(model: Model, inputs: Outputs, sample: Sample, mode: Any = "reference") -> Outputs:
    """The model's outputs."""
    return Evaluator(mode=mode, training=sample.training, seed=7).run(model, inputs)


def _visit(item: Any, fn: Callable[[np.ndarray], np.ndarray]) -> Any:
    return tuple(fn(x) for x in item) if isinstance(item, tuple) else None if item is None else fn(item)


def direct(op: OpDef, sample: Sample, mode: Any) -> tuple[np.ndarray, ...]:
    """The op's own evaluation on the sample, as the evaluator calls it, without the casts around it."""
    settings = Evaluator(mode=mode, training=sample.training)

    def widened(array: np.ndarray) -> np.ndarray:
        out = array.astype(settings.compute(dtype(array.dtype)).numpy)
        out.setflags(write=False)  # an op that writes to its operands fails
        return out

    operands = {k: _visit(v, widened) for k, v in named(op, sample).items()}
    attrs = concrete_attrs(op, op.complete(sample.attrs), {}, settings)
    return evaluate_op(settings, op, operands, attrs, {}, np.random.default_rng(7))


def check_infer(op: OpDef, sample: Sample) -> None:
    """Inference tells the dtype and shape that evaluation gives, in both modes."""
    model, inputs = model_of(op, sample)
    declared = [v.type for v in model.graph.outputs]
    for mode in ("exact", "reference"):
        if sample.bodies:
            run(model, inputs, sample, mode)
            continue
        results = direct(op, sample, mode)
        assert len(results) == len(declared), f"{len(results)} results, {len(declared)} inferred"
        for result, t in zip(results, declared, strict=True):
            _check_type(result, t, Evaluator(mode=mode).compute(t.dtype), mode)


def _check_type(result: np.ndarray, t: TensorType, computed: DType, mode: str) -> None:
    admitted = (computed.numpy, t.dtype.numpy)
    assert result.dtype in admitted, f"{mode} evaluation gives {result.dtype}, inferred {t.dtype}"
    bind_shape(t.shape, result.shape, {})


def check_symbolic(op: OpDef, sample: Sample) -> int:
    """Symbolic sizes, where inference takes them, give the static result once bound. Returns how many it took."""
    static, inputs = model_of(op, sample)
    expected = run(static, inputs, sample)
    env = {f"n{d}": d for array in inputs.values() for d in array.shape}
    taken = 0
    for pairs in _axis_choices(op, sample):
        try:
            with recording_assumptions():
                model, _ = model_of(op, sample, dynamic=pairs)
        except (ValueError, TypeError, NotImplementedError):
            assert pairs is True or not set(pairs) <= set(sample.dynamic), f"declared dynamic axes {pairs} are refused"
            continue
        taken += 1
        for value, want in zip(model.graph.outputs, static.graph.outputs, strict=True):
            bound = tuple(substitute(d, env) for d in value.type.shape)
            assert value.type.dtype == want.type.dtype
            if want.type.is_static:
                assert bound == want.type.shape, f"{value.type} with sizes bound is {list(bound)}, not {want.type}"
        for name, got in run(model, inputs, sample).items():
            assert_close(got, expected[name], dtype(expected[name].dtype), REFERENCE_RTOL)
    return taken


def _axis_choices(op: OpDef, sample: Sample) -> Iterable[Any]:
    """All axes above size 1, the declared dynamic ones, then each alone."""
    yield True
    if sample.bodies:
        return
    if sample.dynamic:
        yield tuple(sample.dynamic)
    for position, item in enumerate(named(op, sample).values()):
        for array in item[:1] if isinstance(item, tuple) else [] if item is None else [item]:
            for axis, size in enumerate(array.shape):
                if size > 1:
                    yield ((position, axis),)


def check_decompose(op: OpDef, sample: Sample) -> bool:
    """The decomposition has the op's types and values: in the reference, and in exact float32 and float64.

    Returns whether there is one.
    """
    static, inputs = model_of(op, sample)
    try:
        model, _ = decomposed_model(op, sample)
    except NotImplementedError:
        return False
    want = [v.type for v in static.graph.outputs]
    assert [v.type.dtype for v in model.graph.outputs] == [t.dtype for t in want]
    assert all(a.type.shape == t.shape for a, t in zip(model.graph.outputs, want, strict=True) if t.is_static)
    assert all(node.op is not op or node.attrs != op.complete(sample.attrs) for node in model.nodes()), "of itself"
    _compare(run(model, inputs, sample), run(static, inputs, sample), static, _decomposed_rtol(sample))
    if not any(t.dtype.is_half for t in (*want, *(v.type for v in model.graph.inputs))):
        exact, own = (run(m, inputs, sample, "exact") for m in (model, static))
        _compare(exact, own, static, lambda t: max(sample.rtol or 0, DECOMPOSED_FACTOR * tolerance(t.dtype)))
    return True


def check_symbolic_decompose(op: OpDef, sample: Sample) -> bool:
    """The decomposition under symbolic sizes, where inference takes them, gives the static result.

    A decomposition that needs static sizes says so by NotImplementedError.
    """
    static, inputs = model_of(op, sample)
    with recording_assumptions():
        try:
            model_of(op, sample, dynamic=True)
        except (ValueError, TypeError, NotImplementedError):
            return False
        try:
            model, _ = decomposed_model(op, sample, dynamic=True)
        except NotImplementedError:
            return False
    _compare(run(model, inputs, sample), run(static, inputs, sample), static, _decomposed_rtol(sample))
    return True


def _decomposed_rtol(sample: Sample) -> Callable[[TensorType], float]:
    return lambda t: max(sample.rtol or 0, REFERENCE_RTOL, CONSTANTS_FACTOR * t.dtype.eps)


def check_exact(op: OpDef, sample: Sample) -> None:
    """Evaluation in the declared dtypes is the reference within their rounding; integers and booleans are identical."""
    model, inputs = model_of(op, sample)
    exact, reference = (run(model, inputs, sample, mode) for mode in ("exact", "reference"))
    _compare(exact, reference, model, lambda t: max(sample.rtol or 0, tolerance(t.dtype)))


def _compare(actual: Outputs, expected: Outputs, model: Model, rtol: Callable[[TensorType], float]) -> None:
    for (name, got), value in zip(actual.items(), model.graph.outputs, strict=True):
        assert_close(got, expected[name], value.type.dtype, rtol(value.type))


def check_error(op: OpDef, sample: Sample) -> None:
    """The sample is refused with its declared error, by inference or by evaluation."""
    assert sample.error is not None
    with pytest.raises(sample.error):
        model, inputs = model_of(op, sample)
        if sample.bodies:
            run(model, inputs, sample)
        else:
            direct(op, sample, "exact")
            direct(op, sample, "reference")


def check_all(check: Callable[[OpDef, Sample], Any], cases: Iterable[Case]) -> list[Any]:
    """Apply a check to every case; one failure that lists all violations. Returns what the checks returned."""
    found, failures = [], []
    for label, op, sample in cases:
        try:
            found.append(check(op, sample))
        except pytest.fail.Exception as error:
            failures.append(f"{label}: {error}")
        except (AssertionError, ArithmeticError, AttributeError, LookupError, RuntimeError, TypeError, ValueError) as error:
            text = " ".join(str(error).split())[:400]
            failures.append(f"{label}: {type(error).__name__}: {text}")
    assert not failures, f"{len(failures)} of the samples fail:\n" + "\n".join(failures)
    return found
