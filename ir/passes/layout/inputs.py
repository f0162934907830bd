"""Inputs in another layout than the source's, on request."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from ir.core.builder import Builder
from ir.core.graph import Value
from ir.core.model import Model
from ir.core.origin import Origin
from ir.ops.axes import Layout
from ir.passes.base import Pass, Rewriter
from ir.passes.layout.fit import permuted
from ir.passes.layout.plan import input_roles
from ir.passes.layout.roles import Role, inverse

AXES = "input_axes"
"""Metadata of a model whose inputs lie otherwise than the source's: by name, which of the source's axes each axis is."""


@dataclass(frozen=True)
class InputLayout(Pass):
    """Lets every input that holds channels lie in `layout`; `model.metadata["input_axes"]` tells what moved.

    Inputs of which no op tells where the channels are stay as they are.
    """

    layout: Layout
    name: ClassVar[str] = "input_layout"
    after: ClassVar[tuple[str, ...]] = ("simplify", "cse", "norms", "activations", "linear")
    before: ClassVar[tuple[str, ...]] = ("layout",)

    def run(self, model: Model) -> bool:
        rewriter = Rewriter(model, self.name)
        for value, role in input_roles(model.graph, self.layout).items():
            if role.layout != self.layout:
                self._turn(model, value, role, rewriter)
        return rewriter.changed

    def _turn(self, model: Model, value: Value, role: Role, rewriter: Rewriter) -> None:
        order = role.order(self.layout)
        first = next(iter(model.graph), None)
        b = Builder(model.graph, before=first, origin=Origin().by(self.name))
        readers = value.uses
        value.type = permuted(value.type, order)
        back = b.transpose(value, perm=inverse(order))
        for use in readers:
            use.user._replace_use(use, back)
        model.metadata[AXES] = {**model.metadata.get(AXES, {}), value.name: list(order)}
        model.notes.append(f"input {value.name} is taken {self.layout}: its axes are the source's axes {list(order)}")
        assert back.producer is not None
        rewriter.log(back.producer, self.layout, f"the input {value.name} was asked for in this layout")
