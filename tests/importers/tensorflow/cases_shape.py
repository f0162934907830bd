"""Cases of sizes, reshaping, movement, creation, padding, blocks."""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from typing import Any

import numpy as np

from tests.importers.tensorflow.harness import Case, array, fixed, kinds

SOME = ("float32", "int32", "bool", "complex64", "bfloat16", "uint8")
"""Dtypes tried of ops that only move elements."""


def sizes() -> Iterator[Case]:
    x = array(3, 4)
    for out in ("int32", "int64"):
        yield Case("Shape", out, {"input": x}, {"out_type": out}, sizes=(0, 5))
        yield Case("Size", out, {"input": x}, {"out_type": out}, sizes=(0, 5))
        yield Case("ShapeN", out, {"input": [x, array(3)]}, {"out_type": out}, sizes=(5,))
    yield Case("Rank", "plain", {"input": x})
    yield Case("Shape", "number", {"input": np.array(3.0)})
    yield Case("BroadcastArgs", "known", {"s0": fixed([3, 1, 4]), "s1": fixed([2, 1])}, open=())
    for dtype in ("int32", "int64"):
        target = fixed([-1, 2], dtype)
        yield Case("Reshape", f"rest {dtype}", {"tensor": x, "shape": target}, sizes=(1, 0, 5))
    yield Case("Reshape", "number", {"tensor": array(1, 1), "shape": fixed(np.zeros(0))}, open=())
    yield Case("Reshape", "empty", {"tensor": np.zeros((0, 3)), "shape": fixed([3, 0, 2])}, open=())
    yield Case("Reshape", "empty rest", {"tensor": np.zeros((0, 3)), "shape": fixed([-1, 3])}, open=())
    yield Case("Reshape", "run time", {"tensor": array(6, 4), "shape": np.array([4, -1, 2], np.int32)}, open=())
    yield Case("Reshape", "run time, wrong", {"tensor": array(6), "shape": np.array([4, 2])}, open=(), raises=True)
    for kind in SOME:
        y = array(3, 1, 4, dtype=kind)
        yield Case("Reshape", kind, {"tensor": y, "shape": fixed([-1, 4])}, sizes=(0,))
        for axis in (0, 2, -1, -4):
            yield Case("ExpandDims", f"{kind} {axis}", {"input": y, "axis": fixed(axis)})
        yield Case("Squeeze", kind, {"input": y}, {"axis": [1]})
        yield Case("Squeeze", f"{kind} -2", {"input": y}, {"axis": [-2]})
        yield Case("Squeeze", f"{kind} all", {"input": y})
        yield Case("BroadcastTo", kind, {"input": y, "shape": fixed([2, 3, 5, 4])}, open=())
        yield Case("Transpose", kind, {"x": y, "perm": fixed([2, 0, 1])}, sizes=(0,))
        yield Case("ConjugateTranspose", kind, {"x": y, "perm": fixed([1, 2, 0], "int64")})
    yield Case("BroadcastTo", "run time", {"input": array(1, 3), "shape": np.array([4, 3], np.int32)}, open=())
    yield Case("BroadcastTo", "empty", {"input": array(1, 3), "shape": fixed([0, 3])}, open=())


