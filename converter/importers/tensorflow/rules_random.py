"""Random draws: the distribution is carried over, not the numbers of one generator, whatever the seed."""

from __future__ import annotations

from converter.importers import draws
from converter.importers.tensorflow.context import TensorflowContext
from converter.importers.tensorflow.handles import Handle
from converter.importers.tensorflow.table import rule
from ir.core import Value
from ir.types import Dim, DType, dtypes

EXACT = 2**53
"""Up to here float64 holds every whole number."""


class Seed(Handle):
    """What a generator is told: no draw of the IR reads it."""

    what = "seed of random numbers"


@rule("StatelessRandomGetKeyCounter", "StatelessRandomGetKeyCounterAlg", "StatelessRandomGetAlg")
def seeds(c: TensorflowContext) -> list[Handle]:
    return [Seed() for _ in range(c.outputs)]


def _setting(c: TensorflowContext) -> tuple[Dim, ...]:
    """The shape. The seeds, which are attributes or operands, do not count."""
    c.ignore(*(n for n in ("seed", "seed2") if n in c.definition.defaults))
    return c.dims(0, "the shape")


def _kind(c: TensorflowContext) -> DType:
    kind = c.attr("dtype")
    if not isinstance(kind, DType) or not kind.is_float:
        c.refuse(f"draws of {kind}")
    return kind


@rule("RandomUniform", "StatelessRandomUniform", "StatelessRandomUniformV2")
def uniform(c: TensorflowContext) -> Value:
    """From 0 up to but without 1."""
    return c.b.random_uniform(shape=_setting(c), dtype=_kind(c))


@rule("RandomStandardNormal", "StatelessRandomNormal", "StatelessRandomNormalV2")
def normal(c: TensorflowContext) -> Value:
    return c.b.random_normal(shape=_setting(c), dtype=_kind(c))


@rule("TruncatedNormal", "StatelessTruncatedNormal", "StatelessTruncatedNormalV2")
def truncated_normal(c: TensorflowContext) -> Value:
    """Within two deviations."""
    return c.cast(draws.truncated_normal(c.b, _setting(c)), _kind(c))


@rule("RandomUniformInt", "StatelessRandomUniformInt", "StatelessRandomUniformIntV2")
def whole(c: TensorflowContext) -> Value:
    """From the first bound up to but without the second."""
    shape, at = _setting(c), len(c.inputs) - 2
    c.ignore("dtype") if "Int" in c.op and c.op.startswith("Stateless") else None
    kind = c.type(at).dtype
    low, high = (int(c.fixed(i, "a bound of draws").reshape(())) for i in (at, at + 1))
    if not -EXACT <= low < high <= EXACT:
        c.refuse(f"draws of whole numbers from {low} to {high}, which float64 does not hold")
    return c.cast(draws.whole(c.b, shape, low, high), kind)


@rule("RandomShuffle", "StatelessShuffle")
def shuffle(c: TensorflowContext) -> Value:
    """Slices along the first axis in random order."""
    if c.op == "RandomShuffle":
        c.ignore("seed", "seed2")
    return draws.shuffled(c.b, c.x(0), 0) if c.rank(0) else c.x(0)


@rule("Multinomial", "StatelessMultinomial")
def multinomial(c: TensorflowContext) -> Value:
    """`num_samples` classes for each row, by their logits."""
    kind = c.attr("output_dtype")
    if c.op == "Multinomial":
        c.ignore("seed", "seed2")
    if c.rank(0) != 2 or not c.type(0).dtype.is_float:
        c.refuse(f"logits {c.type(0)}")
    count = c.dim(c.elements(c.ref(1), "the number of draws").reshape(-1)[0])
    return c.cast(draws.categories(c.b, c.x(0), count), kind if isinstance(kind, DType) else dtypes.int64)
