"""Jobs on several processes that share what was prepared before."""

from __future__ import annotations

import multiprocessing
from collections.abc import Callable, Iterable, Iterator
from typing import TypeVar

Item = TypeVar("Item")
Result = TypeVar("Result")


def spread(
    job: Callable[[Item], Result], items: Iterable[Item], jobs: int, *, in_order: bool = True, chunk: int = 1
) -> Iterator[Result]:
    """The result of each item, from forked processes, or from this one where there is one job. Results out of order come
    as soon as they are there."""
    if jobs == 1:
        yield from map(job, items)
        return
    with multiprocessing.get_context("fork").Pool(jobs) as pool:
        over = pool.imap if in_order else pool.imap_unordered
        yield from over(job, items, chunksize=chunk)
