"""Every registered op keeps its promises over all of its samples, in every float dtype."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import ir.ops
from ir.ops.define import OpDef
from ir.types import DType
from tests.ops import checks
from tests.ops.harness import FLOATS, cases_of, flat, named, samples_of

OPS = list(ir.ops.all_ops())
ROWS = [pytest.param(op, kind, id=f"{op.name}-{kind}") for op in OPS for kind in FLOATS if cases_of(op, kind)]
each_op = pytest.mark.parametrize("op", OPS, ids=lambda op: op.name)
each_row = pytest.mark.parametrize(("op", "kind"), ROWS)


@each_row
def test_infer_is_evaluate(op: OpDef, kind: DType) -> None:
    checks.check_all(checks.check_infer, cases_of(op, kind))


@each_row
def test_exact_is_reference(op: OpDef, kind: DType) -> None:
    checks.check_all(checks.check_exact, cases_of(op, kind))


@pytest.mark.parametrize(("op", "kind"), [row for row in ROWS if row.values[0].decompose])
def test_decompose_is_evaluate(op: OpDef, kind: DType) -> None:
    found = checks.check_all(checks.check_decompose, cases_of(op, kind))
    assert any(found) or kind != FLOATS[0], f"no sample of {op.name} decomposes"


@each_op
def test_symbolic_sizes(op: OpDef) -> None:
    taken = checks.check_all(checks.check_symbolic, cases_of(op))
    sizes = [d for _, _, sample in cases_of(op) for array in flat(sample.operands) for d in array.shape]
    assert any(taken) or all(d <= 1 for d in sizes), f"{op.name} takes no symbolic size"


@pytest.mark.parametrize("op", [op for op in OPS if op.decompose], ids=lambda op: op.name)
def test_symbolic_decompose(op: OpDef) -> None:
    checks.check_all(checks.check_symbolic_decompose, cases_of(op))


@each_op
def test_errors(op: OpDef) -> None:
    checks.check_all(checks.check_error, cases_of(op, errors=True))


@each_op
def test_samples_span_the_attributes(op: OpDef) -> None:
    """Each attribute takes two values or more, optional operands are absent and present, variadic ones vary."""
    samples = [s for kind in FLOATS for s in samples_of(op, kind) if s.error is None]
    assert samples, f"{op.name} has no samples"
    for attribute in op.attributes:
        seen = {_key(op.complete(s.attrs)[attribute.name]) for s in samples}
        assert len(seen) > 1, f"{op.name}.{attribute.name} is always {seen.pop()}"
    for spec in op.operands:
        given = [named(op, s)[spec.name] for s in samples]
        if spec.mode == "optional":
            assert {x is None for x in given} == {True, False}, f"{op.name}.{spec.name}: always or never given"
        if spec.mode == "variadic":
            assert len({len(x) for x in given}) > 1, f"{op.name}.{spec.name} always has the same length"


def _key(value: Any) -> str:
    return repr(value.value.tolist()) if isinstance(getattr(value, "value", None), np.ndarray) else repr(value)


def test_every_op_is_here() -> None:
    """The registry is not empty, and nothing in it lacks samples."""
    assert len(OPS) > 100
    assert not [op.name for op in OPS if not cases_of(op)]