def several() -> Iterator[Case]:
    for kind in SOME:
        x, y = array(3, 4, dtype=kind), array(3, 4, dtype=kind, seed=3)
        for axis in (0, 1, 2, -1):
            yield Case("Pack", f"{kind} {axis}", {"values": [x, y]}, {"axis": axis}, sizes=(0,))
        for axis in (1, -1):
            yield Case("Unpack", f"{kind} {axis}", {"value": x}, {"num": 4, "axis": axis}, sizes=(0,))
        for axis in (0, 1, -2):
            yield Case("ConcatV2", f"{kind} {axis}", {"values": [x, y], "axis": fixed(axis)}, sizes=(0,))
        yield Case("Concat", kind, {"concat_dim": fixed(1), "values": [x, y, x]})
        yield Case("ParallelConcat", kind, {"values": [x[:1], y[:1]]}, {"shape": [2, 4]}, open=())
        for axis in (1, -1):
            yield Case("Split", f"{kind} {axis}", {"axis": fixed(axis), "value": x}, {"num_split": 2}, sizes=(0,))
        yield Case("Split", f"{kind} one", {"axis": fixed(0), "value": x}, {"num_split": 1})
        for parts in ([1, 3], [2, -1, 1], [0, 4]):
            operands = {"value": x, "size_splits": fixed(parts), "axis": fixed(1)}
            yield Case("SplitV", f"{kind} {parts}", operands, {"num_split": len(parts)})
        yield Case("Tile", kind, {"input": x, "multiples": fixed([2, 3])}, sizes=(0,))
        for axes in ([0], [1], [-1, 0], []):
            yield Case("ReverseV2", f"{kind} {axes}", {"tensor": x, "axis": fixed(np.array(axes))}, sizes=(0,))
        yield Case("Roll", kind, {"input": x, "shift": fixed([1, -2]), "axis": fixed([0, 1])}, sizes=(1,))
    yield Case("Unpack", "none", {"value": array(0, 4)}, {"num": 0, "axis": 0}, open=())
    yield Case("Split", "rows", {"axis": fixed(0), "value": array(4, 3)}, {"num_split": 2}, open=())
    yield Case(
        "SplitV", "open", {"value": array(5, 3), "size_splits": fixed([2, -1]), "axis": fixed(0)}, {"num_split": 2}
    )
    yield Case("Tile", "none", {"input": array(3), "multiples": fixed([0])})
    yield Case("Tile", "run time", {"input": array(3, 2), "multiples": np.array([2, 3], np.int32)}, open=())
    yield Case("Reverse", "plain", {"tensor": array(2, 3, 4), "dims": fixed([True, False, True], "bool")})
    yield Case("Roll", "one", {"input": array(3, 4), "shift": fixed(1), "axis": fixed(-1)})
    yield Case("Roll", "twice", {"input": array(3, 4), "shift": fixed([1, 2]), "axis": fixed([1, 1])})
    for shift in (-3, 0, 5):
        yield Case(
            "Roll", f"run time {shift}", {"input": array(3, 4), "shift": np.array(shift, np.int32), "axis": fixed(1)}
        )
    lengths = np.array([2, 4, 0], np.int64)
    for batch, time in ((0, 1), (1, 0), (0, 2), (2, 0), (1, 2)):
        shape = [5, 5, 5]
        shape[batch], shape[time] = 3, 4
        operands = {"input": array(*shape), "seq_lengths": lengths}
        yield Case("ReverseSequence", f"{batch} {time}", operands, {"seq_dim": time, "batch_dim": batch}, open=())
    far = {"input": array(2, 3), "seq_lengths": np.array([4, 1])}
    below = {"input": array(2, 3), "seq_lengths": np.array([-1, 1])}
    yield Case("ReverseSequence", "negative", below, {"seq_dim": 1}, raises=True, open=())
    yield Case("ReverseSequence", "too long", far, {"seq_dim": 1}, raises=True, open=())


def creation() -> Iterator[Case]:
    for kind in (*SOME, "float64", "int64"):
        value = array(1, dtype=kind)[0]
        yield Case("Fill", kind, {"dims": fixed([2, 3]), "value": fixed(value, kind)}, open=())
        yield Case("Fill", f"{kind} run time", {"dims": fixed([2, 0]), "value": value}, open=())
        yield Case("Fill", f"{kind} sizes", {"dims": np.array([2, 3], np.int64), "value": value}, open=())
        yield Case("ZerosLike", kind, {"x": array(3, 2, dtype=kind)}, sizes=(0,))
        yield Case("OnesLike", kind, {"x": array(3, 2, dtype=kind)}, sizes=(0,))
        for axis, (on, off) in itertools.product((-1, 0, 1), ((1, 0), (0, 3))):
            values = {"on_value": fixed(on, kind), "off_value": fixed(off, kind)}
            operands = {"indices": np.array([[0, 2], [-1, 3]]), "depth": fixed(3), **values}
            yield Case("OneHot", f"{kind} {axis} {on}", operands, {"axis": axis})
    for kind in kinds("OneHot", "TI"):
        operands = {
            "indices": np.array([1, 0, 5], kind),
            "depth": fixed(3),
            "on_value": fixed(5),
            "off_value": fixed(1),
        }
        yield Case("OneHot", f"indices {kind}", operands)
    values = {"on_value": np.float32(2), "off_value": np.float32(-1)}
    yield Case("OneHot", "run time", {"indices": np.array([1, -1]), "depth": fixed(3), **values})
    yield Case("OneHot", "depth", {"indices": np.array([1, 4]), "depth": np.array(3, np.int32), **values}, open=())
    for kind in ("float32", "float64", "int32", "int64"):
        for bounds in ((1, 9, 2), (5, -4, -3), (2, 2, 1)):
            names = ("start", "limit", "delta")
            yield Case(
                "Range", f"{kind} {bounds}", dict(zip(names, (fixed(b, kind) for b in bounds), strict=True)), open=()
            )
            held = dict(zip(names, (np.array(b, kind) for b in bounds), strict=True))
            yield Case("Range", f"{kind} {bounds} run time", held, open=(), notes=("lies before its start",))
        if kind.startswith("float"):
            fractions = dict(zip(names, (fixed(b, kind) for b in (0, 1, 0.1)), strict=True))
            yield Case("Range", f"{kind} fractions", fractions, open=())
            for count in (1, 2, 7):
                ends = {"start": fixed(-1.3, kind), "stop": fixed(2, kind), "num": fixed(count)}
                yield Case("LinSpace", f"{kind} {count}", ends, open=())
                ends = {"start": np.array(-1.3, kind), "stop": np.array(2, kind), "num": fixed(count)}
                yield Case("LinSpace", f"{kind} {count} run time", ends, open=())
    half = {n: fixed(v, "bfloat16") for n, v in zip(names, (0, 3, 1), strict=True)}
    yield Case("Range", "half", half, open=(), refused="whose length is rounded")
    yield Case("Empty", "zeros", {"shape": fixed([2, 0, 3])}, {"dtype": "int32", "init": True}, open=())


