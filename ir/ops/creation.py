"""Ops that make tensors: from attributes, from sizes, or by drawing random numbers."""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import TYPE_CHECKING

import numpy as np

from ir.ops.registry import op
from ir.ops.sampler import Array, Sample, Sampler
from ir.types import Dim, DimExpr, DType, TensorType, ceildiv, dim_max, dtypes, symbol, type_of
from ir.types.attrs import ArrayAttr

if TYPE_CHECKING:
    from ir.core.builder import Builder
    from ir.core.graph import Value

Number = bool | int | float


@op
class Constant:
    """A small tensor fixed at conversion; large ones are weights."""

    value: ArrayAttr

    @staticmethod
    def infer(value: ArrayAttr) -> TensorType:
        return type_of(value.value)

    @staticmethod
    def evaluate(value: ArrayAttr) -> Array:
        return value.value

    @staticmethod
    def samples(s: Sampler) -> Iterator[Sample]:
        yield s.case(value=s.floats(2, 3, edge=True))
        yield s.case(value=s.floats())
        yield s.case(value=s.ints())
        yield s.case(value=s.int_edges("int64"))
        yield s.case(value=s.bools(0, 2))


@op
class Full:
    """A tensor of one repeated value."""

    shape: tuple[Dim, ...]
    value: bool | int | float
    dtype: DType

    @staticmethod
    def infer(shape: tuple[Dim, ...], value: Number, dtype: DType) -> TensorType:
        if any(isinstance(d, int) and d < 0 for d in shape):
            raise ValueError(f"full: negative size in {list(shape)}")
        if not dtype.holds(value):
            raise ValueError(f"full: {value} is not a value of {dtype}")
        return TensorType(dtype, shape)

    @staticmethod
    def evaluate(shape: tuple[int, ...], value: Number, dtype: DType) -> Array:
        return np.full(shape, value, dtype.numpy)

    @staticmethod
    def decompose(b: Builder, shape: tuple[Dim, ...], value: Number, dtype: DType) -> Value:
        if not shape:
            return b.constant(np.asarray(value), dtype)
        return b.expand(b.constant(np.asarray(value), dtype), shape=shape)

    @staticmethod
    def samples(s: Sampler) -> Iterator[Sample]:
        for value in (0.0, -0.0, 1.5, -np.inf, np.nan, 3):
            yield s.case(shape=(2, 3), value=value, dtype=s.float_dtype)
        for kind, value in (
            ("int64", 2**63 - 1),
            ("int32", -7),
            ("uint8", 255),
            ("uint8", 0),
            ("int64", 2.0),
            ("bool", True),
        ):
            yield s.case(shape=(3,), value=value, dtype=kind)
        yield s.case(shape=(), value=False, dtype="bool")
        for size in (16, 17):
            yield s.case(shape=(size,), value=-2.5, dtype=s.float_dtype)
        yield s.case(shape=(0, 2), value=1, dtype="int64")
        yield s.case(shape=(2,), value=256, dtype="uint8", name="out of range", error=ValueError)
        yield s.case(shape=(2,), value=0.5, dtype="int64", name="fraction", error=ValueError)
        yield s.case(shape=(-1,), value=1, dtype="int64", name="negative size", error=ValueError)


@op
class Dim_:
    """A size as a tensor: an int64 scalar."""

    name = "dim"
    size: Dim

    @staticmethod
    def infer(size: Dim) -> TensorType:
        return TensorType(dtypes.int64, ())

    @staticmethod
    def evaluate(size: int) -> Array:
        return np.array(size, np.int64)

    @staticmethod
    def samples(s: Sampler) -> Iterator[Sample]:
        for size in (0, 7, -3):
            yield s.case(size=size)


# -- sequences ------------------------------------------------------------------------------------------------------
def _positions(start: float, stop: float, step: float) -> Array:
    """0, 1, ... for every element of a range with known bounds."""
    return np.arange(int(_range_length(start, stop, step)))


