"""Lookup tables, whose contents are known at conversion: what they give are rows of an array."""

from __future__ import annotations

import re

import numpy as np

from converter.importers.lookups import places
from converter.importers.partial.values import Ref, known
from converter.importers.tensorflow.context import TensorflowContext
from converter.importers.tensorflow.handles import Strings
from converter.importers.tensorflow.rules_text import picked
from converter.importers.tensorflow.table import rule
from converter.importers.tensorflow.tables import Contents, Table
from converter.importers.tensorflow.texts import Decimals, Text, as_text
from ir.core import Value
from ir.types import DType, dtypes

_DECIMAL = re.compile(rb"0|-?[1-9][0-9]{0,18}")
_OUTSIDE = "look up outside the model, and give the numbers to it"


def _table(c: TensorflowContext) -> Table:
    found = c.inputs[0]
    if not isinstance(found, Table):
        c.refuse(f"a lookup in a {getattr(found, 'what', 'tensor')}")
    return found


@rule("LookupTableFindV2")
def find(c: TensorflowContext) -> Value | Text:
    """The values of keys, and the default of those that the table does not have: rows of an array, the default its last."""
    table, keys, values = _table(c), c.attr("Tin"), c.attr("Tout")
    if keys != "string" and not (isinstance(keys, DType) and keys.is_integer):
        c.refuse(f"a lookup of {keys}", _OUTSIDE)
    if keys == "string" and isinstance(c.inputs[1], Ref):
        c.refuse("a lookup of text that is a tensor of the run", _OUTSIDE)
    if values != "string" and not isinstance(values, DType):
        c.refuse(f"a lookup that gives {values}", _OUTSIDE)
    c.note("a lookup table holds what it held when the model was converted")
    try:
        held = table.contents(keys, values)
    except ValueError as error:
        c.refuse(f"a table whose contents are not known: {error}", _OUTSIDE)
    at, rows = _text_places(c, held) if keys == "string" else (_integer_places(c, held.keys), held.values)
    return _words(c, at, rows) if values == "string" else _numbers(c, at, rows)


def _numbers(c: TensorflowContext, at: Value, rows: np.ndarray) -> Value:
    """Rows of numbers, behind them the default."""
    whole = c.b.unsqueeze(c.x(2), axes=(0,))
    if len(rows):
        whole = c.b.concat([c.b.constant(rows), whole], axis=0)
    return c.b.gather(whole, at, axis=0, bounds="unchecked", neg="invalid")


def _words(c: TensorflowContext, at: Value, rows: np.ndarray) -> Text:
    """Text of known words, one of which is the default."""
    default = c.inputs[2]
    if not isinstance(default, Strings) or default.content.size != 1 or rows.ndim != 1:
        c.refuse("a lookup that gives several words, or a default that is not known", _OUTSIDE)
    found = [bytes(w) for w in [*rows, *default.content.reshape(-1)]]
    words = tuple(dict.fromkeys(found))
    if len(words) < len(found):
        table = c.b.constant(np.array([words.index(w) for w in found], np.int64))
        at = c.b.gather(table, at, axis=0, bounds="unchecked", neg="invalid")
    return Text(Ref(at.type, at), words)


# -- places -----------------------------------------------------------------------------------------------------------
def _text_places(c: TensorflowContext, held: Contents) -> tuple[Value, np.ndarray]:
    """Where the row of each word is, and the rows that can be asked for at all."""
    asked = c.inputs[1]
    words = [bytes(k) for k in held.keys]
    if isinstance(asked, Decimals):
        which = [i for i, word in enumerate(words) if _DECIMAL.fullmatch(word) and -(2**63) <= int(word) < 2**63]
        numbers = np.array([int(words[i]) for i in which], np.int64)
        return places(c.b, _wide(c, c.value(asked.ref)), numbers), held.values[which]
    text = as_text(asked)
    if text is None:
        c.refuse("a lookup of text that is not known at conversion", _OUTSIDE)
    known_words = {word: i for i, word in enumerate(words)}
    rows = np.array([known_words.get(word, len(words)) for word in text.words], np.int64)
    return picked(c, rows, text), held.values


def _integer_places(c: TensorflowContext, keys: np.ndarray) -> Value:
    return places(c.b, _wide(c, c.x(1)), keys.astype(np.int64))


def _wide(c: TensorflowContext, x: Value) -> Value:
    if x.type.dtype == dtypes.uint64:
        c.refuse("a lookup of uint64, whose large numbers no int64 holds", "cast to int64")
    return c.cast(x, dtypes.int64)


@rule("LookupTableSizeV2")
def size(c: TensorflowContext) -> Ref:
    try:
        return known(dtypes.int64, np.asarray(_table(c).size(), object))
    except ValueError as error:
        c.refuse(f"a table whose contents are not known: {error}")
