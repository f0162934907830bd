"""What every op owes on its samples, on those of `more_samples` too; and PyTorch's word on them."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from ir.ops import get
from ir.types import DType, dtypes
from tests.ops import checks
from tests.ops.more_samples import MORE, more_cases
from tests.ops.test_against_torch import ROWS, compare

CHECKS = (
    checks.check_infer, checks.check_exact, checks.check_symbolic, checks.check_decompose, checks.check_symbolic_decompose,
)  # fmt: skip


@pytest.mark.parametrize("kind", [dtypes.float32, dtypes.float64], ids=str)
@pytest.mark.parametrize("name", MORE)
@pytest.mark.parametrize("check", CHECKS, ids=lambda c: c.__name__)
def test_more_samples(check: Any, name: str, kind: DType) -> None:
    if check in CHECKS[3:] and get(name).decompose is None:
        return
    checks.check_all(check, more_cases(name, kind))


@pytest.mark.parametrize("name", sorted(set(MORE) & set(ROWS)))
def test_evaluate_is_torch(name: str) -> None:
    found = checks.check_all(lambda op, sample: compare(op.name, sample), more_cases(name, dtypes.float64))
    assert any(found)


def test_attention_is_torch() -> None:
    torch = pytest.importorskip("torch")
    for label, op, sample in more_cases("attention", dtypes.float64):
        query, key, value, mask = (None if x is None else torch.from_numpy(np.array(x)) for x in (*sample.operands, None)[:4])
        if sample.attrs.get("causal"):
            below = torch.ones(query.shape[-2], key.shape[-2], dtype=torch.bool).tril()
            mask = below if mask is None else torch.where(below, mask, -torch.inf)
        if sample.attrs.get("grouped"):  # PyTorch has it for four axes alone
            key, value = (t.repeat_interleave(query.shape[-3] // t.shape[-3], -3) for t in (key, value))
        expected = torch.nn.functional.scaled_dot_product_attention(query, key, value, mask)
        (mine,) = checks.direct(op, sample, "exact")
        np.testing.assert_allclose(mine, expected.numpy(), rtol=1e-10, atol=1e-12, err_msg=label)
