"""Random index operators of ONNX in one file of many outputs, with inputs."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import onnx
from onnx import helper, numpy_helper

OPSET = 18
_FAR = 2**63 - 1


class Drawn:
    """A graph under construction; every node is an output."""

    def __init__(self, seed: int) -> None:
        self.rng = np.random.default_rng(seed)
        self.inputs: dict[str, np.ndarray] = {}
        self.constants: list[onnx.TensorProto] = []
        self.nodes: list[onnx.NodeProto] = []
        self.told: list[str] = []

    def shape(self, low: int = 1, high: int = 4, ranks: tuple[int, int] = (1, 4)) -> tuple[int, ...]:
        """A shape of so many axes."""
        return tuple(int(n) for n in self.rng.integers(low, high + 1, self.rng.integers(ranks[0], ranks[1] + 1)))

    def input(self, value: np.ndarray) -> str:
        self.inputs[name := f"i{len(self.inputs)}"] = value
        return name

    def whole(self, *shape: int) -> str:
        """An input of whole numbers."""
        return self.input(self.rng.integers(-9, 9, shape))

    def below(self, n: int, shape: tuple[int, ...]) -> str:
        """An input of indices into an axis of n, negative ones among them."""
        kind = np.int32 if self.rng.random() < 0.3 else np.int64
        return self.input(self.rng.integers(-n, n, shape).astype(kind))

    def constant(self, value: Any) -> str:
        self.constants.append(numpy_helper.from_array(np.asarray(value), f"c{len(self.constants)}"))
        return self.constants[-1].name

    def node(self, kind: str, *inputs: str, what: Any = "", **attrs: Any) -> None:
        self.nodes.append(helper.make_node(kind, list(inputs), [f"o{len(self.nodes)}"], **attrs))
        self.told.append(f"{kind} {what} {attrs}")

    def model(self) -> onnx.ModelProto:
        """The file."""
        types = [(n, helper.np_dtype_to_tensor_dtype(a.dtype), a.shape) for n, a in self.inputs.items()]
        whole = onnx.TensorProto.INT64
        outputs = [helper.make_tensor_value_info(n.output[0], whole, None) for n in self.nodes]
        inputs = [helper.make_tensor_value_info(*t) for t in types]
        graph = helper.make_graph(self.nodes, "drawn", inputs, outputs, self.constants)
        return helper.make_model(graph, opset_imports=[helper.make_opsetid("", OPSET)], ir_version=10)


def elements(d: Drawn) -> None:
    """Gather, GatherElements, ScatterElements."""
    shape = d.shape()
    rank, axis = len(shape), int(d.rng.integers(-len(shape), len(shape)))
    n, x = shape[axis], d.whole(*shape)
    at = d.shape(1, 3, (0, 2))
    d.node("Gather", x, d.below(n, at), axis=axis, what=(shape, at))
    part = tuple(int(d.rng.integers(1, (5 if k == axis % rank else m) + 1)) for k, m in enumerate(shape))
    d.node("GatherElements", x, d.below(n, part), axis=axis, what=(shape, part))
    reduction = str(d.rng.choice(["none", "add", "mul", "max", "min"]))
    d.node("ScatterElements", x, d.below(n, part), d.whole(*part), axis=axis, reduction=reduction, what=(shape, part))


def vectors(d: Drawn) -> None:
    """GatherND with batches, ScatterND."""
    shape = d.shape()
    x, rank = d.whole(*shape), len(shape)
    batch = int(d.rng.integers(0, min(rank, 3)))
    depth, lead = int(d.rng.integers(1, rank - batch + 1)), (*shape[:batch], *d.shape(1, 3, (0, 2)))
    rows = np.stack([d.rng.integers(-m, m, lead) for m in shape[batch : batch + depth]], -1)
    d.node("GatherND", x, d.input(rows), batch_dims=batch, what=(shape, rows.shape))
    depth, lead = int(d.rng.integers(1, rank + 1)), d.shape(1, 3, (0, 2))
    rows = np.stack([d.rng.integers(-m, m, lead) for m in shape[:depth]], -1)
    reduction = str(d.rng.choice(["none", "add", "mul", "max", "min"]))
    new = d.whole(*lead, *shape[depth:])
    d.node("ScatterND", x, d.input(rows), new, reduction=reduction, what=(shape, rows.shape))


def slices(d: Drawn) -> None:
    """Slice with steps of either sign and bounds near and far."""
    shape = d.shape()
    axes = [int(a) for a in d.rng.permutation(len(shape))[: d.rng.integers(1, len(shape) + 1)]]
    rows = []
    for axis in axes:
        n, step = shape[axis], int(d.rng.choice([-3, -2, -1, 1, 2, 3]))
        start, stop = (int(k) for k in d.rng.integers(-n - 2, n + 3, 2))
        start = start if d.rng.random() < 0.8 else _FAR if step < 0 else 0
        stop = stop if d.rng.random() < 0.7 else -_FAR if step < 0 else _FAR
        rows.append((start, stop, axis - (len(shape) if d.rng.random() < 0.3 else 0), step))
    d.node("Slice", d.whole(*shape), *(d.constant(column) for column in zip(*rows, strict=True)), what=(shape, rows))


def choices(d: Drawn) -> None:
    """Compress, NonZero, OneHot."""
    shape = d.shape()
    x, axis = d.whole(*shape), int(d.rng.integers(-len(shape), len(shape)))
    kept = d.rng.random(int(d.rng.integers(1, shape[axis] + 1))) < 0.5
    d.node("Compress", x, d.input(kept), axis=axis, what=(shape, kept.shape))
    kept = d.rng.random(int(d.rng.integers(1, int(np.prod(shape)) + 1))) < 0.5
    d.node("Compress", x, d.input(kept), what=(shape, kept.shape))
    d.node("NonZero", x, what=shape)
    hot, depth = d.shape(1, 3, (1, 2)), int(d.rng.integers(1, 5))
    values = d.constant(d.rng.permutation(9)[:2])
    axis = int(d.rng.integers(-len(hot) - 1, len(hot) + 1))
    d.node(
        "OneHot", d.input(d.rng.integers(-6, 6, hot)), d.constant(np.int64(depth)), values, axis=axis, what=(hot, depth)
    )


KINDS: tuple[Callable[[Drawn], None], ...] = (elements, vectors, slices, choices)


def draw(seed: int, count: int) -> Drawn:
    """`count` times every kind."""
    d = Drawn(seed)
    for _ in range(count):
        for kind in KINDS:
            kind(d)
    return d
