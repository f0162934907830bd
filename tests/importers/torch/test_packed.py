"""Packed sequences: recurrent layers over lengths, and what code reads of a PackedSequence."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from torch import Tensor, nn
from torch.nn.utils.rnn import PackedSequence, pack_padded_sequence, pack_sequence, pad_packed_sequence

from converter.errors import ConversionError
from converter.importers.torch import load
from tests.importers.torch.support import round_trip

SPECS = ("float32[batch,time,3]", "int64[batch]")


def batch(*lengths: int, time: int) -> tuple[Tensor, Tensor]:
    return torch.randn(len(lengths), time, 3), torch.tensor(lengths)


UNSORTED = [batch(2, 4, 1, time=4), batch(1, 3, 3, 5, 2, time=6), batch(1, time=1)]
SORTED = [batch(4, 2, 2, time=4), batch(5, 3, 1, 1, time=6), batch(1, time=1)]


class Packing(nn.Module):
    def __init__(self, cls: type[nn.RNNBase], **settings: Any) -> None:
        super().__init__()
        self.rnn = cls(3, 4, **settings)


class Cut(Packing):
    """As long as the longest sequence, padded by a number of its own."""

    def forward(self, x: Tensor, lengths: Tensor) -> Any:
        packed = pack_padded_sequence(x, lengths.cpu(), batch_first=True, enforce_sorted=False)
        output, last = self.rnn(packed)
        return *pad_packed_sequence(output, batch_first=True, padding_value=-1.0), last


class Whole(Packing):
    """As long as the input, the time first, sorted, and with an initial state."""

    def forward(self, x: Tensor, lengths: Tensor) -> Any:
        packed = pack_padded_sequence(x.transpose(0, 1), lengths)
        start = x.new_ones(self.rnn.num_layers, x.shape[0], 4)
        output, last = self.rnn(packed, start)
        return pad_packed_sequence(output, total_length=x.shape[1])[0], last


class Longer(Packing):
    """Longer than the input: no layer in between, elements of several axes."""

    def forward(self, x: Tensor, lengths: Tensor) -> Any:
        packed = pack_padded_sequence(x.unsqueeze(3), lengths, batch_first=True)
        return pad_packed_sequence(packed, total_length=x.shape[1] + 2, padding_value=7.0)[0]


class Elements(Packing):
    """The packed elements themselves, changed on the way, with the order in which they are packed."""

    def forward(self, x: Tensor, lengths: Tensor) -> Any:
        packed = pack_padded_sequence(x, lengths, batch_first=True, enforce_sorted=False)
        data, sizes, order, back = packed
        output, last = self.rnn(PackedSequence(torch.tanh(data) * 2, sizes, order, back))
        louder = output._replace(data=output.data + 1)
        in_order = self.rnn(PackedSequence(data, sizes))[1]
        return pad_packed_sequence(louder, batch_first=True)[0], last, sizes, order, packed[0].sum(), in_order


CASES = [
    (Cut(nn.LSTM, batch_first=True, bidirectional=True, num_layers=2), UNSORTED),
    (Cut(nn.LSTM, proj_size=2), UNSORTED),
    (Whole(nn.GRU, num_layers=2), SORTED),
    (Whole(nn.RNN, nonlinearity="relu"), SORTED),
    (Longer(nn.RNN), SORTED),
    (Elements(nn.GRU), [UNSORTED[0], batch(1, 5, 3, 2, time=6), batch(1, time=1)]),
]


@pytest.mark.parametrize("module, inputs", CASES, ids=[type(m).__name__ + type(m.rnn).__name__ for m, _ in CASES])
def test_packed(module: Packing, inputs: list[tuple[Tensor, Tensor]]) -> None:
    model = round_trip(module, inputs[0], inputs=SPECS, others=inputs[1:], tol=1e-6)
    asserted = [n for n in model.notes if "lengths from 1 to the number of steps" in n]
    assert len(asserted) == 1 and ("the longest first" in asserted[0]) == (inputs is SORTED)


def test_lengths_that_are_numbers() -> None:
    class Fixed(Packing):
        def forward(self, x: Tensor) -> Any:
            one = pack_padded_sequence(x, [2, 4, 1], batch_first=True, enforce_sorted=False)
            two = pack_sequence([x[0], x[1, :2], x[2, :1]])
            return self.rnn(one)[1], *pad_packed_sequence(self.rnn(two)[0])

    model = round_trip(Fixed(nn.GRU), (torch.randn(3, 4, 3),), tol=1e-6)
    assert not model.notes


@pytest.mark.parametrize("lengths, sort", [([1, 2], True), ([0, 2], False)])
def test_lengths_that_do_not_fit(lengths: list[int], sort: bool) -> None:
    class Unfit(Packing):
        def forward(self, x: Tensor) -> Any:
            return self.rnn(pack_padded_sequence(x, lengths, batch_first=True, enforce_sorted=sort))[1]

    with pytest.raises(ConversionError, match="are not positive, or not sorted"):
        load(Unfit(nn.GRU), (torch.randn(2, 4, 3),))


def test_packed_outside() -> None:
    class Outside(Packing):
        def forward(self, data: Tensor, sizes: Tensor) -> Any:
            return self.rnn(PackedSequence(data, sizes))[1]

    with pytest.raises(ConversionError, match="pack them in forward"):
        load(Outside(nn.GRU), (torch.randn(3, 3), torch.tensor([2, 1])))
    packed = pack_padded_sequence(torch.randn(2, 3, 3), torch.tensor([3, 1]), batch_first=True)
    assert type(packed) is PackedSequence and packed.data.shape == (4, 3)  # an export leaves torch as it was
