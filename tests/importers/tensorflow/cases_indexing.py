"""Cases of reads and writes at computed positions, of segments, and of counting."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np

from tests.importers.tensorflow.harness import Case, array, fixed, kinds

SOME = ("float32", "int32", "bool", "complex64", "bfloat16", "uint8")


def ints(*content: Any, dtype: str = "int32") -> np.ndarray:
    return np.array(content, dtype)


def reads() -> Iterator[Case]:
    for kind in SOME:
        x = array(5, 4, 3, dtype=kind)
        for dtype in ("int32", "int64"):
            at = ints([0, 4], [2, 2], dtype=dtype)
            yield Case("Gather", f"{kind} {dtype}", {"params": x, "indices": at}, open=())
            for axis in (0, 1, -1):
                operands = {"params": x, "indices": at % 3, "axis": fixed(axis, dtype)}
                yield Case("GatherV2", f"{kind} {dtype} {axis}", operands, open=(0,))
            vectors = ints([[0, 1], [4, 3]], [[2, 2], [0, 0]], dtype=dtype)
            yield Case("GatherNd", f"{kind} {dtype}", {"params": x, "indices": vectors}, open=())
        for batch, axis in ((1, 1), (1, 2), (-1, 1), (2, 2), (1, -1)):
            rank = 3 if batch == 2 else 2
            at = array(*(5, 4, 2)[:rank], dtype="int32", low=0, high=2)
            operands = {"params": x, "indices": at, "axis": fixed(axis)}
            yield Case("GatherV2", f"{kind} batch {batch} {axis}", operands, {"batch_dims": batch}, sizes=(1, 0))
        yield Case("GatherV2", f"{kind} number", {"params": x, "indices": ints(2)[0], "axis": fixed(1)})
        yield Case("GatherV2", f"{kind} known", {"params": x, "indices": fixed([2, 0]), "axis": fixed(1)})
        yield Case("GatherV2", f"{kind} one known", {"params": x, "indices": fixed(2), "axis": fixed(1)})
        none = {"params": x, "indices": np.zeros((2, 0), np.int32)}
        yield Case("GatherNd", f"{kind} no depth", none, open=())
        ignored = {"bad_indices_policy": "IGNORE"}
        yield Case("GatherNd", f"{kind} ignored", {"params": x, "indices": ints([9], [1], [-1])}, ignored, open=())
        yield Case("Where", kind, {"condition": array(3, 4, dtype=kind, low=-1, high=1)}, sizes=(0, 1))
    for bad in (5, -1):
        x = array(5, 2)
        yield Case("Gather", f"outside {bad}", {"params": x, "indices": ints(0, bad)}, raises=True, open=())
        held = {"params": x, "indices": ints(0, bad), "axis": fixed(0)}
        yield Case("GatherV2", f"outside {bad}", held, raises=True, open=())
        yield Case("GatherNd", f"outside {bad}", {"params": x, "indices": ints([0], [bad])}, raises=True, open=())
    yield Case("Where", "special", {"condition": np.array([[np.nan, 0.0, -0.0, np.inf]])})
    yield Case("Where", "number", {"condition": np.array(3.0)}, refused="a number alone", open=())


def writes() -> Iterator[Case]:
    vectors = ints([0, 2], [3, 1], [0, 2])
    for kind in (*SOME, "int64", "float64"):
        updates = array(3, 2, dtype=kind)
        shape = fixed([4, 3, 2])
        yield Case("ScatterNd", kind, {"indices": vectors, "updates": updates, "shape": shape})
        held = {"indices": vectors.astype("int64"), "updates": updates, "shape": ints(4, 3, 2, dtype="int64")}
        yield Case("ScatterNd", f"{kind} run time", held, open=())
        ignored = {"bad_indices_policy": "IGNORE"}
        far = ints([0, 9], [3, 1], [-1, 0])
        yield Case("ScatterNd", f"{kind} ignored", {"indices": far, "updates": updates, "shape": shape}, ignored)
        data = array(4, 3, 2, dtype=kind, seed=1)
        for op in ("Update", "Add", "Sub", "Max", "Min"):
            name = f"TensorScatter{op}"
            if kind not in kinds(name):
                continue
            operands = {"tensor": data, "indices": vectors, "updates": updates}
            told = ("NaN among the updates",) if op in ("Max", "Min") and "float" in kind else ()
            yield Case(name, kind, operands, open=(), notes=told)
            yield Case(name, f"{kind} ignored", {**operands, "indices": far}, ignored, open=())
            rows = {"tensor": data, "indices": ints([1], [3]), "updates": array(2, 3, 2, dtype=kind)}
            yield Case(name, f"{kind} rows", rows, open=())
    yield Case(
        "ScatterNd", "none", {"indices": np.zeros((0, 1), np.int32), "updates": array(0), "shape": fixed([3])}, open=()
    )
    for bad in (4, -1):
        operands = {"tensor": array(4), "indices": ints([0], [bad]), "updates": array(2)}
        yield Case("TensorScatterUpdate", f"outside {bad}", operands, raises=True, open=())
        operands = {"indices": ints([0], [bad]), "updates": array(2), "shape": fixed([4])}
        yield Case("ScatterNd", f"outside {bad}", operands, raises=True, open=())
    for op in ("InplaceUpdate", "InplaceAdd", "InplaceSub"):
        yield Case(op, "known", {"x": array(4, 2), "i": fixed([3, 0]), "v": array(2, 2, seed=3)}, open=())
        operands = {"x": array(4, 2), "i": ints(3, 0), "v": array(2, 2, seed=3)}
        yield Case(op, "run time", operands, refused="only the run knows", open=())
    yield Case(
        "ScatterNdNonAliasingAdd", "plain", {"input": array(4), "indices": ints([1], [1]), "updates": array(2)}, open=()
    )


def counting() -> Iterator[Case]:
    at, weights = ints(1, 2, 1, 7, 0), array(5)
    for kind in ("float32", "float64", "int32", "int64"):
        none, some = np.zeros(0, kind), array(5, dtype=kind)
        for weight in (none, some):
            yield Case("Bincount", f"{kind} {weight.size}", {"arr": at, "size": fixed(4), "weights": weight}, open=())
            for binary in (False, True):
                operands = {"input": at.astype("int64"), "size": fixed(4, "int64"), "weights": weight}
                yield Case(
                    "DenseBincount", f"{kind} {weight.size} {binary}", operands, {"binary_output": binary}, open=()
                )
                rows = {"input": ints([1, 2, 1], [0, 0, 9]), "size": fixed(4), "weights": array(2, 3, dtype=kind)}
                rows = rows if weight.size else {**rows, "weights": np.zeros((0, 0), kind)}
                yield Case(
                    "DenseBincount", f"{kind} rows {weight.size} {binary}", rows, {"binary_output": binary}, open=()
                )
    yield Case("Bincount", "run time", {"arr": at, "size": np.array(6, np.int32), "weights": weights}, open=())
    for op, first in (("Bincount", "arr"), ("DenseBincount", "input")):
        negative = {first: ints(1, -2), "size": fixed(4), "weights": np.zeros(0, np.int32)}
        yield Case(op, "negative", negative, raises=True, open=())
    for op in ("Unique", "UniqueWithCounts"):
        for kind in kinds(op, among=("float32", "int32", "int64", "uint8", "bfloat16", "bool")):
            for out in ("int32", "int64"):
                x = (
                    array(7, dtype=kind, low=0, high=3).round()
                    if "float" in kind
                    else array(7, dtype=kind, low=0, high=3)
                )
                yield Case(op, f"{kind} {out}", {"x": x}, {"out_idx": out}, sizes=(1, 0))
        yield Case(op, "special", {"x": np.array([np.nan, 1, np.nan, 0.0, -0.0, np.inf, 1])})
    yield Case("UniqueV2", "vector", {"x": ints(3, 1, 3), "axis": fixed([0])})
    yield Case("UniqueV2", "no axis", {"x": ints(3, 1, 3), "axis": fixed(np.zeros(0))})
    yield Case("UniqueWithCountsV2", "vector", {"x": ints(3, 1, 3), "axis": fixed([0])})
    yield Case("UniqueV2", "rows", {"x": ints([3, 1], [3, 1]), "axis": fixed([0])}, refused="distinct slices")
    yield Case("ListDiff", "plain", {"x": ints(3, 1, 3, 2, 1), "y": ints(1, 5)}, open=())
    yield Case("ListDiff", "floats", {"x": array(5), "y": array(5)[1:3]}, {"out_idx": "int64"}, open=())
    yield Case("InvertPermutation", "plain", {"x": ints(2, 0, 3, 1)})
    yield Case("InvertPermutation", "twice", {"x": ints(2, 0, 2, 1)}, raises=True)
    yield Case("InvertPermutation", "outside", {"x": ints(2, 0, 4, 1)}, raises=True)
    for kind in ("float32", "int32", "bool"):
        data = array(3, 2, dtype=kind)
        for parts in (ints(0, 2, 0), ints(1, 1, 1)):
            operands = {"data": data, "partitions": parts}
            yield Case("DynamicPartition", f"{kind} {parts}", operands, {"num_partitions": 3}, sizes=(0, 1))
        operands = {"data": data, "partitions": ints([0, 1], [1, 1], [2, 0])}
        yield Case("DynamicPartition", f"{kind} elements", operands, {"num_partitions": 3})
        indices = [ints(0, 3), ints([2, 1], [0, 4])]
        values = [array(2, 3, dtype=kind), array(2, 2, 3, dtype=kind)]
        for op in ("DynamicStitch", "ParallelDynamicStitch"):
            held = {"indices": indices, "data": values}
            yield Case(op, kind, held, open=(), notes=("a place that no index names",))
            yield Case(op, f"{kind} known", {"indices": [fixed(i) for i in indices], "data": values}, open=())
    outside = {"data": array(3), "partitions": ints(0, 5, 0)}
    yield Case("DynamicPartition", "outside", outside, {"num_partitions": 3}, raises=True)
    yield Case(
        "DynamicStitch", "gap", {"indices": [fixed([0, 2])], "data": [array(2)]}, refused="no index names", open=()
    )
    none = {"indices": [np.zeros(0, np.int32)], "data": [array(0, 2)]}
    yield Case("DynamicStitch", "none", none, open=())


def segments() -> Iterator[Case]:
    numbers = ("float32", "float64", "int32", "int64", "bfloat16", "uint8")
    ids = ints(0, 0, 2, 2, 3)
    for kind in numbers:
        data = array(5, 2, dtype=kind)
        for op in ("Sum", "Mean", "Max", "Min", "Prod"):
            operands = {"data": data, "segment_ids": ids.astype("int64")}
            yield Case(f"Segment{op}", kind, operands)
            yield Case(f"Segment{op}", f"{kind} known", {"data": data, "segment_ids": fixed(ids)}, open=())
            yield Case(f"Segment{op}", f"{kind} none", {"data": data[:0], "segment_ids": ids[:0]}, open=())
            if op == "Mean":
                continue
            name = f"UnsortedSegment{op}"
            for places in (ints(0, 3, -1, 0, 3), ints([0, 1], [-1, 1], [2, 2], [0, 0], [2, -5])):
                operands = {"data": data, "segment_ids": places, "num_segments": fixed(5)}
                yield Case(name, f"{kind} {places.ndim}", operands, sizes=(0,))
            held = {"data": data, "segment_ids": ids, "num_segments": np.array(6, np.int32)}
            yield Case(name, f"{kind} run time", held, open=())
    for op in ("Max", "Min"):
        told = ("lets their order decide",)
        held = {"data": array(5), "segment_ids": ids}
        yield Case(f"Segment{op}", "noted", held, notes=told, open=())
        low = {
            "data": np.array([-np.inf, np.inf, 1], np.float32),
            "segment_ids": ints(0, 1, 1),
            "num_segments": fixed(3),
        }
        yield Case(f"UnsortedSegment{op}", "noted", low, notes=(*told, "beyond the last"), open=())
    negative = {"data": array(2), "segment_ids": ints(-1, 0)}
    for op in ("SegmentSum", "SegmentMax", "SegmentMean"):
        yield Case(op, "not in order", {"data": array(3), "segment_ids": ints(0, 2, 1)}, raises=True, open=())
    yield Case("SegmentSum", "negative", negative, raises=True, open=())
    for op in ("Sum", "Mean", "SqrtN"):
        for kind in kinds(f"SparseSegment{op}", among=("float32", "float64", "bfloat16")):
            data = array(4, 2, dtype=kind)
            operands = {"data": data, "indices": ints(0, 1, 3, 0), "segment_ids": ints(0, 0, 2, 2)}
            yield Case(f"SparseSegment{op}", kind, operands, open=())
            known = {**operands, "segment_ids": fixed([0, 0, 2, 2])}
            yield Case(f"SparseSegment{op}", f"{kind} known", known, {"sparse_gradient": True}, open=())
            counted = {**operands, "num_segments": fixed(5)}
            yield Case(f"SparseSegment{op}WithNumSegments", kind, counted, open=())


def unravelled() -> Iterator[Case]:
    for kind in ("int32", "int64"):
        x = np.array([0, 1, 5, 41, -1, -7, -100], kind)
        for dims in ([7, 3, 2], [50], [1, 6, 7]):
            known = {"indices": x, "dims": fixed(dims, kind)}
            yield Case("UnravelIndex", f"{kind} {dims}", known, sizes=(3,))
            yield Case("UnravelIndex", f"{kind} {dims} one", {**known, "indices": x[3]}, open=())
        yield Case("UnravelIndex", f"{kind} sizes of the run", {"indices": x, "dims": np.array([6, 7], kind)}, open=())
    none = {"indices": ints(0), "dims": fixed([2, 0])}
    yield Case("UnravelIndex", "no place", none, open=(), refused="which TensorFlow refuses, too")
    told = {"indices": ints(3), "dims": fixed([2, 5])}
    yield Case("UnravelIndex", "told", told, open=(), notes=("a position beyond the end",))


TABLES = {"reads": reads, "writes": writes, "counting": counting, "segments": segments, "unravelled": unravelled}
