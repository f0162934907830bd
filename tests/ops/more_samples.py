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


def adaptive_avg_pool(s: Sampler) -> Iterator[Sample]:
    """Windows of one size, which a plain pooling has as well."""
    yield s.case(s.floats(1, 2, 4, 6), output_size=(2, 3))
    yield s.case(s.floats(1, 4, 6, 2), output_size=(4, 2), layout="channels_last")
    yield s.case(s.floats(1, 4, 6, 2), output_size=(None, 3), layout="channels_last")
    yield s.case(s.floats(1, 2, 3, 4, 5), output_size=(3, 2, 1))


def max_pool(s: Sampler) -> Iterator[Sample]:
    """Wide windows with gaps that hang over the end, and none at all."""
    for size, before, after in ((13, 0, 0), (14, 1, 0), (11, 2, 3), (12, 0, 5)):
        settings = {"window": (4,), "strides": (3,), "dilations": (3,), "padding": ((before, after),), "ceil_mode": True}
        yield s.case(s.floats(1, 2, size, low=-9.0, high=-1.0), **settings)


def depth_to_space(s: Sampler) -> Iterator[Sample]:
    """One image, and batches of batches: nothing but the last three axes counts."""
    for lead in ((), (3, 1)):
        for mode in ("DCR", "CRD"):
            yield s.case(s.floats(*lead, 8, 3, 5), block=2, mode=mode)
            yield s.case(s.floats(*lead, 3, 5, 8), block=2, mode=mode, layout="channels_last")


def space_to_depth(s: Sampler) -> Iterator[Sample]:
    for lead in ((), (3, 1)):
        for mode in ("DCR", "CRD"):
            yield s.case(s.floats(*lead, 3, 4, 6), block=2, mode=mode)
            yield s.case(s.floats(*lead, 4, 6, 3), block=2, mode=mode, layout="channels_last")


def reduce_log_sum_exp(s: Sampler) -> Iterator[Sample]:
    yield s.case(s.floats(2, 0, 3), axes=(1,), keepdims=True, name="no elements")
    yield s.case(s.floats(0), axes=None, keepdims=True, name="no elements")


def reduce_l2(s: Sampler) -> Iterator[Sample]:
    yield s.case(np.array([[0, 1, 0], [0, 0, 0], [-1, 0, 0], [3, 0, 4]], s.float_dtype.numpy), axes=(1,), name="unit vectors")


def batch_norm(s: Sampler) -> Iterator[Sample]:
    """The channels before the batch, and no batch."""
    for shape, axis in (((3, 4), 0), ((3,), 0), ((3, 3), 0)):
        vectors = [s.floats(3) for _ in range(3)]
        yield s.case(s.floats(*shape), *vectors, np.abs(s.floats(3)), axis=axis, frozen=True)


MORE: dict[str, Make] = {f.__name__: f for f in (
    softplus, hard_tanh, floor_div, attention, einsum, conv_transpose, arange, adaptive_avg_pool, max_pool, depth_to_space,
    space_to_depth, reduce_log_sum_exp, reduce_l2, batch_norm,
)} | {"adaptive_max_pool": adaptive_avg_pool}  # fmt: skip


def more_cases(name: str, kind: DType) -> list[Case]:
    """The further samples of an op, in a float type."""
    sampler = Sampler(zlib.crc32(name.encode()), kind)
    return [(f"{name}-{kind}-{i}-{s.name}", get(name), s) for i, s in enumerate(MORE[name](sampler))]
