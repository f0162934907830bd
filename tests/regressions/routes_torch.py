"""A PyTorch function along every route: the evaluator, a torch package and an ONNX file all give what PyTorch does."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

import converter
from converter.exporters import onnx as onnx_exporter
from converter.exporters import torch as torch_exporter
from converter.importers.torch.dtypes import to_numpy
from converter.prepare import prepare
from converter.runtimes import load_native
from converter.runtimes.onnxruntime import OnnxRunner
from ir.core import Model, copy_model
from ir.eval import Evaluator


class Applies(nn.Module):
    """A function of one to three tensors as a module."""

    def __init__(self, fn: Callable[..., Any]) -> None:
        super().__init__()
        self.fn = fn

    def forward(self, x: Tensor, y: Tensor | None = None, z: Tensor | None = None) -> Any:
        return self.fn(*(v for v in (x, y, z) if v is not None))


def same_everywhere(
    source: nn.Module | Callable[..., Any], inputs: Sequence[Any], feeds: Sequence[tuple[Tensor, ...]], folder: Path,
    tol: float = 2e-6, onnx: bool = True,
) -> Model:  # fmt: skip
    """Assert it on all `feeds`; types and shapes exactly, floats within `tol` of the scale. Returns the imported model."""
    module = source if isinstance(source, nn.Module) else Applies(source)
    read = converter.load(module.eval(), tuple(inputs), framework="torch")
    prepared = copy_model(read)
    prepare(prepared)
    torch_exporter.write(copy_model(prepared), folder / "package")
    package = load_native(folder / "package", "torch")
    runner = None
    if onnx:
        onnx_exporter.write(copy_model(prepared), folder / "model.onnx")
        runner = OnnxRunner(folder / "model.onnx")
    for feed in feeds:
        arrays = dict(zip((v.name for v in read.graph.inputs), map(to_numpy, feed), strict=True))
        with torch.no_grad():
            wanted = [to_numpy(w) for w in leaves(module(*(x.clone() for x in feed)))]
            found = {"package": [to_numpy(w) for w in leaves(package(*(x.clone() for x in feed)))]}
        found["evaluator"] = list(Evaluator("exact").run(read, arrays).values())
        if runner is not None:
            found["onnx"] = list(runner(arrays).values())
        for route, got in found.items():
            assert len(got) == len(wanted), route
            for a, b in zip(got, wanted, strict=True):
                assert (a.dtype, a.shape) == (b.dtype, b.shape), (route, a.dtype, a.shape, b.dtype, b.shape)
                close(a, b, tol, route)
    return read


def close(a: np.ndarray, b: np.ndarray, tol: float, route: str) -> None:
    if b.dtype.kind in "biu":
        np.testing.assert_array_equal(a, b, err_msg=route)
        return
    wide = np.complex128 if b.dtype.kind == "c" else np.float64
    scale = float(np.abs(b.astype(wide)[np.isfinite(b.astype(wide))]).max(initial=0.0))
    np.testing.assert_allclose(a.astype(wide), b.astype(wide), rtol=tol, atol=tol * max(scale, 1e-6), err_msg=route)


def leaves(result: Any) -> list[Tensor]:
    """The tensors of a result, in order."""
    if isinstance(result, Tensor):
        return [result]
    return [x for item in (result.values() if isinstance(result, dict) else result) for x in leaves(item)]
