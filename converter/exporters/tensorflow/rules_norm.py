"""Normalisation, by helpers: what TensorFlow has of it lies in Keras. Running statistics move in training."""

from __future__ import annotations

from typing import Any

from converter.exporters.code.expr import Expr, hole, lift
from converter.exporters.outline.state import updates_own_state
from converter.exporters.tensorflow.context import NN, TF, Context
from converter.exporters.tensorflow.table import rule
from ir.core import Node
from ir.ops.axes import channel_axis
from ir.types import normalize_axes


def moves_statistics(node: Node) -> bool:
    """Whether the code of a batch norm moves its running statistics by itself."""
    running = [node.operands[k] for k in ("mean", "var")] if node.op.name == "batch_norm" else [None]
    return all(v is not None and v.is_weight for v in running) and updates_own_state(node)


def _weights(c: Context, node: Node) -> dict[str, Expr]:
    """Scale and offset, where there are any."""
    given = {"scale": node.operands.get("scale"), "offset": node.operands.get("bias")}
    return {name: c.x(value) for name, value in given.items() if value is not None}


def _axis(node: Node, axis: int) -> dict[str, Expr]:
    """The axis of the channels, the last one left out."""
    rank = node.operand("x").type.rank
    return {"axis": hole(-1 if axis % rank == rank - 1 else axis % rank, "axis", -1)}


@rule("batch_norm")
def batch_norm(c: Context, node: Node) -> tuple[Expr | None, ...]:
    a = node.attrs
    x, mean, var = (c.x(node.operand(k)) for k in ("x", "mean", "var"))
    epsilon, weights, axis = hole(a["eps"], "epsilon"), _weights(c, node), _axis(node, a["axis"])
    if a["frozen"]:
        kept = [c.x(node.operand(k)) if v.uses else None for k, v in zip(("mean", "var"), node.outputs[1:])]
        kept = [None, None] if moves_statistics(node) else kept
        return c.helper("batch_norm")(x, mean, var, epsilon, **weights, **axis), *kept
    settings: dict[str, Any] = {"training": c.training(), "momentum": hole(a["momentum"], "momentum")}
    settings |= weights | axis | {"unbiased": hole(bool(a["unbiased"]), "unbiased", False)}
    if moves_statistics(node):
        return c.helper("trained_batch_norm")(x, mean, var, epsilon, **settings), None, None
    call = c.helper("counted_batch_norm")(x, mean, var, epsilon, **settings)
    return c.unpack(call, [bool(v.uses) for v in node.outputs], "norm")


@rule("layer_norm", "rms_norm")
def trailing_norm(c: Context, node: Node) -> Expr:
    """Weights over other than the last axes are laid along theirs."""
    x = node.operand("x").type
    axes = tuple(sorted(normalize_axes(node.attrs["axes"], x.rank)))
    weights = _weights(c, node)
    if axes != tuple(range(x.rank - len(axes), x.rank)):
        shape = [c.dim(d) if i in axes else lift(1) for i, d in enumerate(x.shape)]
        weights = {name: TF.reshape(w, lift(shape)) for name, w in weights.items()}
    return c.helper(node.op.name)(
        c.x(node.operand("x")), lift([i - x.rank for i in axes]), hole(node.attrs["eps"], "epsilon"), **weights
    )


@rule("group_norm", "instance_norm")
def grouped_norm(c: Context, node: Node) -> Expr:
    a, x = node.attrs, node.operand("x")
    groups = [hole(a["groups"], "groups")] if node.op.name == "group_norm" else []
    axis = _axis(node, channel_axis(a["layout"], x.type.rank))
    return c.helper(node.op.name)(c.x(x), *groups, hole(a["eps"], "epsilon"), **_weights(c, node), **axis)


@rule("lrn")
def lrn(c: Context, node: Node) -> Expr:
    """TensorFlow's own takes images with an odd window."""
    a, x = node.attrs, node.operand("x")
    axis = channel_axis(a["layout"], x.type.rank)
    if x.type.rank == 4 and axis == 3 and a["size"] % 2 and x.type.dtype.name == "float32":
        settings = {"bias": a["k"], "alpha": a["alpha"] / a["size"], "beta": a["beta"]}
        radius = hole(a["size"] // 2, "depth_radius")
        return NN.local_response_normalization(c.x(x), radius, **{k: hole(v, k) for k, v in settings.items()})
    before = (a["size"] - 1) // 2 if a["wider"] == "after" else a["size"] // 2
    numbers = [lift(v) for v in (a["size"], before, a["alpha"], a["beta"], a["k"])]
    return c.helper("local_response")(c.x(x), *numbers, **_axis(node, axis))


@rule("normalize")
def normalize(c: Context, node: Node) -> Expr:
    """`x / tf.maximum(tf.norm(x, axis=-1, keepdims=True), 1e-12)`."""
    a, x = node.attrs, node.operand("x").type
    axis, epsilon = hole(a["axis"], "axis"), hole(a["eps"], "epsilon")
    if a["p"] == 2 and not x.dtype.is_half:
        given = c.name_once(c.x(node.operand("x")))
        return given / TF.maximum(TF.norm(given, axis=axis, keepdims=lift(True)), epsilon)
    return c.helper("normalize")(c.x(node.operand("x")), hole(float(a["p"]), "order"), axis, epsilon)
