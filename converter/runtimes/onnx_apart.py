"""ONNX Runtime in a process of its own, for inputs that may end it: some kernels do not survive tensors without elements."""

from __future__ import annotations

import json
import os
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np

from converter.runtimes.asked import Asked
from converter.runtimes.base import InTurn, check_inputs
from ir.types import TensorType

WORKER = Path(__file__).with_name("onnx_worker.py")


class OnnxApart(InTurn):
    """Runs what an `OnnxRunner` of the same arguments runs; a process that has ended is started again."""

    def __init__(
        self, name: str, input_types: Mapping[str, TensorType], input_axes: Mapping[str, list[int]], model: Path | bytes,
        provider: str | None, fixed: Mapping[str, bool | int | float],
    ) -> None:  # fmt: skip
        self.name, self.input_types, self.input_axes = name, input_types, input_axes
        self._model, self._settings = model, (provider, dict(fixed))
        self._dir: tempfile.TemporaryDirectory[str] | None = None
        self._worker: Asked | None = None

    def in_turn(self, calls: Sequence[Mapping[str, np.ndarray]]) -> list[dict[str, np.ndarray]]:
        """The outputs of each call. Raises UsageError on misfitting inputs, RuntimeFailure when a kernel does or the process
        ends."""
        for inputs in calls:
            check_inputs(inputs, self.input_types)
        if self._worker is None or self._worker.ended:
            self.close()
            argv = [str(WORKER), json.dumps([str(self._file()), *self._settings])]
            self._worker = Asked(argv, os.environ, "the model")
        return self._worker.ask(calls)

    def _file(self) -> Path:
        """The model's own file, or one that is written when it is first needed: most models are never run here."""
        if isinstance(self._model, Path):
            return self._model
        self._dir = tempfile.TemporaryDirectory(prefix="isomorph-")
        path = Path(self._dir.name) / "model.onnx"
        path.write_bytes(self._model)
        return path

    def close(self) -> None:
        """End the process, and remove what was written for it."""
        if self._worker is not None:
            self._worker.close()
            self._worker = None
        if self._dir is not None:
            self._dir.cleanup()
            self._dir = None
