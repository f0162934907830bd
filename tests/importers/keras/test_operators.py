"""Python's operators in the code of a model: what they are on the backend's tensors, not on Keras' symbolic ones."""

from __future__ import annotations

import operator
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from tests.importers.keras.harness import agree

keras = pytest.importorskip("keras")
A = np.array([12, 7, -9, 5], "int32")
B = np.array([3, 2, 4, -1], "int32")
P = np.array([True, True, False, False])
X = np.array([1.5, 0.0, -2.0, 0.0], "float32")


class Operated(keras.Model):
    """A model whose call is one function of two tensors."""

    def __init__(self, function: Callable[[Any, Any], Any]) -> None:
        super().__init__()
        self.function = function

    def call(self, a: Any, b: Any) -> Any:
        return self.function(a, b)


@pytest.mark.parametrize("of", [operator.and_, operator.or_, operator.xor])
@pytest.mark.parametrize("inputs", [(A, B), (P, P[::-1].copy())], ids=["integers", "booleans"])
def test_bits(of: Callable[[Any, Any], Any], inputs: tuple[np.ndarray, np.ndarray]) -> None:
    agree(Operated(of), inputs)


def test_bits_of_numbers() -> None:
    agree(Operated(lambda a, b: (a & 6, 6 | a, a ^ 1, ~a)), (A, B))
    agree(Operated(lambda a, b: (~a, a & True, a | False)), (P, P))


@pytest.mark.skipif(keras.backend.backend() != "tensorflow", reason="what TensorFlow's tensors do")
def test_division_of_integers() -> None:
    read = agree(Operated(lambda a, b: (a / b, a / 4, 4 / b, a // b, a % b)), (A, B))
    assert [str(v.type.dtype) for v in read.graph.outputs] == ["float64"] * 3 + ["int32"] * 2
    mean = Operated(lambda a, b: a / keras.ops.shape(b)[0])
    read = agree(mean, (A, B), inputs=("int32[n]", "int32[n]"))
    assert [str(v.type.dtype) for v in read.graph.outputs] == ["float64"]
    small = [v.astype("int16") for v in (A, B)]
    read = agree(Operated(lambda a, b: a / b), small)
    assert [str(v.type.dtype) for v in read.graph.outputs] == ["float32"]


@pytest.mark.skipif(keras.backend.backend() != "tensorflow", reason="what TensorFlow's tensors do")
def test_multiplied_by_booleans() -> None:
    read = agree(Operated(lambda a, b: (a * b, b * a, a * 2, b * True)), (P, X))
    assert [str(v.type.dtype) for v in read.graph.outputs] == ["bool"] * 3 + ["float32"]


def test_equality() -> None:
    """Element by element, where Keras' symbolic tensors are equal to themselves alone."""
    ops = keras.ops
    agree(Operated(lambda a, b: (a == 7, a == b, 7 == a, a != 7, ops.where(b == 4, a, b))), (A, B), (B, B))
    agree(Operated(lambda a, b: (a == b, a == True)), (P, P[::-1].copy()))  # noqa: E712
    agree(Operated(lambda a, b: a if b is None or b == None else a + b), (A, B))  # noqa: E711


@pytest.mark.skipif(keras.backend.backend() != "tensorflow", reason="what TensorFlow's tensors do")
def test_rests_by_numbers() -> None:
    for kind in ("uint8", "int16", "int64"):
        values = [np.array([7, 5, 1, 3], kind), np.array([3, 2, 4, 1], kind)]
        read = agree(Operated(lambda a, b: (a % 3, 5 % a, a % b, a & 3, 6 ^ a)), values)
        assert [str(v.type.dtype) for v in read.graph.outputs] == [kind] * 5
