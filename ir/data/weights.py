"""Weights: named tensors whose bytes may lie in memory, in a mapped file, or behind a function."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Literal

import numpy as np

from ir.types import DType, TensorType, type_of

WeightKind = Literal["parameter", "buffer", "constant"]


class Data:
    """Bytes of a tensor. `type` is known without reading them; `numpy()` reads."""

    type: TensorType

    def numpy(self) -> np.ndarray:
        """The tensor as a read-only array where possible."""
        raise NotImplementedError

    @property
    def nbytes(self) -> int:
        size = 1
        for d in self.type.shape:
            size *= int(d)
        return (size * self.type.dtype.bits + 7) // 8

    def permuted(self, perm: tuple[int, ...]) -> Data:
        """Axes permuted, when read."""
        if perm == tuple(range(len(perm))):
            return self
        shape = tuple(self.type.shape[p] for p in perm)
        return Lazy(lambda: np.ascontiguousarray(self.numpy().transpose(perm)), self.type.with_shape(shape))

    def reshaped(self, shape: tuple[int, ...]) -> Data:
        """Reshaped, when read."""
        return (
            self if shape == self.type.shape else Lazy(lambda: self.numpy().reshape(shape), self.type.with_shape(shape))
        )

    def cast(self, dtype: DType) -> Data:
        """Cast, when read."""
        return (
            self
            if dtype == self.type.dtype
            else Lazy(lambda: self.numpy().astype(dtype.numpy), self.type.with_dtype(dtype))
        )

    def mapped_by(self, fn: Callable[[np.ndarray], np.ndarray], type: TensorType) -> Data:
        """Any other transformation, when read; `type` is the result's."""
        return Lazy(lambda: fn(self.numpy()), type)

    def digest(self) -> str:
        """Hash of dtype, shape and bytes: equal digests are equal tensors."""
        array = np.ascontiguousarray(self.numpy())
        return hashlib.blake2b(str(self.type).encode() + array.tobytes(), digest_size=16).hexdigest()


@dataclass(eq=False)
class Array(Data):
    """Bytes in memory."""

    value: np.ndarray

    def __post_init__(self) -> None:
        self.type = type_of(self.value)

    def numpy(self) -> np.ndarray:
        return self.value


@dataclass(eq=False)
class Mapped(Data):
    """Little-endian bytes in a file, mapped when read; the caller has checked that they lie inside the file."""

    path: Path
    offset: int
    type: TensorType

    def numpy(self) -> np.ndarray:
        shape = tuple(int(d) for d in self.type.shape)
        if 0 in shape:
            return np.empty(shape, self.type.dtype.numpy)
        raw = np.memmap(
            self.path,
            np.uint8,
            mode="r",
            offset=self.offset,
            shape=(int(np.prod(shape, dtype=np.int64)) * self.type.dtype.numpy.itemsize,),
        )
        return raw.view(self.type.dtype.numpy).reshape(shape)


@dataclass(eq=False)
class Lazy(Data):
    """Bytes behind a function, called at every read (nothing is kept)."""

    fn: Callable[[], np.ndarray]
    type: TensorType

    def numpy(self) -> np.ndarray:
        return self.fn()


@dataclass(frozen=True, slots=True)
class Blocks:
    """One axis of a tensor in another order: read as axes of these `sizes`, transposed by `order`, merged again."""

    axis: int
    sizes: tuple[int, ...]
    order: tuple[int, ...]

    @property
    def positions(self) -> np.ndarray:
        """int64: where on the axis each element comes from."""
        count = int(np.prod(self.sizes, dtype=np.int64))
        return np.arange(count).reshape(self.sizes).transpose(self.order).reshape(-1)


@dataclass(frozen=True, slots=True)
class Pieces:
    """A part of a tensor in another order: its `row` (None: all of it), with an axis of that cut into `len(order)` equal
    pieces that follow each other in this `order`. So lie the gates of a recurrent layer, and its two biases in one."""

    row: int | None
    axis: int
    order: tuple[int, ...]

    def of(self, array: np.ndarray) -> np.ndarray:
        """What the record tells of."""
        part = array if self.row is None else array[self.row]
        pieces = np.split(part, len(self.order), self.axis)
        return np.concatenate([pieces[i] for i in self.order], self.axis)


@dataclass(frozen=True, slots=True)
class Weight:
    """A named tensor of the model.

    `parameter`: learned. `buffer`: part of the model's state but not learned (running statistics, position ids).
    `constant`: no name in the source's own state. `trainable` is None where the source does not say.
    `aliases` are further names of the same tensor in the source (tied weights); `persistent` is False for buffers that
    the source keeps out of its checkpoints. `source_name` and `source_axes` say under which other name the source keeps
    the tensor, and which of its axes became each of ours: ours is what `source_pieces` tells of the source's, transposed by
    `source_axes`, once one of its axes was put in the order of `source_blocks`.
    """

    name: str
    data: Data = field(repr=False)
    kind: WeightKind = "parameter"
    trainable: bool | None = None
    aliases: tuple[str, ...] = ()
    persistent: bool = True
    source_name: str | None = None
    source_axes: tuple[int, ...] | None = None
    source_blocks: Blocks | None = None
    source_pieces: Pieces | None = None

    @property
    def type(self) -> TensorType:
        return self.data.type

    def with_data(self, data: Data) -> Weight:
        """The same record with other bytes."""
        return replace(self, data=data)

    def permuted(self, perm: tuple[int, ...]) -> Weight:
        """The same weight with its axes permuted, when read; the record tells how it lies in the source."""
        axes = perm if self.source_axes is None else tuple(self.source_axes[p] for p in perm)
        kept = None if axes == tuple(range(len(axes))) else axes
        return replace(self, data=self.data.permuted(perm), source_axes=kept)

    def reordered(self, axis: int, sizes: tuple[int, ...], order: tuple[int, ...]) -> Weight:
        """The same weight with an axis read as axes of these sizes and transposed, when read.

        Raises ValueError where an axis has been put in another order before: the record tells one.
        """
        if self.source_blocks is not None:
            raise ValueError(f"{self.name} lies in another order than the source's already")
        at = axis if self.source_axes is None else self.source_axes[axis]
        positions = Blocks(axis, sizes, order).positions
        data = self.data.mapped_by(lambda a: np.take(a, positions, axis), self.type)
        return replace(self, data=data, source_blocks=Blocks(at, sizes, order))


def role_permutation(source: str, target: str, rank: int) -> tuple[int, ...]:
    """Axes order that turns a weight laid out as role string `source` into `target`.

    Role strings name axes: `O I S*` is out, in, then all spatial axes; `S* I O` is Keras' convolution kernel.
    `role_permutation("S* I O", "O I S*", 4) == (3, 2, 0, 1)`.
    """
    have, want = _expand(source, rank), _expand(target, rank)
    if sorted(have) != sorted(want):
        raise ValueError(f"roles {source!r} and {target!r} do not name the same axes at rank {rank}")
    return tuple(have.index(axis) for axis in want)


def _expand(roles: str, rank: int) -> list[str]:
    letters = roles.split()
    spatial = rank - sum(1 for r in letters if not r.endswith("*"))
    if spatial < 0:
        raise ValueError(f"role string {roles!r} has more axes than rank {rank}")
    out: list[str] = []
    for letter in letters:
        out += [f"{letter[0]}{i}" for i in range(spatial)] if letter.endswith("*") else [letter]
    if len(out) != rank:
        raise ValueError(f"role string {roles!r} does not fit rank {rank}")
    return out
