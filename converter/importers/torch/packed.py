"""Packed sequences: kept as padded tensors with lengths while a module is exported.

PyTorch packs the elements of sequences of different lengths side by side, so that every size depends on the lengths. The
recurrent layers of the IR take padded tensors and lengths instead: what `pack_padded_sequence` gives here remembers both,
recurrent layers and `pad_packed_sequence` read these, and the packed elements are computed only for code that looks.
"""

from __future__ import annotations

import contextlib
import functools
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from converter.errors import UsageError
from converter.importers.torch.spelled import asserted

_MARK = "_isomorph_layout"
"""By this attribute a tensor of batch sizes leads back to its layout, where code builds a PackedSequence of its own."""


@dataclass(eq=False)
class Layout:
    """How sequences are packed: `lengths` int64 [batch] in the order of the batch, `time` steps of padded tensors, `longest`
    where the lengths are known numbers. Unless `in_order`, the packed elements are those of the sequences sorted by
    length, longest first."""

    lengths: Any
    time: Any
    longest: int | None
    in_order: bool

    @functools.cached_property
    def order(self) -> Any:
        import torch

        return None if self.in_order else torch.sort(self.lengths, descending=True, stable=True)[1]

    @functools.cached_property
    def back(self) -> Any:
        import torch

        return None if self.in_order else torch.sort(self.order, stable=True)[1]

    @functools.cached_property
    def sorted(self) -> Layout:
        """The same sequences in the order in which they are packed."""
        return self if self.in_order else Layout(self.lengths[self.order], self.time, self.longest, True)

    @functools.cached_property
    def steps(self) -> Any:
        """The length of the longest sequence."""
        import torch

        if self.longest is not None:
            return self.longest
        found = self.lengths.max().item()
        torch._check(found >= 0)
        torch._check(found <= self.time)
        return found

    def inside(self, steps: Any) -> Any:
        """Whether a step belongs to a sequence, of so many steps: bool [time, batch]."""
        import torch

        return torch.arange(steps, device=self.lengths.device).unsqueeze(1) < self.lengths

    @functools.cached_property
    def places(self) -> Any:
        """Step and sequence of each packed element."""
        return self.sorted.inside(self.time).nonzero(as_tuple=True)

    @functools.cached_property
    def batch_sizes(self) -> Any:
        """How many sequences have each step."""
        found = self.inside(self.steps).sum(1)
        setattr(found, _MARK, self)
        return found

    def pack(self, padded: Any) -> Any:
        """The packed elements of a tensor [time, batch, ...]."""
        x = padded if self.in_order else padded.index_select(1, self.order)
        return x[self.places]

    def pad(self, data: Any) -> Any:
        """The tensor [time, batch, ...] of packed elements, zero elsewhere."""
        x = data.new_zeros((self.time, self.lengths.shape[0], *data.shape[1:])).index_put(self.places, data)
        return x if self.in_order else x.index_select(1, self.back)


@dataclass(eq=False)
class Padded:
    """Sequences as a padded tensor; `clean` says that it is zero behind their ends."""

    x: Any
    batch_first: bool
    layout: Layout
    clean: bool

    def along(self, batch_first: bool) -> Any:
        """The tensor with the batch or the time first."""
        return self.x if batch_first == self.batch_first else self.x.transpose(0, 1)


@functools.cache
def packed_class() -> Any:
    """The PackedSequence that remembers its padded tensor; its elements are computed when read."""
    from torch.nn.utils.rnn import PackedSequence

    class Packed(PackedSequence):
        padded: Padded

        def __new__(cls, padded: Padded) -> Any:
            made = tuple.__new__(cls, (None,) * 4)
            made.padded = padded
            return made

        data = functools.cached_property(lambda self: self.padded.layout.pack(self.padded.along(False)))
        batch_sizes = property(lambda self: self.padded.layout.batch_sizes)
        sorted_indices = property(lambda self: self.padded.layout.order)
        unsorted_indices = property(lambda self: self.padded.layout.back)

        def __iter__(self) -> Iterator[Any]:
            return iter((self.data, self.batch_sizes, self.sorted_indices, self.unsorted_indices))

        def __getitem__(self, key: Any) -> Any:
            return tuple(self)[key]

        def _replace(self, **changed: Any) -> Any:
            return PackedSequence(**{name: getattr(self, name) for name in self._fields} | changed)

    for name in ("data", "batch_sizes", "sorted_indices", "unsorted_indices"):
        if isinstance(found := vars(Packed)[name], functools.cached_property):
            found.__set_name__(Packed, name)
    return Packed


