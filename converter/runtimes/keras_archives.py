"""Keras' own files beside an emitted package, on request: written by a process that has Keras and not us."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

from converter.errors import ConversionError, Unsupported
from converter.runtimes.packages import keras_backend

ARTIFACTS = ("weights.h5", "keras")
"""`model.weights.h5`, the variables; `model.keras`, the model as one graph of Keras' own layers."""
ADVICE = "take weights.h5 and the package's own code: load_model() and load_weights()"


def write_artifacts(folder: Path, names: Sequence[str]) -> None:
    """Write the files into the package's folder. Raises ConversionError with the reason where one cannot hold the model."""
    worker = Path(__file__).with_name("keras_archive_worker.py")
    environment = {**os.environ, "KERAS_BACKEND": keras_backend(None), "TF_CPP_MIN_LOG_LEVEL": "3"}
    command = [sys.executable, "-I", str(worker), str(folder.resolve()), *names]
    done = subprocess.run(command, capture_output=True, text=True, env=environment, check=False)
    if done.returncode:
        lines = done.stderr.strip().splitlines()
        raise ConversionError(
            f"Keras could not write {', '.join(names)}: {lines[-1] if lines else 'its process ended'}"
        )
    answer = json.loads(done.stdout.splitlines()[-1])
    if "refused" in answer:
        what = Unsupported("model.keras", answer["refused"], advice=ADVICE)
        raise ConversionError("the model cannot be written as a file of Keras'", (what,))


__all__ = ["ARTIFACTS", "write_artifacts"]
