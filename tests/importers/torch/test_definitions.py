"""Ops without a rule are broken up by torch's own definitions, and rules for what it has no definition of."""

from __future__ import annotations

import pytest
import torch

from tests.importers.torch.support import Bundle, round_trip
from tests.suites.op_db_cases import difference

CASES = {
    "addr": lambda t: torch.addr(t.m, t.a, t.b),
    "fold": lambda t: torch.nn.functional.fold(t.cols, (4, 4), (2, 2)),
    "addbmm": lambda t: torch.addbmm(t.m, t.p, t.q, alpha=2.0, beta=0.5),
    "bucketize": lambda t: [torch.bucketize(t.m, t.edges, right=r) for r in (False, True)],
    "searchsorted": lambda t: torch.searchsorted(t.edges.expand(3, 4), t.m),
    "median": lambda t: [torch.median(t.m), torch.nanmedian(t.holes), torch.median(t.holes)],
    "median_along": lambda t: [*torch.median(t.holes, 1), *torch.nanmedian(t.holes, 1, keepdim=True)],
    "kth": lambda t: list(torch.kthvalue(t.m, 2, 0)),
    "running": lambda t: [*torch.cummax(t.m, 0), *torch.cummin(t.m, 1), *torch.cummax(t.holes, 1)],
    "log_running": lambda t: torch.logcumsumexp(t.m, 0),
    "masked_scatter": lambda t: t.m.masked_scatter(t.m > 0, t.p),
    "index_reduce": lambda t: t.m.index_reduce(0, t.rows, t.m[:2], "mean", include_self=False),
    "cdist": lambda t: [torch.cdist(t.m, t.m[:2] + 1, p=p) for p in (0.0, 1.0, 2.0, 3.0, float("inf"))],
    "round": lambda t: [torch.round(t.m * 1000, decimals=d) for d in (2, 0, -2)],
    "copysign": lambda t: [torch.copysign(t.m, t.zeros), torch.signbit(t.zeros)],
    "fft": lambda t: [torch.view_as_real(torch.fft.rfft(t.m)), torch.fft.irfft(torch.fft.rfft2(t.m), n=4)],
    "solve": lambda t: [torch.linalg.solve(t.s, t.s[0]), torch.linalg.solve(t.s, t.s + 1, left=False)],
    "triangular": lambda t: torch.linalg.solve_triangular(t.s, t.s, upper=True, left=False, unitriangular=True),
    "special": lambda t: [torch.special.i0(t.m), torch.polygamma(2, t.m.abs() + 1), torch.exp2(t.m), t.m.angle()],
}


def test_rules_and_definitions() -> None:
    g = torch.Generator().manual_seed(0)

    def real(*shape: int) -> torch.Tensor:
        return torch.randn(shape, generator=g, dtype=torch.float64)

    pool = {
        "m": real(3, 4), "a": real(3), "b": real(4), "cols": real(1, 8, 9), "p": real(2, 3, 5), "q": real(2, 5, 4),
        "edges": torch.tensor([-1.0, 0.0, 0.5, 2.0], dtype=torch.float64), "rows": torch.tensor([2, 0]),
        "holes": torch.tensor([[1.0, float("nan"), 0.5], [3.0, 1.0, 2.0]], dtype=torch.float64),
        "zeros": torch.tensor([0.0, -0.0, 1.0, -1.0], dtype=torch.float64), "s": real(3, 3) + 4 * torch.eye(3),
    }  # fmt: skip
    round_trip(Bundle(CASES), (pool,))


@pytest.mark.parametrize("change", [0.0, 1e-3])
def test_the_suite_sees_differences(change: float) -> None:
    want = torch.tensor([1.0, float("nan"), float("inf")])
    got = want.clone()
    got[0] += change
    assert bool(difference(got.numpy(), want, None)) == bool(change)
    assert difference(want.double().numpy(), want, None)
    assert difference(want[:2].numpy(), want, None)
