"""Losses as functions."""

from __future__ import annotations

from typing import Any

from converter.importers.keras.context import KerasContext, rule
from converter.importers.keras.operands import axis_of, on_tensorflow
from ir.core import Value


def _epsilon() -> float:
    from keras import config

    return float(config.epsilon())


@rule("ops.BinaryCrossentropy", "ops.CategoricalCrossentropy", "ops.SparseCategoricalCrossentropy")
def crossentropy(c: KerasContext, op: Any, target: Any, output: Any) -> Any:
    """On TensorFlow, probabilities that come straight out of a sigmoid or softmax count as the logits that went in."""
    form = type(op).__name__
    logits, given = bool(op.from_logits), c.value(output)
    before = given.producer.op.name if given.producer is not None else ""
    if on_tensorflow() and not logits and before == ("sigmoid" if form.startswith("Binary") else "softmax"):
        logits, given = True, given.producer.operand("x")  # type: ignore[union-attr]
    if given.type.dtype.is_half:
        c.refuse("a loss in half precision", "cast the outputs to float32")
    compute = {"BinaryCrossentropy": _binary, "CategoricalCrossentropy": _categorical}.get(form, _sparse)
    axis = axis_of(getattr(op, "axis", -1), given.type.rank)
    with c.tracer.spelling():
        return compute(c, c.tensor(c.value(target)), c.tensor(given), logits, axis)


def _binary(c: KerasContext, target: Any, output: Any, logits: bool, _: int) -> Any:
    from keras import ops

    if logits:
        rest = ops.log1p(ops.exp(ops.negative(ops.abs(output))))
        return ops.add(ops.subtract(ops.relu(output), ops.multiply(output, target)), rest)
    output = ops.clip(output, _epsilon(), 1.0 - _epsilon())
    hit = ops.multiply(target, ops.log(output))
    return ops.negative(ops.add(hit, ops.multiply(ops.subtract(1, target), ops.log(ops.subtract(1, output)))))


def _log_probabilities(output: Any, logits: bool, axis: int) -> Any:
    from keras import ops

    if logits:
        return ops.log_softmax(output, axis=axis)
    output = ops.divide(output, ops.sum(output, axis=axis, keepdims=True))
    return ops.log(ops.clip(output, _epsilon(), 1.0 - _epsilon()))


def _categorical(c: KerasContext, target: Any, output: Any, logits: bool, axis: int) -> Any:
    from keras import ops

    logs = _log_probabilities(output, logits, axis)
    return ops.negative(ops.sum(ops.multiply(target, logs), axis=axis))


def _sparse(c: KerasContext, target: Any, output: Any, logits: bool, axis: int) -> Any:
    """TensorFlow takes the logarithms of clipped probabilities as logits; the others make them sum to 1 before."""
    from keras import ops

    if len(target.shape) == len(output.shape) and target.shape[-1] == 1:
        target = ops.squeeze(target, -1)
    if on_tensorflow() and not logits:
        output, logits = ops.log(ops.clip(output, _epsilon(), 1.0 - _epsilon())), True
    logs: Value = c.value(_log_probabilities(output, logits, axis))
    index = c.value(target, "int64")
    wide = c.b.unsqueeze(index, axes=(index.type.rank,))
    if not on_tensorflow():
        return ops.negative(ops.sum(ops.multiply(ops.one_hot(target, output.shape[axis]), c.tensor(logs)), axis=axis))
    found = c.b.gather_elements(logs, wide, axis=logs.type.rank - 1, neg="invalid")
    return c.b.neg(c.b.squeeze(found, axes=(index.type.rank,)))
