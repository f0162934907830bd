"""Text that is one of known words, and integers as text, against TensorFlow's own results."""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

pytest.importorskip("tensorflow")
import tensorflow as tf

from converter.errors import ConversionError
from tests.importers.tensorflow.harness import load
from tests.importers.tensorflow.test_tables import same, table

WORDS = ["cat", "Dog", "bird", "cat"]
X = np.array([[0, 3, 1], [2, 2, 1]])


def words(x: Any) -> Any:
    return tf.gather(WORDS, x)


def ids(text: Any) -> Any:
    """A number for each word, so that what the words are can be seen."""
    return numbers().lookup(text)


@functools.cache
def numbers() -> Any:
    with tf.init_scope():
        return table(tf.constant(["cat", "Dog", "bird", "dog", "12"]), tf.constant([7, 5, 3, 2, 1], "int64"), -1)


CASES: dict[str, Callable[[Any], Any]] = {
    "reshaped": lambda x: ids(tf.reshape(words(x), [3, -1])),
    "moved": lambda x: ids(tf.transpose(tf.expand_dims(words(x), 0))[1:, :, 0]),
    "joined": lambda x: ids(tf.concat([["dog", "none"], tf.reshape(words(x), [-1]), ["cat"]], 0)),
    "stacked": lambda x: ids(tf.stack([words(x), tf.fill(tf.shape(x), "Dog")])),
    "chosen": lambda x: ids(tf.where(x > 1, words(x), "dog")),
    "equal": lambda x: tf.cast(words(x) == "cat", "int64") + tf.cast(words(x) != words(x[:1]), "int64"),
    "counted": lambda x: tf.shape(words(x), out_type="int64")[0] + x,
    "lowered": lambda x: ids(tf.strings.lower(words(x))),
    "length": lambda x: tf.strings.length(words(x)),
    "hashed": lambda x: tf.strings.to_hash_bucket_fast(words(x), 1000),
    "hashed strongly": lambda x: tf.strings.to_hash_bucket_strong(words(x), 1000, [3, 4]),
    "replaced": lambda x: ids(tf.strings.regex_replace(words(x), "[A-Z]", "d")),
    "matched": lambda x: tf.strings.regex_full_match(words(x), ".*[rt]"),
    "to numbers": lambda x: tf.strings.to_number(tf.gather(["1.5", "-2", "inf", "12"], x)),
    "digits": lambda x: ids(tf.strings.as_string(x + 10)),
    "digits of int8": lambda x: ids(tf.strings.as_string(tf.reshape(tf.cast(x + 10, "int8"), [-1]))),
    "truth": lambda x: tf.strings.length(tf.strings.as_string(x > 1)),
    "chosen by a branch": lambda x: ids(tf.cond(tf.reduce_sum(x) > 7, lambda: words(x), lambda: words(3 - x))),
}


@pytest.mark.parametrize("name", CASES)
def test_words(name: str) -> None:
    same(CASES[name], X)


REFUSED: dict[str, tuple[Callable[[Any], Any], str]] = {
    "digits of floats": (lambda x: ids(tf.strings.as_string(tf.cast(x, "float32"))), "float32 as text"),
    "padded digits": (lambda x: ids(tf.strings.as_string(x, width=3)), "numbers as text with width=3"),
    "hash of digits": (lambda x: tf.strings.to_hash_bucket_fast(tf.strings.as_string(x), 9), "not known at conversion"),
    "no number": (lambda x: tf.strings.to_number(words(x)), "makes nothing of one of the words"),
    "result": (words, "it is a text"),
}


@pytest.mark.parametrize("name", REFUSED)
def test_refused(name: str) -> None:
    call, reason = REFUSED[name]
    with pytest.raises(ConversionError, match=reason):
        load(tf.function(call).get_concrete_function(tf.TensorSpec([None, 3], "int64", "x")))
