"""Normalisation."""

from __future__ import annotations

from converter.exporters.code.expr import Expr, Name, hole, lift
from converter.exporters.keras.context import Context
from converter.exporters.keras.settings import layer_dtype, static_shape
from converter.exporters.keras.spatial import back, last, last_shape
from converter.exporters.keras.table import form, form_of, rule
from converter.exporters.outline.instances import Form
from converter.exporters.outline.state import updates_own_state
from ir.core import Node, Value
from ir.types import dtypes, normalize_axes

UNBIASED = "the running variance that Keras keeps in training is that of the batch, n values; PyTorch's is n / (n - 1) times it"


def _scaling(node: Node) -> dict[str, Value] | None:
    """Scale and shift under Keras' names; None where they are no weights."""
    found = {k: node.operands[o] for k, o in (("gamma", "scale"), ("beta", "bias")) if node.operands[o] is not None}
    return found if all(v.is_weight for v in found.values()) else None


WIDE = "on PyTorch, Keras' batch norm takes the statistics of float64 batches in float32"
_DOUBLE = "float64"
"""On PyTorch, Keras' means are float32: norms of float64 are made of smaller operations."""


def _flags(weights: dict[str, Value]) -> dict[str, Expr]:
    return {"center": hole("beta" in weights, "center", True), "scale": hole("gamma" in weights, "scale", True)}


# -- batch norm -----------------------------------------------------------------------------------------------------
def _keras_momentum(momentum: float) -> float:
    """The weight of the old value, in the fewest digits that mean the same."""
    short = round(1 - momentum, 12)
    return short if abs((1 - short) - momentum) <= 1e-15 else 1 - momentum


@form("batch_norm")
def batch_norm_layer(node: Node) -> Form | None:
    """`layers.BatchNormalization`."""
    a, x = node.attrs, node.operand("x")
    weights = _scaling(node)
    mean, var = node.operand("mean"), node.operand("var")
    if weights is None or not (mean.is_weight and var.is_weight) or x.type.rank < 2 or not updates_own_state(node):
        return None
    axis = a["axis"] % x.type.rank
    ctor = Name("layers.BatchNormalization")(
        axis=hole(-1 if axis == x.type.rank - 1 else axis, "axis", -1),
        momentum=hole(_keras_momentum(a["momentum"]), "momentum", 0.99),
        epsilon=hole(a["eps"], "epsilon", 1e-3),
        **_flags(weights),
        **layer_dtype(mean),
    )

    def call(c: Context, layer: Expr) -> tuple[Expr | None, ...]:
        if a["unbiased"] and not a["frozen"]:
            c.note(UNBIASED)
        if x.type.dtype.name == _DOUBLE and not a["frozen"]:
            c.note(WIDE)
        return layer(c.x(x), training=lift(False) if a["frozen"] else c.training()), None, None

    all_weights = weights | {"moving_mean": mean, "moving_variance": var}
    return Form(ctor, all_weights, call=call, updates=True, shape=static_shape(x))


def _layer_or_moves(node: Node) -> str | None:
    if not node.attrs["frozen"] or form_of(node) is not None:
        return None
    return "what is frozen and no layer is made of smaller operations"


@rule("batch_norm", accepts=_layer_or_moves)
def batch_norm(c: Context, node: Node) -> tuple[Expr | None, ...]:
    """A helper that also tells the next statistics."""
    a, x = node.attrs, node.operand("x")
    settings = {"gamma": c.operand(node, "scale"), "beta": c.operand(node, "bias")}
    call = c.helper("batch_norm")(
        c.x(x),
        c.x(node.operand("mean")),
        c.x(node.operand("var")),
        a["axis"] % x.type.rank,
        lift(False) if a["frozen"] else c.training(),
        hole(a["momentum"], "momentum"),
        hole(a["eps"], "epsilon"),
        lift(a["unbiased"]),
        **{k: v for k, v in settings.items() if v is not None},
    )
    return c.unpack(call, [bool(v.uses) for v in node.outputs], "norm")


# -- layer norm and kin -----------------------------------------------------------------------------------------------
def _only_layer(node: Node) -> str | None:
    """A norm that is no layer is made of smaller operations."""
    return None if form_of(node) is not None else "it is no layer of Keras: its scale or shift is no weight"