def _range_length(start: Dim | float, stop: Dim | float, step: Dim | float) -> Dim:
    """max(ceil((stop - start) / step), 0); raises ValueError for a step of zero or of unknown sign."""
    if isinstance(step, DimExpr) or step == 0 or not math.isfinite(step):
        raise ValueError(f"a range's step must be a number other than 0, got {step}")
    if not isinstance(step, float) and not isinstance(start, float) and not isinstance(stop, float):
        return dim_max(ceildiv(stop - start, step) if step > 0 else ceildiv(start - stop, -step), 0)
    if isinstance(start, DimExpr) or isinstance(stop, DimExpr):
        raise ValueError("a range with symbolic bounds needs integer bounds and step")
    return max(math.ceil((stop - start) / step), 0)


@op
class Arange:
    """start, start + step, ... up to but without stop. Each element is start + i * step, rounded once."""

    start: Dim | float
    stop: Dim | float
    step: Dim | float
    dtype: DType

    @staticmethod
    def infer(start: Dim | float, stop: Dim | float, step: Dim | float, dtype: DType) -> TensorType:
        if not (dtype.is_integer or dtype.is_float):
            raise TypeError(f"arange: {dtype} is not a real type")
        if dtype.is_integer and any(isinstance(v, float) and not v.is_integer() for v in (start, stop, step)):
            raise ValueError(f"arange: fractional bounds or step with {dtype}")
        return TensorType(dtype, (_range_length(start, stop, step),))

    @staticmethod
    def evaluate(start: float, stop: float, step: float, dtype: DType) -> Array:
        index = _positions(start, stop, step)
        if dtype.is_integer:
            return (index * int(step) + int(start)).astype(dtype.numpy)
        return (index.astype(np.float64) * step + start).astype(dtype.numpy)

    @staticmethod
    def samples(s: Sampler) -> Iterator[Sample]:
        for start, stop, step in ((0, 5, 1), (2, 11, 3), (5, -4, -2), (3, 3, 1), (5, 2, 1), (-3, 4, 2)):
            yield s.case(start=start, stop=stop, step=step, dtype="int64")
        yield s.case(start=0, stop=4, step=1, dtype=s.float_dtype)
        yield s.case(start=-1.0, stop=1.0, step=0.25, dtype=s.float_dtype)
        yield s.case(start=1.0, stop=0.0, step=-0.3, dtype=s.float_dtype)
        yield s.case(start=0, stop=300, step=100, dtype="uint8", name="wraps")
        yield s.case(start=0, stop=4, step=0, dtype="int64", name="no step", error=ValueError)
        yield s.case(start=0, stop=4, step=0.5, dtype="int64", name="fraction", error=ValueError)
        yield s.case(start=0, stop=4, step=1, dtype="bool", name="bool", error=TypeError)


@op
class Range:
    """As `arange`, with bounds and step computed by the graph; `symbol` names the length, known only at run time."""

    inputs = ("start: real", "stop: start", "step: start")
    symbol: str

    @staticmethod
    def infer(start: TensorType, stop: TensorType, step: TensorType, symbol: str) -> TensorType:
        if start.rank or stop.rank or step.rank:
            raise ValueError("range: start, stop and step must be scalars")
        return start.with_shape((_opaque(symbol),))

    @staticmethod
    def evaluate(start: Array, stop: Array, step: Array, symbol: str) -> Array:
        low, high, by = start.item(), stop.item(), step.item()
        if not all(math.isfinite(v) for v in (low, high, by)):
            raise ValueError("a range's bounds and step must be finite")
        kind = dtypes.dtype(start.dtype)
        index = _positions(low, high, by)
        return (index * np.asarray(by, kind.numpy) + np.asarray(low, kind.numpy)).astype(kind.numpy)

    @staticmethod
    def samples(s: Sampler) -> Iterator[Sample]:
        for name, (start, stop, step) in (("n", (0, 5, 1)), ("m", (7, -3, -4)), ("k", (3, 3, 1)), ("k", (5, 2, 1))):
            for kind in ("int64", "int32"):
                yield s.case(*(np.array(v, kind) for v in (start, stop, step)), symbol=name)
        for bounds in ((0.5, 2.0, 0.25), (1.0, 0.0, -0.5), (1.0, 1.0, 0.5), (2.0, 1.0, 0.5)):
            yield s.case(*(np.array(v, s.float_dtype.numpy) for v in bounds), symbol="n")
        yield s.case(s.ints(), s.ints(), np.array(0), symbol="n", name="no step", error=ValueError)
        yield s.case(s.ints(2), s.ints(), s.ints(), symbol="n", name="not scalar", error=ValueError)


