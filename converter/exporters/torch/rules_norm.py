"""Normalisation."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from converter.exporters.code.expr import Expr, Name, hole, lift
from converter.exporters.outline.instances import Form
from converter.exporters.outline.state import updates_own_state
from converter.exporters.torch.context import SELF, TORCH, Context, F
from converter.exporters.torch.spatial import back, first, rows_first
from converter.exporters.torch.table import form, rule
from ir.core import Node, Value
from ir.types import normalize_axes


def dtype_setting(value: Value) -> dict[str, Expr]:
    """`dtype=` for modules whose parameters are not float32."""
    dtype = value.type.dtype
    return {} if dtype.name == "float32" else {"dtype": Name(f"torch.{dtype.name}")}


# -- batch norm -----------------------------------------------------------------------------------------------------
def _batch_norm_weights(node: Node) -> dict[str, Value] | None:
    scale, bias = node.operands["scale"], node.operands["bias"]
    weights = {k: v for k, v in (("weight", scale), ("bias", bias)) if v is not None}
    weights |= {"running_mean": node.operands["mean"], "running_var": node.operands["var"]}
    return weights if all(v.is_weight for v in weights.values()) else None


@form("batch_norm")
def batch_norm_module(node: Node) -> Form | None:
    """`nn.BatchNorm2d`; torch's modules want the channels on axis 1 and a batch axis. Ours keep a running variance that is
    not corrected."""
    weights = _batch_norm_weights(node)
    a, x = node.attrs, node.operand("x")
    if weights is None or not 2 <= x.type.rank <= 5 or not updates_own_state(node):
        return None
    dims = {2: 1, 3: 1, 4: 2, 5: 3}[x.type.rank]
    own = "Frozen" if a["frozen"] else "" if a["unbiased"] else "Biased"
    ctor = Name(f"{own or 'nn.'}BatchNorm{dims}d")(
        hole(int(weights["running_mean"].type.shape[0]), "num_features"),
        eps=hole(a["eps"], "eps", 1e-5),
        momentum=hole(a["momentum"], "momentum", 0.1),
        affine=hole("weight" in weights or "bias" in weights, "affine", True),
        **dtype_setting(weights["running_mean"]),
    )
    without = "" if ("weight" in weights) == ("bias" in weights) else "unscaled" if "bias" in weights else "uncentered"
    ctor = Name(without)(ctor) if without else ctor
    axis = a["axis"] % x.type.rank

    def call(c: Context, module: Expr) -> tuple[Expr | None, ...]:
        if own:
            c.helper(f"{own}BatchNorm{dims}d")
        if without:
            c.helper(without)
        y = c.x(x)
        return (module(y) if axis == 1 else module(y.movedim(axis, 1)).movedim(1, axis)), None, None

    return Form(ctor, weights, {"num_batches_tracked": np.array(0, np.int64)}, call, updates=True)


@rule("batch_norm")
def batch_norm(c: Context, node: Node) -> tuple[Expr | None, ...]:
    """The function where nothing is updated in training; a helper that also tells the next statistics elsewhere."""
    a, x = node.attrs, node.operand("x")
    axis = a["axis"] % x.type.rank
    mean, var = c.x(node.operand("mean")), c.x(node.operand("var"))
    settings = {"weight": c.operand(node, "scale"), "bias": c.operand(node, "bias")}
    given = {k: v for k, v in settings.items() if v is not None}
    if a["frozen"] and x.type.rank >= 2 and not any(v.uses for v in node.outputs[1:]):
        y = c.x(x) if axis == 1 else c.x(x).movedim(axis, 1)
        result = F.batch_norm(y, mean, var, **given, eps=hole(a["eps"], "eps", 1e-5))
        return (result if axis == 1 else result.movedim(1, axis)), None, None
    training = lift(False) if a["frozen"] else SELF.training
    call = c.helper("batch_norm")(
        c.x(x),
        mean,
        var,
        axis,
        training,
        hole(a["momentum"], "momentum"),
        hole(a["eps"], "eps"),
        lift(a["unbiased"]),
        **given,
    )
    return c.unpack(call, [bool(v.uses) for v in node.outputs], "norm")


# -- layer norm and kin -----------------------------------------------------------------------------------------------
def _trailing(node: Node) -> tuple[int, ...] | None:
    """The normalised shape where the axes are the last ones, in order and of known size."""
    x = node.operand("x").type
    axes = normalize_axes(node.attrs["axes"], x.rank)
    shape = x.shape[x.rank - len(axes) :]
    fits = axes == tuple(range(x.rank - len(axes), x.rank)) and all(isinstance(d, int) for d in shape) and axes
    weights = [v for k in ("scale", "bias") if (v := node.operands.get(k)) is not None]
    return tuple(int(d) for d in shape) if fits and all(w.type.shape == shape for w in weights) else None


def _accepts_trailing(node: Node) -> str | None:
    return None if _trailing(node) else "torch normalises over the last axes, of known size"


def _shape(shape: tuple[int, ...]) -> int | tuple[int, ...]:
    return shape[0] if len(shape) == 1 else shape


@form("layer_norm", "rms_norm")
def trailing_norm_module(node: Node) -> Form | None:
    """`nn.LayerNorm`, `nn.RMSNorm`."""
    shape = _trailing(node)
    scale, bias = node.operands["scale"], node.operands.get("bias")
    if shape is None or scale is None or not scale.is_weight or (bias is not None and not bias.is_weight):
        return None
    layer = node.op.name == "layer_norm"
    extra = {"bias": hole(bias is not None, "bias", True)} if layer else {}
    default = 1e-5 if layer else None
    ctor = Name("nn.LayerNorm" if layer else "nn.RMSNorm")(
        hole(_shape(shape), "normalized_shape"),
        eps=hole(node.attrs["eps"], "eps", default),
        **extra,
        **dtype_setting(scale),
    )
    return Form(ctor, {"weight": scale} if bias is None else {"weight": scale, "bias": bias})


@rule("layer_norm", "rms_norm", accepts=_accepts_trailing)
def trailing_norm(c: Context, node: Node) -> Expr:
    shape = _trailing(node)
    names = (("scale", "weight"), ("bias", "bias"))
    given: dict[str, Any] = {k: c.operand(node, o) for o, k in names if node.operands.get(o) is not None}
    function = F.layer_norm if node.op.name == "layer_norm" else F.rms_norm
    return function(
        c.x(node.operand("x")), hole(shape, "normalized_shape"), **given, eps=hole(node.attrs["eps"], "eps")
    )


def _several_values(node: Node, groups: int) -> bool:
    """torch's modules refuse a single value per group."""
    sizes = node.operand("x").type.shape[1:]
    return all(isinstance(d, int) for d in sizes) and math.prod(int(d) for d in sizes) > groups


