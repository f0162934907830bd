"""ATen shape changes and movement of data."""

from __future__ import annotations

from typing import Any

from converter.importers.torch.context import Call, TorchContext, rule
from ir.core import Value
from ir.types import Dim, dim_max, require_same


@rule("aten.view.default", "aten._unsafe_view.default", "aten.view_copy.default", "aten._reshape_alias.default")
def view(c: TorchContext, a: Call) -> Value:
    """The target shape is the one torch found: -1 is resolved, sizes are expressions."""
    for name in ("size", "stride"):
        if a.has(name):
            a.raw(name)
    return _reshape(c, a.value("self"), a.shape)


def _reshape(c: TorchContext, x: Value, shape: tuple[Dim, ...]) -> Value:
    return x if x.type.shape == shape else c.b.reshape(x, shape=shape)


@rule("aten.squeeze.default")
def squeeze_all(c: TorchContext, a: Call) -> Value:
    x = a.value("self")
    axes = tuple(i for i, d in enumerate(x.type.shape) if d == 1)
    if any(not isinstance(d, int) for d in x.type.shape):
        c.note("a squeeze without axes keeps axes of dynamic size: sizes of 1 at run time are not squeezed")
    return c.b.squeeze(x, axes=axes) if axes else x


@rule("aten.squeeze.dim", "aten.squeeze.dims", "aten.squeeze_copy.dim")
def squeeze(c: TorchContext, a: Call) -> Value:
    x = a.value("self")
    if x.type.rank == 0:
        a.lit("dim")
        return x
    wanted = sorted({d % x.type.rank for d in a.ints("dim")})
    axes = tuple(i for i in wanted if x.type.shape[i] == 1)
    if any(not isinstance(x.type.shape[i], int) for i in wanted):
        c.note("a squeeze keeps axes of dynamic size: a size of 1 at run time is not squeezed")
    return c.b.squeeze(x, axes=axes) if axes else x


@rule("aten.unsqueeze.default", "aten.unsqueeze_copy.default")
def unsqueeze(c: TorchContext, a: Call) -> Value:
    return c.b.unsqueeze(a.value("self"), axes=(a.axis("dim", len(a.shape)),))


@rule("aten.permute.default", "aten.permute_copy.default")
def permute(c: TorchContext, a: Call) -> Value:
    x = a.value("self")
    dims = a.ints("dims")
    return _transpose(c, x, tuple(d % x.type.rank for d in dims) if x.type.rank else ())


def _transpose(c: TorchContext, x: Value, perm: tuple[int, ...]) -> Value:
    return x if perm == tuple(range(len(perm))) else c.b.transpose(x, perm=perm)


@rule("aten.transpose.int", "aten.transpose_copy.int")
def transpose(c: TorchContext, a: Call) -> Value:
    x = a.value("self")
    first, second = a.axis("dim0", x.type.rank), a.axis("dim1", x.type.rank)
    perm = list(range(x.type.rank))
    if perm:
        perm[first], perm[second] = perm[second], perm[first]
    return _transpose(c, x, tuple(perm))


@rule("aten.t.default", "aten.t_copy.default")
def matrix_transpose(c: TorchContext, a: Call) -> Value:
    x = a.value("self")
    return x if x.type.rank < 2 else _transpose(c, x, (1, 0))


@rule("aten.expand.default", "aten.expand_copy.default")
def expand(c: TorchContext, a: Call) -> Value:
    a.raw("size")
    x = a.value("self")
    return x if x.type.shape == a.shape else c.b.expand(x, shape=a.shape)


@rule("aten.repeat.default", "aten.tile.default")
def repeat(c: TorchContext, a: Call) -> Value:
    x = a.value("self")
    repeats = a.dims("repeats" if a.has("repeats") else "dims")
    missing = x.type.rank - len(repeats)
    repeats = (1,) * max(missing, 0) + repeats
    if missing < 0:
        x = c.b.unsqueeze(x, axes=tuple(range(-missing)))
    return x if all(isinstance(r, int) and r == 1 for r in repeats) else c.b.tile(x, repeats=repeats)


@rule("aten.repeat_interleave.self_int")
def repeat_interleave(c: TorchContext, a: Call) -> Value:
    """Each element `repeats` times in place: a new axis, expanded, folded in."""
    x, times = a.value("self"), a.dim("repeats")
    a.raw("output_size")
    if a.raw("dim") is None:
        x = c.b.reshape(x, shape=(_numel(x),))
        axis = 0
    else:
        axis = a.axis("dim", x.type.rank)
    if isinstance(times, int) and times == 1:
        return x
    shape = x.type.shape
    wide = (*shape[: axis + 1], times, *shape[axis + 1 :])
    out = c.b.expand(c.b.unsqueeze(x, axes=(axis + 1,)), shape=wide)
    return c.b.reshape(out, shape=(*shape[:axis], shape[axis] * times, *shape[axis + 1 :]))


