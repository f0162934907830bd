"""uint16, uint32 and uint64 in PyTorch, which stores them and computes next to nothing with them."""

from __future__ import annotations

import itertools
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from converter.errors import ConversionError
from converter.exporters.base import ExportOptions
from converter.exporters.torch import write
from converter.runtimes import load_native
from converter.runtimes.live_torch import to_array, to_tensor
from ir.eval import Evaluator
from ir.ops import get
from ir.ops.sampler import Sample
from tests.ops.harness import cases_of, model_of

OPS = (
    "adaptive_max_pool", "argmax", "argmin", "cumprod", "cumsum", "einsum", "flip", "fmax", "fmin", "gather_elements", "mask_fill",
    "mask_scatter", "matmul", "max_pool", "nonzero", "pow", "range", "reduce_max", "reduce_min", "reduce_prod", "reduce_sum", "relu",
    "scatter_elements", "scatter_nd", "segment_reduce", "tril", "triu",
)  # fmt: skip
SMALL = {"pow", "range"}
"""Their results grow with their operands."""
REFUSED = {"pow", "range", "relu", "segment_reduce"}
"""Not exact in int64 for uint64."""


def unsigned(sample: Sample, op: str, kind: str) -> Sample | None:
    """The sample with its data operands in an unsigned type, the largest numbers among them; None where it has none."""
    names = [o.name for o in get(op).operands]
    data = {i for i, name in enumerate(names) if name not in ("indices", "ids", "mask")}
    high = int(np.iinfo(kind).max)

    def turned(operand: Any) -> Any:
        if isinstance(operand, tuple):
            return tuple(map(turned, operand))
        if operand is None or operand.dtype.kind not in "fi":
            return operand
        whole = np.minimum(np.abs(np.nan_to_num(operand.astype(np.float64))), 1e6).astype(np.uint64) % 7
        return whole.astype(kind) if op in SMALL else np.where(whole == 2, high - 6, whole).astype(kind)

    operands = tuple(turned(o) if i in data else o for i, o in enumerate(sample.operands))
    return replace(sample, operands=operands) if operands else None


def call(module: Any, sample: Sample) -> tuple[np.ndarray, ...]:
    given = [
        [to_tensor(torch, a) for a in o] if isinstance(o, tuple) else to_tensor(torch, o)
        for o in sample.operands
        if o is not None
    ]
    with torch.no_grad():
        out = module(*given)
    return tuple(to_array(torch, o) for o in (out if isinstance(out, tuple) else (out,)))


@pytest.mark.parametrize("kind", ["uint16", "uint32", "uint64"])
@pytest.mark.parametrize("name", OPS)
def test_what_torch_has_no_kernels_for(name: str, kind: str, tmp_path: Path) -> None:
    done = 0
    for _, op, sample in itertools.islice(cases_of(get(name)), 12):
        case = unsigned(sample, name, kind)
        try:
            assert case is not None
            model, arrays = model_of(op, case)
            wanted = Evaluator("exact").run(model, arrays)
        except (TypeError, ValueError):  # this sample is not for integers
            continue
        target = tmp_path / f"m{done}"
        if kind == "uint64" and name in REFUSED:
            with pytest.raises(ConversionError, match="uint64"):
                write(model, target, ExportOptions())
            return
        write(model, target, ExportOptions())
        for got, want in zip(call(load_native(target, "torch"), case), wanted.values(), strict=True):
            assert got.dtype == want.dtype
            np.testing.assert_array_equal(got, want)
        done += 1
        if done == 2:
            return
    assert done, "no sample of the op takes integers"
