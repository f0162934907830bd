"""Reading by index and by mask. TensorFlow takes no negative indices and refuses, on a CPU, what is out of range: what else
an op means is computed before, inline or by helpers."""

from __future__ import annotations

from typing import Any

from converter.exporters.code.expr import Binary, Expr, hole, lift
from converter.exporters.index_facts import never_negative
from converter.exporters.tensorflow.context import TF, Context
from converter.exporters.tensorflow.indices import as_index, checked, from_end, guards, index_settings, tell_read
from converter.exporters.tensorflow.table import rule
from ir.core import Node

NATIVE = ("error", "unchecked")


def _all_filled(c: Context, node: Node, sizes: Any) -> Expr | None:
    """The result where an axis that is read has nothing to read."""
    a, kind, out = node.attrs, node.output.type.dtype, node.output.type
    if 0 not in sizes or (a["bounds"] != "fill" and 0 not in out.shape):
        return None
    return TF.fill(lift(c.shape(out.shape)), TF.constant(lift(_number(a["fill_value"], kind)), c.dtype(kind)))


def _number(value: Any, kind: Any) -> Any:
    return bool(value) if kind.is_bool else int(value) if kind.is_integer else float(value)


def _settings(c: Context, node: Node) -> dict[str, Any]:
    found = index_settings(c, node, node.operand("indices"))
    if "fill" in found:
        found["fill"] = lift(_number(node.attrs["fill_value"], node.output.type.dtype))
    return found


def _own_index(c: Context, node: Node, size: Any) -> Expr:
    """Indices along one axis as TensorFlow takes them."""
    indices = node.operand("indices")
    index = as_index(c, indices)
    if node.attrs["neg"] == "from_end" and not never_negative(indices):
        index = from_end(c, index, size)
    return checked(c, index, size) if guards(c) and node.attrs["bounds"] == "error" else index


@rule("gather")
def gather(c: Context, node: Node) -> Expr:
    a, data, indices = node.attrs, node.operand("data"), node.operand("indices")
    axis = a["axis"] % data.type.rank
    size = data.type.shape[axis]
    if (empty := _all_filled(c, node, [size])) is not None:
        return empty
    batch = {"batch_dims": hole(a["batch_dims"], "batch_dims")} if a["batch_dims"] else {}
    if a["bounds"] in NATIVE:
        if a["bounds"] == "error":
            tell_read(c, node, indices, size)
        at = {"axis": hole(axis, "axis", 0)}
        return TF.gather(c.x(data), _own_index(c, node, size), **at, **batch)
    return c.helper("take")(c.x(data), as_index(c, indices), hole(axis, "axis"), **batch, **_settings(c, node))


@rule("gather_elements")
def gather_elements(c: Context, node: Node) -> Expr:
    a, data, indices = node.attrs, node.operand("data"), node.operand("indices")
    axis, rank = a["axis"] % data.type.rank, data.type.rank
    size = data.type.shape[axis]
    if (empty := _all_filled(c, node, data.type.shape)) is not None:
        return empty
    if a["bounds"] == "error":
        tell_read(c, node, indices, size)
    whole = all(k == axis or d == i for k, (d, i) in enumerate(zip(data.type.shape, indices.type.shape)))
    if a["bounds"] in NATIVE and axis == rank - 1 and whole:
        batch = {"axis": lift(axis), "batch_dims": lift(axis)} if axis else {}
        return TF.gather(c.x(data), _own_index(c, node, size), **batch)
    return c.helper("take_elements")(c.x(data), as_index(c, indices), hole(axis, "axis"), **_settings(c, node))


def _nothing(node: Node, settings: dict[str, Any]) -> dict[str, Any]:
    found = {k: v for k, v in settings.items() if k == "from_end"}
    return found | ({"bounds": lift("check")} if node.attrs["bounds"] == "error" else {})


@rule("gather_nd")
def gather_nd(c: Context, node: Node) -> Expr:
    a, data, indices = node.attrs, node.operand("data"), node.operand("indices")
    depth = int(indices.type.shape[-1])
    sizes = data.type.shape[a["batch_dims"] : a["batch_dims"] + depth]
    if (empty := _all_filled(c, node, sizes)) is not None:
        return empty
    if a["bounds"] == "error" and depth:
        tell_read(c, node, indices, min((d for d in sizes if isinstance(d, int)), default=0))
    batch = {"batch_dims": hole(a["batch_dims"], "batch_dims")} if a["batch_dims"] else {}
    settings = _settings(c, node)
    if 0 in node.output.type.shape and 0 not in indices.type.shape:  # which TensorFlow refuses
        return c.helper("take_nothing")(c.x(data), as_index(c, indices), **batch, **_nothing(node, settings))
    if a["bounds"] in NATIVE and not {"bounds", "from_end"} & {
        k for k, v in settings.items() if v != lift("unchecked")
    }:
        return TF.gather_nd(c.x(data), as_index(c, indices), **batch)
    return c.helper("take_rows")(c.x(data), as_index(c, indices), **batch, **settings)


@rule("compress")
def compress(c: Context, node: Node) -> Expr:
    data, axis = node.operand("data"), node.attrs["axis"]
    return TF.boolean_mask(c.x(data), c.x(node.operand("mask")), axis=hole(axis % data.type.rank, "axis", 0))


@rule("mask_select")
def mask_select(c: Context, node: Node) -> Expr:
    """`tf.boolean_mask(x, mask)`; a mask without axes chooses all or nothing."""
    x, mask = c.x(node.operand("data")), c.x(node.operand("mask"))
    if node.operand("mask").type.rank == 0:
        x, mask = TF.expand_dims(x, 0), TF.expand_dims(mask, 0)
    return TF.boolean_mask(x, mask)


@rule("nonzero")
def nonzero(c: Context, node: Node) -> Expr:
    """`tf.where(x)`, which has no kernel for half types."""
    x = c.x(node.operand("data"))
    return TF.where(Binary("!=", x, lift(0)) if node.operand("data").type.dtype.is_half else x)


def _uncounted(node: Node) -> str | None:
    return "an index out of range is looked for by a read" if node.attrs["bounds"] == "error" else None


@rule("one_hot", accepts=_uncounted)
def one_hot(c: Context, node: Node) -> Expr:
    a, indices, kind = node.attrs, node.operand("indices"), node.attrs["dtype"]
    index, depth = as_index(c, indices), c.dim(a["depth"], "depth")
    if a["neg"] == "from_end" and not never_negative(indices):
        index = from_end(c, index, a["depth"])
    axis = a["axis"] % (indices.type.rank + 1)
    settings: dict[str, Any] = {} if axis == indices.type.rank else {"axis": hole(axis, "axis")}
    if kind.is_bool or (a["on"], a["off"]) != (1, 0):
        settings |= {"on_value": _value(c, a["on"], kind), "off_value": _value(c, a["off"], kind)}
    elif kind.name != "float32":
        settings["dtype"] = c.dtype(kind)
    return TF.one_hot(index, depth, **settings)


def _value(c: Context, value: Any, kind: Any) -> Expr:
    return TF.constant(hole(_number(value, kind), "value"), c.dtype(kind))


__all__ = ["NATIVE"]
