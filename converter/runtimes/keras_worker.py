"""Runs an emitted Keras package in a process of its own. Started by `packages`, by path, never imported.

The packages `ir` and `converter` are made unimportable first, so that what runs here is what the user will run. The
backend is that of the environment (KERAS_BACKEND).
"""

import importlib.util
import sys
from pathlib import Path
from typing import Any

_spec = importlib.util.spec_from_file_location("worker", Path(__file__).with_name("worker.py"))
assert _spec is not None and _spec.loader is not None
worker = importlib.util.module_from_spec(_spec)
_spec.loader.exec_module(worker)


def read(path: str) -> dict:
    """Tensors by flat name."""
    from keras import ops

    return {name: ops.convert_to_tensor(a) for name, a in worker.read_arrays(path).items()}


def to_numpy(tensor: Any) -> Any:
    """The tensor as an array (by way of an axis: TensorFlow gives a bfloat16 without axes as a scalar)."""
    import numpy as np
    from keras import ops

    return np.asarray(ops.convert_to_numpy(ops.reshape(tensor, (-1,)))).reshape(tuple(ops.shape(tensor)))


def start(folder: Path) -> Any:
    """Load the package. Its state is its variables that do not train."""
    from keras import ops

    model = worker.load_package(folder)
    first = [(variable, ops.convert_to_numpy(variable)) for variable in model.non_trainable_variables]
    return worker.restoring(first, model, to_numpy)


if __name__ == "__main__":
    worker.block_own_packages()
    worker.serve(Path(sys.argv[1]).resolve(), start, read, worker.write_arrays)
