"""Every rule against eager PyTorch, over the values of its attributes: float64 and float32, static and dynamic sizes."""

from __future__ import annotations

import functools

import numpy as np
import pytest
import torch

from converter.importers.base import ImportOptions
from converter.importers.torch import load
from ir.eval import Evaluator
from ir.verify import check
from tests.importers.torch import cases, cases_layers, cases_shape
from tests.importers.torch.support import Bundle, close, expected, flat_inputs

FAMILIES = {
    "elementwise": cases.ELEMENTWISE,
    "activation": cases.ACTIVATION,
    "logic": cases.LOGIC,
    "cast": cases.CAST,
    "reduction": cases.REDUCTION,
    "shape": cases_shape.SHAPE,
    "slicing": cases_shape.SLICING,
    "indexing": cases_shape.INDEXING,
    "in_place": cases_shape.IN_PLACE,
    "creation": cases_shape.CREATION,
    "conv": cases_layers.CONV,
    "pool": cases_layers.POOL,
    "norm": cases_layers.NORM,
    "linalg": cases_layers.LINALG,
    "attention": cases_layers.ATTENTION,
    "resize": cases_layers.RESIZE,
}
DYNAMIC = {"x", "pos", "unit", "i", "j", "i32", "u8", "b", "b2", "img", "sig", "vol", "half", "m", "rows"}
RUNS = {
    "float64": (torch.float64, [(2, 8)], 1e-9), "float32": (torch.float32, [(2, 8)], 2e-5),
    "dynamic": (torch.float64, [(2, 8), (5, 12), (3, 7)], 1e-9),
}  # fmt: skip
FIXED_SIZE = {
    "indexing/take_along",
    "shape/pixel_shuffle", "shape/pixel_unshuffle", "shape/view_minus", "shape/reshape", "creation/tril_mask", "in_place/mask_rows",
    "resize/nearest_odd", "resize/exact_odd", "resize/bilinear_False_odd", "resize/bilinear_True_odd", "resize/bicubic_False_odd",
    "resize/bicubic_True_odd", "resize/recompute",
}  # fmt: skip
"""Cases that only exist for sizes other than the dynamic runs' (an even height, a multiple of 6 elements, a whole factor)."""


def bundle(family: str, run: str) -> tuple[Bundle, dict, dict[str, dict[int, str]]]:
    """A family's cases as one module, its example inputs, and what is dynamic in them."""
    dtype, sizes, _ = RUNS[run]
    wanted = {n: f for n, f in FAMILIES[family].items() if run != "dynamic" or f"{family}/{n}" not in FIXED_SIZE}
    dynamic = {}
    if run == "dynamic":
        dynamic = {f"t.{n}": {0: "n", **({2: "h"} if n == "img" else {})} for n in DYNAMIC}
    return Bundle(wanted), cases.pool(dtype, *sizes[0]), dynamic


@functools.cache
def results(family: str, run: str) -> tuple[dict[str, list], dict[str, list]]:
    """All outputs of a family in one import: by case, what the reference gives and what eager PyTorch gives."""
    module, pool, dynamic = bundle(family, run)
    dtype, sizes, _ = RUNS[run]
    model = load(module, (pool,), options=ImportOptions(dynamic=dynamic))
    check(model)
    got: dict[str, list] = {}
    want: dict[str, list] = {}
    for n, h in sizes:
        values = cases.pool(dtype, n, h, seed=n)
        outputs = Evaluator().run(model, flat_inputs(module, (values,), {}))
        for name, array in expected(module, (values,), {}).items():
            case = name.partition(".")[0]
            got.setdefault(case, []).append(outputs[name])
            want.setdefault(case, []).append(array)
    return got, want


@pytest.mark.parametrize("run", RUNS)
@pytest.mark.parametrize(("family", "case"), [(f, c) for f, cs in FAMILIES.items() for c in cs])
def test_rule(family: str, case: str, run: str) -> None:
    if run == "dynamic" and f"{family}/{case}" in FIXED_SIZE:
        pytest.skip("exists for other sizes only")
    got, want = results(family, run)
    assert got[case], "no output"
    for a, b in zip(got[case], want[case], strict=True):
        close(a, b, tolerance(run, b, case), f"{family}/{case}")


def tolerance(run: str, want: np.ndarray, case: str) -> float:
    """A result held in float32 or float16 carries that much rounding, whatever the inputs are."""
    kind = {2: 2e-3, 4: 2e-5}.get(want.dtype.itemsize, 0.0) if want.dtype.kind == "f" else 0.0
    return max(RUNS[run][2], 2e-3 if case.startswith("half") else kind)
