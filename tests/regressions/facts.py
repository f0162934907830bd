"""A PyTorch module along every route: the evaluator, ONNX files and a torch package all give what it does itself."""

from __future__ import annotations

import copy
import importlib
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch

import converter
from converter.exporters.base import ExportOptions
from converter.importers.torch.dtypes import to_numpy
from converter.prepare import prepare
from converter.runtimes import load_native
from converter.runtimes.onnxruntime import OnnxRunner
from ir.core import Model, copy_model
from ir.eval import Evaluator
from ir.types import dtype
from ir.verify import check


def flat(value: Any) -> list[torch.Tensor]:
    """The tensors of a nested result, in order."""
    if isinstance(value, torch.Tensor):
        return [value]
    items = value.values() if isinstance(value, dict) else value
    return [t for item in items for t in flat(item)]


def kept(module: torch.nn.Module, inputs: Any, *cases: Sequence[torch.Tensor], ulps: float = 64) -> Model:
    """Assert that a module converts exactly: `inputs` are what `converter.load` takes, `cases` the positional inputs it
    is compared on. Returns the imported model."""
    module = module.eval()
    model = converter.load(module, inputs=inputs)
    check(model)
    with tempfile.TemporaryDirectory() as folder:
        paths = [written(model, to, Path(folder)) for to in ("onnx", "torch")]
        runner, package = OnnxRunner(paths[0].read_bytes()), load_native(paths[1], "torch")
    for case in cases:
        with torch.no_grad():
            want = flat(copy.deepcopy(module)(*(t.clone() for t in case)))
            emitted = flat(package(*(t.clone() for t in case)))
        feed = dict(zip(model.input_types, map(to_numpy, case), strict=True))
        same("evaluator", list(Evaluator("exact").run(model, feed).values()), want, ulps)
        same("onnx", list(runner(dict(zip(runner.input_types, feed.values(), strict=True))).values()), want, ulps)
        same("torch", [to_numpy(t) for t in emitted], want, ulps)
    return model


def written(model: Model, to: str, folder: Path) -> Path:
    """The model written for a target, after the passes of every conversion."""
    path, twin = folder / ("model.onnx" if to == "onnx" else "model"), copy_model(model)
    prepare(twin, target=to)
    importlib.import_module(f"converter.exporters.{to}").write(twin, path, ExportOptions())
    return path


def same(route: str, found: Sequence[np.ndarray], wanted: Sequence[torch.Tensor], ulps: float) -> None:
    """Same dtypes and shapes; integers equal, floats within `ulps` units in the last place of the largest."""
    assert len(found) == len(wanted), route
    for i, (got, tensor) in enumerate(zip(found, wanted, strict=True)):
        want = to_numpy(tensor)
        assert (got.dtype, got.shape) == (want.dtype, want.shape), f"{route}: result {i} is {got.dtype}{got.shape}"
        kind = dtype(want.dtype)
        if not kind.is_float:
            np.testing.assert_array_equal(got, want, err_msg=f"{route}: result {i}")
            continue
        a, b = got.astype(np.float64), want.astype(np.float64)
        bound = ulps * kind.eps
        np.testing.assert_allclose(
            a, b, rtol=bound, atol=bound * np.abs(b).max(initial=0), err_msg=f"{route}: result {i}"
        )
