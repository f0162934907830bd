"""What was written, in a process that never saw the source."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import numpy as np

from converter.runtimes.base import RuntimeFailure
from ir.core import Model
from tests.suites.running import WorkerFailed, worker


class Elsewhere:
    """A written model in a process that never saw the source: what verification and our own comparison run."""

    def __init__(self, path: Path, to: str, model: Model) -> None:
        self.name = to
        self.path = path
        self.input_types = model.input_types

    def __call__(self, inputs: Mapping[str, np.ndarray]) -> dict[str, np.ndarray]:
        """Outputs by name; raises WorkerFailed."""
        return worker(self.name).run(self.path, dict(inputs), self.path.parent)

    def apart(self) -> OrNot:
        """The same, where a model need not run."""
        return OrNot(self.path, self.name, self)

    def close(self) -> None:
        """The process serves the next model."""


class OrNot(Elsewhere):
    """A written model on inputs that it need not take."""

    def __init__(self, path: Path, to: str, whole: Elsewhere) -> None:
        self.name, self.path, self.input_types = to, path, whole.input_types

    def __call__(self, inputs: Mapping[str, np.ndarray]) -> dict[str, np.ndarray]:
        """Outputs by name; raises RuntimeFailure."""
        try:
            return super().__call__(inputs)
        except WorkerFailed as error:
            raise RuntimeFailure(str(error)) from None
