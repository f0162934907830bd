"""Matrix products, the linear layer and Einstein sums."""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import Any

import numpy as np

from ir.ops.contraction import GraphBackend, NumpyBackend, contract, label_sizes, parse
from ir.ops.registry import op
from ir.ops.sampler import Sample, Sampler
from ir.types import TensorType, broadcast_shapes, dtypes, require_same


@op
class Matmul:
    """NumPy's matrix product: the last two axes multiply, those before broadcast; a 1-D operand is a row or a column."""

    inputs = ("x: numeric", "y: x")

    @staticmethod
    def infer(x: TensorType, y: TensorType) -> TensorType:
        if not x.rank or not y.rank:
            raise ValueError(f"matmul needs operands of rank 1 or more, got {x} and {y}")
        require_same(x.shape[-1], y.shape[-2:][0], "matmul")
        batch = broadcast_shapes(x.shape[:-2], y.shape[:-2], why="matmul batch")
        return x.with_shape((*batch, *x.shape[-2:-1], *(y.shape[-1:] if y.rank > 1 else ())))

    @staticmethod
    def evaluate(x: np.ndarray, y: np.ndarray) -> np.ndarray:
        return np.matmul(x, y)

    @staticmethod
    def samples(s: Sampler) -> Iterator[Sample]:
        yield s.case(s.floats(2, 3), s.floats(3, 4), dynamic=((0, 0), (1, 1)))
        yield s.case(s.floats(5, 2, 3), s.floats(3, 4), dynamic=((0, 0), (0, 1)))
        yield s.case(s.floats(5, 2, 3), s.floats(5, 3, 4), dynamic=((0, 0), (1, 0), (0, 1)))
        yield s.case(s.floats(2, 1, 2, 3), s.floats(5, 3, 4), dynamic=((0, 0),))
        yield s.case(s.floats(2, 3), s.floats(5, 3, 4))
        yield s.case(s.floats(3), s.floats(3))
        yield s.case(s.floats(3), s.floats(2, 3, 4))
        yield s.case(s.floats(2, 4, 3), s.floats(3))
        yield s.case(s.floats(2, 0), s.floats(0, 3))
        yield s.case(s.floats(0, 2), s.floats(2, 3))
        yield s.case(s.ints(2, 3, dtype=dtypes.int32), s.ints(3, 4, dtype=dtypes.int32))
        yield s.case(
            s.ints(2, 300, low=-100, dtype=dtypes.int8), s.ints(300, 2, low=-100, dtype=dtypes.int8), name="wraps"
        )
        yield s.case(s.complexes(2, 3), s.complexes(3, 2))
        yield s.case(s.floats(2, 3), s.floats(4, 2), error=ValueError, name="inner sizes")
        yield s.case(s.floats(), s.floats(2), error=ValueError, name="0-d")
        yield s.case(s.floats(2, 2, 3), s.floats(3, 3, 2), error=ValueError, name="batch sizes")


@op
class Linear:
    """x @ weight.T + bias over the last axis: the dense layer."""

    inputs = ("x: inexact", "weight: x", "bias?: x")
    roles = {"weight": "O I"}

    @staticmethod
    def infer(x: TensorType, weight: TensorType, bias: TensorType | None) -> TensorType:
        if not x.rank or weight.rank != 2:
            raise ValueError(f"linear needs a weight of rank 2 and an input of rank 1 or more, got {weight} and {x}")
        require_same(x.shape[-1], weight.shape[1], "linear input features and weight")
        if bias is not None:
            if bias.rank != 1:
                raise ValueError(f"linear: bias must be 1-D, got {bias}")
            require_same(bias.shape[0], weight.shape[0], "linear bias and output features")
        return x.with_shape((*x.shape[:-1], weight.shape[0]))

    @staticmethod
    def evaluate(x: np.ndarray, weight: np.ndarray, bias: np.ndarray | None) -> np.ndarray:
        rows = x.reshape(math.prod(x.shape[:-1]), x.shape[-1])  # one product, not one for each batch
        out = np.matmul(rows, weight.T).reshape(*x.shape[:-1], weight.shape[0])
        return out if bias is None else out + bias

    @staticmethod
    def decompose(b: Any, x: Any, weight: Any, bias: Any) -> Any:
        out = b.matmul(x, b.transpose(weight, perm=(1, 0)))
        return out if bias is None else b.add(out, bias)

    @staticmethod
    def samples(s: Sampler) -> Iterator[Sample]:
        yield s.case(s.floats(2, 3), s.floats(4, 3), s.floats(4), dynamic=((0, 0),))
        yield s.case(s.floats(2, 5, 3), s.floats(3, 3), s.floats(3), dynamic=((0, 0), (0, 1)))
        yield s.case(s.floats(2, 3), s.floats(4, 3), None)
        yield s.case(s.floats(3), s.floats(4, 3), s.floats(4))
        yield s.case(s.floats(0, 3), s.floats(4, 3), s.floats(4))
        yield s.case(s.floats(2, 0), s.floats(4, 0), s.floats(4))
        yield s.case(s.complexes(2, 3), s.complexes(4, 3), s.complexes(4))
        yield s.case(s.floats(2, 3), s.floats(3, 4), None, error=ValueError, name="weight the wrong way round")


