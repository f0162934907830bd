"""Padding, triangles, diagonals, blocks to depth and back."""

from __future__ import annotations

from converter.exporters.code.expr import Expr, Lit, Slice, hole, lift
from converter.exporters.tensorflow.context import NN, TF, Context
from converter.exporters.tensorflow.rules_linalg import LINALG
from converter.exporters.tensorflow.table import rule
from ir.core import Node
from ir.types import normalize_axes


@rule("pad")
def pad(c: Context, node: Node) -> Expr:
    """What is negative is cut off before; widths that only the run knows may be."""
    a, x = node.attrs, c.x(node.operand("x"))
    pads, kind = a["pads"], node.output.type.dtype
    number = bool(a["value"]) if kind.is_bool else int(a["value"]) if kind.is_integer else float(a["value"])
    plain = number == 0 and str(number)[0] != "-"
    known = all(isinstance(p, int) for pair in pads for p in pair)
    if known and not any(map(any, pads)):
        return x
    if a["mode"] in ("edge", "wrap") or (a["mode"] == "reflect" and not known):
        return c.helper("pad_by_index")(x, lift([[c.dim(p) for p in pair] for pair in pads]), lift(a["mode"]))
    if not known:
        given = {} if plain else {"value": hole(number, "value")}
        return c.helper("pad_or_crop")(x, lift([[c.dim(p) for p in pair] for pair in pads]), **given)
    if any(p < 0 for pair in pads for p in pair):
        x = x[tuple(Slice(Lit(-p) if p < 0 else None, Lit(q) if q < 0 else None) for p, q in pads)]
    widths = [[max(p, 0), max(q, 0)] for p, q in pads]
    if not any(map(any, widths)):
        return x
    if a["mode"] == "reflect" and 0 in node.output.type.shape:  # which TensorFlow refuses
        return TF.zeros(lift(c.shape(node.output.type.shape)), c.dtype(kind))
    if a["mode"] == "reflect":
        return TF.pad(x, lift(widths), lift("REFLECT"))
    value = {} if plain else {"constant_values": TF.constant(hole(number, "value"), c.dtype(kind))}
    return TF.pad(x, lift(widths), **value)


def _band(node: Node) -> str | None:
    """Why `tf.linalg.band_part` does not do: it keeps the main diagonal, and knows bands within the matrix."""
    k, lower = node.attrs["k"], node.op.name == "tril"
    if not isinstance(k, int) or (k < 0 if lower else k > 0):
        return "bands beside the main diagonal are chosen by their places"
    limit = node.operand("x").type.shape[-1 if lower else -2]
    fits = k == 0 or (isinstance(limit, int) and abs(k) <= limit)
    return None if fits else "bands beyond the matrix are chosen by their places"


@rule("tril", "triu", accepts=_band)
def triangle(c: Context, node: Node) -> Expr:
    k = node.attrs["k"]
    band = (lift(-1), hole(k, "k")) if node.op.name == "tril" else (hole(-k, "k"), lift(-1))
    return LINALG.band_part(c.x(node.operand("x")), *band)


def _own_diagonal(node: Node) -> str | None:
    a, x = node.attrs, node.operand("x").type
    first, second = normalize_axes((a["axis1"], a["axis2"]), x.rank)
    rows, columns = x.shape[first], x.shape[second]
    within = isinstance(rows, int) and isinstance(columns, int) and -rows < a["offset"] < columns
    return None if within or (a["offset"] == 0 and 0 not in x.shape) else "a diagonal beyond the matrix has no elements"


@rule("diagonal", accepts=_own_diagonal)
def diagonal(c: Context, node: Node) -> Expr:
    a, x = node.attrs, node.operand("x")
    plane = normalize_axes((a["axis1"], a["axis2"]), x.type.rank)
    perm = [*(k for k in range(x.type.rank) if k not in plane), *plane]
    turned = c.x(x) if perm == list(range(x.type.rank)) else TF.transpose(c.x(x), lift(perm))
    return LINALG.diag_part(turned, **({"k": hole(a["offset"], "offset")} if a["offset"] else {}))


def _own_blocks(node: Node) -> str | None:
    a, x = node.attrs, node.operand("x").type
    fits = x.rank == 4 and a["mode"] == "DCR" and a["layout"] == "channels_last" and a["block"] > 1 and 0 not in x.shape
    return None if fits and x.dtype.is_float else "TensorFlow moves blocks of images, channels last"


@rule("depth_to_space", "space_to_depth", accepts=_own_blocks)
def blocks(c: Context, node: Node) -> Expr:
    return getattr(NN, node.op.name)(c.x(node.operand("x")), hole(node.attrs["block"], "block"))