def opened(sequence: Any) -> Padded:
    """What a PackedSequence holds; raises UsageError for one that was not packed in the model."""
    if isinstance(sequence, packed_class()):
        return sequence.padded
    layout = getattr(sequence.batch_sizes, _MARK, None)
    if layout is None:
        raise UsageError("a PackedSequence from outside: pass the padded tensor and the lengths, and pack them in forward()")
    layout = layout.sorted if sequence.sorted_indices is None else layout
    return Padded(layout.pad(sequence.data), False, layout, True)


@contextlib.contextmanager
def padded_sequences() -> Iterator[None]:
    """Inside the block `pack_padded_sequence` and its kin are those below, under whatever name they were imported: the
    functions themselves run other code."""
    from torch.nn.utils import rnn

    pairs = (
        (rnn.pack_padded_sequence, _call_pack), (rnn.pad_packed_sequence, _call_pad), (rnn.pack_sequence, _call_pack_sequence),
    )  # fmt: skip
    saved = [(function, function.__code__) for function, _ in pairs]
    namespace: dict[str, Any] = {"_isomorph_pack": _pack, "_isomorph_pad": _pad}
    vars(rnn).update(namespace)
    try:
        for function, stub in pairs:
            function.__code__ = stub.__code__
        yield
    finally:
        for function, code in saved:
            function.__code__ = code
        for name in namespace:
            del vars(rnn)[name]


def _call_pack(input: Any, lengths: Any, batch_first: Any = False, enforce_sorted: Any = True) -> Any:
    return _isomorph_pack(input, lengths, batch_first, enforce_sorted)  # type: ignore[name-defined]  # noqa: F821


def _call_pad(sequence: Any, batch_first: Any = False, padding_value: Any = 0.0, total_length: Any = None) -> Any:
    return _isomorph_pad(sequence, batch_first, padding_value, total_length)  # type: ignore[name-defined]  # noqa: F821


def _call_pack_sequence(sequences: Any, enforce_sorted: Any = True) -> Any:
    lengths = [x.size(0) for x in sequences]
    return _isomorph_pack(pad_sequence(sequences), lengths, False, enforce_sorted)  # type: ignore[name-defined]  # noqa: F821


def _pack(x: Any, lengths: Any, batch_first: bool, enforce_sorted: bool) -> Any:
    import torch

    numbers = None
    if not isinstance(lengths, torch.Tensor):
        items = list(lengths)
        known = all(isinstance(n, int) for n in items)
        numbers = [int(n) for n in items] if known else None
        lengths = torch.tensor(numbers) if known else torch.stack([torch.full((), n, dtype=torch.int64) for n in items])
    lengths = lengths.to(torch.int64)
    time = x.shape[1 if batch_first else 0]
    layout = Layout(lengths, time, None if numbers is None else max(numbers), enforce_sorted)
    if numbers is None:
        fits, what = (lengths >= 1) & (lengths <= time), "lengths from 1 to the number of steps"
        if enforce_sorted:
            fits, what = torch.cat([fits, lengths[1:] <= lengths[:-1]]), f"{what}, the longest first"
        asserted(fits.all(), f"pack_padded_sequence: {what}")
    elif min(numbers) < 1 or (enforce_sorted and numbers != sorted(numbers, reverse=True)):
        raise UsageError(f"pack_padded_sequence: lengths {numbers} are not positive, or not sorted")
    return packed_class()(Padded(x, batch_first, layout, False))


def _pad(sequence: Any, batch_first: bool, padding_value: float, total_length: Any) -> Any:
    import torch
    from torch.fx.experimental.symbolic_shapes import statically_known_true

    padded = opened(sequence)
    layout, x, axis = padded.layout, padded.along(batch_first), 1 if batch_first else 0
    if not padded.clean or padding_value != 0:
        inside = layout.inside(layout.time)
        inside = (inside.t() if batch_first else inside).reshape(*x.shape[:2], *(1,) * (x.dim() - 2))
        x = torch.where(inside, x, torch.full((), padding_value, dtype=x.dtype))
    size = layout.steps if total_length is None else total_length
    if statically_known_true(size == layout.time):
        return x, layout.lengths
    if total_length is not None:
        asserted((layout.lengths <= total_length).all(), "pad_packed_sequence: no sequence longer than total_length")
        if total_length > layout.time:
            pads = [0, 0] * (x.dim() - 1 - axis) + [0, total_length - layout.time]
            return torch.nn.functional.pad(x, pads, value=padding_value), layout.lengths
    return x.narrow(axis, 0, size), layout.lengths
