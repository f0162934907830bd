"""Changes of windows, resizing, norms, recurrence and attention."""

from __future__ import annotations

import numpy as np

from tests.importers.onnx.models import FLOAT, floats, model, node, runtime
from tests.importers.onnx.schema_sides import IMAGE, LINE, Case, change, side


# -- windows ----------------------------------------------------------------------------------------------------------
@change(("AveragePool", 10), ("MaxPool", 10), ("LpPool", 18))
def rounded_up(op: str) -> Case:
    x = floats(1, 1, 6, seed=2)
    old = node(op, "x", "y", kernel_shape=[3], strides=[2])
    sides = [side(18 if op == "LpPool" else 10, node(op, "x", "y", kernel_shape=[3], strides=[2], ceil_mode=1), x=x)]
    if op != "AveragePool":
        dilated = node(op, "x", "y", kernel_shape=[2], strides=[2], dilations=[3])
        sides.append(side(18 if op == "LpPool" else 10, dilated, x=x))
    return Case((side({"LpPool": 11, "AveragePool": 7, "MaxPool": 8}[op], old, x=x), *sides))


@change(("AveragePool", 19))
def dilated_mean() -> Case:
    made, plain = (node("AveragePool", "x", "y", kernel_shape=[2], **a) for a in ({"dilations": [3]}, {}))
    return Case((side(11, plain, x=LINE), side(19, made, x=LINE)))


@change(("AveragePool", 22), ("MaxPool", 22))
def windows_in_the_padding(op: str) -> Case:
    """A last window that would start in the padding was and is left out."""
    made = node(op, "x", "y", kernel_shape=[3], strides=[4], pads=[1, 1], ceil_mode=1)
    x = floats(1, 1, 6, seed=2)
    return Case((side(19 if op == "AveragePool" else 12, made, x=x), side(22, made, x=x)), moved=True)


@change(("MaxPool", 8))
def positions_of_maxima() -> Case:
    """Positions are a second result, in either order of rows and columns."""
    x = floats(1, 1, 4, 6, seed=3)
    pairs = [node("MaxPool", "x", "y i", kernel_shape=[2, 2], storage_order=k) for k in (0, 1)]
    rows, columns = (side(8, p, outputs="i@INT64", x=x) for p in pairs)
    return Case((side(7, node("MaxPool", "x", "y", kernel_shape=[2, 2]), x=x), rows, columns))


@change(("RoiAlign", 16))
def half_a_pixel() -> Case:
    """Boxes are half a pixel further up and left by default."""
    boxes = {"r": np.array([[1, 1, 4, 4.5]], np.float32), "b": np.array([0])}
    made = node("RoiAlign", "x r b", "y", output_height=2, output_width=2, sampling_ratio=2)
    return Case((side(10, made, boxes, x=IMAGE), side(16, made, boxes, x=IMAGE)))


@change(("DepthToSpace", 11), ("SpaceToDepth", 28))
def channels_before_blocks(op: str) -> Case:
    deep = op == "DepthToSpace"
    x = floats(1, 8, 2, 3) if deep else floats(1, 3, 4, 6)
    old, new = node(op, "x", "y", blocksize=2), node(op, "x", "y", blocksize=2, mode="CRD")
    if deep:
        return Case((side(7, old, x=x), side(11, new, x=x)))
    b, c, h, w = 1, 3, 2, 3
    want = x.reshape(b, c, h, 2, w, 2).transpose(0, 1, 3, 5, 2, 4).reshape(b, c * 4, h, w)
    return Case((side(13, old, x=x), side(28, new, want=want, x=x)))


@change(("GridSample", 20))
def names_of_modes() -> Case:
    """`bilinear` and `bicubic` are `linear` and `cubic` now; either default means the same."""
    x, grid = IMAGE[:, :1], floats(1, 2, 3, 2) / 2
    made = node("GridSample", "x g", "y")
    wrong = side(20, node("GridSample", "x g", "y", mode="bicubic"), refused="bicubic", x=x, g=grid)
    return Case((side(16, made, x=x, g=grid), wrong, side(20, made, x=x, g=grid)), moved=True)