@op
class Einsum:
    """Einstein summation in NumPy's notation: `...`, diagonals by repeated letters, implicit output, sizes of 1 stretch."""

    inputs = ("xs*: numeric",)
    equation: str

    @staticmethod
    def infer(xs: tuple[TensorType, ...], equation: str) -> TensorType:
        if not xs:
            raise ValueError("einsum needs at least one operand")
        if len({x.dtype for x in xs}) > 1:
            raise TypeError(f"einsum: operands must have one dtype, got {', '.join(str(x.dtype) for x in xs)}")
        parsed = parse(equation, [x.rank for x in xs])
        for labels, x in zip(parsed.operands, xs):
            for label in labels:
                sizes = [d for c, d in zip(labels, x.shape) if c == label]
                for size in sizes[1:]:
                    require_same(sizes[0], size, f"einsum diagonal {label}")
        sizes_of = label_sizes(parsed, [x.shape for x in xs])
        return xs[0].with_shape(sizes_of[label] for label in parsed.output)

    @staticmethod
    def evaluate(xs: tuple[np.ndarray, ...], equation: str) -> np.ndarray:
        out = contract(parse(equation, [x.ndim for x in xs]), xs, NumpyBackend())
        return np.asarray(out, xs[0].dtype)

    @staticmethod
    def decompose(b: Any, xs: tuple[Any, ...], equation: str) -> Any:
        return contract(parse(equation, [x.type.rank for x in xs]), xs, GraphBackend(b))

    @staticmethod
    def samples(s: Sampler) -> Iterator[Sample]:
        rows = (
            ("ij,jk->ik", (2, 3), (3, 4)), ("ij,jk", (2, 3), (3, 4)), ("ij,kj->ki", (2, 3), (4, 3)), ("ba,ca", (2, 3), (4, 3)),
            ("bhqd,bhkd->bhqk", (2, 3, 4, 5), (2, 3, 6, 5)), ("bqhd,bkhd->bhqk", (2, 4, 3, 5), (2, 6, 3, 5)),
            ("...ij,...jk->...ik", (2, 1, 3, 4), (5, 4, 2)), ("i...,i...", (3, 2, 1), (3, 5)), ("...,...", (2, 3), (3,)),
            ("ii->i", (3, 3)), ("ii", (3, 3)), ("iji->ij", (3, 2, 3)), ("ij->ji", (2, 3)), ("ij->", (2, 3)), ("ijk->k", (2, 3, 4)),
            ("ij->ij", (2, 3)), ("i,j->ij", (2,), (3,)), ("i,i->", (3,), (3,)), ("i,i->i", (3,), (3,)), ("ij,i->ij", (2, 3), (2,)),
            ("i,ij->ji", (2,), (2, 3)), (",ij->ij", (), (2, 3)), ("->", ()), ("ij,jk,kl->il", (2, 3), (3, 4), (4, 5)),
            ("bi,oij,bj->bo", (2, 3), (4, 3, 5), (2, 5)), ("ij,jk->", (2, 3), (3, 4)), ("ij,jk->ik", (2, 1), (3, 4)),
            ("bij,bjk->bik", (1, 2, 3), (5, 3, 4)), ("iij,jk->ik", (3, 3, 2), (2, 4)), ("Ab,bC", (2, 3), (3, 4)),
            (" i j , j -> i ", (2, 3), (3,)),
            ("ij,jk->ik", (2, 0), (0, 3)), ("abc,cd,be->dea", (2, 3, 4), (4, 5), (3, 2)), ("i,j,k->kji", (2,), (3,), (4,)),
        )  # fmt: skip
        for equation, *shapes in rows:
            yield s.case(tuple(s.floats(*shape) for shape in shapes), equation=equation)
        yield s.case((s.ints(2, 3), s.ints(3, 4)), equation="ij,jk->ik")
        yield s.case((s.complexes(2, 3), s.complexes(3)), equation="ij,j")
        for equation in ("ij,jk", "i->i", "ijk->k", "ij->ik", "ij->ii", "i.j->i", "ij->i->j"):
            yield s.case((s.floats(2, 3),), equation=equation, error=ValueError, name="malformed")
        yield s.case((s.floats(2, 3), s.floats(4, 3)), equation="ij,jk", error=ValueError, name="sizes differ")
        yield s.case((s.floats(2, 3),), equation="ii", error=ValueError, name="diagonal of unequal axes")


