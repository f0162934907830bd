"""The paths that an export did not take: which decisions on sizes change what the model computes.

A module's decisions form a tree: for given sizes its code asks the same questions in the same order. The export walked
one path. Each other path is exported too, at sizes that lead there (torch.export fixes sizes of 0 and 1, so these are
tried as numbers); where it gives provably the same model, the decision does not matter. What is not proven stays an
assumption.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from converter.errors import ConversionError
from converter.importers.torch.decisions import Decision, Sizes, example_sizes, few_values
from ir.core import Model, copy_model
from ir.passes import Specialize, equivalent
from ir.types import symbol

FEW = 3
"""A path of at most this many values of a size is tried at each of them."""
EXPORTS = 12
"""Exports spent on one model before the rest stays assumed."""

Export = Callable[[Sizes, Sizes], tuple[Model, list[Decision]]]
"""(sizes to export with, sizes to fix as numbers) -> the model and its decisions; raises ConversionError."""


@dataclass
class Paths:
    """Finds the decisions of `model` that must stay assumed. `sizes` are those it was exported with."""

    model: Model
    sizes: Sizes
    export: Export
    left: int = EXPORTS
    _fixed: dict[tuple[tuple[str, int], ...], bool] = field(default_factory=dict)
    _failures: dict[tuple[tuple[str, int], ...], str] = field(default_factory=dict)

    def needed(self, path: Sequence[Decision]) -> list[Decision]:
        """The decisions of the model's own path that exclude sizes for which it is not known to be right.

        One that excludes a few values of a size is replaced by those of them that are not shown.
        """
        return [d for i, own in enumerate(path) for d in self._exclusions(own, [*path[:i], own.flipped])]

    def _exclusions(self, decision: Decision, other: list[Decision]) -> list[Decision]:
        few = few_values(other, FEW)
        if few is None or few[0] not in self.sizes:
            return [] if few is None and self._covers(other, {}) else [decision]
        name, values = few
        missing = [v for v in values if not self._covers_value({}, name, v)]
        if missing and few_values([decision.flipped], FEW) == (name, missing):
            return [decision]
        return [self._except(decision, name, v) for v in missing]

    def _except(self, decision: Decision, name: str, value: int) -> Decision:
        failure = self._failures.get(((name, value),))
        why = decision.why if failure is None else f"the model cannot be read there{failure}"
        return Decision("GreaterThan", symbol(name), 1, why) if value == 0 else Decision("Unequality", symbol(name), value, why)

    # -- one path -----------------------------------------------------------------------------------------------
    def _covers(self, path: list[Decision], fixed: Sizes) -> bool:
        """Whether the model is right wherever these decisions hold, some sizes being fixed."""
        few = few_values(path, FEW)
        if few is not None:
            return all(self._covers_value(fixed, few[0], v) for v in few[1])
        sizes = example_sizes(path, {n: s for n, s in self.sizes.items() if n not in fixed})
        if sizes is None:
            return False
        taken = self._agrees(sizes, fixed)
        return taken is not None and taken[: len(path)] == path and self._others(taken, len(path), fixed)

    def _covers_value(self, fixed: Sizes, name: str, value: int) -> bool:
        """Whether the model is right wherever the size `name` has this value."""
        if name not in self.sizes:
            return False
        fixed = {**fixed, name: value}
        key = tuple(sorted(fixed.items()))
        if key not in self._fixed:
            taken = self._agrees({n: s for n, s in self.sizes.items() if n not in fixed}, fixed)
            self._fixed[key] = taken is not None and self._others(taken, 0, fixed)
        return self._fixed[key]

    def _others(self, path: list[Decision], first: int, fixed: Sizes) -> bool:
        """The same for the paths that branch off at the decisions from `first` on."""
        return all(self._covers([*path[:i], path[i].flipped], fixed) for i in range(first, len(path)))

    def _agrees(self, sizes: Sizes, fixed: Sizes) -> list[Decision] | None:
        """The decisions of an export at these sizes; None when it fails, or its model is not shown to be the same."""
        if self.left <= 0:
            return None
        self.left -= 1
        try:
            other, path = self.export(sizes, fixed)
            mine = _at(self.model, fixed)
        except (ConversionError, ValueError) as error:
            place = re.search(r"; at ([^;]+)", str(error))
            self._failures[tuple(sorted(fixed.items()))] = f" ({place[1]})" if place else ""
            return None
        assumed = {(a.left, a.right) for a in mine.assumptions}
        if any((a.left, a.right) not in assumed for a in other.assumptions):
            return None
        return path if equivalent(mine, other) else None


def _at(model: Model, fixed: Sizes) -> Model:
    """A copy of the model with sizes fixed; raises ValueError where it does not admit them."""
    copy = copy_model(model)
    if fixed:
        Specialize(tuple(fixed.items())).run(copy)
    return copy