def _opaque(name: str) -> Dim:
    if not name.isidentifier():
        raise ValueError(f"{name!r} is not a name for a size")
    return symbol(name, opaque=True)


@op
class Eye:
    """Ones on the k-th diagonal (above the main one for positive k), zeros elsewhere."""

    rows: Dim
    cols: Dim
    k: int = 0
    dtype: DType = dtypes.float32

    @staticmethod
    def infer(rows: Dim, cols: Dim, k: int, dtype: DType) -> TensorType:
        if any(isinstance(d, int) and d < 0 for d in (rows, cols)):
            raise ValueError(f"eye: negative size {rows} x {cols}")
        return TensorType(dtype, (rows, cols))

    @staticmethod
    def evaluate(rows: int, cols: int, k: int, dtype: DType) -> Array:
        return np.eye(rows, cols, k).astype(dtype.numpy)

    @staticmethod
    def decompose(b: Builder, rows: Dim, cols: Dim, k: int, dtype: DType) -> Value:
        down = b.unsqueeze(b.arange(start=0, stop=rows, step=1, dtype="int64"), axes=(1,))
        across = b.unsqueeze(b.arange(start=0, stop=cols, step=1, dtype="int64"), axes=(0,))
        return b.cast(b.equal(b.add(down, k), across), to=dtype)

    @staticmethod
    def samples(s: Sampler) -> Iterator[Sample]:
        for rows, cols, k in ((3, 3, 0), (2, 4, 1), (4, 2, -2), (2, 2, 5), (0, 3, 0)):
            yield s.case(rows=rows, cols=cols, k=k, dtype=s.float_dtype)
        for kind in ("int64", "bool"):
            yield s.case(rows=2, cols=3, dtype=kind)
        yield s.case(rows=-1, cols=3, error=ValueError)


@op
class BindDim:
    """The operand, whose value from here on is also the size `symbol`. It must not be negative."""

    inputs = ("x: index",)
    binds_symbol = True
    symbol: str

    @staticmethod
    def infer(x: TensorType, symbol: str) -> TensorType:
        _opaque(symbol)
        if x.rank:
            raise ValueError(f"bind_dim: a size is a scalar, got rank {x.rank}")
        return x

    @staticmethod
    def evaluate(x: Array, symbol: str) -> Array:
        if x < 0:
            raise ValueError(f"the size {symbol} is negative: {x}")
        return x

    @staticmethod
    def samples(s: Sampler) -> Iterator[Sample]:
        for name, value in (("n", 3), ("rows", 0)):
            yield s.case(np.array(value, np.int64), symbol=name)
        yield s.case(np.array(3, np.int32), symbol="n")
        yield s.case(np.array(-1), symbol="n", name="negative", error=ValueError)
        yield s.case(s.ints(2), symbol="n", name="not a scalar", error=ValueError)
        yield s.case(np.array(1), symbol="not a name", error=ValueError)


# -- random numbers -------------------------------------------------------------------------------------------------
class _Random:
    """A tensor of independent draws."""

    random = True

    @staticmethod
    def _type(shape: tuple[Dim, ...], dtype: DType) -> TensorType:
        if not dtype.is_float:
            raise TypeError(f"random numbers are floats, not {dtype}")
        if any(isinstance(d, int) and d < 0 for d in shape):
            raise ValueError(f"negative size in {list(shape)}")
        return TensorType(dtype, shape)


