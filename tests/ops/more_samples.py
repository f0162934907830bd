"""Samples that only the tests of the ops run: places where a branch of a rule begins, and shapes that tell axes apart."""

from __future__ import annotations

import zlib
from collections.abc import Callable, Iterator

import numpy as np

from ir.ops import get
from ir.ops.sampler import Sample, Sampler
from ir.types import DType, dtypes
from tests.ops.harness import Case

Make = Callable[[Sampler], Iterator[Sample]]


def softplus(s: Sampler) -> Iterator[Sample]:
    yield s.case(s.floats(3, 4), beta=2.0)


def hard_tanh(s: Sampler) -> Iterator[Sample]:
    yield s.case(s.floats(3, 4), min=0.5, max=0.5, name="one value")


def floor_div(s: Sampler) -> Iterator[Sample]:
    x = [68.86865997314453, 72.4273452758789, 94.56487831625512, 72.46036050312414, -68.86865997314453, -94.56487831625512]
    y = [2.7797274589538574, 6.345043182373047, 1.5017253586485324, 2.8388172382724823, 2.7797274589538574, 1.5017253586485324]
    kind = s.float_dtype.numpy
    yield s.case(np.array(x, kind), np.array(y, kind), name="quotients that round to below a whole number")


def attention(s: Sampler) -> Iterator[Sample]:
    """Other ranks than the usual four, heads that see less than others, and one key or none."""

    def qkv(*batch: int, q: int = 3, k: int = 5) -> tuple[np.ndarray, ...]:
        return s.floats(*batch, q, 7), s.floats(*batch, k, 7), s.floats(*batch, k, 2)

    for batch in ((4,), (2, 1, 3)):
        yield s.case(*qkv(*batch), causal=True)
        yield s.case(*qkv(*batch), s.bools(3, 5))
        yield s.case(*qkv(*batch), s.floats(*batch, 3, 5), causal=True)
    for batch in ((), (2, 1)):
        three = s.floats(*batch, 6, 3, 7), s.floats(*batch, 3, 5, 7), s.floats(*batch, 3, 5, 2)
        yield s.case(*three, grouped=True, name="two query heads each")
        yield s.case(*three, s.bools(6, 3, 5), grouped=True)
    blind = np.ones((2, 4, 3, 5), np.bool_)
    blind[0, 1, 0] = False  # in one head alone
    yield s.case(*qkv(2, 4), blind)
    yield s.case(*qkv(2, 4, k=1), blind[..., :1], name="one key, not always seen")
    for batch in ((2, 4), (4,)):
        yield s.case(*qkv(*batch, k=0), s.bools(3, 0), name="no keys")
        yield s.case(*qkv(*batch, k=0), causal=True, name="no keys")


def einsum(s: Sampler) -> Iterator[Sample]:
    yield s.case((s.floats(2, 3, 3),), equation="ijj->ij", name="a later diagonal")
    yield s.case((s.floats(2, 3, 2, 3),), equation="ijkj")
    yield s.case((s.floats(4, 2), s.floats(4, 3)), equation="bi,bj->bij")
    yield s.case((s.floats(4, 2), s.floats(4)), equation="bi,b->bi")
    yield s.case((s.floats(4), s.floats(4, 2)), equation="b,bi->bi")
    for kind in (dtypes.int8, dtypes.int32):
        yield s.case((s.ints(3, 4, low=-90, high=90, dtype=kind),), equation="ij->j", name="sums wrap")


def conv_transpose(s: Sampler) -> Iterator[Sample]:
    settings = {"strides": (1,), "dilations": (1,), "output_padding": (0,)}
    yield s.case(s.floats(2, 3, 1), s.floats(3, 2, 2), None, padding=((1, 1),), **settings, name="nothing left")


def arange(s: Sampler) -> Iterator[Sample]:
    for start, stop, step in ((0.5, 4, 1), (0, 2.5, 1), (0, 2, 0.75), (5, 1.5, -2), (0, -1, 1)):
        yield s.case(start=start, stop=stop, step=step, dtype=s.float_dtype)


MORE: dict[str, Make] = {f.__name__: f for f in (softplus, hard_tanh, floor_div, attention, einsum, conv_transpose, arange)}


def more_cases(name: str, kind: DType) -> list[Case]:
    """The further samples of an op, in a float type."""
    sampler = Sampler(zlib.crc32(name.encode()), kind)
    return [(f"{name}-{kind}-{i}-{s.name}", get(name), s) for i, s in enumerate(MORE[name](sampler))]
