"""Operations that are written as others of `keras.ops`: a rule in Keras' own words, on traced tensors."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from converter.importers.keras.context import KerasContext, rule


def spelled(*keys: str) -> Callable[[Callable[..., Any]], Callable[..., Any]]:
    """A rule whose function gets the operation and its arguments, arrays and variables as traced tensors, and computes
    with `keras.ops`. Every node it makes belongs to the operation."""

    def register(fn: Callable[..., Any]) -> Callable[..., Any]:
        def convert(c: KerasContext, op: Any, *args: Any, **kwargs: Any) -> Any:
            from keras import tree

            args, kwargs = tree.map_structure(c.tracer.lifted, (args, kwargs))
            with c.tracer.spelling():
                return fn(op, *args, **kwargs)

        for key in keys:
            rule.add(key, convert, fn.__name__)
        return fn

    return register
