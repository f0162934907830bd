"""Normalisation as TensorFlow's own functions spell it: x * factor + shift, where both come of a mean and a variance."""

from __future__ import annotations

from dataclasses import dataclass

from ir.core import Model, Value
from ir.core.graph import Node
from ir.core.walk import walk
from ir.passes.base import Rewriter
from ir.passes.patterns import either, shortest
from ir.passes.simplify_rules import made_by, same_type
from ir.types import normalize_axes, same


def settle_norms(model: Model) -> None:
    """Variances, then norms by stored statistics and norms of layers, each in one op; every step computes the same."""
    rewriter = Rewriter(model, "norms")
    for node in walk(model.graph):
        if node.graph is not None and node.op.name == "reduce_mean":
            _variance(node, rewriter)
    for node in walk(model.graph):
        if node.graph is not None and node.op.name == "add":
            _norm(node, rewriter)


def _axes(node: Node) -> tuple[int, ...]:
    return tuple(sorted(normalize_axes(node.attrs["axes"], node.operand("x").type.rank)))


def _variance(node: Node, rewriter: Rewriter) -> None:
    """The mean of squared distances from the mean. That no gradient passes the mean changes nothing: it would be 0."""
    square = made_by(node.operand("x"), "square")
    apart = made_by(square.operand("x"), "sub") if square is not None else None
    if square is None or apart is None or not node.attrs["axes"] or len(square.output.uses) != 1:
        return
    centre = apart.operand("y")
    stopped = made_by(centre, "stop_gradient")
    mean = made_by(stopped.operand("x") if stopped is not None else centre, "reduce_mean")
    x = apart.operand("x")
    if mean is None or mean.operand("x") is not x or not mean.attrs["keepdims"] or not mean.attrs["axes"]:
        return
    if _axes(mean) != _axes(node) or len(apart.output.uses) != 1:
        return
    made = rewriter.builder(node).reduce_var(x, axes=_axes(node), keepdims=node.attrs["keepdims"], correction=0.0)
    rewriter.replace(node, [made], "variance", "the mean of squared distances from the mean")


@dataclass(frozen=True)
class _Parts:
    """(x - mean) * rsqrt(var + eps) * scale + offset."""

    x: Value
    mean: Value
    var: Value
    eps: float
    scale: Value | None
    offset: Value | None


def _norm(node: Node, rewriter: Rewriter) -> None:
    parts = _parts(node)
    if parts is None or parts.x.type.dtype.name not in ("float32", "float64") or not same_type(parts.x, node):
        return
    b, x = rewriter.builder(node), parts.x
    mean, var = made_by(parts.mean, "reduce_mean"), made_by(parts.var, "reduce_var")
    if mean is not None and var is not None:
        if mean.operand("x") is not x or var.operand("x") is not x or _axes(mean) != _axes(var):
            return
        axes = _axes(mean)
        scale, offset = _block(parts.scale, x, axes), _block(parts.offset, x, axes)
        keeps = mean.attrs["keepdims"] and var.attrs["keepdims"] and var.attrs["correction"] == 0
        if not keeps or _lost(parts.scale, scale) or _lost(parts.offset, offset):
            return
        made = b.layer_norm(x, scale, offset, axes=axes, eps=parts.eps)
        rewriter.replace(node, [made], "layer_norm", "x less its mean over the root of its variance")
        return
    found = [_vector(v, x) for v in (parts.mean, parts.var, parts.scale, parts.offset) if v is not None]
    if any(f is None for f in found) or len({f[1] for f in found if f is not None}) != 1:
        return
    values = [f[0] for f in found if f is not None]
    if not values[0].is_weight or not values[1].is_weight:
        return
    left = iter(values[2:])
    scale = next(left) if parts.scale is not None else None
    offset = next(left) if parts.offset is not None else None
    axis = next(f[1] for f in found if f is not None)
    made, *_ = b.batch_norm(x, scale, offset, values[0], values[1], axis=axis, eps=parts.eps, frozen=True)
    rewriter.replace(node, [made], "batch_norm", "x less stored means over the roots of stored variances")


def _lost(before: Value | None, after: Value | None) -> bool:
    return before is not None and after is None


def _parts(node: Node) -> _Parts | None:
    for product, shift in either(node):
        times = made_by(product, "mul")
        if times is None or len(product.uses) != 1:
            continue
        for x, factor in either(times):
            root = _factor(factor)
            moved = _shift(shift, factor) if root is not None else None
            if root is not None and moved is not None:
                (var, eps, scale), (mean, offset) = root, moved
                return _Parts(x, mean, var, eps, scale, offset)
    return None


def _factor(value: Value) -> tuple[Value, float, Value | None] | None:
    """Variance, eps and scale where a value is rsqrt(variance + eps), times a scale or not."""
    for root, scale in [(value, None), *(either(value.producer) if made_by(value, "mul") and value.producer else ())]:
        node = made_by(root, "rsqrt")
        total = made_by(node.operand("x"), "add") if node is not None else None
        if total is None:
            continue
        for var, eps in either(total):
            amount = shortest(eps)
            if amount is not None and amount >= 0:
                return var, amount, scale
    return None


def _shift(value: Value, factor: Value) -> tuple[Value, Value | None] | None:
    """Mean and offset where a value is offset - mean * factor, or that without an offset."""
    node = value.producer
    if node is None:
        return None
    if node.op.name == "sub":
        mean = _times(node.operand("y"), factor)
        return None if mean is None else (mean, node.operand("x"))
    if (mean := _taken(value, factor)) is not None:
        return mean, None
    if node.op.name == "add":
        for less, offset in either(node):
            if (mean := _taken(less, factor)) is not None:
                return mean, offset
    return None


def _taken(value: Value, factor: Value) -> Value | None:
    """mean where a value is -(mean * factor) or (-mean) * factor."""
    whole = made_by(value, "neg")
    if whole is not None:
        return _times(whole.operand("x"), factor)
    mean = _times(value, factor)
    less = made_by(mean, "neg") if mean is not None else None
    return None if less is None else less.operand("x")


def _times(value: Value, factor: Value) -> Value | None:
    """What a value multiplies `factor` by."""
    node = made_by(value, "mul")
    if node is None:
        return None
    return next((other for other, f in either(node) if f is factor), None)


def _plain(value: Value) -> Value:
    """What was given other axes of size 1."""
    while (node := made_by(value, "reshape", "unsqueeze", "squeeze")) is not None:
        value = node.operand("x")
    return value


def _vector(value: Value, x: Value) -> tuple[Value, int] | None:
    """The vector that a value is beside axes of size 1, and the axis of x along which it lies."""
    rank = x.type.rank
    places = [a + rank - value.type.rank for a, n in enumerate(value.type.shape) if n != 1]
    plain = _plain(value)
    if len(places) != 1 or plain.type.rank != 1 or not same(plain.type.shape[0], x.type.shape[places[0]]):
        return None
    return plain, places[0]


def _block(value: Value | None, x: Value, axes: tuple[int, ...]) -> Value | None:
    """The weight of the sizes of these axes that a value is beside axes of size 1."""
    if value is None:
        return None
    rank, plain = x.type.rank, _plain(value)
    shape = [1] * (rank - value.type.rank) + list(value.type.shape)
    wanted = tuple(x.type.shape[a] for a in axes)
    spread = all(same(n, x.type.shape[a] if a in axes else 1) for a, n in enumerate(shape))
    return plain if spread and plain.type.shape == wanted else None
