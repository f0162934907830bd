"""Fixes symbolic sizes."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import ClassVar

from ir.core.binding import value_symbols
from ir.core.model import Model
from ir.passes.base import Pass
from ir.passes.infer_types import InferTypes
from ir.passes.substitution import substitute_symbols


@dataclass(frozen=True)
class Specialize(Pass):
    """Gives the size symbols named in `sizes` their values, everywhere, and infers the types that follow.

    `Specialize((("batch", 1),))`. Raises ValueError for a negative size, a size the model computes itself, or one that
    contradicts an assumption.
    """

    sizes: tuple[tuple[str, int], ...]
    name: ClassVar[str] = "specialize"
    before: ClassVar[tuple[str, ...]] = ("fold", "simplify", "cse", "dead_code")

    def requires(self, model: Model) -> Iterator[str]:
        unknown = sorted(n for n, _ in self.sizes if n not in value_symbols(model.graph.inputs))
        if unknown:
            yield f"no input has a size {', '.join(unknown)}"
        yield from (f"size {n} = {size} is negative" for n, size in self.sizes if size < 0)

    def run(self, model: Model) -> bool:
        if any(size < 0 for _, size in self.sizes):
            raise ValueError(f"a size is negative: {dict(self.sizes)}")
        changed = substitute_symbols(model, dict(self.sizes))
        return InferTypes().run(model) or changed
