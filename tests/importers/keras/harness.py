"""A Keras model or function read into the IR, against Keras itself: what every test of the importer shares."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from converter.importers.base import ImportOptions
from converter.importers.keras import load
from converter.runtimes.live_keras import LiveKerasRunner
from ir.core import Model
from ir.eval import Evaluator
from ir.types import dtype
from ir.verify import check
from tests.ops.harness import assert_close


def function(call: Callable[..., Any], *arrays: Any, dynamic: Sequence[int] = (0,)) -> Any:
    """A functional model of a function of keras.ops: one input an array, the axes `dynamic` open."""
    import keras

    inputs = [
        keras.Input(batch_shape=tuple(None if i in dynamic else n for i, n in enumerate(a.shape)), dtype=a.dtype.name)
        for a in arrays
    ]
    return keras.Model(inputs, call(*inputs))


def agree(model: Any, *samples: Sequence[Any], inputs: Any = None, **options: Any) -> Model:
    """Read a model; its exact evaluation must equal Keras' own answer on every sample, in value, dtype and shape.

    `samples` are lists of arrays, one for each input in order. Returns what was read.
    """
    read = load(model, list(samples[0]) if inputs is None else inputs, options=ImportOptions(**options))
    check(read)
    runner = LiveKerasRunner(model, read)
    for sample in samples:
        given = {n: np.asarray(a) for n, a in zip(read.input_types, sample, strict=True)}
        want = runner(given)
        got = Evaluator("exact").run(read, given)
        assert list(got) == list(want)
        for name, array in want.items():
            kind = read.output_types[name].dtype
            assert got[name].dtype == array.dtype, f"{name}: {got[name].dtype}, Keras gives {array.dtype}"
            assert got[name].shape == array.shape, f"{name}: {got[name].shape}, Keras gives {array.shape}"
            assert_close(got[name], array, kind)
    return read


def resized(arrays: Sequence[np.ndarray], axis: int, size: int) -> list[np.ndarray]:
    """The arrays with another size of one axis, their elements repeated."""
    return [np.take(a, np.arange(size) % a.shape[axis], axis) if a.ndim > axis else a for a in arrays]


__all__ = ["agree", "dtype", "function", "resized"]
