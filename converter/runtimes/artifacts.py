"""Files of a framework's own beside an emitted package, on request: written by a process that has it and not us."""

from __future__ import annotations

import json
import os
from collections.abc import Sequence
from pathlib import Path

from converter.errors import ConversionError, Unsupported
from converter.runtimes import processes
from converter.runtimes.packages import keras_backend

ARTIFACTS = {"keras": ("weights.h5", "keras"), "tensorflow": ("saved_model",)}
"""By target: `model.weights.h5`, the variables, and `model.keras`, the model as one graph of Keras' own layers; the folder
`saved_model`, the model as a program of TensorFlow that serves it by the source's names."""
_WORKERS = {"keras": "keras_archive_worker.py", "tensorflow": "tensorflow_saved_model_worker.py"}
_NAMES = {"keras": "Keras", "tensorflow": "TensorFlow"}
_ADVICE = {
    "keras": "take weights.h5 and the package's own code: load_model() and load_weights()",
    "tensorflow": "take the package's own code: load_model() and serving(model)",
}


def write_artifacts(target: str, folder: Path, names: Sequence[str], beside: Sequence[Path] = ()) -> None:
    """Write the files into the package's folder; a SavedModel serves the packages `beside`, too. Raises ConversionError with
    the reason where one cannot hold the model."""
    environment = {**os.environ, "TF_CPP_MIN_LOG_LEVEL": "3"}
    if target == "keras":
        environment["KERAS_BACKEND"] = keras_backend(None)
    worker = Path(__file__).with_name(_WORKERS[target])
    argv = [str(worker), str(folder.resolve()), *names, *(str(b.resolve()) for b in beside)]
    done = processes.run(argv, environment)
    if done.returncode:
        lines = done.stderr.strip().splitlines()
        last = lines[-1] if lines else "its process ended"
        raise ConversionError(f"{_NAMES[target]} could not write {', '.join(names)}: {last}")
    answer = json.loads(done.stdout.splitlines()[-1])
    if "refused" in answer:
        what = Unsupported(answer.get("file", "model.keras"), answer["refused"], advice=_ADVICE[target])
        raise ConversionError(f"the model cannot be written as a file of {_NAMES[target]}'s", (what,))


__all__ = ["ARTIFACTS", "write_artifacts"]
