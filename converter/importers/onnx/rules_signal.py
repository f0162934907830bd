"""Fourier transforms, as products with matrices of cosines and sines, and the windows that go before them."""

from __future__ import annotations

import numpy as np

from converter.importers.onnx.context import OnnxContext
from converter.importers.onnx.table import rule
from converter.importers.onnx.tensors import element_type
from ir.core import Value
from ir.types import DType, dtypes, normalize_axis

LONGEST = 2048
"""Transforms of more points would make matrices of more than four million elements."""
_WINDOWS = {
    "HannWindow": (0.5, 0.5, 0.0), "HammingWindow": (25 / 46, 21 / 46, 0.0), "BlackmanWindow": (0.42, 0.5, 0.08),
}  # fmt: skip


@rule("HannWindow", 17)
@rule("HammingWindow", 17)
@rule("BlackmanWindow", 17)
def window(c: OnnxContext) -> Value:
    """a0 - a1 cos(2 pi i / n) + a2 cos(4 pi i / n), n being the size, or size - 1 when not periodic."""
    kind = element_type(c.attr("output_datatype"))
    if c.const(0) is None:
        return _run_time_window(c, kind)
    length = int(np.asarray(c.fixed(0, "the size")).reshape(()))
    divisor = length if c.attr("periodic") else length - 1
    if divisor < 1:
        c.refuse(f"a window of {length} elements is not defined")
    phase = 2 * np.pi * np.arange(length) / divisor
    a0, a1, a2 = _WINDOWS[c.schema.name]
    values = a0 - a1 * np.cos(phase) + a2 * np.cos(2 * phase)
    return c.b.constant(values, kind)


def _run_time_window(c: OnnxContext, kind: DType) -> Value:
    b, wide = c.b, kind if kind in (dtypes.float32, dtypes.float64) else dtypes.float32
    size = b.reshape(c.cast(c.x(), dtypes.int64), shape=())
    steps = b.range(0, size, 1, symbol=c.importer.fresh_symbol("n"))
    divisor = c.cast(size if c.attr("periodic") else b.sub(size, 1), wide)
    phase = b.div(b.mul(c.cast(steps, wide), 2 * np.pi), divisor)
    a0, a1, a2 = _WINDOWS[c.schema.name]
    out = b.sub(a0, b.mul(b.cos(phase), a1))
    if a2:
        out = b.add(out, b.mul(b.cos(b.mul(phase, 2.0)), a2))
    return c.cast(out, kind)


