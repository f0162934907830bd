"""Functions on nests of tensors, as loops and branches call them, traced into bodies."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from converter.importers.base import Refusal
from converter.importers.keras.bodies import trace
from converter.importers.keras.context import KerasContext
from converter.importers.keras.tensors import Size
from ir.core import Graph, Value
from ir.types import TensorType
from ir.types.errors import AttributeValueError

_MAX_SYMBOLS = 64


def traced(c: KerasContext, name: str, types: Sequence[TensorType], call: Callable[..., Any]) -> tuple[Graph, Any]:
    """A function on tensors of these types as a body, and the nest of values that it returns (None stays None)."""
    from keras import tree

    results: list[Any] = []

    def code(*values: Value) -> list[Value]:
        found = tree.map_structure(lambda x: None if x is None else initial(c, x), call(*(c.tensor(v) for v in values)))
        results.append(found)
        return [v for v in tree.flatten(found) if v is not None]

    body = trace(c, name, [(f"{name}_{i + 1}", t) for i, t in enumerate(types)], code)
    return body, results[0]


def initial(c: KerasContext, item: Any) -> Value:
    """What a loop starts from, or a body returns; a Python number has the dtype that a tensor of it has."""
    from keras import config

    if isinstance(item, Size):
        return c.value(item)
    if isinstance(item, bool):
        return c.value(item, "bool")
    if isinstance(item, int):
        return c.value(item, "int32")
    return c.value(item, config.floatx()) if isinstance(item, float) else c.value(item)


def with_symbols(c: KerasContext, make: Callable[[tuple[str, ...]], Any]) -> Any:
    """Make a node with as many names for sizes known only inside its bodies as it turns out to need."""
    names: tuple[str, ...] = ()
    while True:
        try:
            return make(names)
        except AttributeValueError:
            if len(names) >= _MAX_SYMBOLS:
                raise
            names = (*names, c.fresh_size("inner"))


def same_nest(first: Any, second: Any, what: str) -> None:
    """Raise Refusal unless two nests of tensors have one structure."""
    from keras import tree

    try:
        tree.assert_same_structure(first, second)
    except (ValueError, TypeError):
        raise Refusal(f"{what} of different structures", "return the same nest of tensors") from None
