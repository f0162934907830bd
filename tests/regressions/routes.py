"""An ONNX model along every route: the evaluator, a torch package and ONNX files all give what ONNX Runtime does."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import onnx

import converter
from converter.importers.onnx import load
from converter.runtimes.live_torch import to_array, to_tensor
from converter.runtimes.onnxruntime import OnnxRunner
from ir.core import Model
from ir.eval import Evaluator
from ir.types import dtype
from ir.verify import check

Arrays = Mapping[str, np.ndarray]


def same_everywhere(
    proto: onnx.ModelProto,
    *feeds: Arrays,
    opsets: Sequence[int] = (20,),
    torch: bool = True,
    want: Arrays | None = None,
) -> Model:
    """Assert that a model survives import, and export to torch and to `opsets`, on all `feeds`.

    `want` replaces what ONNX Runtime computes where it cannot. Returns the imported model.
    """
    data = proto.SerializeToString()
    wants = [want if want is not None else OnnxRunner(data)(feed) for feed in feeds]
    model = load(data)
    check(model)
    for feed, expected in zip(feeds, wants, strict=True):
        compare(Evaluator("exact").run(model, feed), expected, "evaluator")
    for opset in opsets:
        conversion = converter.convert(data, "onnx", opset=opset, verify=False)  # kept: its folder goes with it
        written = OnnxRunner(conversion.path)
        for feed, expected in zip(feeds, wants, strict=True):
            compare(written(feed), expected, f"opset {opset}")
    if torch:
        package = converter.convert(data, "torch", verify=False).load()
        for feed, expected in zip(feeds, wants, strict=True):
            compare(called(package, feed), expected, "torch")
    return model


def called(module: Any, feed: Arrays) -> dict[str, np.ndarray]:
    """The outputs of a module, numbered."""
    import torch

    with torch.no_grad():
        out = module(*(to_tensor(torch, array) for array in feed.values()))
    outs = out if isinstance(out, tuple) else (out,)
    return {str(i): to_array(torch, o) for i, o in enumerate(outs)}


def compare(found: Arrays, wanted: Arrays, route: str) -> None:
    """Same dtypes, shapes and values (torch names its outputs itself: order counts)."""
    assert len(found) == len(wanted)
    for got, (name, expected) in zip(found.values(), wanted.items(), strict=True):
        assert (got.dtype, got.shape) == (expected.dtype, expected.shape), f"{route}: {name}"
        kind = dtype(expected.dtype)
        if not kind.is_float or kind.bits == 8:
            plain = (a if a.dtype.isbuiltin == 1 else a.astype(np.float32) for a in (got, expected))
            np.testing.assert_array_equal(*plain, err_msg=f"{route}: {name}")
            continue
        tolerance = 64 * kind.eps
        wide = np.float64
        np.testing.assert_allclose(
            got.astype(wide), expected.astype(wide), rtol=tolerance, atol=tolerance, err_msg=f"{route}: {name}"
        )