@op
class RandomUniform(_Random):
    """Uniform draws from [low, high)."""

    shape: tuple[Dim, ...]
    low: float = 0.0
    high: float = 1.0
    dtype: DType = dtypes.float32

    @staticmethod
    def infer(shape: tuple[Dim, ...], low: float, high: float, dtype: DType) -> TensorType:
        if not low <= high:
            raise ValueError(f"random_uniform: low {low} is not below high {high}")
        return _Random._type(shape, dtype)

    @staticmethod
    def evaluate(shape: tuple[int, ...], low: float, high: float, dtype: DType, rng: np.random.Generator) -> Array:
        return rng.uniform(low, high, shape).astype(dtype.numpy)

    @staticmethod
    def samples(s: Sampler) -> Iterator[Sample]:
        yield s.case(shape=(2, 3), dtype=s.float_dtype)
        yield s.case(shape=(4,), low=-2.0, high=5.0, dtype=s.float_dtype)
        yield s.case(shape=(4,), low=1.5, high=1.5, dtype=s.float_dtype, name="one value")
        for shape in ((), (0, 3)):
            yield s.case(shape=shape, dtype=s.float_dtype)
        yield s.case(shape=(2,), dtype="int64", name="not float", error=TypeError)
        yield s.case(shape=(2,), low=1.0, high=0.0, name="crossed", error=ValueError)


@op
class RandomNormal(_Random):
    """Normal draws of the given mean and standard deviation."""

    shape: tuple[Dim, ...]
    mean: float = 0.0
    std: float = 1.0
    dtype: DType = dtypes.float32

    @staticmethod
    def infer(shape: tuple[Dim, ...], mean: float, std: float, dtype: DType) -> TensorType:
        if not std >= 0:
            raise ValueError(f"random_normal: the standard deviation {std} is negative")
        return _Random._type(shape, dtype)

    @staticmethod
    def evaluate(shape: tuple[int, ...], mean: float, std: float, dtype: DType, rng: np.random.Generator) -> Array:
        return rng.normal(mean, std, shape).astype(dtype.numpy)

    @staticmethod
    def samples(s: Sampler) -> Iterator[Sample]:
        yield s.case(shape=(2, 3), dtype=s.float_dtype)
        yield s.case(shape=(4,), mean=-2.0, std=5.0, dtype=s.float_dtype)
        for std in (0.0, 0.25):
            yield s.case(shape=(4,), mean=1.5, std=std, dtype=s.float_dtype)
        for shape in ((), (0, 3)):
            yield s.case(shape=shape, dtype=s.float_dtype)
        yield s.case(shape=(2,), dtype="int64", name="not float", error=TypeError)
        yield s.case(shape=(2,), std=-1.0, name="negative", error=ValueError)


@op
class Bernoulli(_Random):
    """1 with probability p, else 0, element by element. Every p must lie in [0, 1]."""

    inputs = ("p: float",)
    dtype: DType

    @staticmethod
    def infer(p: TensorType, dtype: DType) -> TensorType:
        return p.with_dtype(dtype)

    @staticmethod
    def evaluate(p: Array, dtype: DType, rng: np.random.Generator) -> Array:
        if not ((p >= 0) & (p <= 1)).all():
            raise ValueError("bernoulli: a probability outside [0, 1]")
        return (rng.random(p.shape) < p).astype(dtype.numpy)

    @staticmethod
    def decompose(b: Builder, p: Value, dtype: DType) -> Value:
        draw = b.random_uniform(shape=p.type.shape, dtype=p.type.dtype)
        return b.cast(b.less(draw, p), to=dtype)

    @staticmethod
    def samples(s: Sampler) -> Iterator[Sample]:
        for kind in (s.float_dtype, dtypes.bool_, dtypes.int64):
            yield s.case(s.floats(3, 4, low=0.0, high=1.0), dtype=kind)
        yield s.case(s.floats(low=0.0, high=1.0), dtype="bool", name="0-d")
        yield s.case(s.floats(0, 3), dtype="bool", name="empty")
        yield s.case(np.array([0.0, 1.0], s.float_dtype.numpy), dtype="bool", name="certain")
        yield s.case(s.floats(3, low=1.5, high=2.0), dtype="bool", name="above 1", error=ValueError)
        yield s.case(np.array([np.nan], s.float_dtype.numpy), dtype="bool", name="NaN", error=ValueError)
