"""The recorded indexing cases as ONNX files at opset 18: native operators where ONNX has one, else index arithmetic."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
import onnx
from onnx import helper, numpy_helper

OPSET = 18
Attrs = dict[str, Any]


class Inexpressible(Exception):
    """ONNX has no way to say the case; the message says why."""


class File:
    """An ONNX graph under construction. Names stand for tensors; NumPy arrays become constants."""

    def __init__(self, inputs: Mapping[str, np.ndarray]) -> None:
        self.inputs = dict(inputs)
        self.nodes: list[onnx.NodeProto] = []
        self.constants: list[onnx.TensorProto] = []

    def __call__(self, kind: str, *inputs: Any, **attrs: Any) -> str:
        out = f"t{len(self.nodes)}"
        names = [i if isinstance(i, str) else self.constant(i) for i in inputs]
        self.nodes.append(helper.make_node(kind, names, [out], **attrs))
        return out

    def constant(self, value: Any) -> str:
        name = f"c{len(self.constants)}"
        self.constants.append(numpy_helper.from_array(np.asarray(value), name))
        return name

    def finish(self, out: str, kind: np.dtype) -> onnx.ModelProto:
        types = [(n, a.dtype, a.shape) for n, a in self.inputs.items()]
        infos = [helper.make_tensor_value_info(n, helper.np_dtype_to_tensor_dtype(t), s) for n, t, s in types]
        result = helper.make_tensor_value_info(out, helper.np_dtype_to_tensor_dtype(kind), None)
        graph = helper.make_graph(self.nodes, "case", infos, [result], self.constants)
        return helper.make_model(graph, opset_imports=[helper.make_opsetid("", OPSET)], ir_version=10)


def written(op: str, attrs: Attrs, inputs: Mapping[str, np.ndarray], kind: np.dtype) -> onnx.ModelProto:
    """The file of a case whose result has element type `kind`; raises Inexpressible."""
    f = File(inputs)
    return f.finish(SPELLINGS[op](f, attrs, *inputs), kind)


# -- index arithmetic -----------------------------------------------------------------------------------------------
def placed(f: File, i: str, n: Any, a: Attrs) -> tuple[str, str | None]:
    """Positions, and under fill and drop which are good. `error` is ONNX's own; where negatives are errors too, they
    are moved behind the end."""
    bounds, neg = a.get("bounds", "error"), a.get("neg", "from_end")
    i, n = f("Cast", i, to=onnx.TensorProto.INT64), np.asarray(n, np.int64)
    if bounds == "wrap":
        return f("Mod", i, n), None
    if bounds == "error":
        return (i if neg == "from_end" else f("Where", f("Less", i, np.int64(0)), n, i)), None
    if neg == "from_end":
        i = f("Where", f("Less", i, np.int64(0)), f("Add", i, n), i)
    if bounds == "clip":
        return f("Min", f("Max", i, np.int64(0)), n - 1), None
    good = f("And", f("GreaterOrEqual", i, np.int64(0)), f("Less", i, n))
    return f("Where", good, i, np.int64(0)), good


def _filled(f: File, out: str, good: str | None, extra: int, a: Attrs, kind: np.dtype) -> str:
    if good is None:
        return out
    good = f("Unsqueeze", good, np.arange(-extra, 0)) if extra else good
    return f("Where", good, out, np.asarray(a["fill_value"], kind))


def gather(f: File, a: Attrs, x: str, i: str) -> str:
    data, index = f.inputs[x], f.inputs[i]
    axis, batch = a["axis"] % data.ndim, a.get("batch_dims", 0)
    if batch:
        rows = f("Unsqueeze", f("Cast", i, to=onnx.TensorProto.INT64), np.array([index.ndim]))
        return f("GatherND", x, rows, batch_dims=batch)
    if index.dtype.kind == "f":
        return f("Gather", x, i, axis=axis)
    at, good = placed(f, i, data.shape[axis], a)
    return _filled(f, f("Gather", x, at, axis=axis), good, data.ndim - axis - 1, a, data.dtype)


def gather_elements(f: File, a: Attrs, x: str, i: str) -> str:
    data = f.inputs[x]
    at, good = placed(f, i, data.shape[a["axis"]] if a["axis"] < data.ndim else 0, a)
    return _filled(f, f("GatherElements", x, at, axis=a["axis"]), good, 0, a, data.dtype)


def gather_nd(f: File, a: Attrs, x: str, i: str) -> str:
    data, batch, depth = f.inputs[x], a.get("batch_dims", 0), f.inputs[i].shape[-1]
    sizes = (*data.shape[batch : batch + depth], *[1] * (batch + depth - data.ndim))
    return f("GatherND", x, placed(f, i, np.array(sizes), a)[0], batch_dims=batch)


# -- writes -----------------------------------------------------------------------------------------------------------
def _start(form: str, kind: np.dtype) -> Any:
    if form in ("max", "min"):
        sign = -1 if form == "max" else 1
        if kind.kind == "f":
            return np.asarray(sign * math.inf, kind)
        return np.asarray(np.iinfo(kind).min if form == "max" else np.iinfo(kind).max, kind)
    return np.asarray(1 if form == "mul" else 0, kind)


def _scattered(f: File, x: str, i: str, u: str, axis: int, a: Attrs, kind: np.dtype, shape: Any) -> str:
    """ScatterElements of updates of a shape, with the reductions ONNX lacks spelled out."""
    form, own = a.get("reduction", "none"), a.get("include_self", True)
    if form == "none":
        return f("ScatterElements", x, i, u, axis=axis)
    if not own:
        x = f("ScatterElements", x, i, np.full(shape, _start(form, kind), kind), axis=axis)
    if form != "mean":
        return f("ScatterElements", x, i, u, axis=axis, reduction=form)
    total = f("ScatterElements", x, i, u, axis=axis, reduction="add")
    ones = f("Expand", np.asarray(1, kind), f("Shape", x))
    if not own:
        ones = f("ScatterElements", ones, i, np.zeros(shape, kind), axis=axis)
    count = f("ScatterElements", ones, i, np.ones(shape, kind), axis=axis, reduction="add")
    if not own:
        count = f("Max", count, np.asarray(1, kind))
    share = f("Div", total, count)
    if kind.kind == "f":
        return share
    below = f("Less", f("Sub", total, f("Mul", share, count)), np.asarray(0, kind))
    return f("Where", below, f("Sub", share, np.asarray(1, kind)), share)


def _spared(
    f: File, x: str, i: str, good: str, u: str, axis: int, a: Attrs, kind: np.dtype, data: Any, shape: Any
) -> str:
    """Written to a place behind the end, which is cut off again; `data` is the shape of x."""
    spare = np.zeros([1 if k == axis else n for k, n in enumerate(data)], kind)
    longer, n = f("Concat", x, spare, axis=axis), np.int64(data[axis])
    out = _scattered(f, longer, f("Where", good, i, n), u, axis, a, kind, shape)
    return f("Slice", out, np.array([0]), np.array([data[axis]]), np.array([axis]))


def _no_nan(f: File, a: Attrs, *names: str) -> None:
    if a.get("reduction") in ("max", "min") and any(np.isnan(f.inputs[n].astype(np.float64)).any() for n in names):
        raise Inexpressible("what ONNX Runtime's max and min make of NaN depends on the order of the updates")


def scatter_elements(f: File, a: Attrs, x: str, i: str, u: str) -> str:
    _no_nan(f, a, x, u)
    data, axis, shape = f.inputs[x], a["axis"] % f.inputs[x].ndim, f.inputs[u].shape
    at, good = placed(f, i, data.shape[axis], a)
    if good is None:
        return _scattered(f, x, at, u, axis, a, data.dtype, shape)
    return _spared(f, x, at, good, u, axis, a, data.dtype, data.shape, shape)


def scatter_nd(f: File, a: Attrs, x: str, i: str, u: str) -> str:
    _no_nan(f, a, x, u)
    data, depth = f.inputs[x], f.inputs[i].shape[-1]
    at, good = placed(f, i, np.array(data.shape[:depth]), a)
    form = {} if a.get("reduction", "none") == "none" else {"reduction": a["reduction"]}
    if good is None:
        return f("ScatterND", x, at, u, **form)
    sizes = np.array(data.shape[:depth])
    longer = f("Pad", x, np.array([0] * data.ndim + [1] * depth + [0] * (data.ndim - depth)))
    out = f("ScatterND", longer, f("Where", good, at, sizes), u, **form)
    return f("Slice", out, np.zeros(depth, np.int64), sizes, np.arange(depth))


# -- slices and blocks --------------------------------------------------------------------------------------------------
def slice_(f: File, a: Attrs, x: str) -> str:
    return f("Slice", x, *(np.array(a[k], np.int64) for k in ("starts", "stops", "axes", "steps")))


def slice_update(f: File, a: Attrs, x: str, u: str) -> str:
    (axis,), n = a["axes"], f.inputs[x].shape[a["axes"][0]]
    line = np.arange(n)[a["starts"][0] : a["stops"][0] : a["steps"][0]]
    shape = [len(line) if k == axis else d for k, d in enumerate(f.inputs[x].shape)]
    line = line.reshape([-1 if k == axis else 1 for k in range(len(shape))])
    return f("ScatterElements", x, np.broadcast_to(line, shape).copy(), u, axis=axis)


def _line(f: File, a: Attrs, start: str, n: int, size: int) -> str:
    if a["neg"] == "from_end":
        start = f("Where", f("Less", start, np.int64(0)), f("Add", start, np.int64(n)), start)
    start = f("Min", f("Max", start, np.int64(0)), np.int64(n - size))
    return f("Add", start, np.arange(size))


def dynamic_slice(f: File, a: Attrs, x: str, *starts: str) -> str:
    for axis, (n, size, start) in enumerate(zip(f.inputs[x].shape, a["sizes"], starts, strict=True)):
        x = f("Gather", x, _line(f, a, start, n, size), axis=axis)
    return x


def dynamic_update_slice(f: File, a: Attrs, x: str, u: str, *starts: str) -> str:
    ((n,), (size,), (start,)) = f.inputs[x].shape, f.inputs[u].shape, starts
    return f("ScatterElements", x, _line(f, a, start, n, size), u, axis=0)


# -- masks, segments, one-hot -----------------------------------------------------------------------------------------
def mask_select(f: File, a: Attrs, x: str, mask: str) -> str:
    if f.inputs[mask].shape != f.inputs[x].shape[:1]:
        return f("GatherND", f("Where", mask, x, x), f("Transpose", f("NonZero", mask), perm=[1, 0]))
    return f("Compress", x, mask, axis=0)


def mask_fill(f: File, a: Attrs, x: str, mask: str, value: str) -> str:
    return f("Where", mask, value, x)


def mask_scatter(f: File, a: Attrs, x: str, mask: str, source: str) -> str:
    return f("ScatterND", x, f("Transpose", f("NonZero", mask), perm=[1, 0]), source)


def compress(f: File, a: Attrs, x: str, mask: str) -> str:
    return f("Compress", x, mask, axis=a["axis"])


def nonzero(f: File, a: Attrs, x: str) -> str:
    return f("Transpose", f("NonZero", x), perm=[1, 0])


def segment_reduce(f: File, a: Attrs, x: str, ids: str) -> str:
    data, form = f.inputs[x], a["reduction"]
    shape = (a["num_segments"], *data.shape[1:])
    out = f.constant(np.full(shape, _start(form, data.dtype), data.dtype))
    where = f("Cast", ids, to=onnx.TensorProto.INT64)
    where = f("Expand", f("Reshape", where, np.array([-1] + [1] * (data.ndim - 1))), np.array(data.shape))
    bounds = {"bounds": a["bounds"], "neg": "invalid"}
    at, good = placed(f, where, a["num_segments"], bounds)
    own = {"reduction": form, "include_self": False}
    if good is None:
        return _scattered(f, out, at, x, 0, own, data.dtype, data.shape)
    return _spared(f, out, at, good, x, 0, own, data.dtype, shape, data.shape)


def one_hot(f: File, a: Attrs, i: str) -> str:
    return f("OneHot", i, np.int64(a["depth"]), np.array([0, 1], np.float32), axis=a["axis"])


# -- subscripts -------------------------------------------------------------------------------------------------------
def _flat(f: File, a: Attrs, x: str, names: tuple[str, ...]) -> str:
    """Row-major positions of a selection: NumPy lays out what is static and where each index vector goes."""
    shape, strides = f.inputs[x].shape, np.cumprod([1, *f.inputs[x].shape[:0:-1]])[::-1]
    axes, block = _indexed(a, len(shape)), np.broadcast_shapes(*(f.inputs[n].shape for n in names))
    number = np.arange(math.prod(block)).reshape(block)
    fixed = np.arange(math.prod(shape)).reshape(shape)[_subscript(a, [np.zeros(block, np.int64)] * len(names))]
    wide = [max(number.size, 1) if k in axes else n for k, n in enumerate(shape)]
    counted = np.arange(wide[axes[0]]).reshape([-1 if k == axes[0] else 1 for k in range(len(shape))])
    which = np.broadcast_to(counted, wide)[_subscript(a, [number] * len(names))]
    total: Any = None
    for name, axis in zip(names, axes, strict=True):
        n = shape[axis]
        good = f("And", f("GreaterOrEqual", name, np.int64(-n)), f("Less", name, np.int64(n)))
        at = f("Where", f("Less", name, np.int64(0)), f("Add", name, np.int64(n)), name)
        part = f("Where", good, f("Mul", at, np.int64(strides[axis])), np.int64(fixed.size + math.prod(shape)))
        total = part if total is None else f("Add", total, part)
    spread = f("Reshape", f("Expand", total, np.array(block, np.int64)), np.array([-1]))
    return f("Add", fixed, f("Gather", spread, which))


def _indexed(a: Attrs, rank: int) -> list[int]:
    consumed = [e[0] for e in a["spec"] if e[0] not in ("newaxis", "ellipsis")]
    assert "ellipsis" not in [e[0] for e in a["spec"][:-1]], "axes are counted from the front"
    return [k for k, kind in enumerate(consumed) if kind == "array"]


def _subscript(a: Attrs, arrays: list[np.ndarray]) -> tuple[Any, ...]:
    kinds: dict[str, Callable[..., Any]] = {
        "slice": slice, "int": int, "newaxis": lambda: None, "ellipsis": lambda: ..., "array": lambda n: arrays[n],
    }  # fmt: skip
    return tuple(kinds[entry[0]](*entry[1:]) for entry in a["spec"])


def index_get(f: File, a: Attrs, x: str, *names: str) -> str:
    try:
        at = _flat(f, a, x, names)
    except ValueError as error:
        raise Inexpressible(f"index arrays that do not broadcast, where a file has none of these ({error})") from None
    return f("Gather", f("Reshape", x, np.array([-1])), at)


def index_put(f: File, a: Attrs, x: str, *names: str) -> str:
    *arrays, u = names
    at = _flat(f, a, x, tuple(arrays))
    new = f("Reshape", f("Expand", u, f("Shape", at)), np.array([-1]))
    form = {} if a["reduction"] == "none" else {"reduction": a["reduction"]}
    flat = f("ScatterElements", f("Reshape", x, np.array([-1])), f("Reshape", at, np.array([-1])), new, axis=0, **form)
    return f("Reshape", flat, np.array(f.inputs[x].shape))


SPELLINGS: dict[str, Callable[..., str]] = {
    "gather": gather, "gather_elements": gather_elements, "gather_nd": gather_nd, "scatter_elements": scatter_elements,
    "scatter_nd": scatter_nd, "slice": slice_, "slice_update": slice_update, "dynamic_slice": dynamic_slice,
    "dynamic_update_slice": dynamic_update_slice, "mask_select": mask_select, "mask_fill": mask_fill, "mask_scatter": mask_scatter,
    "compress": compress, "nonzero": nonzero, "segment_reduce": segment_reduce, "one_hot": one_hot, "index_get": index_get,
    "index_put": index_put,
}  # fmt: skip
