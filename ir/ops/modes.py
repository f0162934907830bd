"""Training and inference in one graph: a choice between two computations, and the end of a gradient."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

import numpy as np

from ir.ops.control import Body, Types, branch_types
from ir.ops.registry import op
from ir.ops.sampler import Sample, Sampler
from ir.types import TensorType

if TYPE_CHECKING:
    from ir.core.graph import Graph

Array = np.ndarray


@op
class ByMode:
    """Runs `train` on the captures while the model trains, `infer` otherwise (`if self.training:`; drop-path, noise).

    Both return the same number, dtypes and ranks of values. `symbols` as in `cond`. Random ops inside draw only in their
    own mode. A part that is frozen in one mode has no such node: it is the one body's nodes in place.
    """

    inputs = ("captures*: any",)
    outputs = ("results*",)
    bodies = ("train", "infer")
    modal = True
    symbols: tuple[str, ...] = ()

    @staticmethod
    def infer(captures: Types, symbols: tuple[str, ...], **bodies: Graph) -> Types:
        return branch_types("by_mode", captures, symbols, bodies)

    @staticmethod
    def evaluate(
        captures: tuple[Array, ...], symbols: tuple[str, ...], training: bool, **bodies: Body
    ) -> tuple[Array, ...]:
        return bodies["train" if training else "infer"](*captures)

    @staticmethod
    def samples(s: Sampler) -> Iterator[Sample]:
        from ir.ops import control_samples

        yield from control_samples.by_mode(s)


@op
class StopGradient:
    """The operand, through which no gradient passes (torch `detach`, `no_grad`; jax and keras `stop_gradient`)."""

    inputs = ("x: inexact",)

    @staticmethod
    def infer(x: TensorType) -> TensorType:
        return x

    @staticmethod
    def evaluate(x: Array) -> Array:
        return x

    @staticmethod
    def vjp(cotangent: Array, x: Array) -> dict[str, Array]:
        return {"x": np.zeros_like(cotangent)}

    @staticmethod
    def samples(s: Sampler) -> Iterator[Sample]:
        yield s.case(s.floats(2, 3, edge=True), dynamic=((0, 0),))
        yield s.case(s.floats())
        yield s.case(s.floats(0, 3))
