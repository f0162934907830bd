"""Keras casts what a layer is given to the layer's own float type: an input that no operation reads was handed on as float32."""

from __future__ import annotations

from pathlib import Path

import pytest

from converter.exporters.base import ExportOptions
from converter.exporters.keras.package import write_package
from ir.core import Leaf, Model, Parameter, Signature
from ir.types import DType, TensorType, dtypes


@pytest.mark.parametrize(("dtype", "cast"), [(dtypes.float32, True), (dtypes.float64, False), (dtypes.bfloat16, False)])
def test_an_input_handed_on_keeps_its_type(dtype: DType, cast: bool, tmp_path: Path) -> None:
    model = Model("same", Signature((Parameter("x", Leaf("x")),), Leaf("output")))
    model.graph.set_outputs([model.graph.add_input(TensorType(dtype, (2, 3)), "x")])
    write_package(model, tmp_path / "out", ExportOptions())
    assert ("autocast=False" not in (tmp_path / "out" / "model.py").read_text("utf-8")) == cast
