"""Padding, diagonals, blocks, windows."""

from __future__ import annotations

from typing import Any

import numpy as np

from converter.importers.keras.context import KerasContext, rule
from converter.importers.keras.operands import axis_of, flat
from converter.importers.keras.rules_indexing import backend
from converter.importers.keras.rules_shape import turned
from converter.importers.keras.spelled import spelled
from ir.core import Value
from ir.ops.axes import Layout
from ir.types import Dim, dtypes


@rule("ops.Pad")
def pad(c: KerasContext, op: Any, x: Any, constant_values: Any = None) -> Value:
    value = c.value(x)
    pads = tuple((c.dim(a), c.dim(b)) for a, b in _widths(op.pad_width, value.type.rank))
    if op.mode == "symmetric" and backend() == "torch":
        return c.b.pad(value, pads=pads, mode="edge")  # what torch's backend takes for it
    if op.mode == "symmetric":
        return symmetric(c, value, pads)
    if op.mode not in ("constant", "reflect"):
        c.refuse(f"padding of kind {op.mode!r}", "use constant, reflect or symmetric")
    number = 0 if constant_values is None else constant_values
    if not isinstance(number, (bool, int, float)):
        c.refuse("a padding value that a tensor holds", "give a number")
    if value.type.dtype.is_integer and not float(number).is_integer():
        c.refuse(f"{number!r} around integers")
    return c.b.pad(value, pads=pads, mode=op.mode, value=number)


def _widths(width: Any, rank: int) -> list[tuple[Any, Any]]:
    """One pair for each axis. On torch a single number or pair is that of the last axis alone."""
    if backend() == "torch" and (isinstance(width, int) or len(width) < rank):
        own = [(width, width)] if isinstance(width, int) else [tuple(w) for w in width]
        return [(0, 0)] * (rank - len(own)) + own
    if isinstance(width, int):
        return [(width, width)] * rank
    items = [tuple(w) if isinstance(w, (tuple, list)) else (w, w) for w in width]
    items = [w if len(w) == 2 else (w[0], w[0]) for w in items]
    return items * rank if len(items) == 1 else items


def symmetric(c: KerasContext, value: Value, pads: Any) -> Value:
    """The mirror with its border: at most the axis itself."""
    for axis, (before, after) in enumerate(pads):
        parts = [value]
        for width, front in ((before, True), (after, False)):
            if isinstance(width, int) and width == 0:
                continue
            piece = _ends(c, value, axis, width, front)
            parts = [piece, *parts] if front else [*parts, piece]
        value = c.b.concat(parts, axis=axis) if len(parts) > 1 else value
    return value


def _ends(c: KerasContext, value: Value, axis: int, width: Dim, front: bool) -> Value:
    size = value.type.shape[axis]
    if isinstance(size, int) and isinstance(width, int) and width > size:
        c.refuse("symmetric padding wider than the axis")
    start, stop = (0, width) if front else (size - width, size)
    return c.b.flip(c.b.slice(value, axes=(axis,), starts=(start,), stops=(stop,), steps=(1,)), axes=(axis,))


@rule("ops.Tril", "ops.Triu")
def triangle(c: KerasContext, op: Any, x: Any) -> Value:
    value = c.value(x)
    return (c.b.tril if type(op).__name__ == "Tril" else c.b.triu)(value, k=int(op.k))


@rule("ops.Diagonal")
def diagonal(c: KerasContext, op: Any, x: Any) -> Value:
    value = c.value(x)
    rank = value.type.rank
    return c.b.diagonal(value, offset=op.offset, axis1=axis_of(op.axis1, rank), axis2=axis_of(op.axis2, rank))


@rule("ops.Diag", "ops.Diagflat")
def diag(c: KerasContext, op: Any, x: Any) -> Value:
    value = c.value(x)
    if type(op).__name__ == "Diagflat":
        value = flat(c, value)
    if value.type.rank == 2:
        return c.b.diagonal(value, offset=op.k, axis1=0, axis2=1)
    if value.type.rank != 1:
        c.refuse("the diagonal of a tensor of neither one nor two axes")
    return _matrix(c, value, op.k)


def _matrix(c: KerasContext, value: Value, k: int) -> Value:
    """A matrix with the numbers on a diagonal."""
    size = value.type.shape[0] + abs(k)
    wide = c.b.pad(value, pads=((max(k, 0), max(-k, 0)),), value=0)  # by column
    place = c.b.eye(rows=size, cols=size, k=k, dtype=dtypes.bool_)
    return c.b.where(place, c.b.unsqueeze(wide, axes=(0,)), c.number(0, value.type.dtype))


@rule("ops.DepthToSpace", "ops.SpaceToDepth")
def blocks(c: KerasContext, op: Any, x: Any) -> Value:
    value = c.value(x)
    layout: Layout = "channels_first" if op.data_format == "channels_first" else "channels_last"
    move = c.b.depth_to_space if type(op).__name__ == "DepthToSpace" else c.b.space_to_depth
    by_block = backend() != "tensorflow" and layout == "channels_first"  # there the channels are the slower axis
    return move(value, block=int(op.block_size), mode="CRD" if by_block else "DCR", layout=layout)


