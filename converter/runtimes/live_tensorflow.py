"""Runs a live TensorFlow function or module, by the signature its importer found."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from converter.frameworks import require
from converter.runtimes.base import InTurn, RuntimeFailure, check_inputs, flatten_result
from ir.core import Model
from ir.core.signature import call_arguments
from ir.types import TensorType


class LiveTensorflowRunner(InTurn):
    """A concrete function, `tf.function`, method or `tf.Module`. `variables` are what calls may change: they are put
    back."""

    name = "tensorflow"

    def __init__(self, source: Any, model: Model, variables: list[Any]) -> None:
        self._tf = require("tensorflow")
        self._source = source
        self._signature = model.signature
        self._variables = variables
        self.input_types: Mapping[str, TensorType] = model.input_types

    def in_turn(self, calls: Sequence[Mapping[str, np.ndarray]]) -> list[dict[str, np.ndarray]]:
        """The outputs of each call. Raises UsageError on misfitting inputs, RuntimeFailure when the function raises."""
        for inputs in calls:
            check_inputs(inputs, self.input_types)
        before = [(v, v.numpy()) for v in self._variables]
        try:
            results = [self._call(inputs) for inputs in calls]
        except Exception as error:  # whatever TensorFlow raises is the function's own failure
            raise RuntimeFailure(f"the TensorFlow function failed: {first_line(error)}") from error
        finally:
            for variable, value in before:
                variable.assign(value)
        found = [flatten_result(r, self._tf.is_tensor, self._signature.output_names) for r in results]
        return [{name: np.asarray(value) for name, value in each.items()} for each in found]

    def _call(self, inputs: Mapping[str, np.ndarray]) -> Any:
        args, kwargs = call_arguments(self._signature, {n: self._tf.constant(a) for n, a in inputs.items()})
        return self._source(*args, **kwargs)

    def close(self) -> None:
        """Nothing to free."""


def first_line(error: Exception) -> str:
    """What went wrong, without the frames of functions that TensorFlow adds."""
    lines = [
        s.strip() for s in str(error).splitlines() if s.strip() and not s.startswith(("Graph execution", "Detected at"))
    ]
    return lines[0] if lines else type(error).__name__
