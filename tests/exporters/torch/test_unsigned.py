"""Unsigned integers, for which torch has storage but no kernels, and overflow into 8-bit floats."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from converter.errors import ConversionError
from converter.exporters.torch import write
from converter.runtimes.packages import PackageRunner
from ir.core import Builder, Leaf, Model, Parameter, Signature
from ir.eval import Evaluator
from ir.types import TensorType, dtypes

OPS = ("add", "sub", "mul", "less", "greater_equal", "maximum", "minimum", "bitwise_xor", "equal")
SMALL_OPS = (*OPS, "trunc_div", "mod")


def built(names, kind) -> Model:
    """A model with one output for each op on x and y."""
    model = Model("unsigned")
    x, y = (model.graph.add_input(TensorType(kind, (6,)), n) for n in "xy")
    b = Builder(model.graph)
    outs = [getattr(b, name)(x, y) for name in names]
    for name, out in zip(names, outs, strict=True):
        out.name = f"{name}_out"
    model.graph.set_outputs(outs)
    from ir.core import Branch

    result = Branch("tuple", tuple(Leaf(f"{n}_out") for n in names))
    model.signature = Signature((Parameter("x", Leaf("x")), Parameter("y", Leaf("y"))), result)
    return model


@pytest.mark.parametrize("kind", [dtypes.uint16, dtypes.uint32, dtypes.uint64], ids=str)
def test_arithmetic_wraps_and_orders_as_unsigned(kind, tmp_path: Path) -> None:
    names = OPS if kind == dtypes.uint64 else SMALL_OPS
    model = built(names, kind)
    high = int(kind.max)
    x = np.array([0, 1, high, high - 1, high // 2 + 1, 7], kind.numpy)
    y = np.array([1, high, high, 2, high // 2, 3], kind.numpy)
    write(model, tmp_path / "m")
    runner = PackageRunner(tmp_path / "m")
    try:
        found = runner({"x": x, "y": y})
    finally:
        runner.close()
    want = Evaluator("exact").run(model, {"x": x, "y": y})
    for name in names:
        np.testing.assert_array_equal(found[f"{name}_out"], want[f"{name}_out"], err_msg=name)
        assert found[f"{name}_out"].dtype == want[f"{name}_out"].dtype


def test_division_of_uint64_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ConversionError, match="uint64"):
        write(built(("trunc_div",), dtypes.uint64), tmp_path / "m")


def test_beyond_the_range_of_float8_lies_nan(tmp_path: Path) -> None:
    model = Model("cast")
    x = model.graph.add_input(TensorType(dtypes.float32, (5,)), "x")
    b = Builder(model.graph)
    out = b.cast(b.cast(x, to=dtypes.float8_e4m3fn), to=dtypes.float32)
    out.name = "y"
    model.graph.set_outputs([out])
    model.signature = Signature((Parameter("x", Leaf("x")),), Leaf("y"))
    write(model, tmp_path / "m")
    values = np.array([1.1, 464, -464.1, np.inf, np.nan], np.float32)
    runner = PackageRunner(tmp_path / "m")
    try:
        found = runner({"x": values})["y"]
    finally:
        runner.close()
    np.testing.assert_array_equal(found, Evaluator("exact").run(model, {"x": values})["y"])