@form("group_norm")
def group_norm_module(node: Node) -> Form | None:
    """`nn.GroupNorm`."""
    scale, bias = node.operands["scale"], node.operands["bias"]
    if scale is None or bias is None or not (scale.is_weight and bias.is_weight):
        return None
    if not _several_values(node, node.attrs["groups"]):
        return None
    ctor = Name("nn.GroupNorm")(
        hole(node.attrs["groups"], "num_groups"),
        hole(int(scale.type.shape[0]), "num_channels"),
        eps=hole(node.attrs["eps"], "eps", 1e-5),
        **dtype_setting(scale),
    )

    def call(c: Context, module: Expr) -> Expr:
        return back(node, module(rows_first(node, first(c, node, c.x(node.operand("x"))))))

    return Form(ctor, {"weight": scale, "bias": bias}, call=call)


@rule("group_norm", "instance_norm")
def group_norm(c: Context, node: Node) -> Expr:
    """`torch.group_norm`: unlike the functions of `F` it takes a single value per group."""
    x = node.operand("x")
    channels = x.type.shape[1 if node.attrs["layout"] == "channels_first" else -1]
    groups = hole(node.attrs["groups"], "num_groups") if node.op.name == "group_norm" else c.dim(channels, "channels")
    given: dict[str, Any] = {
        k: c.operand(node, o) for o, k in (("scale", "weight"), ("bias", "bias")) if node.operands[o] is not None
    }
    y = rows_first(node, first(c, node, c.x(x)))
    return back(node, TORCH.group_norm(y, groups, **given, eps=hole(node.attrs["eps"], "eps", 1e-5)))


@rule("lrn")
def lrn(c: Context, node: Node) -> Expr:
    a, dtype = node.attrs, node.operand("x").type.dtype
    flat = node.operand("x").type.rank == 2  # torch's function wants an axis behind the channels
    y = c.x(node.operand("x")).unsqueeze(-1) if flat else first(c, node, c.x(node.operand("x")))
    y = y.float() if dtype.is_half else y  # one rounding at the end
    if a["wider"] == "before" or a["size"] % 2:
        result = F.local_response_norm(y, a["size"], alpha=a["alpha"], beta=a["beta"], k=a["k"])
    else:  # torch's window reaches further before the channel: mirror the channels
        result = F.local_response_norm(y.flip(1), a["size"], alpha=a["alpha"], beta=a["beta"], k=a["k"]).flip(1)
    result = result.to(c.dtype(dtype)) if dtype.is_half else result
    return result.squeeze(-1) if flat else back(node, result)


@rule("normalize")
def normalize(c: Context, node: Node) -> Expr:
    """In halves, eps is 0, and a row of zeros would be NaN."""
    a, x, dtype = node.attrs, c.x(node.operand("x")), node.output.type.dtype
    result = F.normalize(
        x.float() if dtype.is_half else x,
        p=hole(a["p"], "p", 2.0),
        dim=hole(a["axis"], "dim", 1),
        eps=hole(a["eps"], "eps", 1e-12),
    )
    return result.to(c.dtype(dtype)) if dtype.is_half else result
