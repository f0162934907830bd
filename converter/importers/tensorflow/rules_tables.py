"""Lookup tables of integers and numbers, whose contents are known at conversion."""

from __future__ import annotations

from typing import Any

import numpy as np

from converter.importers.partial.values import Ref, known
from converter.importers.tensorflow.context import TensorflowContext
from converter.importers.tensorflow.table import rule
from converter.importers.tensorflow.tables import Table
from ir.core import Value
from ir.types import DType, dtypes

SPREAD = 4
"""Keys may leave this many numbers between them, on average, to be places of an array."""
_LIVE = "convert the loaded object, `tf.saved_model.load(folder)`, whose tables are filled, or look up outside the model"
_TEXT = "look up outside the model, and give the numbers to it"


def _table(c: TensorflowContext, keys: Any, values: Any) -> tuple[np.ndarray, np.ndarray]:
    """The contents of the table that is the first operand; refused where they are not known, or text."""
    found = c.inputs[0]
    if not isinstance(found, Table):
        c.refuse("a lookup table of a file", _LIVE)
    for kind, what in ((keys, "of text"), (values, "that gives text")):
        if not isinstance(kind, DType):
            c.refuse(f"a lookup {what}", _TEXT)
    if not keys.is_integer:
        c.refuse(f"a lookup of {keys}", _TEXT)
    c.note("a lookup table holds what it held when the model was converted")
    try:
        return found.contents(keys, values)
    except ValueError as error:
        c.refuse(f"a resource that is no lookup table from {keys} to {values}: {error}")


@rule("LookupTableFindV2")
def find(c: TensorflowContext) -> Value:
    """The values of keys, and the default of those that the table does not have: rows of an array, the default its last."""
    keys, values = _table(c, c.attr("Tin"), c.attr("Tout"))
    x, default = c.cast(c.x(1), dtypes.int64), c.x(2)
    rows = c.b.unsqueeze(default, axes=(0,))
    if len(keys):
        rows = c.b.concat([c.b.constant(values), rows], axis=0)
    return c.b.gather(rows, _places(c, x, keys.astype(np.int64)), axis=0, bounds="error", neg="invalid")


def _places(c: TensorflowContext, x: Value, keys: np.ndarray) -> Value:
    """Where each number stands among the keys; behind the last where it does not."""
    b, count = c.b, len(keys)
    if not count:
        return b.mul(x, 0)
    first, span = int(keys.min()), int(keys.max()) - int(keys.min()) + 1
    if span > SPREAD * count:
        equal = b.equal(b.unsqueeze(x, axes=(x.type.rank,)), b.constant(keys))
        return b.reduce_min(b.where(equal, b.constant(np.arange(count)), count), axes=(x.type.rank,))
    inside = b.and_(b.greater_equal(x, first), b.less_equal(x, first + span - 1))
    at = b.sub(b.clip(x, first, first + span - 1), first)
    if not (keys == first + np.arange(count)).all():
        places = np.full(span, count)
        places[keys - first] = np.arange(count)
        at = b.gather(b.constant(places), at, axis=0, bounds="error", neg="invalid")
    return b.where(inside, at, count)


@rule("LookupTableSizeV2")
def size(c: TensorflowContext) -> Ref:
    found = c.inputs[0]
    if not isinstance(found, Table):
        c.refuse("the size of a lookup table of a file", _LIVE)
    try:
        return known(dtypes.int64, np.asarray(found.size(), object))
    except ValueError as error:
        c.refuse(f"a resource that is no lookup table: {error}")
