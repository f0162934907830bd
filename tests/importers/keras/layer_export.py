"""One layer as a model, written as PyTorch and ONNX and run: the numbers of Keras, in training too where PyTorch has it."""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import Any

import numpy as np

from converter.exporters.base import ExportOptions
from converter.importers.keras import load
from converter.prepare import prepare
from ir.core import Model
from ir.types import dtype
from tests.importers.keras.layer_case import Case, changing, keras_answer, sample
from tests.ops.harness import assert_close

TARGETS = ("torch", "onnx")


def check_written(case: Case, model: Any, to: str) -> None:
    """Raises AssertionError where what is written computes something else; ConversionError where it is refused."""
    found = load(model, None)
    prepare(found, target=to)
    with tempfile.TemporaryDirectory() as folder:
        if to == "torch":
            _torch(case, model, found, Path(folder))
        else:
            _onnx(case, model, found, Path(folder))


def _onnx(case: Case, model: Any, found: Model, folder: Path) -> None:
    from converter.exporters.onnx import write
    from converter.runtimes.onnxruntime import OnnxRunner

    path = folder / "model.onnx"
    write(found, path, ExportOptions())
    runner = OnnxRunner(path)
    for batch in (3, 1):
        arrays = sample(case, batch)
        want, _ = keras_answer(model, found, arrays, False)
        _same(case, f"batch {batch}", runner(dict(zip(found.input_types, arrays))), want)


def _torch(case: Case, model: Any, found: Model, folder: Path) -> None:
    from tests.exporters.torch import package

    module = package.export(found, folder / "package")
    for batch in (3, 1):
        net = module.load_model()  # anew: a stateful layer goes on where it stopped
        arrays = sample(case, batch)
        want, _ = keras_answer(model, found, arrays, False)
        _same(case, f"batch {batch}", package.run(net.eval(), found, dict(zip(found.input_types, arrays))), want)
    if case.random:
        return
    arrays, net = sample(case, 3), module.load_model()
    given = dict(zip(found.input_types, arrays))
    want, after = _trained(case, model, found, arrays)
    _same(case, "in training", package.run(net.train(), found, given), want)
    _same(case, "after training", package.run(net.eval(), found, given), after)


def _trained(case: Case, model: Any, found: Model, arrays: list[np.ndarray]) -> tuple[dict[str, np.ndarray], ...]:
    """Keras in training, and in inference afterwards; its variables are put back."""
    before = [(v, np.array(v.value)) for v in changing(model)]
    try:
        names = found.signature.output_names
        results = [model([np.asarray(a) for a in arrays], training=mode) for mode in (True, False)]
        import keras

        return tuple(
            dict(zip(names, (np.asarray(keras.ops.convert_to_numpy(x)) for x in keras.tree.flatten(r)), strict=True))
            for r in results
        )
    finally:
        for variable, value in before:
            variable.assign(value)


def _same(case: Case, what: str, got: dict[str, np.ndarray], want: dict[str, np.ndarray]) -> None:
    for name, array in want.items():
        assert got[name].shape == array.shape, f"{what}, {name}: {got[name].shape}, Keras gives {array.shape}"
        assert got[name].dtype == array.dtype, f"{what}, {name}: {got[name].dtype}, Keras gives {array.dtype}"
        try:
            assert_close(got[name], array, dtype(array.dtype), case.rtol or 2e-4)
        except AssertionError as error:
            raise AssertionError(f"{what}, {name}: {error}") from None