@change(("Upsample", 9))
def scales_as_input() -> Case:
    x, stored = IMAGE, {"s": np.array([1, 1, 2, 3], np.float32)}
    old = node("Upsample", "x", "y", scales=[1.0, 1.0, 2.0, 3.0])
    return Case((side(7, old, x=x), side(9, node("Upsample", "x s", "y"), stored, x=x)), moved=True)


@change(("Upsample", 10))
def resized_instead() -> Case:
    x, stored = IMAGE, {"s": np.array([1, 1, 2, 3], np.float32)}
    return Case(
        (side(9, node("Upsample", "x s", "y"), stored, x=x), side(10, node("Resize", "x s", "y"), stored, x=x)),
        moved=True,
    )


@change(("Resize", 11))
def coordinates() -> Case:
    """Coordinates were those of corners; now those of centres unless told otherwise, and nearest rounds."""
    x, stored = IMAGE, {"s": np.array([1, 1, 1.6, 1.5], np.float32)}
    old = side(10, node("Resize", "x s", "y", mode="linear"), stored, x=x)
    new = node("Resize", "x r s", "y", mode="linear")
    kept = node("Resize", "x r s", "y", mode="linear", coordinate_transformation_mode="asymmetric")
    more = {**stored, "r": np.zeros(0, np.float32)}
    return Case((old, side(11, new, more, x=x), side(11, kept, {**more, "s": np.array([1, 1, 2, 2], np.float32)}, x=x)))


@change(("Resize", 13))
def absent_region() -> Case:
    """The region may be absent, where it had to be empty."""
    stored = {"s": np.array([1, 1, 2, 2], np.float32), "r": np.zeros(0, np.float32)}
    old = node("Resize", "x r s", "y", mode="linear")
    new = node("Resize", "x _ s", "y", mode="linear")
    return Case((side(11, old, stored, x=IMAGE), side(13, new, {"s": stored["s"]}, x=IMAGE)), moved=True)


@change(("Resize", 18))
def resized_axes() -> Case:
    old = node("Resize", "x _ _ n", "y", mode="linear")
    new = node("Resize", "x _ _ n", "y", mode="linear", axes=[2], keep_aspect_ratio_policy="stretch")
    smooth = node("Resize", "x _ _ n", "y", mode="linear", antialias=1)
    whole, part = {"n": np.array([1, 2, 3, 4])}, {"n": np.array([3])}
    return Case((side(13, old, whole, x=IMAGE), side(18, new, part, x=IMAGE), side(18, smooth, whole, x=IMAGE)))


@change(("Resize", 19))
def symmetric_pixels() -> Case:
    made = node("Resize", "x _ s", "y", mode="linear", coordinate_transformation_mode="half_pixel_symmetric")
    plain = node("Resize", "x _ s", "y", mode="linear", coordinate_transformation_mode="half_pixel")
    s = {"s": np.array([1, 1, 1.3, 1.7], np.float32)}
    return Case(
        (
            side(18, made, s, refused="half_pixel_symmetric", x=IMAGE),
            side(18, plain, s, x=IMAGE),
            side(19, made, s, x=IMAGE),
        )
    )


# -- layers -----------------------------------------------------------------------------------------------------------
@change(("BatchNormalization", 9))
def per_activation() -> Case:
    """Version 7 could normalise each position by statistics of its own."""
    x, stored = floats(2, 3), {k: np.abs(floats(3, seed=i)) + 1 for i, k in enumerate("sbmv")}
    made = node("BatchNormalization", "x s b m v", "y")
    spatial = node("BatchNormalization", "x s b m v", "y", spatial=0)
    deep = {k: np.abs(floats(3, 2, seed=i)) + 1 for i, k in enumerate("sbmv")}
    return Case((side(7, spatial, deep, refused="spatial", x=floats(2, 3, 2)), side(9, made, stored, x=x)))


@change(("BatchNormalization", 14))
def statistics_of_the_batch() -> Case:
    x, stored = floats(4, 3), {k: np.abs(floats(3, seed=i)) + 1 for i, k in enumerate("sbmv")}
    old = node("BatchNormalization", "x s b m v", "y")
    new = node("BatchNormalization", "x s b m v", "y q r", training_mode=1)
    return Case((side(9, old, stored, x=x), side(14, new, stored, x=x)))


