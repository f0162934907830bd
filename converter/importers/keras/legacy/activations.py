"""Activations that Keras 1 and 2 computed otherwise than Keras 3, as functions of `keras.ops`."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any


def hard_sigmoid_of_keras_2(x: Any) -> Any:
    """clip(0.2 x + 0.5, 0, 1), as Keras 1 and 2 had it; the slope in Keras 3 is 1/6."""
    from keras import ops

    return ops.clip(0.2 * x + 0.5, 0.0, 1.0)


def registered(function: Callable[..., Any]) -> Callable[..., Any]:
    """The function under a name that Keras can save and find again, which Bidirectional needs for its second half."""
    from keras import saving

    name = f"isomorph>{function.__name__}"
    if saving.get_registered_object(name) is None:
        saving.register_keras_serializable("isomorph", function.__name__)(function)
    return function
