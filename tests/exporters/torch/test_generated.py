"""Every sample of every op, written as PyTorch and run, against the evaluator."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from converter.errors import ConversionError
from ir.eval import Evaluator
from ir.types import dtypes
from tests.exporters.torch import package
from tests.ops.harness import all_samples, assert_close, model_of

CASES = [(i, op, s) for dtype in (dtypes.float32, dtypes.bfloat16) for i, op, s in all_samples(dtype)]
DYNAMIC = [(i, op, s) for i, op, s in all_samples() if s.dynamic]

REFUSED = ("data-dependent", "mask", "symbol")
"""What a refusal of index_put may speak of: a mask whose count has no name, mixed with numbers, cannot be lowered."""

VECTORS = {("eigh", 1): -2, ("svd", 0): -2, ("svd", 2): -1}
"""Outputs that hold vectors of free sign, and the axis that runs along a vector."""

BESSEL = 1e-6
"""PyTorch's Bessel functions of the first and second kind are no nearer, in float64 too."""


@pytest.mark.parametrize(("name", "op", "sample"), CASES, ids=[c[0] for c in CASES])
def test_sample(name, op, sample, tmp_path: Path) -> None:
    check(op, sample, tmp_path, dynamic=False)


@pytest.mark.parametrize(("name", "op", "sample"), DYNAMIC, ids=[c[0] for c in DYNAMIC])
def test_dynamic(name, op, sample, tmp_path: Path) -> None:
    empty = [(p, a) for p, a in sample.dynamic if sample.operands[p].shape[a] == 0]
    if op.name in ("lstm", "gru", "rnn") and empty:
        pytest.skip("torch's recurrent layers refuse sequences that turn out empty at run time")
    check(op, sample, tmp_path, dynamic=sample.dynamic)


def check(op, sample, folder: Path, dynamic) -> None:
    model, arrays = model_of(op, sample, dynamic)
    expected = Evaluator("exact").run(model, arrays)
    try:
        net = package.export(model, folder).load_model()
    except ConversionError as error:
        assert op.name == "index_put" and any(word in str(error) for word in REFUSED), error
        return
    actual = package.run(net, model, arrays)
    for position, ((key, want), value) in enumerate(zip(expected.items(), model.graph.outputs)):
        assert actual[key].dtype == want.dtype and actual[key].shape == want.shape
        drops = sample.attrs.get("always") and sample.attrs["p"] < 1
        if op.name.startswith("random_") or op.name == "bernoulli" or drops:
            continue
        if op.name in ("gelu", "hard_swish"):  # torch's kernels overflow near the largest numbers, and lose gelu's tail
            keep = ~(np.abs(arrays["x"].astype(np.float64)) > 1e30)
            actual[key], want = actual[key][keep], want[keep]
            np.testing.assert_allclose(
                actual[key].astype(np.float64),
                want.astype(np.float64),
                1e-2 if value.type.dtype.is_half else 1e-5,
                1e-6,
            )
            continue
        if (op.name, position) in VECTORS:
            actual[key] = _turned(actual[key], want, VECTORS[op.name, position])
        rtol = BESSEL if op.name.startswith(("bessel_j", "bessel_y")) else sample.rtol
        rtol = package.allowed(op, rtol, value.type.dtype)
        if op.name == "cast" and want.dtype.kind in "iu":
            keep = _castable(arrays["x"], want.dtype)
            actual[key], want = actual[key][keep], want[keep]
        assert_close(actual[key], want, value.type.dtype, rtol)


def _turned(vectors: np.ndarray, wanted: np.ndarray, axis: int) -> np.ndarray:
    """The vectors with the signs of the wanted ones."""
    along = (vectors * wanted).sum(axis=axis, keepdims=True)
    return vectors * np.where(along < 0, -1, 1).astype(vectors.dtype)


def _castable(x: np.ndarray, dtype: np.dtype) -> np.ndarray:
    """Where a float has an integer counterpart: elsewhere the result is undefined."""
    if x.dtype.kind in "iub":
        return np.ones(x.shape, bool)
    wide = np.trunc(x.astype(np.float64))
    info = np.iinfo(dtype)
    return np.isfinite(wide) & (wide >= info.min) & (wide < float(info.max) + 1)
