"""Tensors of sizes: functions that make them from nothing are the backend's own."""

from __future__ import annotations

from typing import Any

from converter.importers.keras.context import KerasContext, rule
from ir.core import Value
from ir.types import dtype as as_dtype


def _full(name: str, number: float) -> None:
    def convert(c: KerasContext, shape: Any, dtype: Any = None) -> Value:
        return filled(c, shape, number, dtype)

    rule.add(f"backend.numpy.{name}", convert, name)


for _name, _number in (("zeros", 0), ("ones", 1)):
    _full(_name, _number)


def filled(c: KerasContext, shape: Any, number: Any, kind: Any) -> Value:
    """A tensor of one number."""
    from keras import config

    wanted = as_dtype(kind or config.floatx())
    return c.b.expand(c.number(number, wanted), shape=c.dims(shape))


@rule("backend.numpy.arange")
def arange(c: KerasContext, start: Any, stop: Any = None, step: Any = None, dtype: Any = None) -> Value:
    """Sizes decide the bounds; numbers of tensors are another matter (`ops.Arange`)."""
    if stop is None:
        start, stop = 0, start
    step = 1 if step is None else step
    kind = dtype or c.result_type(*(x for x in (start, stop, step)))
    return c.b.arange(start=c.dim(start), stop=c.dim(stop), step=c.dim(step), dtype=as_dtype(kind))
