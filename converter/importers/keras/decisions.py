"""What the model's code asks about sizes: is this one that one, or less? The answer holds for the sizes of the reading.

`tensors.Size` notes each question here. A question whose answer is another at other sizes is put to the test: the model is
read again at sizes where it is, and where that gives the same model the question decides nothing.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterable, Iterator, Mapping
from contextvars import ContextVar
from dataclasses import dataclass

from ir.types import Assumption, Dim, symbols
from ir.types.dim import bounds, dim_min, evaluate_dim

TRIED = 64
"""Sizes up to this are tried for one at which the answer is another."""


@dataclass(frozen=True)
class Decision:
    """Whether `left == right` (or, of sizes that only the run finds, `left < right`), as the reading had it."""

    left: Dim
    right: Dim
    answer: bool
    less: bool = False

    @property
    def opaque(self) -> bool:
        """Whether a size that the run finds takes part: emitted code cannot check it on the inputs."""
        return any(s.opaque for d in (self.left, self.right) for s in symbols(d))

    def holds(self, sizes: Mapping[str, int]) -> bool:
        """Whether the answer is the same at other sizes."""
        a, b = (evaluate_dim(d, sizes) for d in (self.left, self.right))
        return (a < b if self.less else a == b) == self.answer

    def assumption(self) -> Assumption:
        """That the answer is as it was: sizes that differ have a squared distance of at least 1."""
        why = f"the model's code asks whether {self.left} is {self.right}"
        if self.answer:
            return Assumption(self.left, self.right, why)
        low, _ = bounds(self.left - self.right)
        if low is not None and low >= 0:  # n != 0
            return Assumption(self.right + 1, dim_min(self.right + 1, self.left), why)
        distance = (self.left - self.right) * (self.left - self.right)
        return Assumption(1, dim_min(1, distance), why)

    def flipped(self, sizes: Mapping[str, int], assumed: Iterable[Assumption]) -> dict[str, int] | None:
        """Sizes that differ in one symbol, keep every assumption, and give the other answer. None where none were found."""
        held = list(assumed)
        for name in dict.fromkeys(s.name for d in (self.left, self.right) for s in symbols(d)):
            for number in (*range(1, TRIED), 0, *self._near(sizes)):
                trial = {**sizes, name: number}
                if not self.holds(trial) and all(
                    evaluate_dim(a.left, trial) == evaluate_dim(a.right, trial) for a in held
                ):
                    return trial
        return None

    def _near(self, sizes: Mapping[str, int]) -> list[int]:
        """The other sizes, and numbers round those of the question."""
        ends = [d for d in (self.left, self.right) if isinstance(d, int)]
        return [*sizes.values(), *(n for d in ends for n in (d - 1, d, d + 1) if n >= 0)]


_LOG: ContextVar[dict[Decision, None] | None] = ContextVar("decisions", default=None)


@contextlib.contextmanager
def recording_decisions() -> Iterator[dict[Decision, None]]:
    """Collect what code asks inside the block, each question once."""
    log: dict[Decision, None] = {}
    token = _LOG.set(log)
    try:
        yield log
    finally:
        _LOG.reset(token)


def decided(left: Dim, right: Dim, answer: bool, less: bool = False) -> None:
    """Note an answer."""
    log = _LOG.get()
    if log is not None:
        log[Decision(left, right, answer, less)] = None


__all__ = ["Decision", "decided", "recording_decisions"]