def _numel(x: Value) -> Dim:
    total: Dim = 1
    for d in x.type.shape:
        total = d * total
    return total


@rule("aten.cat.default", "aten.concat.default", "aten.concatenate.default")
def cat(c: TorchContext, a: Call) -> Value:
    """Dtypes promote; torch leaves 1-D tensors without elements out, whatever the rank of the others."""
    items = [v for v in a.values("tensors") if not (v.type.shape == (0,) and len(a.shape) > 1)]
    items = [c.cast(v, a.dtype) for v in items]
    axis = a.axis("dim", len(a.shape))
    return items[0] if len(items) == 1 else c.b.concat(items, axis=axis)


@rule("aten.stack.default")
def stack(c: TorchContext, a: Call) -> Value:
    return c.b.stack([c.cast(v, a.dtype) for v in a.values("tensors")], axis=a.axis("dim", len(a.shape)))


@rule(
    "aten.split.Tensor", "aten.split_with_sizes.default",
    "aten.split_copy.Tensor", "aten.split_with_sizes_copy.default", "aten.unsafe_split.Tensor",
)  # fmt: skip
def split(c: TorchContext, a: Call) -> list[Value]:
    """The sizes of the parts are those torch found."""
    for name in ("split_size", "split_sizes"):
        if a.has(name):
            a.raw(name)
    x = a.value("self")
    axis = a.axis("dim", x.type.rank)
    sizes = tuple(c.shape_of(part)[axis] for part in a.meta)
    if len(sizes) == 1:
        return [x]
    return list(c.b.split(x, sizes=sizes, axis=axis))


@rule("aten.unbind.int", "aten.unbind_copy.int")
def unbind(c: TorchContext, a: Call) -> list[Value]:
    x = a.value("self")
    axis = a.axis("dim", x.type.rank)
    return [c.b.select(x, axis=axis, index=i) for i in range(len(a.meta))]


@rule("aten.flip.default")
def flip(c: TorchContext, a: Call) -> Value:
    x = a.value("self")
    axes = tuple(d % x.type.rank for d in a.ints("dims"))
    return c.b.flip(x, axes=axes) if axes else x


@rule("aten.roll.default")
def roll(c: TorchContext, a: Call) -> Value:
    x, shifts, axes = a.value("self"), a.dims("shifts"), a.ints("dims")
    if axes:
        return c.b.roll(x, shifts=shifts, axes=tuple(d % x.type.rank for d in axes))
    flat = c.b.roll(c.b.reshape(x, shape=(_numel(x),)), shifts=shifts, axes=(0,))
    return c.b.reshape(flat, shape=x.type.shape)


@rule("aten.tril.default", "aten.triu.default")
def triangle(c: TorchContext, a: Call) -> Value:
    return (c.b.tril if "tril" in str(a.node.target) else c.b.triu)(a.value("self"), k=a.dim("diagonal"))


@rule("aten.diagonal.default", "aten.diagonal_copy.default")
def diagonal(c: TorchContext, a: Call) -> Value:
    return c.b.diagonal(a.value("self"), offset=a.lit("offset"), axis1=a.lit("dim1"), axis2=a.lit("dim2"))


_MODES = {"constant": "constant", "reflect": "reflect", "replicate": "edge", "circular": "wrap"}


@rule("aten.pad.default")
def pad(c: TorchContext, a: Call) -> Value:
    mode = a.lit("mode")
    if mode not in _MODES:
        c.refuse(f"mode={mode!r}")
    value = a.lit("value") if a.raw("value") is not None else 0
    return _pad(c, a.value("self"), a.dims("pad"), _MODES[mode], value)


@rule("aten.constant_pad_nd.default")
def constant_pad(c: TorchContext, a: Call) -> Value:
    return _pad(c, a.value("self"), a.dims("pad"), "constant", a.lit("value"))


@rule(
    "aten.reflection_pad1d.default", "aten.reflection_pad2d.default", "aten.reflection_pad3d.default",
    "aten.replication_pad1d.default", "aten.replication_pad2d.default", "aten.replication_pad3d.default",
)  # fmt: skip
def edge_pad(c: TorchContext, a: Call) -> Value:
    mode = "reflect" if "reflection" in str(a.node.target) else "edge"
    return _pad(c, a.value("self"), a.dims("padding"), mode, 0)


