"""Text where it is one of known words, or integers in decimal digits."""

from __future__ import annotations

import numpy as np

from converter.importers.partial.values import Ref
from converter.importers.tensorflow import kernels
from converter.importers.tensorflow.context import TensorflowContext
from converter.importers.tensorflow.table import rule
from converter.importers.tensorflow.texts import Decimals, Text, as_text
from ir.core import Value
from ir.types import dtypes

ADVICE = "cut the model behind it: name the tensors that it gives as inputs"


@rule("AsString")
def as_string(c: TensorflowContext) -> Text | Decimals:
    """Integers in decimal digits, and the two words of booleans."""
    for name, default in (("width", -1), ("fill", "")):
        if c.attr(name) != default:
            c.refuse(f"numbers as text with {name}={c.attr(name)!r}", ADVICE)
    c.ignore("precision", "scientific", "shortest")  # of floats
    x = c.x()
    if x.type.dtype.is_bool:
        codes = c.cast(x, dtypes.int64)
        return Text(Ref(codes.type, codes), (b"false", b"true"))
    if not x.type.dtype.is_integer:
        c.refuse(f"{x.type.dtype} as text", ADVICE)
    return Decimals(Ref(x.type, x))


@rule("StringLength", "StringLower", "StringStrip", "StringToHashBucketFast", "StringToHashBucketStrong", "StringToNumber",
      "StringUpper", "StaticRegexFullMatch", "StaticRegexReplace")  # fmt: skip
def of_words(c: TensorflowContext) -> Value | Text:
    """What TensorFlow makes of each word that there can be."""
    found = as_text(c.inputs[0])
    if found is None:
        c.refuse("text that is not known at conversion", ADVICE)
    c.ignore(*(a for a in c.definition.defaults), "num_buckets", "key", "pattern", "rewrite")  # the kernel reads them
    try:
        (made,) = kernels.run(c.node, [np.array(found.words, object)])
    except ValueError as error:
        c.refuse(f"TensorFlow makes nothing of one of the words: {error}", ADVICE)
    if made.dtype == object:
        words = tuple(dict.fromkeys(made.tolist()))
        codes = picked(c, np.array([words.index(w) for w in made], np.int64), found)
        return Text(Ref(codes.type, codes), words)
    return picked(c, made, found)


def picked(c: TensorflowContext, by_word: np.ndarray, text: Text) -> Value:
    """What belongs to each element's word: rows of an array with one for each word."""
    return c.b.gather(c.b.constant(by_word), c.value(text.codes), axis=0, bounds="unchecked", neg="invalid")
