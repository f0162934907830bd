"""Networks for the tests of layouts, each in the layout that is asked for."""

from __future__ import annotations

from typing import Any

import numpy as np

from ir.core import Builder, Leaf, Model, Origin, Parameter, Scope, Signature, Value
from ir.data import Array, Weight
from ir.ops.axes import Layout, channel_axis
from ir.types import symbol, tensor_type

DYNAMIC = False  # whether the networks made take images of any size


class Net:
    """A network, layer by layer; the channels lie as `layout` says."""

    def __init__(self, layout: Layout) -> None:
        self.layout: Layout = layout
        self.first = layout == "channels_first"
        self.rng = np.random.default_rng(0)
        self.model = Model("net", Signature((Parameter("x", Leaf("x")),), Leaf("output")))
        self.b = Builder(self.model.graph)
        rows, columns = (symbol("h"), symbol("w")) if DYNAMIC else (8, 8)
        shape = (4, rows, columns) if self.first else (rows, columns, 4)
        self.x = self.model.graph.add_input(tensor_type("float32", symbol("n"), *shape), "x")
        self.layers = 0

    @property
    def spatial(self) -> tuple[int, int]:
        return (2, 3) if self.first else (1, 2)

    @property
    def axis(self) -> int:
        return 1 if self.first else 3

    def weight(self, *shape: int) -> Value:
        array = (np.abs(self.rng.standard_normal(shape)) * 0.3 + 0.1).astype(np.float32)
        return self.model.add_weight(Weight(f"w{len(self.model.weights)}", Array(array), trainable=True))

    def channels(self, x: Value) -> int:
        return int(x.type.shape[channel_axis(self.layout, x.type.rank)])

    def scope(self) -> None:
        """The next layer is a module of its own."""
        self.layers += 1
        self.b.origin = Origin("layer", path=(Scope(f"layer{self.layers}", "Layer"),))

    def conv(self, x: Value, out: int, window: int = 3, groups: int = 1, stride: int = 1) -> Value:
        self.scope()
        weight = self.weight(out, self.channels(x) // groups, window, window)
        attrs: dict[str, Any] = {"strides": (stride,) * 2, "dilations": (1, 1), "groups": groups, "layout": self.layout}
        pad = (window - 1) // 2
        return self.b.conv(x, weight, self.weight(out), padding=((pad, pad), (pad, pad)), **attrs)

    def norm(self, x: Value) -> Value:
        """Batch normalisation whose statistics are state of the model."""
        self.scope()
        w = [self.weight(self.channels(x)) for _ in range(4)]
        y, mean, var = self.b.batch_norm(x, scale=w[0], bias=w[1], mean=w[2], var=w[3], axis=self.axis)
        self.model.set_state(w[2].name, mean)
        self.model.set_state(w[3].name, var)
        return y

    def pooled(self, x: Value) -> Value:
        return self.b.max_pool(x, window=(2, 2), strides=(2, 2), padding="valid", dilations=(1, 1), layout=self.layout)

    def mean(self, x: Value, keepdims: bool = False) -> Value:
        return self.b.reduce_mean(x, axes=self.spatial, keepdims=keepdims)

    def dense(self, x: Value, out: int) -> Value:
        self.scope()
        return self.b.linear(x, self.weight(out, int(x.type.shape[-1])), self.weight(out))

    def close(self, y: Value) -> Model:
        self.model.graph.set_outputs([y])
        return self.model


def resnet(layout: Layout) -> Model:
    """Residual blocks, dropout, padding, pooling and a head."""
    net = Net(layout)
    b = net.b
    y = b.relu(net.norm(net.conv(net.x, 4)))
    for _ in range(2):
        inner = b.dropout(b.relu(net.norm(net.conv(y, 4))), p=0.5, broadcast_axes=net.spatial)
        y = b.relu(b.add(net.norm(net.conv(inner, 4)), y))
    pads = [(0, 0)] * 4
    pads[net.spatial[0]], pads[net.spatial[1]] = (1, 2), (0, 1)
    return net.close(net.dense(net.mean(net.pooled(b.pad(y, pads=tuple(pads)))), 5))


def inverted(layout: Layout) -> Model:
    """An inverted residual block with squeeze and excitation, and a scale for each channel."""
    net = Net(layout)
    b = net.b
    wide = b.hard_swish(net.norm(net.conv(net.x, 8, 1)))
    wide = b.silu(net.norm(net.conv(wide, 8, groups=8)))
    squeezed = b.reshape(
        net.mean(wide), shape=(wide.type.shape[0], 8, 1, 1) if net.first else (wide.type.shape[0], 1, 1, 8)
    )
    gate = b.sigmoid(net.conv(b.relu(net.conv(squeezed, 2, 1)), 8, 1))
    y = net.conv(b.mul(wide, gate), 4, 1)
    scale = net.weight(*((4, 1, 1) if net.first else (4,)))
    return net.close(net.mean(b.add(b.mul(y, scale), net.x)))


def densenet(layout: Layout) -> Model:
    net = Net(layout)
    y = net.x
    for _ in range(3):
        y = net.b.concat((y, net.b.relu(net.norm(net.conv(y, 3)))), axis=net.axis)
    halves = net.b.split(y, sizes=(6, 7), axis=net.axis)
    return net.close(net.mean(net.b.maximum(net.conv(halves[0], 2), net.conv(halves[1], 2))))


def unet(layout: Layout) -> Model:
    """Down, up, joined with what was before; the input is scaled and the result a class for each pixel."""
    net = Net(layout)
    b = net.b
    top = b.relu(net.conv(b.div(net.x, b.constant(np.float32(255.0))), 4))
    low = b.relu(net.conv(net.pooled(top), 6))
    up = b.resize(low, scales=(2.0, 2.0), layout=layout)
    y = net.conv(b.concat((up, top), axis=net.axis), 3)
    return net.close(b.cast(b.argmax(b.softmax(y, axis=net.axis), axis=net.axis), to="float32"))


def convnext(layout: Layout) -> Model:
    """Depthwise convolution, a norm and dense layers over the channels, a learned scale, a residual."""
    net = Net(layout)
    b = net.b
    y = net.conv(net.x, 4, 1)
    for _ in range(2):
        z = net.conv(y, 4, 3, groups=4)
        z = b.transpose(z, perm=(0, 2, 3, 1)) if net.first else z
        net.scope()
        z = b.layer_norm(z, scale=net.weight(4), bias=net.weight(4), axes=(-1,), eps=1e-3)
        z = b.mul(net.dense(b.gelu(net.dense(z, 8)), 4), net.weight(4))
        y = b.add(b.transpose(z, perm=(0, 3, 1, 2)) if net.first else z, y)
    return net.close(net.mean(net.conv(y, 2, 2, stride=2)))


def pointwise(layout: Layout) -> Model:
    """Weights as large as the map: a position table and a scale, added and multiplied."""
    net = Net(layout)
    b = net.b
    table = net.weight(1, *((4, 8, 8) if net.first else (8, 8, 4)))
    scale = net.weight(*((4, 8, 8) if net.first else (8, 8, 4)))
    y = b.mul(b.add(net.conv(net.x, 4), table), scale)
    return net.close(net.mean(net.conv(b.clip(y, max=6.0), 3)))


def vgg(layout: Layout) -> Model:
    """A map in a row before dense layers, two of which read it."""
    net = Net(layout)
    b = net.b
    y = b.relu(net.conv(net.pooled(b.relu(net.conv(net.x, 5))), 3))
    flat = b.mul(b.flatten(b.sigmoid(y), start=1), b.constant(np.float32(0.5)))
    return net.close(b.add(net.dense(b.relu(flat), 6), net.dense(b.tanh(flat), 6)))


def patches(layout: Layout) -> Model:
    """Patches of an image as tokens with positions, through a norm and dense layers: a transformer's ends."""
    net = Net(layout)
    b = net.b
    y = net.conv(net.x, 6, 2, stride=2)
    n = y.type.shape[0]
    y = b.transpose(b.reshape(y, shape=(n, 6, 16)), perm=(0, 2, 1)) if net.first else b.reshape(y, shape=(n, 16, 6))
    y = b.add(y, net.weight(1, 16, 6))
    net.scope()
    z = b.layer_norm(y, scale=net.weight(6), bias=net.weight(6), axes=(-1,))
    y = b.add(net.dense(b.gelu(net.dense(z, 12)), 6), y)
    return net.close(b.reduce_mean(y, axes=(1,)))


NETS = {f.__name__: f for f in (resnet, inverted, densenet, unet, convnext, pointwise, vgg)}
