"""Runs a live Keras model in inference mode, by the signature its importer found."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from converter.frameworks import require
from converter.runtimes.base import InTurn, RuntimeFailure, check_inputs, flatten_result
from ir.core import Model
from ir.core.signature import Branch, Tree, call_arguments
from ir.types import TensorType, dtype


def moving_variables(model: Any) -> list[Any]:
    """What a call may change: variables that do not train, and the states of stateful layers, which Keras lists nowhere."""
    import keras

    found = list(model.non_trainable_variables)
    for layer in model._flatten_layers():
        states = getattr(layer, "states", None) if getattr(layer, "stateful", False) else None
        found += [v for v in keras.tree.flatten(states) if isinstance(v, keras.Variable)]
    return found


class LiveKerasRunner(InTurn):
    """A `keras.Model` or layer. What calls change (stateful layers) is put back."""

    def __init__(self, source: Any, model: Model) -> None:
        self._keras = require("keras")
        self.name = f"keras-{self._keras.config.backend()}"
        self._model = source
        self._signature = model.signature
        self.input_types: Mapping[str, TensorType] = model.input_types

    def in_turn(self, calls: Sequence[Mapping[str, np.ndarray]]) -> list[dict[str, np.ndarray]]:
        """The outputs of each call. Raises UsageError on misfitting inputs, RuntimeFailure when the model raises."""
        for inputs in calls:
            check_inputs(inputs, self.input_types)
        before = [(v, self._keras.ops.copy(v.value)) for v in moving_variables(self._model)]
        try:
            results = [self._call(self._leaves(inputs)) for inputs in calls]
        except Exception as error:  # whatever a backend raises is the model's own failure
            text = (str(error).strip().splitlines() or [type(error).__name__])[0]
            raise RuntimeFailure(f"the Keras model failed: {text}") from error
        finally:
            for variable, value in before:
                variable.assign(value)
        return [self._found(result) for result in results]

    def _leaves(self, inputs: Mapping[str, np.ndarray]) -> dict[str, Any]:
        to_tensor = self._keras.ops.convert_to_tensor
        return {n: to_tensor(a, dtype=self.input_types[n].dtype.name) for n, a in inputs.items()}

    def _found(self, result: Any) -> dict[str, np.ndarray]:
        result = _as_read(result, self._signature.result)
        found = flatten_result(result, self._is_tensor, self._signature.output_names)
        return {name: self._array(value) for name, value in found.items()}

    def _is_tensor(self, item: Any) -> bool:
        return bool(self._keras.ops.is_tensor(item))

    def _call(self, leaves: Mapping[str, Any]) -> Any:
        graph = getattr(self._model, "_functional", None) or self._model
        if hasattr(graph, "_inputs_struct") and hasattr(graph, "_nodes"):
            packed = self._keras.tree.pack_sequence_as(graph._inputs_struct, list(leaves.values()))
            return self._model(packed, training=False)
        args, kwargs = call_arguments(self._signature, leaves, plain_by_name=True)
        if self._model._call_has_context_arg.get("training", False):
            kwargs["training"] = False
        return self._model(*args, **kwargs)

    def _array(self, value: Any) -> np.ndarray:
        """The numbers in the dtype that the backend's tensor has."""
        if type(value).__module__.startswith("torch"):
            from converter.runtimes.live_torch import to_array

            return to_array(require("torch"), value)
        array = np.asarray(value)
        return array.astype(dtype(array.dtype).numpy, copy=False)

    def close(self) -> None:
        """Nothing to free."""


def _as_read(result: Any, tree: Tree) -> Any:
    """The result with plain tuples where the model was read with such: backends name the fields of some (`ops.top_k`)."""
    if not isinstance(tree, Branch):
        return result
    if tree.kind == "dict" and isinstance(result, Mapping) and set(result) == set(tree.keys):
        return {key: _as_read(result[key], child) for key, child in zip(tree.keys, tree.children, strict=True)}
    if tree.kind in ("tuple", "list") and isinstance(result, (tuple, list)) and len(result) == len(tree.children):
        return [_as_read(item, child) for item, child in zip(result, tree.children, strict=True)]
    return result
