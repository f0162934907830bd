"""Runs an emitted TensorFlow package in a process of its own. Started by `packages`, by path, never imported.

The packages `ir` and `converter` are made unimportable first, so that what runs here is what the user will run.
"""

import importlib.util
import json
import sys
from pathlib import Path
from typing import Any

_spec = importlib.util.spec_from_file_location("worker", Path(__file__).with_name("worker.py"))
assert _spec is not None and _spec.loader is not None
worker = importlib.util.module_from_spec(_spec)
_spec.loader.exec_module(worker)


def read(path: str) -> dict:
    """Tensors by flat name."""
    import ml_dtypes  # noqa: F401 - a part of TensorFlow that gives NumPy bfloat16
    import numpy as np
    import tensorflow as tf

    with np.load(path, allow_pickle=False) as archive:
        kinds = json.loads(str(archive[worker.DTYPES_KEY])) if worker.DTYPES_KEY in archive.files else {}
        arrays = {name: archive[name] for name in archive.files if name != worker.DTYPES_KEY}
    arrays = {name: a.view(np.dtype(kinds[name])) if name in kinds else a for name, a in arrays.items()}
    return {name: tf.constant(a) for name, a in arrays.items()}


def to_numpy(tensor: Any) -> Any:
    """The tensor as an array (by way of an axis: a bfloat16 without axes comes as a scalar)."""
    import numpy as np
    import tensorflow as tf

    return np.asarray(tf.reshape(tensor, [-1]).numpy()).reshape(tuple(tensor.shape))


def write(path: str, tensors: dict) -> None:
    """Arrays to `.npz`, dtypes NumPy lacks as integers."""
    import numpy as np

    arrays, kinds = {}, {}
    for name, array in tensors.items():
        if array.dtype.kind == "V" or array.dtype.isbuiltin != 1:
            kinds[name] = array.dtype.name
            array = np.asarray(array, order="C").view(f"u{array.dtype.itemsize}")
        arrays[name] = array
    np.savez(path, **{**arrays, worker.DTYPES_KEY: np.array(json.dumps(kinds))})


def start(folder: Path) -> Any:
    """Load the package; calls leave the model's state as it was."""
    model = worker.load_package(folder)
    first = [(variable, variable.numpy()) for variable in model.variables]

    def call(args: list, kwargs: dict, flat: Any) -> dict:
        found = {name: to_numpy(value) for name, value in flat(model(*args, **kwargs)).items()}
        for variable, value in first:  # a call may change the model's state: each begins at the start
            variable.assign(value)
        return found

    return call


if __name__ == "__main__":
    worker.block_own_packages()
    worker.serve(Path(sys.argv[1]).resolve(), start, read, write)
