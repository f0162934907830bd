"""One interface over everything that can run a model: NumPy arrays in, NumPy arrays out, by flat name."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Protocol

import numpy as np

from converter.errors import ConversionError, UsageError
from ir.core.signature import result_tree
from ir.types import TensorType


class RuntimeFailure(ConversionError):
    """The model was found but failed while running; the message carries the runtime's own words."""

    exit_code = 4


class Runner(Protocol):
    """A loaded model. `input_types` and results are keyed by flat name, in signature order."""

    name: str
    input_types: Mapping[str, TensorType]

    def __call__(self, inputs: Mapping[str, np.ndarray]) -> dict[str, np.ndarray]:
        """Run once. Raises RuntimeFailure when the runtime does."""
        ...

    def close(self) -> None:
        """Free the process or session."""
        ...


def check_inputs(inputs: Mapping[str, np.ndarray], types: Mapping[str, TensorType]) -> None:
    """Raise UsageError where names, dtypes or ranks do not fit the signature, naming every problem at once."""
    from ir.types import dtype

    problems = [f"{name} is missing" for name in types if name not in inputs]
    problems += [f"{name} is no input (inputs: {', '.join(types) or 'none'})" for name in inputs if name not in types]
    for name, expected in types.items():
        if name not in inputs:
            continue
        array = inputs[name]
        fits = dtype(array.dtype) == expected.dtype and array.ndim == expected.rank
        fits = fits and all(not isinstance(d, int) or d == n for d, n in zip(expected.shape, array.shape, strict=True))
        if not fits:
            problems.append(f"{name} must be {expected}, got {array.dtype}{list(array.shape)}")
    if problems:
        raise UsageError("the inputs do not fit: " + "; ".join(problems))


def flatten_result(result: Any, is_leaf: Any, names: tuple[str, ...]) -> dict[str, Any]:
    """A callable's result as flat leaves; raises RuntimeFailure when its structure is not the signature's.

    A Python number is a leaf where the signature has one: a size, or a number read from a tensor. Others are constants.
    """
    _, pairs = result_tree(result, lambda x: is_leaf(x) or isinstance(x, (bool, int, float)))
    found = {name: value for name, value in pairs if is_leaf(value) or name in names}
    if set(found) != set(names):
        raise RuntimeFailure(
            f"the model returned {', '.join(found) or 'nothing'}, its signature says {', '.join(names)}"
        )
    return {name: found[name] for name in names}
