"""Random draws: the distribution is carried over, not the numbers of one generator."""

from __future__ import annotations

from typing import Any

from converter.importers import draws
from converter.importers.keras.context import KerasContext, rule
from converter.importers.keras.operands import axis_of
from ir.core import Value
from ir.types import DType, dtypes
from ir.types import dtype as as_dtype


def _kind(kind: Any) -> DType:
    from keras import config

    return as_dtype(kind or config.floatx())


def _number(c: KerasContext, item: Any, what: str) -> float:
    if isinstance(item, (int, float)):
        return float(item)
    c.refuse(f"a {what} that a tensor holds", "scale the numbers of the standard distribution")


@rule("random.normal")
def normal(
    c: KerasContext, shape: Any, mean: Any = 0.0, stddev: Any = 1.0, dtype: Any = None, seed: Any = None
) -> Value:
    numbers = {"mean": _number(c, mean, "mean"), "std": _number(c, stddev, "deviation")}
    return c.b.random_normal(shape=c.dims(shape), dtype=_kind(dtype), **numbers)


@rule("random.uniform")
def uniform(
    c: KerasContext, shape: Any, minval: Any = 0.0, maxval: Any = 1.0, dtype: Any = None, seed: Any = None
) -> Value:
    low, high, kind = _number(c, minval, "bound"), _number(c, maxval, "bound"), _kind(dtype)
    if not kind.is_float:
        return randint(c, shape, minval, maxval, dtype)
    return c.b.random_uniform(shape=c.dims(shape), low=low, high=high, dtype=kind)


@rule("random.randint")
def randint(c: KerasContext, shape: Any, minval: Any, maxval: Any, dtype: Any = "int32", seed: Any = None) -> Value:
    """The whole part of uniform numbers, drawn in float64."""
    low, high = _number(c, minval, "bound"), _number(c, maxval, "bound")
    return c.cast(draws.whole(c.b, c.dims(shape), low, high), dtype or "int32")


@rule("random.truncated_normal")
def truncated_normal(
    c: KerasContext, shape: Any, mean: Any = 0.0, stddev: Any = 1.0, dtype: Any = None, seed: Any = None
) -> Value:
    """Within two deviations."""
    numbers = _number(c, mean, "mean"), _number(c, stddev, "deviation")
    kind = _kind(dtype)
    drawn = draws.truncated_normal(c.b, c.dims(shape))
    scaled = c.b.add(c.b.mul(drawn, c.number(numbers[1], dtypes.float64)), c.number(numbers[0], dtypes.float64))
    return c.cast(scaled, kind)


@rule("random.categorical")
def categorical(c: KerasContext, logits: Any, num_samples: Any, dtype: Any = "int32", seed: Any = None) -> Value:
    found = draws.categories(c.b, c.value(logits), c.dim(num_samples))
    return c.cast(found, dtype or "int32")


@rule("random.shuffle")
def shuffle(c: KerasContext, x: Any, axis: int = 0, seed: Any = None) -> Value:
    value = c.value(x)
    return draws.shuffled(c.b, value, axis_of(axis, value.type.rank))


@rule("random.dropout")
def dropout(c: KerasContext, inputs: Any, rate: float, noise_shape: Any = None, seed: Any = None) -> Value:
    """A draw each time it is called, in inference, too. Axes of `noise_shape` that are 1 share their decisions."""
    value = c.value(inputs)
    if not rate:
        return value
    shape = noise_shape if noise_shape is not None else (None,) * value.type.rank
    if len(shape) != value.type.rank:
        c.refuse("a noise shape of another rank than the inputs'", "give one entry for each axis")
    shared = tuple(i for i, n in enumerate(shape) if n is not None and c.dim(n) == 1 and value.type.shape[i] != 1)
    others = [i for i, n in enumerate(shape) if n is not None and i not in shared]
    if any(c.dim(shape[i]) != value.type.shape[i] for i in others):
        c.refuse(f"a noise shape of {tuple(shape)}")
    return c.b.dropout(value, p=float(rate), broadcast_axes=shared, always=True)


for _name, _reason in {
    "gamma": "draws of a gamma distribution", "beta": "draws of a beta distribution", "binomial": "draws of a binomial distribution",
}.items():  # fmt: skip

    def _refuse(c: KerasContext, *_: Any, reason: str = _reason, **__: Any) -> Value:
        c.refuse(
            f"{reason}, whose number of steps is itself random", "draw them outside the model and give them as an input"
        )

    rule.add(f"random.{_name}", _refuse, _name)
