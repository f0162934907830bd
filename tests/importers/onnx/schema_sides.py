"""For each op and version at which ONNX changed a definition: models on both sides of the change.

A `Side` is one model with its inputs and what it answers: according to ONNX Runtime, or as written where that has no
kernel; or the words of its refusal. A table entry whose sides are `moved` says the same in two forms.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import onnx
from onnx import TensorProto

from tests.importers.onnx.models import floats, model

F8 = TensorProto.FLOAT8E4M3FN


@dataclass(frozen=True)
class Side:
    """One model. `want` replaces ONNX Runtime; `refused` is what the refusal says."""

    proto: onnx.ModelProto
    feed: Mapping[str, np.ndarray] = field(default_factory=dict)
    want: tuple[np.ndarray, ...] | None = None
    refused: str = ""


@dataclass(frozen=True)
class Case:
    """Models on both sides. Their answers differ, unless `moved`: what they say has only another form."""

    sides: tuple[Side, ...]
    moved: bool = False


CASES: dict[tuple[str, int], Callable[[], Case]] = {}


def change(*keys: tuple[str, int]) -> Callable[[Callable[..., Case]], Callable[..., Case]]:
    """Enter the case of these (op, version) pairs; a function of several gets the op as its argument."""

    def enter(make: Callable[..., Case]) -> Callable[..., Case]:
        for op, version in keys:
            if (op, version) in CASES:
                raise ValueError(f"{op}-{version} has two cases")
            CASES[op, version] = (lambda op=op: make(op)) if len(keys) > 1 else make
        return make

    return enter


def side(
    opset: int, made: Any, stored: Mapping[str, Any] | None = None, outputs: str = "y", refused: str = "",
    want: Any = None, **feed: Any,
) -> Side:  # fmt: skip
    """A model of one node (or several) at an opset; float32 and int64 inputs are declared from their values."""
    arrays = {k: np.asarray(v) for k, v in feed.items()}
    kinds = [(k, onnx.helper.np_dtype_to_tensor_dtype(a.dtype), a.shape) for k, a in arrays.items()]
    nodes = [made] if isinstance(made, onnx.NodeProto) else made
    wanted = None if want is None else tuple(np.asarray(w) for w in (want if isinstance(want, tuple) else (want,)))
    return Side(model(nodes, kinds, outputs.split(), stored, opset=opset), arrays, wanted, refused)


X = floats(2, 3, 4, seed=5)
IMAGE = floats(1, 2, 5, 6, seed=6)
TIES = np.array([[3, 1, 3], [0, 2, 0]], np.float32)
LINE = np.arange(7, dtype=np.float32)[None, None]
