"""Runs an emitted PyTorch package in a process of its own. Started by `packages`, by path, never imported.

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
block_own_packages, load_package = worker.block_own_packages, worker.load_package
build, flatten = worker.build, worker.flatten


def read(path: str) -> dict:
    """Tensors by flat name."""
    import numpy as np
    import torch

    with np.load(path, allow_pickle=False) as archive:
        kinds = json.loads(str(archive[worker.DTYPES_KEY])) if worker.DTYPES_KEY in archive.files else {}
        out = {}
        for name in archive.files:
            if name == worker.DTYPES_KEY:
                continue
            array = archive[name]
            if name in kinds:
                tensor = torch.from_numpy(array.view(f"i{array.dtype.itemsize}")).view(getattr(torch, kinds[name]))
            else:
                tensor = torch.from_numpy(array)
            out[name] = tensor
        return out


def write(path: str, tensors: dict) -> None:
    """Tensors to `.npz`, dtypes NumPy lacks as integers."""
    import numpy as np
    import torch

    arrays, kinds = {}, {}
    for name, tensor in tensors.items():
        tensor = tensor.detach().cpu().resolve_conj().resolve_neg().contiguous()
        kind = str(tensor.dtype).removeprefix("torch.")
        if kind == "bfloat16" or kind.startswith("float8"):
            kinds[name] = kind
            tensor = tensor.view(torch.int16 if tensor.element_size() == 2 else torch.int8)
        arrays[name] = tensor.numpy()
    np.savez(path, **{**arrays, worker.DTYPES_KEY: np.array(json.dumps(kinds))})


def start(folder: Path) -> Any:
    """Load the package. Its state is its buffers."""
    import torch

    model = worker.load_package(folder)
    first = {name: buffer.clone() for name, buffer in model.named_buffers()}

    def call(args: list, kwargs: dict, flat: Any) -> dict:
        with torch.no_grad():
            found = flat(model(*args, **kwargs))
        return {name: value.clone() if torch.is_tensor(value) else value for name, value in found.items()}

    def restore() -> None:
        for name, buffer in model.named_buffers():
            buffer.detach().copy_(first[name])

    return call, restore


if __name__ == "__main__":
    worker.block_own_packages()
    worker.serve(Path(sys.argv[1]).resolve(), start, read, write)
