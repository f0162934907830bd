"""Samples of every op, written as Keras and run on each backend, against the evaluator: the first few here, all of them by
`make test-keras`."""

from __future__ import annotations

import re
import shutil
from pathlib import Path

import pytest

import ir.ops
from tests.exporters.keras.backends import BACKENDS
from tests.exporters.keras.generated import cases, difference, write

FEW = 2
"""Samples of each op, and of each op with sizes that vary; JAX compiles every one."""
SLOW = {"special", "factor", "triangular", "fourier"}
"""Families of long decompositions: one sample each."""
WIDER = {"matrix_exp": "float64"}
"""Chains of products that float32 loses digits in."""
REASONS = (
    r"Keras pads by widths that are known",
    r"padding by what is there needs sizes that are known",
    r"Keras pools to a fixed size where the sizes of the input are known",
    r"Keras pools elements there are, to one place at least",
    r"Keras has no (u?int(4|16|32|64)|complex\d*|float8\w*) on every backend",
    r"it has no input",
    r"keras has no operator of it",
    r"the signs of singular vectors and eigenvectors are free",
)
"""What a sample may be refused for."""


@pytest.mark.parametrize("op", ir.ops.all_ops(), ids=lambda o: o.name)
def test_samples(op, tmp_path: Path) -> None:
    wrong = []
    kind = WIDER.get(op.name, "float32")
    chosen = [*list(cases(op, kind))[: 1 if op.family in SLOW else FEW], *list(cases(op, kind, dynamic=True))[:1]]
    for case in chosen:
        folder = tmp_path / case.name
        reason = write(case, folder)
        if reason is not None:
            assert any(re.search(r, reason) for r in REASONS), f"{case.name} is refused: {reason}"
            continue
        wrong += [f"{case.name} on {on}: {found}" for on in BACKENDS if (found := difference(case, folder, on))]
        shutil.rmtree(folder)
    assert not wrong, "\n".join(wrong)