@op
class GroupedMatmul:
    """Rows of x before ends[0] times weight[0], from there to ends[1] times weight[1], and so on; zeros behind the last.

    The product of sorted tokens with their experts (`torch.nn.functional.grouped_mm`). `ends` must not decrease.
    """

    inputs = ("x: float", "weight: x", "ends: index")

    @staticmethod
    def infer(x: TensorType, weight: TensorType, ends: TensorType) -> TensorType:
        if (x.rank, weight.rank, ends.rank) != (2, 3, 1):
            raise ValueError(f"grouped_matmul needs operands of ranks 2, 3 and 1, got {x}, {weight} and {ends}")
        require_same(x.shape[1], weight.shape[1], "grouped_matmul features and weight")
        require_same(weight.shape[0], ends.shape[0], "grouped_matmul weights and groups")
        return x.with_shape((x.shape[0], weight.shape[2]))

    @staticmethod
    def evaluate(x: np.ndarray, weight: np.ndarray, ends: np.ndarray) -> np.ndarray:
        bounds = [0, *(int(e) for e in ends)]
        if sorted(bounds) != bounds or bounds[-1] > len(x):
            raise ValueError(f"grouped_matmul: ends {bounds[1:]} must rise from 0 to at most {len(x)}")
        out = np.zeros((len(x), weight.shape[2]), x.dtype)
        for start, end, w in zip(bounds, bounds[1:], weight):
            out[start:end] = np.matmul(x[start:end], w)
        return out

    @staticmethod
    def decompose(b: Any, x: Any, weight: Any, ends: Any) -> Any:
        """Every row by every weight, of which its own is kept."""
        rows = b.unsqueeze(b.arange(start=0, stop=x.type.shape[0], step=1, dtype=ends.type.dtype), axes=(0,))
        behind = b.cast(b.greater_equal(rows, b.unsqueeze(ends, axes=(1,))), to=dtypes.int64)
        group = b.reduce_sum(behind, axes=(0,))
        numbers = b.arange(start=0, stop=weight.type.shape[0], step=1, dtype=dtypes.int64)
        own = b.unsqueeze(b.equal(group, b.unsqueeze(numbers, axes=(1,))), axes=(2,))
        every = b.matmul(b.unsqueeze(x, axes=(0,)), weight)
        return b.reduce_sum(b.where(own, every, b.constant(0, x.type.dtype)), axes=(0,))

    @staticmethod
    def samples(s: Sampler) -> Iterator[Sample]:
        for ends in ((2, 3, 6), (0, 6, 6), (1, 1, 4), (0, 0, 0)):
            yield s.case(s.floats(6, 4), s.floats(3, 4, 5), np.array(ends), dynamic=((0, 0),))
        yield s.case(s.floats(6, 4), s.floats(2, 4, 5), np.array((3, 6), np.int32))
        yield s.case(s.floats(3, 4), s.floats(1, 4, 1), np.array((3,)))
        yield s.case(s.floats(0, 4), s.floats(2, 4, 3), np.array((0, 0)))
        yield s.case(s.floats(2, 4), s.floats(2, 4, 3), np.array((2, 1)), error=ValueError, name="falling")
        yield s.case(s.floats(2, 4), s.floats(2, 4, 3), np.array((2, 3)), error=ValueError, name="beyond")
        yield s.case(s.floats(2, 4), s.floats(2, 3, 4), np.array((1, 2)), error=ValueError, name="inner sizes")
        yield s.case(s.floats(2, 4), s.floats(4, 3), np.array((1, 2)), error=ValueError, name="one weight")
