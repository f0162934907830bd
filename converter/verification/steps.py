"""What rounds between the steps of one op: the evaluator computes a GRU or a norm at once and rounds once, frameworks round
its gates and means too. Where 1 - z or x - mean cancels, that is most of the noise."""

from __future__ import annotations

import functools
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from ir.core import Model, Node, copy_model
from ir.eval import EvaluationError, Evaluator
from ir.passes import Decompose
from ir.types import DType, dtypes

INSIDE = ("activation", "attention", "norm", "recurrent", "recurrent_layer", "reduction")
"""Families of ops that frameworks compute in several steps of the declared type."""


ROUNDED = ("recurrent", "recurrent_layer")
"""Of these, families whose gates frameworks round to half types, where decompositions hold them in float32."""


@dataclass(frozen=True)
class Apart:
    """A model taken apart, and its nodes whose results a framework may round to a narrower type."""

    model: Model
    narrow: Mapping[Node, DType]

    def rounded(self, node: Node, results: tuple[np.ndarray, ...]) -> tuple[np.ndarray, ...]:
        """The results of a node, rounded to the narrower type: what an evaluator takes as `replay`."""
        kind = self.narrow.get(node)
        if kind is None:
            return results
        with np.errstate(over="ignore"):
            return tuple(r.astype(kind.numpy).astype(r.dtype) if r.dtype == np.float32 else r for r in results)


def taken_apart(model: Model, kept: Collection[str] = (), also: Collection[str] = ()) -> Apart | None:
    """A copy in which ops of such families, and of those `also` named, are the steps they are made of, but for the ops
    `kept`; None where that changes nothing. Raises TypeError or ValueError where a decomposition does not apply."""
    inner = copy_model(model)
    narrow: dict[Node, DType] = {}
    for kind in (dtypes.float16, dtypes.bfloat16):
        before = set(inner.nodes())
        Decompose(functools.partial(_not_rounded, kind)).run(inner)
        narrow |= {node: kind for node in inner.nodes() if node not in before}
    families = {*INSIDE, *also}
    rest = Decompose(lambda n: n.op.family not in families or n.op.name in kept or n in narrow).run(inner)
    return Apart(inner, narrow) if rest or narrow else None


def _not_rounded(kind: DType, node: Node) -> bool:
    return node.op.family not in ROUNDED or node.outputs[0].type.dtype != kind


def by_steps(
    model: Model, calls: Sequence[Mapping[str, np.ndarray]], reference: dict[str, np.ndarray]
) -> dict[str, np.ndarray]:
    """The reference of the last call, moved by what the declared types round between steps; empty where there are none, or they fail.

    A decomposition that answers otherwise is not in it: what it rounds is measured from its own reference.
    """
    try:
        inner = taken_apart(model)
        if inner is None:
            return {}
        centre = Evaluator().run_in_turn(inner.model, calls)[-1]
        found = Evaluator("exact", replay=inner.rounded).run_in_turn(inner.model, calls)[-1]
    except (EvaluationError, TypeError, ValueError):
        return {}
    if any(a.shape != reference[n].shape for run in (centre, found) for n, a in run.items()):
        return {}
    return {n: shifted(reference[n], centre[n], a) for n, a in found.items()}


def shifted(reference: np.ndarray, centre: np.ndarray, moved: np.ndarray) -> np.ndarray:
    """`reference` moved as `moved` is from `centre`; integers that move are other than the reference in any case."""
    if reference.dtype.kind in "biu":
        return np.where(moved == centre, reference, np.where(moved == reference, centre, moved))
    with np.errstate(invalid="ignore"):
        wide = moved.astype(reference.dtype)
        same = (wide == centre) | (np.isnan(wide) & np.isnan(centre))
        return np.where(same, reference, reference + (wide - centre))
