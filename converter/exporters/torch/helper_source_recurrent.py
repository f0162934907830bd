"""More of `helper_source.py`: recurrent layers over sequences of different lengths."""

# Names of torch and its packed sequences come from the head of the emitted file.
# ruff: noqa: ANN001, ANN002, ANN201, ANN202, F821
# mypy: ignore-errors


def over_lengths(layer, x, lengths, time, states=None):
    """A recurrent layer over sequences of so many steps: zeros behind their ends; an empty one keeps its state."""
    packed = pack_padded_sequence(x, lengths.clamp(min=1).cpu(), time == 1, enforce_sorted=False)
    output, last = layer(packed, states)
    output, _ = pad_packed_sequence(output, time == 1, total_length=x.shape[time])
    empty = (lengths < 1).unsqueeze(1).to(x.device)
    output = output.masked_fill(empty.unsqueeze(2 * time), 0.0)
    if not isinstance(last, tuple):
        return output, torch.where(empty, 0.0 if states is None else states, last)
    return output, tuple(torch.where(empty, s, n) for s, n in zip(states or (0.0, 0.0), last))


def as_layer(function, *settings):
    """`torch.lstm` and its kin, with weights and settings, as a layer that takes packed sequences."""

    def layer(packed, states):
        order, back = packed.sorted_indices, packed.unsorted_indices
        several = isinstance(states, tuple)
        first = tuple(s[:, order] for s in states) if several else states[:, order]
        output, *last = function(packed.data, packed.batch_sizes, first, *settings)
        last = tuple(s[:, back] for s in last)
        return PackedSequence(output, packed.batch_sizes, order, back), last if several else last[0]

    return layer