@rule("layer_norm", "rms_norm", accepts=_only_layer)
def trailing_norm(c: Context, node: Node) -> Expr:
    """A layer's norm whose weights are also something else's."""
    settings = {
        k: c.operand(node, o) for k, o in (("gamma", "scale"), ("beta", "bias")) if node.operands.get(o) is not None
    }
    axes = tuple(normalize_axes(node.attrs["axes"], node.operand("x").type.rank))
    call = c.helper("layer_norm" if node.op.name == "layer_norm" else "rms_norm")
    return call(c.x(node.operand("x")), lift(axes), hole(node.attrs["eps"], "epsilon"), **settings)


@rule("group_norm", "instance_norm", accepts=_only_layer)
def grouped_norm(c: Context, node: Node) -> Expr:
    """The same for groups of channels."""
    settings = {
        k: c.operand(node, o) for k, o in (("gamma", "scale"), ("beta", "bias")) if node.operands[o] is not None
    }
    shape = last_shape(node)
    groups = node.attrs["groups"] if node.op.name == "group_norm" else shape[-1]
    x = last(node, c.x(node.operand("x")))
    return back(node, c.helper("group_norm")(x, lift(groups), hole(node.attrs["eps"], "epsilon"), **settings))


@form("layer_norm")
def layer_norm_layer(node: Node) -> Form | None:
    """`layers.LayerNormalization`."""
    weights, x = _scaling(node), node.operand("x").type
    axes = normalize_axes(node.attrs["axes"], x.rank)
    if not weights or any(not isinstance(x.shape[i], int) for i in axes) or x.rank < 2 or not axes:
        return None
    if x.dtype.name == _DOUBLE:
        return None
    if any(v.type.shape != tuple(x.shape[i] for i in sorted(axes)) for v in weights.values()):
        return None
    where = tuple(i - x.rank for i in sorted(axes))
    ctor = Name("layers.LayerNormalization")(
        axis=hole(where[0] if len(where) == 1 else where, "axis", -1),
        epsilon=hole(node.attrs["eps"], "epsilon", 1e-3),
        **_flags(weights),
        **layer_dtype(node.operand("x")),
    )
    return Form(ctor, weights, shape=static_shape(node.operand("x")))


@form("rms_norm")
def rms_norm_layer(node: Node) -> Form | None:
    """`layers.RMSNormalization`."""
    scale, x = node.operands["scale"], node.operand("x").type
    axes = normalize_axes(node.attrs["axes"], x.rank)
    if scale is None or not scale.is_weight or axes != (x.rank - 1,) or not isinstance(x.shape[-1], int) or x.rank < 2:
        return None
    if scale.type.shape != x.shape[-1:] or x.dtype.name == _DOUBLE:
        return None
    ctor = Name("layers.RMSNormalization")(
        epsilon=hole(node.attrs["eps"], "epsilon", 1e-6), **layer_dtype(node.operand("x"))
    )
    return Form(ctor, {"scale": scale}, shape=static_shape(node.operand("x")))


@form("group_norm", "instance_norm")
def group_norm_layer(node: Node) -> Form | None:
    """`layers.GroupNormalization`."""
    weights = _scaling(node)
    shape = last_shape(node)
    if not weights or not isinstance(shape[-1], int) or node.output.type.dtype.name == _DOUBLE:
        return None
    groups = node.attrs["groups"] if node.op.name == "group_norm" else -1
    ctor = Name("layers.GroupNormalization")(
        hole(groups, "groups"),
        epsilon=hole(node.attrs["eps"], "epsilon", 1e-3),
        **_flags(weights),
        **layer_dtype(node.operand("x")),
    )

    def call(c: Context, layer: Expr) -> Expr:
        return back(node, layer(last(node, c.x(node.operand("x")))))

    return Form(ctor, weights, call=call, shape=shape)


@rule("lrn")
def lrn(c: Context, node: Node) -> Expr:
    """A window over the channels, added up by hand."""
    a, kind = node.attrs, node.output.type.dtype
    before = (a["size"] - 1) // 2 if a["wider"] == "after" else a["size"] // 2
    x = last(node, c.x(node.operand("x")))
    x = c.cast(x, dtypes.float32) if kind.is_half else x  # one rounding at the end
    y = c.helper("local_response")(x, lift(a["size"]), lift(before), lift(a["alpha"]), lift(a["beta"]), lift(a["k"]))
    return back(node, c.cast(y, kind) if kind.is_half else y)
