"""What was written, in a process that never saw the source."""

from __future__ import annotations

import contextlib
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np

from converter.runtimes import open_runner
from converter.runtimes.base import InTurn, RuntimeFailure
from ir.core import Model
from tests.suites.running import WorkerFailed, worker


class Elsewhere(InTurn):
    """A written model in a process that never saw the source: what verification and our own comparison run."""

    def __init__(self, path: Path, to: str, model: Model) -> None:
        self.name = to
        self.path = path
        self.input_types = model.input_types

    def in_turn(self, calls: Sequence[Mapping[str, np.ndarray]]) -> list[dict[str, np.ndarray]]:
        """Outputs by name of each call; raises WorkerFailed. Only a process of the model's own holds state."""
        if len(calls) > 1:
            with contextlib.closing(open_runner(self.path)) as runner:
                return runner.in_turn(calls)
        return [worker(self.name).run(self.path, dict(calls[0]), self.path.parent)]

    def apart(self) -> OrNot:
        """The same, where a model need not run."""
        return OrNot(self.path, self.name, self)

    def close(self) -> None:
        """The process serves the next model."""


class OrNot(Elsewhere):
    """A written model on inputs that it need not take."""

    def __init__(self, path: Path, to: str, whole: Elsewhere) -> None:
        self.name, self.path, self.input_types = to, path, whole.input_types

    def in_turn(self, calls: Sequence[Mapping[str, np.ndarray]]) -> list[dict[str, np.ndarray]]:
        """Outputs by name of each call; raises RuntimeFailure."""
        try:
            return super().in_turn(calls)
        except WorkerFailed as error:
            raise RuntimeFailure(str(error)) from None
