"""What long runs share: outcomes kept in a file, jobs on several processes."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.suites.kept import keep, kept
from tests.suites.processes import spread


@dataclass(frozen=True)
class Outcome:
    seed: int
    detail: str = ""


def test_what_is_kept_comes_back(tmp_path: Path) -> None:
    state = tmp_path / "new" / "state.jsonl"
    assert kept(state, Outcome) == kept(None, Outcome) == []
    found = [Outcome(1, "größer\nals"), Outcome(2)]
    for outcome in found:
        keep(state, outcome)
        keep(None, outcome)
    assert kept(state, Outcome) == found


def double(x: int) -> int:
    return 2 * x


@pytest.mark.parametrize("jobs", [1, 2])
def test_every_item_is_done_once(jobs: int) -> None:
    assert list(spread(double, range(9), jobs, chunk=4)) == list(range(0, 18, 2))
    assert sorted(spread(double, range(9), jobs, in_order=False)) == list(range(0, 18, 2))
