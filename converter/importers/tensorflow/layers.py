"""Convolutions as layers: one spatial axis where TensorFlow makes two, weights stored as they are read, biases taken up."""

from __future__ import annotations

from converter.importers.tensorflow.dilated import with_gaps
from ir.core import Model, Value
from ir.core.graph import Node
from ir.core.walk import walk
from ir.data import Weight
from ir.ops.axes import channel_axis
from ir.passes.base import Rewriter
from ir.passes.simplify_rules import made_by

CONVOLUTIONS = ("conv", "conv_transpose")


def settle_layers(model: Model) -> None:
    """Rewrite the model in place; every step computes the same."""
    rewriter = Rewriter(model, "layers")
    for node in walk(model.graph):
        if node.graph is not None and node.op.name == "squeeze":
            _one_axis(node, rewriter)
    for node in walk(model.graph):
        if node.graph is not None and node.op.name == "reshape":
            for gone in with_gaps(node, rewriter):
                _sweep(gone, rewriter)
    for weight in list(model.weights.values()):
        _turn(model, weight, rewriter)
    for node in walk(model.graph):
        if node.graph is not None and node.op.name == "add":
            _bias(node, rewriter)


# -- one axis -----------------------------------------------------------------------------------------------------------
def _one_axis(node: Node, rewriter: Rewriter) -> None:
    """squeeze(conv2d(unsqueeze(x), unsqueeze(weight))), a convolution along one axis, as tf.nn.conv1d spells it."""
    layer = made_by(node.operand("x"), "conv")
    if layer is None or len(layer.output.uses) != 1 or layer.operands["bias"] is not None:
        return
    attrs = layer.attrs
    first = 1 if attrs["layout"] == "channels_last" else 2
    x, weight = _without(layer.operand("x"), first), _narrow(layer.operand("weight"), rewriter, layer)
    rank = layer.output.type.rank
    if tuple(a % rank for a in node.attrs["axes"]) != (first,) or x is None or weight is None or rank != 4:
        return
    padding = attrs["padding"]
    if not isinstance(padding, str) and padding[0] != (0, 0):
        return
    pads = padding if isinstance(padding, str) else padding[1:]
    made = rewriter.builder(layer).conv(
        x, weight, None, strides=attrs["strides"][1:], dilations=attrs["dilations"][1:], padding=pads,
        groups=attrs["groups"], layout=attrs["layout"],
    )  # fmt: skip
    rewriter.replace(node, [made], "one_axis", "the other axis has one element, and the window, too")
    _sweep(layer, rewriter)


def _sweep(node: Node, rewriter: Rewriter) -> None:
    """Remove a node that nothing reads, and what was made for it alone."""
    if node.graph is None or any(out.uses for out in node.outputs):
        return
    makers = [v.producer for v in node.inputs if v.producer is not None]
    rewriter.remove(node, "unread", "nothing reads it")
    for maker in dict.fromkeys(makers):
        _sweep(maker, rewriter)


def _without(value: Value, axis: int) -> Value | None:
    """What an axis of size 1 was given to."""
    node = made_by(value, "unsqueeze")
    if node is None or tuple(a % value.type.rank for a in node.attrs["axes"]) != (axis,):
        return None
    return node.operand("x")


def _narrow(weight: Value, rewriter: Rewriter, layer: Node) -> Value | None:
    """A weight [out, in, 1, size] that was [size, in, out] with an axis in front, as [out, in, size]."""
    turn = made_by(weight, "transpose")
    if turn is None or tuple(turn.attrs["perm"]) != (3, 2, 0, 1):
        return None
    plain = _without(turn.operand("x"), 0)
    return None if plain is None else rewriter.builder(layer).transpose(plain, perm=(2, 1, 0))


# -- weights ------------------------------------------------------------------------------------------------------------
def _turn(model: Model, weight: Weight, rewriter: Rewriter) -> None:
    """Store a weight transposed where convolutions alone read it, and all in one order."""
    value = model.weight_value(weight.name)
    if weight.type.rank < 3 or weight.name in model.state or not value.uses:
        return
    readers = [use.user for use in value.uses]
    perms = set()
    for reader in readers:
        if not isinstance(reader, Node) or reader.op.name != "transpose" or not _feeds_convolutions(reader.output):
            return
        perms.add(tuple(int(p) for p in reader.attrs["perm"]))
    if len(perms) != 1:
        return
    turned = weight.permuted(perms.pop())
    model.update_weight(weight.name, data=turned.data, source_axes=turned.source_axes)
    for reader in dict.fromkeys(readers):
        assert isinstance(reader, Node)
        rewriter.replace(reader, [value], "store_turned", "convolutions alone read the weight, all in this order")


def _feeds_convolutions(value: Value) -> bool:
    """Whether nothing but convolutions read a value, as their weight, as it is or in another shape."""
    for use in value.uses:
        if not isinstance(use.user, Node):
            return False
        if use.user.op.name == "reshape" and _feeds_convolutions(use.user.output):
            continue
        if use.user.op.name not in CONVOLUTIONS or use.key != "weight":
            return False
    return bool(value.uses)


# -- biases -------------------------------------------------------------------------------------------------------------
def _bias(node: Node, rewriter: Rewriter) -> None:
    """conv(x, weight) + bias, where the bias is a stored vector of the output channels."""
    for out, other in ((node.operand("x"), node.operand("y")), (node.operand("y"), node.operand("x"))):
        layer = out.producer
        if layer is None or layer.op.name not in CONVOLUTIONS or layer.operands["bias"] is not None:
            continue
        bias = _vector(other, out, channel_axis(layer.attrs["layout"], out.type.rank))
        if bias is None or len(out.uses) != 1 or out.type != node.output.type or not _within(layer, node):
            continue
        builder = rewriter.builder(node)
        made = builder.op(layer.op, layer.operand("x"), layer.operand("weight"), bias, **layer.attrs)
        rewriter.replace(node, [made], "bias", "the vector is added to every position of the output channels")
        for gone in (layer, other.producer):
            if gone is not None:
                _sweep(gone, rewriter)
        return


def _within(layer: Node, node: Node) -> bool:
    """Whether a node belongs to the module of another, name scopes of functions inside it aside."""
    outer, inner = node.origin.path, layer.origin.path
    return inner[: len(outer)] == outer and not any(scope.cls for scope in inner[len(outer) :])


def _vector(value: Value, out: Value, axis: int) -> Value | None:
    """The stored vector that a value broadcast along the channels is."""
    rank, channels = out.type.rank, out.type.shape[axis]
    places = [a + rank - value.type.rank for a, n in enumerate(value.type.shape) if n != 1]
    if value.type.rank > rank or value.type.rank < 1 or (places != [axis] and channels != 1):
        return None
    while (node := made_by(value, "reshape", "unsqueeze", "squeeze")) is not None:
        value = node.operand("x")
    fits = value.is_weight and value.type.rank == 1 and value.type.shape == (channels,)
    return value if fits else None