@rule("MelWeightMatrix", 17)
def mel_weight_matrix(c: OnnxContext) -> Value:
    """Triangles of height 1 over the bins of a spectrum, spread evenly on the mel scale; computed at conversion."""
    names = ("num_mel_bins", "dft_length", "sample_rate", "lower_edge_hertz", "upper_edge_hertz")
    given = [float(c.fixed(i, name).reshape(())) for i, name in enumerate(names)]
    count, length, rate = (int(v) for v in given[:3])
    low, high = (2595 * np.log10(1 + f / 700) for f in given[3:])
    if count < 0:
        c.refuse(f"{count} mel bins are not defined")
    edges = np.arange(count + 2) * (high - low) / (count + 2) + low
    bins = np.floor((length + 1) * 700 * (10 ** (edges / 2595) - 1) / rate).astype(np.int64)
    if bins.min() < 0 or bins.max() > length // 2:
        c.refuse(f"mel bins from {given[3]} to {given[4]} hertz do not fit {length // 2 + 1} bins of a spectrum")
    at = np.arange(length // 2 + 1)[:, None]
    left, centre, right = bins[:-2], bins[1:-1], bins[2:]
    wide = np.diff(bins).clip(1)
    rising, falling = (at - left) / wide[:-1], (right - at) / wide[1:]
    top = (at == centre) & (left <= centre)  # edges that go down have no triangle
    values = np.where(top, 1.0, np.stack([rising, falling]).min(0).clip(0))
    return c.b.constant(values, element_type(c.attr("output_datatype")))


@rule("DFT", 17, 20)
def dft(c: OnnxContext) -> Value:
    """The transform along one axis; the last axis holds real and imaginary parts."""
    if c.version == 17:
        axis = c.attr("axis")
    else:
        axis = int(c.fixed(2, "the axis").reshape(())) if c.has(2) else -2
    rank, b = c.rank(), c.b
    axis = normalize_axis(axis, rank)
    x, inverse, onesided = c.x(), bool(c.attr("inverse")), bool(c.attr("onesided"))
    have = x.type.shape[axis]
    if axis == rank - 1 or x.type.shape[-1] not in (1, 2) or not isinstance(have, int):
        c.refuse(
            f"a transform of {x.type} along axis {axis} needs a size known beforehand and 1 or 2 parts on the last axis"
        )
    points = int(c.fixed(1, "dft_length").reshape(())) if c.has(1) else 2 * (have - 1) if inverse and onesided else have
    _check_points(c, points)
    need = points // 2 + 1 if inverse and onesided else points
    if need != have:
        pads = [(0, 0)] * rank
        pads[axis] = (0, need - have)
        x = b.pad(x, pads=tuple(pads))
    parts = [b.select(x, axis=-1, index=i) for i in range(int(x.type.shape[-1]))]
    last = axis == rank - 2
    perm = (*(a for a in range(rank - 1) if a != axis), axis)
    parts = parts if last else [b.transpose(p, perm=perm) for p in parts]
    outs = _transform(c, parts, points, inverse, onesided)
    if not last:
        back = tuple(int(i) for i in np.argsort(perm))
        outs = [b.transpose(o, perm=back) for o in outs]
    return b.stack(outs, axis=-1)


def _check_points(c: OnnxContext, points: int) -> None:
    if not 1 <= points <= LONGEST:
        c.refuse(f"a transform of {points} points would need too large a table (1 to {LONGEST} have one)")
    if c.type().dtype not in (dtypes.float32, dtypes.float64):
        c.refuse(f"a transform of {c.type().dtype} would round its table of angles")


def _transform(c: OnnxContext, parts: list[Value], points: int, inverse: bool, onesided: bool) -> list[Value]:
    """Real and imaginary part of the transform along the last axis; only the real one of a one-sided inverse."""
    b, kind = c.b, parts[0].type.dtype
    if onesided and (len(parts) == 1) == inverse:
        c.refuse(f"a one-sided {'inverse ' if inverse else ''}transform of {len(parts)} parts is not defined")
    half = points // 2 + 1
    rows, columns = (half, points) if onesided and inverse else (points, half if onesided else points)
    turns = np.outer(np.arange(rows), np.arange(columns)) % points  # exact, so that sines of half turns are zero
    angle = 2 * np.pi * turns / points
    cos, sin = np.cos(angle), np.where(2 * turns % points == 0, 0.0, np.sin(angle))
    if inverse:
        weight = np.full((rows, 1), 1.0 / points)
        if onesided:
            weight[1 : (points + 1) // 2] *= 2
        cos, sin = cos * weight, -sin * weight
    table = [b.constant(t, kind) for t in (cos, sin)]
    real = b.matmul(parts[0], table[0])
    if len(parts) == 1:
        return [real, b.neg(b.matmul(parts[0], table[1]))]
    real = b.add(real, b.matmul(parts[1], table[1]))
    if onesided:
        return [real]
    return [real, b.sub(b.matmul(parts[1], table[0]), b.matmul(parts[0], table[1]))]


@rule("STFT", 17)
def stft(c: OnnxContext) -> Value:
    """Frames of the signal, each times the window and transformed."""
    b, x = c.b, c.x()
    step = int(c.fixed(1, "frame_step").reshape(()))
    if x.type.rank != 3 or x.type.shape[2] not in (1, 2):
        c.refuse(f"frames of {x.type} need a signal of 3 axes, the last one of 1 or 2 parts")
    known = c.type(2).shape[0] if c.has(2) else x.type.shape[1]
    size = int(c.fixed(3, "frame_length").reshape(())) if c.has(3) else known
    if not isinstance(size, int):
        c.refuse(f"frames of {size} elements of {x.type} need a size known beforehand")
    if c.has(2) and c.type(2).shape != (size,):
        c.refuse(f"a window {c.type(2)} for frames of {size} elements is not defined")
    _check_points(c, size)
    parts = [b.unfold(b.select(x, axis=2, index=i), axis=1, size=size, step=step) for i in range(int(x.type.shape[2]))]
    if c.has(2):
        parts = [b.mul(p, c.x(2)) for p in parts]
    return b.stack(_transform(c, parts, size, False, bool(c.attr("onesided"))), axis=-1)
