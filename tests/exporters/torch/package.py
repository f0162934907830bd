"""Emitted packages in this process: write, import, call with NumPy arrays."""

from __future__ import annotations

import importlib.util
import itertools
import json
import os
from collections.abc import Mapping
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import torch

from converter.exporters.base import ExportOptions
from converter.exporters.torch.package import write_package
from ir.core import Model
from ir.core.signature import from_json
from ir.core.signature import unflatten as build
from ir.ops.define import OpDef
from ir.types import DType, dtype
from tests.ops.harness import tolerance

_NUMBER = itertools.count()
DEVICE = os.environ.get("ISOMORPH_TEST_DEVICE", "cpu")
"""Where emitted code runs: `make test-gpu` says cuda."""
ROUNDING_ON_GPU = {"recurrent": 8, "recurrent_layer": 8, "norm": 2}
"""By family, how many times the error of other kernels a GPU's have: cuDNN's recurrent layers take a fast tanh."""
torch.backends.cudnn.allow_tf32 = False  # a convolution of floats is one, as everywhere else


def allowed(op: OpDef, rtol: float | None, dtype: DType) -> float | None:
    """The relative error allowed to an op where the tests run."""
    return rtol if rtol is not None or DEVICE == "cpu" else ROUNDING_ON_GPU.get(op.family, 1) * tolerance(dtype)


def export(model: Model, folder: Path, name: str | None = None) -> ModuleType:
    """The imported `model.py` of the model's package."""
    # of several writes to one place a GPU keeps any, if not told otherwise
    write_package(model, folder, ExportOptions(name=name, index_policy="source" if DEVICE == "cpu" else "strict"))
    return load(folder)


def load(folder: Path) -> ModuleType:
    """Import a package's model.py under a name of its own."""
    spec = importlib.util.spec_from_file_location(f"emitted_{next(_NUMBER)}", folder / "model.py")
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    if DEVICE != "cpu" and hasattr(module, "load_model"):
        emitted = module.load_model
        module.load_model = lambda *weights: emitted(*weights).to(DEVICE)
    return module


def to_torch(array: np.ndarray) -> torch.Tensor:
    """A tensor of the array's element type, ml_dtypes included."""
    array = np.array(array, order="C", copy=True)
    if array.dtype.isbuiltin == 1:
        return torch.from_numpy(array)
    return torch.from_numpy(array.view(f"i{array.dtype.itemsize}")).view(getattr(torch, array.dtype.name))


def to_numpy(tensor: torch.Tensor) -> np.ndarray:
    """The reverse of `to_torch`."""
    tensor = tensor.detach().cpu().resolve_conj().resolve_neg().contiguous()
    kind = str(tensor.dtype).removeprefix("torch.")
    if kind == "bfloat16" or kind.startswith("float8"):
        return tensor.view(torch.int16 if tensor.element_size() == 2 else torch.int8).numpy().view(dtype(kind).numpy)
    return tensor.numpy()


def run(net: torch.nn.Module, model: Model, inputs: Mapping[str, np.ndarray]) -> dict[str, np.ndarray]:
    """Outputs by flat name, in evaluation mode."""
    leaves = {k: to_torch(v).to(DEVICE) for k, v in inputs.items()}
    args = [build(p.tree, leaves) for p in model.signature.parameters]
    with torch.no_grad():
        result = net(*args)
    found: dict[str, Any] = {}
    _flatten(result, model.signature.result, found)
    return {k: to_numpy(v) for k, v in found.items()}


def _flatten(value: Any, tree: Any, found: dict[str, Any]) -> None:
    if hasattr(tree, "name"):
        found[tree.name] = value
    elif hasattr(tree, "children"):
        items = [value[k] for k in tree.keys] if tree.kind == "dict" else list(value)
        for item, child in zip(items, tree.children, strict=True):
            _flatten(item, child, found)


def metadata(folder: Path) -> dict[str, Any]:
    """metadata.json, its signature checked to be readable."""
    record = json.loads((folder / "metadata.json").read_text())
    from_json(record["signature"])
    return record
