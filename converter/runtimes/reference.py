"""Runs a model in the IR's own evaluator."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from converter.runtimes.base import InTurn, RuntimeFailure, check_inputs
from ir.core import Model
from ir.eval import Evaluator, bind_shape
from ir.eval.evaluator import Mode
from ir.types import TensorType


class ReferenceRunner(InTurn):
    """The IR evaluator: float64 by default, the declared dtypes with mode `exact`. Refuses sizes that the model assumes
    away, as what is written from it does."""

    def __init__(self, model: Model, mode: Mode = "reference") -> None:
        self.name = f"ir-{mode}"
        self.model = model
        self.input_types: Mapping[str, TensorType] = model.input_types
        self._evaluator = Evaluator(mode)

    def in_turn(self, calls: Sequence[Mapping[str, np.ndarray]]) -> list[dict[str, np.ndarray]]:
        """The outputs of each call; floats are float64 in mode `reference`."""
        for inputs in calls:
            check_inputs(inputs, self.input_types)
            self._check_sizes(inputs)
        return self._evaluator.run_in_turn(self.model, calls)

    def _check_sizes(self, inputs: Mapping[str, np.ndarray]) -> None:
        sizes: dict[str, int] = {}
        for name, kind in self.input_types.items():
            bind_shape(kind.shape, inputs[name].shape, sizes)
        for assumption in self.model.assumptions:
            if not assumption.allows(sizes):
                left, relation, right = assumption.relation
                raise RuntimeFailure(f"this model needs {left} {relation} {right} ({assumption.why})")

    def close(self) -> None:
        """Nothing to free."""
