"""Normalisation."""

from __future__ import annotations

import numpy as np

from converter.exporters.code.expr import Attr, Expr, Name, hole, lift
from converter.exporters.outline.instances import Form
from converter.exporters.torch.context import F, SELF, Context
from converter.exporters.torch.table import form, rule
from ir.core import Model, Node


def _batch_norm_weights(node: Node) -> dict | None:
    scale, bias = node.operands["scale"], node.operands["bias"]
    mean, var = node.operands["mean"], node.operands["var"]
    if (scale is None) != (bias is None) or not (mean.is_weight and var.is_weight):
        return None
    weights = {} if scale is None else {"weight": scale, "bias": bias}
    weights |= {"running_mean": mean, "running_var": var}
    return weights if all(v.is_weight for v in weights.values()) else None


def _updates_own_state(node: Node, weights: dict) -> bool:
    """Whether the next statistics go nowhere but into the running ones."""
    for value, attr in zip(node.outputs[1:], ("running_mean", "running_var")):
        for use in value.uses:
            if not isinstance(use.user, Model) or use.key != weights[attr].name:
                return False
    return True


@form("batch_norm")
def batch_norm_module(node: Node) -> Form | None:
    """`nn.BatchNorm2d`; torch's modules want the channels on axis 1, a batch axis, and unbiased running variance."""
    weights = _batch_norm_weights(node)
    a, x = node.attrs, node.operand("x")
    if weights is None or not 2 <= x.type.rank <= 5 or not a["unbiased"] or not _updates_own_state(node, weights):
        return None
    dims = {2: 1, 3: 1, 4: 2, 5: 3}[x.type.rank]
    dtype = node.operand("mean").type.dtype
    extra = {} if dtype.name == "float32" else {"dtype": Name(f"torch.{dtype.name}")}
    frozen = "Frozen" if a["frozen"] else "nn."
    ctor = Name(f"{frozen}BatchNorm{dims}d")(
        hole(int(weights["running_mean"].type.shape[0]), "num_features"),
        eps=hole(a["eps"], "eps", 1e-5),
        momentum=hole(a["momentum"], "momentum", 0.1),
        affine=hole("weight" in weights, "affine", True),
        **extra,
    )
    axis = a["axis"] % x.type.rank

    def call(c: Context, module: Expr) -> tuple[Expr | None, ...]:
        if a["frozen"]:
            c.shared.helpers[f"FrozenBatchNorm{dims}d"] = None
        y = c.x(x)
        result = module(y) if axis == 1 else module(y.movedim(axis, 1)).movedim(1, axis)
        return result, None, None

    return Form(ctor, weights, {"num_batches_tracked": np.array(0, np.int64)}, call, updates=True)


def _accepts_functional(node: Node) -> str | None:
    if any(value.uses for value in node.outputs[1:]):
        return "its running statistics are kept in a way no module of torch does"
    if node.operand("x").type.rank < 2:
        return "torch normalises over a batch axis and a channel axis"
    return None


@rule("batch_norm", accepts=_accepts_functional)
def batch_norm(c: Context, node: Node) -> tuple[Expr | None, ...]:
    a, x = node.attrs, node.operand("x")
    axis = a["axis"] % x.type.rank
    scale, bias = c.operand(node, "scale"), c.operand(node, "bias")
    if not a["frozen"]:
        raise NotImplementedError
    y = c.x(x) if axis == 1 else c.x(x).movedim(axis, 1)
    result = F.batch_norm(y, c.x(node.operand("mean")), c.x(node.operand("var")), lift(scale), lift(bias), eps=a["eps"])
    return result if axis == 1 else result.movedim(1, axis), None, None


__all__ = ["SELF", "Attr"]