def rearrange() -> Iterator[Case]:
    x = array(3, 4)
    for kind in SOME:
        y = array(3, 4, dtype=kind)
        yield Case("Pad", kind, {"input": y, "paddings": fixed([[1, 2], [0, 3]])}, sizes=(0,))
        padded = {"input": y, "paddings": fixed([[1, 0], [2, 0]], "int64")}
        if kind != "complex64":
            yield Case("PadV2", kind, {**padded, "constant_values": fixed(1, kind)})
        yield Case("PadV2", f"{kind} run time", {**padded, "constant_values": y[0, 0]})
        for mode, most in (("REFLECT", 2), ("SYMMETRIC", 3)):
            pads = fixed([[0, 0], [most, 1]])
            yield Case("MirrorPad", f"{kind} {mode}", {"input": y, "paddings": pads}, {"mode": mode})
            pads = fixed([[1, most], [most, 0]])
            yield Case("MirrorPad", f"{kind} {mode} both", {"input": y, "paddings": pads}, {"mode": mode})
        bands = ((0, 0), (1, 0), (0, 2), (-1, 1), (2, -1), (-1, -1))
        for lower, upper in bands:
            operands = {"input": array(2, 3, 4, dtype=kind), "num_lower": fixed(lower), "num_upper": fixed(upper)}
            yield Case("MatrixBandPart", f"{kind} {lower} {upper}", operands)
    yield Case("Pad", "run time", {"input": x, "paddings": np.array([[1, 0], [0, 2]], np.int32)}, open=())
    cut = {"input": x, "paddings": np.array([[-1, 0], [0, 0]])}
    yield Case("Pad", "negative", cut, raises=True, open=())
    for lower, upper in bands:
        held = {"num_lower": np.array(lower), "num_upper": np.array(upper)}
        yield Case("MatrixBandPart", f"run time {lower} {upper}", {"input": x, **held})
    yield from _blocks()


def _blocks() -> Iterator[Case]:
    for kind in ("float32", "int32", "bfloat16", "uint8"):
        image = array(2, 4, 6, 4, dtype=kind)
        for op in ("SpaceToDepth", "DepthToSpace"):
            if kind in kinds(op):
                yield Case(op, kind, {"input": image}, {"block_size": 2, "data_format": "NHWC"}, sizes=(1, 3))
    for kind in SOME:
        for block, pads, shape in (
            ([2, 2], [[0, 0], [2, 0]], (2, 4, 4, 3)), ([3], [[1, 1]], (2, 4, 3)), ([1, 2], [[0, 0], [1, 1]], (1, 3, 4)),
        ):  # fmt: skip
            if kind not in kinds("SpaceToBatchND"):
                continue
            operands = {"input": array(*shape, dtype=kind), "block_shape": fixed(block), "paddings": fixed(pads)}
            yield Case("SpaceToBatchND", f"{kind} {block}", operands, sizes=(3,))
            batch = array(int(np.prod(block)) * 2, *shape[1:], dtype=kind)
            operands = {"input": batch, "block_shape": fixed(block), "crops": fixed(np.array(pads) // 2)}
            yield Case("BatchToSpaceND", f"{kind} {block}", operands, open=())
    old: dict[str, Any] = {"input": array(2, 4, 4, 1), "paddings": fixed([[0, 0], [2, 0]])}
    yield Case("SpaceToBatch", "plain", old, {"block_size": 2})
    yield Case(
        "BatchToSpace", "plain", {"input": array(4, 2, 2, 1), "crops": fixed([[0, 1], [1, 0]])}, {"block_size": 2}
    )


def formats() -> Iterator[Case]:
    """What TensorFlow's layout optimiser writes."""
    for kind in ("int32", "int64"):
        for source, target, size in (
            ("NHWC", "NCHW", 4), ("NCHW", "NHWC", 2), ("NHWC", "NWHC", 2), ("NDHWC", "NCDHW", 5), ("NDHWC", "NCWHD", 3),
        ):  # fmt: skip
            form = {"src_format": source, "dst_format": target}
            for shape in ((size,), (size, 2)):
                given = {"x": np.arange(np.prod(shape), dtype=kind).reshape(shape)}
                yield Case("DataFormatVecPermute", f"{kind} {form} {shape}", given, form, open=())
            held = {"x": fixed(np.arange(size), kind)}
            yield Case("DataFormatVecPermute", f"{kind} {form} known", held, form, open=())
            axes = np.array([[0, 1, 2, 3, -1, -2, -3, -4, 9]], kind)
            yield Case("DataFormatDimMap", f"{kind} {form}", {"x": axes}, form, open=(1,), sizes=(0,))
            yield Case("DataFormatDimMap", f"{kind} {form} number", {"x": np.array(-1, kind)}, form, open=())
    wrong = {"src_format": "NHWC", "dst_format": "NCHW"}
    yield Case(
        "DataFormatVecPermute", "of another size", {"x": fixed([1, 2, 3])}, wrong, open=(), refused="from NHWC to NCHW"
    )


TABLES = {"sizes": sizes, "several": several, "creation": creation, "rearrange": rearrange, "formats": formats}
