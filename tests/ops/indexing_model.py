"""Models of one node, built from the recorded indexing cases."""

from __future__ import annotations

from typing import Any

import numpy as np

from ir.core import Builder, Model
from ir.core.signature import Leaf, Signature
from ir.eval import EvaluationError, Evaluator
from ir.ops import get
from ir.types import type_of

_OPERANDS = {
    "slice": {"data": "x"},
    "slice_update": {"data": "x"},
    "dynamic_slice": {"data": "x"},
    "dynamic_update_slice": {"data": "x"},
}
_NEEDS_SYMBOL = ("mask_select", "compress", "nonzero")


def array(record: dict[str, Any]) -> np.ndarray:
    """The array of a case record; NaN and infinities are strings there."""
    flat = np.array(record["values"], dtype=object).reshape(-1)
    values = [float(v) if isinstance(v, str) else v for v in flat]
    return np.array(values, dtype=record["dtype"]).reshape(record["shape"])


def arguments(case: dict[str, Any]) -> tuple[dict[str, Any], dict[str, Any]]:
    """Operands (arrays, or tuples of them) and attributes of the op, under its own names."""
    rename = _OPERANDS.get(case["op"], {})
    operands: dict[str, Any] = {rename.get(k, k): array(v) for k, v in case["inputs"].items()}
    attrs = dict(case["attrs"])
    if case["op"].startswith("index_"):
        names = [k for k in operands if k not in ("data", "updates")]
        attrs["spec"] = [[e[0], names.index(e[1])] if e[0] == "array" else e for e in attrs["spec"]]
        operands = {k: v for k, v in operands.items() if k not in names} | {"arrays": tuple(operands[k] for k in names)}
    if case["op"].startswith("dynamic_"):
        operands["starts"] = tuple(np.array(k) for k in attrs.pop("starts"))
    if case["op"] in _NEEDS_SYMBOL:
        attrs["symbol"] = "count"
    return operands, attrs


def evaluate(
    name: str, operands: dict[str, Any], attrs: dict[str, Any], mode: str = "exact", lowered: bool = False
) -> np.ndarray:
    """Build the model and run it; raises what the op raised."""
    model, feeds, handles = Model(signature=Signature((), Leaf("output"))), {}, {}

    def add(label: str, value: np.ndarray) -> Any:
        feeds[label] = value
        return model.graph.add_input(type_of(value), label)

    for key, value in operands.items():
        handles[key] = (
            tuple(add(f"{key}{i}", v) for i, v in enumerate(value)) if isinstance(value, tuple) else add(key, value)
        )
    b, op = Builder(model.graph), get(name)
    out = op.decompose(b, **handles, **op.complete(attrs)) if lowered else b.op(op, **handles, **attrs)
    model.graph.set_outputs([out])
    try:
        return Evaluator(mode=mode).run(model, feeds)["output"]
    except EvaluationError as error:
        raise error.__cause__ or error from None


def vjp(case: dict[str, Any]) -> dict[str, np.ndarray]:
    """The canonical gradients of a case, by the case's operand names."""
    operands, attrs = arguments(case)
    op = get(case["op"])
    grads = op.vjp(array(case["grad"]["cotangent"]), **operands, **op.complete(attrs))
    back = {v: k for k, v in _OPERANDS.get(case["op"], {}).items()}
    return {back.get(k, k): v for k, v in grads.items()}