@rule("ops.ExtractSequences")
def extract_sequences(c: KerasContext, op: Any, x: Any) -> Value:
    value = c.value(x)
    return c.b.unfold(value, axis=value.type.rank - 1, size=op.sequence_length, step=op.sequence_stride)


def each(value: Any, rank: int) -> tuple[int, ...]:
    """One number for each axis."""
    return (int(value),) * rank if isinstance(value, int) else tuple(int(v) for v in value)


def windows(c: KerasContext, value: Value, first: int, size: Any, step: Any, dilation: Any) -> Value:
    """All windows over two axes from `first` on; their elements are two new axes at the end."""
    for i in range(2):
        axis, reach = first + i, (size[i] - 1) * dilation[i] + 1
        value = c.b.unfold(value, axis=axis, size=reach, step=step[i])
        if dilation[i] > 1:
            last = value.type.rank - 1
            value = c.b.slice(value, axes=(last,), starts=(None,), stops=(None,), steps=(dilation[i],))
    return value


@rule("ops.Unfold")
def unfold(c: KerasContext, op: Any, x: Any) -> Value:
    """Every window as a column: [batch, channels * height * width of a window, windows]."""
    value = c.value(x)
    size, step, dilation, around = (each(v, 2) for v in (op.kernel_size, op.stride, op.dilation, op.padding))
    if any(around):
        value = c.b.pad(value, pads=((0, 0), (0, 0), *((p, p) for p in around)), value=0)
    found = turned(c, windows(c, value, 2, size, step, dilation), (0, 1, 4, 5, 2, 3))
    n, channels, _, _, h, w = found.type.shape
    return c.b.reshape(found, shape=(n, channels * size[0] * size[1], h * w))


@rule("ops.Fold")
def fold(c: KerasContext, op: Any, x: Any) -> Value:
    """Columns as windows of an image, which overlapping ones are added up in: a transposed convolution with a kernel that
    only places."""
    from keras import config

    value = c.value(x)
    size, step, dilation, around, out = (
        each(v, 2) for v in (op.kernel_size, op.stride, op.dilation, op.padding, op.output_size)
    )
    counts = [
        (o + 2 * p - d * (k - 1) - 1) // s + 1 for o, p, d, k, s in zip(out, around, dilation, size, step, strict=True)
    ]
    n, columns, _ = value.type.shape
    if not isinstance(columns, int) or not value.type.dtype.is_float:
        c.refuse("columns of integers, or of an open number", "fix the size and cast to floats")
    channels = columns // (size[0] * size[1])
    grid = c.b.reshape(value, shape=(n, columns, counts[0], counts[1]))
    kernel = np.tile(np.eye(size[0] * size[1]), (channels, 1)).reshape(columns, 1, *size)
    rest = tuple(
        o + 2 * p - ((m - 1) * s + d * (k - 1) + 1)
        for o, p, d, k, s, m in zip(out, around, dilation, size, step, counts, strict=True)
    )
    short = any(d * (k - 1) + 1 < s for d, k, s in zip(dilation, size, step, strict=True))
    if config.backend() == "jax" and (any(rest) or short):
        reason = "windows that do not cover their image on jax, whose result is of another size than the one asked for"
        c.refuse(reason, "pad the image to what the windows cover")
    return c.b.conv_transpose(
        grid, c.array(kernel.astype(value.type.dtype.numpy)), strides=step, padding=tuple((p, p) for p in around),
        output_padding=rest, dilations=dilation, groups=channels,
    )  # fmt: skip


@spelled("ops.Diff")
def diff(op: Any, a: Any) -> Any:
    from keras import ops

    axis = op.axis % len(a.shape)
    for _ in range(op.n):
        lead = (slice(None),) * axis
        later, earlier = a[(*lead, slice(1, None))], a[(*lead, slice(None, -1))]
        a = ops.not_equal(later, earlier) if a.dtype == "bool" else ops.subtract(later, earlier)
    return a


@spelled("ops.Kron")
def kron(_: Any, x1: Any, x2: Any) -> Any:
    from keras import ops

    rank = max(len(x1.shape), len(x2.shape))
    a, b = (ops.reshape(x, (1,) * (rank - len(x.shape)) + tuple(x.shape)) for x in (x1, x2))
    wide = ops.multiply(
        ops.expand_dims(a, [2 * i + 1 for i in range(rank)]), ops.expand_dims(b, [2 * i for i in range(rank)])
    )
    return ops.reshape(wide, [m * n for m, n in zip(a.shape, b.shape)])


@spelled("ops.Rearrange")
def rearrange(_: Any, tensor: Any, pattern: str, **lengths: Any) -> Any:
    """By Keras' own reading of the pattern: take apart, transpose, join."""
    import re

    from keras import ops
    from keras.src.ops import einops

    given, wanted = (re.findall(r"\w+|\(.*?\)", p) for p in re.split(r"\s*->\s*", pattern))
    sizes = einops._create_axes_map(given, tuple(tensor.shape), lengths)
    groups = einops._create_grouped_axes(wanted)
    apart = ops.reshape(tensor, einops._compute_decomposed_shape(given, lengths, sizes))
    apart = ops.transpose(apart, einops._get_transpose_order(given, einops._flatten_group(groups)))
    return ops.reshape(apart, einops._compute_output_shape(sizes, groups))
