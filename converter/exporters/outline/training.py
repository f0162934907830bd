"""Methods that take `training`: which modules differ by it, and how calls hand it on."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from converter.exporters.code import stmt as s
from converter.exporters.code.expr import Call, Expr, Name, lift
from converter.exporters.outline import context
from converter.exporters.outline.context import Shared
from converter.exporters.outline.regions import Region
from ir.core import Node

_TRAINING = Name("training")


class TrainingContext(context.Context):
    """Writes methods of a framework that hands the mode on as an argument."""

    def __init__(self, shared: Shared, region: Region) -> None:
        super().__init__(shared, region)
        self._reads_training = reads_training(region)

    def training(self) -> Expr:
        """The argument that says whether the call is one of training."""
        self._reads_training = True
        return _TRAINING

    def call_settings(self, region: Region) -> dict[str, Expr]:
        """`training=training`, where anything below reads it."""
        return {"training": self.training()} if reads_training(region) else {}

    def bare_call(self, call: Any) -> Any:
        """A call without `training`, which sequential containers hand on."""
        if isinstance(call, Call) and call.kwargs and call.kwargs[-1] == ("training", _TRAINING):
            return replace(call, kwargs=call.kwargs[:-1])
        return call

    def parameters(self) -> list[s.Param]:
        """`training`, where something reads it."""
        return [s.Param("training", "", lift(False))] if self._reads_training else []


def reads_training(region: Region) -> bool:
    """Whether anything in a module, or in one below it, differs in training."""
    return any(differs_in_training(node) for node in region.nodes())


def differs_in_training(node: Node) -> bool:
    """Whether a node, or one in its bodies, is written in two ways. Recurrent ops drop nothing by themselves: exporters
    that take the mode as an argument write dropout between layers as a node of its own."""
    if any(differs_in_training(inner) for body in node.bodies.values() for inner in body):
        return True
    rate = node.attrs.get("dropout", 1)
    return node.op.modal and node.op.family != "recurrent" and bool(rate) and not node.attrs.get("frozen", False)


__all__ = ["TrainingContext", "differs_in_training", "reads_training"]
