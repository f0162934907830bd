"""A bound on what a configuration may allocate before its weights are read."""

from __future__ import annotations

import contextlib
import math
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from converter.errors import UsageError

SLACK = 1 << 22
"""Elements that a model may have without a file having them: seeds, states of stateful layers."""


@contextlib.contextmanager
def variables(path: Path, stored: int) -> Iterator[None]:
    """Inside the block no more elements of Keras variables are made than `stored`, the elements that the file holds, and
    some. Raises UsageError at the variable that would go past it, before it is allocated."""
    from keras.src.backend.common import variables as keras_variables

    original = keras_variables.Variable._validate_shape
    total = 0

    def counted(self: Any, shape: Any) -> Any:
        nonlocal total
        checked = original(self, shape)
        total += math.prod(checked)
        if total > stored + SLACK:
            raise UsageError(f"{path}: the model would take {total} numbers or more, the file holds {stored}")
        return checked

    keras_variables.Variable._validate_shape = counted
    try:
        yield
    finally:
        keras_variables.Variable._validate_shape = original