@change(("GroupNormalization", 21))
def scale_of_channels() -> Case:
    """Scale and bias were one a group, and are one a channel."""
    x, made = floats(2, 4, 3), node("GroupNormalization", "x s b", "y", num_groups=2)
    old = {"s": np.array([1, 3], np.float32), "b": np.array([0, 5], np.float32)}
    new = {"s": np.array([1, 3, 1, 3], np.float32), "b": np.array([0, 5, 0, 5], np.float32)}
    return Case(tuple(side(v, made, s, x=x, want=_group_norm(x, s["s"].repeat(4 // len(s["s"])), s["b"].repeat(4 // len(s["b"]))))
                      for v, s in ((18, old), (21, new))))  # fmt: skip


def _group_norm(x: np.ndarray, scale: np.ndarray, bias: np.ndarray) -> np.ndarray:
    parts = x.reshape(2, 2, -1).astype(np.float64)
    parts = (parts - parts.mean(-1, keepdims=True)) / np.sqrt(parts.var(-1, keepdims=True) + 1e-5)
    return (parts.reshape(x.shape) * scale[None, :, None] + bias[None, :, None]).astype(np.float32)


@change(("LSTM", 14), ("GRU", 14), ("RNN", 14))
def batch_first(op: str) -> Case:
    """Layout 1 has the batch before the time, also in the states. ONNX Runtime has no such kernel."""
    gates = {"LSTM": 4, "GRU": 3, "RNN": 1}[op]
    stored = {"w": floats(1, gates * 2, 3), "r": floats(1, gates * 2, 2, seed=1)}
    x = floats(3, 4, 3, seed=2)
    old = side(7, node(op, "x w r", "y h", hidden_size=2), stored, outputs="y h", x=x)
    turned = [node("Transpose", "x", "t", perm=[1, 0, 2]), node(op, "t w r", "u g", hidden_size=2),
              node("Transpose", "u", "y", perm=[2, 0, 1, 3]), node("Transpose", "g", "h", perm=[1, 0, 2])]  # fmt: skip
    same = model(turned, [("x", FLOAT, [3, 4, 3])], ["y", "h"], stored, opset=14)
    want = tuple(runtime(same, {"x": x}))
    return Case(
        (old, side(14, node(op, "x w r", "y h", hidden_size=2, layout=1), stored, outputs="y h", want=want, x=x))
    )


@change(("Attention", 24))
def padded_keys() -> Case:
    q = floats(1, 1, 2, 4)
    k, v = floats(1, 1, 3, 4, seed=1), floats(1, 1, 3, 4, seed=2)
    old = side(23, node("Attention", "q k v", "y"), q=q, k=k, v=v, want=_attend(q, k, v))
    new = node("Attention", "q k v _ _ _ n", "y")
    return Case((old, side(24, new, {"n": np.array([2])}, q=q, k=k, v=v, want=_attend(q, k[:, :, :2], v[:, :, :2]))))


@change(("Attention", 25))
def windowed_keys() -> Case:
    q = floats(1, 1, 3, 4)
    k, v = floats(1, 1, 3, 4, seed=1), floats(1, 1, 3, 4, seed=2)
    old = side(24, node("Attention", "q k v", "y"), q=q, k=k, v=v, want=_attend(q, k, v))
    new = node("Attention", "q k v", "y", left_window_size=1, right_window_size=0)
    near = np.tril(np.ones((3, 3), bool)) & ~np.tril(np.ones((3, 3), bool), -2)
    return Case((old, side(25, new, q=q, k=k, v=v, want=_attend(q, k, v, near))))


def _attend(q: np.ndarray, k: np.ndarray, v: np.ndarray, seen: np.ndarray | None = None) -> np.ndarray:
    scores = q.astype(np.float64) @ k.swapaxes(-1, -2) / np.sqrt(q.shape[-1])
    weights = np.exp(scores if seen is None else np.where(seen, scores, -np.inf))
    return (weights / weights.sum(-1, keepdims=True) @ v).astype(np.float32)
