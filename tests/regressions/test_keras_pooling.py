"""Average pooling in emitted Keras whose last window would start in the padding behind: it is left out of the counts, too."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from converter.exporters.base import ExportOptions
from converter.exporters.keras import write
from ir.core import Builder, Leaf, Model, Parameter, Signature
from ir.eval import Evaluator
from ir.types import TensorType, dtypes
from tests.exporters.keras.backends import backend

pytest.importorskip("keras")


@pytest.mark.parametrize("include_pad", [True, False])
@pytest.mark.parametrize("size", [2, 3, 5])
def test_last_window(size: int, include_pad: bool, tmp_path: Path) -> None:
    model = Model("pool", Signature((Parameter("x", Leaf("x")),), Leaf("output")))
    x = model.graph.add_input(TensorType(dtypes.float32, (1, size, size, 2)), "x")
    settings = {"padding": ((1, 1), (1, 1)), "ceil_mode": True, "layout": "channels_last", "include_pad": include_pad}
    model.graph.set_outputs([Builder(model.graph).avg_pool(x, window=(3, 3), strides=(3, 3), **settings)])
    write(model, tmp_path, ExportOptions())
    data = np.random.default_rng(0).standard_normal((1, size, size, 2)).astype(np.float32)
    want = Evaluator("exact").run(model, {"x": data})["output"]
    (got,) = backend("tensorflow").run(tmp_path, {"x": data}).values()
    assert got.shape == want.shape
    np.testing.assert_allclose(got, want, rtol=1e-6)
