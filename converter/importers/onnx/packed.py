"""Seeing through the packing of weights: rows of a concatenation of splits that are, whole and in order, one tensor.

Exporters build ONNX's packed recurrent weights from the parameters they keep; taking the pack apart must find these
parameters again instead of slicing what was just concatenated.
"""

from __future__ import annotations

from ir.core import Value

Rows = tuple[Value, int, int]
"""Rows start to stop of a tensor."""


def direction(packed: Value, index: int) -> Value | None:
    """What was stacked at `index` of axis 0; None where the tensor is no visible stack."""
    node = packed.producer
    if node is None:
        return None
    if node.op.name == "concat" and node.attrs["axis"] == 0:
        parts = node.operands["xs"]
        if all(p.type.shape[0] == 1 for p in parts) and index < len(parts):
            return direction(parts[index], 0)
        return None
    if node.op.name == "stack" and node.attrs["axis"] == 0:
        return node.operands["xs"][index]
    if node.op.name == "unsqueeze" and tuple(node.attrs["axes"]) == (0,) and index == 0:
        return node.operand("x")
    return None


def whole(value: Value, ranges: list[tuple[int, int]]) -> Value | None:
    """The one tensor that these rows of `value`, one range after another, are; None where they are not one."""
    pieces: list[Rows] = []
    for start, stop in ranges:
        for source, low, high in _rows(value, start, stop):
            if pieces and pieces[-1][0] is source and pieces[-1][2] == low:
                pieces[-1] = (source, pieces[-1][1], high)
            else:
                pieces.append((source, low, high))
    if len(pieces) != 1:
        return None
    source, low, high = pieces[0]
    return source if low == 0 and source.type.shape[0] == high else None


def _rows(value: Value, start: int, stop: int) -> list[Rows]:
    """Rows start to stop of a tensor, as rows of what it was made of."""
    node = value.producer
    sizes = None if node is None else _parts(value)
    if sizes is None or node is None:
        return [(value, start, stop)]
    if node.op.name == "concat":
        found: list[Rows] = []
        offset = 0
        for part, size in zip(node.operands["xs"], sizes, strict=True):
            low, high = max(start - offset, 0), min(stop - offset, size)
            found += _rows(part, low, high) if low < high else []
            offset += size
        return found
    before = sum(sizes[: value.index]) if node.op.name == "split" else int(node.attrs["starts"][0])
    return _rows(node.operand("x"), before + start, before + stop)


def _parts(value: Value) -> list[int] | None:
    """Sizes along axis 0 of the pieces behind a concat, split or plain slice of rows; None for anything else."""
    node = value.producer
    if node is None:
        return None
    sizes: list[object] = []
    if node.op.name == "concat" and node.attrs["axis"] == 0:
        sizes = [p.type.shape[0] for p in node.operands["xs"]]
    elif node.op.name == "split" and node.attrs["axis"] == 0:
        sizes = list(node.attrs["sizes"])
    elif node.op.name == "slice" and tuple(node.attrs["axes"]) == (0,) and tuple(node.attrs["steps"]) == (1,):
        start = node.attrs["starts"][0]
        sizes = [value.type.shape[0]] if isinstance(start, int) and start >= 0 else []
    known = [s for s in sizes if isinstance(s, int)]
    return known if known and len(known) == len(sizes) else None
