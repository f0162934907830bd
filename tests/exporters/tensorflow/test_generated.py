"""Samples of every op, written as TensorFlow and run as it is and as a graph, against the evaluator: the first few here, all
of them, compiled as well, by `make test-tensorflow`."""

from __future__ import annotations

import re
import shutil
from pathlib import Path

import pytest

import ir.ops
from tests.exporters.tensorflow.generated import NOT_COMPILED, NotCompiled, cases, difference, write

FEW = 2
"""Samples of each op, and one with sizes that vary."""
SLOW = {"special", "factor", "triangular", "fourier"}
"""Families of long decompositions: one sample each."""
WIDER = {"matrix_exp": "float64"}
"""Chains of products that float32 loses digits in."""
REASONS = (
    r"TensorFlow has no float8\w*|TensorFlow has no u?int4",
    r"tensorflow has no operator of it",
    r"the signs of singular vectors and eigenvectors are free",
)
"""What a sample may be refused for."""


@pytest.mark.parametrize("op", ir.ops.all_ops(), ids=lambda o: o.name)
def test_samples(op, tmp_path: Path) -> None:
    wrong = []
    kind = WIDER.get(op.name, "float32")
    few = [(case, ("eager", "function")) for case in list(cases(op, kind))[: 1 if op.family in SLOW else FEW]]
    varying = [(case, ("function",)) for case in list(cases(op, kind, dynamic=True))[:1]]
    for case, ways in [*few, *varying]:
        folder = tmp_path / case.name
        reason = write(case, folder)
        if reason is not None:
            assert any(re.search(r, reason) for r in REASONS), f"{case.name} is refused: {reason}"
            continue
        wrong += [f"{case.name} {way}: {found}" for way in ways if (found := difference(case, folder, way))]
        shutil.rmtree(folder)
    assert not wrong, "\n".join(wrong)


@pytest.mark.parametrize("op", ["softmax", "gather", "scan", "cond", "bessel_i0", "determinant"])
def test_compiled(op: str, tmp_path: Path) -> None:
    """XLA gives the same numbers, or says what it lacks."""
    case = next(cases(ir.ops.get(op), "float32"))
    assert write(case, tmp_path) is None
    if op in NOT_COMPILED - {"scan"}:
        with pytest.raises(NotCompiled):
            difference(case, tmp_path, "compiled")
    else:
        assert difference(case, tmp_path, "compiled") is None


@pytest.mark.parametrize("sample", ["one_vector", "one_place"])
def test_a_single_index_writes(sample: str, tmp_path: Path) -> None:
    """TensorFlow's own function takes lists of vectors only."""
    case = next(c for c in cases(ir.ops.get("scatter_nd"), "float32") if c.name.endswith(sample))
    assert write(case, tmp_path) is None
    assert difference(case, tmp_path, "function") is None