def _keeping_one(pair: tuple[Dim, Dim], size: Dim) -> tuple[Dim, Dim]:
    """Repeating an edge, one side of which is cropped by more than there is: the element at that side's end stays, and
    all that is repeated is it."""
    low, high = pair
    if not all(isinstance(n, int) for n in (low, high, size)) or size == 0:
        return pair
    if -low >= size:  # type: ignore[operator]
        return 1 - size, high + low + size - 1
    if -high >= size:  # type: ignore[operator]
        return low + high + size - 1, 1 - size
    return pair


def _pad(c: TorchContext, x: Value, flat: tuple[Dim, ...], mode: str, value: Any) -> Value:
    """Torch lists pairs from the last axis backwards."""
    pairs: list[tuple[Dim, Dim]] = [(flat[i], flat[i + 1]) for i in range(0, len(flat), 2)]
    pads = [(0, 0)] * (x.type.rank - len(pairs)) + pairs[::-1]
    if mode == "edge":
        pads = [_keeping_one(pair, size) for pair, size in zip(pads, x.type.shape, strict=True)]
    if all(isinstance(p, int) and p == 0 for pair in pads for p in pair):
        return x
    if mode == "wrap":  # torch goes around once at most
        for size, pair in zip(x.type.shape, pads, strict=True):
            for p in pair:
                require_same(dim_max(p, size), size, "circular padding")
    if not x.type.dtype.is_float and mode == "constant":
        value = bool(value) if x.type.dtype.is_bool else int(value)
    return c.b.pad(x, pads=tuple(pads), mode=mode, value=value)


@rule("aten.pixel_shuffle.default")
def pixel_shuffle(c: TorchContext, a: Call) -> Value:
    return _blocks(c, a.value("self"), lambda x: c.b.depth_to_space(x, block=a.lit("upscale_factor"), mode="CRD"))


def _blocks(c: TorchContext, x: Value, move: Any) -> Value:
    """Run a 4-D op on an input with any number of leading axes."""
    if x.type.rank == 4:
        return move(x)
    lead = x.type.shape[:-3]
    count: Dim = 1
    for d in lead:
        count = d * count
    out = move(c.b.reshape(x, shape=(count, *x.type.shape[-3:])))
    return c.b.reshape(out, shape=(*lead, *out.type.shape[1:]))


@rule("aten.pixel_unshuffle.default")
def pixel_unshuffle(c: TorchContext, a: Call) -> Value:
    """[C, H*r, W*r] to [C*r*r, H, W], channels outermost."""
    x, r = a.value("self"), a.lit("downscale_factor")
    *lead, channels, height, width = x.type.shape
    n = len(lead)
    out = c.b.reshape(x, shape=(*lead, channels, height // r, r, width // r, r))
    out = c.b.transpose(out, perm=(*range(n), n, n + 2, n + 4, n + 1, n + 3))
    return c.b.reshape(out, shape=(*lead, channels * (r * r), height // r, width // r))


@rule("aten.channel_shuffle.default", "aten.native_channel_shuffle.default")
def channel_shuffle(c: TorchContext, a: Call) -> Value:
    x, groups = a.value("self"), a.lit("groups")
    batch, channels, *rest = x.type.shape
    out = c.b.reshape(x, shape=(batch, groups, channels // groups, *rest))
    out = c.b.transpose(out, perm=(0, 2, 1, *range(3, len(rest) + 3)))
    return c.b.reshape(out, shape=x.type.shape)


@rule("aten.unfold.default")
def unfold(c: TorchContext, a: Call) -> Value:
    """A number is taken as a tensor of one axis, which the windows then replace."""
    x = a.value("self")
    if x.type.rank:
        return c.b.unfold(x, axis=a.axis("dimension", x.type.rank), size=a.lit("size"), step=a.lit("step"))
    a.lit("dimension"), a.lit("step")
    return c.b.slice(c.b.reshape(x, shape=(1,)), axes=(0,), starts=(0,), stops=(a.lit("size"),), steps=(1,))


@rule("aten.meshgrid.indexing", "aten.meshgrid.default")
def meshgrid(c: TorchContext, a: Call) -> list[Value]:
    items = a.values("tensors")
    axes = list(range(len(items)))
    if a.has("indexing") and a.lit("indexing") == "xy" and len(axes) > 1:
        axes[0], axes[1] = 1, 0
    out = []
    for x, axis, meta in zip(items, axes, a.meta, strict=True):
        size = x.type.shape[0] if x.type.rank else 1
        shape = tuple(size if i == axis else 1 for i in range(len(items)))
        out.append(c.b.expand(c.b.reshape(x, shape=shape), shape=c.shape_of(meta)))
    return out
