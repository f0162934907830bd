"""Cases of shapes, movement, padding, and tensors made of sizes."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import numpy as np

from tests.importers.keras.op_cases import Case, array

Row = tuple[str, str, Callable[..., Any], np.ndarray]


def movement() -> Iterator[Case]:
    """One operand, moved about."""
    from keras import ops

    x, cube, whole = array(3, 4), array(3, 4, 2), array(3, 4, dtype="int32")
    rows: list[Row] = [
        ("Reshape", "rest", lambda x: ops.reshape(x, (-1, 2)), x),
        ("Reshape", "one", lambda x: ops.reshape(x, -1), cube),
        ("Ravel", "plain", ops.ravel, cube),
        ("Transpose", "reversed", ops.transpose, cube),
        ("Transpose", "axes", lambda x: ops.transpose(x, (1, 0, -1)), cube),
        ("Swapaxes", "plain", lambda x: ops.swapaxes(x, 0, -1), cube),
        ("Moveaxis", "one", lambda x: ops.moveaxis(x, 0, -1), cube),
        ("Moveaxis", "two", lambda x: ops.moveaxis(x, (0, 2), (1, 0)), cube),
        ("ExpandDims", "one", lambda x: ops.expand_dims(x, 1), x),
        ("ExpandDims", "two", lambda x: ops.expand_dims(x, (0, -1)), x),
        ("Squeeze", "axis", lambda x: ops.squeeze(x, 1), array(3, 1, 2)),
        ("Squeeze", "two", lambda x: ops.squeeze(x, (1, -1)), array(3, 1, 2, 1)),
        ("Flip", "all", ops.flip, cube), ("Flip", "two", lambda x: ops.flip(x, (0, 2)), cube),
        ("Fliplr", "plain", ops.fliplr, cube), ("Flipud", "plain", ops.flipud, cube),
        ("Roll", "flat", lambda x: ops.roll(x, 3), x), ("Roll", "axis", lambda x: ops.roll(x, -1, axis=1), cube),
        ("Roll", "two", lambda x: ops.roll(x, (1, 2), axis=(0, 1)), cube),
        ("Rot90", "once", ops.rot90, cube), ("Rot90", "twice", lambda x: ops.rot90(x, 2, (1, 2)), array(3, 4, 4)),
        ("Rot90", "thrice, other axes", lambda x: ops.rot90(x, 3, (1, 2)), cube),
        ("Rot90", "back", lambda x: ops.rot90(x, -1, (2, 0)), cube), ("Rot90", "not", lambda x: ops.rot90(x, 4), cube),
        ("Tile", "number", lambda x: ops.tile(x, 2), x), ("Tile", "more axes", lambda x: ops.tile(x, (2, 1, 3)), x),
        ("Tile", "fewer axes", lambda x: ops.tile(x, (3,)), cube),
        ("Repeat", "flat", lambda x: ops.repeat(x, 2), x), ("Repeat", "axis", lambda x: ops.repeat(x, 3, axis=1), cube),
        ("Repeat", "open axis", lambda x: ops.repeat(x, 2, axis=0), x),
        ("Repeat", "each its own", lambda x: ops.repeat(x, np.array([1, 0, 2, 3]), axis=1), cube),
        ("Split", "equal", lambda x: ops.split(x, 2, axis=1), cube), ("Split", "places", lambda x: ops.split(x, [1, 3], axis=1), cube),
        ("Hsplit", "plain", lambda x: ops.hsplit(x, 2), cube), ("Dsplit", "plain", lambda x: ops.dsplit(x, 2), cube),
        ("ArraySplit", "uneven", lambda x: ops.array_split(x, 3, axis=1), cube),
        ("Unstack", "axis", lambda x: ops.unstack(x, axis=1), cube),
        ("Size", "plain", ops.size, x),
        ("Pad", "pairs", lambda x: ops.pad(x, ((1, 0), (2, 3))), x),
        ("Pad", "value", lambda x: ops.pad(x, ((0, 0), (2, 3)), constant_values=2.5), x),
        ("Pad", "integers", lambda x: ops.pad(x, ((0, 0), (2, 3)), constant_values=7), whole),
        ("Pad", "reflect", lambda x: ops.pad(x, ((0, 0), (2, 3)), mode="reflect"), x),
        ("Pad", "symmetric", lambda x: ops.pad(x, ((0, 0), (2, 4)), mode="symmetric"), x),
        ("Tril", "plain", ops.tril, cube),
        ("Tril", "below", lambda x: ops.tril(x, -1), cube),
        ("Tril", "above", lambda x: ops.tril(x, 1), whole),
        ("Triu", "plain", ops.triu, cube),
        ("Triu", "above", lambda x: ops.triu(x, 1), cube),
        ("Triu", "below", lambda x: ops.triu(x, -1), whole),
        ("Diagonal", "plain", ops.diagonal, cube), ("Diagonal", "last", lambda x: ops.diagonal(x, 1, -2, -1), cube),
        ("Diagonal", "below", lambda x: ops.diagonal(x, -1, 1, 2), cube),
        ("Diag", "of a matrix", lambda x: ops.diag(x, 1), x), ("Diag", "of a vector", lambda x: ops.diag(x, -1), array(3)),
        ("Diag", "of integers", ops.diag, array(3, dtype="int32")),
        ("Diagflat", "plain", lambda x: ops.diagflat(x, 1), x),
        ("Diff", "plain", ops.diff, x),
        ("Diff", "twice", lambda x: ops.diff(x, n=2, axis=1), cube),
        ("Diff", "not", lambda x: ops.diff(x, n=0), x),
        ("Diff", "booleans", ops.diff, array(3, 4, dtype="bool")),
        ("DepthToSpace", "last", lambda x: ops.depth_to_space(x, 2), array(2, 3, 2, 8)),
        ("DepthToSpace", "first", lambda x: ops.depth_to_space(x, 2, data_format="channels_first"), array(2, 8, 3, 2)),
        ("SpaceToDepth", "last", lambda x: ops.space_to_depth(x, 2), array(2, 4, 6, 3)),
        ("SpaceToDepth", "first", lambda x: ops.space_to_depth(x, 2, data_format="channels_first"), array(2, 3, 4, 6)),
        ("Fold", "plain", lambda x: ops.fold(x, (4, 5), 2), array(2, 12, 12)),
        ("Fold", "all settings", lambda x: ops.fold(x, (5, 6), (2, 3), dilation=(2, 1), padding=(1, 0), stride=(2, 2)), array(2, 12, 6)),
        ("ExtractSequences", "plain", lambda x: ops.extract_sequences(x, 3, 2), array(3, 9)),
        ("Vander", "plain", lambda x: ops.vander(x, 4), array(5)),
        ("Vander", "increasing", lambda x: ops.vander(x, 3, True), array(5, dtype="int32")),
        ("Vsplit", "fixed", lambda x: ops.vsplit(ops.transpose(x), 2), x),
    ]  # fmt: skip
    for op, name, call, given in rows:
        yield Case(op, name, call, (given,), sizes=(1, 4))
    live: list[Row] = [
        ("Reshape", "open size", lambda x: ops.reshape(x, (ops.shape(x)[0], 2, 2)), x),
        ("Reshape", "open size of doubles", lambda x: ops.reshape(x, (ops.shape(x)[0], 2, 2)), x.astype("float64")),
        ("BroadcastTo", "plain", lambda x: ops.broadcast_to(x, (2, ops.shape(x)[0], 4)), x),
        ("Rearrange", "transpose", lambda x: ops.rearrange(x, "b h w c -> b c h w"), array(2, 4, 3, 2)),
        ("Rearrange", "patches", lambda x: ops.rearrange(x, "b (h p) w c -> b h w (c p)", p=2, h=2), array(2, 4, 3, 2)),
    ]
    for op, name, call, given in live:
        yield Case(op, name, call, (given,), live=True)
    on = ("tensorflow",)
    yield Case("Pad", "number", lambda x: ops.pad(x, 1), (x,), keras_fails=on)
    yield Case("Diagonal", "outside", lambda x: ops.diagonal(x, 5, 1, 2), (cube,), keras_fails=on)
    yield Case("Rot90", "half a turn", lambda x: ops.rot90(x, 2), (cube,), refused=True)
    yield Case("Unfold", "plain", lambda x: ops.unfold(x, 2), (array(2, 3, 4, 5),), dynamic=(), sizes=())
    yield Case(
        "Unfold", "all settings", lambda x: ops.unfold(x, (2, 3), dilation=(2, 1), padding=(1, 0), stride=(1, 2)),
        (array(2, 3, 5, 6),), dynamic=(), sizes=(),
    )  # fmt: skip
    yield Case("Squeeze", "all ones", ops.squeeze, (array(3, 1, 2, 1),), dynamic=(), sizes=())
    yield Case("Split", "an open axis in parts", lambda x: ops.split(x, 1, axis=0), (x,), refused=True)


def several() -> Iterator[Case]:
    """Several operands in one."""
    from keras import ops

    x, y = array(3, 4), array(3, 4, dtype="int32", seed=3)
    vectors = array(3), array(3, seed=4)
    yield Case("Concatenate", "plain", lambda x, y: ops.concatenate([x, y], axis=1), (x, y))
    yield Case("Concatenate", "open axis", lambda x, y: ops.concatenate([x, y], axis=0), (x, y), sizes=(1, 0))
    yield Case("Append", "flat", ops.append, (x, y))
    yield Case("Append", "axis", lambda x, y: ops.append(x, y, axis=-1), (x, y))
    yield Case("Stack", "plain", lambda x, y: ops.stack([x, y], axis=1), (x, x + 1))
    yield Case("Stack", "dtypes", lambda x, y: ops.stack([x, y], axis=-1), (x, y))
    for op in ("Hstack", "Vstack", "Dstack"):
        call = getattr(ops, op.lower())
        yield Case(op, "matrices", lambda x, y, call=call: call([x, y]), (x, y))
    yield Case("Hstack", "vectors", lambda x, y: ops.hstack([x, y]), vectors, live=True)
    yield Case("Dstack", "vectors", lambda x, y: ops.dstack([x, y]), vectors)
    yield Case("Kron", "plain", ops.kron, (x, array(3, 2, seed=5)))
    yield Case("Kron", "ranks", lambda x: ops.kron(x, np.array([1, 2], "int32")), (x,))
    yield Case("Meshgrid", "xy", lambda x, y: ops.meshgrid(x, y), vectors)
    yield Case("Meshgrid", "ij", lambda x, y: ops.meshgrid(x, y, indexing="ij"), vectors)


def made() -> Iterator[Case]:
    """Tensors made of sizes, or like others. Creation functions are no operations: they stand beside one."""
    from keras import ops

    x, whole = array(3, 4), array(3, 4, dtype="int32")
    rows: list[Row] = [
        ("ZerosLike", "plain", ops.zeros_like, x), ("ZerosLike", "dtype", lambda x: ops.zeros_like(x, dtype="int32"), x),
        ("OnesLike", "plain", ops.ones_like, whole), ("OnesLike", "booleans", lambda x: ops.ones_like(x, dtype="bool"), x),
        ("EmptyLike", "plain", ops.empty_like, x),
        ("FullLike", "plain", lambda x: ops.full_like(x, 2.5), x), ("FullLike", "dtype", lambda x: ops.full_like(x, 3, dtype="int64"), x),
        ("Full", "a tensor", lambda x: ops.full((2, 3), ops.sum(x), dtype="float32"), x),
    ]  # fmt: skip
    for op, name, call, given in rows:
        yield Case(op, name, call, (given,), sizes=(1, 0))
    live: list[tuple[str, Callable[..., Any]]] = [
        ("zeros", lambda x: ops.add(x, ops.zeros((ops.shape(x)[0], 4)))),
        ("ones", lambda x: ops.add(x, ops.ones(ops.shape(x), dtype="float64"))),
        ("full", lambda x: ops.add(x, ops.full((ops.shape(x)[0], 1), 2.5))),
        ("eye", lambda x: ops.add(ops.matmul(ops.eye(ops.shape(x)[0]), x), ops.eye(4, 4, k=1)[1])),
        ("identity", lambda x: ops.add(ops.sum(x), ops.identity(ops.shape(x)[0]))),
        ("tri", lambda x: ops.add(x, ops.tri(ops.shape(x)[0], 4, k=-1))),
        ("empty", lambda x: ops.add(x, ops.empty((ops.shape(x)[0], 4)))),
        ("arange", lambda x: ops.add(x, ops.expand_dims(ops.arange(ops.shape(x)[0], dtype="float32"), -1))),
        ("arange, stepped", lambda x: ops.add(ops.sum(x), ops.arange(1, ops.shape(x)[0] * 4, 3))),
        ("arange, floats", lambda x: ops.add(ops.sum(x), ops.arange(0.0, 1.0, 0.25))),
        ("size", lambda x: ops.add(x, ops.size(x))),
        ("ndim", lambda x: ops.add(x, ops.ndim(x))),
    ]
    for name, call in live:
        yield Case("Add", name, call, (x,), live=True, sizes=(1, 6))
    yield Case(
        "Arange",
        "of a tensor",
        lambda x: ops.sum(ops.arange(ops.sum(x))),
        (np.array([2, 3], "int32"),),
        live=True,
        sizes=(1,),
    )
    yield from _spaces()


def _spaces() -> Iterator[Case]:
    from keras import ops

    a, b = array(3, low=1, high=2), array(3, low=3, high=5, seed=9)
    for op in ("Linspace", "Logspace", "Geomspace"):
        call = getattr(ops, op.lower())
        yield Case(op, "plain", lambda x, y, call=call: call(x, y, num=5), (a, b))
        yield Case(op, "without the end", lambda x, y, call=call: call(x, y, num=4, endpoint=False), (a, b))
        broken = ("tensorflow",) if op == "Geomspace" else ()
        yield Case(op, "last axis", lambda x, y, call=call: call(x, y, num=4, axis=-1), (a, b), keras_fails=broken)
    yield Case("Linspace", "step", lambda x, y: ops.linspace(x, y, num=4, retstep=True), (a, b), live=True)
    yield Case(
        "Linspace",
        "integers",
        lambda x, y: ops.linspace(x, y, num=4),
        (np.array([1, 2], "int32"), np.array([9, 4], "int32")),
    )
    yield Case("Linspace", "one", lambda x, y: ops.linspace(x, y, num=1), (a, b))
    yield Case("Logspace", "base", lambda x, y: ops.logspace(x, y, num=4, base=2), (a, b))
