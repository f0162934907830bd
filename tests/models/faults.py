"""Planted faults: each changes an imported zoo model the way a wrong rule would."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import ml_dtypes
import numpy as np

from ir.core import Builder, Model, Node
from ir.data import Array

Change = Callable[[Model], None]


@dataclass(frozen=True)
class Fault:
    """A fault planted in a zoo model."""

    model: str
    what: str
    plant: Change

    def __str__(self) -> str:
        return f"{self.model}-{self.what.replace(' ', '_')}"


def nodes(model: Model, op: str) -> list[Node]:
    """All nodes of an op, bodies included."""
    found = [n for n in model.nodes() if n.op.name == op]
    if not found:
        raise LookupError(f"{model.name} has no {op}; it has {sorted({n.op.name for n in model.nodes()})}")
    return found


def attribute(op: str, index: int = 0, **changes: object) -> Change:
    """Set attributes of one node."""

    def plant(model: Model) -> None:
        node = nodes(model, op)[index]
        assert all(node.attrs[k] != v for k, v in changes.items()), f"{node.attrs} has these already"
        node.attrs.update(changes)

    return plant


def swapped(op: str, first: str, second: str, index: int = 0) -> Change:
    """Swap two operands of one node."""

    def plant(model: Model) -> None:
        node = nodes(model, op)[index]
        a, b = node.operand(first), node.operand(second)
        node.set_operand(first, b)
        node.set_operand(second, a)

    return plant


def dropped(op: str, operand: str, index: int = 0) -> Change:
    """Take an optional operand away."""

    def plant(model: Model) -> None:
        node = nodes(model, op)[index]
        assert node.operands[operand] is not None
        node.set_operand(operand, None)

    return plant


def bypassed(op: str, operand: str, index: int = 0) -> Change:
    """Let an operand take the place of a node's result."""

    def plant(model: Model) -> None:
        node = next(n for n in nodes(model, op)[index:] if n.operand(operand).type == n.output.type)
        node.output.replace_all_uses(node.operand(operand))

    return plant


def reversed_parts(op: str, index: int = 0) -> Change:
    """Reverse a variadic operand."""

    def plant(model: Model) -> None:
        node = nodes(model, op)[index]
        name = node.op.operands[0].name
        node.set_operand(name, tuple(reversed(node.operands[name])))

    return plant


def weight(pattern: str, change: Callable[[np.ndarray], np.ndarray]) -> Change:
    """Change the bytes of the first weight whose name ends in `pattern`."""

    def plant(model: Model) -> None:
        name = next(n for n in model.weights if n.endswith(pattern))
        old = model.weights[name].data.numpy()
        new = np.ascontiguousarray(change(old.copy()))
        assert new.shape == old.shape and not np.array_equal(new, old)
        model.update_weight(name, data=Array(new.astype(old.dtype)))

    return plant


def replaced(op: str, by: str, index: int = 0, **attrs: object) -> Change:
    """Put another unary op in a node's place."""

    def plant(model: Model) -> None:
        node = nodes(model, op)[index]
        assert node.graph is not None
        builder = Builder(node.graph, before=node, origin=node.origin)
        node.output.replace_all_uses(getattr(builder, by)(node.inputs[0], **attrs))

    return plant


def gates(order: tuple[int, ...]) -> Callable[[np.ndarray], np.ndarray]:
    """Another order of the gates in a recurrent weight."""
    return lambda w: np.concatenate([np.split(w, len(order))[i] for i in order])


def bfloat16(w: np.ndarray) -> np.ndarray:
    """The weight with eight bits of mantissa."""
    return w.astype(ml_dtypes.bfloat16)


def transposed(w: np.ndarray) -> np.ndarray:
    """A square weight, transposed."""
    return w.T


def rolled(w: np.ndarray) -> np.ndarray:
    """Off by one along the last axis but one."""
    return np.roll(w, 1, axis=-2)


FAULTS = (
    Fault("resnet50", "wrong epsilon", attribute("batch_norm", eps=1e-3)),
    Fault("resnet50", "mean and variance swapped", swapped("batch_norm", "mean", "var")),
    Fault("resnet50", "padding on the wrong side", attribute("conv", padding=((2, 4), (3, 3)))),
    Fault("resnet50", "missing residual", bypassed("add", "x")),
    Fault("resnet50", "kernel flipped", weight("layer1.0.conv2.weight", lambda w: w[..., ::-1])),
    Fault("resnet50", "one layer in bfloat16", weight("layer2.0.conv1.weight", bfloat16)),
    Fault("mobilenet_v3", "silu for hard_swish", replaced("hard_swish", "silu")),
    Fault("mobilenet_v3", "relu6 for relu", replaced("relu", "hard_sigmoid")),
    Fault("unet", "skip connection in the wrong order", reversed_parts("concat")),
    Fault("unet_bilinear", "other corners", attribute("resize", coordinates="half_pixel")),
    Fault("lstm_classifier", "swapped gates", weight("weight_ih_l0", gates((0, 2, 1, 3)))),
    Fault("lstm_classifier", "swapped hidden gates", weight("weight_hh_l1_reverse", gates((0, 1, 3, 2)))),
    Fault("vit_b_16", "positions off by one", weight("pos_embedding", rolled)),
    Fault("vit_b_16", "class token last", reversed_parts("concat")),
    Fault("bert", "approximate gelu", attribute("gelu", approximate="tanh")),
    Fault("bert", "epsilon of another library", attribute("layer_norm", eps=1e-5)),
    Fault("bert", "transposed square weight", weight("query.weight", transposed)),
    Fault("bert", "key and value swapped", swapped("attention", "key", "value")),
    Fault("bert", "missing mask", dropped("attention", "mask")),
    Fault("bert", "missing bias", dropped("linear", "bias")),
    Fault("gpt2", "positions off by one", weight("wpe.weight", rolled)),
    Fault("gpt2", "exact gelu", replaced("tanh", "erf")),
    Fault("llama", "not causal", attribute("attention", causal=False)),
    Fault("llama", "wrong scale", attribute("attention", scale=0.3)),
    Fault("llama", "rotation the other way", bypassed("neg", "x")),
    Fault(
        "llama", "heads grouped the other way", weight("k_proj.weight", lambda w: np.concatenate(np.split(w, 2)[::-1]))
    ),
)
